-- Why: three races that were lost. A file whose letter was parked while another copy of its message was at work could not be
--      closed: the row said dead and refused, so the work that had been done was parked, too, under a wrong reason; or it
--      became held behind the operator's back. And a day's partition of `changes` that was made while a file was written
--      (after the timer had failed for two weeks) refused one of the two.
-- Called by: apply (close_file, hold_file), upkeep (ensure_change_partitions).  Writes: files, feeds (lease); partitions.

-- Ends a file: sums its ledger, and if accepted = inserted + changed + unchanged + stale + superseded makes it 'applied'
-- and frees the lease. A late full file is stale in all that the ledger has not settled. Outcomes: applied, held (also when
-- the file was that before: an answer may have been lost), unbalanced (nothing is written; hold_file follows), lease-lost
-- (the lease is not ours any more, or somebody has given up the file since; what is written stays, and is found by whoever
-- takes it up again).
CREATE OR REPLACE FUNCTION close_file(p_file bigint, p_token uuid, p_superseded int, p_plan jsonb)
RETURNS TABLE (outcome text, accepted int, inserted int, changed int, unchanged int, stale int, superseded int)
LANGUAGE plpgsql AS $fn$
#variable_conflict use_column
DECLARE
  v_file files%ROWTYPE;
BEGIN
  PERFORM 1 FROM feeds f WHERE f.id = (SELECT x.feed_id FROM files x WHERE x.id = p_file) FOR NO KEY UPDATE;
  SELECT * INTO v_file FROM files x WHERE x.id = p_file FOR NO KEY UPDATE;
  IF v_file.state IN ('applied', 'held') THEN
    outcome := v_file.state;
  ELSIF v_file.state <> 'applying' OR NOT EXISTS (
      SELECT 1 FROM feeds f WHERE f.id = v_file.feed_id AND f.active_file_id = p_file AND f.lease_token = p_token) THEN
    outcome := 'lease-lost';
  ELSE
    SELECT coalesce(sum(l.inserted), 0), coalesce(sum(l.changed), 0), coalesce(sum(l.unchanged), 0), coalesce(sum(l.stale), 0), p_superseded
    INTO v_file.inserted, v_file.changed, v_file.unchanged, v_file.stale, v_file.superseded
    FROM ledger l WHERE l.file_id = p_file;
    IF file_is_late(p_file) THEN
      v_file.stale := v_file.accepted - v_file.inserted - v_file.changed - v_file.unchanged - v_file.superseded;
    END IF;
    IF v_file.accepted = v_file.inserted + v_file.changed + v_file.unchanged + v_file.stale + v_file.superseded THEN
      outcome := 'applied';
      UPDATE files x SET state = 'applied', applied_at = now(), updated_at = now(), plan = p_plan, inserted = v_file.inserted,
        changed = v_file.changed, unchanged = v_file.unchanged, stale = v_file.stale, superseded = v_file.superseded
      WHERE x.id = p_file;
      PERFORM release_lease(p_file, p_token);
    ELSE
      outcome := 'unbalanced';
    END IF;
  END IF;
  RETURN QUERY SELECT outcome, v_file.accepted, v_file.inserted, v_file.changed, v_file.unchanged, v_file.stale, v_file.superseded;
END $fn$;
--> statement-breakpoint
-- Holds a file that is being applied for an operator, and frees the lease. False: the file is not held, since the lease is
-- not ours, or since somebody has given up the file.
CREATE OR REPLACE FUNCTION hold_file(p_file bigint, p_token uuid, p_failure jsonb, p_plan jsonb) RETURNS boolean LANGUAGE plpgsql AS $fn$
BEGIN
  IF release_lease(p_file, p_token) THEN
    UPDATE files x SET state = 'held', failure = p_failure, plan = p_plan, updated_at = now()
      WHERE x.id = p_file AND x.state = 'applying';
  END IF;
  RETURN EXISTS (SELECT 1 FROM files x WHERE x.id = p_file AND x.state = 'held');
END $fn$;
--> statement-breakpoint
-- Makes the partitions of `p_days` days (UTC) from `p_from`; returns how many are new. Rows that fell into the default
-- partition for such a day move to where they belong. Writers wait meanwhile, readers until it attaches: a row that got into
-- the default partition behind the one that moves the others, or that had been sent there before it was attached beside,
-- would be refused. Where there is nothing to make nobody waits.
CREATE OR REPLACE FUNCTION ensure_change_partitions(p_from date, p_days int) RETURNS int LANGUAGE plpgsql AS $fn$
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
    LOCK TABLE ONLY changes IN SHARE ROW EXCLUSIVE MODE;
    EXECUTE format('CREATE TABLE %I (LIKE changes INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', v_name);
    EXECUTE format('WITH moved AS (DELETE FROM changes_default WHERE created_at >= %L AND created_at < %L RETURNING *)
                    INSERT INTO %I SELECT * FROM moved', v_low, v_high, v_name);
    EXECUTE format('ALTER TABLE changes ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', v_name, v_low, v_high);
    v_made := v_made + 1;
  END LOOP;
  RETURN v_made;
END $fn$;
