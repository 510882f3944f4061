/**
 * The dead-letter queues end here: each letter becomes a row, and its delivery or file says so. A dead-letter queue
 * without a consumer would lose its messages after four days.
 */
import { z } from "zod";
import { type FailureReport, report } from "../domain/failures.ts";
import type { Log } from "../observe/log.ts";
import { type Database, jsonText, storable } from "../platform/postgres.ts";
import { backoffSeconds } from "./backoff.ts";
import type { Incoming } from "./consume.ts";

const letterSchema = z.object({
  stage: z.enum(["parse", "apply"]),
  messageId: z.string(),
  message: z.unknown(),
  failure: z.custom<FailureReport>((value) => typeof (value as FailureReport | null)?.code === "string"),
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

/** The file a letter is about; null where it names none that there could be. */
function fileIdOf(message: unknown): string | null {
  const id = text(message, "fileId");
  return id !== null && /^[0-9]{1,19}$/.test(id) && BigInt(id) <= MAX_BIGINT ? id : null;
}

/** Writes the letters of a batch. Trouble sends the letter back with backoff; the queue keeps it for its retention. */
export async function keepDeadLetters(
  stage: "parse" | "apply",
  messages: readonly Incoming[],
  deps: { readonly database: Database; random(): number; readonly log: Log },
): Promise<void> {
  for (const incoming of messages) {
    const letter = letterOf(incoming, stage);
    const correlationId = text(letter.message, "correlationId");
    try {
      await deps.database.transaction([
        {
          text: `INSERT INTO dead_letters (stage, message_id, message, failure, customer, correlation_id, attempts)
                 VALUES ($1, $2, $3::jsonb, $4::jsonb, $5, $6, $7)
                 ON CONFLICT (message_id) DO UPDATE SET last_at = now(), attempts = excluded.attempts, failure = excluded.failure`,
          params: [
            letter.stage,
            letter.messageId,
            jsonText(letter.message),
            jsonText(letter.failure),
            text(letter.message, "customer"),
            correlationId,
            letter.attempts,
          ],
        },
        letter.stage === "parse"
          ? {
              text: `UPDATE deliveries SET state = 'dead', failure = $2::jsonb, updated_at = now()
                     WHERE id = $1 AND state = 'parsing'`,
              params: [correlationId, jsonText(letter.failure)],
            }
          : {
              text: `UPDATE files SET state = 'dead', failure = $2::jsonb, updated_at = now()
                     WHERE id = $1::bigint AND state IN ('parsed', 'applying')`,
              params: [fileIdOf(letter.message), jsonText(letter.failure)],
            },
      ]);
      incoming.ack();
      deps.log.error("dead-letter", { stage: letter.stage, correlationId, code: letter.failure.code });
    } catch (thrown) {
      const delaySeconds = backoffSeconds(incoming.attempts, deps.random());
      deps.log.error("dead-letter-not-kept", {
        stage,
        correlationId,
        delaySeconds,
        message: String(thrown).slice(0, 300),
      });
      incoming.retry({ delaySeconds });
    }
  }
}
