import { describe, expect, it } from "vitest";
import { BENCH_COLUMNS, benchInventoryBytes, benchRejects, inventoryRows } from "../../cli/samples/generate.ts";
import { csvRows, decoded, gtinHolds, sha256 } from "./read.ts";

const ROWS = 20_000;
const file = benchInventoryBytes(ROWS);
const text = decoded(file, "windows-1252");
const rows = csvRows(text, ";").slice(1);

describe("bench inventory", () => {
  it("is header and rows in Windows-1252 with CRLF, about 120 bytes a row", () => {
    expect(text.startsWith(`${BENCH_COLUMNS.join(";")}\r\n`)).toBe(true);
    expect(text.split("\n")).toHaveLength(ROWS + 2);
    expect(rows).toHaveLength(ROWS);
    expect(file.length / ROWS).toBeGreaterThan(115);
    expect(file.length / ROWS).toBeLessThan(128);
    expect(file.some((byte) => byte >= 0x80 && byte <= 0x9f)).toBe(true);
  });

  it("has as many bad rows as it counts: numbers, dates and widths", () => {
    const good = (row: string[]) =>
      row.length === 10 && /^\d+,\d{3}$/.test(row[5] ?? "") && !/^31\.02\./.test(row[8] ?? "");
    expect(rows.filter((row) => !good(row))).toHaveLength(benchRejects(ROWS));
    expect(benchRejects(ROWS) / ROWS).toBe(0.0015);
    expect([0, 499, 500, 1_167, 1_999, 2_499, 2_500].map(benchRejects)).toEqual([0, 0, 1, 2, 3, 3, 4]);
  });

  it("quotes three descriptions in ten", () => {
    const quoted = text.split("\n").filter((line) => line.split(";")[2]?.startsWith('"')).length;
    expect(quoted / ROWS).toBeCloseTo(0.3, 1);
  });

  it("has keys that stand once and EANs whose check digits hold", () => {
    expect(new Set(rows.map((row) => row[0])).size).toBe(ROWS);
    expect(rows.filter(([, ean = ""]) => !gtinHolds(ean))).toEqual([]);
  });

  it("comes from rows and seed alone, and a longer file begins with a shorter one", () => {
    expect(sha256(benchInventoryBytes(ROWS))).toBe(sha256(file));
    expect(sha256(benchInventoryBytes(ROWS, 2))).not.toBe(sha256(file));
    expect([...inventoryRows({ rows: 50 })]).toEqual([...inventoryRows({ rows: 100 })].slice(0, 50));
  });

  it("is the header alone without rows", () => {
    expect(decoded(benchInventoryBytes(0), "windows-1252")).toBe(`${BENCH_COLUMNS.join(";")}\r\n`);
  });
});
