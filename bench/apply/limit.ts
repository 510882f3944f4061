/**
 * The yardstick: what a session of its own could do at best. COPY into a staging table, then one set-based statement with
 * the same semantics (guard, changes with before and after, ledger, touch), with fresh statistics and a free planner.
 */
import pg from "pg";
import type { Chunk } from "../../src/domain/chunk.ts";

/** The part of pg's connection that COPY FROM STDIN needs; its types leave it out. */
interface CopyConnection {
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

class CopyIn extends pg.Query {
  readonly #pieces: readonly Buffer[];

  constructor(text: string, pieces: readonly Buffer[]) {
    super(text);
    this.#pieces = pieces;
  }

  handleCopyInResponse(connection: CopyConnection): void {
    for (const piece of this.#pieces) connection.sendCopyFromChunk(piece);
    connection.endCopyFrom();
  }
}

function copyIn(client: pg.Client, text: string, pieces: readonly Buffer[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const query = new CopyIn(text, pieces);
    query.on("end", () => resolve());
    query.on("error", reject);
    client.query(query);
  });
}

/** A file in COPY's text format, in `parts` parts. Made outside the measured time. */
export function copyText(chunks: readonly Chunk[], parts: number): Buffer[][] {
  const out: Buffer[][] = Array.from({ length: parts }, () => []);
  const perPart = Math.ceil(chunks.length / parts);
  for (const [n, chunk] of chunks.entries()) {
    const lines = chunk.keys.map(
      (key, i) => `${key}\t${chunk.lines[i]}\t${chunk.hashes[i]}\t${chunk.records[i]!.replaceAll("\\", "\\\\")}\n`,
    );
    out[Math.floor(n / perPart)]!.push(Buffer.from(lines.join("")));
  }
  return out;
}

/** `text` parses the JSON of rows that differ only, `jsonb` that of all rows: the faster one is the yardstick. */
export type StageType = "text" | "jsonb";

export interface LimitFile {
  readonly customerId: number;
  readonly feedId: number;
  readonly fileId: string;
  readonly orderKey: string;
}

const APPLY = `
WITH cur AS MATERIALIZED (
  SELECT s.k, s.n, s.h, s.d, r.id, r.row_hash, (r.order_key, r.line) <= ($3::uuid, s.n) AS open
  FROM (SELECT DISTINCT ON (k) k, n, h, d FROM stage ORDER BY k, n DESC) s
  LEFT JOIN records r ON r.customer_id = $1::int AND r.feed_id = $2::int AND r.natural_key = s.k),
newer AS MATERIALIZED (
  SELECT DISTINCT u.id FROM seen s CROSS JOIN LATERAL unnest(s.record_ids) AS u(id)
  WHERE s.feed_id = $2::int AND s.order_key > $3::uuid),
old AS MATERIALIZED (
  SELECT c.k, c.n, c.h, c.d, x.data, x.status FROM cur c
  JOIN records x ON x.customer_id = $1::int AND x.feed_id = $2::int AND x.natural_key = c.k
  WHERE c.h <> c.row_hash AND c.open AND NOT EXISTS (SELECT 1 FROM newer w WHERE w.id = c.id) FOR NO KEY UPDATE OF x),
ins AS (
  INSERT INTO records (customer_id, feed_id, natural_key, row_hash, data, order_key, line, file_id)
  SELECT $1::int, $2::int, c.k, c.h, c.d::jsonb, $3::uuid, c.n, $4::bigint FROM cur c WHERE c.id IS NULL
  RETURNING id, natural_key, row_hash, line, data),
upd AS (
  INSERT INTO records AS r (customer_id, feed_id, natural_key, row_hash, data, order_key, line, file_id)
  SELECT $1::int, $2::int, o.k, o.h, o.d::jsonb, $3::uuid, o.n, $4::bigint FROM old o
  ON CONFLICT (customer_id, feed_id, natural_key) DO UPDATE SET row_hash = excluded.row_hash, data = excluded.data,
    order_key = excluded.order_key, line = excluded.line, file_id = excluded.file_id, status = 'active',
    version = r.version + 1, updated_at = now()
  RETURNING r.id, r.natural_key, r.version, r.row_hash, r.line, r.data),
event AS (
  INSERT INTO changes (record_id, customer_id, feed_id, file_id, line, version, kind, row_hash, natural_key, before, after)
  SELECT i.id, $1::int, $2::int, $4::bigint, i.line, 1, 'inserted'::change_kind, i.row_hash, i.natural_key, NULL, i.data FROM ins i
  UNION ALL
  SELECT u.id, $1::int, $2::int, $4::bigint, u.line, u.version, 'changed'::change_kind, u.row_hash, u.natural_key, o.data, u.data
  FROM upd u JOIN old o ON o.k = u.natural_key
  RETURNING kind),
total AS (
  SELECT a.rows, e.inserted, e.changed, a.unchanged, a.rows - a.unchanged - e.inserted - e.changed AS stale,
    coalesce(a.ids, '{}') || coalesce((SELECT array_agg(i.id) FROM ins i), '{}') AS ids
  FROM (SELECT count(*)::int AS rows, (count(*) FILTER (WHERE h = row_hash))::int AS unchanged,
          array_agg(id) FILTER (WHERE id IS NOT NULL) AS ids FROM cur) a,
       (SELECT (count(*) FILTER (WHERE kind = 'inserted'))::int AS inserted,
          (count(*) FILTER (WHERE kind <> 'inserted'))::int AS changed FROM event) e),
touched AS (
  INSERT INTO seen (feed_id, order_key, file_id, chunk_key, record_ids)
  SELECT $2::int, $3::uuid, $4::bigint, gen_random_uuid(), t.ids FROM total t WHERE t.ids <> '{}')
INSERT INTO ledger (file_id, chunk_key, rows, inserted, changed, unchanged, stale)
SELECT $4::bigint, gen_random_uuid(), t.rows, t.inserted, t.changed, t.unchanged, t.stale FROM total t`;

/** COPY and apply in one transaction per part, each part in a session of its own, all at once. */
export async function runLimit(
  sessions: readonly pg.Client[],
  parts: readonly Buffer[][],
  file: LimitFile,
  stage: StageType,
): Promise<void> {
  await Promise.all(
    parts.map(async (pieces, i) => {
      const session = sessions[i]!;
      await session.query("BEGIN");
      await session.query(
        `CREATE TEMP TABLE stage (k text COLLATE "C", n int, h uuid, d ${stage}) ON COMMIT DROP; SET LOCAL work_mem = '256MB'`,
      );
      await copyIn(session, "COPY stage FROM STDIN", pieces);
      await session.query("ANALYZE stage");
      await session.query(APPLY, [file.customerId, file.feedId, file.orderKey, file.fileId]);
      await session.query("COMMIT");
    }),
  );
}
