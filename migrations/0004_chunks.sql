-- Why: the two statements that carry all data: what of a chunk differs (plan_chunk), and write it (apply_chunk).
-- Called by: plan and apply.  Writes: records, changes, ledger, seen.
--
-- Parameters: keys and records are one text each, joined by newline (no key holds a control character, and JSON escapes
-- them), because inside JSON they cost less than array literals; lines and hashes are array literals. All in one order.
--
-- Both functions forbid the plans that were seen to go wrong while statistics lag behind a first load (hash join over the
-- whole feed per chunk: 30 s instead of 4; nested loops of CTE against CTE) and probe the key once per row by LIMIT 1.
-- Forbidding a plan means adding 10^10 to its cost, which would wake the JIT compiler: 1,000 ms of compiling per chunk for
-- 60 ms of work. So it is off.

-- Names what was sent; the ledger's key.
CREATE FUNCTION chunk_digest(p_stage text, p_keys text, p_lines int[], p_hashes uuid[]) RETURNS uuid LANGUAGE sql STABLE AS $fn$
  SELECT md5(p_stage || md5(p_keys) || md5(array_send(p_lines)) || md5(array_send(p_hashes)))::uuid
$fn$;
--> statement-breakpoint
-- Refuses lists of different length: a separator inside a value must never shift one row's data to another's key.
CREATE FUNCTION chunk_keys(p_keys text, p_lines int[], p_hashes uuid[]) RETURNS text[] LANGUAGE plpgsql STABLE AS $fn$
DECLARE
  v_keys text[] := string_to_array(p_keys, E'\n');
BEGIN
  IF cardinality(v_keys) <> cardinality(p_lines) OR cardinality(v_keys) <> cardinality(p_hashes) THEN
    RAISE EXCEPTION 'chunk of % keys, % lines, % hashes', cardinality(v_keys), cardinality(p_lines), cardinality(p_hashes)
      USING ERRCODE = 'array_subscript_error';
  END IF;
  RETURN v_keys;
END $fn$;
--> statement-breakpoint
-- What would a part of a file change? Unchanged rows (same hash) and stale ones (a newer file has spoken) are settled here,
-- `need` are the lines to apply. With a token the answer is recorded, once: the same question again gets the recorded
-- answer, whatever has happened since, so that a second attempt applies the same batches. Without a token (dry run) nothing
-- is written. Outcomes: planned | replayed | lease-lost.
CREATE FUNCTION plan_chunk(p_file bigint, p_token uuid, p_keys text, p_lines int[], p_hashes uuid[])
RETURNS TABLE (outcome text, inserted int, changed int, unchanged int, stale int, need int[])
LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off SET enable_nestloop = off SET jit = off AS $fn$
#variable_conflict use_column
DECLARE
  v_feed     int;
  v_order    uuid;
  v_customer int;
  v_chunk    uuid := chunk_digest('plan', p_keys, p_lines, p_hashes);
