/** A file held against the pinned profile of its feed: fits, or how it differs and why that probably is. */
import type { Adapter } from "../../domain/adapter.ts";
import type { FailureCode, FailureReport } from "../../domain/failures.ts";
import type { ColumnShape, FormatProfile, ProfileColumn } from "../../domain/feed-version.ts";
import { type FormatDifference, formatDifferences } from "./format-difference.ts";
import type { FoundLine, FoundTable } from "./found.ts";
import type { Drift, DriftCause, DriftExample, DriftSide } from "./report.ts";
import { type Observed, observedIn } from "./shape.ts";
import { type TableDifference, tableDifference } from "./table-difference.ts";

/** Of the feed as it is read now: with the active mapping. */
type DriftPolicy = Pick<Adapter, "drift" | "columns">;

/** Lines of the file that a report shows. */
const EXAMPLES_MAX = 3;

/**
 * Compares a file that parse could read with the pinned profile: header and the look of its values. Null where it fits, and
 * where the profile knows no columns yet (then `learnt` makes the next version). For before the file is applied; where parse
 * refused it or held it, ask `driftOfFailure` first.
 */
export function compareWithPinned(pinned: FormatProfile, observed: Observed, adapter: DriftPolicy): Drift | null {
  // Of records a parse sees the keys that the feed reads, whether they are all that are pinned or not.
  const isRead = ({ name }: ProfileColumn): boolean => observed.columns.some((column) => column.name === name);
  const against = pinned.format.kind === "json" ? { ...pinned, columns: pinned.columns.filter(isRead) } : pinned;
  const difference = differenceOf(against, observed, adapter);
  if (difference === null) return null;
  const sides = { pinned: sideOf(pinned.columns, pinned), found: sideOf(observed.columns, pinned) };
  return { ...difference, ...sides, examples: examplesOf(pinned, observed.lines) };
}

function differenceOf(pinned: FormatProfile, observed: Observed, adapter: DriftPolicy): TableDifference | null {
  if (pinned.columns.length === 0 || observed.columns.length === 0) return null;
  const named = pinned.format.header && observed.header !== null;
  const mayGrow = adapter.drift.trailingColumns === "allow";
  if (!named) return tableDifference(pinned.columns, observed.columns, { named, mayGrow });
  const here = withoutOptional(pinned.columns, observed.columns, adapter);
  const there = withoutOptional(observed.columns, pinned.columns, adapter);
  if (pinned.format.kind === "json") return keysDifference(here, there);
  return tableDifference(here, there, { named, mayGrow });
}

/** Keys of records have no order, and one that nobody has asked for is no difference. */
function keysDifference(pinned: readonly ProfileColumn[], found: readonly ProfileColumn[]): TableDifference | null {
  const both = pinned.filter(({ name }) => found.some((one) => one.name === name));
  const missing = pinned.filter((column) => !both.includes(column));
  const same = both.flatMap(({ name }) => found.find((one) => one.name === name) ?? []);
  const added = missing.length === 0 ? [] : found.filter((column) => !same.includes(column));
  return tableDifference([...both, ...missing], [...same, ...added], { named: true, mayGrow: false });
}

/** The columns without those that may be absent by the mapping and are, on the other side. */
function withoutOptional(
  columns: readonly ProfileColumn[],
  others: readonly ProfileColumn[],
  { columns: read = [] }: DriftPolicy,
): readonly ProfileColumn[] {
  const optional = read.flatMap(({ source, absent }) =>
    "header" in source && absent !== undefined && absent !== "refuse" ? [source.header] : [],
  );
  if (optional.length === 0) return columns;
  return columns.filter(({ name }) => !optional.includes(name ?? "") || others.some((other) => other.name === name));
}

