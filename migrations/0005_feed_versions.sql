-- Why: how the files of a feed are written (profile) and what their columns mean (mapping) are versioned data: detected or
--      said by the adapter's folder, accepted, pinned, compared with every file, taken back. And who was told of what.
-- Writes: parse (proposals, what the adapter's folder says, held files, notifications), the API and the command line (decisions).
-- Reads: parse (the active versions, once a delivery), the API, the command line.
-- Retention: feed_versions for ever, it is the history of how files were read; notifications 400 days.

-- One row per version; of each feed and kind one is active at most. `base` is the digest of what the adapter's folder said
-- when the version was made: a folder that says something else supersedes it.
CREATE TABLE feed_versions (
  feed_id    int         NOT NULL REFERENCES feeds,
  kind       text        NOT NULL CHECK (kind IN ('profile', 'mapping')),
  version    int         NOT NULL CHECK (version > 0),
  state      text        NOT NULL CHECK (state IN ('proposed', 'active', 'retired', 'rejected')),
  base       text        NOT NULL,
  data       jsonb       NOT NULL,
  evidence   jsonb       NOT NULL DEFAULT '{}',   -- what detection saw, the questions it asks, the report of a drift
  cases      jsonb       NOT NULL DEFAULT '[]',   -- unit cases of a mapping
  file_id    bigint      REFERENCES files ON DELETE SET NULL,   -- the file that showed it
  note       text,
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by text        NOT NULL,                -- 'adapter', 'detection', or the name of an API token
  decided_at timestamptz,
  decided_by text,
  PRIMARY KEY (feed_id, kind, version),
  CONSTRAINT feed_versions_decided CHECK ((state = 'proposed') = (decided_at IS NULL)
    AND (decided_at IS NULL) = (decided_by IS NULL))
);
--> statement-breakpoint
CREATE UNIQUE INDEX feed_versions_active ON feed_versions (feed_id, kind) WHERE state = 'active';
--> statement-breakpoint
-- Detection asks once per feed and kind, however many files wait for the answer.
CREATE UNIQUE INDEX feed_versions_asked ON feed_versions (feed_id, kind) WHERE state = 'proposed' AND created_by = 'detection';
--> statement-breakpoint
-- Mails to people, written with what they tell of: a message that could not be sent is still a row that says so.
CREATE TABLE notifications (
  id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  key         text        NOT NULL UNIQUE,        -- what it is about: told once, however often the work is repeated
  recipient   text        NOT NULL CHECK (recipient IN ('operator', 'contact')),
  customer_id int         NOT NULL REFERENCES customers,
  feed_id     int         NOT NULL REFERENCES feeds,
  file_id     bigint      REFERENCES files ON DELETE SET NULL,
  subject     text        NOT NULL,
  body_text   text        NOT NULL,
  body_html   text        NOT NULL,
  state       text        NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'failed')),
  attempts    int         NOT NULL DEFAULT 0,
  claimed_at  timestamptz,                        -- the last try began
  sent_to     text,
  error       text,                               -- why the last try did not send it
  created_at  timestamptz NOT NULL DEFAULT now(),
  sent_at     timestamptz,
  CONSTRAINT notifications_sent CHECK ((state = 'sent') = (sent_at IS NOT NULL))
);
--> statement-breakpoint
CREATE INDEX notifications_waiting ON notifications (created_at) WHERE state = 'waiting';
--> statement-breakpoint
-- merges: a file of only some columns, whose records keep what the others say. sequence, generated_at: what the file says of
-- itself; the sequence is part of its place in order. ends_with_newline: a file without one, where the others had it, was
-- probably cut off. drift_report: pinned and found side by side, and what accepting would pin.
ALTER TABLE files ADD COLUMN merges boolean NOT NULL DEFAULT false, ADD COLUMN sequence bigint,
  ADD COLUMN generated_at timestamptz, ADD COLUMN ends_with_newline boolean, ADD COLUMN drift_report jsonb;
--> statement-breakpoint
-- What should stand in the cell, in a few words.
ALTER TABLE rejects ADD COLUMN rule text;
--> statement-breakpoint
-- Writes the next version of a kind as a proposal and answers its number.
CREATE FUNCTION add_feed_version(p_feed int, p_kind text, p_base text, p_data jsonb, p_evidence jsonb, p_cases jsonb,
                                 p_file bigint, p_by text, p_note text) RETURNS int LANGUAGE plpgsql AS $fn$
DECLARE
  v_version int;
