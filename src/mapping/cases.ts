/**
 * Unit cases of a mapping, kept beside it: cells of a row and the record that they must become, or the code with which they
 * must be refused. A version whose cases do not all hold never becomes active.
 */
import { z } from "zod";
import type { Feed } from "../domain/adapter.ts";
import { placesOf } from "../domain/column.ts";
import { asFailure, FAILURES, type FailureCode } from "../domain/failures.ts";
import { type FieldValue, type ReadRow, RowReader } from "./row-reader.ts";

/** Cases of one version: a description of what matters, not a second data set. */
export const MAX_CASES = 200;
/** Cells of one case, as many as a file has columns. */
const MAX_CELLS = 2_000;
const CELL_MAX_CHARS = 10_000;
const PREAMBLE_MAX_LINES = 50;

const cell = z.string().max(CELL_MAX_CHARS);
const atMost = (what: string, limit: number) => `has more than ${limit} ${what}`;

export const mappingCaseSchema = z
  .object({
    name: z.string().min(1).max(200).optional(),
    /** The row: text by header name, or by place as `#3`. Cells that are not named are blank. */
    cells: z
      .record(z.string().max(CELL_MAX_CHARS), cell)
      .refine((cells) => Object.keys(cells).length <= MAX_CELLS, atMost("cells", MAX_CELLS)),
    /** Cells of the lines before the header, where a column reads them. */
    preamble: z.array(z.array(cell).max(MAX_CELLS)).max(PREAMBLE_MAX_LINES).optional(),
    expect: z.union([
      /** Fields of the record as JSON has them (decimals and dates are texts). Fields that are not named may be anything. */
      z.object({ record: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])) }).strict(),
      /** One of the faults of the row has this code, and is of this column (as the file calls it) where it is said. */
      z
        .object({
          reject: z
            .string()
            .refine((code): code is FailureCode => Object.hasOwn(FAILURES, code), "is no code of the catalogue"),
          column: z.string().optional(),
        })
        .strict(),
    ]),
  })
  .strict();

export const mappingCasesSchema = z.array(mappingCaseSchema).max(MAX_CASES);

export type MappingCase = z.output<typeof mappingCaseSchema>;

export interface CaseResult {
  /** The case's name, or its number from 1. */
  readonly name: string;
  readonly passed: boolean;
  /** One plain sentence for each thing that is not as expected. */
  readonly differences: readonly string[];
}

/** Every case by the feed, through the code that reads files. Pure. */
export function runCases(feed: Feed, cases: readonly MappingCase[]): CaseResult[] {
  const reads = caseReader(feed);
  return cases.map((one, i) => {
    const differences = differencesOf(feed, one, reads);
    return { name: one.name ?? `case ${i + 1}`, passed: differences.length === 0, differences };
  });
}

/** Rows read by the feed; columns are compiled once for all cases with the same lines before the header. */
function caseReader(feed: Feed) {
  const readers = new Map<string, RowReader>();
  return (row: CaseRow, preamble: readonly (readonly string[])[]): ReadRow => {
    const name = JSON.stringify(preamble);
    let reader = readers.get(name);
    if (reader === undefined) {
      const { columnCount: _, ...file } = feed.file;
      reader = new RowReader(row.header === null ? feed : { ...feed, file }, preamble, row.header);
      readers.set(name, reader);
    }
    return reader.read(row.cells, 1);
  };
}

function differencesOf(feed: Feed, one: MappingCase, reads: ReturnType<typeof caseReader>): string[] {
  const row = rowOf(feed, one.cells);
  if ("unread" in row) return row.unread.map((name) => `No column reads “${name}”.`);
  let read: ReadRow;
  try {
    read = reads(row, one.preamble ?? []);
  } catch (thrown) {
    const { report } = asFailure(thrown);
    if (report.actor !== "customer") throw thrown;
    return [report.sentence];
  }
  return compare(one.expect, read);
}

interface CaseRow {
  readonly header: string[] | null;
  readonly cells: string[];
}

/** A row in which every column that the feed reads has its place, or the cells that nothing reads. */
function rowOf(feed: Feed, given: MappingCase["cells"]): CaseRow | { readonly unread: string[] } {
  const places = feed.columns.flatMap(({ source }) => placesOf(source));
  const headers = [...new Set(places.filter((place) => typeof place === "string"))];
  const positions = new Set(places.filter((place) => typeof place === "number"));
  const unread = Object.keys(given).filter((name) => {
    const position = /^#(\d{1,4})$/.exec(name)?.[1];
    return !headers.includes(name) && !(position !== undefined && positions.has(Number(position)));
  });
  if (unread.length > 0) return { unread };
  const width = feed.file.header ? 0 : (feed.file.columnCount ?? 0);
  const at = (i: number) => given[`#${i + 1}`] ?? "";
  const cells = Array.from({ length: Math.max(width, ...positions) }, (_, i) => at(i));
  if (!feed.file.header) return { header: null, cells };
  // The headers stand behind the places, which get names that no header has.
  const names = cells.map((_, i) => `\u0000${i + 1}`);
  return { header: [...names, ...headers], cells: [...cells, ...headers.map((name) => given[name] ?? "")] };
}

const shownValue = (value: FieldValue | undefined): string =>
  value === undefined ? "not there" : JSON.stringify(value);

function compare(expected: MappingCase["expect"], read: ReadRow): string[] {
  if ("record" in expected) {
    if (read.kind === "refused") return read.refusals.map(({ report }) => `Refused: ${report.sentence}`);
    return Object.entries(expected.record).flatMap(([field, value]) => {
      const found = Object.hasOwn(read.record, field) ? read.record[field] : undefined;
      if (found === value) return [];
      return [`The field ${field} is ${shownValue(found)}, expected ${shownValue(value)}.`];
    });
  }
  const { reject, column } = expected;
  const of = column === undefined ? "" : ` of column “${column}”`;
  if (read.kind === "record") return [`The row is a record, expected the reject ${reject}${of}.`];
  const fits = read.refusals.some(
    (refusal) => refusal.report.code === reject && (column === undefined || refusal.column === column),
  );
  if (fits) return [];
  const found = read.refusals.map(({ report, column: of }) => `${report.code} of ${of ?? "the row"}`).join(", ");
  return [`The row is refused for ${found}, expected ${reject}${of}.`];
}
