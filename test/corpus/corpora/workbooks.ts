/** Workbooks, against what frictionless reads in them. */
import { asFailure } from "../../../src/domain/failures.ts";
import { bytesSource } from "../../../src/parse/open/source.ts";
import { listSheets, sheetRows } from "../../../src/parse/sheet/rows.ts";
import { corpusBytes, corpusTruth } from "../../support/corpora.ts";
import type { CaseResult, Corpus } from "../case.ts";

interface Expectation {
  readonly file: string;
  readonly test: string;
  readonly setup: readonly Readonly<Record<string, Readonly<Record<string, unknown>>>>[];
  readonly expect: readonly (readonly [string, unknown])[];
}

/** Merged cells filled, several header rows joined, cells shown by their format: decisions that are not the reader's. */
const isBeyond = ({ setup }: Expectation): boolean =>
  setup.some((s) => s.ExcelControl?.fill_merged_cells || s.ExcelControl?.preserve_formatting || s.Dialect?.header_rows);

const isRead = ([what]: readonly [string, unknown]): boolean => /\.(header|read_rows)$/.test(what);

export const workbooks: Corpus = {
  name: "workbooks",
  target: 1,
  counting:
    "expectations of header and rows of .xlsx files, sheets by name or number, values compared as texts, null as blank; without those that fill merged cells, join header rows or ask for cells as Excel shows them",
  async run() {
    const results: CaseResult[] = [];
    const all = corpusTruth<Expectation>("frictionless_expectations");
    for (const truth of all.filter((e) => e.file.endsWith(".xlsx") && !isBeyond(e) && e.expect.some(isRead)))
      results.push(await workbookCase(truth));
    return results;
  },
};

async function workbookCase({ file, test, setup, expect }: Expectation): Promise<CaseResult> {
  const id = `${file} ${test.split("::").at(-1)}`;
  try {
    const source = bytesSource(corpusBytes(file));
    const wanted = setup.find((s) => s.ExcelControl)?.ExcelControl?.sheet;
    const sheet = typeof wanted === "number" ? (await listSheets(source))[wanted - 1]?.name : (wanted as string);
    const rows: (readonly string[])[] = [];
    for await (const batch of sheetRows(source, sheet === undefined ? {} : { sheet })) rows.push(...batch.rows);
    const hasHeader = !setup.some((s) => s.Dialect?.header === false);
    for (const [what, value] of expect.filter(isRead)) {
      const found = what.endsWith(".header") ? rows[0] : hasHeader ? rows.slice(1) : rows;
      const told = what.endsWith(".header") ? value : rowsIn(value);
      if (JSON.stringify(found) !== JSON.stringify(told))
        return { id, outcome: "silent-wrong", detail: `${JSON.stringify(found)} for ${JSON.stringify(told)}` };
    }
    return { id, outcome: "right" };
  } catch (thrown) {
    const failed = asFailure(thrown);
    if (failed.code === "internal-error") throw thrown;
    return { id, outcome: "refused", detail: failed.message };
  }
}

const rowsIn = (value: unknown): string[][] =>
  (value as Record<string, unknown>[]).map((row) =>
    Object.values(row)
      .filter((cell) => cell !== null)
      .map(String),
  );