function sideOf(columns: readonly ProfileColumn[], { format }: Pick<FormatProfile, "format">): DriftSide {
  const names = columns.flatMap((column) => (column.name === null ? [] : [column.name]));
  return {
    ...(format.kind === "delimited" ? { charset: format.charset, delimiter: format.delimiter } : {}),
    ...(format.kind === "fixed" ? { charset: format.charset } : {}),
    header: format.header,
    columnCount: columns.length,
    columns: names,
  };
}

function examplesOf(pinned: FormatProfile, lines: readonly FoundLine[]): DriftExample[] {
  const names = pinned.columns.map((column) => column.name ?? "");
  const header = pinned.format.header && names.length > 0 ? names.join(pinned.format.delimiter) : undefined;
  return lines.slice(0, EXAMPLES_MAX).map(({ line, text }, i) => ({
    line,
    ...(i === 0 && header !== undefined ? { pinned: header } : {}),
    found: text,
  }));
}

/** Failures of parse that a file of another format or another feed meets. */
const DRIFT_CODES: ReadonlySet<FailureCode> = new Set<FailureCode>([
  "wrong-charset",
  "nul-bytes",
  "missing-column",
  "missing-key",
  "duplicate-column",
  "wrong-preamble",
  "bad-preamble-value",
  "wrong-column-count",
  "no-header",
  "unclosed-quote",
  "row-too-long",
  "file-unsupported",
  "sheet-missing",
  "json-unreadable",
  "too-many-rejects",
]);

const ABOUT_TITLES: ReadonlySet<FailureCode> = new Set<FailureCode>(["wrong-preamble", "bad-preamble-value"]);
const ABOUT_HEADER: ReadonlySet<FailureCode> = new Set<FailureCode>([
  "missing-column",
  "duplicate-column",
  "no-header",
  "wrong-column-count",
]);

/** Whether a file of another format fails so. */
export const mayBeDrift = (report: FailureReport): boolean => DRIFT_CODES.has(report.code);

/**
 * Where parse refused a file (or held it for `too-many-rejects`): the drift that explains it, or null where the file looks
 * as agreed and the failure stands for itself. `found`: what detection makes of the file, undefined where it refused too.
 * Only worth detecting for where `mayBeDrift(report)`.
 */
export function driftOfFailure(
  pinned: FormatProfile,
  report: FailureReport,
  found: FoundTable | undefined,
  adapter: DriftPolicy,
): Drift | null {
  if (!mayBeDrift(report)) return null;
  if (found === undefined) return fromEvidence(pinned, report, adapter);
  const observed: Observed = { ...observedOf(found), lines: found.lines };
  const table = differenceOf(pinned, observed, adapter);
  const { code } = report;
  const titles = ABOUT_TITLES.has(code) || (table === null && ABOUT_HEADER.has(code));
  const format = formatDifferences(pinned.format, found, titles);
  if (format.length === 0 && table === null) return null;
  const side = sideOf(observed.columns, { format: found.format });
  return {
    ...causeOf(pinned, found, format, table),
    pinned: sideOf(pinned.columns, pinned),
    found: side,
    differences: [...format.map(({ difference }) => difference), ...(table?.differences ?? [])],
    examples: examplesOf(pinned, found.lines),
  };
}

/** The columns of a detected table with the look of their values. */
export function observedOf(found: FoundTable): Observed {
  const header = found.format.header ? found.types.map((type) => type.name ?? "") : null;
  return observedIn(header, found.rows);
}

/** Another way of writing explains a refusal, unless what is written is another table too. */
function causeOf(
  pinned: FormatProfile,
  found: FoundTable,
  format: readonly FormatDifference[],
  table: TableDifference | null,
): { cause: DriftCause; sentence: string } {
  const [first] = format;
  if (first === undefined) return { cause: table?.cause ?? "other-format", sentence: table?.sentence ?? "" };
  const isOther =
    table?.cause === "other-file" ||
    (pinned.columns.length > 0 && pinned.format.header !== found.format.header && table !== null);
  if (!isOther) return { cause: first.cause, sentence: first.sentence };
  const sentence =
    table.cause === "other-file"
      ? table.sentence
      : "This is probably the file of another feed: it is written in another way and holds other columns.";
  return { cause: "other-file", sentence };
}

