/** The parse stage's rows in Postgres. SQL and nothing else; every statement may come again. */
import { mergesRecords } from "../domain/column.ts";
import { type FailureCode, failure } from "../domain/failures.ts";
import { type StoredVersion, VERSION_KINDS } from "../domain/feed-version.ts";
import type { DeliveryState, FileState } from "../domain/states.ts";
import { type Database, jsonText, type Row, type Statement, storable } from "../platform/postgres.ts";
import { type AsOf, statedTime } from "./as-of.ts";
import type { JudgedBy, NewVersion, ParseTables, Refusal } from "./deps.ts";
import { REPLAYED } from "./reading.ts";

/** How many files must have something in common before it is expected of the next one. */
const FILES_IN_COMMON = 5;
/** A file that is read longer than this was left by a consumer that died: nothing waits for it. */
const BEING_READ_MINUTES = 5;
const SECONDS_PER_HOUR = 3_600;

export function parseTables(database: Database): ParseTables {
  return {
    async beginDelivery(facts, rawKey, feed, refusal) {
      const [row] = await database.query<{ state: DeliveryState }>(
        `INSERT INTO deliveries AS d (id, customer_id, feed_id, door, state, raw_key, raw_bytes, raw_sha256, sender,
                                      sender_proof, subject, message_id, sent_at, received_at, failure, attempts,
                                      recipient, body_sha256)
         SELECT $1, f.customer_id, f.feed_id, $2, $3, $4, $5::bigint, $6, $7, $8, $9, $10, $11::timestamptz, $12::timestamptz,
                $13::jsonb, 1, $20, $21
         FROM register_feed($14, $15, $16, $17, $18, $19) f
         ON CONFLICT (id) DO UPDATE SET attempts = d.attempts + 1, updated_at = now()
         RETURNING d.state`,
        [
          facts.id,
          facts.door,
          refusal?.state ?? "parsing",
          rawKey,
          facts.bytes,
          facts.sha256,
          storable(facts.sender),
          facts.verdict.kind === "proven" ? facts.verdict.proof : facts.verdict.kind,
          storable(facts.subject),
          storable(facts.messageId),
          facts.sentAt ?? null,
          facts.receivedAt,
          refusal ? jsonText(refusal.failure) : null,
          feed.customer,
          feed.customerTitle,
          feed.feed,
          feed.title,
          feed.mode,
          feed.version,
          storable(facts.recipient),
          facts.bodySha256 ?? null,
        ],
      );
      return row!.state;
    },

    async deliveryState(id) {
      const [row] = await database.query<{ state: DeliveryState }>("SELECT state FROM deliveries WHERE id = $1", [id]);
      return row?.state;
    },

    async versions({ customer, feed }, named = {}) {
      const rows = await database.query<StoredVersion & { state: string | null; newline: boolean | null }>(
        `SELECT v.kind, v.version, v.base, v.data, v.state, l.newline
         FROM feeds f JOIN customers c ON c.id = f.customer_id
         LEFT JOIN feed_versions v ON v.feed_id = f.id
           AND (v.state = 'active' OR (v.state = 'proposed' AND v.created_by = 'detection')
             OR (v.kind, v.version) IN (('profile', $4::int), ('mapping', $5::int)))
         CROSS JOIN LATERAL (
           SELECT bool_and(x.ends_with_newline) AS newline FROM (
             SELECT ends_with_newline FROM files WHERE feed_id = f.id AND state IN ('applied', 'compared') AND cause = 'delivery'
               AND ends_with_newline IS NOT NULL
             ORDER BY order_key DESC LIMIT $3::int) x) l
         WHERE c.slug = $1 AND f.slug = $2`,
        [customer, feed, FILES_IN_COMMON, named.profile ?? null, named.mapping ?? null],
      );
      const wanted = VERSION_KINDS.flatMap((kind) => {
        const version = named[kind];
        if (version === undefined) return [];
        const found = rows.find((row) => row.kind === kind && row.version === version);
        if (found !== undefined) return [found];
        throw failure("version-unreadable", { kind, version, reason: "there is none of this number" });
      });
      const newline = rows[0]?.newline ?? null;
      return {
        active: rows.filter(({ state }) => state === "active"),
        asked: rows.some((row) => row.state === "proposed" && !wanted.includes(row)),
        ...(newline === null ? {} : { expect: { endsWithNewline: newline } }),
        ...(wanted.length === 0 ? {} : { named: wanted }),
      };
    },

    async sequenceBefore(fileId) {
      const [row] = await database.query<{ previous: string | null; being_read: string | null }>(
        `SELECT (SELECT x.sequence FROM files x
                 WHERE x.feed_id = f.feed_id AND x.id <> f.id AND x.cause = 'delivery' AND x.sequence IS NOT NULL
                   AND x.received_at <= f.received_at AND ${HAS_COME}
                 ORDER BY x.order_key DESC LIMIT 1)::text AS previous,
                (SELECT x.id FROM files x
                 WHERE x.feed_id = f.feed_id AND x.cause = 'delivery' AND x.state = 'parsing' AND x.order_key < f.order_key
                   AND x.updated_at > now() - make_interval(mins => $2::int)
                 ORDER BY x.order_key LIMIT 1)::text AS being_read
         FROM files f WHERE f.id = $1::bigint`,
        [fileId, BEING_READ_MINUTES],
      );
      return { previous: row?.previous == null ? null : Number(row.previous), beingRead: row?.being_read ?? null };
    },

    async beginFile(facts, feed, file) {
      const { reading } = file;
      const replayId = reading.cause === "replay" ? reading.replayId : null;
      const [, , rows] = await database.transaction([
        {
          // Who still writes rejects of another version has done so before this, or finds the version changed. The feed's
          // row first, as everywhere.
          text: `SELECT FROM register_feed($3, $4, $5, $6, $7, $8) r CROSS JOIN LATERAL (
                   SELECT FROM files f WHERE f.delivery_id = $1 AND f.position = $2::int AND r.feed_id IS NOT NULL
                     AND f.cause = $9 AND f.replay_id IS NOT DISTINCT FROM $10::bigint
                   FOR NO KEY UPDATE) f`,
          params: [
            facts.id,
            file.position,
            feed.customer,
            feed.customerTitle,
            feed.feed,
            feed.title,
            feed.mode,
            feed.version,
            reading.cause,
            replayId,
          ],
        },
        {
          text: `DELETE FROM rejects r USING files f WHERE r.file_id = f.id AND f.delivery_id = $1 AND f.position = $2::int
                   AND f.state = 'parsing' AND f.adapter_version <> $3 AND f.cause = $4 AND f.replay_id IS NOT DISTINCT FROM $5::bigint`,
          params: [facts.id, file.position, file.adapterVersion, reading.cause, replayId],
        },
        {
          text: `INSERT INTO files AS f (delivery_id, position, customer_id, feed_id, path, content_type, state,
                                         adapter_version, as_of, as_of_source, order_key, received_at, attempts,
                                         as_of_disbelieved, stated_as_of, cause, replay_id, compare_only)
                 SELECT d.id, $2::int, d.customer_id, r.id, $3, $4, 'parsing', $5, $6::timestamptz, $7, $8::uuid, $9::timestamptz, 1,
                   $11::jsonb, $12::timestamptz, $13, $14::bigint, $15::boolean
                 FROM deliveries d JOIN feeds r ON r.customer_id = d.customer_id AND r.slug = $10 WHERE d.id = $1
                   AND ($14::bigint IS NULL OR coalesce(${ORIGINAL_STATE} IN (${REPLAYED.map((state) => `'${state}'`)}), true)
                     OR EXISTS (SELECT FROM files s WHERE s.replay_id = $14::bigint AND s.delivery_id = $1 AND s.position = $2::int))
                 ON CONFLICT (delivery_id, position, cause, replay_id) DO UPDATE SET attempts = f.attempts + 1, updated_at = now(),
                   adapter_version = CASE WHEN f.state = 'parsing' THEN excluded.adapter_version ELSE f.adapter_version END
                 RETURNING f.id::text AS id, f.state, CASE WHEN f.cause = 'replay' THEN ${ORIGINAL_STATE} END AS original`,
          params: [
            facts.id,
            file.position,
            storable(file.path),
            storable(file.contentType),
            file.adapterVersion,
            file.asOf.at.toISOString(),
            file.asOf.source,
            file.orderKey,
            facts.receivedAt,
            feed.feed,
            disbelievedText(file.asOf),
            statedTime(file.asOf),
            reading.cause,
            replayId,
            reading.compareOnly,
          ],
        },
      ]);
      const row = rows![0] as { id: string; state: FileState; original: FileState | null } | undefined;
      // What only came is always there: without its delivery it could not have begun.
      if (row === undefined) return undefined;
      return { id: row.id, state: row.state, ...(row.original === null ? {} : { original: row.original }) };
    },

    async addRejects(fileId, rejects, adapterVersion) {
      await database.query(
        `INSERT INTO rejects (file_id, line, position, code, column_name, value, rule, sentence, hint, raw, natural_key)
         SELECT f.id, r.line, r.position, r.code, r.column_name, r.value, r.rule, r.sentence, r.hint, r.raw, r.natural_key
         FROM (SELECT id FROM files WHERE id = $1::bigint AND state = 'parsing' AND adapter_version = $3 FOR SHARE) f,
              jsonb_to_recordset($2::jsonb) AS r(line int, position int, code text, column_name text, value text, rule text,
                                                 sentence text, hint text, raw text, natural_key text)
         ON CONFLICT DO NOTHING`,
        [
          fileId,
          jsonText(
            rejects.map(({ column, naturalKey, ...reject }) => ({
              ...reject,
              column_name: column,
              natural_key: naturalKey,
            })),
          ),
          adapterVersion,
        ],
      );
    },

    async finishFile(fileId, feed, parsed, refusal, judgedBy) {
      const { books } = parsed;
      const update = {
        text: `WITH twin AS MATERIALIZED (
           SELECT CASE WHEN $24::boolean AND (SELECT cause = 'delivery' FROM files WHERE id = $1::bigint) THEN file_repeated($1::bigint, $19::uuid, $7, $2, $17::bigint, $25::float8) END AS id),
         done AS (
           UPDATE files f SET state = CASE WHEN t.id IS NULL THEN $3 ELSE 'duplicate' END, duplicate_of = t.id,
             failure = CASE WHEN t.id IS NULL THEN $4::jsonb END, chunks = $5::jsonb, bytes = $6::bigint, content_sha256 = $7,
             lines = $8::int, header_lines = $9::int, preamble_lines = $10::int, footer_lines = $11::int,
             blank_lines = $12::int, continuation_lines = $13::int, accepted = $14::int, rejected = $15::int,
             drift_report = $16::jsonb, sequence = $17::bigint, generated_at = $18::timestamptz, order_key = $19::uuid,
             ends_with_newline = $20::boolean, merges = $21::boolean, as_of = coalesce($22::timestamptz, f.as_of),
             as_of_source = coalesce($23, f.as_of_source), as_of_disbelieved = coalesce($26::jsonb, f.as_of_disbelieved),
             stated_as_of = coalesce($28::timestamptz, f.stated_as_of), field_numbers = $29::jsonb, complete = $30::boolean,
             parsed_at = now(), updated_at = now()
           FROM twin t WHERE f.id = $1::bigint AND f.state = 'parsing' AND f.adapter_version = $2
             AND ($27::text IS NULL OR ${activeOf("f")} = $27)
           RETURNING f.state, f.adapter_version)
         SELECT * FROM done
         UNION ALL SELECT state, adapter_version FROM files WHERE id = $1::bigint AND NOT EXISTS (SELECT 1 FROM done)`,
        params: [
          fileId,
          feed.version,
          refusal === undefined ? "parsed" : stateOf(refusal),
          refusal === undefined ? null : jsonText(refusal.failure),
          JSON.stringify(parsed.chunks),
          parsed.bytes,
          parsed.contentSha256,
          books.lines,
          books.header,
          books.preamble,
          books.footer,
          books.blank,
          books.continuation,
          books.accepted,
          books.rejected,
          driftText(refusal),
          parsed.sequence,
          parsed.generatedAt,
          parsed.orderKey,
          parsed.endsWithNewline,
          mergesRecords(feed),
          parsed.asOf?.at.toISOString() ?? null,
          parsed.asOf?.source ?? null,
          feed.duplicateWindowHours > 0 && mayBeDuplicate(refusal),
          feed.duplicateWindowHours * SECONDS_PER_HOUR,
          parsed.asOf === undefined ? null : disbelievedText(parsed.asOf),
          heldFor(refusal, judgedBy),
          parsed.asOf === undefined ? null : statedTime(parsed.asOf),
          JSON.stringify(parsed.fieldNumbers),
          parsed.failure === null || !MAY_LACK_ROWS.has(parsed.failure.code),
        ],
      };
      const before = [...feedFirst(fileId, refusal), alone(fileId)];
      const answers = await database.transaction([...before, update, ...beside(fileId, refusal)]);
      return ended(answers[before.length], judgedBy);
    },

    async refuseFile(fileId, refusal, judgedBy) {
      const update = {
        text: `WITH done AS (
           UPDATE files SET state = $2, failure = $3::jsonb, drift_report = $4::jsonb, parsed_at = now(), updated_at = now()
           WHERE id = $1::bigint AND state = 'parsing' AND adapter_version = $5 AND ($6::text IS NULL OR ${activeOf("files")} = $6)
           RETURNING state, adapter_version)
         SELECT * FROM done
         UNION ALL SELECT state, adapter_version FROM files WHERE id = $1::bigint AND NOT EXISTS (SELECT 1 FROM done)`,
        params: [
          fileId,
          stateOf(refusal),
          jsonText(refusal.failure),
          driftText(refusal),
          judgedBy.adapterVersion,
          heldFor(refusal, judgedBy),
        ],
      };
      const before = [...feedFirst(fileId, refusal), alone(fileId)];
      const answers = await database.transaction([...before, update, ...beside(fileId, refusal)]);
      return ended(answers[before.length], judgedBy);
    },

    async pin(fileId, versions) {
      await database.transaction(
        versions.map(({ kind, base, data }) => ({
          text: `SELECT pin_feed_version(f.feed_id, $2, $3, $4::jsonb, f.id, 'adapter') FROM files f WHERE f.id = $1::bigint`,
          params: [fileId, kind, base, jsonText(data)],
        })),
      );
    },

    async complete(fileId, { kind, version, base }, data) {
      await database.query(
        `SELECT activate_feed_version(f.feed_id, v.kind, v.version, v.base, $5::jsonb, 'first file', NULL)
         FROM files f JOIN feed_versions v ON v.feed_id = f.feed_id
         WHERE f.id = $1::bigint AND v.kind = $2 AND v.version = $3::int AND v.base = $4 AND v.state = 'active'`,
        [fileId, kind, version, base, jsonText(data)],
      );
    },

    async finishDelivery(id, payloads, why) {
      await database.transaction([
        // Whoever sends a file of it back to parse has done so before this, or finds the delivery at its end.
        { text: "SELECT FROM deliveries WHERE id = $1 FOR NO KEY UPDATE", params: [id] },
        {
          text: `UPDATE deliveries SET state = $2, failure = $3::jsonb, payloads = $4::jsonb, updated_at = now()
                 WHERE id = $1 AND state = 'parsing'
                   AND NOT EXISTS (SELECT 1 FROM files WHERE delivery_id = $1 AND state = 'parsing' AND cause IN ('delivery', 'dry-run'))`,
          params: [id, why ? "rejected" : "parsed", why ? jsonText(why) : null, jsonText(payloads)],
        },
      ]);
    },
  };
}

