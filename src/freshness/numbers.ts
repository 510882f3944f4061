/** Numbers of a feed's files that never came: a mail that was lost shows as a gap that stays open. Pure. */

/** A later file may overtake an earlier one by hours: mail queues, greylisting. */
export const GAP_PATIENCE_HOURS = 6;
/** A leap further than this is another series, not a loss: the ERP was moved, or somebody set the number. */
export const LONGEST_GAP = 1_000;
/** Missing numbers that are named. */
const NAMED_MAX = 5;

export interface NumberedFile {
  readonly sequence: number;
  /** Milliseconds since 1970. */
  readonly receivedAtMs: number;
}

/** The numbers that are missing in `files`, which are in the order of the feed, and that nobody waits for any more. */
export function openGaps(files: readonly NumberedFile[], nowMs: number): number[] {
  const known = new Set(files.map(({ sequence }) => sequence));
  const patientUntil = nowMs - GAP_PATIENCE_HOURS * 3_600_000;
  const missing = new Set<number>();
  for (const [i, { sequence, receivedAtMs }] of files.entries()) {
    const before = files[i - 1]?.sequence;
    if (before === undefined || receivedAtMs > patientUntil || sequence - before > LONGEST_GAP) continue;
    for (let n = before + 1; n < sequence; n++) if (!known.has(n)) missing.add(n);
  }
  return [...missing].sort((a, b) => a - b);
}

/** “12, 13 and 4 more”. */
export function namedNumbers(numbers: readonly number[]): string {
  const named = numbers.slice(0, NAMED_MAX).join(", ");
  return numbers.length > NAMED_MAX ? `${named} and ${numbers.length - NAMED_MAX} more` : named;
}
