/**
 * The rows that show best what a file would do: for what tripped, the biggest moves first, and some of every kind,
 * kind by kind. Pure.
 */
import type { GateCheck } from "../domain/gate-policy.ts";
import type { ChangedSample, PlanFacts, Sample, TellingRow, Tripped } from "./facts.ts";
import { valueText } from "./words.ts";

/** As many as are read in a mail. */
export const TELLING_ROWS = 10;
/** Of these, rows that show what tripped; the others show what else the file would do. */
const CAUSE_ROWS = 7;

interface Weighed {
  readonly row: TellingRow;
  /** How much it shows; the key decides between equals, so that the same plan shows the same rows. */
  readonly weight: number;
}

export function tellingRows(
  facts: PlanFacts,
  samples: readonly Sample[],
  tripped: readonly Tripped[],
): readonly TellingRow[] {
  const asked = tripped.flatMap((one) => POOLS[one.check](samples, facts, one.field)).map(inOrder);
  const others = [moves(samples), gone(samples, facts), fresh(samples, facts)].map(inOrder);
  const taken = new Map<string, TellingRow>();
  takeInTurns(asked, taken, CAUSE_ROWS);
  takeInTurns(others, taken, TELLING_ROWS);
  takeInTurns(asked, taken, TELLING_ROWS);
  const rows = [...taken.values()];
  const kinds = rows.map((row) => row.kind);
  return rows.toSorted((a, b) => kinds.indexOf(a.kind) - kinds.indexOf(b.kind));
}

/** One row of each pool after the other, until there are so many. Every key stands once. */
function takeInTurns(pools: readonly Weighed[][], taken: Map<string, TellingRow>, upTo: number): void {
  while (taken.size < upTo && pools.some((pool) => pool.length > 0)) {
    for (const pool of pools) {
      let next = pool.shift();
      while (next !== undefined && taken.has(next.row.key)) next = pool.shift();
      if (next !== undefined && taken.size < upTo) taken.set(next.row.key, next.row);
    }
  }
}

type Pools = (samples: readonly Sample[], facts: PlanFacts, field: string | undefined) => Weighed[][];

const lost: Pools = (samples, facts) => [gone(samples, facts)];
const swapped: Pools = (samples, facts) => [gone(samples, facts), fresh(samples, facts)];
const changes: Pools = (samples) => [moves(samples)];
const ofField: Pools = (samples, _, field) => [movesOf(samples, field)];
const nothing: Pools = () => [];

const POOLS: { readonly [C in GateCheck]: Pools } = {
  emptyFile: lost,
  retired: lost,
  sheetLimit: lost,
  overlap: swapped,
  rowCount: swapped,
  changed: changes,
  asOfOld: changes,
  asOfFuture: changes,
  setToZero: (samples, _, field) => [
    movesOf(samples, field, (after) => after !== "" && after !== null && Number(after) === 0),
  ],
  setToBlank: (samples, _, field) => [
    movesOf(samples, field, (after) => after === null || after === undefined || after === ""),
  ],
  total: ofField,
  median: ofField,
  rejected: nothing,
};

const inOrder = (pool: readonly Weighed[]): Weighed[] =>
  pool.toSorted((a, b) => b.weight - a.weight || (a.row.key < b.row.key ? -1 : 1));

const changedIn = (samples: readonly Sample[]): ChangedSample[] =>
  samples.filter((sample) => sample.kind === "changed");

const sizeOf = (value: unknown): number => {
  const size = typeof value === "number" || typeof value === "string" ? Math.abs(Number(value)) : 0;
  return Number.isFinite(size) ? size : 0;
};

const shownChange = ({ key, before, after }: ChangedSample, field: string): TellingRow => ({
  kind: "changed",
  key,
  field,
  before: valueText(before[field]),
  after: valueText(after[field]),
});

/** What one field does in the changed rows, the biggest differences first. */
function movesOf(
  samples: readonly Sample[],
  field: string | undefined,
  wanted: (after: unknown) => boolean = () => true,
): Weighed[] {
  if (field === undefined) return [];
  return changedIn(samples)
    .filter(({ before, after }) => differs(before[field], after[field]) && wanted(after[field]))
    .map((sample) => ({
      row: shownChange(sample, field),
      weight: Math.abs(sizeOf(sample.after[field]) - sizeOf(sample.before[field])),
    }));
}

/** Each changed row by the field that moves most, measured against what it was. */
function moves(samples: readonly Sample[]): Weighed[] {
  return changedIn(samples).flatMap((sample) => {
    const { before, after } = sample;
    const fields = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((field) =>
      differs(before[field], after[field]),
    );
    const weighed = fields.map((field) => ({
      row: shownChange(sample, field),
      weight: relative(before[field], after[field]),
    }));
    return inOrder(weighed).slice(0, 1);
  });
}

/** 0 for two texts, else how many times as much, as a power of e; a value that comes or goes counts by its size. */
function relative(before: unknown, after: unknown): number {
  const [from, to] = [sizeOf(before), sizeOf(after)];
  if (from === 0 && to === 0) return 0;
  return from === 0 || to === 0 ? Math.log1p(from + to) : Math.abs(Math.log(to / from));
}

const differs = (a: unknown, b: unknown): boolean => JSON.stringify(a) !== JSON.stringify(b);

/** Records that would go, those of the most first, by the feed's first number field. */
const gone = (samples: readonly Sample[], { numeric }: PlanFacts): Weighed[] =>
  samples
    .filter((sample) => sample.kind === "retired")
    .map(({ key, before }) => {
      const field = fieldToShow(before, numeric, key);
      const shown = field === undefined ? {} : { field, before: valueText(before[field]) };
      return { row: { kind: "retired", key, ...shown }, weight: field === undefined ? 0 : sizeOf(before[field]) };
    });

const fresh = (samples: readonly Sample[], { numeric }: PlanFacts): Weighed[] =>
  samples
    .filter((sample) => sample.kind === "inserted")
    .map(({ key, after }) => {
      const field = fieldToShow(after, numeric, key);
      const shown = field === undefined ? {} : { field, after: valueText(after[field]) };
      return { row: { kind: "inserted", key, ...shown }, weight: field === undefined ? 0 : sizeOf(after[field]) };
    });

/** A number says how much is lost; else the first field that does not only repeat the key. */
const fieldToShow = (data: Readonly<Record<string, unknown>>, numeric: readonly string[], key: string) =>
  numeric.find((name) => Object.hasOwn(data, name)) ??
  Object.keys(data).find((name) => data[name] !== key && data[name] !== null && data[name] !== "");
