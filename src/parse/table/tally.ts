/** What the values of a column add up to, exactly, over all rows of a file: those that are refused too, if the value is good. */
import type { CellResult, ColumnParser } from "./columns.ts";

/** Of a row whose cell was not looked at: it is blank, or the row has no cells that can be told. */
const UNSEEN = Symbol("unseen");
/** Up to here a sum of whole numbers is exact, and one of 15 digits more is, too. */
const FLUSH_AT = 2 ** 52;
const SAFE_DIGITS = 15;

export class Tally {
  /** Rows whose value could not be read. */
  unread = 0;
  readonly #scale: number;
  /** In units of the last digit: what is not yet in `#sum`. */
  #part = 0;
  #sum = 0n;
  #seen: CellResult | typeof UNSEEN = UNSEEN;

  /** `scale`: digits behind the mark that a value has at most. */
  constructor(scale: number) {
    this.#scale = scale;
  }

  /** The parser, looked on. */
  watch(parser: ColumnParser): ColumnParser {
    const parse = (raw: string): CellResult => {
      this.#seen = parser.parse(raw);
      return this.#seen;
    };
    return { ...parser, plainChars: 0, parse };
  }

  /** The row that was read last is at its end; `accepted`: it became a record. */
  close(accepted: boolean): void {
    const seen = this.#seen;
    this.#seen = UNSEEN;
    if (typeof seen === "string") this.add(seen);
    else if (!accepted && seen !== null && seen !== undefined) this.unread++;
  }

  /** Adds a canonical number. */
  add(canonical: string): void {
    const [whole = "", fraction = ""] = canonical.split(".");
    const digits = whole + fraction.padEnd(this.#scale, "0");
    if (digits.length > SAFE_DIGITS) {
      this.#sum += BigInt(digits);
      return;
    }
    this.#part += Number(digits);
    if (Math.abs(this.#part) < FLUSH_AT) return;
    this.#sum += BigInt(this.#part);
    this.#part = 0;
  }

  /** In canonical form. */
  get total(): string {
    const sum = this.#sum + BigInt(this.#part);
    const digits = String(sum < 0n ? -sum : sum).padStart(this.#scale + 1, "0");
    const fraction = this.#scale === 0 ? "" : digits.slice(-this.#scale).replace(/0+$/, "");
    const whole = digits.slice(0, digits.length - this.#scale);
    return `${sum < 0n ? "-" : ""}${whole}${fraction === "" ? "" : `.${fraction}`}`;
  }
}
