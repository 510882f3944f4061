/**
 * A sample of a file → its profile: charset, dialect, parts, columns, with the evidence of each decision and the questions
 * that only a human can answer. Pure, and bounded by the size of the sample.
 */
import { failure } from "../../domain/failures.ts";
import { type Answer, knownOf, openOf } from "./answers.ts";
import { type CharsetFinding, detectCharset } from "./charset.ts";
import { columnOf } from "./columns.ts";
import { behindLines, detectDialect } from "./dialect.ts";
import type { DialectFinding } from "./dialect-finding.ts";
import { isSame } from "./header.ts";
import type { Dialect, Misfit, Profile, Undecided } from "./profile.ts";
import { isRemark } from "./remarks.ts";
import type { Sample } from "./sample.ts";
import { footerOf, isBlankRow, type Shape, shapeOf, withoutTrailing } from "./shape.ts";
import { type Tokens, tokenize } from "./tokenize.ts";
import { totalsQuestion } from "./totals.ts";

/** Rows that do not fit are told up to this many; more say the same. */
export const MISFITS_MAX = 20;
/** Characters of a line kept in preamble and footer. */
const LINE_MAX_CHARS = 1_000;
/** Rows of the sample whose cells are looked at for the types of columns. */
const TYPED_ROWS_MAX = 5_000;
/** As many columns as a spreadsheet holds; more are no table. */
const COLUMNS_MAX = 16_384;
/** Share of rows that may not fit, in a file with enough of them, before it is no table. */
const MISFIT_SHARE = 0.2;
const ENOUGH_ROWS = 20;

/**
 * `answers`: what somebody said of the file; it is not asked again. Throws `file-empty`, `file-unsupported`, `nul-bytes`, `charset-unsupported`, `charset-unknown`, `wrong-charset`,
 * `unclosed-quote` and `no-table`.
 */
export const detect = (sample: Sample, answers: readonly Answer[] = []): Profile =>
  detectTable(sample, answers).profile;

export interface Detection {
  readonly profile: Profile;
  /** Data rows of the sample, TYPED_ROWS_MAX at most. */
  readonly rows: readonly (readonly string[])[];
  /** The header's line and those of the first rows, as they stand. */
  readonly lines: readonly { readonly line: number; readonly text: string }[];
}

/** The profile with what it was told from. Throws what `detect` throws. */
export function detectTable(sample: Sample, answers: readonly Answer[] = []): Detection {
  const known = knownOf(answers);
  const bytes = detectCharset(sample, known.charset);
  if (bytes.text.trim() === "") throw failure("file-empty", {});
  const whole = sample.head.length === sample.size;
  const found = detectDialect(bytes.text, whole, known);
  const { dialect } = found;
  const charset = { ...bytes, text: behindLines(bytes.text, dialect.skip) };
  const titles = linesOf(bytes.text.slice(0, bytes.text.length - charset.text.length));
  const tokens = tokenize(charset.text, dialect, { atEnd: whole });
  if (tokens.unclosed !== -1 && (whole || tokens.rows.length === 0)) {
    throw failure("unclosed-quote", { line: lineEnds(charset.text.slice(0, tokens.unclosed)) + 1 });
  }
  if (tokens.rows.length === 0) throw failure("row-too-long", { line: 1, limitChars: bytes.text.length });
  if (tokens.rows.every((row) => isBlankRow(row) || isRemark(row, dialect))) {
    throw failure("no-table", { reason: "it holds no row, only blank lines and remarks" });
  }
  const shape = shapeOf(tokens.rows, dialect, known.header);
  if (shape.width > COLUMNS_MAX) throw failure("no-table", { reason: `it would have ${shape.width} columns` });
  const parts = partsOf(tokens, shape, charset, { dialect, whole, known: known.totals });
  const misfits = misfitsOf(tokens, shape, parts.data, charset.text);
  refuseUneven(misfits.count, parts.data.length, shape.width);
  const labels = Array.from({ length: shape.width }, (_, i) => shape.columns[i] || `column ${i + 1}`);
  const rows = parts.data.slice(0, TYPED_ROWS_MAX).map((index) => tokens.rows[index]!);
  const columns = labels.map((label, i) =>
    columnOf(shape.verdict.header ? (shape.columns[i] ?? "") : null, label, cellsOf(rows, i)),
  );
  const rowEnds = lineEndsOf(charset.text, tokens, dialect);
  const profile: Profile = {
    charset: charset.charset,
    bom: charset.bom,
    charsetsAlike: charset.alike,
    dialect: { ...dialect, trailing: shape.trailing },
    recordDelimiter: rowEnds.delimiter,
    header: shape.verdict.header,
    columns: shape.columns,
    columnCount: shape.width,
    preamble: [...titles, ...parts.preamble],
    footer: parts.footer,
    totals: parts.totals,
    types: columns.map((column) => column.profile),
    undecided: openOf(
      [
        ...charset.undecided,
        ...found.undecided,
        ...doubledQuestion(found, shape),
        ...rowEnds.undecided,
        ...headerQuestion(shape),
        ...parts.undecided,
        ...columns.flatMap((column) => column.undecided),
      ],
      answers,
    ),
    misfits: misfits.first,
    evidence: {
      charset: charset.evidence,
      ...found.evidence,
      recordDelimiter: rowEnds.evidence,
      header: shape.verdict.evidence,
      columns: `${parts.data.length - misfits.count} of ${parts.data.length} rows of the sample have ${shape.width} cells.`,
      ...(parts.preamble.length > 0 ? { preamble: `${parts.preamble.length} lines stand before the table.` } : {}),
      ...(parts.footer.length > 0 ? { footer: `${parts.footer.length} lines stand behind the table.` } : {}),
      ...(shape.trailing ? { trailing: "Every row ends with a delimiter more than the header has." } : {}),
      ...(shape.repeatedHeaders > 0
        ? { repeatedHeaders: `The header comes ${shape.repeatedHeaders} more times.` }
        : {}),
    },
  };
  return { profile, rows, lines: shownLines(tokens, shape, parts.data, charset.text, titles.length) };
}

