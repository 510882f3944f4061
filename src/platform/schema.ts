/**
 * The tables as Drizzle sees them. The truth is the SQL in `migrations/`; a test compares the two column by column, so
 * what stands here is only what queries need: names, types and nullability, not checks, indexes or collations.
 *
 * bigint ids are text throughout: they are names, not numbers, and JSON readers lose numbers beyond 2^53.
 */
import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  customType,
  integer,
  jsonb,
  pgEnum,
  pgTable,
  primaryKey,
  text,
  timestamp,
  unique,
  uuid,
} from "drizzle-orm/pg-core";
import type { ChunkEntry } from "../domain/chunk.ts";
import type { FailureReport } from "../domain/failures.ts";
import { VERSION_KINDS } from "../domain/feed-version.ts";
import type { FieldNumbers } from "../domain/field-numbers.ts";
import { statesOf } from "../domain/states.ts";

/** A bigint that is a name (an id): text on our side, as the driver delivers it. */
const bigintText = customType<{ data: string; driverData: string }>({ dataType: () => "bigint" });
/** The same where the database makes the value. Drizzle never sends the default; it only marks inserts as complete without. */
const bigintIdentity = (name: string) => bigintText(name).notNull().default(sql`GENERATED ALWAYS AS IDENTITY`);
/** A generated column: nobody writes it. */
const MADE_BY_THE_TABLE = sql`GENERATED ALWAYS AS`;
/** 128 bits as text of zeroes and ones. */
const bits = customType<{ data: string; driverData: string }>({ dataType: () => "bit(128)" });
const at = (name: string) => timestamp(name, { withTimezone: true });
/** A count of bytes: bigint in the table, but no file comes near 2^53. */
const byteCount = (name: string) => bigint(name, { mode: "number" });

export const DELIVERY_STATES = statesOf("delivery");
export const FILE_STATES = statesOf("file");
export const DEAD_LETTER_STATES = statesOf("deadLetter");
/** Why a file is there. Only one of a delivery came to be applied. */
export const FILE_CAUSES = ["delivery", "dry-run", "replay", "reconcile", "restore"] as const;
export const RECORD_STATUSES = ["active", "retired"] as const;
export const NOTIFICATION_STATES = statesOf("notification");
export const CHANGE_KINDS = ["inserted", "changed", "retired", "restored"] as const;

/** What was found in a delivery, and whether it was read as a file of the feed. */
export interface DeliveryPayload {
  readonly path: string;
  readonly format: string;
  readonly role: string;
  readonly taken: boolean;
}

export const customers = pgTable("customers", {
  id: integer("id").primaryKey().generatedAlwaysAsIdentity(),
  slug: text("slug").notNull().unique(),
  title: text("title").notNull(),
  createdAt: at("created_at").notNull().defaultNow(),
});

export const feeds = pgTable(
  "feeds",
  {
    id: integer("id").primaryKey().generatedAlwaysAsIdentity(),
    customerId: integer("customer_id").notNull(),
    slug: text("slug").notNull(),
    title: text("title").notNull(),
    mode: text("mode", { enum: ["full", "delta", "snapshot"] }).notNull(),
    adapterVersion: text("adapter_version").notNull(),
    activeFileId: bigintText("active_file_id"),
    leaseToken: uuid("lease_token"),
    leaseUntil: at("lease_until"),
    createdAt: at("created_at").notNull().defaultNow(),
    forgottenTo: uuid("forgotten_to"),
    gateWidening: jsonb("gate_widening").$type<unknown>().notNull().default({}),
  },
  (t) => [unique().on(t.customerId, t.slug)],
);

