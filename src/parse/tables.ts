/** The parse stage's rows in Postgres. SQL and nothing else; every statement may come again. */
import { type Database, jsonText, storable } from "../platform/postgres.ts";
import type { DeliveryState, FileState, ParseTables } from "./deps.ts";

export function parseTables(database: Database): ParseTables {
  return {
    async beginDelivery(facts, rawKey, feed, refusal) {
      const [row] = await database.query<{ state: DeliveryState }>(
        `INSERT INTO deliveries AS d (id, customer_id, feed_id, door, state, raw_key, raw_bytes, raw_sha256, sender,
                                      sender_proof, subject, message_id, sent_at, received_at, failure, attempts)
         SELECT $1, f.customer_id, f.feed_id, $2, $3, $4, $5::bigint, $6, $7, $8, $9, $10, $11::timestamptz, $12::timestamptz,
                $13::jsonb, 1
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
        ],
      );
      return row!.state;
    },

    async beginFile(facts, feed, file) {
      const [, rows] = await database.transaction([
        {
          text: `DELETE FROM rejects r USING files f WHERE r.file_id = f.id AND f.delivery_id = $1 AND f.position = $2::int
                   AND f.state = 'parsing' AND f.adapter_version <> $3`,
          params: [facts.id, file.position, feed.version],
        },
        {
          text: `INSERT INTO files AS f (delivery_id, position, customer_id, feed_id, path, content_type, state,
                                         adapter_version, as_of, as_of_source, order_key, received_at, attempts)
                 SELECT d.id, $2::int, d.customer_id, d.feed_id, $3, $4, 'parsing', $5, $6::timestamptz, $7, $8::uuid, $9::timestamptz, 1
                 FROM deliveries d WHERE d.id = $1
                 ON CONFLICT (delivery_id, position) DO UPDATE SET attempts = f.attempts + 1, updated_at = now(),
                   adapter_version = CASE WHEN f.state = 'parsing' THEN excluded.adapter_version ELSE f.adapter_version END
                 RETURNING f.id::text AS id, f.state`,
          params: [
            facts.id,
            file.position,
            storable(file.path),
            storable(file.contentType),
            feed.version,
            file.asOf.toISOString(),
            file.asOfSource,
            file.orderKey,
            facts.receivedAt,
          ],
        },
      ]);
      return rows![0] as { id: string; state: FileState };
    },

    async addRejects(fileId, rejects) {
      await database.query(
        `INSERT INTO rejects (file_id, line, position, code, column_name, value, sentence, hint, raw)
         SELECT $1::bigint, r.line, r.position, r.code, r.column_name, r.value, r.sentence, r.hint, r.raw
         FROM jsonb_to_recordset($2::jsonb) AS r(line int, position int, code text, column_name text, value text,
                                                 sentence text, hint text, raw text)
         ON CONFLICT DO NOTHING`,
        [fileId, jsonText(rejects.map(({ column, ...reject }) => ({ ...reject, column_name: column })))],
      );
    },

    async finishFile(fileId, feed, parsed) {
      const { books } = parsed;
      const [row] = await database.query<{ state: FileState }>(
        `WITH done AS (
           UPDATE files SET state = $3, failure = $4::jsonb, chunks = $5::jsonb, bytes = $6::bigint, content_sha256 = $7,
             lines = $8::int, header_lines = $9::int, preamble_lines = $10::int, footer_lines = $11::int,
             blank_lines = $12::int, continuation_lines = $13::int, accepted = $14::int, rejected = $15::int,
             parsed_at = now(), updated_at = now()
           WHERE id = $1::bigint AND state = 'parsing' AND adapter_version = $2
           RETURNING state)
         SELECT state FROM done
         UNION ALL SELECT state FROM files WHERE id = $1::bigint AND NOT EXISTS (SELECT 1 FROM done)`,
        [
          fileId,
          feed.version,
          parsed.failure ? "held" : "parsed",
          parsed.failure ? jsonText(parsed.failure) : null,
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
        ],
      );
      return row!.state;
    },

    async refuseFile(fileId, why) {
      await database.query(
        `UPDATE files SET state = $2, failure = $3::jsonb, parsed_at = now(), updated_at = now()
         WHERE id = $1::bigint AND state = 'parsing'`,
        [fileId, why.disposition === "hold" ? "held" : "rejected", jsonText(why)],
      );
    },

    async finishDelivery(id, payloads, why) {
      await database.query(
        `UPDATE deliveries SET state = $2, failure = $3::jsonb, payloads = $4::jsonb, updated_at = now()
         WHERE id = $1 AND state = 'parsing'`,
        [id, why ? "rejected" : "parsed", why ? jsonText(why) : null, jsonText(payloads)],
      );
    },
  };
}
