/** Rows for API tests: one small constructor per table, and a world of two customers that must never see each other. */
import { randomBytes } from "node:crypto";
import { newToken } from "../../src/api/tokens.ts";
import { type Adapter, defineFeed } from "../../src/domain/adapter.ts";
import { report } from "../../src/domain/failures.ts";
import { mappingDigest } from "../../src/domain/feed-version.ts";
import { orderKeyOf } from "../../src/domain/ids.ts";
import type { FreshDatabase } from "../support/database.ts";
import { force } from "../support/force-state.ts";

export type Values = Readonly<Record<string, unknown>>;
type Sql = Pick<FreshDatabase, "sql">;

const JSONB = new Set([
  "failure",
  "chunks",
  "plan",
  "message",
  "detail",
  "data",
  "before",
  "after",
  "evidence",
  "drift_report",
  "facts",
  "tripped",
  "telling",
  "widening",
]);

/** Inserts one row and answers its id (as text), or "" for a table without one. */
export async function insert({ sql }: Sql, table: string, values: Values): Promise<string> {
  const names = Object.keys(values);
  const params = names.map((name) => {
    const value = values[name];
    return JSONB.has(name) && value !== null ? JSON.stringify(value) : value;
  });
  const places = names.map((_, i) => `$${i + 1}`).join(", ");
  const [row] = await force(
    sql,
    `WITH made AS (INSERT INTO ${table} (${names.join(", ")}) VALUES (${places}) RETURNING *)
     SELECT to_jsonb(made)->>'id' AS id FROM made`,
    params,
  );
  return String(row?.id ?? "");
}

export const RECEIVED_AT = "2026-11-20T06:00:00.000Z";
const RECEIVED_MS = Date.parse(RECEIVED_AT);
const after = (ms: number) => new Date(RECEIVED_MS + ms).toISOString();

export const deliveryId = (): string => randomBytes(16).toString("hex");

export interface Feed {
  readonly customerId: number;
  readonly feedId: number;
  readonly customer: string;
  readonly feed: string;
}

export async function seedFeed(database: Sql, customer: string, feed = "stock"): Promise<Feed> {
  const customerId = Number(await insert(database, "customers", { slug: customer, title: `${customer} Ltd` }));
  return seedSecondFeed(database, { customerId, customer }, feed);
}

export async function seedSecondFeed(
  database: Sql,
  { customerId, customer }: Pick<Feed, "customerId" | "customer">,
  feed: string,
): Promise<Feed> {
  const values = {
    customer_id: customerId,
    slug: feed,
    title: `${customer} ${feed}`,
    mode: "full",
    adapter_version: "v1",
  };
  return { customerId, customer, feed, feedId: Number(await insert(database, "feeds", values)) };
}

export const seedToken = async (database: Sql, values: Values): Promise<string> => {
  const { token, sha256 } = newToken();
  await insert(database, "api_tokens", { sha256, ...values });
  return token;
};

export async function seedDelivery(database: Sql, feed: Feed, values: Values = {}): Promise<string> {
  return insert(database, "deliveries", {
    id: deliveryId(),
    customer_id: feed.customerId,
    feed_id: feed.feedId,
    door: "mail",
    state: "parsed",
    raw_key: `raw/${feed.customer}/2026/11/20/x.eml`,
    raw_bytes: 1_234,
    raw_sha256: "a".repeat(64),
    sender: `erp@${feed.customer}.example`,
    sender_proof: "dkim=pass",
    subject: `Stock of ${feed.customer}`,
    message_id: `<1@${feed.customer}.example>`,
    sent_at: after(-60_000),
    received_at: RECEIVED_AT,
    ...values,
  });
}

export const quarantined = {
  state: "quarantined",
  failure: report("sender-not-proven", { sender: "x@y.example", policy: "require-dkim", reason: "no signature" }),
};

/** Twelve lines of which ten are rows, one of them rejected. */
export const PARSED_BOOKS = {
  lines: 12,
  header_lines: 1,
  preamble_lines: 0,
  footer_lines: 1,
  blank_lines: 0,
  continuation_lines: 0,
  accepted: 9,
  rejected: 1,
};
export const APPLIED_BOOKS = { inserted: 4, changed: 2, unchanged: 2, stale: 1, superseded: 0 };

