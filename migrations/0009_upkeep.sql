-- Why: what stopped moving is found and woken however long nobody looked, without end neither in number nor in time; and what
--      is old is removed, once nothing can need it any more.
-- Writes: the sweep (jobs, strays, wakes), upkeep (jobs, the marks of what is removed, feeds.forgotten_to).
-- Reads: both, acquire_lease and close_file (file_is_late), the API (jobs).
-- Retention: jobs for ever, one row a job; strays until their delivery has a row. Deliveries and files are kept for ever
--            (0001 said: as long as the raw archive): they are what records, rejects and the audit log point to. How long
--            everything else is kept stands in src/upkeep/retention.ts; raw mails are among it now.

-- Who does the work at the moment, how far it is, and how it ended. The token fences: a worker whose lease has expired saves
-- nothing over what the next one did.
CREATE TABLE jobs (
  name            text        PRIMARY KEY,
  lease_token     uuid,
  lease_until     timestamptz,
  last_started_at timestamptz NOT NULL,
  last_ok_at      timestamptz,        -- when the last run began that came to its end
  progress        jsonb,              -- what the next run must know to go on; NULL: nothing is left over
  result          jsonb       NOT NULL DEFAULT '{}',   -- what the last run did
  error           text,               -- why the last run came to no end
  CONSTRAINT jobs_lease CHECK ((lease_token IS NULL) = (lease_until IS NULL))
);
--> statement-breakpoint
-- Archived objects without a delivery: the message that told of them was lost. One that is here is not forgotten, however
-- far the comparison of the archive has gone on.
CREATE TABLE strays (
  raw_key     text        PRIMARY KEY,
  delivery_id text        NOT NULL,
  customer    text        NOT NULL,
  found_at    timestamptz NOT NULL,
  wakes       int         NOT NULL DEFAULT 0,
  woken_at    timestamptz
);
--> statement-breakpoint
-- wakes: messages that the sweep sent since the row last changed its state. woken_at: when it last took the row up; what was
-- taken up goes behind what was not.
ALTER TABLE deliveries ADD COLUMN wakes int NOT NULL DEFAULT 0, ADD COLUMN woken_at timestamptz, ADD COLUMN raw_removed_at timestamptz;
--> statement-breakpoint
ALTER TABLE files ADD COLUMN wakes int NOT NULL DEFAULT 0, ADD COLUMN woken_at timestamptz,
  ADD COLUMN chunks_removed_at timestamptz, ADD COLUMN rejects_removed_at timestamptz;
--> statement-breakpoint
CREATE FUNCTION forget_wakes() RETURNS trigger LANGUAGE plpgsql AS $fn$
BEGIN
  NEW.wakes := 0;
  NEW.woken_at := NULL;
  RETURN NEW;
END $fn$;
--> statement-breakpoint
CREATE TRIGGER deliveries_moved BEFORE UPDATE OF state ON deliveries FOR EACH ROW WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION forget_wakes();
--> statement-breakpoint
CREATE TRIGGER files_moved BEFORE UPDATE OF state ON files FOR EACH ROW WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION forget_wakes();
--> statement-breakpoint
-- What the sweep looks for, a few rows of many. `files_waiting` (0003) is the third of them.
CREATE INDEX deliveries_parsing ON deliveries (updated_at) WHERE state = 'parsing';
--> statement-breakpoint
CREATE INDEX files_parsing ON files (updated_at) WHERE state = 'parsing';
--> statement-breakpoint
-- What upkeep looks for: rows that still have what it removes.
CREATE INDEX files_with_chunks ON files (updated_at) WHERE chunks_removed_at IS NULL;
--> statement-breakpoint
CREATE INDEX files_with_rejects ON files (parsed_at)
  WHERE rejects_removed_at IS NULL AND (rejected > 0 OR drift_report IS NOT NULL);
