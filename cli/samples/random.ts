/** A small seeded generator: equal seeds give equal samples on every machine and in every time zone. */

const WARM_UP_ROUNDS = 12; // sfc32 needs about this many before near-by seeds look unrelated
const TWO_TO_32 = 4_294_967_296;

/** FNV-1a: spreads a label over 32 bits. */
function hashOf(label: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < label.length; i++) hash = Math.imul(hash ^ label.charCodeAt(i), 0x01000193);
  return hash;
}

/**
 * sfc32 (Chris Doty-Humphrey), keyed: every (seed, label, index, revision) is a stream of its own. So a row can be drawn
 * alone, and drawing one thing more for one row moves no other row.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(seed: number, label: string, index = 0, revision = 0) {
    this.#a = seed | 0;
    this.#b = hashOf(label);
    this.#c = index | 0;
    this.#d = revision | 0;
    for (let i = 0; i < WARM_UP_ROUNDS; i++) this.u32();
  }

  /** A whole number from 0 to 2^32 − 1. */
  u32(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** From 0 (included) to 1 (excluded). */
  unit(): number {
    return this.u32() / TWO_TO_32;
  }

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.unit() * (high - low + 1));
  }

  chance(share: number): boolean {
    return this.unit() < share;
  }

  pick<T>(list: readonly [T, ...T[]] | readonly T[]): T {
    const item = list[Math.floor(this.unit() * list.length)];
    if (item === undefined) throw new RangeError("There is nothing to pick from.");
    return item;
  }

  /** `9` becomes a digit, `A` a capital letter; all else stays. */
  filled(pattern: string): string {
    return pattern.replace(/[9A]/g, (c) =>
      c === "9" ? String(this.between(0, 9)) : String.fromCharCode(65 + this.between(0, 25)),
    );
  }

  /** A GUID of version 4, in capitals, without braces. */
  guid(): string {
    const hex = () => this.u32().toString(16).padStart(8, "0");
    const [one, two, three, four] = [hex(), hex(), hex(), hex()];
    const variant = "89ab"[this.between(0, 3)];
    return `${one}-${two.slice(0, 4)}-4${two.slice(5)}-${variant}${three.slice(1, 4)}-${three.slice(4)}${four}`.toUpperCase();
  }
}