/** What a file is held for whose end is missing, or may be: whoever lets it go has its rows applied, and none retired for it. */
const MAY_LACK_ROWS: ReadonlySet<FailureCode> = new Set([
  "file-truncated",
  "row-count-differs",
  "control-total-differs",
  "control-missing",
]);

/** What is held because of its number may be the file of that number once more; all other questions must be answered. */
const mayBeDuplicate = (refusal: Refusal | undefined): boolean =>
  refusal === undefined || ["sequence-repeated", "sequence-reset"].includes(refusal.failure.code);

const disbelievedText = ({ disbelieved }: AsOf): string | null =>
  disbelieved === undefined ? null : jsonText(disbelieved);

const stateOf = ({ failure, final }: Refusal): FileState =>
  failure.disposition === "hold" && final !== true ? "held" : "rejected";

/** The file that came of the payload that is to be inserted: as a file of the same feed, or it was another file. */
const ORIGINAL_STATE = `(SELECT o.state FROM files o JOIN feeds p ON p.id = o.feed_id
  WHERE o.delivery_id = $1 AND o.position = $2::int AND o.cause = 'delivery' AND p.slug = $10)`;

/**
 * A file whose number counts for the one behind it: parse has let it go on, whatever became of it later. One that waits for the
 * gate's decision, or was refused by it, is not missing.
 */
