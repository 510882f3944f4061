-- Why: planning costs a third of what it did, a first load less, and files of some columns merge into what is stored.
-- Called by: plan and apply.  Writes: records, changes, ledger, seen.
--
-- Three things were dear in plan_chunk, and none of them was the comparison:
--   a probe of the index per key     1.3 µs of 1.9. Files are mostly written in key order: where a chunk's keys are and the
--                                    feed has few others between them, one walk along the index reads an entry in 0.1 µs
--   reading uuid[] from its literal  0.5 µs. decode() reads the same digits in 0.02; they are compared as bytes
--   carrying rows from CTE to CTE    0.3 µs. What is unchanged is counted as it goes by
--
-- p_hashes is therefore text: 32 hexadecimal digits each, joined by comma. A Worker of the version before still puts braces
-- around them, as for an array; they are taken off. Plans are forbidden, and JIT is off, for the reasons in 0004.

DROP FUNCTION plan_chunk(bigint, uuid, text, int[], uuid[]);
--> statement-breakpoint
DROP FUNCTION apply_chunk(bigint, uuid, text, int[], uuid[], text);
--> statement-breakpoint
DROP FUNCTION chunk_keys(text, int[], uuid[]);
--> statement-breakpoint
DROP FUNCTION chunk_digest(text, text, int[], uuid[]);
--> statement-breakpoint
-- The digest is another one from here on, and a file that is under way must not have its rows booked under both: its books
-- begin anew with the next lease. What it has written is then found unchanged.
UPDATE files SET books_of = '00000000-0000-0000-0000-000000000000' WHERE state <> 'applied' AND books_of IS NOT NULL;
--> statement-breakpoint
-- Names what was sent; the ledger's key.
CREATE FUNCTION chunk_digest(p_stage text, p_keys text, p_lines int[], p_hashes text) RETURNS uuid LANGUAGE sql STABLE AS $fn$
  SELECT md5(p_stage || md5(p_keys) || md5(array_send(p_lines)) || md5(p_hashes))::uuid
$fn$;
--> statement-breakpoint
-- Refuses lists of different length: a separator inside a value must never shift one row's data to another's key.
CREATE FUNCTION chunk_keys(p_keys text, p_lines int[], p_hashes text) RETURNS text[] LANGUAGE plpgsql STABLE AS $fn$
DECLARE
  v_keys text[] := string_to_array(p_keys, E'\n');
BEGIN
  IF cardinality(v_keys) <> cardinality(p_lines) OR cardinality(v_keys) * 33 - 1 <> octet_length(p_hashes) THEN
    RAISE EXCEPTION 'chunk of % keys, % lines, % bytes of hashes', cardinality(v_keys), cardinality(p_lines), octet_length(p_hashes)
      USING ERRCODE = 'array_subscript_error';
  END IF;
  RETURN v_keys;
END $fn$;
--> statement-breakpoint
-- From where to where the index is worth reading along for these keys; NULL where it is not: they do not stand in order, or
-- there are more than three records to a key. Both are looked at in samples, so the answer may be wrong. It costs time then,
-- but no row: a key that the walk did not meet is probed.
CREATE FUNCTION chunk_walk(p_customer int, p_feed int, p_keys text[], OUT low text, OUT high text) LANGUAGE plpgsql STABLE AS $fn$
DECLARE
  v_last   int := cardinality(p_keys);
  v_sample int := (v_last + 15) / 16;
  v_beyond text;
BEGIN
  FOR i IN 1 .. 8 LOOP
    IF p_keys[1 + (v_last - 1) * (i - 1) / 8] COLLATE "C" > p_keys[1 + (v_last - 1) * i / 8] THEN RETURN; END IF;
  END LOOP;
  SELECT x.natural_key INTO v_beyond FROM records x
    WHERE x.customer_id = p_customer AND x.feed_id = p_feed AND x.natural_key >= p_keys[1]
    ORDER BY x.natural_key OFFSET 3 * v_sample LIMIT 1;
  IF FOUND AND v_beyond COLLATE "C" < p_keys[v_sample] THEN RETURN; END IF;
  low := p_keys[1];
  high := p_keys[v_last];
