-- Why: no statement, of ours or typed by hand, moves a thing in a way that nobody has thought of. A state that a message of
--      yesterday finds is the state that was meant.
-- Writes: nothing.  Reads: every statement that writes a state (the table is src/domain/states.ts; a test holds them equal).
-- Cost: a few moves per file, and none per record; the trigger on the ledger fires on updates, of which there are none.

ALTER TABLE files DROP CONSTRAINT files_state_check;
--> statement-breakpoint
ALTER TABLE files ADD CONSTRAINT files_state_check
  CHECK (state IN ('parsing', 'parsed', 'applying', 'applied', 'held', 'rejected', 'duplicate', 'dead'));
--> statement-breakpoint
-- Refuses a move that is not among its arguments ('from>to'; 'new' is a row that is not there yet), and leaves all as it was.
-- DETAIL says in JSON what was tried. Class MF is ours; the standard leaves it free.
CREATE FUNCTION keep_to_moves() RETURNS trigger LANGUAGE plpgsql AS $fn$
DECLARE
  v_from text := 'new';
BEGIN
  IF TG_OP = 'UPDATE' THEN v_from := OLD.state; END IF;
  IF v_from || '>' || NEW.state = ANY (TG_ARGV) THEN RETURN NEW; END IF;
  RAISE EXCEPTION '% cannot go from % to %', TG_TABLE_NAME, v_from, NEW.state
    USING ERRCODE = 'MF001', TABLE = TG_TABLE_NAME,
      DETAIL = jsonb_build_object('what', TG_TABLE_NAME, 'id', to_jsonb(NEW) ->> 'id', 'from', v_from, 'to', NEW.state)::text;
END $fn$;
--> statement-breakpoint
CREATE TRIGGER deliveries_first_state BEFORE INSERT ON deliveries FOR EACH ROW
  EXECUTE FUNCTION keep_to_moves('new>parsing', 'new>quarantined', 'new>ignored');
--> statement-breakpoint
CREATE TRIGGER deliveries_moves BEFORE UPDATE OF state ON deliveries FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
  EXECUTE FUNCTION keep_to_moves('parsing>parsed', 'parsing>rejected', 'parsing>dead', 'quarantined>parsing', 'parsed>parsing',
    'dead>parsing');
--> statement-breakpoint
CREATE TRIGGER files_first_state BEFORE INSERT ON files FOR EACH ROW EXECUTE FUNCTION keep_to_moves('new>parsing');
--> statement-breakpoint
CREATE TRIGGER files_moves BEFORE UPDATE OF state ON files FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
  EXECUTE FUNCTION keep_to_moves('parsing>parsed', 'parsing>held', 'parsing>rejected', 'parsing>duplicate', 'parsing>dead',
    'parsed>applying', 'parsed>dead', 'applying>applied', 'applying>held', 'applying>dead',
    'held>parsing', 'held>parsed', 'held>rejected', 'duplicate>parsed', 'dead>parsing', 'dead>parsed');
--> statement-breakpoint
CREATE TRIGGER dead_letters_first_state BEFORE INSERT ON dead_letters FOR EACH ROW EXECUTE FUNCTION keep_to_moves('new>open');
--> statement-breakpoint
CREATE TRIGGER dead_letters_moves BEFORE UPDATE OF state ON dead_letters FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
  EXECUTE FUNCTION keep_to_moves('open>redriven', 'open>discarded');
--> statement-breakpoint
CREATE TRIGGER notifications_first_state BEFORE INSERT ON notifications FOR EACH ROW EXECUTE FUNCTION keep_to_moves('new>waiting');
--> statement-breakpoint
CREATE TRIGGER notifications_moves BEFORE UPDATE OF state ON notifications FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
  EXECUTE FUNCTION keep_to_moves('waiting>sent', 'waiting>failed', 'failed>sent');
--> statement-breakpoint
CREATE TRIGGER feed_versions_first_state BEFORE INSERT ON feed_versions FOR EACH ROW EXECUTE FUNCTION keep_to_moves('new>proposed');
--> statement-breakpoint
CREATE TRIGGER feed_versions_moves BEFORE UPDATE OF state ON feed_versions FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
  EXECUTE FUNCTION keep_to_moves('proposed>active', 'proposed>rejected', 'active>retired', 'retired>active');
--> statement-breakpoint
-- What was booked stays booked: a second attempt reads it and does not write it again.
CREATE FUNCTION keep_booked() RETURNS trigger LANGUAGE plpgsql AS $fn$
BEGIN
  RAISE EXCEPTION 'the ledger is only added to' USING ERRCODE = 'MF001', TABLE = TG_TABLE_NAME,
    DETAIL = jsonb_build_object('what', TG_TABLE_NAME, 'id', OLD.chunk_key, 'from', 'booked', 'to', 'changed')::text;
END $fn$;
--> statement-breakpoint
CREATE TRIGGER ledger_stays BEFORE UPDATE ON ledger FOR EACH ROW EXECUTE FUNCTION keep_booked();
