/** Real workbooks, against what the projects they come from read in them. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { bytesSource } from "../../../src/parse/open/source.ts";
import { listSheets } from "../../../src/parse/sheet/rows.ts";
import { corporaPresent, corpusBytes, corpusPath, corpusTruth } from "../../support/corpora.ts";
import { watchedSource } from "../open/fixtures.ts";
import { readSheet } from "./fixtures.ts";

interface Expectation {
  readonly file: string;
  readonly setup: readonly Readonly<Record<string, Readonly<Record<string, unknown>>>>[];
  readonly expect: readonly (readonly [string, unknown])[];
}

/** Needs merged cells filled, several header rows joined, or cells shown by their format: decisions that are not the reader's. */
const beyond = (e: Expectation) =>
  e.setup.some(
    (s) => s.ExcelControl?.fill_merged_cells || s.ExcelControl?.preserve_formatting || s.Dialect?.header_rows,
  );

describe.skipIf(!corporaPresent)("real workbooks", () => {
  it("have the header and the rows that frictionless reads", async () => {
    let compared = 0;
    const all = corpusTruth<Expectation>("frictionless_expectations");
    for (const truth of all.filter((e) => e.file.endsWith(".xlsx") && !beyond(e))) {
      const bytes = corpusBytes(truth.file);
      const wanted = truth.setup.find((s) => s.ExcelControl)?.ExcelControl?.sheet;
      const sheets = await listSheets(bytesSource(bytes));
      const sheet = typeof wanted === "number" ? sheets[wanted - 1]?.name : (wanted as string | undefined);
      const { rows, failure } = await readSheet(bytes, { sheet });
      expect(failure).toBeUndefined();
      const hasHeader = !truth.setup.some((s) => s.Dialect?.header === false);
      const [header = [], ...data] = Object.values(rows);
      for (const [what, value] of truth.expect) {
        if (what.endsWith(".header")) expect(header, truth.file).toEqual(value);
        else if (what.endsWith(".read_rows")) {
          const expected = (value as Record<string, unknown>[]).map((row) =>
            Object.values(row)
              .filter((v) => v !== null)
              .map(String),
          );
          expect(hasHeader ? data : [header, ...data], truth.file).toEqual(expected);
        } else continue;
        compared += 1;
      }
    }
    expect(compared).toBeGreaterThanOrEqual(8);
  });

  it("are read to their end, for blocks of any size, and refused when cut", async () => {
    const files = readFileSync(corpusPath("MANIFEST.tsv"), "utf8")
      .split("\n")
      .map((line) => line.split("\t", 1)[0]!)
      .filter((file) => file.endsWith(".xlsx"));
    expect(files.length).toBeGreaterThan(8);
    for (const file of files) {
      const bytes = corpusBytes(file);
      const whole = await readSheet(bytes);
      expect(whole.failure, file).toBeUndefined();
      const source = watchedSource(bytes, bytes.byteLength > 100_000 ? 997 : 7);
      expect(await readSheet(source), file).toEqual(whole);
      expect(source.open()).toBe(0);
      for (let length = 0; length < bytes.byteLength; length += Math.ceil(bytes.byteLength / 9)) {
        expect((await readSheet(bytes.subarray(0, length))).failure?.code, file).toBe("file-corrupt");
      }
    }
  });

  it("keep their long texts, hidden sheets and dates", async () => {
    const { rows } = await readSheet(corpusBytes("xlsx/messytables/large.xlsx"), { sheet: "data" });
    expect(rows[4]?.slice(0, 4)).toEqual(["2013-06-30", "A", "PiecesIssued", "1026746"]);
    expect(Object.keys(rows).length).toBe(8_546);
  });
});
