/** How long a replay will still take. Pure. */

/** Below this the pace is no more than a guess. */
const LEAST_ELAPSED_MS = 1_000;

export interface Progress {
  readonly totalBytes: number;
  readonly doneBytes: number;
  /** Done before the pace was measured: before it was paused the last time. */
  readonly beforeBytes: number;
  readonly elapsedMs: number;
}

/** Seconds that are left at the pace since it runs, in raw bytes; undefined where nothing is known of the pace yet. */
export function remainingSeconds({ totalBytes, doneBytes, beforeBytes, elapsedMs }: Progress): number | undefined {
  const measured = doneBytes - beforeBytes;
  if (doneBytes >= totalBytes) return 0;
  if (measured <= 0 || elapsedMs < LEAST_ELAPSED_MS) return undefined;
  return Math.ceil(((totalBytes - doneBytes) / measured) * (elapsedMs / 1_000));
}
