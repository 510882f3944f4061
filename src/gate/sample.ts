/** Which rows of a plan are looked at, and what they are: changed or new. Pure. */
import type { Sample } from "./facts.ts";

/** Chunks read for it: apply reads each of them once more, so it is a sixth of a large file's reading. */
export const SAMPLE_MAX_CHUNKS = 10;
/** A share told by so many is right to within three in a hundred. */
export const SAMPLE_MAX_ROWS = 1_000;

/**
 * Of the lines that a plan would write (`DiffPlan.need`), some of some chunks, spread evenly over both: rows that go wrong
 * often stand together. All of them where they are few. The same plan gives the same lines.
 */
export function sampleLines(
  need: ReadonlyMap<number, readonly number[]>,
  maxRows = SAMPLE_MAX_ROWS,
  maxChunks = SAMPLE_MAX_CHUNKS,
): Map<number, readonly number[]> {
  const chunks = spread(
    [...need].filter(([, lines]) => lines.length > 0).sort(([a], [b]) => a - b),
    maxChunks,
  );
  const rows = chunks.reduce((sum, [, lines]) => sum + lines.length, 0);
  if (rows <= maxRows) return new Map(chunks);
  // One of each, and of the rest by its own number of lines, so that nearly every row has the same chance.
  const share = Math.max(0, maxRows - chunks.length) / rows;
  return new Map(chunks.map(([n, lines]) => [n, spread(lines, 1 + Math.floor(lines.length * share))]));
}

/** So many of a list, at even distances, from the first on. */
function spread<T>(list: readonly T[], max: number): readonly T[] {
  if (list.length <= max) return list;
  return Array.from({ length: max }, (_, i) => list[Math.floor((i * list.length) / max)]!);
}

interface Row {
  readonly key: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/**
 * The looked-at rows with what is known of them: `known` are the active records of their keys. With `merges` a row says some
 * fields and leaves the others as they are; one that says nothing new changes nothing, and is left out.
 */
export function samplesOf(rows: readonly Row[], known: readonly Row[], merges: boolean): Sample[] {
  const byKey = new Map(known.map((one) => [one.key, one.data]));
  return rows.flatMap(({ key, data }): Sample[] => {
    const before = byKey.get(key);
    if (before === undefined) return [{ kind: "inserted", key, after: data }];
    const says = ([name, value]: [string, unknown]) => JSON.stringify(before[name]) !== JSON.stringify(value);
    if (merges && !Object.entries(data).some(says)) return [];
    return [{ kind: "changed", key, before, after: merges ? { ...before, ...data } : data }];
  });
}