export const deliveries = pgTable("deliveries", {
  id: text("id").primaryKey(),
  customerId: integer("customer_id").notNull(),
  feedId: integer("feed_id").notNull(),
  door: text("door", { enum: ["mail", "upload", "restore"] }).notNull(),
  state: text("state", { enum: DELIVERY_STATES }).notNull(),
  rawKey: text("raw_key").notNull(),
  recipient: text("recipient"),
  bodySha256: text("body_sha256"),
  rawBytes: byteCount("raw_bytes").notNull(),
  rawSha256: text("raw_sha256").notNull(),
  sender: text("sender").notNull(),
  senderProof: text("sender_proof").notNull(),
  subject: text("subject"),
  messageId: text("message_id"),
  sentAt: at("sent_at"),
  receivedAt: at("received_at").notNull(),
  releasedAt: at("released_at"),
  releasedBy: text("released_by"),
  payloads: jsonb("payloads").$type<readonly DeliveryPayload[]>().notNull().default([]),
  failure: jsonb("failure").$type<FailureReport>(),
  attempts: integer("attempts").notNull().default(0),
  createdAt: at("created_at").notNull().defaultNow(),
  updatedAt: at("updated_at").notNull().defaultNow(),
  lastFailure: jsonb("last_failure").$type<FailureReport>(),
  nextAttemptAt: at("next_attempt_at"),
  wakes: integer("wakes").notNull().default(0),
  wokenAt: at("woken_at"),
  rawRemovedAt: at("raw_removed_at"),
});

export const files = pgTable(
  "files",
  {
    id: bigintIdentity("id").primaryKey(),
    deliveryId: text("delivery_id").notNull(),
    position: integer("position").notNull(),
    customerId: integer("customer_id").notNull(),
    feedId: integer("feed_id").notNull(),
    path: text("path").notNull(),
    contentType: text("content_type").notNull(),
    bytes: byteCount("bytes"),
    contentSha256: text("content_sha256"),
    state: text("state", { enum: FILE_STATES }).notNull(),
    failure: jsonb("failure").$type<FailureReport>(),
    adapterVersion: text("adapter_version").notNull(),
    asOf: at("as_of").notNull(),
    asOfSource: text("as_of_source").notNull(),
    orderKey: uuid("order_key").notNull(),
    chunks: jsonb("chunks").$type<readonly ChunkEntry[]>().notNull().default([]),
    lines: integer("lines"),
    headerLines: integer("header_lines"),
    preambleLines: integer("preamble_lines"),
    footerLines: integer("footer_lines"),
    blankLines: integer("blank_lines"),
    continuationLines: integer("continuation_lines"),
    accepted: integer("accepted"),
    rejected: integer("rejected"),
    inserted: integer("inserted"),
    changed: integer("changed"),
    unchanged: integer("unchanged"),
    stale: integer("stale"),
    superseded: integer("superseded"),
    planMode: text("plan_mode", { enum: ["whole", "diff"] }),
    plan: jsonb("plan").$type<unknown>(),
    booksOf: uuid("books_of"),
    attempts: integer("attempts").notNull().default(0),
    releasedAt: at("released_at"),
    releasedBy: text("released_by"),
    receivedAt: at("received_at").notNull(),
    parseStartedAt: at("parse_started_at").notNull().defaultNow(),
    parsedAt: at("parsed_at"),
    applyStartedAt: at("apply_started_at"),
    appliedAt: at("applied_at"),
    updatedAt: at("updated_at").notNull().defaultNow(),
    merges: boolean("merges").notNull().default(false),
    sequence: bigintText("sequence"),
    generatedAt: at("generated_at"),
    endsWithNewline: boolean("ends_with_newline"),
    driftReport: jsonb("drift_report").$type<unknown>(),
    lastFailure: jsonb("last_failure").$type<FailureReport>(),
    nextAttemptAt: at("next_attempt_at"),
    duplicateOf: bigintText("duplicate_of"),
    asOfDisbelieved: jsonb("as_of_disbelieved").$type<{ readonly from: string; readonly read: string }>(),
    wakes: integer("wakes").notNull().default(0),
    wokenAt: at("woken_at"),
    chunksRemovedAt: at("chunks_removed_at"),
    rejectsRemovedAt: at("rejects_removed_at"),
    cause: text("cause", { enum: FILE_CAUSES }).notNull().default("delivery"),
    compareOnly: boolean("compare_only").notNull().default(false),
    complete: boolean("complete").notNull().default(true),
    replayId: bigintText("replay_id"),
    comparison: jsonb("comparison").$type<unknown>(),
    retired: integer("retired"),
    fieldNumbers: jsonb("field_numbers").$type<Readonly<Record<string, FieldNumbers>>>(),
    statedAsOf: at("stated_as_of"),
    recordsBefore: integer("records_before"),
    gate: jsonb("gate").$type<unknown>(),
  },
  (t) => [unique().on(t.deliveryId, t.position, t.cause, t.replayId)],
);

