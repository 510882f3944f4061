/** Any thrown value as a Problem: the one place where trouble inside becomes an answer outside. */
import { NeonDbError } from "@neondatabase/serverless";
import { DrizzleQueryError } from "drizzle-orm/errors";
import { asFailure, type Failure } from "../../domain/failures.ts";
import { classify } from "../../platform/postgres.ts";
import { Problem } from "./problem.ts";

/** Neon wakes from sleep within a second; a caller that waits this long meets it awake. */
const RETRY_AFTER_S = 5;

const failureOf = (thrown: unknown): Failure => {
  if (thrown instanceof DrizzleQueryError) return classify(thrown.cause);
  if (thrown instanceof NeonDbError) return classify(thrown);
  return asFailure(thrown);
};

/**
 * What passes by itself is 503 with Retry-After; what the customer must put right keeps its sentence; all else is 500
 * and says nothing but where to look it up.
 */
export function problemOf(thrown: unknown, correlationId: string): Problem {
  if (thrown instanceof Problem) return thrown;
  const { report } = failureOf(thrown);
  if (report.disposition === "retry") {
    const headers = { "Retry-After": String(RETRY_AFTER_S) };
    const members = { correlation_id: correlationId };
    return new Problem("unavailable", "Try again in a few seconds.", { headers, members }, thrown);
  }
  if (report.disposition === "reject" && report.actor === "customer") {
    return new Problem("refused", `${report.sentence} ${report.hint}`, { members: { code: report.code } }, thrown);
  }
  return new Problem(
    "internal-error",
    "A fault of ours. Tell your contact the correlation id.",
    { members: { correlation_id: correlationId } },
    thrown,
  );
}

/** What the log may say about a thrown value: kinds and statement texts, never parameters, values or messages of others. */
export function traceOf(thrown: unknown): Record<string, string> {
  const origin = thrown instanceof Problem ? thrown.cause : thrown;
  const { code, report } = failureOf(origin);
  const evidence = report.evidence as { sqlstate?: string };
  return {
    failure: code,
    ...(evidence.sqlstate === undefined ? {} : { sqlstate: evidence.sqlstate }),
    ...(origin instanceof DrizzleQueryError ? { statement: origin.query } : {}),
    ...(origin instanceof Error && origin.stack !== undefined && !(origin instanceof DrizzleQueryError)
      ? { stack: origin.stack.slice(0, 2_000) }
      : {}),
  };
}
