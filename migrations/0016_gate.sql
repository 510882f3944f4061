-- Why: a file whose effect is out of proportion waits for one decision, by link, API or command line, before anything of it is
--      applied; it is made once, and what was decided on is kept with it.
-- Writes: parse (files.field_numbers, stated_as_of), apply (files.gate, records_before, a hold, in the statement that holds the file),
--         the API and links (decisions, feeds.gate_widening), the cron (reminders, expiry).
-- Reads: the same, the mails.  Retention: with their file; telling rows hold values, so they go when the rejects go.

-- What the gate judges a feed's later files by. field_numbers: {"stock": {"values", "blanks", "zeros", "total", "median"}}.
-- stated_as_of: what the file says of its time, also where it was not believed. records_before: active records of the feed before
-- it. A file is judged once (files.gate, 0015): a second attempt,
-- which finds half of it applied, goes on.
ALTER TABLE files ADD COLUMN field_numbers jsonb, ADD COLUMN stated_as_of timestamptz, ADD COLUMN records_before int;
--> statement-breakpoint
-- Laid over the gate policy of the feed's adapter: {"retired": {"share": 0.5, "minRecords": 10}}.
ALTER TABLE feeds ADD COLUMN gate_widening jsonb NOT NULL DEFAULT '{}';
--> statement-breakpoint
CREATE TABLE holds (
  id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  file_id     bigint      NOT NULL REFERENCES files ON DELETE CASCADE,
  nonce       text        NOT NULL UNIQUE CHECK (nonce ~ '^[0-9A-Za-z]{16,64}$'),   -- of its links; see src/gate/link.ts
  facts       jsonb       NOT NULL,                -- PlanFacts, on which was decided
  tripped     jsonb       NOT NULL,
  telling     jsonb       NOT NULL,
  widening    jsonb       NOT NULL DEFAULT '{}',   -- what "widen" lays over the feed's policy; {} where nothing can be widened
  later       text        NOT NULL CHECK (later IN ('wait', 'supersede')),          -- what later files of the feed do meanwhile
  held_at     timestamptz NOT NULL DEFAULT now(),
  remind_at   timestamptz,                         -- NULL: reminded, or never
  expires_at  timestamptz NOT NULL,
  decision    text        CHECK (decision IN ('release', 'widen', 'reject', 'expire', 'supersede')),
  decided_at  timestamptz,
  decided_by  text,
  CONSTRAINT holds_decided CHECK ((decision IS NULL) = (decided_at IS NULL) AND (decision IS NULL) = (decided_by IS NULL))
);
--> statement-breakpoint
CREATE UNIQUE INDEX holds_open ON holds (file_id) WHERE decision IS NULL;
--> statement-breakpoint
CREATE INDEX holds_due ON holds (least(remind_at, expires_at)) WHERE decision IS NULL;
--> statement-breakpoint
CREATE INDEX holds_by_file ON holds (file_id, id DESC);
--> statement-breakpoint
-- Files of which something is noted and that are not let go: a handful.
CREATE INDEX files_unjudged ON files (feed_id) WHERE gate IS NULL AND books_of IS NOT NULL;
--> statement-breakpoint
DROP FUNCTION acquire_lease(bigint, uuid, int, int);
--> statement-breakpoint
-- Takes the lease of the file's feed for `p_seconds`. Outcomes:
--   acquired    it is free, has expired, or is ours already (a lost answer): the file's facts follow. `behind`: an earlier file of
--               the feed is held, and later ones are to wait for what is decided about it
--   busy        `active_file` has it, or an earlier file that was parsed or released less than `p_earlier_seconds` ago goes first.
--               Order never depends on this (the guard in apply_chunk keeps it); it saves versions that would be skipped
--   compare     it is only compared, or a snapshot: no lease is needed, and none is taken
--   not-needed  the file is in `file_state`: applied, compared, held, rejected, dead, or being parsed again
--   unknown     there is no such file
-- Before anything of the file is applied it is decided how it is: 'whole' when the feed has no active record, so that every
-- row is new; else 'diff': what a file would change is known before it does, whatever it may be.
CREATE FUNCTION acquire_lease(p_file bigint, p_token uuid, p_seconds int, p_earlier_seconds int)
RETURNS TABLE (outcome text, active_file bigint, file_state text, customer_id int, feed_id int, feed_mode text,
               adapter_version text, order_key uuid, accepted int, plan_mode text, late boolean, chunks jsonb,
               cause text, merges boolean, gate jsonb, behind bigint)