export const held = {
  state: "held",
  failure: report("too-many-rejects", { rejected: 1, rows: 10, limit: "5 %" }),
  inserted: null,
  changed: null,
  unchanged: null,
  stale: null,
  superseded: null,
  apply_started_at: null,
  applied_at: null,
};

/** An applied file, unless `values` say otherwise. */
export async function seedFile(database: Sql, feed: Feed, delivery: string, values: Values = {}): Promise<string> {
  const position = typeof values.position === "number" ? values.position : 0;
  return insert(database, "files", {
    delivery_id: delivery,
    position,
    customer_id: feed.customerId,
    feed_id: feed.feedId,
    path: `export.zip/${feed.customer}.csv`,
    content_type: "text/csv",
    bytes: 5_000,
    content_sha256: "b".repeat(64),
    state: "applied",
    adapter_version: "v1",
    as_of: RECEIVED_AT,
    as_of_source: "arrival",
    order_key: orderKeyOf({
      asOfMs: RECEIVED_MS,
      sequence: 0,
      receivedAtMs: RECEIVED_MS,
      position,
      deliveryId: delivery,
    }),
    received_at: RECEIVED_AT,
    parse_started_at: after(100),
    parsed_at: after(350),
    apply_started_at: after(400),
    applied_at: after(1_500),
    ...PARSED_BOOKS,
    ...APPLIED_BOOKS,
    ...values,
  });
}

export const seedReject = (database: Sql, fileId: string, values: Values = {}): Promise<string> =>
  insert(database, "rejects", {
    file_id: fileId,
    line: 7,
    position: 0,
    code: "not-an-integer",
    column_name: "qty",
    value: "many",
    sentence: "“many” in column “qty” is not a whole number.",
    hint: "Write digits only.",
    raw: "A-7;many",
    ...values,
  });

/** A record and its last change. Answers the id of the row. */
export async function seedRecord(
  database: Sql,
  feed: Feed,
  fileId: string,
  key: string,
  data: Values,
): Promise<string> {
  const common = { file_id: fileId, customer_id: feed.customerId, feed_id: feed.feedId, natural_key: key };
  const row_hash = "00000000-0000-0000-0000-00000000000a";
  const order_key = "00000000-0000-0000-0000-00000000000b";
  const id = await insert(database, "records", { ...common, row_hash, order_key, line: 3, data });
  await seedChange(database, feed, fileId, { record_id: id, natural_key: key, after: data });
  return id;
}

export const seedChange = (database: Sql, feed: Feed, fileId: string, values: Values): Promise<string> =>
  insert(database, "changes", {
    file_id: fileId,
    customer_id: feed.customerId,
    feed_id: feed.feedId,
    row_hash: "00000000-0000-0000-0000-00000000000a",
    line: 3,
    version: 1,
    kind: "inserted",
    before: null,
    ...values,
  });

export interface Side extends Feed {
  readonly token: string;
  readonly deliveryId: string;
  readonly quarantinedId: string;
  readonly fileId: string;
  readonly heldId: string;
  readonly key: string;
  readonly letterId: string;
}

export interface World {
  readonly operator: string;
  readonly revoked: string;
  readonly alpha: Side;
  readonly beta: Side;
}

export const WIDENING = { retired: { share: 0.58, minRecords: 10 } };
let nonces = 0;

/** What the gate found. */
export const FACTS = {
  mode: "full",
  records: 12_412,
  rows: 6_655,
  accepted: 6_652,
  rejected: 3,
  otherLines: 1,
  superseded: 0,
  inserted: 4,
  changed: 391,
  unchanged: 6_257,
  stale: 0,
  retired: 5_764,
  numeric: ["stock"],
  fields: [],
  asOfMs: RECEIVED_MS,
  receivedMs: RECEIVED_MS,
};
export const TRIPPED = [
  {
    check: "retired",
    sentence: "5,764 of 12,412 records (46 %) are not in the file any more and would be taken off.",
    evidence: { found: 5_764, expected: null, limit: 0.1 },
  },
];
export const TELLING = [
  { kind: "retired", key: "A-1", field: "stock", before: "888" },
  { kind: "changed", key: "A-2", field: "stock", before: "40", after: "0" },
  { kind: "inserted", key: "A-3", field: "stock", after: "100" },
];

