/** Two tables held against each other: the names of their columns, and the look of the values below them. */

import { shown } from "../../domain/failures.ts";
import type { ColumnShape, ProfileColumn } from "../../domain/feed-version.ts";
import { fitterOf, inWords } from "./classes.ts";
import type { DriftCause, DriftDifference } from "./report.ts";

export interface TableDifference {
  readonly cause: DriftCause;
  readonly sentence: string;
  readonly differences: readonly DriftDifference[];
}

/** Values on either side from which on a column is judged: fewer fall into any class by chance. */
export const JUDGED_VALUES_MIN = 30;
/**
 * A column holds other values where no more than this share of them goes with what it held so far. A day's file may bring
 * new kinds of values; that it brings hardly any of the old ones does not happen by chance.
 */
export const FITTING_SHARE_MAX = 0.05;
/** Less of the names, or of the judged columns, in common: another file. */
const OTHER_FILE_SHARE = 0.5;
/** Names that are so alike that one is the other renamed: letters in common of the longer one. */
const ALIKE_SHARE = 0.6;

type Columns = readonly ProfileColumn[];

/** How `found` differs from `pinned`, or null. `mayGrow`: columns behind the last one are no difference. */
export function tableDifference(
  pinned: Columns,
  found: Columns,
  options: { readonly named: boolean; readonly mayGrow: boolean },
): TableDifference | null {
  return options.named ? byName(pinned, found, options.mayGrow) : byPlace(pinned, found, options.mayGrow);
}

const labelOf = (columns: Columns, i: number): string => columns[i]?.name || `column ${i + 1}`;
const quoted = (columns: Columns, i: number): string => shown(labelOf(columns, i), 40);
const listed = (names: readonly string[]): string =>
  names.length <= 3 ? names.join(", ") : `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`;

// ── names ────────────────────────────────────────────────────────────────────────────────────────────────────────────

function byName(pinned: Columns, found: Columns, mayGrow: boolean): TableDifference | null {
  const isPrefix = found.length >= pinned.length && pinned.every((column, i) => column.name === found[i]!.name);
  if (isPrefix && (found.length === pinned.length || mayGrow)) {
    return valueDifference(pinned, found, new Map(pinned.map((_, i) => [i, i])));
  }
  const places = pairsOf(pinned, found);
  const same = places.size;
  for (const [p, f] of renamedPairs(pinned, found, places)) places.set(p, f);
  const taken = new Set(places.values());
  const missing = pinned.flatMap((_, i) => (places.has(i) ? [] : [i]));
  const added = found.flatMap((_, i) => (taken.has(i) ? [] : [i]));
  const renamed = [...places].filter(([p, f]) => pinned[p]!.name !== found[f]!.name);
  const differences: DriftDifference[] = [
    ...countDifference(pinned, found),
    ...renamed.map(([p, f]) => nameDifference(labelOf(pinned, p), labelOf(pinned, p), labelOf(found, f))),
    ...missing.map((p) => nameDifference(labelOf(pinned, p), labelOf(pinned, p), "")),
    ...added.map((f) => nameDifference(labelOf(found, f), "", labelOf(found, f))),
  ];
  const values = valueDifference(pinned, found, places);
  const all = [...differences, ...(values?.differences ?? [])];
  const widest = Math.max(pinned.length, found.length);
  const alike = places.size < OTHER_FILE_SHARE * widest || values?.cause === "other-file";
  if (alike && !(same >= OTHER_FILE_SHARE * widest && values === null)) {
    const known = same === 0 ? "none" : `only ${same}`;
    return {
      cause: "other-file",
      sentence: `This is probably the file of another feed: ${known} of the ${pinned.length} agreed columns ${same === 1 ? "stands" : "stand"} in its header line.`,
      differences: [...countDifference(pinned, found), columnsDifference(pinned, found)],
    };
  }
  if (renamed.length > 0) {
    const [p, f] = renamed[0]!;
    const more = renamed.length > 1 ? ` So were ${renamed.length - 1} more.` : "";
    const sentence = `A column was renamed: ${quoted(pinned, p)} is now called ${quoted(found, f)}.${more}`;
    return { cause: "renamed-column", sentence, differences: all };
  }
  if (missing.length > 0) {
    const sentence = `${missing.length === 1 ? "A column is" : `${missing.length} columns are`} missing: ${listed(missing.map((p) => quoted(pinned, p)))}.`;
    return { cause: "missing-column", sentence, differences: all };
  }
  if (added.length > 0) {
    const behind = added.every((f) => f >= pinned.length);
    const sentence = `${added.length === 1 ? "A new column was" : `${added.length} new columns were`} added ${behind ? "behind the last one" : "between the others"}: ${listed(added.map((f) => quoted(found, f)))}.`;
    return { cause: "new-column", sentence, differences: all };
  }
  const moved = [...places].filter(([p, f]) => p !== f).sort(([a], [b]) => a - b);
  const [first] = moved;
  const sentence =
    first === undefined
      ? "The columns stand in another order."
      : `The columns stand in another order: ${quoted(pinned, first[0])} was number ${first[0] + 1} and is now number ${first[1] + 1}.`;
  const movedDifferences = moved.map(
    ([p, f]): DriftDifference => ({
      what: "place",
      column: labelOf(pinned, p),
      pinned: `column ${p + 1}`,
      found: `column ${f + 1}`,
    }),
  );
  return { cause: "moved-column", sentence, differences: [...movedDifferences, ...(values?.differences ?? [])] };
}