END $fn$;
--> statement-breakpoint
-- What would a part of a file change? Unchanged rows (same hash) and stale ones (a newer file has spoken) are settled here,
-- `need` are the lines to apply. With a token the answer is recorded, once: the same question again gets the recorded
-- answer, whatever has happened since, so that a second attempt applies the same batches. Without a token (dry run) nothing
-- is written. Outcomes: planned | replayed | lease-lost.
CREATE FUNCTION plan_chunk(p_file bigint, p_token uuid, p_keys text, p_lines int[], p_hashes text)
RETURNS TABLE (outcome text, inserted int, changed int, unchanged int, stale int, need int[])
LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off SET enable_nestloop = off SET jit = off AS $fn$
#variable_conflict use_column
DECLARE
  v_feed     int;
  v_order    uuid;
  v_customer int;
  v_chunk    uuid;
  v_keys     text[];
  v_rows     int;
  v_hashes   bytea;
  v_low      text;
  v_high     text;
  v_lines    int[];      -- of the rows that differ: their lines, records, and whether this file comes after what is stored
  v_ids      bigint[];
  v_open     boolean[];
  v_seen     bigint[];
  v_stale    bigint[];
BEGIN
  IF starts_with(p_hashes, '{') THEN p_hashes := btrim(p_hashes, '{}'); END IF;
  v_chunk := chunk_digest('plan', p_keys, p_lines, p_hashes);
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

  v_keys := chunk_keys(p_keys, p_lines, p_hashes);
  v_rows := cardinality(v_keys);
  v_hashes := decode(replace(p_hashes, ',', ''), 'hex');
  SELECT w.low, w.high INTO v_low, v_high FROM chunk_walk(v_customer, v_feed, v_keys) w;
  -- Walk first, then an index-only probe for each key it did not meet: new ones, and all of them where there is no walk.
  -- LIMIT bounds what a walk costs, and keeps the planner from turning it into something else.
  SELECT array_agg(c.id) FILTER (WHERE c.same), array_agg(p_lines[c.o]) FILTER (WHERE c.same IS NOT TRUE),
    array_agg(c.id) FILTER (WHERE c.same IS NOT TRUE),
    array_agg((c.order_key, c.line) <= (v_order, p_lines[c.o])) FILTER (WHERE c.same IS NOT TRUE)
  INTO v_seen, v_lines, v_ids, v_open
  FROM (
    SELECT i.o, coalesce(r.id, p.id) AS id, coalesce(r.order_key, p.order_key) AS order_key, coalesce(r.line, p.line) AS line,
      substring(v_hashes FROM i.o * 16 - 15 FOR 16) = uuid_send(coalesce(r.row_hash, p.row_hash)) AS same
    FROM (SELECT unnest(v_keys) AS k, generate_series(1, v_rows) AS o) i
    LEFT JOIN (SELECT x.natural_key, x.id, x.row_hash, x.order_key, x.line FROM records x
      WHERE x.customer_id = v_customer AND x.feed_id = v_feed AND x.natural_key >= v_low AND x.natural_key <= v_high
      LIMIT 3 * v_rows) r ON r.natural_key = i.k
    LEFT JOIN LATERAL (SELECT x.id, x.row_hash, x.order_key, x.line FROM records x
      WHERE r.id IS NULL AND x.customer_id = v_customer AND x.feed_id = v_feed AND x.natural_key = i.k LIMIT 1) p ON true
    OFFSET 0) c;

  inserted := 0;
  changed := 0;
  unchanged := coalesce(cardinality(v_seen), 0);
  stale := 0;
  need := '{}';
  IF v_lines IS NOT NULL THEN
    WITH differ AS (SELECT unnest(v_lines) AS n, unnest(v_ids) AS id, unnest(v_open) AS open),
    newer AS MATERIALIZED (      -- empty unless this file is late: records that a newer file has confirmed without a write
      SELECT DISTINCT u.id FROM seen s CROSS JOIN LATERAL unnest(s.record_ids) AS u(id)
      WHERE s.feed_id = v_feed AND s.order_key > v_order AND u.id IN (SELECT d.id FROM differ d)),
    judged AS (
      SELECT d.n, d.id, CASE WHEN d.id IS NULL THEN 'n' WHEN d.open AND w.id IS NULL THEN 'c' ELSE 's' END::"char" AS verdict
      FROM differ d LEFT JOIN newer w ON w.id = d.id)
    SELECT count(*) FILTER (WHERE j.verdict = 'n'), count(*) FILTER (WHERE j.verdict = 'c'), count(*) FILTER (WHERE j.verdict = 's'),
      coalesce(array_agg(j.n ORDER BY j.n) FILTER (WHERE j.verdict <> 's'), '{}'), array_agg(j.id) FILTER (WHERE j.verdict = 's')
    INTO inserted, changed, stale, need, v_stale FROM judged j;
  END IF;

  IF p_token IS NOT NULL THEN
    INSERT INTO ledger (file_id, chunk_key, rows, inserted, changed, unchanged, stale, need, need_new)
      VALUES (p_file, v_chunk, v_rows, 0, 0, unchanged, stale, need, inserted);
    IF unchanged + stale > 0 THEN
      INSERT INTO seen (feed_id, order_key, file_id, chunk_key, record_ids)
        VALUES (v_feed, v_order, p_file, v_chunk, coalesce(v_seen, '{}') || coalesce(v_stale, '{}'));
    END IF;
  END IF;
  outcome := 'planned';
  RETURN NEXT;
