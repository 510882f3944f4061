-- Why: what the records of a feed were at a moment of the past can be asked, and made so again: `changes` holds what each of them
--      was before.
-- Writes: upkeep (forgotten), the API (restores, restore_parts, and the files of a restore), apply (those files, as any other).
-- Reads: the API, apply.  Retention: forgotten, restores and restore_parts for ever, a row each.

-- Up to where what is gone was whole. What is older cannot be asked for: an answer without the changes that were dropped would
-- be wrong and look right.
CREATE TABLE forgotten (
  what text        PRIMARY KEY CHECK (what = 'changes'),
  upto timestamptz NOT NULL
);
--> statement-breakpoint
-- As in 0009, and it keeps the mark. Drops the oldest day of changes that is wholly before `p_before` and answers its name; NULL
-- where there is none. Who waits for that lock keeps everybody else waiting: two seconds, then SQLSTATE 55P03, and it is tried
-- again with the next run.
CREATE OR REPLACE FUNCTION drop_change_partition(p_before date) RETURNS text LANGUAGE plpgsql SET lock_timeout = '2s' AS $fn$
DECLARE
  v_name text;
BEGIN
  SELECT c.relname INTO v_name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'changes'::regclass AND c.relname ~ '^changes_[0-9]{8}$' AND to_date(right(c.relname, 8), 'YYYYMMDD') < p_before
    ORDER BY c.relname LIMIT 1;
  IF v_name IS NOT NULL THEN
    EXECUTE format('DROP TABLE %I', v_name);
    INSERT INTO forgotten AS f (what, upto)
      VALUES ('changes', (to_date(right(v_name, 8), 'YYYYMMDD') + 1)::timestamp AT TIME ZONE 'UTC')
      ON CONFLICT (what) DO UPDATE SET upto = greatest(f.upto, excluded.upto);
  END IF;
  RETURN v_name;
END $fn$;
--> statement-breakpoint
-- From when on the history of a feed's records is whole: a feed that is read anew into an empty database begins there.
CREATE FUNCTION history_from(p_feed int) RETURNS timestamptz LANGUAGE sql STABLE AS $fn$
  SELECT greatest(f.created_at, (SELECT g.upto FROM forgotten g WHERE g.what = 'changes')) FROM feeds f WHERE f.id = p_feed
$fn$;
--> statement-breakpoint
-- The records of a feed as they were at `p_at`, in the order of their keys behind `p_after`, at most `p_limit`; or the one of
-- `p_key`. A record that came later is not among them. Only what changed since is looked up, in the days since; what did not is
-- read as it is. `file_id`, `line` and `updated_at` are NULL where the change that made it so is forgotten.
CREATE FUNCTION records_at(p_customer int, p_feed int, p_at timestamptz, p_key text, p_after text, p_limit int)
RETURNS TABLE (natural_key text, status text, version int, data jsonb, file_id bigint, line int, first_seen_at timestamptz, updated_at timestamptz)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_custom_plan SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $fn$
BEGIN
  RETURN QUERY
  SELECT r.natural_key, CASE WHEN c.kind IS NULL THEN r.status WHEN c.kind = 'restored' THEN 'retired' ELSE 'active' END,
    coalesce(c.version - 1, r.version), coalesce(c.before, r.data), CASE WHEN c.kind IS NULL THEN r.file_id ELSE p.file_id END,
    CASE WHEN c.kind IS NULL THEN r.line ELSE p.line END, r.first_seen_at, CASE WHEN c.kind IS NULL THEN r.updated_at ELSE p.created_at END
  FROM records r
  LEFT JOIN LATERAL (
    SELECT x.version, x.kind, x.before FROM changes x
    WHERE r.updated_at > p_at AND x.record_id = r.id AND x.created_at > p_at ORDER BY x.version LIMIT 1) c ON true
  LEFT JOIN LATERAL (
    SELECT x.file_id, x.line, x.created_at FROM changes x
    WHERE c.kind IS NOT NULL AND x.record_id = r.id AND x.version = c.version - 1
      AND x.created_at >= r.first_seen_at AND x.created_at <= p_at LIMIT 1) p ON true
  WHERE r.customer_id = p_customer AND r.feed_id = p_feed AND (p_key IS NULL OR r.natural_key = p_key)
    AND (p_after IS NULL OR r.natural_key > p_after) AND r.first_seen_at <= p_at AND c.kind IS DISTINCT FROM 'inserted'
  ORDER BY r.natural_key LIMIT p_limit;
