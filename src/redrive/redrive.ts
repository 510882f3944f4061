/**
 * What an operator does with dead letters: send them again, give them up, mark their cause as fixed.
 *
 * Two effects cannot be one: the rows change in the database, the message goes to a queue. The rows go first and say that
 * the message is still to be sent; when the queue has it they say so. Whoever dies in between leaves a row from which the
 * cron sends it, so no letter is lost between the two, whatever it is about. One message too many does no harm: it is a
 * wake-up.
 */
import { asFailure, report } from "../domain/failures.ts";
import type { DeadLetterState } from "../domain/states.ts";
import type { FixedCause, Letter, OfCause, Place, RedriveDeps, Taking } from "./deps.ts";
import { type Way, wayOf } from "./way.ts";

/** Letters sent by one call: what one invocation does within seconds, and no flood for the stages behind. */
export const REDRIVEN_PER_CALL = 100;
/** Letters of one cause sent by one run of the cron (every ten minutes): 14,400 a day, beside the day's own work. */
export const REDRIVEN_PER_RUN = 100;
/** Letters looked at by one call: those that cannot go are passed over, not without limit. */
export const LOOKED_AT_PER_CALL = 1_000;
/** Letters read by one statement. */
const PAGE_LETTERS = 100;
/** A letter that was taken this long ago and not sent was cut off: an API call ends within a minute. */
export const UNSENT_AFTER_MINUTES = 5;

const MS_PER_MINUTE = 60_000;

export interface Redriven {
  /** Taken by this call. `sent`: the queue has its message; else the cron sends it. */
  readonly redriven: readonly { readonly id: string; readonly sent: boolean }[];
  /** Not sent, each with a sentence why. They stay as they are. */
  readonly stays: readonly { readonly id: string; readonly reason: string }[];
  /** Of those asked for, how many this call has not looked at: call again. */
  readonly left: number;
}

/** Sends letters again by their ids. Throws the database's failures; asking again does no harm. */
export async function redriveLetters(deps: RedriveDeps, ids: readonly string[], by: string): Promise<Redriven> {
  const wanted = [...new Set(ids)];
  const now = wanted.slice(0, REDRIVEN_PER_CALL);
  const found = new Map((await deps.tables.letters(now)).map((letter) => [letter.id, letter]));
  const missing = now
    .filter((id) => !found.has(id))
    .map((id) => ({ id, reason: "There is no dead letter with this id." }));
  const { redriven, stays } = await redriveOpen(deps, [...found.values()], by, null);
  if (redriven.length > 0) await deps.decided();
  return { redriven, stays: [...stays, ...missing], left: wanted.length - now.length };
}

/** Sends the open letters of a cause again, the longest dead first. Throws the database's failures. */
export async function redriveCause(deps: RedriveDeps, selection: OfCause, by: string): Promise<Redriven> {
  const done = await redrivePaced(deps, selection, by, null, REDRIVEN_PER_CALL);
  if (done.redriven.length > 0) await deps.decided();
  return done;
}

export interface FixedRun {
  /** Letters whose message was lost on its way to the queue, sent now. */
  readonly resent: number;
  readonly redriven: number;
  readonly stays: number;
  readonly left: number;
}

/**
 * The cron's part, after the sweep: sends what was cut off between decision and queue, then the letters of causes that are
 * marked as fixed, if they died before the mark.
 */
export async function redriveFixed(deps: RedriveDeps, now: Date): Promise<FixedRun> {
  const resent = await resendUnsent(deps, now);
  const total = { resent, redriven: 0, stays: 0, left: 0 };
  for (const { cause, markedAt, markedBy } of await deps.tables.fixedCauses()) {
    const why = `the cause was marked as fixed at ${markedAt}`;
    const done = await redrivePaced(deps, { cause, diedBefore: markedAt }, markedBy, why, REDRIVEN_PER_RUN);
    total.redriven += done.redriven.length;
    total.stays += done.stays.length;
    total.left += done.left;
  }
  await deps.decided();
  if (total.resent + total.redriven > 0) deps.log.warn("dead-letters-redriven", total);
  return total;
}

async function redrivePaced(
  deps: RedriveDeps,
  selection: OfCause,
  by: string,
  why: string | null,
  most: number,
): Promise<Redriven> {
  const redriven: Redriven["redriven"][number][] = [];
  const stays: Redriven["stays"][number][] = [];
  let after: Place | undefined;
  for (let looked = 0; redriven.length < most && looked < LOOKED_AT_PER_CALL; ) {
    const page = await deps.tables.openOf(selection, after, PAGE_LETTERS);
    const now = untilEnough(page, deps, most - redriven.length);
    const done = await redriveOpen(deps, now, by, why);
    redriven.push(...done.redriven);
    stays.push(...done.stays);
    looked += now.length;
    after = now.at(-1) ?? after;
    if (page.length < PAGE_LETTERS && now.length === page.length) return { redriven, stays, left: 0 };
  }
  return { redriven, stays, left: await deps.tables.countOpenOf(selection, after) };
}

