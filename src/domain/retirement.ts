/**
 * What a full file says by leaving a record out, and how much of it is let go. Pure.
 */

/**
 * Why the records that a file lacks stay as they are:
 * - `not-full`: the feed is not full, or the file is not the whole state
 * - `late`: a newer file is applied, so nothing in this one is news
 * - `newer-file`: a newer file has begun to speak; what is missing in that one it retires itself
 * - `rejects-unread`: rows were rejected whose keys nobody knows; any missing record may be one of them
 */
export type RetirementBar = "not-full" | "late" | "newer-file" | "rejects-unread";

/** What a file would retire. Numbers of records. */
export interface Forecast {
  /** Active records of the feed now. */
  readonly active: number;
  /** Active ones that the file lacks. */
  readonly missing: number;
  /** Those that an earlier attempt at the same file has retired already. */
  readonly retired: number;
  readonly bar?: RetirementBar;
  readonly sample: readonly { readonly key: string; readonly before: Readonly<Record<string, unknown>> }[];
}

/** How many records a file retires in all its attempts, if nothing but its bar speaks against it: what the gate judges. */
export const retirements = ({ missing, retired, bar }: Forecast): number => retired + (bar === undefined ? missing : 0);

/** What a person or the gate has let go, and what was known of the plan then: half of it applied, nobody could find it out again. */
export interface Allowance {
  /** Records that may be retired by this file, in all its attempts together: `retirements` of the forecast. */
  readonly allowed: number;
  /** Records that the file lacks and that stay, since nobody knows which ones its unreadable rows mean. */
  readonly kept?: number;
  /** `same` of the plan. */
  readonly same?: number;
}
