-- Why: a snapshot ("so it stands in the ERP") is held against the records of the feed that it is about, every night: what is
--      missing, what is too much and what differs is found, explained where it can be, healed or shown to a person.
-- Writes: reconcile (drift_reports, drift_rows), the API (decisions).  Reads: reconcile, the API, mails.
-- Retention: drift_reports 400 days; drift_rows 90 days (they hold values), at most 1,000 of a report.
--
-- A comparison costs one walk along the primary key and 16 bytes of answer for each 24 records or so: records are dealt out
-- into buckets by a hash of their key, and of each bucket a digest is answered that does not depend on the order. Only where
-- a digest is another than that of the file are rows looked at.

-- The digests read row_hash, which stands in the index. A record that was edited by hand kept the hash of what it was before,
-- and nobody would have seen it. Such a record loses its hash: whatever file says it next differs from it. The first condition
-- is false for every statement of ours, so it costs them next to nothing.
CREATE FUNCTION break_seal() RETURNS trigger LANGUAGE plpgsql AS $fn$
BEGIN
  NEW.row_hash := CASE NEW.status WHEN 'retired' THEN '00000000-0000-0000-0000-000000000000'
    ELSE 'ffffffff-ffff-ffff-ffff-ffffffffffff' END;
  RETURN NEW;
END $fn$;
--> statement-breakpoint
CREATE TRIGGER records_seal BEFORE UPDATE ON records FOR EACH ROW
  WHEN (NEW.row_hash = OLD.row_hash AND (NEW.data IS DISTINCT FROM OLD.data OR NEW.status IS DISTINCT FROM OLD.status
    OR NEW.natural_key IS DISTINCT FROM OLD.natural_key))
  EXECUTE FUNCTION break_seal();
--> statement-breakpoint
-- One row per snapshot file. `seal` says by what was compared: the row hashes, or the values of `fields`.
CREATE TABLE drift_reports (
  id               bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  file_id          bigint      NOT NULL UNIQUE REFERENCES files ON DELETE CASCADE,   -- the snapshot
  customer_id      int         NOT NULL REFERENCES customers,
  feed_id          int         NOT NULL REFERENCES feeds,         -- whose records are compared
  snapshot_feed_id int         NOT NULL REFERENCES feeds,
  order_key        uuid        NOT NULL,                          -- the snapshot's place among the files of the feed
  as_of            timestamptz NOT NULL,
  state            text        NOT NULL DEFAULT 'open'
                   CHECK (state IN ('open', 'late', 'clean', 'healing', 'healed', 'waiting', 'released', 'rejected')),
  limits           jsonb       NOT NULL,
  seal             text        CHECK (seal IN ('hash', 'fields')),
  fields           text[]      NOT NULL,
  snapshot_rows    int,
  records          int,                                           -- active ones of the feed
  missing_here     int,                                           -- all that was found, explained or not
  missing_there    int,
  differs          int,
  drift            int,                                           -- of these, what nothing explains
  explained        jsonb       NOT NULL DEFAULT '{}',             -- the others, {reason: number}
  reasons          text[]      NOT NULL DEFAULT '{}',             -- which limits it is above
  healing_file_id  bigint      REFERENCES files ON DELETE SET NULL,
  created_at       timestamptz NOT NULL DEFAULT now(),
  compared_at      timestamptz,
  decided_at       timestamptz,
  decided_by       text,
  healed_at        timestamptz,
  CONSTRAINT drift_reports_compared CHECK ((state IN ('open', 'late')) = (compared_at IS NULL)),
  CONSTRAINT drift_reports_numbers CHECK (compared_at IS NULL OR coalesce(
    drift <= missing_here + missing_there + differs AND seal IS NOT NULL AND records IS NOT NULL AND snapshot_rows IS NOT NULL, false)),
  CONSTRAINT drift_reports_decided CHECK ((decided_at IS NULL) = (decided_by IS NULL)
    AND (state NOT IN ('released', 'rejected') OR decided_at IS NOT NULL)),
  CONSTRAINT drift_reports_healed CHECK ((state = 'healed') = (healed_at IS NOT NULL))
);
--> statement-breakpoint
CREATE INDEX drift_reports_by_feed ON drift_reports (feed_id, order_key DESC);
--> statement-breakpoint
CREATE INDEX drift_reports_waiting ON drift_reports (customer_id, created_at) WHERE state IN ('open', 'waiting', 'healing', 'released');
--> statement-breakpoint
CREATE TRIGGER drift_reports_first_state BEFORE INSERT ON drift_reports FOR EACH ROW EXECUTE FUNCTION keep_to_moves('new>open', 'new>late');
--> statement-breakpoint
CREATE TRIGGER drift_reports_moves BEFORE UPDATE OF state ON drift_reports FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
  EXECUTE FUNCTION keep_to_moves('open>clean', 'open>healing', 'open>waiting', 'waiting>released', 'waiting>rejected',
    'healing>healed', 'released>healed');