export const feedVersions = pgTable(
  "feed_versions",
  {
    feedId: integer("feed_id").notNull(),
    kind: text("kind", { enum: VERSION_KINDS }).notNull(),
    version: integer("version").notNull(),
    state: text("state", { enum: statesOf("feedVersion") }).notNull(),
    base: text("base").notNull(),
    data: jsonb("data").$type<unknown>().notNull(),
    evidence: jsonb("evidence").$type<unknown>().notNull().default({}),
    cases: jsonb("cases").$type<unknown>().notNull().default([]),
    fileId: bigintText("file_id"),
    note: text("note"),
    createdAt: at("created_at").notNull().defaultNow(),
    createdBy: text("created_by").notNull(),
    decidedAt: at("decided_at"),
    decidedBy: text("decided_by"),
  },
  (t) => [primaryKey({ columns: [t.feedId, t.kind, t.version] })],
);

export const notifications = pgTable("notifications", {
  id: bigintIdentity("id").primaryKey(),
  key: text("key").notNull().unique(),
  recipient: text("recipient", { enum: ["operator", "contact"] }).notNull(),
  customerId: integer("customer_id").notNull(),
  feedId: integer("feed_id").notNull(),
  fileId: bigintText("file_id"),
  subject: text("subject").notNull(),
  bodyText: text("body_text").notNull(),
  bodyHtml: text("body_html").notNull(),
  state: text("state", { enum: NOTIFICATION_STATES }).notNull().default("waiting"),
  attempts: integer("attempts").notNull().default(0),
  claimedAt: at("claimed_at"),
  sentTo: text("sent_to"),
  error: text("error"),
  createdAt: at("created_at").notNull().defaultNow(),
  sentAt: at("sent_at"),
  address: text("address"),
});

export const rejects = pgTable(
  "rejects",
  {
    fileId: bigintText("file_id").notNull(),
    line: integer("line").notNull(),
    position: integer("position").notNull(),
    code: text("code").notNull(),
    columnName: text("column_name"),
    value: text("value"),
    sentence: text("sentence").notNull(),
    hint: text("hint").notNull(),
    raw: text("raw").notNull(),
    rule: text("rule"),
    naturalKey: text("natural_key"),
  },
  (t) => [primaryKey({ columns: [t.fileId, t.line, t.position] })],
);

export const deadLetters = pgTable("dead_letters", {
  id: bigintIdentity("id").primaryKey(),
  stage: text("stage", { enum: ["parse", "apply"] }).notNull(),
  messageId: text("message_id").notNull().unique(),
  message: jsonb("message").$type<unknown>().notNull(),
  failure: jsonb("failure").$type<FailureReport>().notNull(),
  customer: text("customer"),
  correlationId: text("correlation_id"),
  attempts: integer("attempts").notNull(),
  state: text("state", { enum: DEAD_LETTER_STATES }).notNull().default("open"),
  firstAt: at("first_at").notNull().defaultNow(),
  lastAt: at("last_at").notNull().defaultNow(),
  cause: text("cause").notNull().default(MADE_BY_THE_TABLE),
  feed: text("feed").default(MADE_BY_THE_TABLE),
  fileId: bigintText("file_id").default(MADE_BY_THE_TABLE),
  redriveOf: bigintText("redrive_of"),
  decidedAt: at("decided_at"),
  decidedBy: text("decided_by"),
  reason: text("reason"),
  sendingSince: at("sending_since"),
});

