import { describe, expect, it } from "vitest";
import { defineFeed } from "../../../src/domain/adapter.ts";
import { effectiveFeed } from "../../../src/domain/feed-version.ts";
import { sampleOf } from "../../../src/parse/detect/sample.ts";
import { foundInText } from "../../../src/parse/match/found.ts";
import { proposeVersions } from "../../../src/parse/match/propose.ts";
import { parse } from "../table/support.ts";

const adapter = defineFeed({
  customer: "acme",
  customerTitle: "Acme",
  feed: "things",
  title: "Things",
  mode: "full",
  intake: { policy: "trust-address", senders: ["@acme.example"] },
});
const numbers = Array.from({ length: 30 }, (_, i) => String(i).padStart(8, "0"));

describe("rulers that a report draws", () => {
  it.each([
    [
      "below a header of fixed width",
      ["ITEM_NO         QTY", "---------- --------", ...numbers.map((n, i) => `${n}   ${String(i).padStart(8)}`)],
    ],
    ["cut like the rows", ["item;qty", "--------;---", ...numbers.map((n, i) => `${n};${i}`), "--------;---"]],
    ["between bars", ["item|qty", "========", ...numbers.map((n, i) => `${n}|${i}`)]],
  ])("%s are no rows of the feed that is proposed", async (_, lines) => {
    const text = `${lines.join("\n")}\n`;
    const { profile, mapping } = proposeVersions(adapter, foundInText(sampleOf(new TextEncoder().encode(text))));
    const effective = effectiveFeed(adapter, { profile, mapping });
    if (effective.kind !== "feed") throw new Error(JSON.stringify(effective));
    const { books, rejects } = await parse(effective.feed, text);
    expect([books.accepted, rejects]).toEqual([30, []]);
  });
});
