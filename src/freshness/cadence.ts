/**
 * When the next file of a feed is due: as the adapter says, or as its files have come so far. What is learned is generous and
 * knows the days of the week, so that a feed that rests on Sundays is not missed on Sundays. Pure.
 */

const HOUR_MS = 3_600_000;
const WEEK_MS = 7 * 24 * HOUR_MS;

/** Gaps between arrivals from which a habit may be told. */
export const GAPS_TO_LEARN = 5;
/** Weeks of which each must have brought a file in the same hours, before one is missed in them. */
export const WEEKS_TO_LEARN = 3;
/** Arrivals of one hour are one: a mail with its repetitions, a backlog that was sent at once. */
const ONE_ARRIVAL_MS = HOUR_MS;
/** A file that comes every few minutes is not missed before this. */
const SHORTEST_SILENCE_MS = 2 * HOUR_MS;
/** How much earlier or later than in other weeks a file may come, at most; half of the usual gap where that is less. */
const MOST_TOLERANCE_MS = 12 * HOUR_MS;
/** Feeds that come more seldom than this have no days of the week. */
const LONGEST_DAILY_GAP_MS = WEEK_MS / 2;

/** A feed from which nothing has come for too long. */
export interface Silence {
  /** Of the last arrival; where nothing ever came, since when it is waited for. */
  readonly sinceMs: number;
  /** Hours between two arrivals: as declared, or the median of those that came. */
  readonly usualHours: number;
  readonly by: "declared" | "learned";
}

export interface Arrivals {
  /** Milliseconds since 1970, in any order. */
  readonly atMs: readonly number[];
  /** `cadence.everyHours` of the adapter. */
  readonly everyHours?: number | undefined;
  /** Since when a file may have come, where none did. */
  readonly awaitedSinceMs?: number | undefined;
}

/** Undefined: nothing is missing, or nobody can tell. */
export function silenceOf({ atMs, everyHours, awaitedSinceMs }: Arrivals, nowMs: number): Silence | undefined {
  const arrivals = atMs.toSorted((a, b) => a - b);
  const last = arrivals.at(-1) ?? awaitedSinceMs;
  if (last === undefined) return undefined;
  if (everyHours !== undefined) {
    return nowMs - last > everyHours * HOUR_MS ? { sinceMs: last, usualHours: everyHours, by: "declared" } : undefined;
  }
  const single = arrivals.filter((at, i) => i === 0 || at - arrivals[i - 1]! >= ONE_ARRIVAL_MS);
  const gaps = single.slice(1).map((at, i) => at - single[i]!);
  if (gaps.length < GAPS_TO_LEARN) return undefined;
  const usual = median(gaps);
  if (!missed(single, last, nowMs, usual, Math.max(...gaps))) return undefined;
  return { sinceMs: last, usualHours: usual / HOUR_MS, by: "learned" };
}

function missed(arrivals: readonly number[], last: number, nowMs: number, usual: number, longest: number): boolean {
  const silent = nowMs - last;
  if (silent <= Math.max(2 * usual, SHORTEST_SILENCE_MS)) return false;
  if (silent > Math.max(3 * usual, 1.25 * longest)) return true;
  if (usual > LONGEST_DAILY_GAP_MS || arrivals[0]! > last - WEEKS_TO_LEARN * WEEK_MS) return false;
  const tolerance = Math.min(usual / 2, MOST_TOLERANCE_MS);
  return Array.from({ length: WEEKS_TO_LEARN }, (_, i) => (i + 1) * WEEK_MS).every((ago) =>
    arrivals.some((at) => at > last - ago + tolerance && at <= nowMs - ago - tolerance),
  );
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