export const fixedCauses = pgTable("fixed_causes", {
  cause: text("cause").primaryKey(),
  markedAt: at("marked_at").notNull(),
  markedBy: text("marked_by").notNull(),
  note: text("note"),
});

export const ALERT_SEVERITIES = ["warning", "critical"] as const;

export const alerts = pgTable("alerts", {
  id: bigintIdentity("id").primaryKey(),
  kind: text("kind").notNull(),
  subject: text("subject").notNull(),
  severity: text("severity", { enum: ALERT_SEVERITIES }).notNull(),
  detail: text("detail").notNull(),
  firstAt: at("first_at").notNull().defaultNow(),
  lastAt: at("last_at").notNull().defaultNow(),
  times: integer("times").notNull().default(1),
  clearedAt: at("cleared_at"),
});

export const apiTokens = pgTable("api_tokens", {
  id: bigintIdentity("id").primaryKey(),
  name: text("name").notNull(),
  sha256: text("sha256").notNull().unique(),
  role: text("role", { enum: ["operator", "customer"] }).notNull(),
  customerId: integer("customer_id"),
  createdAt: at("created_at").notNull().defaultNow(),
  revokedAt: at("revoked_at"),
});

export const auditLog = pgTable("audit_log", {
  id: bigintIdentity("id").primaryKey(),
  at: at("at").notNull().defaultNow(),
  actor: text("actor").notNull(),
  action: text("action").notNull(),
  subject: text("subject").notNull(),
  detail: jsonb("detail").$type<unknown>().notNull().default({}),
});

export const records = pgTable(
  "records",
  {
    id: bigintIdentity("id"),
    orderKey: uuid("order_key").notNull(),
    rowHash: uuid("row_hash").notNull(),
    fileId: bigintText("file_id").notNull(),
    firstSeenAt: at("first_seen_at").notNull().defaultNow(),
    updatedAt: at("updated_at").notNull().defaultNow(),
    customerId: integer("customer_id").notNull(),
    feedId: integer("feed_id").notNull(),
    line: integer("line").notNull(),
    version: integer("version").notNull().default(1),
    status: text("status", { enum: RECORD_STATUSES }).notNull().default("active"),
    naturalKey: text("natural_key").notNull(),
    data: jsonb("data").$type<unknown>().notNull(),
  },
  (t) => [primaryKey({ columns: [t.customerId, t.feedId, t.naturalKey] })],
);

export const changeKind = pgEnum("change_kind", CHANGE_KINDS);

export const changes = pgTable("changes", {
  id: bigintIdentity("id"),
  createdAt: at("created_at").notNull().defaultNow(),
  recordId: bigintText("record_id").notNull(),
  fileId: bigintText("file_id").notNull(),
  rowHash: uuid("row_hash").notNull(),
  customerId: integer("customer_id").notNull(),
  feedId: integer("feed_id").notNull(),
  line: integer("line").notNull(),
  version: integer("version").notNull(),
  kind: changeKind("kind").notNull(),
  naturalKey: text("natural_key").notNull(),
  before: jsonb("before").$type<unknown>(),
  after: jsonb("after").$type<unknown>(),
});

export const ledger = pgTable(
  "ledger",
  {
    fileId: bigintText("file_id").notNull(),
    chunkKey: uuid("chunk_key").notNull(),
    rows: integer("rows").notNull(),
    inserted: integer("inserted").notNull(),
    changed: integer("changed").notNull(),
    unchanged: integer("unchanged").notNull(),
    stale: integer("stale").notNull(),
    need: integer("need").array().notNull().default([]),
    needNew: integer("need_new").notNull().default(0),
    settledAt: at("settled_at").notNull().defaultNow(),
    known: bigintText("known").array().notNull().default([]),
    retired: integer("retired").notNull().default(0),
  },
  (t) => [primaryKey({ columns: [t.fileId, t.chunkKey] })],
);