const nameDifference = (column: string, pinned: string, found: string): DriftDifference => ({
  what: "name",
  column,
  pinned,
  found,
});

const namesOf = (columns: Columns): string => columns.map((column) => column.name ?? "").join(", ");
const columnsDifference = (pinned: Columns, found: Columns): DriftDifference => ({
  what: "columns",
  pinned: namesOf(pinned),
  found: namesOf(found),
});

const countDifference = (pinned: Columns, found: Columns): DriftDifference[] =>
  pinned.length === found.length
    ? []
    : [{ what: "column count", pinned: String(pinned.length), found: String(found.length) }];

/** Pinned place → found place of columns of the same name; of several with one name, in their order. */
function pairsOf(pinned: Columns, found: Columns): Map<number, number> {
  const free = new Map<string, number[]>();
  for (const [i, { name }] of found.entries()) {
    const places = free.get(name ?? "");
    if (places === undefined) free.set(name ?? "", [i]);
    else places.push(i);
  }
  const pairs = new Map<number, number>();
  for (const [i, { name }] of pinned.entries()) {
    const place = free.get(name ?? "")?.shift();
    if (place !== undefined) pairs.set(i, place);
  }
  return pairs;
}

/** Columns without a partner: of an alike name anywhere, or at the same place with values of the same kind. */
function renamedPairs(pinned: Columns, found: Columns, places: ReadonlyMap<number, number>): [number, number][] {
  const taken = new Set(places.values());
  const pairs: [number, number][] = [];
  for (const [p, column] of pinned.entries()) {
    if (places.has(p)) continue;
    const free = found.flatMap((_, f) => (taken.has(f) ? [] : [f]));
    // The same neighbours: the place counted from the last column that both have.
    const here = free.filter((f) => f - p === shiftBefore(places, p));
    const match =
      free.find((f) => plain(found[f]!.name) === plain(column.name)) ??
      here.find((f) => alikeNames(found[f]!.name, column.name) || sameValues(column.shape, found[f]!.shape)) ??
      free.find((f) => alikeNames(found[f]!.name, column.name) && fits(column.shape, found[f]!.shape) !== false);
    if (match === undefined) continue;
    taken.add(match);
    pairs.push([p, match]);
  }
  return pairs;
}

function shiftBefore(places: ReadonlyMap<number, number>, p: number): number {
  for (let before = p - 1; before >= 0; before--) {
    const found = places.get(before);
    if (found !== undefined) return found - before;
  }
  return 0;
}

/** Letters and digits only: `Unit Price`, `UNIT_PRICE` and `unitPrice` are one name. */
const plain = (name: string | null): string => (name ?? "").toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");

function alikeNames(a: string | null, b: string | null): boolean {
  const [x, y] = [plain(a), plain(b)];
  const longer = Math.max(x.length, y.length);
  if (longer === 0) return false;
  if (Math.min(x.length, y.length) >= 3 && (x.includes(y) || y.includes(x))) return true;
  return commonLetters(x, y) >= ALIKE_SHARE * longer && longer >= 4;
}

/** Characters of the longest common subsequence; names are short. */
function commonLetters(a: string, b: string): number {
  const [x, y] = [a.slice(0, 100), b.slice(0, 100)];
  let before = new Uint8Array(y.length + 1);
  for (const char of x) {
    const now = new Uint8Array(y.length + 1);
    for (let j = 1; j <= y.length; j++) {
      now[j] = char === y[j - 1] ? before[j - 1]! + 1 : Math.max(before[j]!, now[j - 1]!);
    }
    before = now;
  }
  return before[y.length] ?? 0;
}

