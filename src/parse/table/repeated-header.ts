/** A header line among the data: two exports were joined to one file. */
import type { ByteRows } from "./byte-rows.ts";
import { trimCell } from "./cell.ts";

const TAB = 9;
const BLANK = 32;
const FIRST_NON_ASCII = 0x80;

export class RepeatedHeader {
  readonly #names: readonly string[];
  /** The first name that is not blank, and its place: most rows differ in its first letter. */
  readonly #at: number;
  readonly #name: string;

  constructor(cells: readonly string[]) {
    this.#names = cells.map(trimCell);
    this.#at = this.#names.findIndex((name) => name !== "");
    this.#name = this.#names[this.#at] ?? "";
  }

  /** Whether a row is equal to the header, cell by cell. */
  is(cells: readonly string[]): boolean {
    const names = this.#names;
    if (cells.length !== names.length || trimCell(cells[this.#at]!) !== this.#name) return false;
    return names.every((name, i) => trimCell(cells[i]!) === name);
  }

  /** The same at a glance: false means no. The row has as many cells as the header. */
  mayBe({ bytes, starts, ends }: Pick<ByteRows, "bytes" | "starts" | "ends">): boolean {
    const name = this.#name;
    const end = ends[this.#at]!;
    let at = starts[this.#at]!;
    while (at < end && (bytes[at] === BLANK || bytes[at] === TAB)) at++;
    for (let i = 0; i < name.length; i++, at++) {
      if (at >= end) return false;
      const byte = bytes[at]!;
      const code = name.charCodeAt(i);
      if (byte >= FIRST_NON_ASCII || code >= FIRST_NON_ASCII) return byte >= FIRST_NON_ASCII;
      if (byte !== code) return false;
    }
    while (at < end && (bytes[at] === BLANK || bytes[at] === TAB)) at++;
    return at === end || bytes[at]! >= FIRST_NON_ASCII;
  }
}
