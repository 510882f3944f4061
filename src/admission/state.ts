/**
 * What the schedule of one customer is made of. Plain JSON: it is stored as it is, and may be put down and taken up again
 * between any two steps. All times are milliseconds since 1970 by the clock of the one who keeps it.
 */
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";

/** A file that is being applied. */
export interface Lease {
  readonly lease: string;
  readonly id: string;
  readonly sinceMs: number;
  readonly untilMs: number;
  /** Let in to find out if the database is back. */
  readonly probe: boolean;
}

/** A file that waits: its place in line is kept until it has failed to come for `PLACE_KEPT_MS`. */
export interface Place {
  readonly id: string;
  readonly rows: number;
  readonly sinceMs: number;
  /** When it was told to come. */
  readonly atMs: number;
}

/** A file whose rows are charged: it comes in again (after an outage, after a slice of its work) without a second charge. */
export interface Paid {
  readonly id: string;
  readonly rows: number;
  readonly untilMs: number;
}

export interface AdmissionState {
  readonly v: 2;
  readonly limits: Limits;
  /** Time of the last step. */
  readonly clockMs: number;
  readonly leases: readonly Lease[];
  /** In the order of arrival. */
  readonly line: readonly Place[];
  readonly paid: readonly Paid[];
  /** The rate (GCRA's theoretical arrival time): the rows let in so far are worked off by then, at `rowsPerSecond`. */
  readonly workedOffMs: number;
  /** How long a file takes, smoothed. */
  readonly turnMs: number;
  /** The last file that ended found the database slow. */
  readonly slow: boolean;
  /** The database was away at the last `times` looks; nobody is let in until `untilMs`, then one to find out. */
  readonly away: { readonly times: number; readonly sinceMs: number; readonly untilMs: number } | null;
  /** Makes leases differ. */
  readonly given: number;
}

/** A guess, until files have ended. */
const FIRST_TURN_MS = 1_000;

export const newState = (nowMs: number, limits: Limits = DEFAULT_LIMITS): AdmissionState => ({
  v: 2,
  limits,
  clockMs: nowMs,
  leases: [],
  line: [],
  paid: [],
  workedOffMs: nowMs,
  turnMs: FIRST_TURN_MS,
  slow: false,
  away: null,
  given: 0,
});

/**
 * A place is kept this long after the time its file was told. A copy may come late where the queue is full; what is kept
 * for one that never comes costs nobody anything but memory.
 */
export const PLACE_KEPT_MS = 15 * 60_000;

/**
 * The state as it is at `nowMs`: what has expired is gone. A clock that was set back makes no time pass: all times move
 * with it, so nothing is held longer than it should be.
 */
export function at(state: AdmissionState, nowMs: number): AdmissionState {
  const { leases, line, paid, ...rest } = nowMs < state.clockMs ? movedBy(state, nowMs - state.clockMs) : state;
  return {
    ...rest,
    clockMs: nowMs,
    leases: leases.filter((one) => nowMs < one.untilMs),
    line: line.filter((one) => nowMs < one.atMs + PLACE_KEPT_MS),
    paid: paid.filter((one) => nowMs < one.untilMs),
  };
}

const movedBy = (state: AdmissionState, ms: number): AdmissionState => ({
  ...state,
  leases: state.leases.map((one) => ({ ...one, sinceMs: one.sinceMs + ms, untilMs: one.untilMs + ms })),
  line: state.line.map((one) => ({ ...one, sinceMs: one.sinceMs + ms, atMs: one.atMs + ms })),
  paid: state.paid.map((one) => ({ ...one, untilMs: one.untilMs + ms })),
  workedOffMs: state.workedOffMs + ms,
  away: state.away && {
    ...state.away,
    sinceMs: state.away.sinceMs + ms,
    untilMs: state.away.untilMs + ms,
  },
});
