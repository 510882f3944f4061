/** Numbers of columns: counted as a file is read, and held against the files before it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type FieldNumbers, MEDIAN_ERROR } from "../../src/domain/field-numbers.ts";
import { medianOf } from "../../src/gate/band.ts";
import { fieldsOfFiles, fieldsOfSamples } from "../../src/gate/fields.ts";
import { changed, daily, inserted, trippedBy } from "./feed.ts";
import { numbersOf } from "./numbers-of.ts";

const numbers = (change: Partial<FieldNumbers> = {}): FieldNumbers => ({
  values: 100,
  blanks: 0,
  zeros: 0,
  total: 1_000,
  median: 10,
  ...change,
});

describe("the numbers of a column", () => {
  it("count values, blanks and zeros, and add up sizes, so that a journal does not add up to nothing", () => {
    const { median: _, ...counts } = numbersOf([100, "-100.5", null, "", 0, "0.00", undefined]);
    expect(counts).toEqual({ values: 4, blanks: 3, zeros: 2, total: 200.5 });
  });

  it("leave out what is no number", () => {
    expect(numbersOf(["abc", Number.NaN, Number.POSITIVE_INFINITY, {}])).toEqual({
      values: 0,
      blanks: 0,
      zeros: 0,
      total: 0,
    });
  });

  it("know the middle of what is not zero to within a few parts in a hundred", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 1e-6, max: 1e12, noNaN: true }), { minLength: 1, maxLength: 99 }),
        (values) => {
          const odd = values.length % 2 === 1 ? values : values.slice(1);
          fc.pre(odd.length > 0);
          const found = numbersOf([...odd, 0, 0, 0]).median!;
          const error = found / medianOf(odd);
          expect(Math.max(error, 1 / error)).toBeLessThanOrEqual(MEDIAN_ERROR * 1.000001);
        },
      ),
    );
  });
});

describe("a file against those before it", () => {
  const weekOf = (total: number, change: Partial<FieldNumbers> = {}) =>
    daily(7, () => ({ fields: { stock: numbers({ total, ...change }) } }));

  it("is held against the last file", () => {
    const fields = fieldsOfFiles("full", { stock: numbers({ total: 3_100 }) }, weekOf(1_000));
    expect(trippedBy({ facts: { fields } })).toEqual(["total"]);
    expect(
      trippedBy({ facts: { fields: fieldsOfFiles("full", { stock: numbers({ total: 2_900 }) }, weekOf(1_000)) } }),
    ).toEqual([]);
  });

  it("the file after an odd one is not odd: what is usual counts, too", () => {
    const history = daily(7, (daysAgo) => ({ fields: { stock: numbers({ total: daysAgo === 1 ? 100_000 : 1_000 }) } }));
    expect(trippedBy({ facts: { fields: fieldsOfFiles("full", { stock: numbers() }, history) } })).toEqual([]);
    expect(
      trippedBy({ facts: { fields: fieldsOfFiles("full", { stock: numbers({ total: 99_000 }) }, history) } }),
    ).toEqual([]);
    expect(
      trippedBy({ facts: { fields: fieldsOfFiles("full", { stock: numbers({ total: 10_000 }) }, history) } }),
    ).toEqual(["total"]);
  });

  it("a delta of ten times as many rows is not odd for what they add up to", () => {
    const many = numbers({ values: 1_000, total: 10_000 });
    expect(trippedBy({ facts: { fields: fieldsOfFiles("delta", { stock: many }, weekOf(1_000)) } })).toEqual([]);
    const cents = numbers({ values: 1_000, total: 1_000_000, median: 1_000 });
    expect(trippedBy({ facts: { fields: fieldsOfFiles("delta", { stock: cents }, weekOf(1_000)) } })).toEqual([
      "total",
      "median",
    ]);
  });

  it("says nothing of a column that no file before it had", () => {
    expect(fieldsOfFiles("full", { weight: numbers(), constructor: numbers() }, weekOf(1_000))).toEqual([]);
    expect(fieldsOfFiles("full", { stock: numbers() }, [])).toEqual([]);
  });

  it("a column that was all zeros has no middle to be held against", () => {
    const { median: _, ...zeros } = numbers({ zeros: 100, total: 0 });
    const history = daily(7, () => ({ fields: { stock: zeros } }));
    expect(trippedBy({ facts: { fields: fieldsOfFiles("full", { stock: numbers() }, history) } })).toEqual([]);
  });
});

describe("the rows that would change", () => {
  it("are counted before and after; new ones and those of other fields are not", () => {
    const [stock] = fieldsOfSamples([...changed(3, 1, 0), ...inserted(5)], ["stock"]);
    expect([stock?.before.total, stock?.after.total, stock?.after.zeros]).toEqual([33, 21, 1]);
  });

  it("show a decimal mark that got lost", () => {
    const samples = changed(60, 0, 0).map((one) =>
      one.kind === "changed" ? { ...one, after: { ...one.after, stock: Number(one.before.stock) * 100 } } : one,
    );
    expect(trippedBy({ samples, facts: { changed: 60, fields: fieldsOfSamples(samples, ["stock"]) } })).toEqual([
      "total",
      "median",
    ]);
  });
});
