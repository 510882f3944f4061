/**
 * Admission: who of one customer's files may be applied now, and when the others should ask again. Pure: state, request and
 * time in; state and answer out.
 *
 * - Slots: `filesAtOnce` leases. They expire, so a dead consumer stops nobody for long.
 * - Rate: GCRA over accepted rows. A file is let in while what was let in before is worked off but for the burst; it is
 *   charged once, however often it comes back, and told its pace: beyond the burst its rows go at the rate, too. What it
 *   did not have to write is given back when it has ended.
 * - Line: who has to wait keeps its place by file id. The first in line is always waited for; a newcomer passes nobody.
 * - Breaker: while the database is away nobody is let in, then one file finds out; a slow one gets half the files.
 */
import type { Limits } from "./limits.ts";
import type { Pace } from "./pace.ts";
import { type AdmissionState, at, type Place } from "./state.ts";

/** Renewed by the consumer every 20 seconds: two renewals may fail. A dead consumer holds its slot this long. */
export const LEASE_MS = 60_000;
/** The first in line is waited for this long after the time it was told; copies of messages come some seconds late. */
export const LATE_MS = 5_000;
/** Nobody is told to come later than this from now (and its spread), so that raised limits are soon felt by all. */
export const MAX_WAIT_MS = 120_000;
/** The first in line asks this often, at least. */
export const FIRST_ASKS_MS = 2_000;
/** Those who wait are told times this far apart: a thousand of them make 50 requests a second. */
export const APART_MS = 20;
/** And somewhere within this time, so that what was told in one moment does not come back in one. */
export const SPREAD_MS = 500;
/** The state stays small (about 100 bytes a place); who comes beyond it is told to ask again, without a place. */
export const MAX_PLACES = 5_000;
/** A charge is remembered this long: longer than an invocation may run and a message waits. */
export const PAID_KEPT_MS = 30 * 60_000;

/**
 * Rows that are only compared cost the database as much as one that is written: of a file of 300,000 rows 0.55 s when nothing
 * was new, 21 µs for each row that was.
 */
export const COMPARED_PER_WRITTEN = 10;

/** The first pause when the database is away; it doubles from probe to probe. */
export const AWAY_FIRST_MS = 2_000;
/** The longest: after an outage of any length work goes on within about a minute. */
export const AWAY_MAX_MS = 60_000;

/** What a turn may count as: the waits of those in line are made of it. */
const MIN_TURN_MS = 50;
const MAX_TURN_MS = 10_000;
/** The newest file counts for an eighth of the mean, as in TCP's round-trip time (RFC 6298). */
const TURN_SHARE = 1 / 8;

export interface Request {
  /** The file's id. */
  readonly id: string;
  /** Accepted rows of the file. */
  readonly rows: number;
}

export type Answer =
  | { readonly admitted: true; readonly lease: string; readonly untilMs: number; readonly pace: Pace }
  | { readonly admitted: false; readonly atMs: number; readonly because: Because };

/** Why a file waits: all slots are taken, the rate is used up, the database is away, or it is being applied already. */
export type Because = "slots" | "rate" | "away" | "under-way";

/**
 * How the work under a lease ended: `done` well; `slow` done, but the database took long; `away` the database was not
 * there; `again` not done, and nothing was learned of the database: the file will come again.
 */
export type Outcome = "done" | "slow" | "away" | "again";

export interface Release {
  readonly lease: string;
  readonly outcome: Outcome;
  /** Rows of the file that were sent to be written. */
  readonly written: number;
}

export interface Step<A> {
  readonly state: AdmissionState;
  readonly answer: A;
}

/** Files that may be under way at once as things are: half of the limit while the database is slow. */
export const slotsOf = ({ limits, slow }: AdmissionState): number =>
  slow ? Math.max(1, Math.floor(limits.filesAtOnce / 2)) : limits.filesAtOnce;

const msOfRows = (rows: number, { rowsPerSecond }: Limits): number => (rows / rowsPerSecond) * 1_000;

/** What is left of the burst; below 0 while rows that were let in have to be worked off. */
const rowsLeft = ({ limits, workedOffMs }: AdmissionState, nowMs: number): number =>
  Math.floor(limits.burstRows - (Math.max(0, workedOffMs - nowMs) / 1_000) * limits.rowsPerSecond);

/** Rows that are still to be charged. */
const owed = (state: AdmissionState, { id, rows }: Request): number =>
  state.paid.some((one) => one.id === id) ? 0 : rows;