LANGUAGE plpgsql AS $fn$
#variable_conflict use_column
DECLARE
  v_file  files%ROWTYPE;
  v_feed  feeds%ROWTYPE;
  v_other bigint;
  v_books uuid;
  v_left  bigint;
BEGIN
  SELECT * INTO v_feed FROM feeds f WHERE f.id = (SELECT x.feed_id FROM files x WHERE x.id = p_file) FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'unknown', NULL::bigint, NULL, NULL::int, NULL::int, NULL, NULL, NULL::uuid, NULL::int, NULL, NULL::boolean, NULL::jsonb, NULL, NULL::boolean, NULL::jsonb, NULL::bigint;
    RETURN;
  END IF;
  SELECT * INTO STRICT v_file FROM files x WHERE x.id = p_file FOR NO KEY UPDATE;

  IF v_file.state NOT IN ('parsed', 'applying') THEN
    outcome := 'not-needed';
  ELSIF v_file.compare_only OR v_feed.mode = 'snapshot' THEN
    outcome := 'compare';
  ELSIF v_feed.active_file_id IS NOT NULL AND v_feed.lease_until > clock_timestamp()
        AND (v_feed.active_file_id, v_feed.lease_token) IS DISTINCT FROM (p_file, p_token) THEN
    outcome := 'busy';
    v_other := v_feed.active_file_id;
  ELSE
    SELECT x.id INTO v_other FROM files x
    WHERE x.feed_id = v_feed.id AND x.state IN ('parsed', 'applying') AND x.order_key < v_file.order_key
      AND NOT x.compare_only AND greatest(x.parsed_at, x.released_at) > clock_timestamp() - make_interval(secs => p_earlier_seconds)
    ORDER BY x.order_key LIMIT 1;
    outcome := CASE WHEN FOUND THEN 'busy' ELSE 'acquired' END;
  END IF;

  IF outcome = 'acquired' THEN
    -- Attempts that ended before their file was let go have applied nothing, and what they noted must not speak for it: it may yet
    -- be held and rejected. Nobody is at work on any of them: the lease is ours.
    FOR v_left IN SELECT x.id FROM files x WHERE x.feed_id = v_feed.id AND x.gate IS NULL AND x.books_of IS NOT NULL
      AND x.state IN ('parsed', 'applying', 'dead')
      AND NOT EXISTS (SELECT FROM ledger l WHERE l.file_id = x.id AND l.inserted + l.changed + l.retired > 0)
    LOOP
      DELETE FROM ledger l WHERE l.file_id = v_left;
      DELETE FROM seen s WHERE s.feed_id = v_feed.id AND s.file_id = v_left;
      UPDATE files x SET books_of = NULL WHERE x.id = v_left;
      IF v_left = p_file THEN v_file.books_of := NULL; END IF;
    END LOOP;
    v_books := md5(v_file.adapter_version || v_file.chunks::text)::uuid;
    IF v_file.books_of IS DISTINCT FROM v_books THEN
      IF v_file.books_of IS NOT NULL THEN   -- by feed: another parse may have put the file in another place
        DELETE FROM ledger l WHERE l.file_id = p_file;
        DELETE FROM seen s WHERE s.feed_id = v_feed.id AND s.file_id = p_file;
      END IF;
      v_file.gate := NULL;
      v_file.plan_mode := CASE WHEN EXISTS (SELECT FROM records r WHERE r.customer_id = v_file.customer_id AND r.feed_id = v_feed.id
        AND r.row_hash <> '00000000-0000-0000-0000-000000000000') THEN 'diff' ELSE 'whole' END;
    END IF;
    UPDATE feeds f SET active_file_id = p_file, lease_token = p_token,
      lease_until = clock_timestamp() + make_interval(secs => p_seconds) WHERE f.id = v_feed.id;
    UPDATE files x SET state = 'applying', plan_mode = v_file.plan_mode, books_of = v_books, gate = v_file.gate,
      apply_started_at = coalesce(x.apply_started_at, now()), updated_at = now() WHERE x.id = p_file;
    -- Who has been let go is not stopped half-way by one that is held since.
    IF v_file.cause = 'delivery' AND v_file.gate IS NULL THEN
      SELECT x.id INTO behind FROM holds h JOIN files x ON x.id = h.file_id
      WHERE h.decision IS NULL AND h.later = 'wait' AND x.feed_id = v_feed.id AND x.state = 'held' AND x.cause = 'delivery'
        AND x.order_key < v_file.order_key
      ORDER BY x.order_key LIMIT 1;
    END IF;
  END IF;

  RETURN QUERY SELECT outcome, v_other, v_file.state, v_feed.customer_id, v_feed.id, v_feed.mode, v_file.adapter_version,
    v_file.order_key, v_file.accepted, v_file.plan_mode, file_is_late(p_file), v_file.chunks, v_file.cause, v_file.merges, v_file.gate, behind;
