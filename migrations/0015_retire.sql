-- Why: a record that a full feed's complete file no longer names is retired: what is gone in the ERP must be gone here.
-- Writes: plan (ledger.known), parse (rejects.natural_key), apply (records, changes, ledger.retired, files.retired), whoever makes a
--         file that names what it retires (listed_retirements).  Reads: plan and the gate (missing_records), apply, the API.
-- Retention: that of the rows.
--
-- Missing is what is active in the feed, what no row of `seen` of this file or of a newer one holds, and what no newer file
-- has written. It is one walk along the primary key against one hash table of record ids: 300,000 records in a third of
-- a second, and nothing of what is unchanged is written.

-- known: the records behind the rows of `need`. retired: records that this row of the books retired; it holds no rows then.
ALTER TABLE ledger ADD COLUMN known bigint[] NOT NULL DEFAULT '{}', ADD COLUMN retired int NOT NULL DEFAULT 0 CHECK (retired >= 0);
--> statement-breakpoint
-- For the reason of seen.record_ids (0002).
DO $do$ BEGIN
  ALTER TABLE ledger ALTER known SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
  RAISE NOTICE 'ledger.known stays with the default compression: %', SQLERRM;
END $do$;
--> statement-breakpoint
-- retired: records that the file no longer named. gate: how it was let go, {"allowed": records it may retire, …}; NULL before that
-- (0016).
ALTER TABLE files ADD COLUMN retired int CHECK (retired >= 0), ADD COLUMN gate jsonb;
--> statement-breakpoint
-- The key of a row that could not be taken, where its key cells could be read: the row names the record, so it is not missing.
-- In the row's first fault. NULL: nobody knows which record is meant.
ALTER TABLE rejects ADD COLUMN natural_key text COLLATE "C";
--> statement-breakpoint
-- As in 0006, and it keeps which records stand behind the rows of `need`: apply will write them, so a full file has said
-- them, but `seen` does not hold them yet. Not in `seen`: whether they are written is decided by the gate.
-- What would a part of a file change? Unchanged rows (same hash) and stale ones (a newer file has spoken) are settled here,
-- `need` are the lines to apply. With a token the answer is recorded, once: the same question again gets the recorded
-- answer, whatever has happened since, so that a second attempt applies the same batches. Without a token nothing is written
-- but of a file that is only compared: which records it names, in the ledger (`known`), so that what it lacks can be told; never
-- in `seen`, which speaks to other files. Outcomes: planned | replayed | lease-lost.
CREATE OR REPLACE FUNCTION plan_chunk(p_file bigint, p_token uuid, p_keys text, p_lines int[], p_hashes text)
RETURNS TABLE (outcome text, inserted int, changed int, unchanged int, stale int, need int[])
LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off SET enable_nestloop = off SET jit = off SET plan_cache_mode = force_generic_plan AS $fn$
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
  v_missed   text[];     -- keys that the walk did not meet, and their places in the chunk
  v_places   int[];
  v_lines    int[];      -- of the rows that differ: their lines, records, and whether this file comes after what is stored
  v_ids      bigint[];
  v_open     boolean[];
  v_seen     bigint[];
  v_stale    bigint[];
  v_known    bigint[];   -- of the rows that differ, the records that are there
  v_alone    boolean;    -- only compared
  v_noted    boolean;    -- which records they are is kept