END $fn$;
--> statement-breakpoint
-- What must be done to the records of a feed to make them what they were at `p_at`, in the order of their keys behind `p_after` and
-- up to `p_upto` (NULL: to the end), at most `p_limit`. `does`:
--   change   it is there and says something else
--   restore  it is retired and was there
--   retire   it is there, and was not, or not yet
-- Of what is retired now and was not there then nothing is to be done, whatever it last said. `row_hash`: that of the statement
-- which made it what it was, so that the same statement finds it unchanged; where that is not known any more, or stands in the
-- row already although the row says something else, one that no statement has. `mark`: digest of all this.
CREATE FUNCTION restore_differences(p_feed int, p_at timestamptz, p_after text, p_upto text, p_limit int)
RETURNS TABLE (natural_key text, record_id bigint, version int, does text, row_hash uuid, now jsonb, was jsonb, mark text)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_custom_plan SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $fn$
DECLARE
  v_customer int;
BEGIN
  SELECT f.customer_id INTO v_customer FROM feeds f WHERE f.id = p_feed;
  RETURN QUERY
  SELECT r.natural_key, r.id, r.version, d.does, h.hash, r.data, h.data,
    md5(concat_ws(E'\t', d.does, r.natural_key, r.id, r.version, h.hash, md5(h.data::text)))
  FROM records r
  LEFT JOIN LATERAL (
    SELECT x.version, x.kind, x.before FROM changes x
    WHERE r.first_seen_at <= p_at AND x.record_id = r.id AND x.created_at > p_at ORDER BY x.version LIMIT 1) c ON true
  CROSS JOIN LATERAL (SELECT CASE
    WHEN r.status = 'active' AND (r.first_seen_at > p_at OR c.kind IN ('inserted', 'restored')) THEN 'retire'
    WHEN r.status = 'retired' AND c.kind IN ('changed', 'retired') THEN 'restore'
    WHEN r.status = 'active' AND c.kind IN ('changed', 'retired') AND r.data <> c.before THEN 'change' END AS does) d
  LEFT JOIN LATERAL (
    SELECT x.row_hash FROM changes x
    WHERE d.does <> 'retire' AND x.record_id = r.id AND x.version = c.version - 1
      AND x.created_at >= r.first_seen_at AND x.created_at <= p_at LIMIT 1) p ON true
  CROSS JOIN LATERAL (
    SELECT CASE WHEN d.does <> 'retire' THEN c.before END AS data,
      CASE WHEN d.does <> 'retire' THEN coalesce(nullif(p.row_hash, r.row_hash), md5(r.version || ' ' || c.before::text)::uuid) END AS hash) h
  WHERE r.customer_id = v_customer AND r.feed_id = p_feed AND r.natural_key > p_after AND (p_upto IS NULL OR r.natural_key <= p_upto)
    AND r.updated_at > p_at AND d.does IS NOT NULL
  ORDER BY r.natural_key LIMIT p_limit;