END $fn$;
--> statement-breakpoint
-- Notes that a file was let go, once: a second attempt gets what the first was told. NULL: the lease is not ours any more.
CREATE FUNCTION pass_gate(p_file bigint, p_token uuid, p_gate jsonb, p_records int) RETURNS jsonb LANGUAGE plpgsql AS $fn$
DECLARE
  v_gate jsonb;
BEGIN
  PERFORM 1 FROM feeds f WHERE f.id = (SELECT x.feed_id FROM files x WHERE x.id = p_file)
    AND f.active_file_id = p_file AND f.lease_token = p_token FOR SHARE;
  IF NOT FOUND THEN RETURN NULL; END IF;
  UPDATE files x SET gate = coalesce(x.gate, p_gate), records_before = coalesce(x.records_before, p_records)
    WHERE x.id = p_file RETURNING x.gate INTO v_gate;
  RETURN v_gate;
END $fn$;
--> statement-breakpoint
-- Holds a file that is planned and not applied, with what is to be decided and the mails that say so, and frees the lease. What
-- was noted while planning goes: a file that may never be applied has confirmed nothing, and it is planned anew when it is
-- released. p_hold: {nonce, facts, tripped, telling, widening, later, remindAt, expiresAt}; p_mails: [{key, recipient, subject, text,
-- html}]. False: the file is not held, since the lease is not ours or somebody has given up the file.
CREATE FUNCTION hold_by_gate(p_file bigint, p_token uuid, p_failure jsonb, p_plan jsonb, p_hold jsonb, p_mails jsonb)
RETURNS boolean LANGUAGE plpgsql AS $fn$
DECLARE
  v_file files%ROWTYPE;
BEGIN
  IF release_lease(p_file, p_token) THEN
    UPDATE files x SET state = 'held', failure = p_failure, plan = p_plan, books_of = NULL, plan_mode = NULL, updated_at = now()
      WHERE x.id = p_file AND x.state = 'applying' RETURNING * INTO v_file;
    IF FOUND THEN
      DELETE FROM ledger l WHERE l.file_id = p_file;
      DELETE FROM seen s WHERE s.feed_id = v_file.feed_id AND s.file_id = p_file;
      INSERT INTO holds (file_id, nonce, facts, tripped, telling, widening, later, remind_at, expires_at)
        VALUES (p_file, p_hold->>'nonce', p_hold->'facts', p_hold->'tripped', p_hold->'telling', coalesce(p_hold->'widening', '{}'),
          p_hold->>'later', (p_hold->>'remindAt')::timestamptz, (p_hold->>'expiresAt')::timestamptz);
      INSERT INTO notifications (key, recipient, customer_id, feed_id, file_id, subject, body_text, body_html)
        SELECT m->>'key', m->>'recipient', v_file.customer_id, v_file.feed_id, p_file, m->>'subject', m->>'text', m->>'html'
        FROM jsonb_array_elements(p_mails) AS m ON CONFLICT (key) DO NOTHING;
    END IF;
  END IF;
  RETURN EXISTS (SELECT 1 FROM files x WHERE x.id = p_file AND x.state = 'held');
