/** How a pattern is written: the part of regular expressions that `linear-pattern.ts` can run. */

/** Groups within groups: bounds the recursion. */
const MAX_DEPTH = 20;

/** Why a pattern cannot be used; the message is the end of a sentence that begins with the pattern. */
export class PatternFault extends Error {}

/** Code points from … to, ascending and apart. */
export type Ranges = readonly (readonly [number, number])[];

export type Node =
  | { readonly kind: "set"; readonly set: Ranges }
  | { readonly kind: "sequence"; readonly of: readonly Node[] }
  | { readonly kind: "choice"; readonly of: readonly Node[] }
  | { readonly kind: "repeat"; readonly of: Node; readonly min: number; readonly max: number };

const LAST_CODE_POINT = 0x10ffff;
export const ANY: Ranges = [[0, LAST_CODE_POINT]];
/** What the letters mean in JavaScript (ECMA-262, CharacterClassEscape). */
const CLASSES: Readonly<Record<string, Ranges>> = {
  d: rangesOf("09"),
  w: rangesOf("09AZ__az"),
  s: rangesOf("\t\r  \u00a0\u00a0\u1680\u1680\u2000\u200a\u2028\u2029\u202f\u202f\u205f\u205f\u3000\u3000\ufeff\ufeff"),
};
const LINE_ENDS = rangesOf("\n\n\r\r\u2028\u2029");
const CONTROL_ESCAPES: Readonly<Record<string, string>> = { t: "\t", n: "\n", r: "\r", v: "\v", f: "\f" };

/** Pairs of first and last. */
function rangesOf(pairs: string): Ranges {
  const points = Array.from(pairs, (c) => c.codePointAt(0)!);
  return points.flatMap((first, i) => (i % 2 === 0 ? [[first, points[i + 1]!] as const] : []));
}

function union(sets: readonly Ranges[]): Ranges {
  const all = sets.flat().sort((a, b) => a[0] - b[0]);
  const merged: [number, number][] = [];
  for (const [from, to] of all) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

function complement(set: Ranges): Ranges {
  const rest: [number, number][] = [];
  let next = 0;
  for (const [from, to] of set) {
    if (from > next) rest.push([next, from - 1]);
    next = to + 1;
  }
  if (next <= LAST_CODE_POINT) rest.push([next, LAST_CODE_POINT]);
  return rest;
}

/** Reads a pattern that JavaScript has already found to be one (flag `u`), so that only what it means is looked at. */
export class PatternReader {
  readonly #characters: readonly string[];
  #at = 0;

  constructor(source: string) {
    this.#characters = Array.from(source);
  }

  read(): Node {
    return this.#choice(0);
  }

  #choice(depth: number): Node {
    if (depth > MAX_DEPTH) throw new PatternFault(`has more than ${MAX_DEPTH} groups within groups`);
    const of = [this.#sequence(depth)];
    while (this.#peek() === "|") {
      this.#at++;
      of.push(this.#sequence(depth));
    }
    return of.length === 1 ? of[0]! : { kind: "choice", of };
  }

  #sequence(depth: number): Node {
    const of: Node[] = [];
    for (let c = this.#peek(); c !== undefined && c !== "|" && c !== ")"; c = this.#peek()) {
      of.push(this.#repeated(this.#item(depth)));
    }
    return { kind: "sequence", of };
  }

  #item(depth: number): Node {
    const c = this.#take();
    if (c === "(") {
      if (this.#peek() === "?") {
        this.#at++;
        if (this.#take() !== ":") throw new PatternFault("looks ahead or behind, or names a group");
      }
      const inside = this.#choice(depth + 1);
      this.#at++;
      return inside;
    }
    if (c === "^" || c === "$") throw new PatternFault(`has ${c} elsewhere than around the whole`);
    if (c === ".") return { kind: "set", set: complement(LINE_ENDS) };
    if (c === "[") return { kind: "set", set: this.#class() };
    return { kind: "set", set: c === "\\" ? this.#escape() : single(c) };
  }

  #repeated(of: Node): Node {
    const c = this.#peek();
    let min: number;
    let max: number;
    if (c === "?" || c === "*" || c === "+") {
      this.#at++;
      [min, max] = [c === "+" ? 1 : 0, c === "?" ? 1 : Number.POSITIVE_INFINITY];
    } else if (c === "{") {
      const end = this.#characters.indexOf("}", this.#at);
      const [from = "", to] = this.#characters
        .slice(this.#at + 1, end)
        .join("")
        .split(",");
      this.#at = end + 1;
      min = Number(from);
      max = to === undefined ? min : to === "" ? Number.POSITIVE_INFINITY : Number(to);
    } else return of;
    if (this.#peek() === "?") throw new PatternFault("has a lazy mark (a ? behind a repeat)");
    return { kind: "repeat", of, min, max };
  }

  #class(): Ranges {
    const negated = this.#peek() === "^";
    if (negated) this.#at++;
    const sets: Ranges[] = [];
    while (this.#peek() !== "]") {
      const first = this.#classAtom();
      const isRange = this.#peek() === "-" && this.#characters[this.#at + 1] !== "]";
      if (!isRange) {
        sets.push(first);
        continue;
      }
      this.#at++;
      sets.push([[first[0]![0], this.#classAtom()[0]![1]]]);
    }
    this.#at++;
    return negated ? complement(union(sets)) : union(sets);
  }

  #classAtom(): Ranges {
    const c = this.#take();
    return c === "\\" ? this.#escape() : single(c);
  }

  #escape(): Ranges {
    const c = this.#take();
    const meant = CLASSES[c.toLowerCase()];
    if (meant !== undefined) return c === c.toLowerCase() ? meant : complement(meant);
    const control = CONTROL_ESCAPES[c];
    if (control !== undefined) return single(control);
    if (c === "x" || (c === "u" && this.#peek() !== "{")) {
      const digits = c === "x" ? 2 : 4;
      const code = Number.parseInt(this.#characters.slice(this.#at, this.#at + digits).join(""), 16);
      this.#at += digits;
      return [[code, code]];
    }
    if (/[\p{L}\p{N}]/u.test(c)) throw new PatternFault(`uses \\${c}, which is not there`);
    return single(c);
  }

  #peek(): string | undefined {
    return this.#characters[this.#at];
  }

  #take(): string {
    return this.#characters[this.#at++] ?? "";
  }
}

function single(c: string): Ranges {
  const code = c.codePointAt(0)!;
  return [[code, code]];
}

/** Places of a node with its repeats written out; a repeat of nothing counts, since it is written out too. */
export function placesOf(node: Node): number {
  if (node.kind === "set") return 1;
  if (node.kind === "repeat") {
    return Math.max(placesOf(node.of), 1) * (node.max === Number.POSITIVE_INFINITY ? Math.max(node.min, 1) : node.max);
  }
  return node.of.reduce((sum, one) => sum + placesOf(one), 0);
}

export function isNullable(node: Node): boolean {
  if (node.kind === "set") return false;
  if (node.kind === "repeat") return node.min === 0 || isNullable(node.of);
  return node.kind === "sequence" ? node.of.every(isNullable) : node.of.some(isNullable);
}

export const backwards = (node: Node): Node => {
  if (node.kind === "set") return node;
  if (node.kind === "repeat") return { ...node, of: backwards(node.of) };
  const of = node.of.map(backwards);
  return { kind: node.kind, of: node.kind === "sequence" ? of.reverse() : of };
};