BEGIN
  IF starts_with(p_hashes, '{') THEN p_hashes := btrim(p_hashes, '{}'); END IF;
  SELECT x.feed_id, x.order_key, x.customer_id, x.compare_only INTO v_feed, v_order, v_customer, v_alone FROM files x WHERE x.id = p_file;
  IF p_token IS NOT NULL THEN
    PERFORM 1 FROM feeds f WHERE f.id = v_feed AND f.active_file_id = p_file AND f.lease_token = p_token FOR SHARE;
    IF NOT FOUND THEN
      RETURN QUERY SELECT 'lease-lost', 0, 0, 0, 0, '{}'::int[];
      RETURN;
    END IF;
  END IF;
  IF p_token IS NOT NULL OR v_alone THEN
    v_chunk := chunk_digest('plan', p_keys, p_lines, p_hashes);
    -- The same question asked twice at once: the second waits here, then finds the row. A collision only waits.
    PERFORM pg_advisory_xact_lock(hashtextextended(v_chunk::text, p_file));
    RETURN QUERY SELECT 'replayed', l.need_new, cardinality(l.need) - l.need_new, l.unchanged, l.stale, l.need
      FROM ledger l WHERE l.file_id = p_file AND l.chunk_key = v_chunk;
    IF FOUND THEN RETURN; END IF;
  END IF;

  v_keys := string_to_array(p_keys, E'\n');   -- as chunk_keys does, without handing 10,000 keys from function to function
  v_rows := cardinality(v_keys);
  IF v_rows <> cardinality(p_lines) OR v_rows * 33 - 1 <> octet_length(p_hashes) THEN PERFORM chunk_keys(p_keys, p_lines, p_hashes); END IF;
  v_hashes := decode(replace(p_hashes, ',', ''), 'hex');
  SELECT w.low, w.high INTO v_low, v_high FROM chunk_walk(v_customer, v_feed, v_keys) w;
  unchanged := 0;
  v_noted := p_token IS NOT NULL OR v_alone;
  -- Walk first: LIMIT bounds what it costs, and keeps the planner from turning it into something else. Then an index-only probe
  -- for each key that it did not meet: none of most chunks, and all of them where there is no walk.
  IF v_low IS NULL THEN
    v_missed := v_keys;
    v_places := ARRAY(SELECT generate_series(1, v_rows));
  ELSE
    SELECT count(*) FILTER (WHERE c.same), array_agg(c.id) FILTER (WHERE c.same AND v_noted), array_agg(p_lines[c.o]) FILTER (WHERE NOT c.same), array_agg(c.id) FILTER (WHERE NOT c.same),
      array_agg((c.order_key, c.line) <= (v_order, p_lines[c.o])) FILTER (WHERE NOT c.same),
      array_agg(c.k) FILTER (WHERE c.id IS NULL), array_agg(c.o) FILTER (WHERE c.id IS NULL)
    INTO unchanged, v_seen, v_lines, v_ids, v_open, v_missed, v_places
    FROM (
      SELECT i.k, i.o, r.id, r.order_key, r.line, substring(v_hashes FROM i.o * 16 - 15 FOR 16) = uuid_send(r.row_hash) AS same
      FROM (SELECT unnest(v_keys) AS k, generate_series(1, v_rows) AS o) i
      LEFT JOIN (SELECT x.natural_key, x.id, x.row_hash, x.order_key, x.line FROM records x
        WHERE x.customer_id = v_customer AND x.feed_id = v_feed AND x.natural_key >= v_low AND x.natural_key <= v_high
        LIMIT 3 * v_rows) r ON r.natural_key = i.k
      OFFSET 0) c;
  END IF;
  IF v_missed IS NOT NULL THEN
    SELECT unchanged + count(*) FILTER (WHERE c.same), v_seen || array_agg(c.id) FILTER (WHERE c.same AND v_noted), v_lines || array_agg(p_lines[c.o]) FILTER (WHERE c.same IS NOT TRUE),
      v_ids || array_agg(c.id) FILTER (WHERE c.same IS NOT TRUE),
      v_open || array_agg((c.order_key, c.line) <= (v_order, p_lines[c.o])) FILTER (WHERE c.same IS NOT TRUE)
    INTO unchanged, v_seen, v_lines, v_ids, v_open
    FROM (
      SELECT m.o, p.id, p.order_key, p.line, substring(v_hashes FROM m.o * 16 - 15 FOR 16) = uuid_send(p.row_hash) AS same
      FROM (SELECT unnest(v_missed) AS k, unnest(v_places) AS o) m
      LEFT JOIN LATERAL (SELECT x.id, x.row_hash, x.order_key, x.line FROM records x
        WHERE x.customer_id = v_customer AND x.feed_id = v_feed AND x.natural_key = m.k LIMIT 1) p ON true
      OFFSET 0) c;
  END IF;

  inserted := 0;
  changed := 0;
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
      coalesce(array_agg(j.n ORDER BY j.n) FILTER (WHERE j.verdict <> 's'), '{}'), array_agg(j.id) FILTER (WHERE j.verdict = 's'),
      array_agg(j.id) FILTER (WHERE j.verdict = 'c')
    INTO inserted, changed, stale, need, v_stale, v_known FROM judged j;
  END IF;

  IF p_token IS NOT NULL OR v_alone THEN
    IF v_alone THEN
      v_known := coalesce(v_known, '{}') || coalesce(v_seen, '{}') || coalesce(v_stale, '{}');
      -- A question that its asker has given up on may come when the comparison has ended: then nobody removes its answer.
      PERFORM 1 FROM files x WHERE x.id = p_file AND x.state = 'parsed' FOR SHARE;
      IF NOT FOUND THEN
        RETURN QUERY SELECT 'lease-lost', 0, 0, 0, 0, '{}'::int[];
        RETURN;
      END IF;
    END IF;
    INSERT INTO ledger (file_id, chunk_key, rows, inserted, changed, unchanged, stale, need, need_new, known)
      VALUES (p_file, v_chunk, v_rows, 0, 0, unchanged, stale, need, inserted, coalesce(v_known, '{}'));
    IF NOT v_alone AND unchanged + stale > 0 THEN
      INSERT INTO seen (feed_id, order_key, file_id, chunk_key, record_ids)
        VALUES (v_feed, v_order, p_file, v_chunk, coalesce(v_seen, '{}') || coalesce(v_stale, '{}'));
    END IF;
  END IF;
  outcome := 'planned';
  RETURN NEXT;