BEGIN
  SELECT x.feed_id, x.order_key, x.customer_id INTO v_feed, v_order, v_customer FROM files x WHERE x.id = p_file;
  IF p_token IS NOT NULL THEN
    PERFORM 1 FROM feeds f WHERE f.id = v_feed AND f.active_file_id = p_file AND f.lease_token = p_token FOR SHARE;
    IF NOT FOUND THEN
      RETURN QUERY SELECT 'lease-lost', 0, 0, 0, 0, '{}'::int[];
      RETURN;
    END IF;
    -- The same question asked twice at once: the second waits here, then finds the row. A collision only waits.
    PERFORM pg_advisory_xact_lock(hashtextextended(v_chunk::text, p_file));
    RETURN QUERY SELECT 'replayed', l.need_new, cardinality(l.need) - l.need_new, l.unchanged, l.stale, l.need
      FROM ledger l WHERE l.file_id = p_file AND l.chunk_key = v_chunk;
    IF FOUND THEN RETURN; END IF;
  END IF;

  RETURN QUERY
  WITH cur AS MATERIALIZED (   -- one index-only probe per key
    SELECT i.h, i.n, r.id, r.row_hash, (r.order_key, r.line) <= (v_order, i.n) AS open
    FROM unnest(chunk_keys(p_keys, p_lines, p_hashes), p_lines, p_hashes) AS i(k, n, h)
    LEFT JOIN LATERAL (SELECT x.id, x.row_hash, x.order_key, x.line FROM records x
      WHERE x.customer_id = v_customer AND x.feed_id = v_feed AND x.natural_key = i.k LIMIT 1) r ON true),
  newer AS MATERIALIZED (      -- empty unless this file is late: records that a newer file has confirmed without a write
    SELECT DISTINCT u.id FROM seen s CROSS JOIN LATERAL unnest(s.record_ids) AS u(id)
    WHERE s.feed_id = v_feed AND s.order_key > v_order AND u.id IN (SELECT c.id FROM cur c WHERE c.h <> c.row_hash)),
  judged AS MATERIALIZED (     -- only rows that differ: in most files most rows do not
    SELECT c.n, c.id, CASE WHEN c.id IS NULL THEN 'n' WHEN c.open AND w.id IS NULL THEN 'c' ELSE 's' END::"char" AS verdict
    FROM cur c LEFT JOIN newer w ON w.id = c.id WHERE c.h IS DISTINCT FROM c.row_hash),
  total AS (
    SELECT e.unchanged + d.inserted + d.changed + d.stale AS rows, d.inserted, d.changed, e.unchanged, d.stale, d.need,
      coalesce(e.ids, '{}') || coalesce(d.ids, '{}') AS ids
    FROM (SELECT count(*)::int AS unchanged, array_agg(c.id) AS ids FROM cur c WHERE c.h = c.row_hash) e,
         (SELECT (count(*) FILTER (WHERE j.verdict = 'n'))::int AS inserted,
            (count(*) FILTER (WHERE j.verdict = 'c'))::int AS changed,
            (count(*) FILTER (WHERE j.verdict = 's'))::int AS stale,
            coalesce(array_agg(j.n) FILTER (WHERE j.verdict <> 's'), '{}') AS need,
            array_agg(j.id) FILTER (WHERE j.verdict = 's') AS ids FROM judged j) d),
  booked AS (
    INSERT INTO ledger (file_id, chunk_key, rows, inserted, changed, unchanged, stale, need, need_new)
    SELECT p_file, v_chunk, t.rows, 0, 0, t.unchanged, t.stale, t.need, t.inserted FROM total t WHERE p_token IS NOT NULL),
  touched AS (
    INSERT INTO seen (feed_id, order_key, file_id, chunk_key, record_ids)
    SELECT v_feed, v_order, p_file, v_chunk, t.ids FROM total t WHERE p_token IS NOT NULL AND t.ids <> '{}')
  SELECT 'planned', t.inserted, t.changed, t.unchanged, t.stale, t.need FROM total t;
END $fn$;
--> statement-breakpoint
-- Writes a part of a file, all or nothing: records, their changes, the ledger and the touch. Everything is decided again
-- here, on the latest version of each row. Outcomes: applied | replayed (with the counts of the first time) | lease-lost.
CREATE FUNCTION apply_chunk(p_file bigint, p_token uuid, p_keys text, p_lines int[], p_hashes uuid[], p_records text)
RETURNS TABLE (outcome text, inserted int, changed int, unchanged int, stale int)
LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off SET enable_nestloop = off SET jit = off AS $fn$
#variable_conflict use_column
DECLARE
  v_feed     int;
  v_order    uuid;
  v_customer int;
  v_chunk    uuid := chunk_digest('apply', p_keys, p_lines, p_hashes);
  v_keys     text[];
  v_records  text[];