/** A file that only asked, with what it was told. */
export const seedDryRun = async (database: Sql, feed: Feed, values: Values = {}): Promise<string> =>
  seedFile(database, feed, await seedDelivery(database, feed), {
    ...held,
    state: "compared",
    failure: null,
    cause: "dry-run",
    compare_only: true,
    comparison: { verdict: "apply", inserted: 3, examples: [{ kind: "inserted", key: `${feed.customer}-new` }] },
    ...values,
  });

/** A file that the gate holds since the morning, for a week from then. */
export async function seedHold(
  database: Sql,
  feed: Feed,
  values: Values = {},
): Promise<{ readonly fileId: string; readonly holdId: string; readonly nonce: string }> {
  const failure = report("blast-radius", { sentences: TRIPPED.map(({ sentence }) => sentence), tripped: [] });
  const fileId = await seedFile(database, feed, await seedDelivery(database, feed), { ...held, failure });
  const nonce = `nonce${String(++nonces).padStart(15, "0")}`;
  const holdId = await insert(database, "holds", {
    file_id: fileId,
    nonce,
    facts: FACTS,
    tripped: TRIPPED,
    telling: TELLING,
    widening: WIDENING,
    later: "wait",
    held_at: RECEIVED_AT,
    remind_at: after(86_400_000),
    expires_at: after(7 * 86_400_000),
    ...values,
  });
  return { fileId, holdId, nonce };
}

/** A file that waits behind a held one. */
export const seedBehind = async (database: Sql, feed: Feed, file: string): Promise<string> =>
  seedFile(database, feed, await seedDelivery(database, feed), {
    ...held,
    failure: report("behind-held-file", { file }),
    order_key: orderKeyOf({
      asOfMs: RECEIVED_MS + 3_600_000,
      sequence: 0,
      receivedAtMs: RECEIVED_MS + 3_600_000,
      position: 0,
      deliveryId: deliveryId(),
    }),
  });

/** How the files of the seeded feeds are written, as detection would say it. */
export const PROFILE = {
  format: {
    kind: "delimited",
    charset: "utf-8",
    delimiter: ";",
    recordDelimiter: "line",
    quote: '"',
    escape: "doubled",
    preamble: [],
    header: true,
  },
  columns: [{ name: "SKU", reading: {} }],
  answers: [],
};

export const drifted = (name: string) => ({
  state: "held",
  failure: report("format-drift", { cause: "other-delimiter", sentence: `The file of ${name} is written otherwise.` }),
  drift_report: { drift: { cause: "other-delimiter" }, profile: PROFILE, mapping: null, questions: [], faults: [] },
  lines: null,
  header_lines: null,
  preamble_lines: null,
  footer_lines: null,
  blank_lines: null,
  continuation_lines: null,
  accepted: null,
  rejected: null,
  inserted: null,
  changed: null,
  unchanged: null,
  stale: null,
  superseded: null,
  applied_at: null,
});

/** An adapter that leaves the format of its files to detection. */
export const adapterFor = (customer: string, feed: string): Adapter =>
  defineFeed({
    customer,
    customerTitle: customer,
    feed,
    title: feed,
    mode: "full",
    intake: { policy: "trust-address", senders: [`@${customer}.example`] },
    columns: [{ name: "sku", source: { header: "SKU" }, type: "identifier" }],
    key: ["sku"],
  });

/** What `adapterFor` says of the columns. */
const MAPPING = {
  columns: [{ name: "sku", source: { header: "SKU" }, type: "identifier" }],
  key: ["sku"],
};

/** A proposal of detection. */
export const seedVersion = (database: Sql, feed: Feed, values: Values = {}): Promise<string> =>
  insert(database, "feed_versions", {
    feed_id: feed.feedId,
    kind: "profile",
    version: 1,
    state: "proposed",
    base: "digest-of-the-folder",
    data: PROFILE,
    evidence: { questions: [], faults: [] },
    created_by: "detection",
    ...values,
  });

/** Everything of a customer carries its name, so that a test can look for it where it must not be. */
async function seedSide(database: Sql, customer: string): Promise<Side> {
  const feed = await seedFeed(database, customer);
  const token = await seedToken(database, { name: `${customer} shop`, role: "customer", customer_id: feed.customerId });
  const mail = await seedDelivery(database, feed);
  const quarantinedId = await seedDelivery(database, feed, quarantined);
  const fileId = await seedFile(database, feed, mail);
  const heldId = await seedFile(database, feed, mail, { position: 1, ...held });
  await seedReject(database, fileId, { raw: `${customer};many` });
  const key = `${customer}-1`;
  await seedRecord(database, feed, fileId, key, { sku: key, qty: 5 });
  const letterId = await seedLetter(database, feed, mail);
  return { ...feed, token, deliveryId: mail, quarantinedId, fileId, heldId, key, letterId };
}

