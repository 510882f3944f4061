/** Which rows are looked at: few, evenly spread, the same each time, and enough to tell a share by. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SAMPLE_MAX_CHUNKS, SAMPLE_MAX_ROWS, sampleLines, samplesOf } from "../../src/gate/sample.ts";

/** Chunks of a file: of each the lines that differ. */
const needOf = (counts: readonly number[]) =>
  new Map(counts.map((count, n) => [n, Array.from({ length: count }, (_, i) => n * 5_000 + i + 2)]));

const count = (lines: ReadonlyMap<number, readonly number[]>) =>
  [...lines.values()].reduce((sum, one) => sum + one.length, 0);

describe("the lines that are looked at", () => {
  it("are all of them where they are few", () => {
    const need = needOf([3, 0, 900, 97]);
    expect(count(sampleLines(need))).toBe(1_000);
    expect(sampleLines(new Map())).toEqual(new Map());
  });

  it("are never more than the limits, each of them is of the plan, and every part of the file is among them", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 5_000 }), { maxLength: 60 }), (counts) => {
        const need = needOf(counts);
        const looked = sampleLines(need);
        const filled = [...need].filter(([, lines]) => lines.length > 0);
        expect(looked.size).toBe(Math.min(SAMPLE_MAX_CHUNKS, filled.length));
        expect(count(looked)).toBeLessThanOrEqual(SAMPLE_MAX_ROWS);
        for (const [n, lines] of looked) {
          const known = new Set(need.get(n));
          expect(lines.length).toBeGreaterThan(0);
          expect(new Set(lines).size).toBe(lines.length);
          expect(lines.every((line) => known.has(line))).toBe(true);
        }
        expect(sampleLines(new Map([...need].toReversed()))).toEqual(looked);
      }),
    );
  });

  it("tell a share to within three in a hundred where the wrong rows stand all over the file", () => {
    const need = needOf(Array(60).fill(5_000));
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 7 }), (sevenths) => {
        const lines = [...sampleLines(need).values()].flat();
        const wrong = lines.filter((line) => (line * 2_654_435_761) % 7 < sevenths);
        expect(Math.abs(wrong.length / lines.length - sevenths / 7)).toBeLessThan(0.03);
      }),
    );
  });

  it("see it where one half of the file went wrong and the other did not", () => {
    const lines = [...sampleLines(needOf(Array(60).fill(5_000))).values()].flat();
    expect(lines.filter((line) => line < 150_000).length / lines.length).toBeCloseTo(0.5, 1);
  });
});

describe("what they are", () => {
  it("is changed where the key is known, and new where it is not", () => {
    const rows = [
      { key: "A", data: { stock: 0 } },
      { key: "B", data: { stock: 5 } },
    ];
    expect(samplesOf(rows, [{ key: "A", data: { stock: 9, name: "Hammer" } }], false)).toEqual([
      { kind: "changed", key: "A", before: { stock: 9, name: "Hammer" }, after: { stock: 0 } },
      { kind: "inserted", key: "B", after: { stock: 5 } },
    ]);
  });

  it("of a file that says some fields, the others stay as they are and are not taken for emptied", () => {
    const [row] = samplesOf(
      [{ key: "A", data: { stock: 0 } }],
      [{ key: "A", data: { stock: 9, name: "Hammer" } }],
      true,
    );
    expect(row).toMatchObject({ after: { stock: 0, name: "Hammer" } });
  });
});