END $fn$;
--> statement-breakpoint
-- Holds a file behind an older one that is held and for which later ones are to wait, and frees the lease. What an attempt has
-- noted of it goes, as in hold_by_gate. False: the older one was decided about meanwhile, so that nobody would free this one any
-- more, or the lease is not ours: it is tried again.
CREATE FUNCTION hold_behind(p_file bigint, p_token uuid, p_behind bigint, p_failure jsonb) RETURNS boolean LANGUAGE plpgsql AS $fn$
DECLARE
  v_feed int;
BEGIN
  -- With the lease goes the lock of the feed's row, for which a decision waits.
  IF release_lease(p_file, p_token) AND EXISTS (SELECT FROM holds h JOIN files o ON o.id = h.file_id
      WHERE h.file_id = p_behind AND h.decision IS NULL AND o.state = 'held') THEN
    UPDATE files x SET state = 'held', failure = p_failure, books_of = NULL, plan_mode = NULL, updated_at = now()
      WHERE x.id = p_file AND x.state = 'applying' RETURNING x.feed_id INTO v_feed;
    DELETE FROM ledger l WHERE v_feed IS NOT NULL AND l.file_id = p_file;
    DELETE FROM seen s WHERE s.feed_id = v_feed AND s.file_id = p_file;
  END IF;
  RETURN EXISTS (SELECT FROM files x WHERE x.id = p_file AND x.state = 'held');
END $fn$;
--> statement-breakpoint
-- Files that waited behind a held one go on: each is judged for itself, or waits behind the next. Answers which.
CREATE FUNCTION free_waiting(p_feed int) RETURNS bigint[] LANGUAGE sql AS $fn$
  WITH freed AS (
    UPDATE files x SET state = 'parsed', failure = NULL, updated_at = now()
    WHERE x.feed_id = p_feed AND x.state = 'held' AND x.failure->>'code' = 'behind-held-file' RETURNING x.id, x.order_key)
  SELECT coalesce(array_agg(f.id ORDER BY f.order_key), '{}') FROM freed f
$fn$;
--> statement-breakpoint
-- Decides a hold, once. `p_nonce`: of the link by which it is decided; NULL where the caller has proven who it is otherwise.
-- `p_failure`: of a file that is not to be applied. Nobody is asked here whether the hold has expired. `wake`: the files whose
-- apply message is to be sent, those that waited behind this one among them; also where it was decided before, should that
-- message have been lost. Outcomes: decided; already (with what was decided and by whom, also where the same decision comes
-- again); unknown (no such hold, or the link is of another one).
CREATE FUNCTION decide_hold(p_file bigint, p_nonce text, p_decision text, p_by text, p_failure jsonb)
RETURNS TABLE (outcome text, decision text, decided_by text, decided_at timestamptz, wake bigint[]) LANGUAGE plpgsql AS $fn$
#variable_conflict use_column
DECLARE
  v_file files%ROWTYPE;
  v_hold holds%ROWTYPE;
BEGIN
  wake := '{}';
  -- The lock of apply and of every other release: feed before file.
  PERFORM 1 FROM feeds f WHERE f.id = (SELECT x.feed_id FROM files x WHERE x.id = p_file) FOR NO KEY UPDATE;
  SELECT * INTO v_file FROM files x WHERE x.id = p_file FOR NO KEY UPDATE;
  SELECT * INTO v_hold FROM holds h WHERE h.file_id = p_file AND (p_nonce IS NULL OR h.nonce = p_nonce) ORDER BY h.id DESC LIMIT 1;
  IF NOT FOUND OR (v_hold.decision IS NULL AND v_file.state <> 'held') THEN
    outcome := 'unknown';
  ELSIF v_hold.decision IS NOT NULL THEN
    SELECT 'already', v_hold.decision, v_hold.decided_by, v_hold.decided_at INTO outcome, decision, decided_by, decided_at;
    IF v_file.state = 'parsed' THEN wake := ARRAY[p_file]; END IF;
  ELSE
    UPDATE holds h SET decision = p_decision, decided_at = now(), decided_by = p_by WHERE h.id = v_hold.id
    RETURNING 'decided', h.decision, h.decided_by, h.decided_at INTO outcome, decision, decided_by, decided_at;
    IF p_decision IN ('release', 'widen') THEN
      UPDATE files x SET state = 'parsed', failure = NULL, released_at = now(), released_by = p_by, updated_at = now() WHERE x.id = p_file;
      wake := ARRAY[p_file];
    ELSE
      UPDATE files x SET state = 'rejected', failure = p_failure, updated_at = now() WHERE x.id = p_file;
    END IF;
    IF p_decision = 'widen' THEN
      UPDATE feeds f SET gate_widening = f.gate_widening || v_hold.widening WHERE f.id = v_file.feed_id;
    END IF;
    INSERT INTO audit_log (actor, action, subject, detail)
    VALUES (p_by, p_decision, 'file ' || p_file, jsonb_build_object('hold', v_hold.id::text, 'tripped', v_hold.tripped));
    wake := wake || free_waiting(v_file.feed_id);
  END IF;
  RETURN NEXT;