END $fn$;
--> statement-breakpoint
-- The plans of files that are under way lack what they are to keep: their books begin anew with the next lease, as in 0006.
UPDATE files SET books_of = '00000000-0000-0000-0000-000000000000' WHERE state <> 'applied' AND books_of IS NOT NULL;
--> statement-breakpoint
-- Why the records that a file lacks must stay; NULL where nothing speaks against retiring them. Whether its own rows are all
-- settled is not asked here: before apply they are not.
--   not-full        its feed is not full, or the file is not the whole state
--   late            nothing in it is news
--   newer-file      a newer file has begun to speak, which it has not before the gate let it go: what is missing in that one
--                   will be retired by it
--   rejects-unread  rows were rejected whose keys are not known: any record that is missing may be one of them
CREATE FUNCTION retirement_bar(p_file bigint) RETURNS text LANGUAGE sql STABLE AS $fn$
  SELECT CASE
    WHEN f.mode <> 'full' OR NOT x.complete THEN 'not-full'
    WHEN file_is_late(p_file) THEN 'late'
    WHEN EXISTS (SELECT 1 FROM files n WHERE n.feed_id = x.feed_id AND (n.order_key, n.id) > (x.order_key, x.id) AND n.complete
      AND (n.state = 'applied' OR n.state = 'applying' AND n.gate IS NOT NULL)) THEN 'newer-file'
    WHEN x.rejected > 0 AND x.rejected > (SELECT count(*) FROM rejects j
      WHERE j.file_id = p_file AND j.position = 0 AND j.natural_key IS NOT NULL) THEN 'rejects-unread'
  END
  FROM files x JOIN feeds f ON f.id = x.feed_id WHERE x.id = p_file
$fn$;
--> statement-breakpoint
-- The records that a file lacks, in the order of their keys behind `p_after`, at most `p_limit` (NULL: all). What the file that
-- it is read again from has said of the same place does not count for it. Nothing is asked of
-- the file here but what it says: of a file that is planned in full, or applied, the answer is exact and the same.
-- A zero hash says retired: so the index answers alone.
CREATE FUNCTION missing_of(p_file bigint, p_after text, p_limit int, OUT keys text[]) LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_nestloop = off SET enable_mergejoin = off
SET jit = off SET work_mem = '64MB' AS $fn$
DECLARE
  v_file files%ROWTYPE;
