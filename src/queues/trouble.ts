/** What a message that comes again says on the row it is about. */
import type { FailureReport } from "../domain/failures.ts";
import type { StageMessage } from "../domain/messages.ts";
import { type Database, jsonText } from "../platform/postgres.ts";

/**
 * Writes down why the last attempt came to nothing and when the next one is due. A row that has moved on meanwhile is left
 * alone, and whatever moves it later forgets this (0007). Throws what the database throws.
 */
export const troubleOn =
  (database: Database) =>
  async (message: StageMessage, failure: FailureReport, nextAttemptAt: Date): Promise<void> => {
    const [text, id] =
      message.type === "parse-delivery"
        ? [
            "UPDATE deliveries SET last_failure = $2::jsonb, next_attempt_at = $3 WHERE id = $1 AND state = 'parsing'",
            message.correlationId,
          ]
        : [
            "UPDATE files SET last_failure = $2::jsonb, next_attempt_at = $3 WHERE id = $1::bigint AND state IN ('parsed', 'applying')",
            message.fileId,
          ];
    await database.query(text, [id, jsonText(failure), nextAttemptAt.toISOString()]);
  };