/** What the failure itself tells of the file, where nothing else could read it. */
function fromEvidence(pinned: FormatProfile, { code, evidence }: FailureReport, adapter: DriftPolicy): Drift | null {
  if ((code === "missing-column" || code === "missing-key") && isNames(evidence.found)) {
    const header = evidence.found;
    const columns = header.map((name): ProfileColumn => ({ name, reading: {} }));
    const lines =
      code === "missing-key" ? [] : [{ line: Number(evidence.line), text: header.join(pinned.format.delimiter) }];
    const difference = differenceOf(pinned, { header, columns, lines }, adapter);
    const sides = { pinned: sideOf(pinned.columns, pinned), found: sideOf(columns, pinned) };
    return difference === null ? null : { ...difference, ...sides, examples: examplesOf(pinned, lines) };
  }
  if (code !== "wrong-column-count") return null;
  const [expected, count] = [Number(evidence.expected), Number(evidence.found)];
  return {
    cause: count > expected ? "new-column" : "missing-column",
    sentence: `The first row has ${count} columns instead of ${expected}.`,
    pinned: { columnCount: expected },
    found: { columnCount: count },
    differences: [{ what: "column count", pinned: String(expected), found: String(count) }],
    examples: [],
  };
}

const isNames = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((one) => typeof one === "string");

/** The profile with the columns that its first landed file showed. Readings and answers stay. */
export function learnt(pinned: FormatProfile, observed: Observed): FormatProfile {
  const readings = readingsOf(pinned.columns);
  const columns = observed.columns.map((column, i) => ({ ...column, reading: readings(column, i) }));
  return { ...pinned, columns };
}

/** The reading that a profile has for a column: by name, or by place where there are no names. */
export const readingsOf =
  (known: readonly ProfileColumn[]) =>
  (column: Pick<ProfileColumn, "name">, place: number): ProfileColumn["reading"] =>
    (column.name === null ? known[place] : known.find((one) => one.name === column.name))?.reading ?? {};

/**
 * The profile after an operator has accepted a drift: format and columns of the file that drifted, shapes united with the
 * pinned ones where a column kept its name (its place, where there are no names). Shapes change at no other time: what a
 * day's file shows is not learnt by itself, so that a feed cannot slide from one table into another unseen.
 */
export function mergeProfile(pinned: FormatProfile, found: FormatProfile): FormatProfile {
  const readings = readingsOf(pinned.columns);
  const columns = found.columns.map((column, i): ProfileColumn => {
    const before = column.name === null ? pinned.columns[i] : pinned.columns.find((one) => one.name === column.name);
    const shape = united(before?.shape, column.shape);
    return {
      name: column.name,
      reading: { ...readings(column, i), ...column.reading },
      ...(shape === undefined ? {} : { shape }),
    };
  });
  const answers = [...pinned.answers, ...found.answers].filter(
    (answer, i, all) => all.findLastIndex((a) => a.what === answer.what && a.column === answer.column) === i,
  );
  return { format: found.format, columns, answers };
}

/** Both count alike, however many values stand behind either: what was accepted is known. */
function united(a: ColumnShape | undefined, b: ColumnShape | undefined): ColumnShape | undefined {
  if (a === undefined || b === undefined) return b ?? a;
  const names = [...new Set([...Object.keys(a.classes), ...Object.keys(b.classes)])];
  const share = (name: string): number => ((a.classes[name] ?? 0) + (b.classes[name] ?? 0)) / 2;
  return {
    classes: Object.fromEntries(names.map((name) => [name, share(name)])),
    values: Math.max(a.values, b.values),
    lengths: [Math.min(a.lengths[0], b.lengths[0]), Math.max(a.lengths[1], b.lengths[1])],
  };
}