BEGIN
  SELECT * INTO v_file FROM files x WHERE x.id = p_file;
  SELECT coalesce(array_agg(m.natural_key ORDER BY m.natural_key), '{}') INTO keys FROM (
    SELECT x.natural_key FROM records x
    WHERE x.customer_id = v_file.customer_id AND x.feed_id = v_file.feed_id AND x.natural_key > coalesce(p_after, '')
      AND x.row_hash <> '00000000-0000-0000-0000-000000000000' AND x.order_key <= v_file.order_key
      AND NOT EXISTS (SELECT FROM (
        SELECT unnest(s.record_ids) AS id FROM seen s WHERE s.feed_id = v_file.feed_id
          AND s.order_key >= v_file.order_key AND (s.order_key, s.file_id) >= (v_file.order_key, p_file)
        UNION ALL
        SELECT unnest(l.known) FROM ledger l WHERE l.file_id = p_file
        UNION ALL
        SELECT r.id FROM rejects j CROSS JOIN LATERAL (SELECT y.id FROM records y
          WHERE y.customer_id = v_file.customer_id AND y.feed_id = v_file.feed_id AND y.natural_key = j.natural_key LIMIT 1) r
        WHERE j.file_id = p_file AND j.position = 0) said WHERE said.id = x.id)
    ORDER BY x.natural_key LIMIT p_limit) m;
END $fn$;
--> statement-breakpoint
-- What a file would retire, and has retired: before apply the forecast, which the gate judges. `active`: records of the feed
-- that are active now. `missing`: how many of them the file lacks; `retired`: how many it has retired already (a second
-- attempt). `bar`: why none of them will be. `sample`: at most `p_sample` of the missing, spread over all of them, as
-- [{key, before}]. Of a file that was planned without comparing ('whole') it is exact after apply only.
CREATE FUNCTION missing_records(p_file bigint, p_sample int)
RETURNS TABLE (active int, missing int, retired int, bar text, sample jsonb) LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $fn$
#variable_conflict use_column
DECLARE
  v_customer int;
  v_feed     int;
  v_keys     text[];
BEGIN
  SELECT x.customer_id, x.feed_id INTO v_customer, v_feed FROM files x WHERE x.id = p_file;
  IF NOT FOUND THEN RETURN; END IF;
  bar := retirement_bar(p_file);
  SELECT count(*)::int INTO active FROM records r
    WHERE r.customer_id = v_customer AND r.feed_id = v_feed AND r.row_hash <> '00000000-0000-0000-0000-000000000000';
  SELECT coalesce(sum(l.retired), 0)::int INTO retired FROM ledger l WHERE l.file_id = p_file;
  v_keys := CASE WHEN bar IS DISTINCT FROM 'not-full' THEN missing_of(p_file, NULL, NULL) ELSE '{}' END;
  missing := cardinality(v_keys);
  SELECT coalesce(jsonb_agg(jsonb_build_object('key', r.natural_key, 'before', r.data) ORDER BY r.natural_key), '[]') INTO sample
  FROM (SELECT DISTINCT v_keys[1 + (i::bigint * missing / least(p_sample, missing))::int] AS k
        FROM generate_series(0, least(p_sample, missing) - 1) i) s
  CROSS JOIN LATERAL (SELECT x.natural_key, x.data FROM records x
    WHERE x.customer_id = v_customer AND x.feed_id = v_feed AND x.natural_key = s.k LIMIT 1) r;
  RETURN NEXT;
END $fn$;
--> statement-breakpoint
-- Retires at most `p_limit` of the records that an applied file lacks, in the order of their keys behind `p_after`, all or
-- nothing: status, version and place of each record, one change with what it was, and a row of the books. Which they are is
-- found anew each time, so a call that comes twice, or again after its answer was lost, retires the next ones and none twice.
-- Outcomes:
--   retired      as many as it says; `remaining` are left behind the key `upto`. 0: the file is done
--   lease-lost   the lease is not ours any more, or somebody has given up the file
--   unbalanced   not all of the file's rows are settled: who knows what they name
--   not-planned  it would be more than `p_allowed`, the number that the gate has seen and let go; nothing is written
--   not-full, late, newer-file, rejects-unread   see retirement_bar
-- The place of a retired record is line 0 of the file: no line says it, and every line of the file goes before it, should the
-- file be read again by another adapter version that finds the record in it.
CREATE FUNCTION retire_missing(p_file bigint, p_token uuid, p_superseded int, p_allowed int, p_after text, p_limit int)
RETURNS TABLE (outcome text, retired int, remaining int, upto text)
LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off SET enable_nestloop = off SET jit = off AS $fn$
#variable_conflict use_column
DECLARE
  v_file    files%ROWTYPE;
  v_keys    text[];
  v_settled bigint;
  v_before  bigint;
