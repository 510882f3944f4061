-- Why: what the feeds say (records), what that changed (changes), and which part of a file is already done (ledger, seen).
-- Writes: apply (all), plan (ledger, seen).  Reads: emit (changes), the API, the command line.
-- Retention: records for ever; changes by day, a partition is dropped as a whole; ledger and seen 400 days: `seen` must
--            outlive the latest moment at which an older file can still arrive, because the order guard reads it.

-- A full file, a delta and a replay all ask one question of a key: which hash, from which place in the order of files?
-- The primary key carries the answer, so the question is an index-only scan: 5,000 keys of 5 million records cost 58 cold
-- pages instead of 240, and on Neon a cold page may be a round trip.
-- (order_key, line) is the place of the statement that last changed the row; it is what makes apply exactly-once for ever.
CREATE TABLE records (
  id            bigint      GENERATED ALWAYS AS IDENTITY,
  order_key     uuid        NOT NULL,
  row_hash      uuid        NOT NULL,            -- zero for a retired record: whatever comes back differs from it
  file_id       bigint      NOT NULL,            -- the file that last changed it
  first_seen_at timestamptz NOT NULL DEFAULT now(),
  updated_at    timestamptz NOT NULL DEFAULT now(),
  customer_id   int         NOT NULL,
  feed_id       int         NOT NULL,
  line          int         NOT NULL,            -- physical line in that file, 1-based
  version       int         NOT NULL DEFAULT 1 CHECK (version > 0),
  status        text        NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'retired')),
  natural_key   text        COLLATE "C" NOT NULL,
  data          jsonb       NOT NULL,
  CONSTRAINT records_pk PRIMARY KEY (customer_id, feed_id, natural_key) INCLUDE (row_hash, order_key, line, id)
);
--> statement-breakpoint
CREATE TYPE change_kind AS ENUM ('inserted', 'changed', 'retired', 'restored');
--> statement-breakpoint
-- The outbox: one row for every version of a record. No unique index: it costs a fifth of a first load, and the statement
-- that writes the row has just proven that the version is new.
CREATE TABLE changes (
  id          bigint      GENERATED ALWAYS AS IDENTITY,
  created_at  timestamptz NOT NULL DEFAULT now(),
  record_id   bigint      NOT NULL,
  file_id     bigint      NOT NULL,
  row_hash    uuid        NOT NULL,
  customer_id int         NOT NULL,
  feed_id     int         NOT NULL,
  line        int         NOT NULL,
  version     int         NOT NULL,              -- the record's version after the change
  kind        change_kind NOT NULL,
  natural_key text        COLLATE "C" NOT NULL,
  before      jsonb,                             -- NULL when inserted
  after       jsonb,                             -- NULL when retired
  CONSTRAINT changes_images CHECK ((kind = 'inserted') = (before IS NULL) AND (kind = 'retired') = (after IS NULL))
) PARTITION BY RANGE (created_at);
--> statement-breakpoint
-- Catches what no day was made for: a forgotten timer must not stop the feeds.
CREATE TABLE changes_default PARTITION OF changes DEFAULT;
--> statement-breakpoint
CREATE INDEX changes_by_place ON changes USING brin (id, file_id) WITH (pages_per_range = 16);
--> statement-breakpoint
-- The history of one record, across all days. Record ids are drawn in order, so a first load only appends to it.
CREATE INDEX changes_by_record ON changes (record_id);
--> statement-breakpoint
-- The identity of a change for whoever receives it: the same on every read, and free on write.
CREATE VIEW change_events AS
  SELECT c.*, md5(concat_ws('|', c.customer_id, c.natural_key, c.file_id, c.row_hash))::uuid AS idempotency_key
  FROM changes c;
--> statement-breakpoint
-- Makes the partitions of `p_days` days (UTC) from `p_from`; returns how many are new. Rows that fell into the default
-- partition for such a day move to where they belong.
CREATE FUNCTION ensure_change_partitions(p_from date, p_days int) RETURNS int LANGUAGE plpgsql AS $fn$
DECLARE
  v_made int := 0;
  v_day  date;
  v_name text;
  v_low  timestamptz;
  v_high timestamptz;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('ensure_change_partitions'));
  FOR i IN 0 .. p_days - 1 LOOP
    v_day := p_from + i;
    v_name := 'changes_' || to_char(v_day, 'YYYYMMDD');
    CONTINUE WHEN to_regclass(v_name) IS NOT NULL;
    v_low := v_day::timestamp AT TIME ZONE 'UTC';
    v_high := (v_day + 1)::timestamp AT TIME ZONE 'UTC';
    EXECUTE format('CREATE TABLE %I (LIKE changes INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', v_name);
    EXECUTE format('WITH moved AS (DELETE FROM changes_default WHERE created_at >= %L AND created_at < %L RETURNING *)
                    INSERT INTO %I SELECT * FROM moved', v_low, v_high, v_name);
    EXECUTE format('ALTER TABLE changes ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', v_name, v_low, v_high);
    v_made := v_made + 1;
  END LOOP;
  RETURN v_made;
END $fn$;
--> statement-breakpoint
-- The books of a file, one row per statement that planned or applied a part of it. The key is the digest of what was sent,
-- never a chunk's number: a file cut into other chunks after a deployment must not be taken for done.
-- A plan row settles `unchanged` and `stale`; its `need` are the lines that an apply row must settle.
CREATE TABLE ledger (
  file_id     bigint      NOT NULL,
  chunk_key   uuid        NOT NULL,
  rows        int         NOT NULL,
  inserted    int         NOT NULL,
  changed     int         NOT NULL,              -- restored ones too
  unchanged   int         NOT NULL,
  stale       int         NOT NULL,
  need        int[]       NOT NULL DEFAULT '{}',
  need_new    int         NOT NULL DEFAULT 0,    -- how many of `need` are not known at all
  settled_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (file_id, chunk_key),
  CONSTRAINT ledger_balance CHECK (rows = inserted + changed + unchanged + stale + cardinality(need))
);
--> statement-breakpoint
-- The touch: which records a part of a file contained, as one row instead of an update of every record (1 MB of WAL for
-- 300,000 unchanged rows instead of 300 MB).
CREATE TABLE seen (
  feed_id    int         NOT NULL,
  order_key  uuid        NOT NULL,
  file_id    bigint      NOT NULL,
  chunk_key  uuid        NOT NULL,
  seen_at    timestamptz NOT NULL DEFAULT now(),
  record_ids bigint[]    NOT NULL,
  PRIMARY KEY (feed_id, order_key, file_id, chunk_key)
);
--> statement-breakpoint
-- An eighth of the time of planning goes into compressing these arrays with the default method, next to nothing with lz4.
-- A server built without lz4 keeps the default, which is right, too, only slower.
DO $do$ BEGIN
  ALTER TABLE seen ALTER record_ids SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
  RAISE NOTICE 'seen.record_ids stays with the default compression: %', SQLERRM;
END $do$;