/** The letters up to the one with which enough of them go. */
function untilEnough(page: readonly Letter[], { knows }: RedriveDeps, enough: number): readonly Letter[] {
  let going = 0;
  const last = page.findIndex((letter) => wayOf(letter, knows).kind === "goes" && ++going === enough);
  return last === -1 ? page : page.slice(0, last + 1);
}

type Going = Letter & { readonly way: Way & { readonly kind: "goes" } };

/** Decides, takes and sends. */
async function redriveOpen(
  deps: RedriveDeps,
  letters: readonly Letter[],
  by: string,
  why: string | null,
): Promise<Pick<Redriven, "redriven" | "stays">> {
  const going: Going[] = [];
  const stays: Redriven["stays"][number][] = [];
  for (const letter of letters) {
    const way: Way =
      letter.state === "open" ? wayOf(letter, deps.knows) : { kind: "stays", reason: ended(letter.state) };
    if (way.kind === "goes") going.push({ ...letter, way });
    else stays.push({ id: letter.id, reason: way.reason });
  }
  if (going.length === 0) return { redriven: [], stays };
  const takings = going.map(({ id, way }): Taking => ({ id, rereads: way.rereads }));
  const taken = await deps.tables.take(takings, by, why);
  for (const { id } of going) if (!taken.has(id)) stays.push({ id, reason: "Somebody else has just decided it." });
  const mine = going.filter(({ id }) => taken.has(id));
  const sent = await send(deps, mine);
  return { redriven: mine.map(({ id }) => ({ id, sent: sent.has(id) })), stays };
}

const ended = (state: DeadLetterState): string =>
  state === "discarded" ? "It was discarded, which is final." : "It is redriven already.";

/** Hands the messages to their queues and answers which were taken. What was not is sent by the cron. */
async function send(deps: RedriveDeps, letters: readonly Going[]): Promise<ReadonlySet<string>> {
  const sent = new Set<string>();
  for (const { id, way } of letters) {
    try {
      await deps.enqueue(way.message);
      sent.add(id);
    } catch (thrown) {
      const { correlationId } = way.message;
      deps.log.error("redrive-not-sent", { letter: id, correlationId, message: asFailure(thrown).message });
    }
  }
  if (sent.size > 0) await deps.tables.sent([...sent]);
  return sent;
}

async function resendUnsent(deps: RedriveDeps, now: Date): Promise<number> {
  const since = new Date(now.getTime() - UNSENT_AFTER_MINUTES * MS_PER_MINUTE);
  const going: Going[] = [];
  for (const letter of await deps.tables.unsent(since, REDRIVEN_PER_RUN)) {
    const way = wayOf(letter, deps.knows);
    if (way.kind === "goes") going.push({ ...letter, way });
    else deps.log.error("redrive-not-sent", { letter: letter.id, message: way.reason });
  }
  return (await send(deps, going)).size;
}

export type Decided =
  | { readonly kind: "unknown" }
  | { readonly kind: "stays"; readonly reason: string; readonly state: DeadLetterState }
  | { readonly kind: "done"; readonly state: DeadLetterState; readonly sent: boolean };

/** Sends one letter again. One that is redriven already is `done` and stays as it is. Throws the database's failures. */
export async function redriveOne(deps: RedriveDeps, id: string, by: string): Promise<Decided> {
  const { redriven, stays } = await redriveLetters(deps, [id], by);
  const [done] = redriven;
  if (done !== undefined) return { kind: "done", state: "redriven", sent: done.sent };
  const [letter] = await deps.tables.letters([id]);
  if (letter === undefined) return { kind: "unknown" };
  if (letter.state === "redriven") return { kind: "done", state: "redriven", sent: letter.sent };
  return { kind: "stays", state: letter.state, reason: stays[0]?.reason ?? "Somebody else has just decided it." };
}

/**
 * Gives a letter up. What it is about stays dead and says by whom and why. Discarding again is `done`. Throws the database's
 * failures.
 */
export async function discardLetter(deps: RedriveDeps, id: string, by: string, reason: string): Promise<Decided> {
  const [letter] = await deps.tables.letters([id]);
  if (letter === undefined) return { kind: "unknown" };
  if (letter.state === "open") {
    await deps.tables.discard(id, by, reason, report("discarded-by-operator", { by, reason, was: letter.code }));
    await deps.decided();
  }
  const [after = letter] = await deps.tables.letters([id]);
  if (after.state === "discarded") return { kind: "done", state: after.state, sent: false };
  return {
    kind: "stays",
    state: after.state,
    reason: "It is redriven already; if it fails again, that is a new letter.",
  };
}

/** Marks a cause as fixed: the cron then sends its letters again. Undefined where no letter ever had this cause. */
export function markFixed(
  deps: RedriveDeps,
  cause: string,
  by: string,
  note: string | null,
): Promise<FixedCause | undefined> {
  return deps.tables.markFixed(cause, by, note);
}
