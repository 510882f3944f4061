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
  readonly what: "charset" | "delimiter" | "quote" | "header" | "column count" | "name" | "place" | "values";
  /** The column it is about: its pinned name, or `column 3`. */
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

/** Widest line of `driftText`. */
export const TEXT_WIDTH_CHARS = 78;

/** The report side by side as plain monospaced text, lines of `TEXT_WIDTH_CHARS` at most, for terminals and mails. */
export declare function driftText(drift: Drift): string;
