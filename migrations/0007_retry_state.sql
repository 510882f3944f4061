-- Why: a delivery or file that waits, or is tried again, says so itself: what went wrong last and when it comes again. Until
--      now that stood in the logs alone, and whoever looked at the row could not tell waiting from stuck.
-- Writes: the queues' consumer (src/queues/trouble.ts), where the database can be asked at all.
-- Reads: the API, and the sweep, which lets alone what comes again by itself.
-- Retention: that of the row. Forgotten as soon as the row moves on, whoever moves it.

ALTER TABLE deliveries ADD COLUMN last_failure jsonb, ADD COLUMN next_attempt_at timestamptz,
  ADD CONSTRAINT deliveries_retry CHECK ((last_failure IS NULL) = (next_attempt_at IS NULL));
--> statement-breakpoint
ALTER TABLE files ADD COLUMN last_failure jsonb, ADD COLUMN next_attempt_at timestamptz,
  ADD CONSTRAINT files_retry CHECK ((last_failure IS NULL) = (next_attempt_at IS NULL));
--> statement-breakpoint
CREATE FUNCTION forget_trouble() RETURNS trigger LANGUAGE plpgsql AS $fn$
BEGIN
  NEW.last_failure := NULL;
  NEW.next_attempt_at := NULL;
  RETURN NEW;
END $fn$;
--> statement-breakpoint
CREATE TRIGGER deliveries_moved_on BEFORE UPDATE OF state ON deliveries FOR EACH ROW
  WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION forget_trouble();
--> statement-breakpoint
CREATE TRIGGER files_moved_on BEFORE UPDATE OF state ON files FOR EACH ROW
  WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION forget_trouble();