export const seen = pgTable(
  "seen",
  {
    feedId: integer("feed_id").notNull(),
    orderKey: uuid("order_key").notNull(),
    fileId: bigintText("file_id").notNull(),
    chunkKey: uuid("chunk_key").notNull(),
    seenAt: at("seen_at").notNull().defaultNow(),
    recordIds: bigintText("record_ids").array().notNull(),
  },
  (t) => [primaryKey({ columns: [t.feedId, t.orderKey, t.fileId, t.chunkKey] })],
);

export const jobs = pgTable("jobs", {
  name: text("name").primaryKey(),
  leaseToken: uuid("lease_token"),
  leaseUntil: at("lease_until"),
  lastStartedAt: at("last_started_at").notNull(),
  lastOkAt: at("last_ok_at"),
  progress: jsonb("progress").$type<unknown>(),
  result: jsonb("result").$type<Readonly<Record<string, unknown>>>().notNull().default({}),
  error: text("error"),
});

export const strays = pgTable("strays", {
  rawKey: text("raw_key").primaryKey(),
  deliveryId: text("delivery_id").notNull(),
  customer: text("customer").notNull(),
  foundAt: at("found_at").notNull(),
  wakes: integer("wakes").notNull().default(0),
  wokenAt: at("woken_at"),
});

export const HOLD_DECISIONS = ["release", "widen", "reject", "expire", "supersede"] as const;

export const holds = pgTable("holds", {
  id: bigintIdentity("id").primaryKey(),
  fileId: bigintText("file_id").notNull(),
  nonce: text("nonce").notNull().unique(),
  facts: jsonb("facts").$type<unknown>().notNull(),
  tripped: jsonb("tripped").$type<unknown>().notNull(),
  telling: jsonb("telling").$type<unknown>().notNull(),
  widening: jsonb("widening").$type<unknown>().notNull().default({}),
  later: text("later", { enum: ["wait", "supersede"] }).notNull(),
  heldAt: at("held_at").notNull().defaultNow(),
  remindAt: at("remind_at"),
  expiresAt: at("expires_at").notNull(),
  decision: text("decision", { enum: HOLD_DECISIONS }),
  decidedAt: at("decided_at"),
  decidedBy: text("decided_by"),
});

export const listedRetirements = pgTable(
  "listed_retirements",
  {
    fileId: bigintText("file_id").notNull(),
    n: integer("n").notNull(),
    naturalKey: text("natural_key").notNull(),
    recordId: bigintText("record_id").notNull(),
    version: integer("version").notNull(),
  },
  (t) => [primaryKey({ columns: [t.fileId, t.n] })],
);

export const DRIFT_STATES = statesOf("driftReport");

export const driftReports = pgTable(
  "drift_reports",
  {
    id: bigintIdentity("id").primaryKey(),
    fileId: bigintText("file_id").notNull(),
    customerId: integer("customer_id").notNull(),
    feedId: integer("feed_id").notNull(),
    snapshotFeedId: integer("snapshot_feed_id").notNull(),
    orderKey: uuid("order_key").notNull(),
    asOf: at("as_of").notNull(),
    state: text("state", { enum: DRIFT_STATES }).notNull().default("open"),
    limits: jsonb("limits").$type<unknown>().notNull(),
    seal: text("seal"),
    fields: text("fields").array().notNull(),
    snapshotRows: integer("snapshot_rows"),
    records: integer("records"),
    missingHere: integer("missing_here"),
    missingThere: integer("missing_there"),
    differs: integer("differs"),
    drift: integer("drift"),
    explained: jsonb("explained").$type<Readonly<Record<string, number>>>().notNull().default({}),
    reasons: text("reasons").array().notNull().default([]),
    healingFileId: bigintText("healing_file_id"),
    createdAt: at("created_at").notNull().defaultNow(),
    comparedAt: at("compared_at"),
    decidedAt: at("decided_at"),
    decidedBy: text("decided_by"),
    healedAt: at("healed_at"),
    run: integer("run").notNull().default(1),
    toldAt: at("told_at"),
    attempts: integer("attempts").notNull().default(0),
    touchedAt: at("touched_at").notNull().defaultNow(),
    note: text("note"),
  },
  (t) => [unique().on(t.fileId, t.run)],
);

