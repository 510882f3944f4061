/** What is stored with a held file and what is told of it are the same. */
import { describe, expect, it } from "vitest";
import { blastRadiusNotice, heldReport } from "../../src/gate/notices.ts";
import { composeMessage } from "../../src/notify/compose.ts";
import { facts, judged, NOW_MS, retired } from "./feed.ts";

const others = {
  recipient: "operator",
  customer: "acme",
  customerTitle: "Acme Tools",
  feed: "inventory",
  feedTitle: "Inventory",
  fileId: "17",
  path: "stock.csv",
  deliveryId: "0".repeat(32),
  sender: "erp@acme.example",
  receivedAt: new Date(NOW_MS).toISOString(),
  links: {},
  expiresAt: new Date(NOW_MS).toISOString(),
  later: "supersede",
  reminder: false,
} as const;

describe("a held file", () => {
  const held = judged({ facts: { retired: 400, rejected: 30 }, samples: retired(400) });

  it("has a failure that says what tripped in words and in numbers", () => {
    const { code, disposition, sentence, evidence } = heldReport(held);
    expect([code, disposition]).toEqual(["blast-radius", "hold"]);
    expect(sentence).toBe(
      "The file would do far more than the files of this feed usually do. 400 of 1,000 records (40 %) are not in the file any more and would be taken off; usually 0.1 %. 30 of 1,000 rows (3 %) could not be read; usually 0 %.",
    );
    expect(evidence.tripped).toEqual([
      { check: "retired", found: 400, expected: 1, limit: 100 },
      { check: "rejected", found: 30, expected: 0, limit: 20 },
    ]);
  });

  it("has a mail with every reason and all of the ten rows", () => {
    const notice = blastRadiusNotice(others, facts({ retired: 400, rejected: 30 }), held);
    const { html } = composeMessage(notice);
    expect(notice.telling).toHaveLength(10);
    for (const { sentence } of held.tripped) expect(html).toContain(sentence);
    for (const { key } of held.telling) expect(html).toContain(key);
  });
});