const HAS_COME = `(x.state IN ('parsed', 'applying', 'applied', 'compared')
  OR x.state <> 'parsing' AND (x.apply_started_at IS NOT NULL OR x.failure->>'code' = 'snapshot-incomparable'))`;

/** The active versions of a file's feed: as `activeText` writes them. */
const activeOf = (files: "f" | "files"): string =>
  `(SELECT coalesce(string_agg(v.kind || ' ' || v.version, ',' ORDER BY v.kind COLLATE "C"), '') FROM feed_versions v
    WHERE v.feed_id = ${files}.feed_id AND v.state = 'active')`;

/** A hold waits for a decision; it must not stand on versions about which the decision has fallen already. */
const heldFor = (refusal: Refusal | undefined, { active }: JudgedBy): string | null =>
  refusal !== undefined && stateOf(refusal) === "held" ? active : null;

/** Decisions about a feed lock its row before its files: who holds a file, or asks about its feed, does the same. */
const feedFirst = (fileId: string, refusal: Refusal | undefined): Statement[] =>
  refusal === undefined
    ? []
    : [
        {
          text: "SELECT FROM feeds WHERE id = (SELECT feed_id FROM files WHERE id = $1::bigint) FOR NO KEY UPDATE",
          params: [fileId],
        },
      ];