export const driftRows = pgTable(
  "drift_rows",
  {
    reportId: bigintText("report_id").notNull(),
    n: integer("n").notNull(),
    kind: text("kind").notNull(),
    naturalKey: text("natural_key").notNull(),
    line: integer("line"),
    version: integer("version"),
    orderKey: uuid("order_key"),
    ourFileId: bigintText("our_file_id"),
    fields: jsonb("fields").$type<unknown>().notNull(),
    explanation: jsonb("explanation").$type<unknown>(),
    sentence: text("sentence").notNull(),
  },
  (t) => [primaryKey({ columns: [t.reportId, t.n] })],
);

export const replays = pgTable("replays", {
  id: bigintIdentity("id").primaryKey(),
  state: text("state", { enum: statesOf("replay") })
    .notNull()
    .default("collecting"),
  customer: text("customer"),
  feed: text("feed"),
  since: at("since"),
  rawKeys: text("raw_keys").array(),
  shadow: boolean("shadow").notNull(),
  profile: integer("profile"),
  mapping: integer("mapping"),
  gate: text("gate", { enum: ["judge", "pass"] }).notNull(),
  collected: jsonb("collected").$type<unknown>(),
  lanes: text("lanes").array().notNull().default([]),
  failure: jsonb("failure").$type<FailureReport>(),
  createdAt: at("created_at").notNull().defaultNow(),
  createdBy: text("created_by").notNull(),
  runningSince: at("running_since"),
  runningBytes: byteCount("running_bytes").notNull().default(0),
  endedAt: at("ended_at"),
});

export const replayItems = pgTable(
  "replay_items",
  {
    replayId: bigintText("replay_id").notNull(),
    deliveryId: text("delivery_id").notNull(),
    customer: text("customer").notNull(),
    feed: text("feed").notNull(),
    lane: text("lane").notNull(),
    asOf: at("as_of").notNull(),
    receivedAt: at("received_at").notNull(),
    rawKey: text("raw_key").notNull(),
    rawBytes: byteCount("raw_bytes").notNull(),
    state: text("state", { enum: statesOf("replayItem") }).notNull(),
    reason: text("reason"),
    fresh: boolean("fresh"),
    sentAt: at("sent_at"),
    readAt: at("read_at"),
    wokenAt: at("woken_at"),
    wakes: integer("wakes").notNull().default(0),
    files: integer("files"),
    held: integer("held"),
    rejected: integer("rejected"),
    dead: integer("dead"),
    accepted: integer("accepted"),
    inserted: integer("inserted"),
    changed: integer("changed"),
    unchanged: integer("unchanged"),
    stale: integer("stale"),
    superseded: integer("superseded"),
    retired: integer("retired"),
  },
  (t) => [primaryKey({ columns: [t.replayId, t.deliveryId] })],
);

export const forgotten = pgTable("forgotten", {
  what: text("what", { enum: ["changes"] }).primaryKey(),
  upto: at("upto").notNull(),
});

export const restores = pgTable(
  "restores",
  {
    id: bigintIdentity("id").primaryKey(),
    request: text("request").notNull(),
    customerId: integer("customer_id").notNull(),
    feedId: integer("feed_id").notNull(),
    restoreTo: at("restore_to").notNull(),
    saidAt: at("said_at").notNull(),
    asOf: at("as_of").notNull(),
    askedBy: text("asked_by").notNull(),
  },
  (t) => [unique().on(t.feedId, t.request)],
);

export const restoreParts = pgTable(
  "restore_parts",
  {
    restoreId: bigintText("restore_id").notNull(),
    n: integer("n").notNull(),
    fileId: bigintText("file_id").notNull().unique(),
    afterKey: text("after_key").notNull(),
    uptoKey: text("upto_key"),
    sum: bits("sum").notNull(),
    rows: integer("rows").notNull(),
    madeAt: at("made_at"),
  },
  (t) => [primaryKey({ columns: [t.restoreId, t.n] })],
);
