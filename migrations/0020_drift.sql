-- Why: reconciliation is part of the product: a report tells its people, heals by a file of ours, waits for a person and is
--      given up in time; and a feed without a snapshot is held against its last full file, as often as somebody asks.
-- Writes: reconcile (reports, healing files), the API (decisions).  Reads: reconcile, the API, mails, upkeep.
-- Retention: as 0017.

-- run: one file may be compared more than once. told_at: the mails of a waiting report are written. attempts: of making the file
-- that heals it; only the last attempt can end it. touched_at: somebody has worked on it; what rests is gone on with by the cron.
-- note: why it was decided as it was.
ALTER TABLE drift_reports DROP CONSTRAINT drift_reports_file_id_key,
  ADD COLUMN run int NOT NULL DEFAULT 1 CHECK (run > 0), ADD COLUMN told_at timestamptz, ADD COLUMN attempts int NOT NULL DEFAULT 0,
  ADD COLUMN touched_at timestamptz NOT NULL DEFAULT now(), ADD COLUMN note text,
  ADD CONSTRAINT drift_reports_of_file UNIQUE (file_id, run);
--> statement-breakpoint
CREATE INDEX drift_reports_latest ON drift_reports (created_at DESC, id DESC);
--> statement-breakpoint
CREATE INDEX drift_reports_healing ON drift_reports (healing_file_id) WHERE healing_file_id IS NOT NULL;
--> statement-breakpoint
DROP TRIGGER drift_reports_moves ON drift_reports;
--> statement-breakpoint
-- What is to be healed may turn out not to be possible: the feed is described otherwise by now, or its file was refused.
CREATE TRIGGER drift_reports_moves BEFORE UPDATE OF state ON drift_reports FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
  EXECUTE FUNCTION keep_to_moves('open>clean', 'open>healing', 'open>waiting', 'waiting>released', 'waiting>rejected',
    'healing>healed', 'healing>rejected', 'released>healed', 'released>rejected');
--> statement-breakpoint
-- Begins a run of a snapshot file's comparison, or finds it; answers its state and how many active records the feed has, by
-- which the buckets are made. A snapshot behind which a newer one was compared is 'late': what it says is over.
CREATE FUNCTION open_drift_report(p_file bigint, p_feed int, p_limits jsonb, p_fields text[], p_run int)
RETURNS TABLE (report bigint, state text, records int) LANGUAGE plpgsql AS $fn$
#variable_conflict use_column
DECLARE
  v_file files%ROWTYPE;
BEGIN
  SELECT * INTO v_file FROM files x WHERE x.id = p_file;
  IF NOT EXISTS (SELECT 1 FROM feeds f WHERE f.id = p_feed AND f.customer_id = v_file.customer_id) THEN RETURN; END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('drift_reports', p_feed));
  INSERT INTO drift_reports (file_id, run, customer_id, feed_id, snapshot_feed_id, order_key, as_of, limits, fields, state)
    SELECT p_file, p_run, v_file.customer_id, p_feed, v_file.feed_id, v_file.order_key, v_file.as_of, p_limits, p_fields,
      CASE WHEN EXISTS (SELECT 1 FROM drift_reports d
        WHERE d.feed_id = p_feed AND d.order_key > v_file.order_key AND d.compared_at IS NOT NULL) THEN 'late' ELSE 'open' END
    ON CONFLICT (file_id, run) DO NOTHING;
  RETURN QUERY SELECT d.id, d.state, (SELECT count(*)::int FROM records r WHERE r.customer_id = d.customer_id AND r.feed_id = d.feed_id
      AND r.row_hash <> '00000000-0000-0000-0000-000000000000')
    FROM drift_reports d WHERE d.file_id = p_file AND d.run = p_run;
END $fn$;
--> statement-breakpoint
-- Writes what a comparison found, once: whoever comes second gets the state of the first. p_rows is an array of rows of
-- drift_rows without report_id and n. False: there was nothing to close.
-- Older reports of the feed that still wait are over: the newer one says what differs today.
CREATE FUNCTION close_drift_report(p_report bigint, p_state text, p_numbers jsonb, p_rows jsonb)
RETURNS TABLE (closed boolean, state text) LANGUAGE plpgsql AS $fn$
#variable_conflict use_column
BEGIN
  UPDATE drift_reports d SET state = p_state, compared_at = now(), touched_at = now(), seal = p_numbers->>'seal',
    snapshot_rows = (p_numbers->>'snapshotRows')::int, records = (p_numbers->>'records')::int,
    missing_here = (p_numbers->>'missingHere')::int, missing_there = (p_numbers->>'missingThere')::int,
    differs = (p_numbers->>'differs')::int, drift = (p_numbers->>'drift')::int, explained = p_numbers->'explained',
    reasons = ARRAY(SELECT jsonb_array_elements_text(p_numbers->'reasons'))
  WHERE d.id = p_report AND d.state = 'open';
  closed := FOUND;
  IF closed THEN
    INSERT INTO drift_rows (report_id, n, kind, natural_key, line, version, order_key, our_file_id, fields, explanation, sentence)
    SELECT p_report, r.n, r.row->>'kind', r.row->>'key', (r.row->>'line')::int, (r.row->>'version')::int, (r.row->>'orderKey')::uuid,
      (r.row->>'fileId')::bigint, r.row->'fields', nullif(r.row->'explanation', 'null'), r.row->>'sentence'
    FROM jsonb_array_elements(p_rows) WITH ORDINALITY AS r(row, n);
    PERFORM decide_drift(o.id, '{waiting}', 'rejected', 'mailfeed', 'report ' || p_report || ' is newer', NULL)
      FROM drift_reports n JOIN drift_reports o ON o.feed_id = n.feed_id AND o.id <> n.id AND o.state = 'waiting' AND o.order_key <= n.order_key
      WHERE n.id = p_report;
  END IF;
  SELECT d.state INTO state FROM drift_reports d WHERE d.id = p_report;
  RETURN NEXT;
