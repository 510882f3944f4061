/**
 * Wakes what stopped moving. It only sends messages; the handlers find out for themselves what is left to do, so one message
 * too many does no harm. What was woken again and again in vain is given up: its row is dead, and a dead letter says so.
 */
import { asFailure, type Failure, type FailureReport, report } from "../domain/failures.ts";
import { inLanes } from "../domain/lanes.ts";
import { applyFileMessage, parseDeliveryMessage } from "../domain/messages.ts";
import { STUCK_KINDS, type Stuck, type StuckKind, type SweepDeps } from "./deps.ts";

/** Of each kind, by one run: the next one comes in minutes, and a flood of messages would help nobody. */
export const MAX_WOKEN = 500;
/** Taken up at once: what a worker leaves behind that dies between taking up and sending. It waits for its next turn then. */
export const WAKE_BATCH = 100;
/** The first time between two wakes of one thing; it doubles. */
export const FIRST_PAUSE_MINUTES = 20;
/** No pause is longer: what was woken in vain for days is looked at once a day. */
export const LONGEST_PAUSE_MINUTES = 1_440;
/**
 * Messages for one thing that did not move it. Between them it waits 20 minutes, 40, 80 … up to a day, so this is 7 days:
 * longer than a message may wait in a queue. Messages that no queue took do not count, nor those of what says that it waits.
 */
export const MAX_WAKES = 12;
/** Woken this often (after five hours) it is worth an alert. */
export const ALERT_WAKES = 4;
const ALERT = "sweep-stuck";

export interface Woken {
  readonly sent: Readonly<Record<StuckKind, number>>;
  readonly givenUp: number;
  /** The first message that no queue took. */
  readonly trouble: Failure | undefined;
  /** The lease went to another sweep: nothing more is to be done. */
  readonly lost: boolean;
}

/** @param keep renews the lease; false when it is lost, and then nothing more is taken up */
export async function wakeStuck(now: Date, since: Date, keep: () => Promise<boolean>, deps: SweepDeps): Promise<Woken> {
  const sent = { stray: 0, delivery: 0, unread: 0, file: 0 };
  let givenUp = 0;
  let trouble: Failure | undefined;
  for (const kind of STUCK_KINDS) {
    for (let taken = 0; taken < MAX_WOKEN; ) {
      if (!(await keep())) return { sent, givenUp, trouble, lost: true };
      const batch = await deps.tables.takeUp(kind, now, since, Math.min(WAKE_BATCH, MAX_WOKEN - taken), deps.now());
      taken += batch.length;
      const moved: string[] = [];
      let failed = false;
      await inLanes(batch, async (stuck) => {
        try {
          if (await wakeOne(stuck, deps)) moved.push(stuck.id);
          else givenUp++;
        } catch (thrown) {
          // One customer's queue must not keep the others asleep; all of them are told of at the end of the run.
          failed = true;
          trouble ??= asFailure(thrown);
          deps.log.error("not-woken", { kind, id: stuck.id, message: asFailure(thrown).message });
        }
      });
      if (moved.length > 0) await deps.tables.woken(kind, moved);
      sent[kind] += moved.length;
      if (failed || batch.length < WAKE_BATCH) break;
    }
  }
  return { sent, givenUp, trouble, lost: false };
}

/** True: its message is in the queue. False: it is given up. Throws when no queue took it. */
async function wakeOne(stuck: Stuck, deps: SweepDeps): Promise<boolean> {
  const { kind, customer, deliveryId: correlationId, rawKey } = stuck;
  if (kind === "file") {
    const message = applyFileMessage({ ...told(stuck), correlationId, fileId: stuck.id });
    if (stuck.wakes >= MAX_WAKES) return giveUp(stuck, message, inVain(stuck), deps);
    await deps.enqueueApply(message);
    return true;
  }
  const feed = stuck.feed ?? (await archivedFeed(stuck, deps));
  if (typeof feed !== "string") {
    return giveUp(stuck, { type: "parse-delivery", customer, correlationId, rawKey }, feed, deps);
  }
  const message = parseDeliveryMessage({ customer, feed, correlationId, rawKey });
  if (!deps.customers.includes(customer)) {
    return giveUp(stuck, message, report("unknown-feed", { customer, feed }), deps);
  }
  if (stuck.wakes >= MAX_WAKES) return giveUp(stuck, message, inVain(stuck), deps);
  await deps.enqueueParse(message);
  return true;
}

const told = ({ customer, feed, rows }: Stuck) => ({
  customer,
  feed: feed ?? "",
  ...(rows === undefined ? {} : { rows }),
});

const inVain = ({ kind, wakes }: Stuck): FailureReport =>
  report("woken-in-vain", { what: kind === "file" ? "file" : "delivery", times: wakes });

/** The feed of a stray, or why nothing can be made of it. Throws what passes by itself. */
async function archivedFeed({ rawKey }: Stuck, deps: SweepDeps): Promise<string | FailureReport> {
  try {
    return await deps.feedOf(rawKey);
  } catch (thrown) {
    const failed = asFailure(thrown);
    if (failed.disposition === "retry") throw failed;
    return failed.report;
  }
}

async function giveUp(stuck: Stuck, message: unknown, failure: FailureReport, deps: SweepDeps): Promise<false> {
  if (await deps.tables.giveUp(stuck, message, failure)) {
    const { kind, id, customer, deliveryId: correlationId, wakes } = stuck;
    deps.log.error("given-up", { kind, id, customer, correlationId, code: failure.code, wakes });
  }
  return false;
}

/** Says what was woken again and again, and when that is over. */
export async function alarm(deps: SweepDeps): Promise<void> {
  const often = new Map((await deps.tables.wokenOften(ALERT_WAKES)).map(({ kind, count }) => [kind, count]));
  for (const kind of STUCK_KINDS) {
    const count = often.get(kind) ?? 0;
    if (count === 0) await deps.alarm.clear(ALERT, kind);
    else {
      const detail = `${count} of kind “${kind}” did not move though woken ${ALERT_WAKES} times or more.`;
      await deps.alarm.raise({ kind: ALERT, subject: kind, severity: "warning", detail });
    }
  }
}
