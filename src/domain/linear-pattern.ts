/**
 * Regular expressions whose time grows with the length of the text alone. Mappings come over an API: one pattern among
 * them that takes a second for forty characters would stop a feed, so none of them is given to a backtracking engine.
 *
 * There are: characters, `.`, classes `[…]`, `\d \w \s` and their opposites, groups, `|`, `? * + {n} {n,} {n,m}`, and `^`
 * and `$` around the whole. There are not: references back, looking ahead or behind, `\b`, `\p`, lazy marks. A pattern
 * becomes an automaton of places (Glushkov 1961) that is made deterministic while it runs.
 */

/** Places of a pattern that stand for one character, repeats written out: bounds the automaton. */
export const PATTERN_MAX_PLACES = 200;
/** Characters of a pattern. */
export const PATTERN_MAX_CHARS = 500;
/** Groups within groups: bounds the recursion. */
const MAX_DEPTH = 20;
/** States kept while running; beyond that they are forgotten and found again. */
const MAX_STATES = 500;

/** Why a pattern cannot be used; the message is the end of a sentence that begins with the pattern. */
export class PatternFault extends Error {}

/** Code points from … to, ascending and apart. */
type Ranges = readonly (readonly [number, number])[];

type Node =
  | { readonly kind: "set"; readonly set: Ranges }
  | { readonly kind: "sequence"; readonly of: readonly Node[] }
  | { readonly kind: "choice"; readonly of: readonly Node[] }
  | { readonly kind: "repeat"; readonly of: Node; readonly min: number; readonly max: number };

const LAST_CODE_POINT = 0x10ffff;
const ANY: Ranges = [[0, LAST_CODE_POINT]];
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
class PatternReader {
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

/** Places of a node with its repeats written out. */
function placesOf(node: Node): number {
  if (node.kind === "set") return 1;
  if (node.kind === "repeat") {
    return placesOf(node.of) * (node.max === Number.POSITIVE_INFINITY ? Math.max(node.min, 1) : node.max);
  }
  return node.of.reduce((sum, one) => sum + placesOf(one), 0);
}

const backwards = (node: Node): Node => {
  if (node.kind === "set") return node;
  if (node.kind === "repeat") return { ...node, of: backwards(node.of) };
  const of = node.of.map(backwards);
  return { kind: node.kind, of: node.kind === "sequence" ? of.reverse() : of };
};

interface Part {
  readonly nullable: boolean;
  readonly first: readonly number[];
  readonly last: readonly number[];
}

interface State {
  readonly places: readonly number[];
  readonly accepts: boolean;
  /** By class of characters; undefined: not found yet, null: nowhere. */
  readonly next: (State | null | undefined)[];
}

/** The automaton of a node. Place 0 is the start. */
class Automaton {
  readonly #sets: Ranges[] = [[]];
  readonly #follow: Set<number>[] = [new Set()];
  readonly #accepting: ReadonlySet<number>;
  /** Where the classes of characters begin: no set of the pattern tells two characters of a class apart. */
  readonly #borders: readonly number[];
  readonly #holds: readonly boolean[][];
  #states = new Map<string, State>();
  readonly start: State;