END $fn$;
--> statement-breakpoint
-- Some of these differences as numbers: at most `p_limit`, and no more than make `p_bytes` of text (NULL: all). `sum` names them: their
-- marks taken together by XOR, so that the sums of parts make up that of the whole. `upto`: the last key, where there may be more.
-- With `p_tell`, `fields`: how many records change in which field, and `samples`: some of each kind, the same of the same.
CREATE FUNCTION restore_sum(p_feed int, p_at timestamptz, p_after text, p_upto text, p_limit int, p_bytes int, p_tell boolean)
RETURNS TABLE (changes int, restores int, retirements int, sum text, upto text, fields jsonb, samples jsonb) LANGUAGE sql STABLE AS $fn$
  WITH found AS MATERIALIZED (
    SELECT x.*, coalesce(octet_length(x.was::text), 0) + octet_length(x.natural_key) AS bytes
    FROM restore_differences(p_feed, p_at, p_after, p_upto, p_limit) x),
  d AS MATERIALIZED (
    SELECT * FROM (SELECT f.*, sum(f.bytes) OVER (ORDER BY f.natural_key COLLATE "C") - f.bytes AS bytes_before FROM found f) b
    WHERE p_bytes IS NULL OR b.bytes_before < p_bytes)
  SELECT (count(*) FILTER (WHERE d.does = 'change'))::int, (count(*) FILTER (WHERE d.does = 'restore'))::int,
    (count(*) FILTER (WHERE d.does = 'retire'))::int, coalesce(bit_xor(('x' || d.mark)::bit(128)), 0::bit(128))::text,
    CASE WHEN count(*) = p_limit OR count(*) < (SELECT count(*) FROM found) THEN max(d.natural_key COLLATE "C") END,
    CASE WHEN p_tell THEN (
      SELECT coalesce(jsonb_object_agg(f.field, f.n), '{}') FROM (
        SELECT e.field, count(*) AS n FROM d AS x CROSS JOIN LATERAL (
          SELECT coalesce(a.key, b.key) AS field FROM jsonb_each(x.now) a FULL JOIN jsonb_each(x.was) b ON b.key = a.key
          WHERE a.value IS DISTINCT FROM b.value) e
        WHERE x.does = 'change' GROUP BY 1) f) END,
    CASE WHEN p_tell THEN (
      SELECT coalesce(jsonb_agg(jsonb_build_object('does', s.does, 'key', s.natural_key, 'now', s.now, 'was', s.was, 'order', s.mark)), '[]')
      FROM (SELECT x.*, row_number() OVER (PARTITION BY x.does ORDER BY x.mark) AS n FROM d AS x) s WHERE s.n <= 5) END
  FROM d
