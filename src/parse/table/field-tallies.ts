/**
 * What the number columns of a file's accepted rows come to, taken from the values as they are written: the same whether a
 * row was read from its bytes or as text. It shows later when a column went wrong; see src/gate.
 */
import { type FieldNumbers, FieldTally } from "../../domain/field-numbers.ts";
import type { Layout } from "./layout.ts";

const MINUS = 45;
const POINT = 46;
const ZERO = 48;
/** Up to so many digits a whole number and its division by a power of ten are exact to the last bit. */
const SAFE_DIGITS = 15;
const POWERS = Array.from({ length: SAFE_DIGITS + 1 }, (_, n) => 10 ** n);

/** In the place of where a value begins: the row says nothing of the column. (Where it also ends there, it is blank.) */
export const NOT_SAID = -1;

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

  /** A row whose values stand in `bytes`, that of column n from `starts[n]` to before `ends[n]`. */
  addBytes(bytes: Uint8Array, starts: Int32Array, ends: Int32Array): void {
    for (let i = 0; i < this.#columns.length; i++) {
      const column = this.#columns[i]!;
      const from = starts[column]!;
      const to = ends[column]!;
      if (from < to) this.#tallies[i]!.addSize(sizeOf(bytes, from, to));
      else if (from !== NOT_SAID) this.#tallies[i]!.add(null);
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

/** A canonical number without its sign, the nearest float as `Number` would find it. */
function sizeOf(bytes: Uint8Array, from: number, to: number): number {
  let at = bytes[from] === MINUS ? from + 1 : from;
  if (to - at > SAFE_DIGITS) return Math.abs(Number(Buffer.from(bytes.subarray(at, to)).toString("latin1")));
  let digits = 0;
  let fraction = 0;
  for (; at < to; at++) {
    const byte = bytes[at]!;
    if (byte === POINT) fraction = to - at - 1;
    else digits = digits * 10 + (byte - ZERO);
  }
  return fraction === 0 ? digits : digits / POWERS[fraction]!;
}
