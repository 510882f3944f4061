/**
 * The shell of every stage's queue: reads a message, runs the stage, and does what the failure's disposition says.
 * Nothing is ever thrown out of a batch: that would bring back even the messages that were done.
 *
 * - done → ack
 * - waiting for something outside (database or storage away, feed busy) → a delayed copy, then ack: no attempt is spent,
 *   so an outage of any length fills no dead-letter queue
 * - `retry` → back to the queue with backoff, until its attempts are used up
 * - all else → the stage's dead-letter queue with the failure beside it
 */
import { asFailure, type Failure, type FailureCode, type FailureReport } from "../domain/failures.ts";
import { putOff, readMessage, type StageMessage } from "../domain/messages.ts";
import type { Log } from "../observe/log.ts";
import { backoffSeconds } from "./backoff.ts";

/** Attempts of one message before it is parked. Queues count from 1; `max_retries` in wrangler.toml stays above it. */
export const MAX_ATTEMPTS = 8;
/** A message that was put off this often (about six days at the longest wait) is parked: no waiting without limit. */
export const MAX_DEFERRALS = 2_000;

const WAITS: ReadonlySet<FailureCode> = new Set<FailureCode>([
  "database-unavailable",
  "storage-unavailable",
  "feed-busy",
]);

export interface DeadLetter {
  readonly stage: string;
  readonly messageId: string;
  readonly message: unknown;
  readonly failure: FailureReport;
  readonly attempts: number;
}

export interface ConsumeDeps {
  readonly stage: "parse" | "apply";
  handle(message: StageMessage): Promise<void>;
  /** Sends a copy of the message to its own queue. */
  defer(message: StageMessage, delaySeconds: number): Promise<void>;
  park(letter: DeadLetter): Promise<void>;
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

export async function consume(messages: readonly Incoming[], deps: ConsumeDeps): Promise<void> {
  for (const message of messages) await consumeOne(message, deps);
}

async function consumeOne(incoming: Incoming, deps: ConsumeDeps): Promise<void> {
  let message: StageMessage | undefined;
  try {
    message = readMessage(incoming.body, deps.now());
    await deps.handle(message);
    incoming.ack();
  } catch (thrown) {
    const failed = asFailure(thrown);
    const correlationId = message?.correlationId;
    const fields = { stage: deps.stage, correlationId, code: failed.code, attempts: incoming.attempts };
    try {
      await settle(incoming, message, failed, deps, fields);
    } catch (second) {
      // The queue itself is in trouble. The message stays in it; its attempts bound this.
      deps.log.error("queue-trouble", { ...fields, message: asFailure(second).message });
      incoming.retry({ delaySeconds: backoffSeconds(incoming.attempts, deps.random()) });
    }
  }
}

async function settle(
  incoming: Incoming,
  message: StageMessage | undefined,
  failed: Failure,
  deps: ConsumeDeps,
  fields: Record<string, string | number | undefined>,
): Promise<void> {
  const deferrals = message?.waited?.times ?? 0;
  if (message && WAITS.has(failed.code) && deferrals < MAX_DEFERRALS) {
    const delaySeconds = backoffSeconds(deferrals, deps.random());
    await deps.defer(putOff(message, deps.now()), delaySeconds);
    incoming.ack();
    deps.log.warn("message-deferred", { ...fields, delaySeconds, message: failed.message });
    return;
  }
  if (failed.disposition === "retry" && incoming.attempts < MAX_ATTEMPTS) {
    const delaySeconds = backoffSeconds(incoming.attempts, deps.random());
    incoming.retry({ delaySeconds });
    deps.log.warn("message-retried", { ...fields, delaySeconds, message: failed.message });
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

const causeOf = (failed: Failure): string | undefined =>
  failed.cause instanceof Error ? (failed.cause.stack ?? failed.cause.message).slice(0, 1_500) : undefined;