END $fn$;
--> statement-breakpoint
-- Decides about a report that is in one of the states `p_from`, with the reason: one that waits, or one that cannot be healed.
-- p_failure: of the file that was to heal it and is not written yet; it ends with the report. Answers the state that the report
-- is in now, NULL where there is none; in any other state it stays as it is.
CREATE FUNCTION decide_drift(p_report bigint, p_from text[], p_to text, p_by text, p_note text, p_failure jsonb) RETURNS text
LANGUAGE plpgsql AS $fn$
DECLARE
  v_from text;
  v_file bigint;
BEGIN
  SELECT d.state, d.healing_file_id INTO v_from, v_file FROM drift_reports d WHERE d.id = p_report FOR NO KEY UPDATE;
  IF v_from IS NULL OR v_from <> ALL (p_from) THEN RETURN v_from; END IF;
  UPDATE drift_reports d SET state = p_to, decided_at = now(), decided_by = p_by, note = p_note, touched_at = now() WHERE d.id = p_report;
  IF p_failure IS NOT NULL THEN
    UPDATE files x SET state = 'rejected', failure = p_failure, updated_at = now() WHERE x.id = v_file AND x.state = 'parsing';
  END IF;
  INSERT INTO audit_log (actor, action, subject, detail)
    VALUES (p_by, 'drift-' || p_to, 'drift report ' || p_report, jsonb_strip_nulls(jsonb_build_object('note', p_note)));
  RETURN p_to;
END $fn$;
--> statement-breakpoint
-- The file that heals a report, made with the first attempt: a file of the feed that was compared, with the snapshot's delivery
-- and place in order, that is silent about all other records. It stays in 'parsing' until its chunks are written. NULL: the report
-- is not to be healed.
CREATE FUNCTION begin_healing(p_report bigint) RETURNS TABLE (file bigint, attempt int) LANGUAGE plpgsql AS $fn$
DECLARE
  v_report drift_reports%ROWTYPE;
BEGIN
  UPDATE drift_reports d SET attempts = d.attempts + 1, touched_at = now() WHERE d.id = p_report AND d.state IN ('healing', 'released')
    RETURNING * INTO v_report;
  IF NOT FOUND THEN RETURN; END IF;
  IF v_report.healing_file_id IS NULL THEN
    INSERT INTO files (delivery_id, position, customer_id, feed_id, path, content_type, state, adapter_version, as_of, as_of_source,
        order_key, received_at, cause, complete)
      SELECT s.delivery_id, greatest(s.position, (SELECT max(o.position) + 1 FROM files o WHERE o.delivery_id = s.delivery_id AND o.cause = 'reconcile')),
        s.customer_id, v_report.feed_id, s.path, s.content_type, 'parsing', s.adapter_version, s.as_of, s.as_of_source, v_report.order_key,
        now(), 'reconcile', false
      FROM files s WHERE s.id = v_report.file_id
      RETURNING id INTO v_report.healing_file_id;
    UPDATE drift_reports d SET healing_file_id = v_report.healing_file_id WHERE d.id = p_report;
  END IF;
  -- Of the attempt that had the same numbers, a hundred before.
  DELETE FROM listed_retirements l
    WHERE l.file_id = v_report.healing_file_id AND l.n / 10000000 = v_report.attempts % 100;
  RETURN QUERY SELECT v_report.healing_file_id, v_report.attempts;
END $fn$;
--> statement-breakpoint
-- The chunks of the file that heals a report are written: it may be applied. p_from: where the numbers of this attempt's listed
-- retirements begin, ten million apart; those of other attempts go. False: a later attempt is at it.
CREATE FUNCTION end_healing(p_report bigint, p_attempt int, p_chunks jsonb, p_accepted int, p_merges boolean, p_from int) RETURNS boolean
LANGUAGE plpgsql AS $fn$
DECLARE
  v_file bigint;
BEGIN
  SELECT d.healing_file_id INTO v_file FROM drift_reports d
    WHERE d.id = p_report AND d.attempts = p_attempt AND d.state IN ('healing', 'released') FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN false; END IF;
  DELETE FROM listed_retirements l USING files x WHERE x.id = v_file AND x.state = 'parsing' AND l.file_id = v_file
    AND l.n / 10000000 <> p_from / 10000000;
  UPDATE files x SET state = 'parsed', chunks = p_chunks, accepted = p_accepted, lines = p_accepted, rejected = 0, header_lines = 0,
    preamble_lines = 0, footer_lines = 0, blank_lines = 0, continuation_lines = 0, merges = p_merges, parsed_at = now(), updated_at = now()
  WHERE x.id = v_file AND x.state = 'parsing';
  RETURN true;
END $fn$;