/**
 * Asks for a file to be let in. Refused, it has a place in line and should ask again at `atMs`.
 * @param chance in [0, 1)
 */
export function reserve(before: AdmissionState, request: Request, nowMs: number, chance: number): Step<Answer> {
  const state = at(before, nowMs);
  const wait = waitOf(state, request, nowMs);
  if (wait === undefined) return admit(state, request, nowMs);
  const place = state.line.findIndex((one) => one.id === request.id);
  const ahead = place < 0 ? state.line.length : place;
  const atMs = Math.ceil(nowMs + Math.min(wait.ms, MAX_WAIT_MS) + ahead * APART_MS + chance * SPREAD_MS);
  const answer: Answer = { admitted: false, atMs, because: wait.because };
  if (wait.because === "under-way") return { state, answer };
  if (place >= 0) return { state: { ...state, line: state.line.with(place, { ...state.line[place]!, atMs }) }, answer };
  if (state.line.length >= MAX_PLACES) return { state, answer };
  return { state: { ...state, line: [...state.line, { ...request, sinceMs: nowMs, atMs }] }, answer };
}

interface Wait {
  readonly ms: number;
  readonly because: Because;
}

/** How long the file has to wait; `undefined`: it comes in now. */
function waitOf(state: AdmissionState, request: Request, nowMs: number): Wait | undefined {
  const { limits, leases, line, away } = state;
  const own = leases.find((one) => one.id === request.id);
  if (own) return { ms: own.untilMs - nowMs, because: "under-way" };
  const slots = slotsOf(state);
  const free = slots - leases.length;
  const burstMs = msOfRows(limits.burstRows, limits);
  const workedOffMs = Math.max(state.workedOffMs, nowMs);

  if (away) {
    if (nowMs < away.untilMs) return { ms: away.untilMs - nowMs, because: "away" };
    // Whoever comes first finds out: waiting for the first in line would only make the outage longer.
    const probing = leases.some((one) => one.probe) || free <= 0;
    if (probing || workedOffMs - burstMs > nowMs) return { ms: AWAY_FIRST_MS, because: "away" };
    return undefined;
  }

  const place = line.findIndex((one) => one.id === request.id);
  const ahead = (place < 0 ? line : line.slice(0, place)).filter((one) => nowMs <= one.atMs + LATE_MS);
  // In line, only the first is waited for: the others are served as they come. A newcomer lets everybody go first.
  const claimed = place < 0 ? ahead.length : Math.min(1, ahead.length);
  const rateMs = workedOffMs + msOfRows(sumOwed(state, ahead), limits) - burstMs - nowMs;
  if (free > claimed && rateMs <= 0) return undefined;

  const turns = free > claimed ? 0 : Math.ceil((ahead.length + 1) / slots);
  const slotMs = ahead.length === 0 ? Math.min(turns * state.turnMs, FIRST_ASKS_MS) : turns * state.turnMs;
  return { ms: Math.max(rateMs, slotMs), because: rateMs > slotMs ? "rate" : "slots" };
}

function sumOwed(state: AdmissionState, places: readonly Place[]): number {
  const paid = new Set(state.paid.map((one) => one.id));
  return places.reduce((sum, one) => sum + (paid.has(one.id) ? 0 : one.rows), 0);
}

function admit(state: AdmissionState, request: Request, nowMs: number): Step<Answer> {
  const { id } = request;
  const given = state.given + 1;
  // The time is part of it: a state that was lost and began anew must not take an old lease for one of its own.
  const lease = `${nowMs.toString(36)}-${given}`;
  const untilMs = nowMs + LEASE_MS;
  const freeRows = Math.max(0, rowsLeft(state, nowMs));
  const others = state.paid.filter((one) => one.id !== id).slice(-(MAX_PLACES - 1));
  return {
    state: {
      ...state,
      given,
      leases: [...state.leases, { lease, id, sinceMs: nowMs, untilMs, probe: state.away !== null }],
      line: state.line.filter((one) => one.id !== id),
      paid: [...others, { id, rows: request.rows, untilMs: nowMs + PAID_KEPT_MS }],
      workedOffMs: Math.max(state.workedOffMs, nowMs) + msOfRows(owed(state, request), state.limits),
    },
    answer: { admitted: true, lease, untilMs, pace: { freeRows, rowsPerSecond: state.limits.rowsPerSecond } },
  };
}

/**
 * Keeps a lease. To be called when the database has just answered: a probe that is renewed has found it. `held: false`: the
 * lease is gone, and what is done under it may exceed the limits; nothing else follows from it.
 */
