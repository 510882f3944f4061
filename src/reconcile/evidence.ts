/**
 * What may explain a difference besides the record itself: files that wait, and rows that were rejected. Read once per
 * comparison, when the first difference needs it, into a form in which any number of keys can be looked up.
 */
import { decodeHead } from "../domain/chunk.ts";
import { asFailure } from "../domain/failures.ts";
import { inLanes } from "../domain/lanes.ts";
import type { Evidence, OpenFile, RejectedRow } from "./compare.ts";
import type { ReconcileDeps, SnapshotFile } from "./deps.ts";
import { keyNumber } from "./digest.ts";
import { type OpenFileRow, openFiles, rejectedRows } from "./tables.ts";

/** A reject explains a difference for so long: by then the customer has sent the row again, or will not. */
export const REJECT_EXPLAINS_DAYS = 7;
/** Rejects looked at, those of the snapshot first: a file of usual limits has at most 1,000. */
export const REJECTS_LOOKED_AT = 2_000;
/** Files that wait at once; a feed with more has stopped, and people know. */
export const OPEN_FILES_LOOKED_AT = 20;
/** Rows of all of them, at 8 bytes each. */
export const OPEN_ROWS_LOOKED_AT = 2_000_000;

const DAY_MS = 86_400_000;

export async function readEvidence(deps: ReconcileDeps, file: SnapshotFile): Promise<Evidence> {
  const sinceMs = deps.now() - REJECT_EXPLAINS_DAYS * DAY_MS;
  const [rejects, open] = await Promise.all([
    rejectedRows(deps, file, sinceMs, REJECTS_LOOKED_AT),
    openFiles(deps, file, OPEN_FILES_LOOKED_AT),
  ]);
  const waiting: { readonly file: OpenFile; readonly keys: Float64Array }[] = [];
  let rows = 0;
  for (const one of open) {
    rows += one.chunks.reduce((sum, entry) => sum + entry.rows, 0);
    if (rows > OPEN_ROWS_LOOKED_AT) {
      deps.log.warn("open-files-not-all-looked-at", {
        fileId: file.id,
        lookedAt: waiting.length,
        waiting: open.length,
      });
      break;
    }
    waiting.push({ file: { fileId: one.id, state: one.state }, keys: await keysOf(deps, one) });
  }
  return {
    openFile(key) {
      const number = keyNumber(key);
      return waiting.find(({ keys }) => holds(keys, number))?.file;
    },
    rejectedRow: rejectedRowsByKey(rejects),
  };
}

/** The keys of a file as numbers, ascending. The chunks of one that waits for very long have expired: it explains nothing. */
async function keysOf(deps: ReconcileDeps, open: OpenFileRow): Promise<Float64Array> {
  const keys: number[] = [];
  try {
    await inLanes(open.chunks, async (entry) => {
      const head = decodeHead(await deps.chunks.head(open, entry));
      for (const key of head.keys) keys.push(keyNumber(key));
    });
  } catch (thrown) {
    if (asFailure(thrown).code !== "chunk-missing") throw thrown;
    deps.log.warn("open-file-without-chunks", { fileId: open.id });
    return new Float64Array();
  }
  return Float64Array.from(keys).sort();
}

function holds(ascending: Float64Array, wanted: number): boolean {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ascending[middle]! < wanted) low = middle + 1;
    else high = middle;
  }
  return ascending[low] === wanted;
}

/** A rejected row as it stood in its file, with the key of its record where that could be read. */
export interface RawReject extends RejectedRow {
  readonly raw: string;
  readonly key?: string | undefined;
}

/**
 * Finds the first of these rows (the newest, if they are in that order) that has this key; of those whose key could not be
 * read, in which every value of the key stands as a value: what a value is in them is told by the marks around it.
 */
export function rejectedRowsByKey(rejects: readonly RawReject[]): (key: string) => RejectedRow | undefined {
  const places = new Map<string, Set<number>>();
  const known = new Map<string, number>();
  for (const [i, { raw, key }] of rejects.entries()) {
    if (key !== undefined) {
      if (!known.has(key)) known.set(key, i);
      continue;
    }
    for (const value of valuesIn(raw)) {
      const found = places.get(value);
      if (found) found.add(i);
      else places.set(value, new Set([i]));
    }
  }
  return (key) => {
    const texts = keyTexts(key).filter((text) => text !== "");
    const [first = new Set<number>(), ...others] = texts.map((text) => places.get(text) ?? new Set<number>());
    let found = known.get(key) ?? rejects.length;
    for (const i of first) if (i < found && others.every((set) => set.has(i))) found = i;
    return rejects[found];
  };
}

/** What may stand between two values, from the surest on: a text may hold commas, a name blanks. */
const BETWEEN_VALUES = [/[;\t|"\r\n]+/, /[,;\t|"\r\n]+/, /[\s,;|"']+/];

/** Every text of a row that may be a value. */
const valuesIn = (raw: string): Set<string> =>
  new Set(BETWEEN_VALUES.flatMap((between) => raw.split(between).map((value) => value.trim())));

/** The values that a natural key is joined from, by `|`, in which `\` escapes both. */
export function keyTexts(key: string): string[] {
  const parts = [""];
  for (let i = 0; i < key.length; i++) {
    if (key[i] === "|") parts.push("");
    else parts[parts.length - 1] += key[i] === "\\" ? (key[++i] ?? "") : key[i]!;
  }
  return parts;
}
