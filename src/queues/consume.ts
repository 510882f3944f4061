/**
 * The shell of every stage's queue: reads a message, runs the stage, and does what the failure's code and disposition say.
 * Nothing is ever thrown out of a batch: that would bring back even the messages that were done.
 *
 * - done → ack
 * - waiting for something outside (`WAITING_CODES`) → a delayed copy, then ack: no attempt is spent, so an outage of any length
 *   fills no dead-letter queue. What has waited for days is left to the sweep, or parked where only a human helps
 * - `retry`, and faults of ours → back to the queue with backoff, until its attempts are used up
 * - all else → the stage's dead-letter queue with the failure beside it
 */
import {
  asFailure,
  type Failure,
  type FailureCode,
  type FailureReport,
  failure,
  WAITING_CODES,
} from "../domain/failures.ts";
import { putOff, readMessage, type StageMessage } from "../domain/messages.ts";
import type { Log } from "../observe/log.ts";
import { backoffSeconds, MAX_DELAY_SECONDS, QUEUE_TROUBLE_CAP_SECONDS } from "./backoff.ts";

export type Stage = "parse" | "apply";

/**
 * Attempts of one message before it is parked. Queues count from 1.
 * - `passing`: the database asked to try again, or a lease was lost. With the backoff, eight attempts are four minutes on
 *   average, longer than any deadlock or takeover. Apply goes on from its ledger; parse reads the whole delivery again each
 *   time (minutes of CPU for the largest), so it has fewer, half a minute.
 * - `fault`: a fault of ours (`internal-error`) seldom passes, but a Worker that was cut off in the middle can look like one.
 */
export const MAX_ATTEMPTS: Readonly<Record<Stage, { readonly passing: number; readonly fault: number }>> = {
  parse: { passing: 5, fault: 2 },
  apply: { passing: 8, fault: 3 },
};

/**
 * As long as a queue keeps a message. One that has waited longer is left to the sweep, which goes by rows and the archive and
 * wakes it until it moves.
 */
export const MAX_WAIT_DAYS = 4;
const MS_PER_DAY = 86_400_000;
/** But for this one, which is put before a human: a file is applied in minutes, so what holds its feed for days is a fault. */
const PARKED_AFTER_WAITING: FailureCode = "feed-busy";

/**
 * A file that comes again sooner for its turn says nothing on its row: nobody looks meanwhile, and while the database is away
 * its schedule lets everybody ask again after a minute at most, so nobody bothers it with this.
 */
const NOTED_FROM_SECONDS = 90;

/** The message each stage reads; any other one came into the wrong queue. */
const READS: Readonly<Record<Stage, StageMessage["type"]>> = { parse: "parse-delivery", apply: "apply-file" };

export interface DeadLetter {
  readonly stage: string;
  readonly messageId: string;
  readonly message: unknown;
  readonly failure: FailureReport;
  readonly attempts: number;
}

export interface ConsumeDeps {
  readonly stage: Stage;
  handle(message: StageMessage): Promise<void>;
  /** Sends a copy of the message to its own queue. */
  defer(message: StageMessage, delaySeconds: number): Promise<void>;
  park(letter: DeadLetter): Promise<void>;
  /** Says on the row what went wrong and when it is tried again. */
  noteTrouble(message: StageMessage, failure: FailureReport, nextAttemptAt: Date): Promise<void>;
  now(): Date;
  /** In [0, 1). */
  random(): number;
  readonly log: Log;
}

/** The part of a queue message that is used here. */
export interface Incoming {
  readonly id: string;
  readonly body: unknown;
  readonly attempts: number;
  ack(): void;
  retry(options?: { delaySeconds?: number }): void;
}

/** Each message of the batch to its own end, one after the other. Never throws. */
export async function consume(messages: readonly Incoming[], deps: ConsumeDeps): Promise<void> {
  for (const message of messages) await consumeOne(message, deps);
}