export function renew(before: AdmissionState, lease: string, nowMs: number): Step<{ readonly held: boolean }> {
  const state = at(before, nowMs);
  const found = state.leases.findIndex((one) => one.lease === lease);
  if (found < 0) return { state, answer: { held: false } };
  const leases = state.leases.with(found, { ...state.leases[found]!, untilMs: nowMs + LEASE_MS, probe: false });
  return { state: { ...state, leases, away: null }, answer: { held: true } };
}

/**
 * Gives a lease back. One that is gone (released before, expired) frees nothing; only that the database is away is news
 * whoever brings it, since a consumer that waited for an answer until it gave up has lost its lease by then.
 * @param chance in [0, 1)
 */
export function release(
  before: AdmissionState,
  { lease, outcome, written }: Release,
  nowMs: number,
  chance: number,
): Step<{ readonly freed: boolean }> {
  const state = at(before, nowMs);
  const found = state.leases.find((one) => one.lease === lease);
  if (found === undefined) {
    const heard = outcome === "away" && state.away === null ? wentAway(state, nowMs, chance) : state;
    return { state: heard, answer: { freed: false } };
  }
  const without = { ...state, leases: state.leases.filter((one) => one !== found) };
  const answer = { freed: true };
  switch (outcome) {
    case "again":
      return { state: without, answer };
    case "away":
      // Of those under way when it went, the first tells; the others have nothing new to say.
      return { state: state.away === null || found.probe ? wentAway(without, nowMs, chance) : without, answer };
    case "done":
    case "slow": {
      const ms = Math.min(MAX_TURN_MS, Math.max(MIN_TURN_MS, nowMs - found.sinceMs));
      const charged = state.paid.find((one) => one.id === found.id)?.rows ?? 0;
      const back = Math.max(0, charged - written) * (1 - 1 / COMPARED_PER_WRITTEN);
      return {
        state: {
          ...without,
          paid: state.paid.filter((one) => one.id !== found.id),
          workedOffMs: state.workedOffMs - msOfRows(back, state.limits),
          turnMs: state.turnMs + (ms - state.turnMs) * TURN_SHARE,
          slow: outcome === "slow",
          away: null,
        },
        answer,
      };
    }
  }
}

/** Each pause is twice the one before, and somewhere in its second half: customers do not come back all at once. */
function wentAway(state: AdmissionState, nowMs: number, chance: number): AdmissionState {
  const times = (state.away?.times ?? 0) + 1;
  const pauseMs = Math.min(AWAY_MAX_MS, AWAY_FIRST_MS * 2 ** Math.min(times - 1, 20)) * (0.5 + chance / 2);
  return { ...state, away: { times, sinceMs: state.away?.sinceMs ?? nowMs, untilMs: Math.ceil(nowMs + pauseMs) } };
}

/** New limits, from now on. What was let in before stays in, and what it owes is worked off at the new rate. */
export function configure(before: AdmissionState, limits: Limits, nowMs: number): AdmissionState {
  const state = at(before, nowMs);
  const aheadMs = Math.max(0, state.workedOffMs - nowMs) * (state.limits.rowsPerSecond / limits.rowsPerSecond);
  return { ...state, limits, workedOffMs: nowMs + aheadMs };
}

/** What an operator sees. Times in milliseconds since 1970. */
export interface Look {
  readonly limits: Limits;
  readonly slots: { readonly of: number; readonly files: readonly { readonly id: string; readonly sinceMs: number }[] };
  readonly waiting: { readonly files: number; readonly rows: number; readonly sinceMs: number | null };
  /** Rows that may come in now without waiting for the rate; below 0 while it is used up. */
  readonly rowsLeft: number;
  /** `probing`: one file finds out if it is back. */
  readonly database:
    | { readonly is: "well" | "slow" }
    | { readonly is: "away" | "probing"; readonly sinceMs: number; readonly untilMs: number };
}

export function look(before: AdmissionState, nowMs: number): Look {
  const state = at(before, nowMs);
  const { limits, leases, line, away } = state;
  return {
    limits,
    slots: { of: slotsOf(state), files: leases.map(({ id, sinceMs }) => ({ id, sinceMs })) },
    waiting: { files: line.length, rows: sumOwed(state, line), sinceMs: line[0]?.sinceMs ?? null },
    rowsLeft: rowsLeft(state, nowMs),
    database: away
      ? { is: nowMs < away.untilMs ? "away" : "probing", sinceMs: away.sinceMs, untilMs: away.untilMs }
      : { is: state.slow ? "slow" : "well" },
  };
}
