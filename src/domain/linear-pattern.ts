/**
 * Regular expressions whose time grows with the length of the text alone. Mappings come over an API: one pattern among
 * them that takes a second for forty characters would stop a feed, so none of them is given to a backtracking engine.
 *
 * There are: characters, `.`, classes `[…]`, `\d \w \s` and their opposites, groups, `|`, `? * + {n} {n,} {n,m}`, and `^`
 * and `$` around the whole. There are not: references back, looking ahead or behind, `\b`, `\p`, lazy marks. A pattern
 * becomes an automaton of places (Glushkov 1961) that is made deterministic while it runs.
 */
import {
  ANY,
  backwards,
  isNullable,
  type Node,
  PatternFault,
  PatternReader,
  placesOf,
  type Ranges,
} from "./pattern-syntax.ts";

export { PatternFault } from "./pattern-syntax.ts";

/** Places of a pattern that stand for one character, repeats written out: bounds the automaton. */
export const PATTERN_MAX_PLACES = 200;
/** Characters of a pattern. */
export const PATTERN_MAX_CHARS = 500;
/** Beyond it a character takes two units of a JavaScript string. */
const LAST_UNIT = 0xffff;
/** Characters whose class is looked up instead of searched for: Latin. */
const LOW_POINTS = 256;
/** States kept while running; beyond that they are forgotten and found again. */
const MAX_STATES = 500;

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
  /** The classes of the usual characters. */
  readonly #lowClasses: Uint16Array;
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
    this.#lowClasses = Uint16Array.from({ length: LOW_POINTS }, (_, point) => this.#search(point));
  }

  /** Where a character leads, null where nowhere. */
  next(state: State, codePoint: number): State | null {
    const kind = codePoint < LOW_POINTS ? this.#lowClasses[codePoint]! : this.#search(codePoint);
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

  #search(codePoint: number): number {
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
  readonly #node: Node;
  #madeForward: Automaton | undefined;
  #madeBackward: Automaton | undefined;
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
    this.#node = node;
  }

  /** Made when it is first needed: a mapping that is only looked at costs nothing but its reading. */
  get #forward(): Automaton {
    this.#madeForward ??= new Automaton(this.#node);
    return this.#madeForward;
  }

  /** Of the pattern read backwards, with anything before its end unless it is bound to the end. */
  get #backward(): Automaton {
    if (this.#madeBackward === undefined) {
      const reversed = backwards(this.#node);
      const anything: Node = { kind: "repeat", of: { kind: "set", set: ANY }, min: 0, max: Number.POSITIVE_INFINITY };
      this.#madeBackward = new Automaton(this.#boundToEnd ? reversed : { kind: "sequence", of: [anything, reversed] });
    }
    return this.#madeBackward;
  }

  /** Whether it can be found where there is nothing, as `x*` can. */
  get matchesNothing(): boolean {
    return isNullable(this.#node);
  }

  /** Whether it holds for the whole text. */
  matches(text: string): boolean {
    const automaton = this.#forward;
    let state: State | null = automaton.start;
    for (let at = 0; at < text.length; at++) {
      const point = text.codePointAt(at)!;
      if (point > LAST_UNIT) at++;
      state = automaton.next(state, point);
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
    const automaton = this.#backward;
    let state: State | null = automaton.start;
    for (let at = points.length - 1; at >= 0 && state !== null; at--) {
      state = automaton.next(state, points[at]!);
      begins[at] = state?.accepts === true;
    }
    return begins;
  }

  /** Index behind the longest that begins at `from`; `from` where there is none. */
  #longest(points: readonly number[], from: number): number {
    let end = from;
    const automaton = this.#forward;
    let state: State | null = automaton.start;
    for (let at = from; at < points.length; at++) {
      state = automaton.next(state, points[at]!);
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
