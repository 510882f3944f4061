/** Tables of this machine that are rows already: the sheet of a workbook, the records of a JSON file. */
import { misfitOf } from "../src/parse/detect/detect.ts";
import { firstSheetRows, unknownJson } from "../src/parse/first-rows.ts";
import { type FoundTable, foundInJson, foundInSheet, SAMPLE_ROWS } from "../src/parse/match/found.ts";
import type { Payload } from "../src/parse/open/open.ts";
import { type CellIssue, sheetRows } from "../src/parse/sheet/rows.ts";

export interface Problem {
  readonly code: string;
  /** The row as Excel numbers it, the line of a text. */
  readonly line: number;
  readonly message: string;
}

export interface ReadyRow {
  readonly cells: readonly string[];
  readonly kind: "header" | "data";
  readonly problem: Problem | null;
}

export interface ReadyTable {
  readonly kind: "sheet" | "json";
  readonly found: FoundTable;
  /** Names of the columns; none without a header. */
  readonly columns: readonly string[];
  /** Header (where there is one) and data rows, all of one width but for those with a problem. */
  rows(): AsyncGenerator<ReadyRow>;
}

/** The table of a payload that is no text, or undefined. Throws what its readers throw, and `file-empty`. */
export async function readyTable(payload: Payload): Promise<ReadyTable | undefined> {
  if (payload.format === "xlsx") return sheetTable(payload);
  if (payload.format === "json" || payload.format === "ndjson") return jsonTable(payload);
  return undefined;
}

async function sheetTable(payload: Payload): Promise<ReadyTable> {
  const found = foundInSheet(await firstSheetRows(payload, SAMPLE_ROWS));
  const width = found.types.length;
  const titles = found.preamble.length;
  // What stands to the right of a header is of no column.
  const end = found.format.header ? width : undefined;
  async function* rows(): AsyncGenerator<ReadyRow> {
    let kind: ReadyRow["kind"] = found.format.header ? "header" : "data";
    for await (const { firstRow, rows: read, issues } of sheetRows(await payload.source(), { name: payload.name })) {
      for (const [i, all] of read.entries()) {
        const line = firstRow + i;
        const cells = all.slice(0, end);
        const issue = issues.find((one) => one.row === line && one.column < (end ?? Number.POSITIVE_INFINITY));
        if (line <= titles || (issue === undefined && cells.every((cell) => cell.trim() === ""))) continue;
        const filled = [...cells, ...Array<string>(Math.max(0, width - cells.length)).fill("")];
        const problem = sheetProblem(filled.length, width, line, kind === "data" ? issue : undefined);
        yield { cells: filled, kind, problem };
        kind = "data";
      }
    }
  }
  return { kind: "sheet", found, columns: found.format.header ? found.types.map((type) => type.name ?? "") : [], rows };
}

function sheetProblem(cells: number, width: number, line: number, issue: CellIssue | undefined): Problem | null {
  if (cells > width) return misfitOf(cells, width, line, false);
  if (issue === undefined) return null;
  return issue.kind === "error"
    ? { code: "cell-error", line, message: `In row ${line} the cell of column ${issue.column + 1} holds an error.` }
    : {
        code: "cell-not-calculated",
        line,
        message: `In row ${line} the cell of column ${issue.column + 1} holds a formula that was not calculated.`,
      };
}

/** Read twice: what keys there are is known when all records were seen. */
async function jsonTable(payload: Payload): Promise<ReadyTable> {
  const { at, records } = await unknownJson(payload);
  const sample: ReadonlyMap<string, string | null>[] = [];
  const keys = new Set<string>();
  for await (const batch of records()) {
    for (const { cells } of batch) {
      if (cells === undefined) continue;
      const known = keys.size;
      for (const key of cells.keys()) keys.add(key);
      if (sample.length < SAMPLE_ROWS || keys.size > known) sample.push(cells);
    }
  }
  const found = foundInJson(sample, { at });
  const columns = [...keys];
  async function* rows(): AsyncGenerator<ReadyRow> {
    yield { cells: columns, kind: "header", problem: null };
    for await (const batch of records()) {
      for (const { cells, line, broken } of batch) {
        const message = `The record in line ${line} cannot be read: ${broken}.`;
        const problem = cells === undefined ? { code: "broken-record", line, message } : null;
        yield { cells: columns.map((key) => cells?.get(key) ?? ""), kind: "data", problem };
      }
    }
  }
  return { kind: "json", found, columns, rows };
}
