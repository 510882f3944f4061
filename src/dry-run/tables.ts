/** What a dry run reads and writes in Postgres. SQL and nothing else; every statement may come again. */
import { failure } from "../domain/failures.ts";
import type { RetirementBar } from "../domain/retirement.ts";
import { type Database, jsonText, type Statement, storable } from "../platform/postgres.ts";
import type { Answer, Asked, DryRunTables, Lacking, ReadLines, StoredRecord } from "./deps.ts";

/** Missing records shown, spread over all of them. */
const SAMPLE_ROWS = 10;
/** Refused rows told in a mail; the others are counted. */
const TOLD_REJECTS = 5;

/** What `isComplete` of the answer says of a delivery, as the database sees it. */
const STILL_OPEN = `(d.state NOT IN ('parsed', 'rejected') OR EXISTS (
  SELECT 1 FROM files o WHERE o.delivery_id = f.delivery_id AND o.id <> f.id AND o.cause = 'dry-run'
    AND o.state IN ('parsing', 'parsed', 'applying', 'dead')))`;

export function dryRunTables(database: Database): DryRunTables {
  return {
    async forget(fileId) {
      await database.query(
        "DELETE FROM ledger l USING files x WHERE x.id = $1::bigint AND x.compare_only AND l.file_id = x.id",
        [fileId],
      );
    },

    async lines(fileId) {
      const [row] = await database.query<ReadLines>(
        `SELECT rejected, compare_only AS "compareOnly" FROM files WHERE id = $1::bigint AND rejected IS NOT NULL`,
        [fileId],
      );
      return row;
    },

    // One statement, so one view of the ledger: what is missing is told from just the rows that are counted here.
    async lacking(fileId) {
      const [row] = await database.query<Omit<Lacking, "bar"> & { readonly bar: RetirementBar | null }>(
        `SELECT m.active, m.missing, m.retired, m.bar, m.sample,
           (SELECT coalesce(sum(l.rows), 0)::int FROM ledger l WHERE l.file_id = $1::bigint) AS planned,
           (SELECT o.id::text FROM holds h JOIN files o ON o.id = h.file_id JOIN files x ON x.id = $1::bigint
            WHERE h.decision IS NULL AND h.later = 'wait' AND o.feed_id = x.feed_id AND o.state = 'held' AND o.cause = 'delivery'
              AND o.order_key < x.order_key
            ORDER BY o.order_key LIMIT 1) AS behind
         FROM missing_records($1::bigint, $2::int) m`,
        [fileId, SAMPLE_ROWS],
      );
      if (row === undefined) throw failure("file-missing", { file: fileId });
      const { bar, ...numbers } = row;
      return bar === null ? numbers : { ...numbers, bar };
    },

    stored: ({ customerId, feedId }, keys) =>
      database.query<StoredRecord>(
        `SELECT r.natural_key AS key, r.status = 'active' AS active, r.data
         FROM unnest(string_to_array($3, E'\\n')) AS k CROSS JOIN LATERAL (
           SELECT x.natural_key, x.status, x.data FROM records x
           WHERE x.customer_id = $1::int AND x.feed_id = $2::int AND x.natural_key = k COLLATE "C" LIMIT 1) r`,
        [customerId, feedId, keys.join("\n")],
      ),

    async askedBy(fileId) {
      const [row] = await database.query<{ delivery: string }>(
        "SELECT delivery_id AS delivery FROM files WHERE id = $1::bigint AND cause = 'dry-run'",
        [fileId],
      );
      return row && asked(database, row.delivery);
    },

    asked: (deliveryId) => asked(database, deliveryId),

    async end(fileId, effect, answer, whileOthers) {
      const answers = await database.transaction([
        // The last of two files that end at the same time sees the other one at its end. Files before deliveries, as everywhere.
        { text: "SELECT FROM files WHERE id = $1::bigint FOR NO KEY UPDATE", params: [fileId] },
        {
          text: "SELECT FROM deliveries WHERE id = (SELECT delivery_id FROM files WHERE id = $1::bigint) FOR NO KEY UPDATE",
          params: [fileId],
        },
        {
          text: `SELECT end_comparison(f.id, $2::jsonb) AS state FROM files f JOIN deliveries d ON d.id = f.delivery_id
                 WHERE f.id = $1::bigint AND (NOT $3::boolean OR ${STILL_OPEN})`,
          params: [fileId, jsonText(effect), whileOthers],
        },
        ...(answer === undefined
          ? []
          : [told(answer, "(SELECT delivery_id FROM files WHERE id = $1::bigint)", fileId)]),
      ]);
      return (answers[2]?.length ?? 0) > 0;
    },

    async answer(deliveryId, answer) {
      const { text, params } = told(answer, "$1", deliveryId);
      await database.query(text, params);
    },
  };
}

const told = ({ key, message, address }: Answer, delivery: string, id: string): Statement => ({
  text: `INSERT INTO notifications (key, recipient, address, customer_id, feed_id, subject, body_text, body_html)
         SELECT $2, $3, $4, d.customer_id, d.feed_id, $5, $6, $7 FROM deliveries d WHERE d.id = ${delivery}
         ON CONFLICT (key) DO NOTHING`,
  params: [
    id,
    key,
    message.recipient,
    address,
    storable(message.subject),
    storable(message.text),
    storable(message.html),
  ],
});

/** Times as ISO text, whatever parsers the driver has at the moment. */
async function asked(database: Database, deliveryId: string): Promise<Asked | undefined> {
  const [row] = await database.query<Asked>(
    `SELECT d.id, c.slug AS customer, c.title AS "customerTitle", f.slug AS feed, f.title AS "feedTitle", d.door, d.sender,
       d.sender_proof AS "senderProof", d.subject, to_json(d.received_at AT TIME ZONE 'UTC') #>> '{}' || 'Z' AS "receivedAt",
       d.state, d.failure,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('id', x.id::text, 'path', x.path, 'feedTitle', o.title, 'state', x.state,
          'failure', x.failure, 'effect', x.comparison,
          'rejected', coalesce(x.rejected, (SELECT count(DISTINCT j.line) FROM rejects j WHERE j.file_id = x.id)), 'rejects',
          (SELECT coalesce(jsonb_agg(jsonb_build_object('line', r.line, 'column', r.column_name, 'value', r.value,
             'sentence', r.sentence, 'hint', r.hint) ORDER BY r.line, r.position), '[]')
           FROM (SELECT * FROM rejects j WHERE j.file_id = x.id ORDER BY j.line, j.position LIMIT $2::int) r)) ORDER BY x.position, x.id), '[]')
        FROM files x JOIN feeds o ON o.id = x.feed_id WHERE x.delivery_id = d.id AND x.cause = 'dry-run') AS files
     FROM deliveries d JOIN customers c ON c.id = d.customer_id JOIN feeds f ON f.id = d.feed_id WHERE d.id = $1`,
    [deliveryId, TOLD_REJECTS],
  );
  return row;
}