$fn$;
--> statement-breakpoint
-- A restore of one feed, as it was ordered. `request`: the digest of the preview that was looked at; the same order twice is one
-- restore.
CREATE TABLE restores (
  id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  request     text        NOT NULL CHECK (request ~ '^[0-9a-f]{64}$'),
  customer_id int         NOT NULL REFERENCES customers,
  feed_id     int         NOT NULL REFERENCES feeds,
  restore_to  timestamptz NOT NULL,
  said_at     timestamptz NOT NULL,                -- arrival of its files
  as_of       timestamptz NOT NULL,                -- their place in the order: behind all that is applied
  asked_by    text        NOT NULL,
  UNIQUE (feed_id, request)
);
--> statement-breakpoint
CREATE INDEX restores_by_customer ON restores (customer_id, id DESC);
--> statement-breakpoint
-- A part of it: the differences of the keys behind `after_key` up to `upto_key` (NULL: to the end), as they were looked at. Where they
-- do not sum up to `sum` any more, the records have moved. Each is a file of its own, and its number is kept from the beginning,
-- so that a second attempt overwrites what the first has left in storage.
CREATE TABLE restore_parts (
  restore_id bigint      NOT NULL REFERENCES restores,
  n          int         NOT NULL CHECK (n > 0),
  file_id    bigint      NOT NULL UNIQUE,
  after_key  text        COLLATE "C" NOT NULL,
  upto_key   text        COLLATE "C",
  sum        bit(128)    NOT NULL,
  rows       int         NOT NULL CHECK (rows > 0),
  made_at    timestamptz,                          -- when its file was ready
  PRIMARY KEY (restore_id, n)
);
--> statement-breakpoint
-- Orders a restore of some feeds, [{feedId, parts: [{n, after, upto, sum, rows}]}], once; it goes into the audit log. Its place in the
-- order of each feed is now, or behind what is applied where that has said a later time.
CREATE FUNCTION order_restore(p_request text, p_to timestamptz, p_feeds jsonb, p_now timestamptz, p_by text, p_subject text, p_detail jsonb)
RETURNS void LANGUAGE sql AS $fn$
  WITH ordered AS (
    INSERT INTO restores (request, customer_id, feed_id, restore_to, said_at, as_of, asked_by)
    SELECT p_request, f.customer_id, f.id, p_to, p_now,
      greatest(p_now, (SELECT to_timestamp((('x' || left(replace(x.order_key::text, '-', ''), 12))::bit(48)::bigint + 1) / 1000.0)
        FROM files x WHERE x.feed_id = f.id AND x.state IN ('applying', 'applied') ORDER BY x.order_key DESC LIMIT 1)), p_by
    FROM jsonb_to_recordset(p_feeds) AS o("feedId" int) JOIN feeds f ON f.id = o."feedId"
    ON CONFLICT (feed_id, request) DO NOTHING
    RETURNING id, feed_id),
  parts AS (
    INSERT INTO restore_parts (restore_id, n, file_id, after_key, upto_key, sum, rows)
    SELECT r.id, p.n, nextval(pg_get_serial_sequence('files', 'id')), p.after, p.upto, p.sum::bit(128), p.rows
    FROM jsonb_to_recordset(p_feeds) AS o("feedId" int, parts jsonb) JOIN ordered r ON r.feed_id = o."feedId"
    CROSS JOIN LATERAL jsonb_to_recordset(o.parts) AS p(n int, after text, upto text, sum text, rows int))
  INSERT INTO audit_log (actor, action, subject, detail)
  SELECT p_by, 'restore', p_subject, p_detail WHERE EXISTS (SELECT FROM ordered)
$fn$;
--> statement-breakpoint
-- Writes down a part whose raw bytes and chunks are stored: its delivery, its file, ready to be applied, and what it retires. All or
-- nothing. Outcomes: made; already (somebody else was quicker); again (its delivery was given up meanwhile, so it needs a file of
-- its own).
CREATE FUNCTION make_restore_part(p_restore bigint, p_n int, p_file bigint, p_delivery jsonb, p_made jsonb, p_gone jsonb)
RETURNS text LANGUAGE plpgsql AS $fn$
DECLARE
  v_part    restore_parts%ROWTYPE;
  v_restore restores%ROWTYPE;
  v_gone    int := jsonb_array_length(p_gone);
