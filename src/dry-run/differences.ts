/**
 * What rows would change, gathered while they are read: how often each field, and the rows that show most of it. Its memory
 * depends on the number of fields, not of rows. Pure.
 */
import type { FieldEffect, RowEffect, ValueEffect } from "../domain/effect.ts";

/** Rows told of each kind: as many as are read. */
export const EXAMPLES_PER_KIND = 10;
/** Fields told of one row. */
export const ROW_MAX_FIELDS = 12;
/** Characters kept of a text. */
const VALUE_MAX_CHARS = 200;

type Data = Readonly<Record<string, unknown>>;

/** A row of the file beside the record of its key. */
export interface ComparedRow {
  readonly key: string;
  readonly line: number;
  /** What the record would be. */
  readonly after: Data;
  readonly before?: { readonly data: Data; readonly active: boolean };
}

interface Weighed {
  readonly row: RowEffect;
  readonly weight: number;
}

const nothing = (value: unknown): unknown => (value === undefined || value === "" ? null : value);
const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(nothing(a)) === JSON.stringify(nothing(b));

/** Fields that would have another value. */
export function fieldsThatDiffer(before: Data, after: Data): string[] {
  const names = new Set([...Object.keys(after), ...Object.keys(before)]);
  return [...names].filter((name) => !isSame(before[name], after[name]));
}

/** A value as it is told: bounded, and never a structure. */
function toldValue(value: unknown): unknown {
  const one = nothing(value);
  if (typeof one === "string") return one.length > VALUE_MAX_CHARS ? `${one.slice(0, VALUE_MAX_CHARS)}…` : one;
  return typeof one === "object" && one !== null ? toldValue(JSON.stringify(one)) : one;
}

function rowOf(
  kind: RowEffect["kind"],
  key: string,
  line: number | undefined,
  names: readonly string[],
  before: Data,
  after: Data,
): RowEffect {
  const values: ValueEffect[] = names.slice(0, ROW_MAX_FIELDS).map((field) => ({
    field,
    before: toldValue(before[field]),
    after: toldValue(after[field]),
  }));
  return { kind, key, ...(line === undefined ? {} : { line }), values, more: names.length - values.length };
}

/** Fields of a record that say something. */
const said = (data: Data): string[] => Object.keys(data).filter((name) => nothing(data[name]) !== null);

export const retiredRow = (key: string, before: Data): RowEffect =>
  rowOf("retired", key, undefined, said(before), before, {});

/** How far a value moves: as a power of e where both are numbers, by its size where one of them is nothing, 0 for texts. */
function move(before: unknown, after: unknown): number {
  const [from, to] = [sizeOf(before), sizeOf(after)];
  if (from === 0 && to === 0) return 0;
  return from === 0 || to === 0 ? Math.log1p(from + to) : Math.abs(Math.log(to / from));
}

function sizeOf(value: unknown): number {
  const size = typeof value === "number" || typeof value === "string" ? Math.abs(Number(value)) : 0;
  return Number.isFinite(size) ? size : 0;
}

/** The heaviest rows first; the earlier of two equal ones. */
function keepHeaviest(list: Weighed[], one: Weighed, max: number): void {
  const at = list.findIndex(({ weight }) => weight < one.weight);
  if (at >= 0) list.splice(at, 0, one);
  else list.push(one);
  if (list.length > max) list.pop();
}

export class Differences {
  readonly #every: number;
  readonly #fields = new Map<string, { records: number; readonly rows: Weighed[] }>();
  readonly #inserted: RowEffect[] = [];
  readonly #restored: RowEffect[] = [];
  #insertedSeen = 0;
  #looked = 0;

  /** @param inserted rows to come that are new: some are kept at even distances */
  constructor(inserted: number) {
    this.#every = Math.max(1, Math.ceil(inserted / EXAMPLES_PER_KIND));
  }

  add({ key, line, before, after }: ComparedRow): void {
    this.#looked++;
    if (before === undefined) {
      if (this.#insertedSeen++ % this.#every === 0 && this.#inserted.length < EXAMPLES_PER_KIND) {
        this.#inserted.push(rowOf("inserted", key, line, said(after), {}, after));
      }
      return;
    }
    if (!before.active) {
      if (this.#restored.length < EXAMPLES_PER_KIND) {
        this.#restored.push(rowOf("restored", key, line, said(after), before.data, after));
      }
      return;
    }
    const names = fieldsThatDiffer(before.data, after);
    if (names.length === 0) return;
    const row = rowOf("changed", key, line, names, before.data, after);
    for (const name of names) {
      const field = this.#fields.get(name) ?? { records: 0, rows: [] };
      field.records++;
      keepHeaviest(field.rows, { row, weight: move(before.data[name], after[name]) }, EXAMPLES_PER_KIND);
      this.#fields.set(name, field);
    }
  }

  /** Changes by field, the most frequent first; estimated where fewer were looked at than the `rows` there are. */
  fields(rows: number): { readonly exact: boolean; readonly counts: FieldEffect[] } {
    const scale = rows / Math.max(this.#looked, 1);
    const counts = this.#byFrequency().map(([field, { records }]) => ({ field, records: Math.round(records * scale) }));
    return { exact: this.#looked >= rows, counts };
  }

  /** Rows of every kind, those changed by turns of the fields: each kind of change is shown. */
  examples(): RowEffect[] {
    const pools = this.#byFrequency().map(([, { rows }]) => [...rows]);
    const changed = new Map<string, RowEffect>();
    while (changed.size < EXAMPLES_PER_KIND && pools.some((pool) => pool.length > 0)) {
      for (const pool of pools) {
        const next = pool.shift();
        if (next !== undefined && changed.size < EXAMPLES_PER_KIND) changed.set(next.row.key, next.row);
      }
    }
    return [...changed.values(), ...this.#inserted, ...this.#restored];
  }

  #byFrequency() {
    return [...this.#fields].sort(([a, x], [b, y]) => y.records - x.records || (a < b ? -1 : 1));
  }
}
