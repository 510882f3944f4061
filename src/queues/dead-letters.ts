/**
 * The dead-letter queues end here: each letter becomes a row, and its delivery or file says so. A dead-letter queue
 * without a consumer would lose its messages after four days. A letter whose message was redriven before is linked to the
 * letter of its first life, and letters that pile up raise an alert.
 */
import { z } from "zod";
import { asFailure, type FailureReport, report } from "../domain/failures.ts";
import type { Log } from "../observe/log.ts";
import { type Database, jsonText, type Statement, storable } from "../platform/postgres.ts";
import { BACKOFF_CAP_SECONDS, backoffSeconds, QUEUE_TROUBLE_CAP_SECONDS } from "./backoff.ts";
import type { Incoming } from "./consume.ts";
import { watchGrowth } from "./growth.ts";

/** What codes look like: a cause stands in addresses and filters. */
const CODE = /^[a-z][a-z0-9-]{0,59}$/;

const letterSchema = z.object({
  stage: z.enum(["parse", "apply"]),
  messageId: z.string(),
  message: z.unknown(),
  failure: z.custom<FailureReport>((value) => CODE.test(String((value as FailureReport | null)?.code))),
  attempts: z.number().int(),
});

type Letter = z.infer<typeof letterSchema>;

/** A letter that the platform itself moved here (attempts used up) is the bare message, without a failure beside it. */
function letterOf(incoming: Incoming, stage: "parse" | "apply"): Letter {
  const read = letterSchema.safeParse(incoming.body);
  if (read.success) return read.data;
  return {
    stage,
    messageId: incoming.id,
    message: incoming.body,
    failure: report("internal-error", { message: "the queue gave up on it without a reason" }),
    attempts: incoming.attempts,
  };
}

/** A letter may hold anything at all, and what cannot be stored could never become a row. */
const text = (message: unknown, field: string): string | null => {
  const value = (message as Record<string, unknown> | null)?.[field];
  return typeof value === "string" ? storable(value) : null;
};

const MAX_BIGINT = 2n ** 63n - 1n;

/** An id in a letter; null where it names none that there could be. */
function idIn(message: unknown, field: string): string | null {
  const id = text(message, field);
  return id !== null && /^[0-9]{1,19}$/.test(id) && BigInt(id) <= MAX_BIGINT ? id : null;
}

/**
 * Keeps a letter and marks what it is about as dead. A letter that comes a second time, after its decision, changes
 * nothing: the answer to its first coming was lost, and what it is about may be at work again.
 *
 * The first life is the one that the message names, or the redriven letter about the same delivery and file: a message that
 * the sweep sent knows of no letter.
 */
function keeping(letter: Letter): Statement {
  const dead =
    letter.stage === "parse"
      ? `UPDATE deliveries SET state = 'dead', failure = $4::jsonb, updated_at = now()
         WHERE id = $6 AND state = 'parsing' AND EXISTS (SELECT FROM kept)`
      : `UPDATE files SET state = 'dead', failure = $4::jsonb, updated_at = now()
         WHERE id = $8::bigint AND state IN ('parsed', 'applying') AND EXISTS (SELECT FROM kept)`;
  return {
    text: `WITH first_life AS (
             SELECT coalesce(l.redrive_of, l.id) AS id FROM dead_letters l
             WHERE l.correlation_id = $6 AND l.message_id <> $2
               AND (l.id = $9::bigint OR (l.state = 'redriven' AND l.stage = $1 AND l.file_id IS NOT DISTINCT FROM $8::bigint))
             ORDER BY l.id = $9::bigint DESC NULLS LAST, l.id DESC LIMIT 1),
           kept AS (
             INSERT INTO dead_letters AS d (stage, message_id, message, failure, customer, correlation_id, attempts, redrive_of)
             VALUES ($1, $2, $3::jsonb, $4::jsonb, $5, $6, $7::int, (SELECT id FROM first_life))
             ON CONFLICT (message_id) DO UPDATE SET last_at = now(), attempts = excluded.attempts, failure = excluded.failure
               WHERE d.state = 'open'
             RETURNING d.id)
           ${dead}`,
    params: [
      letter.stage,
      storable(letter.messageId),
      jsonText(letter.message),
      jsonText(letter.failure),
      text(letter.message, "customer"),
      text(letter.message, "correlationId"),
      letter.attempts,
      letter.stage === "apply" ? idIn(letter.message, "fileId") : null,
      idIn(letter.message, "redriveOf"),
    ],
  };
}

export interface KeepDeps {
  readonly database: Database;
  /** Sends a letter to the queue it came from, whole, so that the copy is the same letter. */
  again(letter: unknown, delaySeconds: number): Promise<void>;
  random(): number;
  readonly log: Log;
}

/**
 * Writes the letters of a batch. With trouble a letter waits as a delayed copy, which spends no attempt: there is no queue
 * behind this one, and a letter whose attempts are used up would be gone.
 */
export async function keepDeadLetters(
  stage: "parse" | "apply",
  messages: readonly Incoming[],
  deps: KeepDeps,
): Promise<void> {
  for (const incoming of messages) {
    const letter = letterOf(incoming, stage);
    const correlationId = text(letter.message, "correlationId");
    try {
      const { text: statement, params = [] } = keeping(letter);
      await deps.database.query(statement, params);
      incoming.ack();
      deps.log.error("dead-letter", { stage: letter.stage, correlationId, code: letter.failure.code });
    } catch (thrown) {
      deps.log.error("dead-letter-not-kept", { stage, correlationId, message: asFailure(thrown).message });
      await waitAgain(incoming, letter, deps);
    }
  }
  await lookAtGrowth(stage, deps);
}

async function waitAgain(incoming: Incoming, letter: Letter, deps: KeepDeps): Promise<void> {
  try {
    await deps.again(letter, Math.max(1, Math.ceil(deps.random() * BACKOFF_CAP_SECONDS)));
    incoming.ack();
  } catch (thrown) {
    const delaySeconds = backoffSeconds(incoming.attempts, deps.random(), QUEUE_TROUBLE_CAP_SECONDS);
    deps.log.error("queue-trouble", { stage: letter.stage, delaySeconds, message: asFailure(thrown).message });
    incoming.retry({ delaySeconds });
  }
}

/** The letters are rows already: trouble here takes none of them back, and the cron counts again. */
async function lookAtGrowth(stage: "parse" | "apply", deps: KeepDeps): Promise<void> {
  try {
    await watchGrowth(deps, stage);
  } catch (thrown) {
    deps.log.error("dead-letters-not-counted", { stage, message: String(thrown).slice(0, 300) });
  }
}