BEGIN
  retired := 0;
  remaining := 0;
  PERFORM 1 FROM feeds f WHERE f.id = (SELECT x.feed_id FROM files x WHERE x.id = p_file)
    AND f.active_file_id = p_file AND f.lease_token = p_token FOR SHARE;
  IF NOT FOUND THEN
    outcome := 'lease-lost';
    RETURN NEXT;
    RETURN;
  END IF;
  -- The same call twice at once: the second waits here and goes on behind the first, instead of waiting for each of its rows.
  PERFORM pg_advisory_xact_lock(hashtextextended('retire_missing', p_file));
  SELECT * INTO v_file FROM files x WHERE x.id = p_file;
  SELECT sum(l.inserted + l.changed + l.unchanged + l.stale), sum(l.retired) INTO v_settled, v_before FROM ledger l WHERE l.file_id = p_file;
  outcome := CASE WHEN v_file.state <> 'applying' THEN 'lease-lost' ELSE retirement_bar(p_file) END;
  IF outcome IS NULL AND v_file.accepted IS DISTINCT FROM coalesce(v_settled, 0) + p_superseded THEN outcome := 'unbalanced'; END IF;
  IF outcome IS NULL THEN
    v_keys := missing_of(p_file, p_after, NULL);
    remaining := cardinality(v_keys);
    IF coalesce(v_before, 0) + remaining > p_allowed THEN outcome := 'not-planned'; END IF;
  END IF;
  IF outcome IS NOT NULL THEN
    RETURN NEXT;
    RETURN;
  END IF;

  outcome := 'retired';
  v_keys := v_keys[1:p_limit];
  remaining := remaining - cardinality(v_keys);
  upto := v_keys[cardinality(v_keys)];
  IF upto IS NOT NULL THEN
    WITH old AS MATERIALIZED (   -- lock what is to be retired, ask of its latest version, keep the before image
      SELECT b.natural_key, b.data FROM unnest(v_keys) AS m(k) CROSS JOIN LATERAL (
        SELECT x.natural_key, x.data FROM records x WHERE x.customer_id = v_file.customer_id AND x.feed_id = v_file.feed_id
          AND x.natural_key = m.k AND x.status = 'active' AND x.order_key <= v_file.order_key LIMIT 1 FOR NO KEY UPDATE) b),
    gone AS (                    -- the arbiter index instead of UPDATE … FROM, as in apply_chunk
      INSERT INTO records AS r (customer_id, feed_id, natural_key, row_hash, data, order_key, line, file_id)
      SELECT v_file.customer_id, v_file.feed_id, o.natural_key, '00000000-0000-0000-0000-000000000000', '{}', v_file.order_key, 0, p_file FROM old o
      ON CONFLICT (customer_id, feed_id, natural_key) DO UPDATE SET row_hash = excluded.row_hash, order_key = excluded.order_key,
        line = excluded.line, file_id = excluded.file_id, status = 'retired', version = r.version + 1, updated_at = now()
      RETURNING r.id, r.natural_key, r.version, r.row_hash, r.line),
    event AS (
      INSERT INTO changes (record_id, customer_id, feed_id, file_id, line, version, kind, row_hash, natural_key, before, after)
      SELECT g.id, v_file.customer_id, v_file.feed_id, p_file, g.line, g.version, 'retired', g.row_hash, g.natural_key, o.data, NULL
      FROM gone g JOIN old o ON o.natural_key = g.natural_key
      RETURNING record_id)
    INSERT INTO ledger AS l (file_id, chunk_key, rows, inserted, changed, unchanged, stale, retired)
    SELECT p_file, md5('retire' || md5(array_send(array_agg(e.record_id ORDER BY e.record_id))))::uuid, 0, 0, 0, 0, 0, count(*) FROM event e
    HAVING count(*) > 0
    RETURNING l.retired INTO retired;
  END IF;
  retired := coalesce(retired, 0);
  RETURN NEXT;
