/** Rows as the API shows them. Names are those of the tables; times are ISO 8601 in UTC; ids are text. Pure. */
import type { FailureReport } from "../../domain/failures.ts";
import type { deliveries, files } from "../../platform/schema.ts";
import type { Caller } from "../auth/caller.ts";

type DeliveryRow = typeof deliveries.$inferSelect;
type FileRow = Omit<typeof files.$inferSelect, "chunks" | "plan" | "driftReport" | "comparison">;
interface FeedNames {
  readonly customer: string;
  readonly feed: string;
}

export const iso = (at: Date | null): string | null => at?.toISOString() ?? null;

/** A failure of ours is for us to read: a customer learns that there is one, not how we are built. */
export function presentFailure(caller: Caller, failure: FailureReport | null) {
  if (failure === null) return null;
  const { code, disposition, actor } = failure;
  if (caller.role === "customer" && actor === "us") {
    const sentence = "A fault of ours. We have been told and look after it.";
    return { code, disposition, actor, sentence, hint: "Nothing for you to do." };
  }
  return failure;
}

/** What went wrong at the last attempt, with another one to come: nobody has to do anything. */
function presentTrouble(caller: Caller, failure: FailureReport | null) {
  if (failure === null || caller.role !== "customer" || failure.actor !== "us") return presentFailure(caller, failure);
  const { code, disposition, actor } = failure;
  const sentence = "The last attempt did not come to its end.";
  return { code, disposition, actor, sentence, hint: "Nothing for you to do: it is tried again by itself." };
}

export function presentDelivery(caller: Caller, row: DeliveryRow, names: FeedNames) {
  return {
    id: row.id,
    ...names,
    door: row.door,
    state: row.state,
    sender: row.sender,
    sender_proof: row.senderProof,
    subject: row.subject,
    message_id: row.messageId,
    /** What the id is made of: the same in all of it is the same delivery. Null where it was not kept yet. */
    identity: {
      customer: names.customer,
      recipient: row.recipient,
      message_id: row.messageId,
      body_sha256: row.bodySha256,
    },
    raw_bytes: row.rawBytes,
    raw_sha256: row.rawSha256,
    sent_at: iso(row.sentAt),
    received_at: iso(row.receivedAt),
    released_at: iso(row.releasedAt),
    payloads: row.payloads,
    attempts: row.attempts,
    last_failure: presentTrouble(caller, row.lastFailure),
    next_attempt_at: iso(row.nextAttemptAt),
    failure: presentFailure(caller, row.failure),
    updated_at: iso(row.updatedAt),
  };
}

/** Whether the first number is the sum of the others. */
function addsUp(side: Readonly<Record<string, number | null>>): boolean {
  const [whole, ...parts] = Object.values(side);
  return whole === parts.reduce<number>((total, n) => total + (n ?? 0), 0);
}

/**
 * The books of a file: what became of every line and of every accepted row. `balanced` is null until the lines are
 * counted; then it says whether each side counted so far adds up.
 */
export function booksOf(row: FileRow) {
  const lines =
    row.lines === null
      ? null
      : {
          total: row.lines,
          header: row.headerLines,
          preamble: row.preambleLines,
          footer: row.footerLines,
          blank: row.blankLines,
          continuation: row.continuationLines,
          accepted: row.accepted,
          rejected: row.rejected,
        };
  const records =
    row.inserted === null
      ? null
      : {
          accepted: row.accepted,
          inserted: row.inserted,
          changed: row.changed,
          unchanged: row.unchanged,
          stale: row.stale,
          superseded: row.superseded,
        };
  const balanced = lines === null ? null : addsUp(lines) && (records === null || addsUp(records));
  return { lines, records, balanced };
}

const msBetween = (from: Date | null, to: Date | null): number | null =>
  from === null || to === null ? null : to.getTime() - from.getTime();

/** Milliseconds in each stage, null for one that has not ended; the waits are the time in the queue before it. */
export function timingsOf(row: FileRow) {
  return {
    parse_wait: msBetween(row.receivedAt, row.parseStartedAt),
    parse: msBetween(row.parseStartedAt, row.parsedAt),
    apply_wait: msBetween(row.parsedAt, row.applyStartedAt),
    apply: msBetween(row.applyStartedAt, row.appliedAt),
  };
}

export function presentFile(caller: Caller, row: FileRow, names: FeedNames) {
  return {
    id: row.id,
    ...names,
    delivery_id: row.deliveryId,
    path: row.path,
    content_type: row.contentType,
    bytes: row.bytes,
    content_sha256: row.contentSha256,
    state: row.state,
    /** Why it is there: it came, only asks, was read again, or was made by us. */
    cause: row.cause,
    /** It is compared and never applied. */
    compare_only: row.compareOnly,
    /** False for a file of a full feed that says some records and is silent about the others. */
    complete: row.complete,
    /** The file that says the same, where this one was not applied for that. */
    duplicate_of: row.duplicateOf,
    failure: presentFailure(caller, row.failure),
    books: booksOf(row),
    /** Records that it does not name any more, and that were taken off for it. No row says them, so they are not in the books. */
    retired: row.retired,
    plan_mode: row.planMode,
    adapter_version: row.adapterVersion,
    as_of: iso(row.asOf),
    as_of_source: row.asOfSource,
    sequence: row.sequence,
    /** Its place among the files of its feed: by as-of, then number, then arrival, then place in the delivery. */
    identity: {
      content_sha256: row.contentSha256,
      as_of: iso(row.asOf),
      as_of_source: row.asOfSource,
      as_of_disbelieved: row.asOfDisbelieved,
      sequence: row.sequence,
      received_at: iso(row.receivedAt),
      position: row.position,
      order_key: row.orderKey,
    },
    generated_at: iso(row.generatedAt),
    attempts: row.attempts,
    last_failure: presentTrouble(caller, row.lastFailure),
    next_attempt_at: iso(row.nextAttemptAt),
    received_at: iso(row.receivedAt),
    released_at: iso(row.releasedAt),
    parsed_at: iso(row.parsedAt),
    applied_at: iso(row.appliedAt),
    timings_ms: timingsOf(row),
    /** From arrival to the last record written. */
    latency_ms: msBetween(row.receivedAt, row.appliedAt),
  };
}
