/** Rows that did not become records, as they are stored and reported. */
import type { FailureReport } from "../../domain/failures.ts";
import { cutValue, trimCell } from "./cell.ts";
import type { RowFault } from "./records.ts";

/** One fault of one row. */
export interface Reject {
  /** The line on which the row begins, 1-based. */
  readonly line: number;
  /** 0 for the first fault of the row, 1 for the second … */
  readonly position: number;
  readonly code: FailureReport["code"];
  /** What the customer calls the column; null where the fault is of the whole row. */
  readonly column: string | null;
  /** The cell, trimmed and cut; of a column that is made of several, their text. */
  readonly value: string | null;
  /** What should stand there, in a few words; null where the fault is of another kind. */
  readonly rule: string | null;
  readonly sentence: string;
  readonly hint: string;
  /** The row as it stands in the file, cut at RAW_MAX_CHARS. */
  readonly raw: string;
  /** In the first fault of a row: the key of the record that it means, null where that cannot be told. */
  readonly naturalKey: string | null;
}

/** Characters of a refused row kept with it. */
export const RAW_MAX_CHARS = 4_000;
/** Rejects stored of one file: all are counted, but nobody reads more, and a file with so many is held anyway. */
export const MAX_STORED_REJECTS = 10_000;
/** Values of a list that its rule names. */
const RULE_LIST_MAX = 12;
/** Rejects given to the sink at once: with raw texts of 4,000 characters still well under a megabyte. */
const BATCH_REJECTS = 100;

/** Collects rejects and gives them on in batches. Keeps count of those beyond the limit, but not their text. */
export class RejectCollector {
  #batch: Reject[] = [];
  #stored = 0;
  readonly #limit: number;

  constructor(limit = MAX_STORED_REJECTS) {
    this.#limit = limit;
  }

  get stored(): number {
    return this.#stored;
  }

  /** Adds the faults of a row, whose key is null where it cannot be told. True when a batch is full. `raw` is asked for only if it is stored. */
  add(
    line: number,
    faults: readonly RowFault[],
    key: string | null,
    cells: readonly string[],
    raw: () => string,
  ): boolean {
    let text: string | undefined;
    for (const [position, fault] of faults.entries()) {
      if (this.#stored >= this.#limit) break;
      text ??= detached(raw().slice(0, RAW_MAX_CHARS));
      this.#stored++;
      this.#batch.push({
        line,
        position,
        code: fault.report.code,
        column: fault.column,
        value: detached(shownValue(fault, cells)),
        rule: detached(ruleOf(fault.report)),
        sentence: detached(fault.report.sentence),
        hint: detached(fault.report.hint),
        raw: text,
        naturalKey: position === 0 ? detached(key) : null,
      });
    }
    return this.full;
  }

  get full(): boolean {
    return this.#batch.length >= BATCH_REJECTS;
  }

  /** The batch, if there is one; a new one begins. */
  take(): Reject[] {
    const batch = this.#batch;
    this.#batch = [];
    return batch;
  }
}

/**
 * A copy that shares no memory with the text it was cut from. V8 keeps a substring of 13 characters and more as a pointer
 * into its parent: one kept reject would keep its whole slice of the file alive.
 */
const detached = <T extends string | null>(text: T): T =>
  (text === null ? null : Buffer.from(text, "utf16le").toString("utf16le")) as T;

function shownValue({ at, report }: RowFault, cells: readonly string[]): string | null {
  if (at !== null) return cutValue(trimCell(cells[at] ?? ""));
  const { value } = report.evidence;
  return typeof value === "string" ? value : null;
}

/** The rule that a value broke, in a few words. */
function ruleOf({ code, evidence }: FailureReport): string | null {
  const { expected, allowed, rule, limit, limitChars, length, kind } = evidence;
  switch (code) {
    case "row-width":
      return `${expected} columns`;
    case "value-missing":
      return "a value";
    case "not-an-integer":
      return "a whole number";
    case "not-a-decimal":
      return `a number written as ${expected}`;
    case "not-a-date":
    case "date-serial-number":
      return `a date written as ${expected}`;
    case "not-in-list":
      return `one of ${Array.isArray(allowed) ? allowed.slice(0, RULE_LIST_MAX).join(", ") : allowed}`;
    case "text-too-long":
      return `${limit} characters at most`;
    case "key-too-long":
      return `${limitChars} characters at most`;
    case "leading-zeros-lost":
      return `${length} digits`;
    case "wrong-check-digit":
      return `a ${kind} with its check digit`;
    case "scientific-notation":
    case "spreadsheet-date":
      return "an identifier as the ERP writes it";
    case "control-characters":
      return "no control characters";
    case "mojibake":
      return "no characters of a wrong character set";
    case "broken-quoting":
      return "quotation marks that fit together";
    default:
      return typeof rule === "string" ? rule : null;
  }
}
