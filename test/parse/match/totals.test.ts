import { describe, expect, it } from "vitest";
import { sampleOf } from "../../../src/parse/detect/sample.ts";
import { foundInText } from "../../../src/parse/match/found.ts";

const sample = sampleOf(new TextEncoder().encode("sku;qty\nA1;5\nA2;6\nA3;7\nGesamt;18\n"));

describe("a last row of totals", () => {
  it.each([
    ["footer", { startsWith: "Gesamt" }, 3],
    ["data", undefined, 4],
  ])("answered as %s is so in the format", (answer, footer, rows) => {
    const found = foundInText(sample, [{ what: "footer", answer }]);
    expect([found.format.footer, found.rows.length, found.undecided, found.faults]).toEqual([footer, rows, [], []]);
  });

  it("is asked about until then", () => {
    expect(foundInText(sample).undecided.map(({ what }) => what)).toEqual(["footer"]);
  });
});