// ── places ───────────────────────────────────────────────────────────────────────────────────────────────────────────

function byPlace(pinned: Columns, found: Columns, mayGrow: boolean): TableDifference | null {
  const shorter = Math.min(pinned.length, found.length);
  const places = new Map(Array.from({ length: shorter }, (_, i) => [i, i]));
  const values = valueDifference(pinned, found, places);
  if (found.length === pinned.length || (found.length > pinned.length && mayGrow)) return values;
  const differences = countDifference(pinned, found);
  if (values !== null) {
    return {
      cause: "other-file",
      sentence: `This is probably the file of another feed: its rows have ${found.length} columns instead of ${pinned.length}, and other values in them.`,
      differences,
    };
  }
  const more = found.length > pinned.length;
  return {
    cause: more ? "new-column" : "missing-column",
    sentence: `The rows have ${found.length} columns instead of ${pinned.length}.`,
    differences,
  };
}

// ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Whether values go with those known, or undefined where there are too few to say. */
export function fits(pinned: ColumnShape | undefined, found: ColumnShape | undefined): boolean | undefined {
  const share = fittingShare(pinned, found);
  return share === undefined ? undefined : share > FITTING_SHARE_MAX;
}

function fittingShare(pinned: ColumnShape | undefined, found: ColumnShape | undefined): number | undefined {
  if (pinned === undefined || found === undefined) return undefined;
  if (pinned.values < JUDGED_VALUES_MIN || found.values < JUDGED_VALUES_MIN) return undefined;
  const goes = fitterOf(pinned);
  return Object.entries(found.classes).reduce((sum, [name, share]) => (goes(name) ? sum + share : sum), 0);
}

/** Values of the same kind: enough of them, and nearly all on either side go with the other. */
const sameValues = (a: ColumnShape | undefined, b: ColumnShape | undefined): boolean =>
  (fittingShare(a, b) ?? 0) > 0.9 && (fittingShare(b, a) ?? 0) > 0.9;

function valueDifference(pinned: Columns, found: Columns, places: ReadonlyMap<number, number>): TableDifference | null {
  let judged = 0;
  const other: [number, number][] = [];
  for (const [p, f] of places) {
    const fit = fits(pinned[p]!.shape, found[f]!.shape);
    if (fit === undefined) continue;
    judged++;
    if (!fit) other.push([p, f]);
  }
  if (other.length === 0) return null;
  const differences = other.map(
    ([p, f]): DriftDifference => ({
      what: "values",
      column: labelOf(pinned, p),
      pinned: describe(pinned[p]!.shape),
      found: describe(found[f]!.shape),
    }),
  );
  const [[p, f]] = other as [[number, number], ...[number, number][]];
  const partner = other.find(
    ([q, g]) => q !== p && fits(pinned[p]!.shape, found[g]!.shape) && fits(pinned[q]!.shape, found[f]!.shape),
  );
  if (partner !== undefined && other.length === 2) {
    const sentence = `Columns have changed places: what was in ${quoted(pinned, p)} now stands in ${quoted(pinned, partner[0])}, and the other way round.`;
    return { cause: "moved-column", sentence, differences };
  }
  if (other.length >= 2 && other.length >= OTHER_FILE_SHARE * judged) {
    const sentence = `This is probably the file of another feed: ${other.length} of ${judged} columns hold other values than agreed, such as ${describe(found[f]!.shape)} instead of ${describe(pinned[p]!.shape)} in ${quoted(pinned, p)}.`;
    return { cause: "other-file", sentence, differences };
  }
  const also = other.length > 1 ? ` So do ${other.length - 1} more columns.` : "";
  const sentence = `The column ${quoted(pinned, p)} holds other values than before: ${describe(found[f]!.shape)} instead of ${describe(pinned[p]!.shape)}.${also}`;
  return { cause: "other-values", sentence, differences };
}

/** The most common class of a shape, or the two most common, in words. */
function describe(shape: ColumnShape | undefined): string {
  const classes = Object.entries(shape?.classes ?? {}).sort((a, b) => b[1] - a[1]);
  const words = [...new Set(classes.filter(([, share]) => share >= 0.1).map(([name]) => inWords(name)))];
  return words.slice(0, 2).join(" or ") || "nothing";
}
