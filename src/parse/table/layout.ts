/** Where each column of the adapter stands in this file: decided once, from the preamble and the header. */
import type { Column, Feed } from "../../domain/adapter.ts";
import { labelOf, placesOf } from "../../domain/column.ts";
import { failure } from "../../domain/failures.ts";
import { compileCalendar } from "./calendar.ts";
import { CellFault, cutValue, trimCell } from "./cell.ts";
import { type ColumnParser, compileColumn, isAtAGlance } from "./columns.ts";
import type { Tally } from "./tally.ts";

/**
 * A column bound to its place. `at`: index of its cell; `join`: of several; `constant`: the same for all rows; none of them:
 * the row's ordinal.
 */
export interface BoundColumn {
  readonly name: string;
  /** What the customer calls it. */
  readonly label: string;
  readonly column: Column;
  readonly parser: ColumnParser;
  /** Whether its usual cell may be read from bytes without the parser. */
  readonly atAGlance: boolean;
  readonly at: number | null;
  readonly join: Join | null;
  readonly constant: string | null | undefined;
  /**
   * Whether its values are amounts that are counted: numbers that the rows themselves state. Not those of the key, which are
   * names and grow by themselves.
   */
  readonly isCounted: boolean;
}

/**
 * Columns that are counted: each takes 24 kB while a file is read, and stands in the file's row, of which the gate reads ten. A
 * table of two thousand numbers has no more of them that anybody looks at.
 */
const COUNTED_MAX_COLUMNS = 200;

/** Cells that are read as one text. */
export interface Join {
  readonly at: readonly number[];
  readonly with: string;
  readonly trim: boolean;
}

/** The text of several cells; blank only if all of them are. */
export function joined({ at, with: between, trim }: Join, cellAt: (index: number) => string): string {
  const parts = at.map((index) => (trim ? trimCell(cellAt(index)) : cellAt(index)));
  return parts.every((part) => part === "") ? "" : parts.join(between);
}

export interface Layout {
  /** Cells that every row must have. */
  readonly width: number;
  readonly columns: readonly BoundColumn[];
  /** Indexes into `columns` of the key, in the adapter's order. */
  readonly key: readonly number[];
}

/** The header line: its cells and where it stands. */
export interface Header {
  readonly cells: readonly string[];
  readonly line: number;
}

/**
 * Binds the columns. Names in the header are trimmed and must be equal to the letter; columns that the feed does not name
 * are left alone, and those that the file may lack and lacks are null or not there at all. Throws `wrong-column-count`, `missing-column` (with all that are missing), `duplicate-column` (of a
 * column that the feed reads) and `bad-preamble-value`. `tallies`: columns, by name, whose values are to be added up.
 */
export function bindColumns(
  feed: Feed,
  preamble: readonly (readonly string[])[],
  header: Header | null,
  tallies: ReadonlyMap<string, Tally> = new Map(),
): Layout {
  const { columnCount } = feed.file;
  const names = header?.cells.map(trimCell) ?? [];
  const width = header === null ? (columnCount ?? 0) : names.length;
  if (header !== null && columnCount !== undefined && width !== columnCount) {
    throw failure("wrong-column-count", { line: header.line, expected: columnCount, found: width });
  }
  if (header !== null) checkHeader(feed, names, header.line);
  const columns = feed.columns.flatMap((column): BoundColumn | [] => {
    const { source } = column;
    const label = labelOf(column);
    const isKey = feed.key.includes(column.name);
    const fiscalYearStart = fiscalStart(column, preamble, label);
    const compiled = compileColumn(column, { label, isKey, fiscalYearStart });
    const tally = tallies.get(column.name);
    const parser = tally?.watch(compiled) ?? compiled;
    const atAGlance = tally === undefined && isAtAGlance(column);
    const isCounted = !isKey && (column.type === "integer" || column.type === "decimal");
    const common = { name: column.name, label, column, parser, atAGlance };
    const bound = { ...common, isCounted, at: null, join: null, constant: undefined };
    const notCounted = { ...bound, isCounted: false };
    if ("header" in source) {
      const at = names.indexOf(source.header);
      if (at !== -1) return { ...bound, at };
      return column.absent === "keep" ? [] : { ...bound, constant: null };
    }
    if ("position" in source) return { ...bound, at: source.position - 1 };
    if ("preamble" in source) return { ...notCounted, constant: constantOf(source, preamble, parser, label) };
    if ("constant" in source) return { ...notCounted, constant: fixedConstant(source.constant, parser, label) };
    if ("join" in source) {
      const at = source.join.map((place) => (typeof place === "number" ? place - 1 : names.indexOf(place)));
      return { ...bound, join: { at, with: source.with, trim: column.trim } };
    }
    return notCounted;
  });
  const counted = new Set(columns.filter(({ isCounted }) => isCounted).slice(0, COUNTED_MAX_COLUMNS));
  return {
    width,
    columns: columns.map((column) => (counted.has(column) ? column : { ...column, isCounted: false })),
    key: feed.key.map((name) => columns.findIndex((column) => column.name === name)),
  };
}

function checkHeader(feed: Feed, names: readonly string[], line: number): void {
  const missing: string[] = [];
  const needed = feed.columns.filter(({ absent = "refuse" }) => absent === "refuse");
  const read = feed.columns.flatMap(({ source }) => placesOf(source));
  const must = new Set(needed.flatMap(({ source }) => placesOf(source)));
  for (const place of new Set(read)) {
    if (typeof place === "number") {
      if (place > names.length) missing.push(`column ${place}`);
      continue;
    }
    const at = names.indexOf(place);
    if (at === -1) {
      if (must.has(place)) missing.push(place);
    } else if (names.indexOf(place, at + 1) !== -1) throw failure("duplicate-column", { column: place, line });
  }
  if (missing.length > 0) throw failure("missing-column", { missing, found: names.map(cutValue), line });
}

/** What the mapping itself says. That it can be read is checked before a mapping becomes active. */
function fixedConstant(text: string, parser: ColumnParser, column: string): string | null {
  const result = parser.parse(text);
  if (result instanceof CellFault) throw new TypeError(`the constant of ${column} cannot be read: ${result.code}`);
  return result ?? null;
}

interface PreamblePlace {
  readonly preamble: number;
  readonly field: number;
}

const preambleValue = (preamble: readonly (readonly string[])[], place: PreamblePlace): string =>
  preamble[place.preamble - 1]?.[place.field - 1] ?? "";

function constantOf(
  place: PreamblePlace,
  preamble: readonly (readonly string[])[],
  parser: ColumnParser,
  column: string,
): string | null {
  const value = preambleValue(preamble, place);
  const result = parser.parse(value);
  if (!(result instanceof CellFault)) return result ?? null;
  throw failure("bad-preamble-value", { line: place.preamble, field: place.field, column, value: cutValue(value) });
}

const readCompactDate = compileCalendar({ format: "yyyyMMdd", time: false });

function fiscalStart(column: Column, preamble: readonly (readonly string[])[], label: string): string | undefined {
  if (column.type !== "date" || column.format !== "ddMM" || column.fiscalYearStart === undefined) return undefined;
  const place = column.fiscalYearStart;
  const value = trimCell(preambleValue(preamble, place));
  const start = readCompactDate(value);
  if (start !== undefined) return start;
  throw failure("bad-preamble-value", {
    line: place.preamble,
    field: place.field,
    column: label,
    value: cutValue(value),
  });
}