--> statement-breakpoint
-- Nothing will ask for a file again, but for a duplicate that opens again: it has come to its end, or was given up for good.
CREATE FUNCTION has_ended(p_state text, p_failure jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $fn$
  SELECT p_state IN ('applied', 'rejected', 'duplicate') OR (p_state = 'dead' AND p_failure ->> 'code' = 'discarded-by-operator')
$fn$;
--> statement-breakpoint
-- One row a statement of thousands of rows: an index by age costs apply nothing that could be measured.
CREATE INDEX ledger_by_age ON ledger (settled_at);
--> statement-breakpoint
CREATE INDEX seen_by_age ON seen (seen_at);
--> statement-breakpoint
-- Up to this place in the order of the feed's files, rows of `seen` may be removed.
ALTER TABLE feeds ADD COLUMN forgotten_to uuid;
--> statement-breakpoint
-- A full file says the whole state: behind a newer one that is applied, nothing in an older one is news. And behind the
-- place up to which `seen` is forgotten nobody can tell any more what a newer file has confirmed without a write: such a
-- file must not write, of whatever kind it is.
CREATE OR REPLACE FUNCTION file_is_late(p_file bigint) RETURNS boolean LANGUAGE sql STABLE AS $fn$
  SELECT coalesce(x.order_key < f.forgotten_to, false) OR (f.mode <> 'delta' AND EXISTS (
    SELECT 1 FROM files n WHERE n.feed_id = x.feed_id AND n.order_key > x.order_key AND n.state = 'applied'))
  FROM files x JOIN feeds f ON f.id = x.feed_id WHERE x.id = p_file
$fn$;
--> statement-breakpoint
-- Removes rows of `seen` that are older than `p_before`, at most `p_limit`, and says in their feeds up to which place that
-- was; both or neither. Left alone are the rows of files that are not at their end, and feeds in which a file is being
-- applied: it was found not to be late under the rows that are there now. acquire_lease locks the feed as this does, so no
-- file begins in between.
CREATE FUNCTION forget_seen(p_before timestamptz, p_limit int) RETURNS int LANGUAGE plpgsql AS $fn$
DECLARE
  v_feed  int;
  v_to    uuid;
  v_here  int;
  v_total int := 0;
BEGIN
  FOR v_feed IN
    SELECT o.feed_id FROM (
      SELECT s.feed_id FROM seen s JOIN files x ON x.id = s.file_id
      WHERE s.seen_at < p_before AND has_ended(x.state, x.failure)
        AND NOT EXISTS (SELECT 1 FROM files a WHERE a.feed_id = s.feed_id AND a.state = 'applying')
      ORDER BY s.seen_at LIMIT p_limit) o
    GROUP BY o.feed_id ORDER BY o.feed_id
  LOOP
    EXIT WHEN v_total >= p_limit;
    PERFORM 1 FROM feeds f WHERE f.id = v_feed FOR NO KEY UPDATE SKIP LOCKED;
    CONTINUE WHEN NOT FOUND OR EXISTS (SELECT 1 FROM files a WHERE a.feed_id = v_feed AND a.state = 'applying');
    WITH old AS (
      SELECT s.feed_id, s.order_key, s.file_id, s.chunk_key FROM seen s JOIN files x ON x.id = s.file_id
      WHERE s.feed_id = v_feed AND s.seen_at < p_before AND has_ended(x.state, x.failure)
      ORDER BY s.seen_at LIMIT p_limit - v_total),
    gone AS (
      DELETE FROM seen s USING old o
      WHERE s.feed_id = o.feed_id AND s.order_key = o.order_key AND s.file_id = o.file_id AND s.chunk_key = o.chunk_key
      RETURNING s.order_key)
    SELECT (array_agg(g.order_key ORDER BY g.order_key DESC))[1], count(*)::int INTO v_to, v_here FROM gone g;
    UPDATE feeds f SET forgotten_to = v_to WHERE f.id = v_feed AND v_to IS NOT NULL AND (f.forgotten_to IS NULL OR f.forgotten_to < v_to);
    v_total := v_total + v_here;
  END LOOP;
  RETURN v_total;
END $fn$;
--> statement-breakpoint
-- Drops the oldest partition of `changes` of a day before `p_before` and answers its name, NULL where there is none. Postgres
-- refuses DETACH CONCURRENTLY in a transaction, and at all where there is a default partition; so the table is dropped under
-- a lock that lasts as long as the catalogue takes. Who waits for that lock keeps everybody else waiting: two seconds, then
-- SQLSTATE 55P03, and it is tried again with the next run.
CREATE FUNCTION drop_change_partition(p_before date) RETURNS text LANGUAGE plpgsql SET lock_timeout = '2s' AS $fn$
DECLARE
  v_name text;
BEGIN
  SELECT c.relname INTO v_name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'changes'::regclass AND c.relname ~ '^changes_[0-9]{8}$' AND to_date(right(c.relname, 8), 'YYYYMMDD') < p_before
    ORDER BY c.relname LIMIT 1;
  IF v_name IS NOT NULL THEN EXECUTE format('DROP TABLE %I', v_name); END IF;
  RETURN v_name;
END $fn$;
