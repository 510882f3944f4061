/**
 * What the number columns of a file's accepted rows come to, taken while they are written: the same whether a row was read
 * from its bytes or as text. It shows later when a column went wrong; see src/gate.
 */
import { type FieldNumbers, FieldTally } from "../../domain/field-numbers.ts";
import type { Layout } from "./layout.ts";

/** In the place of a size, which is never below 0. */
export const BLANK_CELL = -1;
/** The row says nothing of the column: its record is without it. */
export const NOT_SAID = -2;

export class FieldTallies {
  readonly #names: readonly string[];
  /** Places of the columns in the layout. */
  readonly #columns: readonly number[];
  readonly #tallies: readonly FieldTally[];

  constructor({ columns }: Layout) {
    this.#columns = columns.flatMap((column, i) => (column.isCounted ? [i] : []));
    this.#names = this.#columns.map((i) => columns[i]!.name);
    this.#tallies = this.#names.map(() => new FieldTally());
  }

  /** A row by the sizes of its numbers: that of each counted column at its place. */
  addSizes(sizes: Float64Array): void {
    for (let i = 0; i < this.#columns.length; i++) {
      const size = sizes[this.#columns[i]!]!;
      if (size >= 0) this.#tallies[i]!.addSize(size);
      else if (size === BLANK_CELL) this.#tallies[i]!.add(null);
    }
  }

  /** A row whose values are texts; null where blank, undefined where the row says nothing. */
  addTexts(values: readonly (string | null | undefined)[]): void {
    for (let i = 0; i < this.#columns.length; i++) {
      const value = values[this.#columns[i]!];
      if (value !== undefined) this.#tallies[i]!.add(value);
    }
  }

  /** By the column's name. */
  get numbers(): Readonly<Record<string, FieldNumbers>> {
    return Object.fromEntries(this.#names.map((name, i) => [name, this.#tallies[i]!.numbers]));
  }
}

/** Of what a column reads of a cell. */
export function sizeOf(canonical: string | null | undefined): number {
  if (canonical === undefined) return NOT_SAID;
  return canonical === null ? BLANK_CELL : Math.abs(Number(canonical));
}