END $fn$;
--> statement-breakpoint
-- Records that a file of ours (cause 'reconcile' or 'restore') retires by name, since it is not the whole state. `version`: the one
-- that was looked at; another one is not to be retired.
CREATE TABLE listed_retirements (
  file_id     bigint NOT NULL REFERENCES files ON DELETE CASCADE,
  n           int    NOT NULL CHECK (n > 0),
  natural_key text   COLLATE "C" NOT NULL,
  record_id   bigint NOT NULL,
  version     int    NOT NULL,
  PRIMARY KEY (file_id, n)
);
--> statement-breakpoint
-- Retires at most `p_limit` of the listed records behind `p_after`, as retire_missing does: those that are still as they were
-- looked at and of which no newer file has said that they are there. Outcomes: retired (`upto`: the last of them that was looked at;
-- NULL: there are no more), lease-lost.
CREATE FUNCTION retire_listed(p_file bigint, p_token uuid, p_after int, p_limit int)
RETURNS TABLE (outcome text, retired int, upto int)
LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off SET enable_nestloop = off SET jit = off AS $fn$
#variable_conflict use_column
DECLARE
  v_file files%ROWTYPE;
BEGIN
  retired := 0;
  SELECT * INTO v_file FROM files x WHERE x.id = p_file;
  PERFORM 1 FROM feeds f WHERE f.id = v_file.feed_id AND f.active_file_id = p_file AND f.lease_token = p_token FOR SHARE;
  IF NOT FOUND OR v_file.state <> 'applying' THEN
    outcome := 'lease-lost';
    RETURN NEXT;
    RETURN;
  END IF;
  outcome := 'retired';
  PERFORM pg_advisory_xact_lock(hashtextextended('retire_missing', p_file));
  SELECT max(p.n) INTO upto FROM (SELECT l.n FROM listed_retirements l WHERE l.file_id = p_file AND l.n > p_after ORDER BY l.n LIMIT p_limit) p;
  IF upto IS NOT NULL AND NOT file_is_late(p_file) THEN
    WITH listed AS MATERIALIZED (
      SELECT l.natural_key AS k, l.record_id, l.version FROM listed_retirements l WHERE l.file_id = p_file AND l.n > p_after AND l.n <= upto),
    newer AS MATERIALIZED (
      SELECT DISTINCT u.id FROM seen s CROSS JOIN LATERAL unnest(s.record_ids) AS u(id)
      WHERE s.feed_id = v_file.feed_id AND s.order_key > v_file.order_key AND u.id IN (SELECT i.record_id FROM listed i)),
    old AS MATERIALIZED (
      SELECT b.natural_key, b.data FROM listed i CROSS JOIN LATERAL (
        SELECT x.natural_key, x.data FROM records x WHERE x.customer_id = v_file.customer_id AND x.feed_id = v_file.feed_id
          AND x.natural_key = i.k AND x.id = i.record_id AND x.version = i.version AND x.status = 'active'
          AND x.order_key <= v_file.order_key LIMIT 1 FOR NO KEY UPDATE) b
      WHERE NOT EXISTS (SELECT FROM newer w WHERE w.id = i.record_id)),
    gone AS (
      INSERT INTO records AS r (customer_id, feed_id, natural_key, row_hash, data, order_key, line, file_id)
      SELECT v_file.customer_id, v_file.feed_id, o.natural_key, '00000000-0000-0000-0000-000000000000', '{}', v_file.order_key, 0, p_file FROM old o
      ON CONFLICT (customer_id, feed_id, natural_key) DO UPDATE SET row_hash = excluded.row_hash, order_key = excluded.order_key,
        line = excluded.line, file_id = excluded.file_id, status = 'retired', version = r.version + 1, updated_at = now()
      RETURNING r.id, r.natural_key, r.version, r.row_hash, r.line),
    event AS (
      INSERT INTO changes (record_id, customer_id, feed_id, file_id, line, version, kind, row_hash, natural_key, before, after)
      SELECT g.id, v_file.customer_id, v_file.feed_id, p_file, g.line, g.version, 'retired', g.row_hash, g.natural_key, o.data, NULL
      FROM gone g JOIN old o ON o.natural_key = g.natural_key
      RETURNING record_id)
    INSERT INTO ledger AS l (file_id, chunk_key, rows, inserted, changed, unchanged, stale, retired)
    SELECT p_file, md5('retire' || md5(array_send(array_agg(e.record_id ORDER BY e.record_id))))::uuid, 0, 0, 0, 0, 0, count(*) FROM event e
    HAVING count(*) > 0
    RETURNING l.retired INTO retired;
  END IF;
  retired := coalesce(retired, 0);
  RETURN NEXT;
END $fn$;
