-- Why: one file of a feed writes at a time, and a worker that was taken over cannot write any more; then a file is closed
--      with books that balance, or held.
-- Called by: plan and apply.  Writes: feeds (lease), files (state, books), ledger and seen (cleared for a new parse).

-- Digest of the parse that the ledger rows of a file belong to; another parse begins new books.
ALTER TABLE files ADD COLUMN books_of uuid;
--> statement-breakpoint
CREATE INDEX files_waiting ON files (feed_id, order_key) WHERE state IN ('parsed', 'applying');
--> statement-breakpoint
-- A full file says the whole state: behind a newer one that is applied, nothing in an older one is news.
CREATE FUNCTION file_is_late(p_file bigint) RETURNS boolean LANGUAGE sql STABLE AS $fn$
  SELECT f.mode <> 'delta' AND EXISTS (
    SELECT 1 FROM files n WHERE n.feed_id = x.feed_id AND n.order_key > x.order_key AND n.state = 'applied')
  FROM files x JOIN feeds f ON f.id = x.feed_id WHERE x.id = p_file
$fn$;
--> statement-breakpoint
-- Takes the lease of the file's feed for `p_seconds`. Outcomes:
--   acquired    it is free, has expired, or is ours already (a lost answer): the file's facts follow
--   busy        `active_file` has it, or an earlier file that was parsed less than `p_earlier_seconds` ago goes first.
--               Order never depends on this (the guard in apply_chunk keeps it); it saves versions that would be skipped
--   not-needed  the file is in `file_state`: applied, held, rejected, dead, or being parsed again
--   unknown     there is no such file
-- The first acquisition decides once how the file is applied: 'whole' when the feed has no applied file yet, or when more
-- than half of the last one was new (the first of a feed always is: it says nothing about the second); else 'diff'.
CREATE FUNCTION acquire_lease(p_file bigint, p_token uuid, p_seconds int, p_earlier_seconds int)
RETURNS TABLE (outcome text, active_file bigint, file_state text, customer_id int, feed_id int, feed_mode text,
               adapter_version text, order_key uuid, accepted int, plan_mode text, late boolean, chunks jsonb)
LANGUAGE plpgsql AS $fn$
#variable_conflict use_column
DECLARE
  v_file  files%ROWTYPE;
  v_feed  feeds%ROWTYPE;
  v_other bigint;
  v_books uuid;
  v_whole boolean[];
BEGIN
  SELECT * INTO v_feed FROM feeds f WHERE f.id = (SELECT x.feed_id FROM files x WHERE x.id = p_file) FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'unknown', NULL::bigint, NULL, NULL::int, NULL::int, NULL, NULL, NULL::uuid, NULL::int, NULL, NULL::boolean, NULL::jsonb;
    RETURN;
  END IF;
  SELECT * INTO STRICT v_file FROM files x WHERE x.id = p_file FOR NO KEY UPDATE;

  IF v_file.state NOT IN ('parsed', 'applying') THEN
    outcome := 'not-needed';
  ELSIF v_feed.active_file_id IS NOT NULL AND v_feed.lease_until > clock_timestamp()
        AND (v_feed.active_file_id, v_feed.lease_token) IS DISTINCT FROM (p_file, p_token) THEN
    outcome := 'busy';
    v_other := v_feed.active_file_id;
  ELSE
    SELECT x.id INTO v_other FROM files x
    WHERE x.feed_id = v_feed.id AND x.state IN ('parsed', 'applying') AND x.order_key < v_file.order_key
      AND x.parsed_at > clock_timestamp() - make_interval(secs => p_earlier_seconds)
    ORDER BY x.order_key LIMIT 1;
    outcome := CASE WHEN FOUND THEN 'busy' ELSE 'acquired' END;
  END IF;

  IF outcome = 'acquired' THEN
    v_books := md5(v_file.adapter_version || v_file.chunks::text)::uuid;
    IF v_file.books_of IS DISTINCT FROM v_books THEN
      IF v_file.books_of IS NOT NULL THEN   -- by feed: another parse may have put the file in another place
        DELETE FROM ledger l WHERE l.file_id = p_file;
        DELETE FROM seen s WHERE s.feed_id = v_feed.id AND s.file_id = p_file;
      END IF;
      SELECT array_agg((l.inserted + l.changed) * 2 > l.accepted ORDER BY l.order_key DESC) INTO v_whole
      FROM (SELECT x.* FROM files x WHERE x.feed_id = v_feed.id AND x.state = 'applied' ORDER BY x.order_key DESC LIMIT 2) l;
      v_file.plan_mode := CASE WHEN v_whole IS NULL OR (v_whole[1] AND cardinality(v_whole) = 2) THEN 'whole' ELSE 'diff' END;
    END IF;
    UPDATE feeds f SET active_file_id = p_file, lease_token = p_token,
      lease_until = clock_timestamp() + make_interval(secs => p_seconds) WHERE f.id = v_feed.id;
    UPDATE files x SET state = 'applying', plan_mode = v_file.plan_mode, books_of = v_books,
      apply_started_at = coalesce(x.apply_started_at, now()), updated_at = now() WHERE x.id = p_file;
  END IF;

  RETURN QUERY SELECT outcome, v_other, v_file.state, v_feed.customer_id, v_feed.id, v_feed.mode, v_file.adapter_version,
    v_file.order_key, v_file.accepted, v_file.plan_mode, file_is_late(p_file), v_file.chunks;
