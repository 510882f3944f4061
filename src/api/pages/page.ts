/**
 * Cursor pages. A page holds what follows the last key of the page before it, so rows that arrive meanwhile neither
 * repeat nor skip others. The cursor is the sort keys of the last item, base64url: opaque, checked on its way back, and
 * worth nothing to a stranger, since every page asks anew what the caller may see.
 */
import { type SQL, sql } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";
import { z } from "zod";
import { problem } from "../problem/problem.ts";

export const PAGE_DEFAULT_ITEMS = 50;
/** Keeps an answer of the widest items (records of some KB) under a megabyte or so. */
export const PAGE_MAX_ITEMS = 200;
/** The longest key of ours is a natural key; a cursor of it stays well below the URL limit of 16 KB. */
const CURSOR_MAX_CHARS = 8_192;

export interface Page<T> {
  readonly items: readonly T[];
  /** Cursor of the next page, or null on the last one. */
  readonly next: string | null;
}

/** Microseconds since 1970, as a time stands in a cursor: the column's full resolution, below 2^53 until the year 2255. */
export const microsKey = z.string().regex(/^[0-9]{1,16}$/);
/** A bigint identity. */
export const idKey = z.string().regex(/^[1-9][0-9]{0,17}$/);
export const intKey = z.string().regex(/^[0-9]{1,9}$/);
export const deliveryKey = z.string().regex(/^[0-9a-f]{32}$/);

/** A time column as `microsKey`. */
export const asMicros = (column: PgColumn): SQL<string> =>
  sql<string>`(extract(epoch from ${column}) * 1000000)::bigint::text`;

/** The time of a `microsKey`, exactly. */
export const fromMicros = (micros: string): SQL =>
  sql`(timestamptz 'epoch' + ${micros}::bigint * interval '1 microsecond')`;

const badCursor = () =>
  problem("invalid-cursor", "Take the cursor from “next” of the page before, unchanged, or leave it out to begin.", {
    members: { parameter: "cursor" },
  });

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A cursor of the list `list`; its name is part of it, so that one list does not take another's. */
export const writeCursor = (list: string, keys: readonly string[]): string => encode([list, ...keys]);

/** The sort keys of a cursor. Throws `invalid-cursor` for anything `writeCursor` would not have written. */
export function readCursor<const S extends readonly z.ZodType<string>[]>(
  list: string,
  cursor: string,
  keys: S,
): { [K in keyof S]: string } {
  if (cursor.length > CURSOR_MAX_CHARS) throw badCursor();
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) throw badCursor();
    throw error;
  }
  if (!Array.isArray(value) || value.length !== keys.length + 1 || value[0] !== list || encode(value) !== cursor) {
    throw badCursor();
  }
  const read = keys.map((key, i) => {
    const checked = key.safeParse(value[i + 1]);
    if (!checked.success) throw badCursor();
    return checked.data;
  });
  return read as { [K in keyof S]: string };
}

/** Makes a page of up to `limit` items out of `limit + 1` rows: the one too many only says that there is more. */
export function pageOf<R, T>(
  list: string,
  rows: readonly R[],
  limit: number,
  keysOf: (row: R) => readonly string[],
  present: (row: R) => T,
): Page<T> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const next = rows.length > limit && last !== undefined ? writeCursor(list, keysOf(last)) : null;
  return { items: shown.map(present), next };
}