--> statement-breakpoint
-- What was found, unexplained first, up to a stated number. A field that is not there is absent from `ours` or `theirs`.
CREATE TABLE drift_rows (
  report_id   bigint NOT NULL REFERENCES drift_reports ON DELETE CASCADE,
  n           int    NOT NULL CHECK (n > 0),
  kind        text   NOT NULL CHECK (kind IN ('missing-here', 'missing-there', 'differs')),
  natural_key text   COLLATE "C" NOT NULL,
  line        int,                              -- in the snapshot
  version     int,                              -- of our record, also of a retired one
  order_key   uuid,                             -- of the file that last changed our record
  our_file_id bigint,
  fields      jsonb  NOT NULL,                  -- [{field, ours, theirs, owned}], values cut
  explanation jsonb,                            -- {reason, …}; NULL: drift
  sentence    text   NOT NULL,
  PRIMARY KEY (report_id, n)
);
--> statement-breakpoint
-- The digest of a row as an expression: 64 bits that are the same here and in the file for equal rows. Without fields it is
-- made of the row hash, which the index holds; with them of their values as JSON texts, where no value is null. The hash of
-- the key is the seed, so a value that went from one record to another is another digest. These are the functions of hash
-- indexes: see src/reconcile/hash64.ts.
CREATE FUNCTION row_digest(p_fields text[]) RETURNS text LANGUAGE sql IMMUTABLE AS $fn$
  SELECT CASE WHEN p_fields IS NULL THEN 'uuid_hash_extended(row_hash, hashtextextended(natural_key, 0))'
    ELSE format('hashtextextended(concat_ws(E''\x1e'', %s) COLLATE "C", hashtextextended(natural_key, 0))', (
      SELECT string_agg(format('coalesce((data->%L)::text, ''null'')', f.name), ', ' ORDER BY f.place)
      FROM unnest(p_fields) WITH ORDINALITY AS f(name, place))) END
$fn$;
--> statement-breakpoint
-- Of all active records of a feed: for each of 2^p_bits buckets, in order, a digest of 8 bytes and a count of 4, as base64.
-- A bucket is the last bits of the hash of the key; its digest is the XOR of those of its rows, which knows no order.
CREATE FUNCTION record_buckets(p_customer int, p_feed int, p_bits int, p_fields text[]) RETURNS text
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET jit = off SET work_mem = '32MB' AS $fn$
DECLARE
  v_buckets text;
BEGIN
  IF p_bits NOT BETWEEN 0 AND 16 THEN RAISE EXCEPTION 'buckets of % bits', p_bits USING ERRCODE = 'invalid_parameter_value'; END IF;
  EXECUTE format($q$
    SELECT translate(encode(string_agg(int8send(coalesce(d.digest, 0)) || int4send(coalesce(d.n, 0)::int), '' ORDER BY b.n), 'base64'), E'\n', '')
    FROM generate_series(0, (1 << $3) - 1) AS b(n)
    LEFT JOIN (
      SELECT (hashtextextended(natural_key, 0) & ((1 << $3) - 1))::int AS bucket, count(*) AS n, bit_xor(%s) AS digest
      FROM records
      WHERE customer_id = $1 AND feed_id = $2 AND row_hash <> '00000000-0000-0000-0000-000000000000'
      GROUP BY 1) d ON d.bucket = b.n
    $q$, row_digest(p_fields)) INTO v_buckets USING p_customer, p_feed, p_bits;
  RETURN v_buckets;
