-- Why: not every file is a mail of today: one is compared and never applied (a dry run, a snapshot), one is read again from the
--      archive, one is made by us to heal drift or to go back in time. Each is a file like any other, so that plan, apply,
--      books and history hold for it; its cause says which it is.
-- Writes: whoever makes the file.  Reads: parse, plan, apply, the sweep, the API.  Retention: as files.

-- cause: 'delivery' is a file that came and is to be applied. compare_only: planned and told, never applied. complete: false
-- for a file of a full feed that says some records and is silent about the others: it retires none, and makes no other late.
-- replay_id: of the replay that read it again. comparison: what it would have done, as it was told.
ALTER TABLE files ADD COLUMN cause text NOT NULL DEFAULT 'delivery' CHECK (cause IN ('delivery', 'dry-run', 'replay', 'reconcile', 'restore')),
  ADD COLUMN compare_only boolean NOT NULL DEFAULT false, ADD COLUMN complete boolean NOT NULL DEFAULT true,
  ADD COLUMN replay_id bigint, ADD COLUMN comparison jsonb,
  ADD CONSTRAINT files_cause CHECK ((cause = 'replay') = (replay_id IS NOT NULL) AND (NOT compare_only OR cause IN ('dry-run', 'replay'))
    AND (cause <> 'dry-run' OR compare_only));
--> statement-breakpoint
-- One payload of a delivery may have one file of each cause, and one for each replay.
ALTER TABLE files DROP CONSTRAINT files_delivery_id_position_key,
  ADD CONSTRAINT files_of_payload UNIQUE NULLS NOT DISTINCT (delivery_id, position, cause, replay_id);
--> statement-breakpoint
ALTER TABLE files DROP CONSTRAINT files_state_check;
--> statement-breakpoint
ALTER TABLE files ADD CONSTRAINT files_state_check
  CHECK (state IN ('parsing', 'parsed', 'applying', 'applied', 'compared', 'held', 'rejected', 'duplicate', 'dead'));
--> statement-breakpoint
DROP TRIGGER files_moves ON files;
--> statement-breakpoint
CREATE TRIGGER files_moves BEFORE UPDATE OF state ON files FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
  EXECUTE FUNCTION keep_to_moves('parsing>parsed', 'parsing>held', 'parsing>rejected', 'parsing>duplicate', 'parsing>dead',
    'parsed>applying', 'parsed>compared', 'parsed>held', 'parsed>dead', 'applying>applied', 'applying>held', 'applying>dead',
    'held>parsing', 'held>parsed', 'held>rejected', 'duplicate>parsed', 'dead>parsing', 'dead>parsed');
--> statement-breakpoint
DROP INDEX files_open;
--> statement-breakpoint
CREATE INDEX files_open ON files (customer_id, state) WHERE state NOT IN ('applied', 'compared', 'rejected');
--> statement-breakpoint
CREATE INDEX files_of_replay ON files (replay_id) WHERE replay_id IS NOT NULL;
--> statement-breakpoint
CREATE OR REPLACE FUNCTION has_ended(p_state text, p_failure jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $fn$
  SELECT p_state IN ('applied', 'compared', 'rejected', 'duplicate') OR (p_state = 'dead' AND p_failure ->> 'code' = 'discarded-by-operator')
$fn$;
--> statement-breakpoint
-- As in 0009; a file that is not the whole state makes no other late.
CREATE OR REPLACE FUNCTION file_is_late(p_file bigint) RETURNS boolean LANGUAGE sql STABLE AS $fn$
  SELECT coalesce(x.order_key < f.forgotten_to, false) OR (f.mode <> 'delta' AND EXISTS (
    SELECT 1 FROM files n WHERE n.feed_id = x.feed_id AND n.order_key > x.order_key AND n.state = 'applied' AND n.complete))
  FROM files x JOIN feeds f ON f.id = x.feed_id WHERE x.id = p_file
$fn$;
--> statement-breakpoint
-- As in 0011, among files that came: what is read again or made by us hides no other. A restore or a healing in between takes back
-- what was said: whoever says it again says something new.
CREATE OR REPLACE FUNCTION file_repeated(p_file bigint, p_order uuid, p_content text, p_version text, p_sequence bigint, p_window_seconds float8)
RETURNS bigint LANGUAGE sql STABLE AS $fn$
  SELECT o.id FROM files f CROSS JOIN LATERAL (
    (SELECT x.* FROM files x WHERE x.feed_id = f.feed_id AND x.id <> f.id AND x.cause = 'delivery' AND x.order_key <= p_order
       AND x.state IN ('parsed', 'applying', 'applied', 'duplicate') ORDER BY x.order_key DESC LIMIT 1)
    UNION ALL
    (SELECT x.* FROM files x WHERE x.feed_id = f.feed_id AND x.id <> f.id AND x.cause = 'delivery' AND x.order_key > p_order
       AND x.state IN ('parsed', 'applying', 'applied', 'duplicate') ORDER BY x.order_key LIMIT 1)) n
  JOIN files o ON o.id = coalesce(n.duplicate_of, n.id)
  WHERE f.id = p_file AND n.content_sha256 = p_content AND n.adapter_version = p_version
    AND n.sequence IS NOT DISTINCT FROM p_sequence
    AND (p_sequence IS NOT NULL OR abs(extract(epoch FROM f.received_at - o.received_at)) <= p_window_seconds)
    AND NOT EXISTS (SELECT FROM files r WHERE r.feed_id = f.feed_id AND r.cause IN ('restore', 'reconcile')
      AND r.state IN ('parsed', 'applying', 'applied')
      AND r.order_key BETWEEN least(n.order_key, p_order) AND greatest(n.order_key, p_order))
  ORDER BY n.order_key LIMIT 1
$fn$;
--> statement-breakpoint
DROP TRIGGER files_duplicates_open ON files;
--> statement-breakpoint
CREATE TRIGGER files_duplicates_open AFTER UPDATE OF state ON files FOR EACH ROW
  WHEN (OLD.state IS DISTINCT FROM NEW.state AND NEW.cause = 'delivery'
    AND (NEW.state = 'parsed' OR (OLD.state IN ('parsed', 'applying') AND NEW.state IN ('held', 'rejected', 'dead'))))
  EXECUTE FUNCTION reopen_duplicates();
--> statement-breakpoint
-- Ends a file that is only compared, with what is told of it; what planning it noted for that alone is removed. Answers the
-- state it is in now: 'compared', also where it was that before.
CREATE FUNCTION end_comparison(p_file bigint, p_comparison jsonb) RETURNS text LANGUAGE plpgsql AS $fn$
DECLARE
  v_state text;
BEGIN
  UPDATE files x SET state = 'compared', comparison = p_comparison, applied_at = NULL, updated_at = now()
    WHERE x.id = p_file AND x.state = 'parsed';
  DELETE FROM ledger l USING files x WHERE x.id = p_file AND x.compare_only AND x.state = 'compared' AND l.file_id = p_file;
  SELECT x.state INTO v_state FROM files x WHERE x.id = p_file;
  RETURN v_state;
END $fn$;
--> statement-breakpoint
-- Mails that answer somebody go to his address; the others to whoever has the role.
ALTER TABLE notifications ADD COLUMN address text;
