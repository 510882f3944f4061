/** The rows that are shown: what tripped first, the biggest moves, some of every kind, and never anything that misleads. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Sample } from "../../src/gate/facts.ts";
import { TELLING_ROWS } from "../../src/gate/telling.ts";
import { article, changed, inserted, judged, retired } from "./feed.ts";

const change = (key: string, before: object, after: object): Sample => ({
  kind: "changed",
  key,
  before: { ...before },
  after: { ...after },
});

const told = (samples: readonly Sample[], facts = {}) => judged({ samples, facts: { changed: 501, ...facts } }).telling;

describe("the telling rows", () => {
  it("of a stock set to zero: the largest that would be lost, with field, before and after", () => {
    const { telling } = judged({ facts: { changed: 400 }, samples: [...changed(400, 300, 0), ...inserted(5)] });
    const zeroed = (i: number) => ({ kind: "changed", key: `A-${i}`, field: "stock", before: `${i + 10}`, after: "0" });
    const cause = [299, 298, 297, 296, 295, 294, 293].map((i) => ({ ...zeroed(i), key: `A-00${i}` }));
    expect(telling.slice(0, 7)).toEqual(cause);
    expect(telling.slice(7).map((row) => row.kind)).toEqual(["changed", "changed", "inserted"]);
  });

  it("of retirements: those of the most first, and no value after", () => {
    const [first] = judged({ facts: { retired: 101 }, samples: retired(101) }).telling;
    expect(first).toEqual({ kind: "retired", key: "R-100", field: "stock", before: "101" });
  });

  it("of a wrong file: what would go and what would come, in turns", () => {
    const { telling } = judged({
      facts: { inserted: 990, changed: 0, unchanged: 10, retired: 990 },
      samples: [...retired(40), ...inserted(40)],
    });
    const kinds = telling.map((row) => row.kind);
    expect(kinds).toEqual(kinds.toSorted().toReversed());
    expect(kinds.filter((kind) => kind === "inserted").length).toBeGreaterThanOrEqual(3);
  });

  it("a changed row is told by the field that moves most", () => {
    const [row] = told([change("A", { price: "10", stock: 100, text: "x" }, { price: "1000", stock: 101, text: "y" })]);
    expect(row).toEqual({ kind: "changed", key: "A", field: "price", before: "10", after: "1000" });
  });

  it("a row without numbers is told by a field that says more than its key", () => {
    const [row] = told([{ kind: "retired", key: "A", before: { id: "A", name: "Hammer" } }]);
    expect(row).toEqual({ kind: "retired", key: "A", field: "name", before: "Hammer" });
  });

  it("are at most ten, each key once, and the same for the same plan in whatever order its rows come", () => {
    const key = fc.stringMatching(/^[A-F]$/);
    const stock = fc.option(fc.integer({ min: -5, max: 5 }));
    const sample = fc.oneof(
      fc.record({ kind: fc.constant("retired" as const), key, before: stock.map((n) => article(n)) }),
      fc.record({ kind: fc.constant("inserted" as const), key, after: stock.map((n) => article(n)) }),
      fc.record({
        kind: fc.constant("changed" as const),
        key,
        before: stock.map((n) => article(n)),
        after: stock.map((n) => article(n)),
      }),
    );
    fc.assert(
      fc.property(fc.uniqueArray(sample, { selector: (one) => one.key, maxLength: 30 }), (samples) => {
        const rows = told(samples);
        expect(rows.length).toBeLessThanOrEqual(TELLING_ROWS);
        expect(new Set(rows.map((row) => row.key)).size).toBe(rows.length);
        expect(told(samples.toReversed())).toEqual(rows);
      }),
    );
  });

  it("hostile values are shown cut, on one line, with what is invisible made visible", () => {
    const [row] = told([change("A", { name: "a" }, { name: `\u202e\n<b>${"x".repeat(500)}` })]);
    expect(row?.after).toMatch(/^\\u202e\\u000a<b>x{10,}…$/);
    expect(row?.after?.length).toBeLessThan(60);
  });

  it("a record with a field called __proto__ or constructor harms nothing", () => {
    const odd = JSON.parse('{"__proto__": 5, "constructor": 1, "stock": 7}') as Record<string, unknown>;
    expect(told([{ kind: "changed", key: "A", before: odd, after: { stock: 8 } }])[0]?.key).toBe("A");
  });
});