let letters = 0;

/** A letter about reading a delivery, as far as `values` say nothing else. */
export function seedLetter(
  database: Sql,
  { customer, feed }: Feed,
  mail: string,
  values: Values = {},
): Promise<string> {
  const rawKey = `raw/${customer}`;
  return insert(database, "dead_letters", {
    stage: "parse",
    message_id: `m-${customer}-${letters++}`,
    message: { v: 1, type: "parse-delivery", customer, feed, correlationId: mail, rawKey },
    failure: report("raw-missing", { key: rawKey }),
    customer,
    correlation_id: mail,
    attempts: 5,
    ...values,
  });
}

/** A proposal of detection, a file held for `format-drift` and one for its rejects, and a mail; answers the files' ids. */
let snapshots = 0;

/** A report of drift that waits for a decision, with one row that nothing explains and one that something does. */
export async function seedDrift(database: Sql, feed: Feed): Promise<string> {
  const delivery = await seedDelivery(database, feed);
  const order = { asOfMs: RECEIVED_MS, receivedAtMs: RECEIVED_MS, position: 0, deliveryId: delivery };
  const file = await seedFile(database, feed, delivery, {
    state: "compared",
    order_key: orderKeyOf({ ...order, sequence: ++snapshots }),
  });
  const row = { kind: "missing-here", line: 2, version: null, orderKey: null, fileId: null, fields: [] };
  const key = `${feed.customer}-lost`;
  const [opened] = await database.sql.query(
    `SELECT report::text, (close_drift_report(report, 'waiting', $3, $4)).state
     FROM open_drift_report($1, $2, '{"maxRows": 0, "maxShare": 1}', '{sku}', 1)`,
    [
      file,
      feed.feedId,
      JSON.stringify({
        seal: "hash",
        snapshotRows: 3,
        records: 1,
        missingHere: 2,
        missingThere: 0,
        differs: 0,
        drift: 1,
        explained: { "held-file": 1 },
        reasons: ["1 rows, more than 0"],
      }),
      JSON.stringify([
        { ...row, key, explanation: null, sentence: `“${key}” is in the ERP's list and not here.` },
        { ...row, key: `${key}-2`, explanation: { reason: "held-file", fileId: "9" }, sentence: "It is held." },
      ]),
    ],
  );
  return String(opened?.report);
}

export async function seedFormats(database: Sql, side: Side): Promise<{ driftedId: string; strangeId: string }> {
  const { customer } = side;
  const driftedId = await seedFile(database, side, side.deliveryId, { position: 2, ...drifted(customer) });
  const strangeId = await seedFile(database, side, side.deliveryId, { position: 3, ...held });
  await seedVersion(database, side, { file_id: side.fileId, note: `of ${customer}` });
  const decided = { created_by: "adapter", decided_by: "adapter", decided_at: RECEIVED_AT };
  const mapping = { kind: "mapping", base: mappingDigest(adapterFor(customer, side.feed)), data: MAPPING, ...decided };
  await seedVersion(database, side, { ...mapping, version: 1, state: "retired" });
  await seedVersion(database, side, { ...mapping, version: 2, state: "active" });
  await seedVersion(database, side, { ...decided, version: 2, state: "active" });
  await insert(database, "notifications", {
    key: `format-drift of file ${driftedId}`,
    recipient: "operator",
    customer_id: side.customerId,
    feed_id: side.feedId,
    file_id: driftedId,
    subject: `${customer}/stock: a file does not look as agreed`,
    body_text: customer,
    body_html: customer,
  });
  return { driftedId, strangeId };
}

export async function seed(database: Sql): Promise<World> {
  const alpha = await seedSide(database, "alpha");
  const beta = await seedSide(database, "beta");
  const operator = await seedToken(database, { name: "ops", role: "operator" });
  const revoked = await seedToken(database, { name: "old", role: "operator", revoked_at: RECEIVED_AT });
  return { operator, revoked, alpha, beta };
}