  constructor(node: Node) {
    const { nullable, first, last } = this.#build(node);
    for (const place of first) this.#follow[0]!.add(place);
    this.#accepting = new Set(nullable ? [0, ...last] : last);
    const borders = new Set([0]);
    for (const [from, to] of this.#sets.flat()) borders.add(from).add(to + 1);
    this.#borders = [...borders].sort((a, b) => a - b);
    this.#holds = this.#sets.map((set) => this.#borders.map((at) => set.some(([from, to]) => from <= at && at <= to)));
    this.start = this.#stateOf([0]);
  }

  /** Where a character leads, null where nowhere. */
  next(state: State, codePoint: number): State | null {
    const kind = this.#classOf(codePoint);
    const known = state.next[kind];
    if (known !== undefined) return known;
    const places = new Set<number>();
    for (const from of state.places) {
      for (const to of this.#follow[from]!) if (this.#holds[to]![kind]) places.add(to);
    }
    const found = places.size === 0 ? null : this.#stateOf([...places].sort((a, b) => a - b));
    state.next[kind] = found;
    return found;
  }

  #classOf(codePoint: number): number {
    let low = 0;
    let high = this.#borders.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#borders[middle]! <= codePoint) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #stateOf(places: readonly number[]): State {
    const name = places.join();
    const known = this.#states.get(name);
    if (known !== undefined) return known;
    if (this.#states.size >= MAX_STATES) {
      for (const state of [this.start, ...this.#states.values()]) state.next.length = 0;
      this.#states = new Map();
    }
    const made = { places, accepts: places.some((place) => this.#accepting.has(place)), next: [] };
    this.#states.set(name, made);
    return made;
  }

  #build(node: Node): Part {
    if (node.kind === "set") {
      const place = this.#sets.push(node.set) - 1;
      this.#follow.push(new Set());
      return { nullable: false, first: [place], last: [place] };
    }
    if (node.kind === "choice") {
      const parts = node.of.map((one) => this.#build(one));
      return {
        nullable: parts.some((part) => part.nullable),
        first: parts.flatMap((part) => part.first),
        last: parts.flatMap((part) => part.last),
      };
    }
    if (node.kind === "sequence") return this.#chain(node.of.map((one) => this.#build(one)));
    const endless = node.max === Number.POSITIVE_INFINITY;
    const copies = Array.from({ length: endless ? Math.max(node.min, 1) : node.max }, (_, i): Part => {
      const part = this.#build(node.of);
      return i < node.min ? part : { ...part, nullable: true };
    });
    const looped = copies.at(-1);
    if (endless && looped !== undefined) this.#connect(looped.last, looped.first);
    return this.#chain(copies);
  }

  #chain(parts: readonly Part[]): Part {
    let whole: Part = { nullable: true, first: [], last: [] };
    for (const part of parts) {
      this.#connect(whole.last, part.first);
      whole = {
        nullable: whole.nullable && part.nullable,
        first: whole.nullable ? [...whole.first, ...part.first] : whole.first,
        last: part.nullable ? [...whole.last, ...part.last] : part.last,
      };
    }
    return whole;
  }

  #connect(from: readonly number[], to: readonly number[]): void {
    for (const a of from) for (const b of to) this.#follow[a]!.add(b);
  }
}

/** A pattern ready to run. */
export class LinearPattern {
  readonly #forward: Automaton;
  /** Of the pattern read backwards, with anything before its end unless it is bound to the end. */
  readonly #backward: Automaton;
  readonly #boundToStart: boolean;
  readonly #boundToEnd: boolean;

  /** Throws PatternFault. */
  constructor(source: string) {
    if (source.length > PATTERN_MAX_CHARS) throw new PatternFault(`has more than ${PATTERN_MAX_CHARS} characters`);
    try {
      new RegExp(source, "u");
    } catch (error) {
      if (error instanceof SyntaxError) throw new PatternFault("is not a regular expression");
      throw error;
    }
    this.#boundToStart = source.startsWith("^");
    this.#boundToEnd = /(?<!\\)(\\\\)*\$$/.test(source);
    const node = new PatternReader(source.slice(this.#boundToStart ? 1 : 0, this.#boundToEnd ? -1 : undefined)).read();
    if (node.kind === "choice" && (this.#boundToStart || this.#boundToEnd)) {
      throw new PatternFault("has ^ or $ beside | : put the choice into a group");
    }
    if (placesOf(node) > PATTERN_MAX_PLACES) {
      throw new PatternFault(`stands for more than ${PATTERN_MAX_PLACES} characters, its repeats written out`);
    }
    const reversed = backwards(node);
    const anything: Node = { kind: "repeat", of: { kind: "set", set: ANY }, min: 0, max: Number.POSITIVE_INFINITY };
    this.#forward = new Automaton(node);
    this.#backward = new Automaton(this.#boundToEnd ? reversed : { kind: "sequence", of: [anything, reversed] });
  }

  /** Whether it can be found where there is nothing, as `x*` can. */
  get matchesNothing(): boolean {
    return this.#forward.start.accepts;
  }

  /** Whether it holds for the whole text. */
  matches(text: string): boolean {
    let state: State | null = this.#forward.start;
    for (const character of text) {
      state = this.#forward.next(state, character.codePointAt(0)!);
      if (state === null) return false;
    }
    return state.accepts;
  }

  /**
   * The text with every place where the pattern is found replaced: the leftmost first, and the longest of those that begin
   * there. Two passes: one from the end marks where it can begin, so that no beginning is tried in vain.
   */
  replace(text: string, replacement: string): string {
    const characters = Array.from(text);
    const points = characters.map((character) => character.codePointAt(0)!);
    const begins = this.#beginnings(points);
    const kept: string[] = [];
    for (let at = 0; at < points.length; ) {
      const end = begins[at] === true && (at === 0 || !this.#boundToStart) ? this.#longest(points, at) : at;
      kept.push(end > at ? replacement : characters[at]!);
      at = Math.max(end, at + 1);
    }
    return kept.join("");
  }

  #beginnings(points: readonly number[]): boolean[] {
    const begins: boolean[] = [];
    let state: State | null = this.#backward.start;
    for (let at = points.length - 1; at >= 0 && state !== null; at--) {
      state = this.#backward.next(state, points[at]!);
      begins[at] = state?.accepts === true;
    }
    return begins;
  }

  /** Index behind the longest that begins at `from`; `from` where there is none. */
  #longest(points: readonly number[], from: number): number {
    let end = from;
    let state: State | null = this.#forward.start;
    for (let at = from; at < points.length; at++) {
      state = this.#forward.next(state, points[at]!);
      if (state === null) break;
      if (state.accepts && (!this.#boundToEnd || at === points.length - 1)) end = at + 1;
    }
    return end;
  }
}

/** What is wrong with a pattern, or undefined. */
export function patternFault(source: string): string | undefined {
  try {
    new LinearPattern(source);
    return undefined;
  } catch (error) {
    if (error instanceof PatternFault) return error.message;
    throw error;
  }
}