async function consumeOne(incoming: Incoming, deps: ConsumeDeps): Promise<void> {
  let message: StageMessage | undefined;
  try {
    message = readFor(deps.stage, incoming.body, deps.now());
    await deps.handle(message);
    incoming.ack();
  } catch (thrown) {
    const failed = asFailure(thrown);
    const correlationId = message?.correlationId;
    const fields = { stage: deps.stage, correlationId, code: failed.code, attempts: incoming.attempts };
    try {
      await settle(incoming, message, failed, deps, fields);
    } catch (second) {
      // The queue itself is in trouble. The message stays in it; its attempts bound this, so they are spread over days.
      const delaySeconds = backoffSeconds(incoming.attempts, deps.random(), QUEUE_TROUBLE_CAP_SECONDS);
      incoming.retry({ delaySeconds });
      deps.log.error("queue-trouble", { ...fields, delaySeconds, message: asFailure(second).message });
    }
  }
}

function readFor(stage: Stage, body: unknown, now: Date): StageMessage {
  const message = readMessage(body, now);
  if (message.type === READS[stage]) return message;
  throw failure("message-unreadable", { reason: `“${message.type}” is not for ${stage}` });
}

async function settle(
  incoming: Incoming,
  message: StageMessage | undefined,
  failed: Failure,
  deps: ConsumeDeps,
  fields: Record<string, string | number | undefined>,
): Promise<void> {
  const now = deps.now();
  if (message && WAITING_CODES.includes(failed.code)) {
    const waitedMs = message.waited === undefined ? 0 : now.getTime() - Date.parse(message.waited.since);
    if (waitedMs < MAX_WAIT_DAYS * MS_PER_DAY) {
      const delaySeconds = delayOf(failed, message, now, deps.random());
      await deps.defer(putOff(message, now), delaySeconds);
      incoming.ack();
      deps.log.warn("message-deferred", { ...fields, delaySeconds, message: failed.message });
      await note(message, failed, now, delaySeconds, deps, fields);
      return;
    }
    if (failed.code !== PARKED_AFTER_WAITING) {
      incoming.ack();
      deps.log.warn("message-left-to-sweep", { ...fields, since: message.waited?.since, message: failed.message });
      return;
    }
  } else if (message && incoming.attempts < attemptsFor(failed, deps.stage)) {
    const delaySeconds = backoffSeconds(incoming.attempts, deps.random());
    incoming.retry({ delaySeconds });
    deps.log.warn("message-retried", { ...fields, delaySeconds, message: failed.message });
    await note(message, failed, now, delaySeconds, deps, fields);
    return;
  }
  await deps.park({
    stage: deps.stage,
    messageId: incoming.id,
    message: incoming.body,
    failure: failed.report,
    attempts: incoming.attempts,
  });
  incoming.ack();
  deps.log.error("message-parked", { ...fields, message: failed.message, cause: causeOf(failed) });
}

/** What knows its time comes at that very moment, not earlier; all else with backoff. */
function delayOf(failed: Failure, message: StageMessage, now: Date, random: number): number {
  const { atMs } = failed.report.evidence;
  if (failed.code !== "not-admitted-yet" || typeof atMs !== "number") {
    return backoffSeconds(message.waited?.times ?? 0, random);
  }
  return Math.min(Math.max(1, Math.ceil((atMs - now.getTime()) / 1_000)), MAX_DELAY_SECONDS);
}

function attemptsFor(failed: Failure, stage: Stage): number {
  if (failed.code === "internal-error") return MAX_ATTEMPTS[stage].fault;
  return failed.disposition === "retry" ? MAX_ATTEMPTS[stage].passing : 1;
}

/** The message is settled by now: whatever happens here is said and harms nothing. */
async function note(
  message: StageMessage,
  failed: Failure,
  now: Date,
  delaySeconds: number,
  deps: ConsumeDeps,
  fields: Record<string, string | number | undefined>,
): Promise<void> {
  if (failed.code === "database-unavailable") return;
  if (failed.code === "not-admitted-yet" && delaySeconds < NOTED_FROM_SECONDS) return;
  try {
    await deps.noteTrouble(message, failed.report, new Date(now.getTime() + delaySeconds * 1_000));
  } catch (thrown) {
    deps.log.warn("trouble-not-noted", { ...fields, message: asFailure(thrown).message });
  }
}

const causeOf = (failed: Failure): string | undefined =>
  failed.cause instanceof Error ? (failed.cause.stack ?? failed.cause.message).slice(0, 1_500) : undefined;