BEGIN
  SELECT * INTO v_part FROM restore_parts p WHERE p.restore_id = p_restore AND p.n = p_n FOR NO KEY UPDATE;
  IF v_part.made_at IS NOT NULL OR v_part.file_id <> p_file THEN RETURN 'already'; END IF;
  IF EXISTS (SELECT FROM deliveries d WHERE d.id = p_delivery->>'id') THEN
    UPDATE restore_parts p SET file_id = nextval(pg_get_serial_sequence('files', 'id')) WHERE p.restore_id = p_restore AND p.n = p_n;
    RETURN 'again';
  END IF;
  SELECT * INTO v_restore FROM restores r WHERE r.id = p_restore;
  INSERT INTO deliveries (id, customer_id, feed_id, door, state, raw_key, raw_bytes, raw_sha256, sender, sender_proof, subject,
      message_id, received_at, payloads)
    VALUES (p_delivery->>'id', v_restore.customer_id, v_restore.feed_id, 'restore', 'parsing', p_delivery->>'rawKey',
      (p_delivery->>'bytes')::bigint, p_delivery->>'sha256', v_restore.asked_by, 'operator', p_delivery->>'subject', v_restore.request,
      v_restore.said_at, jsonb_build_array(jsonb_build_object('path', p_made->>'path', 'format', 'ndjson', 'role', 'attachment', 'taken', true)));
  INSERT INTO files (id, delivery_id, position, customer_id, feed_id, path, content_type, bytes, content_sha256, state, cause, complete,
      adapter_version, as_of, as_of_source, order_key, chunks, lines, header_lines, preamble_lines, footer_lines, blank_lines,
      continuation_lines, accepted, rejected, ends_with_newline, received_at)
    OVERRIDING SYSTEM VALUE
    SELECT p_file, p_delivery->>'id', 0, v_restore.customer_id, v_restore.feed_id, p_made->>'path', 'application/x-ndjson',
      (p_delivery->>'bytes')::bigint, p_delivery->>'sha256', 'parsing', 'restore', false, p_made->>'adapterVersion', v_restore.as_of,
      'restore', (p_made->>'orderKey')::uuid, p_made->'chunks', 1 + m.accepted + v_gone, 1, 0, v_gone, 0, 0, m.accepted, 0, true,
      v_restore.said_at
    FROM (SELECT (p_made->>'accepted')::int AS accepted) m;
  INSERT INTO listed_retirements (file_id, n, natural_key, record_id, version)
    SELECT p_file, row_number() OVER (), g.key, g.id, g.version FROM jsonb_to_recordset(p_gone) AS g(key text, id bigint, version int);
  UPDATE restore_parts p SET made_at = now() WHERE p.restore_id = p_restore AND p.n = p_n;
  UPDATE files x SET state = 'parsed', parsed_at = now(), updated_at = now() WHERE x.id = p_file;
  UPDATE deliveries d SET state = 'parsed', updated_at = now() WHERE d.id = p_delivery->>'id';
  RETURN 'made';
END $fn$;
--> statement-breakpoint
-- Whether the records are still as they were looked at when a restore was ordered, and nothing newer is applied, or let go. Asked under the
-- lease, between plan and apply: nobody else can write then. A part that was let go (files.gate) is not to be asked again, since half of
-- it may be applied.
CREATE FUNCTION restore_stands(p_file bigint) RETURNS TABLE (stands boolean, restore_to timestamptz) LANGUAGE sql STABLE AS $fn$
  SELECT NOT EXISTS (SELECT FROM files n WHERE n.feed_id = x.feed_id AND n.order_key > x.order_key
      AND (n.state = 'applied' OR n.state = 'applying' AND n.gate IS NOT NULL)
      AND NOT EXISTS (SELECT FROM restore_parts o WHERE o.file_id = n.id AND o.restore_id = p.restore_id))
    AND p.sum = (SELECT s.sum::bit(128) FROM restore_sum(r.feed_id, r.restore_to, p.after_key, p.upto_key, NULL, NULL, false) s), r.restore_to
  FROM restore_parts p JOIN restores r ON r.id = p.restore_id JOIN files x ON x.id = p.file_id WHERE p.file_id = p_file
$fn$;
--> statement-breakpoint
-- Holds a part that does not stand, and frees the lease; what planning it noted goes, as in hold_by_gate. False: the file is not held,
-- since the lease is not ours or somebody has given up the file.
CREATE FUNCTION hold_restore(p_file bigint, p_token uuid, p_failure jsonb) RETURNS boolean LANGUAGE plpgsql AS $fn$
BEGIN
  IF release_lease(p_file, p_token) THEN
    UPDATE files x SET state = 'held', failure = p_failure, books_of = NULL, plan_mode = NULL, updated_at = now()
      WHERE x.id = p_file AND x.state = 'applying';
    IF FOUND THEN
      DELETE FROM ledger l WHERE l.file_id = p_file;
      DELETE FROM seen s USING files x WHERE x.id = p_file AND s.feed_id = x.feed_id AND s.file_id = p_file;
    END IF;
  END IF;
  RETURN EXISTS (SELECT 1 FROM files x WHERE x.id = p_file AND x.state = 'held');
END $fn$;
--> statement-breakpoint
ALTER TABLE deliveries DROP CONSTRAINT deliveries_door_check, ADD CONSTRAINT deliveries_door_check CHECK (door IN ('mail', 'upload', 'restore'));
