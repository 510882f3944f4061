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
  /** The cell, trimmed and cut. */
  readonly value: string | null;
  readonly sentence: string;
  readonly hint: string;
  /** The row as it stands in the file, cut at RAW_MAX_CHARS. */
  readonly raw: string;
}

/** Characters of a refused row kept with it. */
export const RAW_MAX_CHARS = 4_000;
/** Rejects stored of one file: all are counted, but nobody reads more, and a file with so many is held anyway. */
export const MAX_STORED_REJECTS = 10_000;
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

  /** Adds the faults of a row. True when a batch is full. `raw` is asked for only if it is stored. */
  add(line: number, faults: readonly RowFault[], cells: readonly string[], raw: () => string): boolean {
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
        value: fault.at === null ? null : detached(cutValue(trimCell(cells[fault.at] ?? ""))),
        sentence: detached(fault.report.sentence),
        hint: detached(fault.report.hint),
        raw: text,
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
const detached = (text: string): string => Buffer.from(text, "utf16le").toString("utf16le");