BEGIN
  SELECT x.feed_id, x.order_key, x.customer_id INTO v_feed, v_order, v_customer FROM files x WHERE x.id = p_file;
  PERFORM 1 FROM feeds f WHERE f.id = v_feed AND f.active_file_id = p_file AND f.lease_token = p_token FOR SHARE;
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'lease-lost', 0, 0, 0, 0;
    RETURN;
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended(v_chunk::text, p_file));
  RETURN QUERY SELECT 'replayed', l.inserted, l.changed, l.unchanged, l.stale
    FROM ledger l WHERE l.file_id = p_file AND l.chunk_key = v_chunk;
  IF FOUND THEN RETURN; END IF;

  v_keys := chunk_keys(p_keys, p_lines, p_hashes);
  v_records := string_to_array(p_records, E'\n');
  IF cardinality(v_records) <> cardinality(v_keys) THEN
    RAISE EXCEPTION 'chunk of % keys, % records', cardinality(v_keys), cardinality(v_records) USING ERRCODE = 'array_subscript_error';
  END IF;

  RETURN QUERY
  WITH cur AS MATERIALIZED (   -- one index-only probe per key
    SELECT i.k, i.n, i.h, i.d, r.id, r.row_hash, (r.order_key, r.line) <= (v_order, i.n) AS open
    FROM unnest(v_keys, p_lines, p_hashes, v_records) AS i(k, n, h, d)
    LEFT JOIN LATERAL (SELECT x.id, x.row_hash, x.order_key, x.line FROM records x
      WHERE x.customer_id = v_customer AND x.feed_id = v_feed AND x.natural_key = i.k LIMIT 1) r ON true),
  newer AS MATERIALIZED (      -- empty unless this file is late: records that a newer file has confirmed without a write
    SELECT DISTINCT u.id FROM seen s CROSS JOIN LATERAL unnest(s.record_ids) AS u(id)
    WHERE s.feed_id = v_feed AND s.order_key > v_order AND u.id IN (SELECT c.id FROM cur c WHERE c.h <> c.row_hash)),
  old AS MATERIALIZED (        -- lock the rows to change, ask the guard again of their latest version, keep the before image
    SELECT c.k, c.n, c.h, c.d, b.data, b.status FROM cur c CROSS JOIN LATERAL (
      SELECT x.data, x.status FROM records x WHERE x.customer_id = v_customer AND x.feed_id = v_feed AND x.natural_key = c.k
        AND x.row_hash <> c.h AND (x.order_key, x.line) <= (v_order, c.n) LIMIT 1 FOR NO KEY UPDATE) b
    WHERE c.h <> c.row_hash AND c.open AND NOT EXISTS (SELECT 1 FROM newer w WHERE w.id = c.id)),
  ins AS (
    INSERT INTO records (customer_id, feed_id, natural_key, row_hash, data, order_key, line, file_id)
    SELECT v_customer, v_feed, c.k, c.h, c.d::jsonb, v_order, c.n, p_file FROM cur c WHERE c.id IS NULL
    RETURNING id, natural_key, row_hash, line, data),
  upd AS (                     -- the arbiter index instead of UPDATE … FROM: no join with the big table to be planned wrong
    INSERT INTO records AS r (customer_id, feed_id, natural_key, row_hash, data, order_key, line, file_id)
    SELECT v_customer, v_feed, o.k, o.h, o.d::jsonb, v_order, o.n, p_file FROM old o
    ON CONFLICT (customer_id, feed_id, natural_key) DO UPDATE SET row_hash = excluded.row_hash, data = excluded.data,
      order_key = excluded.order_key, line = excluded.line, file_id = excluded.file_id, status = 'active',
      version = r.version + 1, updated_at = now()
    RETURNING r.id, r.natural_key, r.version, r.row_hash, r.line, r.data),
  event AS (
    INSERT INTO changes (record_id, customer_id, feed_id, file_id, line, version, kind, row_hash, natural_key, before, after)
    SELECT i.id, v_customer, v_feed, p_file, i.line, 1, 'inserted', i.row_hash, i.natural_key, NULL, i.data FROM ins i
    UNION ALL
    SELECT u.id, v_customer, v_feed, p_file, u.line, u.version,
      CASE o.status WHEN 'retired' THEN 'restored' ELSE 'changed' END::change_kind, u.row_hash, u.natural_key, o.data, u.data
    FROM upd u JOIN old o ON o.k = u.natural_key),
  total AS (
    SELECT a.rows, i.inserted, u.changed, a.unchanged, a.rows - a.unchanged - i.inserted - u.changed AS stale,
      coalesce(a.ids, '{}') || coalesce(i.ids, '{}') AS ids
    FROM (SELECT count(*)::int AS rows, (count(*) FILTER (WHERE c.h = c.row_hash))::int AS unchanged,
            array_agg(c.id) FILTER (WHERE c.id IS NOT NULL) AS ids FROM cur c) a,
         (SELECT count(*)::int AS inserted, array_agg(i.id) AS ids FROM ins i) i,
         (SELECT count(*)::int AS changed FROM upd) u),
  touched AS (
    INSERT INTO seen (feed_id, order_key, file_id, chunk_key, record_ids)
    SELECT v_feed, v_order, p_file, v_chunk, t.ids FROM total t WHERE t.ids <> '{}'),
  booked AS (
    INSERT INTO ledger (file_id, chunk_key, rows, inserted, changed, unchanged, stale)
    SELECT p_file, v_chunk, t.rows, t.inserted, t.changed, t.unchanged, t.stale FROM total t
    RETURNING inserted, changed, unchanged, stale)
  SELECT 'applied', b.inserted, b.changed, b.unchanged, b.stale FROM booked b;
END $fn$;