END $fn$;
--> statement-breakpoint
-- The active records in some of the buckets: keys as a JSON array, and the digests of the rows by comma. p_mask: a bit for each
-- bucket, as hex digits; bit n is bit n % 8 of byte n / 8.
CREATE FUNCTION bucket_rows(p_customer int, p_feed int, p_bits int, p_fields text[], p_mask text)
RETURNS TABLE (keys text, digests text)
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET jit = off AS $fn$
BEGIN
  RETURN QUERY EXECUTE format($q$
    SELECT coalesce(json_agg(natural_key)::text, '[]'), coalesce(string_agg(encode(int8send(%s), 'hex'), ','), '')
    FROM records
    WHERE customer_id = $1 AND feed_id = $2 AND row_hash <> '00000000-0000-0000-0000-000000000000'
      AND get_bit($3, (hashtextextended(natural_key, 0) & ((1 << $4) - 1))::int) = 1
    $q$, row_digest(p_fields)) USING p_customer, p_feed, decode(p_mask, 'hex'), p_bits;
END $fn$;
--> statement-breakpoint
-- What is known of the records of some keys (a JSON array), retired ones too; keys without a record are left out. `confirmed`:
-- a file behind p_order has said the record as it is. `retired_by`: the file whose retirement of this very version is on
-- record; a record that was set retired by hand has none.
CREATE FUNCTION record_details(p_customer int, p_feed int, p_order uuid, p_keys jsonb)
RETURNS TABLE (key text, id bigint, version int, status text, order_key uuid, row_hash text, file_id bigint, data text,
               confirmed boolean, retired_by bigint)
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_bitmapscan = off SET enable_nestloop = off SET jit = off AS $fn$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  WITH found AS MATERIALIZED (
    SELECT r.* FROM (SELECT jsonb_array_elements_text(p_keys) AS k) i
    CROSS JOIN LATERAL (SELECT x.natural_key, x.id, x.version, x.status, x.order_key, x.row_hash, x.file_id, x.data, x.updated_at FROM records x
      WHERE x.customer_id = p_customer AND x.feed_id = p_feed AND x.natural_key = i.k LIMIT 1) r),
  newer AS MATERIALIZED (
    SELECT DISTINCT u.id FROM seen s CROSS JOIN LATERAL unnest(s.record_ids) AS u(id)
    WHERE s.feed_id = p_feed AND s.order_key > p_order AND u.id IN (SELECT f.id FROM found f))
  SELECT f.natural_key, f.id, f.version, f.status, f.order_key, encode(uuid_send(f.row_hash), 'hex'), f.file_id, f.data::text,
    EXISTS (SELECT 1 FROM newer w WHERE w.id = f.id),
    CASE f.status WHEN 'retired' THEN (SELECT c.file_id FROM changes c   -- of the day alone on which the record was written
      WHERE c.record_id = f.id AND c.version = f.version AND c.kind = 'retired'
        AND c.created_at BETWEEN f.updated_at - interval '1 minute' AND f.updated_at + interval '1 minute' LIMIT 1) END
  FROM found f;
END $fn$;
--> statement-breakpoint
-- Before drift is healed: a record whose data is another than its hash says would be found unchanged. Such records lose their
-- hash, but only while it is the one that was seen. p_seals: [[key, hash], …]. Answers how many.
CREATE FUNCTION break_seals(p_customer int, p_feed int, p_seals jsonb) RETURNS int
LANGUAGE sql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $fn$
  WITH broken AS (
    UPDATE records r SET row_hash = 'ffffffff-ffff-ffff-ffff-ffffffffffff'
    FROM (SELECT e->>0 AS k, (e->>1)::uuid AS h FROM jsonb_array_elements(p_seals) AS e) i
    WHERE r.customer_id = p_customer AND r.feed_id = p_feed AND r.natural_key = i.k AND r.row_hash = i.h
      AND r.status = 'active'
    RETURNING r.id)
  SELECT count(*)::int FROM broken
$fn$;
--> statement-breakpoint
-- A report is healed when the file that heals it is applied, with it or not at all.
CREATE FUNCTION heal_report() RETURNS trigger LANGUAGE plpgsql AS $fn$
BEGIN
  WITH healed AS (
    UPDATE drift_reports d SET state = 'healed', healed_at = now()
    WHERE d.healing_file_id = NEW.id AND d.state IN ('healing', 'released') RETURNING d.id)
  INSERT INTO audit_log (actor, action, subject, detail)
    SELECT 'mailfeed', 'drift-healed', 'drift report ' || h.id, jsonb_build_object('file', NEW.id) FROM healed h;
  RETURN NULL;
END $fn$;
--> statement-breakpoint
CREATE TRIGGER files_heal AFTER UPDATE OF state ON files FOR EACH ROW
  WHEN (OLD.state <> 'applied' AND NEW.state = 'applied' AND NEW.cause = 'reconcile') EXECUTE FUNCTION heal_report();
