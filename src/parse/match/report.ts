/** The report of a drift: pinned and found side by side, as data and as plain text. */

/**
 * - `renamed-column`, `moved-column`, `new-column`, `missing-column`: the header differs so.
 * - `other-values`: the header fits, but a column holds values of another kind.
 * - `other-charset`, `other-delimiter`, `other-format`: the file is written in another way.
 * - `other-file`: hardly anything fits; it is probably the file of another feed.
 */
export type DriftCause =
  | "renamed-column"
  | "moved-column"
  | "new-column"
  | "missing-column"
  | "other-values"
  | "other-charset"
  | "other-delimiter"
  | "other-format"
  | "other-file";

/** One side of the comparison. What was not looked at is absent. */
export interface DriftSide {
  readonly charset?: string;
  readonly delimiter?: string;
  readonly header?: boolean;
  readonly columnCount?: number;
  /** Names of the columns; empty without a header. */
  readonly columns?: readonly string[];
}

export interface DriftDifference {
  readonly what:
    | "kind"
    | "charset"
    | "delimiter"
    | "record end"
    | "quote"
    | "header"
    | "title lines"
    | "column count"
    | "columns"
    | "name"
    | "place"
    | "values";
  /** The column it is about: its pinned name (a new one's found name), or `column 3`. */
  readonly column?: string;
  /** In words; empty where the side has nothing there. */
  readonly pinned: string;
  readonly found: string;
}

export interface DriftExample {
  /** 1-based line in the file. */
  readonly line: number;
  /** What stands there in the agreed files, where that is known (the header line). */
  readonly pinned?: string;
  readonly found: string;
}

/** Stable: stored as JSON, answered by the API, told in mails. */
export interface Drift {
  readonly cause: DriftCause;
  /** The likely cause in one plain sentence. */
  readonly sentence: string;
  readonly pinned: DriftSide;
  readonly found: DriftSide;
  readonly differences: readonly DriftDifference[];
  readonly examples: readonly DriftExample[];
}

/** Widest line of `driftText`: what mail programs show without wrapping. */
export const TEXT_WIDTH_CHARS = 78;
/** What is compared stands in the first column of the table, with its two blanks behind. */
const LABEL_CHARS = 20;
const SIDE_CHARS = (TEXT_WIDTH_CHARS - LABEL_CHARS - 2) / 2;
/** Lines of one cell of the table, and of an example; more is cut. */
const CELL_LINES = 4;
const EXAMPLE_LINES = 3;
/** Differences that are told one by one. */
const DIFFERENCES_SHOWN = 12;

/** The report side by side as plain monospaced text, lines of `TEXT_WIDTH_CHARS` at most, for terminals and mails. */
export function driftText(drift: Drift): string {
  const lines = [...wrapped(drift.sentence, TEXT_WIDTH_CHARS), ""];
  lines.push(...tableRow("", "AGREED", "THIS FILE"));
  const { differences } = drift;
  for (const difference of differences.slice(0, DIFFERENCES_SHOWN)) {
    const { what, column, pinned, found } = difference;
    const label = column === undefined ? what : what === "name" ? column : `${what} of ${column}`;
    lines.push(...tableRow(label, pinned === "" ? "-" : pinned, found === "" ? "-" : found));
  }
  if (differences.length > DIFFERENCES_SHOWN) {
    lines.push(`... and ${differences.length - DIFFERENCES_SHOWN} more differences.`);
  }
  for (const { line, pinned, found } of drift.examples) {
    lines.push("", `Line ${line}:`);
    if (pinned !== undefined) lines.push(...indented("agreed:    ", pinned));
    lines.push(...indented("this file: ", found));
  }
  return lines.join("\n");
}

function tableRow(label: string, pinned: string, found: string): string[] {
  const cells = [cell(label, LABEL_CHARS - 2), cell(pinned, SIDE_CHARS), cell(found, SIDE_CHARS)];
  const height = Math.max(...cells.map((lines) => lines.length));
  return Array.from({ length: height }, (_, i) => {
    const [first = "", second = "", third = ""] = cells.map((lines) => lines[i] ?? "");
    return `${padded(first, LABEL_CHARS)}${padded(second, SIDE_CHARS + 2)}${third}`.trimEnd();
  });
}

const indented = (label: string, text: string): string[] =>
  cell(text, TEXT_WIDTH_CHARS - 2 - label.length, EXAMPLE_LINES).map(
    (line, i) => `  ${i === 0 ? label : " ".repeat(label.length)}${line}`,
  );

function cell(text: string, width: number, most = CELL_LINES): string[] {
  const lines = wrapped(visible(text), width);
  if (lines.length <= most) return lines;
  const last = lines[most - 1] ?? "";
  return [...lines.slice(0, most - 1), `${last.slice(0, width - 3)}...`];
}

/** Tabs and other control characters would break the table; a byte order mark is nothing to see. */
const visible = (text: string): string =>
  text
    .replace(/\ufeff/g, "")
    .replace(/\t/g, "\\t")
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, "?");

const padded = (text: string, width: number): string => text + " ".repeat(Math.max(0, width - text.length));

/** Lines of a width; broken at blanks, or inside a word that is longer than a line. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const joined = line === "" ? word : `${line} ${word}`;
    if (joined.length <= width) {
      line = joined;
      continue;
    }
    if (line !== "") lines.push(line);
    line = word;
    while (line.length > width) {
      // Not between the halves of one character.
      const end = line.codePointAt(width - 1)! > 0xffff ? width - 1 : width;
      lines.push(line.slice(0, end));
      line = line.slice(end);
    }
  }
  return [...lines, line];
}
