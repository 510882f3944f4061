/** Release once and widen: the same file goes the next time, and everything else is as strict as it was. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GATE_CHECKS, gatePolicy } from "../../src/domain/gate-policy.ts";
import { judge } from "../../src/gate/judge.ts";
import { widened, wideningOf, wideningSentences } from "../../src/gate/widen.ts";
import { changed, DAY_MS, daily, facts, NOW_MS } from "./feed.ts";

const NEVER_WIDENED = ["emptyFile", "sheetLimit"];

const file = fc.record({
  records: fc.integer({ min: 0, max: 5_000 }),
  rows: fc.integer({ min: 0, max: 70_000 }),
  rejects: fc.double({ min: 0, max: 1, noNaN: true }),
  news: fc.double({ min: 0, max: 1, noNaN: true }),
  changes: fc.double({ min: 0, max: 1, noNaN: true }),
  gone: fc.double({ min: 0, max: 1, noNaN: true }),
  zeros: fc.integer({ min: 0, max: 200 }),
  aheadDays: fc.integer({ min: -9, max: 9 }),
  total: fc.integer({ min: 0, max: 99_000 }),
});

describe("a widened policy", () => {
  it("lets the very same file go, whatever it tripped over, but for what cannot be more or less", () => {
    fc.assert(
      fc.property(file, (made) => {
        const { records, rows, rejects, news, changes, gone, zeros, aheadDays, total } = made;
        const rejected = Math.floor(rows * rejects);
        const accepted = rows - rejected;
        const of = facts({
          records,
          rows,
          rejected,
          accepted,
          inserted: Math.floor(accepted * news),
          changed: Math.floor(records * changes),
          retired: Math.floor(records * gone),
          statedMs: NOW_MS + aheadDays * DAY_MS,
          fields: [
            {
              field: "stock",
              before: { values: 100, blanks: 0, zeros: 0, total: 1_000, median: 10 },
              after: { values: 100, blanks: 0, zeros: 0, total, median: 10 },
            },
          ],
        });
        const samples = changed(200, zeros, 0);
        const first = judge(of, daily(28), samples, gatePolicy());
        const again = judge(of, daily(28), samples, widened(gatePolicy(), first.tripped, of));
        expect(again.tripped.filter((one) => !NEVER_WIDENED.includes(one.check))).toEqual([]);
      }),
    );
  });

  it("differs in what tripped and in nothing else, and only that is stored", () => {
    const of = facts({ retired: 400 });
    const { tripped } = judge(of, daily(28), changed(50, 0, 0), gatePolicy());
    const wide = widened(gatePolicy(), tripped, of);
    expect(wideningOf(gatePolicy(), wide)).toEqual({ retired: { share: 0.5, minRecords: 10 } });
    expect(gatePolicy(wideningOf(gatePolicy(), wide))).toEqual(wide);
  });

  it("never turns a check off, and leaves those alone that are", () => {
    const off = gatePolicy({ retired: "off" });
    const tripped = [{ check: "retired", sentence: "", evidence: { found: 900, expected: null, limit: 1 } }] as const;
    expect(widened(off, tripped, { records: 1_000, rows: 1_000 })).toEqual(off);
  });

  it("is told in sentences that say what files may do from then on, each check once", () => {
    const sentences = wideningSentences({
      rowCount: { factor: 2.33 },
      retired: { share: 0.58 },
      setToZero: { share: 0.04 },
      overlap: { share: 0.05 },
      total: { except: ["price", "stock"] },
      asOfOld: { hours: 100 },
    });
    expect(sentences).toEqual([
      "There may be 2.33 times as many rows as usual, or as few.",
      "Up to 58 % of the records may be taken off.",
      "A number may become 0 in up to 4 % of the records.",
      "Only 5 % of the records need to be known already.",
      "The total of these fields is not judged: price, stock.",
      "Its time may be up to 100 hours before that of the last file.",
    ]);
    expect(wideningSentences({})).toEqual([]);
  });

  it("has a sentence for every check that can be widened", () => {
    const sizes = { records: 1_000, rows: 1_000 };
    for (const check of GATE_CHECKS) {
      const one = { check, field: "price", sentence: "", evidence: { found: 0.9, expected: 100, limit: 1 } };
      const widening = wideningOf(gatePolicy(), widened(gatePolicy(), [one], sizes));
      expect([check, wideningSentences(widening).length]).toEqual([check, Object.keys(widening).length]);
    }
  });
});