/**
 * Ends of the feed's files are written one after the other, since one may make a duplicate of another one, or open it again.
 * A statement of its own, so that the next one sees what others decided before; ahead of the file's row, as everywhere.
 */
const alone = (fileId: string): Statement => ({
  text: "SELECT decide_alone(feed_id) FROM files WHERE id = $1::bigint",
  params: [fileId],
});

/** The state a file is in now. Throws `database-conflict` (serialization failure) where its end was not written, and is to be. */
function ended(rows: Row[] | undefined, { adapterVersion }: JudgedBy): FileState {
  const row = rows?.[0] as { state: FileState; adapter_version: string } | undefined;
  if (row === undefined || (row.state === "parsing" && row.adapter_version === adapterVersion)) {
    throw failure("database-conflict", { sqlstate: "40001" });
  }
  return row.state;
}

const driftText = (refusal: Refusal | undefined): string | null =>
  refusal?.driftReport === undefined ? null : jsonText(refusal.driftReport);

/** What is stored with the end of a file: proposals where nobody is asked yet, and a mail that is written once. */
function beside(fileId: string, refusal: Refusal | undefined): Statement[] {
  const { proposals = [], message, failure } = refusal ?? {};
  const statements = proposals.map((version) => proposal(fileId, version));
  if (message === undefined || failure === undefined) return statements;
  return [
    ...statements,
    {
      text: `INSERT INTO notifications (key, recipient, customer_id, feed_id, file_id, subject, body_text, body_html)
             SELECT $2, $3, f.customer_id, f.feed_id, f.id, $4, $5, $6 FROM files f WHERE f.id = $1::bigint AND f.state = 'held'
               AND (NOT $7::boolean OR EXISTS (SELECT 1 FROM feed_versions v WHERE v.file_id = f.id AND v.state = 'proposed'))
             ON CONFLICT (key) DO NOTHING`,
      params: [
        fileId,
        `${failure.code} of file ${fileId}`,
        message.recipient,
        storable(message.subject),
        storable(message.text),
        storable(message.html),
        // Only the file whose proposal stands is told of.
        proposals.length > 0,
      ],
    },
  ];
}

const proposal = (fileId: string, { kind, base, data, evidence = {} }: NewVersion): Statement => ({
  text: `SELECT add_feed_version(f.feed_id, $2, $3, $4::jsonb, $5::jsonb, '[]', f.id, 'detection', NULL) FROM files f
         WHERE f.id = $1::bigint AND f.state = 'held' AND NOT EXISTS (
           SELECT 1 FROM feed_versions v
           WHERE v.feed_id = f.feed_id AND v.kind = $2 AND v.state = 'proposed' AND v.created_by = 'detection')`,
  params: [fileId, kind, base, jsonText(data), jsonText(evidence)],
});
