/**
 * The books of a file: every line is of exactly one kind. They are written as rows are read, and checked at the end against
 * a count that the text layer made without knowing anything of rows.
 */
import { failure } from "../../domain/failures.ts";

export interface Books {
  /** All lines of the file, as the text layer counted them. */
  readonly lines: number;
  readonly preamble: number;
  readonly header: number;
  /** Lines of the record that ends the data, and all behind it. */
  readonly footer: number;
  readonly blank: number;
  /** Second and further lines of records that take several. */
  readonly continuation: number;
  /** Rows that became records. */
  readonly accepted: number;
  /** Rows that did not. */
  readonly rejected: number;
}

export type LineKind = Exclude<keyof Books, "lines" | "continuation">;

export class Bookkeeper {
  readonly #counts = { preamble: 0, header: 0, footer: 0, blank: 0, continuation: 0, accepted: 0, rejected: 0 };

  /** Enters a record that takes `span` lines. Of a footer every line is footer. */
  enter(kind: LineKind, span: number): void {
    if (kind === "footer") {
      this.#counts.footer += span;
      return;
    }
    this.#counts[kind]++;
    this.#counts.continuation += span - 1;
  }

  /** Enters a row that became a record: the usual one, and so without a search for its kind. */
  accept(span: number): void {
    this.#counts.accepted++;
    this.#counts.continuation += span - 1;
  }

  /** Enters lines that hold no row: each is of the kind, however many there are. */
  enterLines(kind: LineKind, lines: number): void {
    this.#counts[kind] += lines;
  }

  get accepted(): number {
    return this.#counts.accepted;
  }

  get rejected(): number {
    return this.#counts.rejected;
  }

  /**
   * Closes the books. Throws `books-unbalanced` where the kinds do not add up to the lines counted, or the rows written to
   * chunks are not the rows accepted.
   */
  close(linesCounted: number, rowsWritten: number): Books {
    const c = this.#counts;
    const sum = c.preamble + c.header + c.footer + c.blank + c.continuation + c.accepted + c.rejected;
    if (sum !== linesCounted)
      throw failure("books-unbalanced", { side: "lines", expected: linesCounted, counted: sum });
    if (c.accepted !== rowsWritten) {
      throw failure("books-unbalanced", { side: "accepted", expected: c.accepted, counted: rowsWritten });
    }
    return { lines: linesCounted, ...c };
  }
}