/** Lines that are shown of a table's beginning. */
const SHOWN_LINES = 4;

function shownLines(
  { starts, ends }: Tokens,
  { start, verdict }: Shape,
  data: readonly number[],
  text: string,
  titles: number,
): Detection["lines"] {
  const indexes = [...(verdict.header ? [start] : []), ...data].slice(0, SHOWN_LINES);
  return indexes.map((index) => ({
    line: titles + 1 + lineEnds(text.slice(0, starts[index])),
    text: text.slice(starts[index], Math.min(ends[index] ?? 0, (starts[index] ?? 0) + LINE_MAX_CHARS)),
  }));
}

const cellsOf = (rows: readonly (readonly string[])[], column: number): string[] =>
  rows.filter((row) => column < row.length).map((row) => row[column] ?? "");

interface Parts {
  readonly preamble: readonly string[];
  readonly footer: readonly string[];
  /** Indexes of the data rows. */
  readonly data: readonly number[];
  /** Whether the footer begins with totals that are as full as the rows. */
  readonly totals: boolean;
  readonly undecided: readonly Undecided[];
}

interface PartsOptions {
  readonly dialect: Dialect;
  readonly whole: boolean;
  /** Whether a full row of totals is footer, where somebody answered that. */
  readonly known: boolean | undefined;
}

function partsOf(tokens: Tokens, shape: Shape, charset: CharsetFinding, options: PartsOptions): Parts {
  const { dialect, whole, known } = options;
  const { rows, starts } = tokens;
  const { text } = charset;
  const header = shape.verdict.header ? rows[shape.start] : undefined;
  const last = whole ? rows : tokenize(charset.tail, dialect, { atEnd: true }).rows;
  const footerRowsOf = (totals: boolean): number =>
    footerOf(
      last.slice(Math.max(0, last.length - 20)),
      { width: shape.width, data: whole ? Math.max(0, rows.length - 20) : 0, totals },
      dialect,
    );
  const dataUpTo = (end: number): number[] => {
    const data: number[] = [];
    for (let i = shape.start + (header === undefined ? 0 : 1); i < end; i++) {
      const row = rows[i]!;
      if (isBlankRow(row) || isRemark(row, dialect)) continue;
      if (header !== undefined && shape.verdict.sure && isSame(row, header)) continue;
      data.push(i);
    }
    return data;
  };
  const endOf = (behind: number): number => (whole ? rows.length - behind : rows.length);
  let footerRows = footerRowsOf(false);
  let data = dataUpTo(endOf(footerRows));
  const lastRow = whole ? rows[data.at(-1) ?? -1] : lastFilled(last.slice(0, last.length - footerRows), dialect);
  const above = (whole ? data.slice(0, -1) : data).slice(0, TYPED_ROWS_MAX).map((index) => rows[index]!);
  const fits = lastRow?.length === shape.width;
  const question = fits ? totalsQuestion(lastRow, above, whole && data.length <= TYPED_ROWS_MAX) : undefined;
  const totals = question !== undefined && (known ?? question.assumed === "footer");
  if (totals) {
    footerRows = footerRowsOf(true);
    data = dataUpTo(endOf(footerRows));
  }
  return {
    preamble: linesOf(text.slice(0, starts[shape.start] ?? 0)),
    footer: footerText(whole ? text.slice(starts[endOf(footerRows)] ?? text.length) : charset.tail, footerRows, whole),
    data,
    totals,
    undecided: question === undefined ? [] : [question],
  };
}

const lastFilled = (rows: readonly (readonly string[])[], dialect: Dialect): readonly string[] | undefined =>
  rows.findLast((row) => !isBlankRow(row) && !isRemark(row, dialect));