BEGIN
  PERFORM 1 FROM feeds f WHERE f.id = p_feed FOR NO KEY UPDATE;
  SELECT coalesce(max(v.version), 0) + 1 INTO v_version FROM feed_versions v WHERE v.feed_id = p_feed AND v.kind = p_kind;
  INSERT INTO feed_versions (feed_id, kind, version, state, base, data, evidence, cases, file_id, created_by, note)
    VALUES (p_feed, p_kind, v_version, 'proposed', p_base, p_data, p_evidence, p_cases, p_file, p_by, p_note);
  RETURN v_version;
END $fn$;
--> statement-breakpoint
-- Makes a version the active one, with the data it is to have from now on, and retires the one before it; also takes a retired
-- one back. Writes nothing when it is active already with this data; false when there is no such version or it was
-- rejected.
CREATE FUNCTION activate_feed_version(p_feed int, p_kind text, p_version int, p_base text, p_data jsonb, p_by text, p_note text)
RETURNS boolean LANGUAGE plpgsql AS $fn$
DECLARE
  v_found feed_versions%ROWTYPE;
BEGIN
  PERFORM 1 FROM feeds f WHERE f.id = p_feed FOR NO KEY UPDATE;
  SELECT * INTO v_found FROM feed_versions v WHERE v.feed_id = p_feed AND v.kind = p_kind AND v.version = p_version;
  IF NOT FOUND OR v_found.state = 'rejected' THEN RETURN false; END IF;
  IF v_found.state = 'active' AND v_found.base = p_base AND v_found.data = p_data THEN RETURN true; END IF;
  UPDATE feed_versions v SET state = 'retired' WHERE v.feed_id = p_feed AND v.kind = p_kind AND v.state = 'active' AND v.version <> p_version;
  UPDATE feed_versions v SET state = 'active', base = p_base, data = p_data, note = coalesce(p_note, v.note), decided_at = now(), decided_by = p_by
    WHERE v.feed_id = p_feed AND v.kind = p_kind AND v.version = p_version;
  INSERT INTO audit_log (actor, action, subject, detail)
    SELECT p_by, 'activate', p_kind || ' ' || p_version || ' of feed ' || c.slug || '/' || f.slug,
           jsonb_strip_nulls(jsonb_build_object('from', v_found.state, 'note', p_note, 'edited', nullif(v_found.data <> p_data, false)))
    FROM feeds f JOIN customers c ON c.id = f.customer_id WHERE f.id = p_feed;
  RETURN true;
END $fn$;
--> statement-breakpoint
-- Pins a statement that nobody is asked about (the adapter's folder) as the next active version. Writes nothing when the
-- active one is made from the same base; open questions of detection are answered by it.
CREATE FUNCTION pin_feed_version(p_feed int, p_kind text, p_base text, p_data jsonb, p_file bigint, p_by text)
RETURNS int LANGUAGE plpgsql AS $fn$
DECLARE
  v_version int;
BEGIN
  PERFORM 1 FROM feeds f WHERE f.id = p_feed FOR NO KEY UPDATE;
  SELECT v.version INTO v_version FROM feed_versions v
    WHERE v.feed_id = p_feed AND v.kind = p_kind AND v.state = 'active' AND v.base = p_base;
  IF FOUND THEN RETURN v_version; END IF;
  UPDATE feed_versions v SET state = 'rejected', decided_at = now(), decided_by = p_by
    WHERE v.feed_id = p_feed AND v.kind = p_kind AND v.state = 'proposed' AND v.created_by = 'detection';
  v_version := add_feed_version(p_feed, p_kind, p_base, p_data, '{}', '[]', p_file, p_by, NULL);
  PERFORM activate_feed_version(p_feed, p_kind, v_version, p_base, p_data, p_by, NULL);
  RETURN v_version;
END $fn$;
--> statement-breakpoint
-- Sends back to parse the files of a feed that are held for one of these failures, and their deliveries; answers how many.
CREATE FUNCTION reopen_files(p_feed int, p_codes text[], p_by text) RETURNS int LANGUAGE sql AS $fn$
  WITH opened AS (
    UPDATE files f SET state = 'parsing', failure = NULL, drift_report = NULL, released_at = now(), released_by = p_by,
      updated_at = now()
    WHERE f.feed_id = p_feed AND f.state = 'held' AND f.failure ->> 'code' = ANY (p_codes)
    RETURNING f.delivery_id),
  woken AS (
    UPDATE deliveries d SET state = 'parsing', updated_at = now()
    WHERE d.id IN (SELECT o.delivery_id FROM opened o) AND d.state IN ('parsed', 'parsing')
    RETURNING d.id)
  SELECT (SELECT count(*) FROM opened)::int FROM (SELECT count(*) FROM woken) w
$fn$;
