/** What follows from the drift that was found: nothing, healing, or a person. Pure. */

import { grouped } from "../domain/words.ts";
import type { Seal } from "./digest.ts";

/** Drift above either waits for a release. */
export interface Limits {
  readonly maxRows: number;
  /** Of the feed's records, 0 to 1. */
  readonly maxShare: number;
}

/** Rows that are lost here and there are fewer; more than that is a lost file, which somebody should know of. */
export const DEFAULT_LIMITS: Limits = { maxRows: 500, maxShare: 0.01 };

/** Of a small feed a share is less than a row: so few rows heal whatever share they are. */
export const ALWAYS_FEW_ROWS = 3;

/** Numbers of a comparison. `drift` are the rows that nothing explains; the others stand in `explained` by reason. */
export interface DriftNumbers {
  readonly seal: Seal;
  readonly snapshotRows: number;
  /** Active records of the feed. */
  readonly records: number;
  readonly missingHere: number;
  readonly missingThere: number;
  readonly differs: number;
  readonly drift: number;
  /** Of the drift, what is missing in the snapshot: records that would be retired. */
  readonly retire: number;
  readonly explained: Readonly<Record<string, number>>;
}

export type Verdict =
  | { readonly state: "clean" | "healing"; readonly reasons: readonly [] }
  | { readonly state: "waiting"; readonly reasons: readonly string[] };

/**
 * What becomes of a report. `reasons`: why it waits, in words. `unread`: rows of the snapshot that could not be read and of
 * which nobody knows whose they are; a record may be missing in it only because its row is among them.
 */
export function verdictOf(numbers: DriftNumbers, limits: Limits, unread: number): Verdict {
  const { drift, records, retire, snapshotRows } = numbers;
  if (drift === 0) return { state: "clean", reasons: [] };
  const reasons: string[] = [];
  if (snapshotRows === 0) reasons.push(`the snapshot has no rows, and the feed ${grouped(records)} records`);
  if (retire > 0 && unread > 0) {
    reasons.push(
      `${grouped(unread)} of its rows could not be read, and what it lacks (${grouped(retire)}) may be among them`,
    );
  }
  if (drift > limits.maxRows) reasons.push(`${grouped(drift)} rows, more than ${grouped(limits.maxRows)}`);
  // Of a feed without records every row is new; the rows then speak for themselves.
  const whole = Math.max(records, snapshotRows);
  if (drift > ALWAYS_FEW_ROWS && drift > limits.maxShare * whole) {
    reasons.push(`${percent(drift / whole)} of ${grouped(whole)} records, more than ${percent(limits.maxShare)}`);
  }
  return reasons.length === 0 ? { state: "healing", reasons: [] } : { state: "waiting", reasons };
}

/** Between a report and its healing a day may pass, or a week: a quarter more is the same drift, as for the gate. */
const GROWN = 1.25;

/** On what a report is healed: by itself, or because somebody has let these numbers go. */
export interface Told {
  readonly state: string;
  readonly drift: number | null;
  readonly missingThere: number | null;
}

/**
 * Why what differs now is not to be healed on the word of an earlier report: in words, undefined where it is. What heals by
 * itself is held against the limits once more, what was released against what the person has seen.
 */
export function outgrown(told: Told, now: DriftNumbers, limits: Limits, unread: number): string | undefined {
  if (told.state !== "released") {
    const { reasons } = verdictOf(now, limits, unread);
    return reasons.length === 0 ? undefined : `more differs now than when it was compared: ${reasons.join("; ")}`;
  }
  const most = (then: number | null) => Math.max(ALWAYS_FEW_ROWS, (then ?? 0) * GROWN);
  if (now.drift <= most(told.drift) && now.retire <= most(told.missingThere)) return undefined;
  return `more differs now (${grouped(now.drift)}, ${grouped(now.retire)} to be retired) than what was released (${grouped(told.drift ?? 0)})`;
}

const percent = (share: number): string => `${Number((share * 100).toPrecision(2))} %`;

/** Where the as-of is the time of a mail, its data was read from the ERP some time before. */
const MAIL_MARGIN_MS = 15 * 60_000;

/**
 * How long before the snapshot's as-of a change here may be newer than the snapshot: nothing where the file itself says its
 * time. `asOfSource`: `files.as_of_source`.
 */
export const marginMsOf = (asOfSource: string): number =>
  asOfSource === "mail-date" || asOfSource === "arrival" ? MAIL_MARGIN_MS : 0;
