/**
 * The operator's two actions: let a quarantined delivery or a held file go on. Each is one statement that changes the
 * row and writes the audit log, then a wake-up message. Calling it again does no harm and sends the wake-up again as
 * long as the work has not moved, which is the cure if the message was lost the first time.
 */
import { eq, sql } from "drizzle-orm";
import { asFailure, type FailureCode, type FailureReport } from "../../domain/failures.ts";
import { applyFileMessage, parseDeliveryMessage } from "../../domain/messages.ts";
import { auditLog, customers, deliveries, feeds, files } from "../../platform/schema.ts";
import type { Call } from "../deps.ts";
import { notFound, Problem, problem } from "../problem/problem.ts";
import { deliveryIdInPath, idInPath, oneOf, readQuery } from "../query/query.ts";
import { fileOf } from "./files.ts";
import { answerDecision, holdInQuestion } from "./holds.ts";
import { booksOf } from "./present.ts";

/** Holds that are somebody's decision. Books that do not balance are a fault of ours, and no decision mends them. */
const RELEASABLE: ReadonlySet<FailureCode> = new Set([
  "too-many-rejects",
  "file-truncated",
  "row-count-differs",
  "control-total-differs",
  "control-missing",
  "control-unreadable",
  "sequence-gap",
  "sequence-repeated",
  "sequence-reset",
  "retires-more-than-planned",
  "snapshot-incomparable",
]);

/** What lets a file go on whose format is the question. */
const INSTEAD: Readonly<Record<string, string>> = {
  "format-unconfirmed": "Accept the format that is proposed for its feed.",
  "format-drift": "Accept the drift, or reject the file.",
  "behind-held-file": "Decide about the file that it waits for.",
  "restore-outdated": "Reject it, and look at the preview of the restore again.",
  "file-too-old": "Reject it, and have the ERP send the records as they are now.",
};

export async function releaseDelivery({ c, deps, caller }: Call): Promise<Response> {
  const id = deliveryIdInPath(c, "id");
  readQuery(c, {});
  await deps.db.execute(sql`
    WITH held AS (SELECT id, failure FROM ${deliveries} WHERE id = ${id} AND state = 'quarantined' FOR UPDATE),
    released AS (
      UPDATE ${deliveries} d SET state = 'parsing', failure = NULL, released_at = ${deps.now().toISOString()},
        released_by = ${caller.name}, updated_at = now()
      FROM held WHERE d.id = held.id RETURNING d.id, held.failure)
    INSERT INTO ${auditLog} (actor, action, subject, detail)
    SELECT ${caller.name}, 'release', 'delivery ' || id, jsonb_build_object('failure', failure) FROM released`);
  const [now] = await deps.db
    .select({
      state: deliveries.state,
      rawKey: deliveries.rawKey,
      releasedAt: deliveries.releasedAt,
      customer: customers.slug,
      feed: feeds.slug,
    })
    .from(deliveries)
    .innerJoin(customers, eq(customers.id, deliveries.customerId))
    .innerJoin(feeds, eq(feeds.id, deliveries.feedId))
    .where(eq(deliveries.id, id));
  if (now === undefined) throw notFound();
  const { state, customer, feed, rawKey } = now;
  if (now.releasedAt === null || (state !== "parsing" && state !== "parsed")) {
    throw wrongState(`The delivery is “${state}”; only a quarantined one can be released.`, state);
  }
  if (state === "parsing") {
    await waking(() => deps.enqueueParse(parseDeliveryMessage({ customer, feed, correlationId: id, rawKey })));
  }
  return c.json({ delivery: { id, state }, status_url: `/v1/deliveries/${id}` }, 202);
}

export async function releaseFile(call: Call): Promise<Response> {
  const { c, deps, caller } = call;
  const id = idInPath(c, "id");
  const { widen } = readQuery(c, { widen: oneOf(["true", "false"]).default("false") });
  const before = await fileOf(call, id);
  const hold = await holdInQuestion(call, before);
  if (hold !== undefined) return answerDecision(call, hold, widen === "true" ? "widen" : "release");
  if (widen === "true") {
    throw problem("not-releasable", "Only a file that is held for doing too much has limits to widen.", {
      members: { code: before.file.failure?.code ?? null },
    });
  }
  if (before.file.state === "held") {
    refuseUnreleasable(before.file.failure, booksOf(before.file).balanced);
    await deps.db.execute(sql`
      WITH held AS (
        SELECT id, failure FROM ${files} WHERE id = ${id}::bigint AND state = 'held' AND failure->>'code' = ${before.file.failure?.code ?? null} FOR UPDATE),
      released AS (
        UPDATE ${files} f SET state = 'parsed', failure = NULL, released_at = ${deps.now().toISOString()},
          released_by = ${caller.name}, updated_at = now()
        FROM held WHERE f.id = held.id RETURNING f.id, held.failure)
      INSERT INTO ${auditLog} (actor, action, subject, detail)
      SELECT ${caller.name}, 'release', 'file ' || id, jsonb_build_object('failure', failure) FROM released`);
  }
  const { file, names } = await fileOf(call, id);
  const { state } = file;
  if (file.releasedAt === null || !["parsed", "applying", "applied", "compared"].includes(state)) {
    throw wrongState(`The file is “${state}”; only a held one can be released.`, state);
  }
  if (state === "parsed") {
    const rows = file.accepted ?? 0;
    const message = applyFileMessage({ ...names, correlationId: file.deliveryId, fileId: id, rows });
    await waking(() => deps.enqueueApply(message));
  }
  return c.json({ file: { id, state }, status_url: `/v1/files/${id}` }, 202);
}

function refuseUnreleasable(failure: FailureReport | null, balanced: boolean | null): void {
  if (failure !== null && RELEASABLE.has(failure.code) && balanced === true) return;
  const code = failure?.code ?? "no failure";
  const instead = INSTEAD[code] ?? "Find the fault, then replay the delivery.";
  throw problem("not-releasable", `A file held for “${code}” cannot be released. ${instead}`, {
    members: { code },
  });
}

export const wrongState = (detail: string, state: string): Problem =>
  problem("wrong-state", detail, { members: { state } });

/** The row says “released” already: whoever calls again sends the message again. */
export async function waking(send: () => Promise<void>): Promise<void> {
  try {
    await send();
  } catch (thrown) {
    const detail = "It is done, but the queue did not take the message. Call again in a few seconds.";
    throw new Problem("unavailable", detail, { headers: { "Retry-After": "5" } }, asFailure(thrown));
  }
}