END $fn$;
--> statement-breakpoint
-- A newer file is applied: older ones of its feed that are held, and that later ones were not to wait for, are done with.
CREATE FUNCTION overtake_holds(p_file bigint, p_failure jsonb) RETURNS int LANGUAGE plpgsql AS $fn$
DECLARE
  v_older bigint;
  v_count int := 0;
BEGIN
  FOR v_older IN
    SELECT o.id FROM files n JOIN files o ON o.feed_id = n.feed_id AND o.order_key < n.order_key AND o.state = 'held'
    JOIN holds h ON h.file_id = o.id AND h.decision IS NULL AND h.later = 'supersede'
    WHERE n.id = p_file ORDER BY o.id
  LOOP
    PERFORM decide_hold(v_older, NULL, 'supersede', 'mailfeed', p_failure);
    v_count := v_count + 1;
  END LOOP;
  RETURN v_count;
END $fn$;
--> statement-breakpoint
DROP FUNCTION close_file(bigint, uuid, int, jsonb);
--> statement-breakpoint
-- Ends a file: sums its ledger, and if accepted = inserted + changed + unchanged + stale + superseded makes it 'applied'
-- and frees the lease; what it has retired is no part of accepted: no row of the file says it. A late full file is stale in all
-- that the ledger has not settled. `p_overtaken`: the failure of older files that were held and are overtaken by this one.
-- Outcomes: applied, held (also when the file was that before: an answer may have been lost), unbalanced (nothing is written;
-- hold_file follows), lease-lost (the lease is not ours any more, or somebody has given up the file since; what is written
-- stays, and is found by whoever takes it up again).
CREATE FUNCTION close_file(p_file bigint, p_token uuid, p_superseded int, p_plan jsonb, p_overtaken jsonb)
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
    SELECT coalesce(sum(l.inserted), 0), coalesce(sum(l.changed), 0), coalesce(sum(l.unchanged), 0), coalesce(sum(l.stale), 0), p_superseded,
      coalesce(sum(l.retired), 0)
    INTO v_file.inserted, v_file.changed, v_file.unchanged, v_file.stale, v_file.superseded, v_file.retired
    FROM ledger l WHERE l.file_id = p_file;
    IF file_is_late(p_file) THEN
      v_file.stale := v_file.accepted - v_file.inserted - v_file.changed - v_file.unchanged - v_file.superseded;
    END IF;
    IF v_file.accepted = v_file.inserted + v_file.changed + v_file.unchanged + v_file.stale + v_file.superseded THEN
      outcome := 'applied';
      UPDATE files x SET state = 'applied', applied_at = now(), updated_at = now(), plan = p_plan, inserted = v_file.inserted,
        changed = v_file.changed, unchanged = v_file.unchanged, stale = v_file.stale, superseded = v_file.superseded, retired = v_file.retired
      WHERE x.id = p_file;
      PERFORM release_lease(p_file, p_token);
      IF v_file.cause = 'delivery' AND p_overtaken IS NOT NULL THEN PERFORM overtake_holds(p_file, p_overtaken); END IF;
    ELSE
      outcome := 'unbalanced';
    END IF;
  END IF;
  RETURN QUERY SELECT outcome, v_file.accepted, v_file.inserted, v_file.changed, v_file.unchanged, v_file.stale, v_file.superseded;
END $fn$;
