-- Why: what a thing is recognized by is stored beside it and can be looked at; and the same content again, with nothing of its
--      feed in between, is recorded as a duplicate and not applied.
-- Writes: parse (all columns), the triggers below (files that open again, audit_log).  Reads: parse, the API.
-- Retention: as deliveries and files.

-- Of what the id is made, with customer and message_id; NULL in deliveries that were archived before it was kept.
ALTER TABLE deliveries ADD COLUMN recipient text, ADD COLUMN body_sha256 text CHECK (body_sha256 ~ '^[0-9a-f]{64}$');
--> statement-breakpoint
-- duplicate_of: the file next to it in the order of its feed, which says the same. as_of_disbelieved: {from, read}, what was
-- read as its time and lies outside the bounds of its feed, so that it is ordered by its arrival.
ALTER TABLE files ADD COLUMN duplicate_of bigint REFERENCES files, ADD COLUMN as_of_disbelieved jsonb,
  ADD CONSTRAINT files_duplicate CHECK ((state = 'duplicate') = (duplicate_of IS NOT NULL));
--> statement-breakpoint
-- Both hold few rows: a duplicate is rare.
CREATE INDEX files_duplicates ON files (feed_id, order_key) WHERE state = 'duplicate';
--> statement-breakpoint
CREATE INDEX files_duplicates_of ON files (duplicate_of) WHERE duplicate_of IS NOT NULL;
--> statement-breakpoint
-- Whoever decides about the duplicates of a feed, or may make such a decision wrong, does so alone, until his transaction
-- ends. Not the feed's row: a statement that holds a file's row asks for this, while acquire_lease goes from the feed to the
-- file. Nobody who holds this waits for anything but rows that nobody else holds while waiting for it.
CREATE FUNCTION decide_alone(p_feed int) RETURNS void LANGUAGE sql AS $fn$
  SELECT pg_advisory_xact_lock(hashtext('duplicates of a feed'), p_feed)
$fn$;
--> statement-breakpoint
-- The file that this one says again; NULL where there is none. It is looked for next to it, before and behind, among the files
-- that go on and their duplicates (one with other content in between makes it a statement of its own). The same are: content,
-- adapter version (another one may read other rows in it) and number. Without a number of its own it must also have come
-- within `p_window_seconds` of the file that goes on; of a number that comes again the time says nothing.
CREATE FUNCTION file_repeated(p_file bigint, p_order uuid, p_content text, p_version text, p_sequence bigint, p_window_seconds float8)
RETURNS bigint LANGUAGE sql STABLE AS $fn$
  SELECT o.id FROM files f CROSS JOIN LATERAL (
    (SELECT x.* FROM files x WHERE x.feed_id = f.feed_id AND x.id <> f.id AND x.order_key <= p_order
       AND x.state IN ('parsed', 'applying', 'applied', 'duplicate') ORDER BY x.order_key DESC LIMIT 1)
    UNION ALL
    (SELECT x.* FROM files x WHERE x.feed_id = f.feed_id AND x.id <> f.id AND x.order_key > p_order
       AND x.state IN ('parsed', 'applying', 'applied', 'duplicate') ORDER BY x.order_key LIMIT 1)) n
  JOIN files o ON o.id = coalesce(n.duplicate_of, n.id)
  WHERE f.id = p_file AND n.content_sha256 = p_content AND n.adapter_version = p_version
    AND n.sequence IS NOT DISTINCT FROM p_sequence
    AND (p_sequence IS NOT NULL OR abs(extract(epoch FROM f.received_at - o.received_at)) <= p_window_seconds)
  ORDER BY n.order_key LIMIT 1
$fn$;
--> statement-breakpoint
-- A duplicate hides behind another file. When that one fails, or a file with other content takes its place between the two,
-- what the duplicate says is news again: it is to be applied like any other. The sweep sends its message.
CREATE FUNCTION reopen_duplicates() RETURNS trigger LANGUAGE plpgsql AS $fn$
BEGIN
  PERFORM decide_alone(NEW.feed_id);
  WITH hidden AS (
    SELECT d.id, d.duplicate_of FROM files d JOIN files o ON o.id = d.duplicate_of
    WHERE d.feed_id = NEW.feed_id AND d.state = 'duplicate' AND CASE WHEN NEW.state = 'parsed'
      THEN NEW.order_key BETWEEN least(o.order_key, d.order_key) AND greatest(o.order_key, d.order_key)
        AND (d.content_sha256, d.adapter_version) IS DISTINCT FROM (NEW.content_sha256, NEW.adapter_version)
      ELSE o.id = NEW.id END
    FOR NO KEY UPDATE OF d),
  opened AS (
    UPDATE files x SET state = 'parsed', duplicate_of = NULL, updated_at = now() FROM hidden h WHERE x.id = h.id)
  INSERT INTO audit_log (actor, action, subject, detail)
    SELECT 'mailfeed', 'reopen', 'file ' || h.id,
      jsonb_build_object('duplicate_of', h.duplicate_of, 'because', 'file ' || NEW.id || ' is ' || NEW.state) FROM hidden h;
  RETURN NULL;
END $fn$;
--> statement-breakpoint
CREATE TRIGGER files_duplicates_open AFTER UPDATE OF state ON files FOR EACH ROW
  WHEN (OLD.state IS DISTINCT FROM NEW.state
    AND (NEW.state = 'parsed' OR (OLD.state IN ('parsed', 'applying') AND NEW.state IN ('held', 'rejected', 'dead'))))
  EXECUTE FUNCTION reopen_duplicates();