END $fn$;
--> statement-breakpoint
-- What a merging file says of one record: an object, or, where it names the record on several lines, an array of them in
-- their order, of which the later ones stand over the earlier.
CREATE FUNCTION statement_of(p_said jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $fn$
  SELECT CASE jsonb_typeof(p_said) WHEN 'array' THEN (
    SELECT coalesce(jsonb_object_agg(e.key, e.value ORDER BY a.place), '{}')
    FROM jsonb_array_elements(p_said) WITH ORDINALITY AS a(part, place) CROSS JOIN LATERAL jsonb_each(a.part) e)
  ELSE p_said END
$fn$;
--> statement-breakpoint
-- Writes a part of a file, all or nothing: records, their changes, the ledger and the touch. Everything is decided again
-- here, on the latest version of each row. Outcomes: applied | replayed (with the counts of the first time) | lease-lost.
--
-- A merging file (files.merges) says some fields of a record and leaves the others as they are: what is stored afterwards is
-- the stored data with these fields over it, and a statement that brings nothing new is unchanged: no version, no event.
-- row_hash is the hash of the statement that last changed the record. So a statement with that hash adds nothing to it (what
-- changed the record since would have left its own hash), and "same hash, unchanged" holds for merging files, too. It does
-- not hold the other way: a statement with another hash may add nothing either. Plan, which sees hashes alone, then counts
-- it as changed, and it is found unchanged here, where its books are kept. Its hash is not written then: files that name
-- different fields by turns would rewrite all records of the feed with each of them.
CREATE FUNCTION apply_chunk(p_file bigint, p_token uuid, p_keys text, p_lines int[], p_hashes text, p_records text)
RETURNS TABLE (outcome text, inserted int, changed int, unchanged int, stale int)
LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off SET enable_nestloop = off SET jit = off AS $fn$
#variable_conflict use_column
DECLARE
  v_feed     int;
  v_order    uuid;
  v_customer int;
  v_merges   boolean;
  v_chunk    uuid;
  v_keys     text[];
  v_low      text;
  v_high     text;
  v_hashes   uuid[];
  v_records  text[];
BEGIN
  IF starts_with(p_hashes, '{') THEN p_hashes := btrim(p_hashes, '{}'); END IF;
  v_chunk := chunk_digest('apply', p_keys, p_lines, p_hashes);
  SELECT x.feed_id, x.order_key, x.customer_id, x.merges INTO v_feed, v_order, v_customer, v_merges FROM files x WHERE x.id = p_file;
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
  v_low := v_keys[1];
  v_high := v_keys[cardinality(v_keys)];
  v_hashes := string_to_array(p_hashes, ',')::uuid[];
  v_records := string_to_array(p_records, E'\n');
  IF cardinality(v_records) <> cardinality(v_keys) THEN
    RAISE EXCEPTION 'chunk of % keys, % records', cardinality(v_keys), cardinality(v_records) USING ERRCODE = 'array_subscript_error';
  END IF;

  RETURN QUERY
  WITH cur AS MATERIALIZED (   -- one index-only probe per key, but none for a key where the feed has no record far and wide
    SELECT i.k, i.n, i.h, i.d, r.id, r.row_hash, (r.order_key, r.line) <= (v_order, i.n) AS open
    FROM (SELECT unnest(v_keys) AS k, unnest(p_lines) AS n, unnest(v_hashes) AS h, unnest(v_records) AS d) i
    LEFT JOIN LATERAL (SELECT x.id, x.row_hash, x.order_key, x.line FROM records x
      WHERE x.customer_id = v_customer AND x.feed_id = v_feed AND x.natural_key = i.k
        AND NOT (i.k COLLATE "C" BETWEEN v_low AND v_high AND NOT EXISTS (SELECT FROM records y
          WHERE y.customer_id = v_customer AND y.feed_id = v_feed AND y.natural_key BETWEEN v_low AND v_high))
      LIMIT 1) r ON true),
  newer AS MATERIALIZED (      -- empty unless this file is late: records that a newer file has confirmed without a write
    SELECT DISTINCT u.id FROM seen s CROSS JOIN LATERAL unnest(s.record_ids) AS u(id)
    WHERE s.feed_id = v_feed AND s.order_key > v_order AND u.id IN (SELECT c.id FROM cur c WHERE c.h <> c.row_hash)),
  differs AS MATERIALIZED (    -- what may be written; of a merging file only what adds something
    SELECT c.k, c.n, c.h, c.d FROM cur c
    WHERE c.h <> c.row_hash AND c.open AND NOT EXISTS (SELECT 1 FROM newer w WHERE w.id = c.id)),
  kept AS MATERIALIZED (
    SELECT d.k FROM differs d CROSS JOIN LATERAL (
      SELECT FROM records x WHERE x.customer_id = v_customer AND x.feed_id = v_feed AND x.natural_key = d.k
        AND x.status = 'active' AND x.data || statement_of(d.d::jsonb) = x.data LIMIT 1) b
    WHERE v_merges),
  old AS MATERIALIZED (        -- lock the rows to change, ask the guard again of their latest version, keep the before image
    SELECT d.k, d.n, d.h, CASE WHEN v_merges THEN b.data || statement_of(d.d::jsonb) ELSE d.d::jsonb END AS d, b.data, b.status
    FROM differs d CROSS JOIN LATERAL (
      SELECT x.data, x.status FROM records x WHERE x.customer_id = v_customer AND x.feed_id = v_feed AND x.natural_key = d.k
        AND x.row_hash <> d.h AND (x.order_key, x.line) <= (v_order, d.n) LIMIT 1 FOR NO KEY UPDATE) b
    WHERE NOT v_merges OR NOT EXISTS (SELECT 1 FROM kept k WHERE k.k = d.k)),
  ins AS (
    INSERT INTO records (customer_id, feed_id, natural_key, row_hash, data, order_key, line, file_id)
    SELECT v_customer, v_feed, c.k, c.h, CASE WHEN v_merges THEN statement_of(c.d::jsonb) ELSE c.d::jsonb END, v_order, c.n, p_file
    FROM cur c WHERE c.id IS NULL
    RETURNING id, natural_key, row_hash, line, data),
  upd AS (                     -- the arbiter index instead of UPDATE … FROM: no join with the big table to be planned wrong
    INSERT INTO records AS r (customer_id, feed_id, natural_key, row_hash, data, order_key, line, file_id)
    SELECT v_customer, v_feed, o.k, o.h, o.d, v_order, o.n, p_file FROM old o
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
    SELECT a.rows, i.inserted, u.changed, a.same + k.kept AS unchanged,
      a.rows - a.same - k.kept - i.inserted - u.changed AS stale, coalesce(a.ids, '{}') || coalesce(i.ids, '{}') AS ids
    FROM (SELECT count(*)::int AS rows, (count(*) FILTER (WHERE c.h = c.row_hash))::int AS same,
            array_agg(c.id) FILTER (WHERE c.id IS NOT NULL) AS ids FROM cur c) a,
         (SELECT count(*)::int AS kept FROM kept) k,
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
