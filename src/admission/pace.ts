/** The rate of a customer inside one file: rows go to the database as a stream, not as a flood and then a pause. */

/** How fast a file that was let in may go. */
export interface Pace {
  /** Rows that need not wait: what was left of the burst. */
  readonly freeRows: number;
  /** For all rows after them. */
  readonly rowsPerSecond: number;
}

/** No batch keeps the next one waiting longer than this, whatever the rate: a lease is renewed between two batches. */
export const MAX_PACE_MS = 2_000;

/** Waits until a batch of so many rows may go. All lanes of a file share one. */
export function pacer(
  { freeRows, rowsPerSecond }: Pace,
  { nowMs, sleep }: { nowMs(): number; sleep(ms: number): Promise<void> },
): (rows: number) => Promise<void> {
  let free = freeRows;
  let nextMs = 0;
  return async (rows) => {
    const paced = Math.max(0, rows - free);
    free = Math.max(0, free - rows);
    if (paced === 0) return;
    const now = nowMs();
    const at = Math.max(nextMs, now);
    nextMs = at + Math.min((paced / rowsPerSecond) * 1_000, MAX_PACE_MS);
    if (at > now) await sleep(at - now);
  };
}