END $fn$;
--> statement-breakpoint
-- False: the lease is not ours any more.
CREATE FUNCTION renew_lease(p_file bigint, p_token uuid, p_seconds int) RETURNS boolean LANGUAGE plpgsql AS $fn$
BEGIN
  UPDATE feeds f SET lease_until = clock_timestamp() + make_interval(secs => p_seconds)
  WHERE f.id = (SELECT x.feed_id FROM files x WHERE x.id = p_file) AND f.active_file_id = p_file AND f.lease_token = p_token;
  RETURN FOUND;
END $fn$;
--> statement-breakpoint
-- Gives the lease back, so that the next attempt need not wait until it expires.
CREATE FUNCTION release_lease(p_file bigint, p_token uuid) RETURNS boolean LANGUAGE plpgsql AS $fn$
BEGIN
  UPDATE feeds f SET active_file_id = NULL, lease_token = NULL, lease_until = NULL
  WHERE f.id = (SELECT x.feed_id FROM files x WHERE x.id = p_file) AND f.active_file_id = p_file AND f.lease_token = p_token;
  RETURN FOUND;
END $fn$;
--> statement-breakpoint
-- Ends a file: sums its ledger, and if accepted = inserted + changed + unchanged + stale + superseded makes it 'applied'
-- and frees the lease. A late full file is stale in all that the ledger has not settled. Outcomes: applied, held (also when
-- the file was that before: an answer may have been lost), unbalanced (nothing is written; hold_file follows), lease-lost.
CREATE FUNCTION close_file(p_file bigint, p_token uuid, p_superseded int, p_plan jsonb)
RETURNS TABLE (outcome text, accepted int, inserted int, changed int, unchanged int, stale int, superseded int)
LANGUAGE plpgsql AS $fn$
#variable_conflict use_column
DECLARE
  v_file files%ROWTYPE;
BEGIN
  PERFORM 1 FROM feeds f WHERE f.id = (SELECT x.feed_id FROM files x WHERE x.id = p_file) FOR NO KEY UPDATE;
  SELECT * INTO v_file FROM files x WHERE x.id = p_file;
  IF v_file.state IN ('applied', 'held') THEN
    outcome := v_file.state;
  ELSIF NOT EXISTS (SELECT 1 FROM feeds f WHERE f.id = v_file.feed_id AND f.active_file_id = p_file AND f.lease_token = p_token) THEN
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
-- Holds a file for an operator and frees the lease. False: the lease is not ours and the file is not held.
CREATE FUNCTION hold_file(p_file bigint, p_token uuid, p_failure jsonb, p_plan jsonb) RETURNS boolean LANGUAGE plpgsql AS $fn$
BEGIN
  IF release_lease(p_file, p_token) THEN
    UPDATE files x SET state = 'held', failure = p_failure, plan = p_plan, updated_at = now() WHERE x.id = p_file;
    RETURN true;
  END IF;
  RETURN EXISTS (SELECT 1 FROM files x WHERE x.id = p_file AND x.state = 'held');
END $fn$;