function footerText(text: string, rows: number, whole: boolean): string[] {
  const lines = linesOf(text).filter((line) => line.trim() !== "");
  return whole ? lines : rows === 0 ? [] : lines.slice(-rows);
}

/** The lines of a text that ends with a line end, or with the file. */
function linesOf(text: string): string[] {
  if (text === "") return [];
  const lines = text.split(/\r\n|\r|\n/);
  if (lines.at(-1) === "") lines.pop();
  return lines.map((line) => (line.length > LINE_MAX_CHARS ? line.slice(0, LINE_MAX_CHARS) : line));
}

function misfitsOf(
  tokens: Tokens,
  { width, start, verdict, trailing }: Shape,
  data: readonly number[],
  text: string,
): { count: number; first: readonly Misfit[] } {
  const first: Misfit[] = [];
  let count = 0;
  let line = 1;
  let counted = 0;
  const indexes = verdict.header ? [start, ...data] : data;
  for (const index of indexes) {
    const row = withoutTrailing(tokens.rows[index]!, width, trailing);
    const broken = tokens.broken.has(index);
    if (row.length === width && !broken) continue;
    count++;
    if (first.length >= MISFITS_MAX) continue;
    const at = tokens.starts[index] ?? 0;
    line += lineEnds(text.slice(counted, at));
    counted = at;
    first.push(misfitOf(row.length, width, line, broken));
  }
  return { count, first };
}

export function misfitOf(cells: number, width: number, line: number, broken: boolean): Misfit {
  if (broken) return { code: "broken-quotes", line, message: `In line ${line} text follows a closing quotation mark.` };
  const code = cells < width ? "missing-cells" : "extra-cells";
  return { code, line, message: `Line ${line} has ${cells} cells where the table has ${width} columns.` };
}

const lineEnds = (text: string): number => text.match(/\r\n|\r|\n/g)?.length ?? 0;

/** Rows of every width are no table, whatever divides them. */
function refuseUneven(misfits: number, rows: number, width: number): void {
  if (rows < ENOUGH_ROWS || misfits <= MISFIT_SHARE * rows) return;
  const percent = Math.round((100 * misfits) / rows);
  throw failure("no-table", { reason: `${percent} % of the rows do not have the ${width} cells that most have` });
}

function headerQuestion({ verdict }: Shape): Undecided[] {
  if (verdict.sure) return [];
  const reason = "The first row may name the columns or be data: its cells look like those below.";
  return [{ what: "header", options: ["header", "data"], assumed: verdict.header ? "header" : "data", reason }];
}

/** A header has no blank names; without one, a mark that always stands twice may be one that has blank cells between. */
function doubledQuestion({ dialect: { delimiter }, undecided }: DialectFinding, { verdict }: Shape): Undecided[] {
  const mark = delimiter?.[0] ?? "";
  if (delimiter === null || delimiter.length < 2 || delimiter !== mark.repeat(delimiter.length)) return [];
  if (verdict.header || undecided.some((question) => question.what === "delimiter")) return [];
  const reason = `“${mark}” always stands ${delimiter.length} times: that may be one delimiter, or blank columns between several.`;
  return [{ what: "delimiter", options: [delimiter, mark], assumed: delimiter, reason }];
}

interface LineEnds {
  readonly delimiter: string;
  readonly evidence: string;
  readonly undecided: readonly Undecided[];
}

/** The line ends behind the rows; those inside quotation marks are text. */
function lineEndsOf(text: string, tokens: Tokens, { terminator }: Dialect): LineEnds {
  const counts = new Map<string, number>();
  for (const end of tokens.ends) {
    const at = end + (text.startsWith(terminator, end) ? terminator.length : 0);
    const mark = text.startsWith("\r\n", at) ? "\r\n" : text[at];
    if (mark === "\r\n" || mark === "\n" || mark === "\r") counts.set(mark, (counts.get(mark) ?? 0) + 1);
  }
  const found = [...counts].sort((a, b) => b[1] - a[1]);
  const names: Readonly<Record<string, string>> = { "\r\n": "CRLF", "\n": "LF", "\r": "CR" };
  const told = found.map(([mark, n]) => `${n} with ${names[mark] ?? ""}`).join(", ");
  const closing = terminator === "" ? "" : ` behind “${terminator}”`;
  if (found.length === 0) return { delimiter: "\n", evidence: "The only row ends with the file.", undecided: [] };
  if (found.length === 1) {
    return { delimiter: terminator + (found[0]?.[0] ?? ""), evidence: `Rows end${closing}: ${told}.`, undecided: [] };
  }
  const reason = `Rows end in different ways: ${told}. All of them are taken for the end of a row.`;
  return {
    delimiter: "mixed",
    evidence: `Rows end${closing}: ${told}.`,
    undecided: [{ what: "recordDelimiter", options: found.map(([mark]) => mark), assumed: "mixed", reason }],
  };
}
