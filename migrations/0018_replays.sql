-- Why: what lies in the archive can be read again: one delivery, a feed since a day, a customer, everything; as it is read today
--      or by a named version; to be told only (a shadow), or for real; also into a database that has lost everything.
-- Writes: the API (what is asked and decided), the replay (how far it is), parse (read_at).  Reads: the replay, the sweep, the API.
-- Retention: replays for ever, a row each; replay_items 400 days after their replay has ended.

-- What is asked for are names: an empty database knows no customer. Nothing named: everything. `collected`: how far the
-- archive was looked through, so that an invocation that dies is gone on from: {customer, after} or {keys}.
CREATE TABLE replays (
  id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  state         text        NOT NULL DEFAULT 'collecting'
                CHECK (state IN ('collecting', 'running', 'paused', 'done', 'cancelled', 'failed')),
  customer      text,
  feed          text,
  since         timestamptz,                       -- deliveries that arrived before are left out
  raw_keys      text[],                            -- exactly these objects of the archive
  shadow        boolean     NOT NULL,              -- everything is planned and told, nothing applied
  profile       int,                               -- read by this version instead of the active one
  mapping       int,
  gate          text        NOT NULL CHECK (gate IN ('judge', 'pass')),
  collected     jsonb,
  lanes         text[]      NOT NULL DEFAULT '{}', -- of each, one delivery at a time goes on
  failure       jsonb,
  created_at    timestamptz NOT NULL DEFAULT now(),
  created_by    text        NOT NULL,
  running_since timestamptz,                       -- the pace is measured from here
  running_bytes bigint      NOT NULL DEFAULT 0,    -- done before that
  ended_at      timestamptz,
  CONSTRAINT replays_scope CHECK (feed IS NULL OR customer IS NOT NULL),
  CONSTRAINT replays_versions CHECK ((profile IS NULL AND mapping IS NULL) OR feed IS NOT NULL),
  CONSTRAINT replays_ended CHECK ((state IN ('done', 'cancelled', 'failed')) = (ended_at IS NOT NULL)),
  CONSTRAINT replays_failure CHECK ((state = 'failed') = (failure IS NOT NULL))
);
--> statement-breakpoint
CREATE INDEX replays_open ON replays (id) WHERE state IN ('collecting', 'running', 'paused');
--> statement-breakpoint
CREATE TRIGGER replays_first_state BEFORE INSERT ON replays FOR EACH ROW EXECUTE FUNCTION keep_to_moves('new>collecting');
--> statement-breakpoint
CREATE TRIGGER replays_moves BEFORE UPDATE OF state ON replays FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
  EXECUTE FUNCTION keep_to_moves('collecting>running', 'collecting>cancelled', 'collecting>failed', 'running>paused',
    'running>done', 'running>cancelled', 'paused>running', 'paused>cancelled');
--> statement-breakpoint
-- One delivery of a replay. Its place is (as_of, received_at, delivery_id) within its lane: feeds whose files may lie in each
-- other's mails share one. fresh: it had no row when its turn came, so it is read as one that has just arrived. The numbers are
-- sums over its files, of a shadow what they would have done.
CREATE TABLE replay_items (
  replay_id   bigint      NOT NULL REFERENCES replays ON DELETE CASCADE,
  delivery_id text        NOT NULL CHECK (delivery_id ~ '^[0-9a-f]{32}$'),
  customer    text        NOT NULL,
  feed        text        NOT NULL,
  lane        text        NOT NULL,
  as_of       timestamptz NOT NULL,
  received_at timestamptz NOT NULL,
  raw_key     text        NOT NULL,
  raw_bytes   bigint      NOT NULL,
  state       text        NOT NULL CHECK (state IN ('waiting', 'sent', 'done', 'skipped', 'failed')),
  reason      text,                                -- why it is skipped or failed: a code
  fresh       boolean,
  sent_at     timestamptz,
  read_at     timestamptz,                         -- all of it was read; its files go their own way
  woken_at    timestamptz,
  wakes       int         NOT NULL DEFAULT 0,      -- messages sent since that did not move it
  files int, held int, rejected int, dead int,     -- files, and how many of them came to such an end
  accepted int, inserted int, changed int, unchanged int, stale int, superseded int, retired int,
  PRIMARY KEY (replay_id, delivery_id),
  CONSTRAINT replay_items_reason CHECK ((state IN ('skipped', 'failed')) = (reason IS NOT NULL)),
  CONSTRAINT replay_items_sent CHECK (state IN ('waiting', 'skipped') OR sent_at IS NOT NULL)
);
--> statement-breakpoint
-- Of a lane one delivery is under way, whichever replay it is of.
CREATE UNIQUE INDEX replay_items_lane ON replay_items (lane) WHERE state = 'sent';
--> statement-breakpoint
CREATE INDEX replay_items_next ON replay_items (replay_id, lane, as_of, received_at, delivery_id) WHERE state = 'waiting';
--> statement-breakpoint
CREATE INDEX replay_items_open ON replay_items (delivery_id) WHERE state IN ('waiting', 'sent');
--> statement-breakpoint
CREATE TRIGGER replay_items_first_state BEFORE INSERT ON replay_items FOR EACH ROW
  EXECUTE FUNCTION keep_to_moves('new>waiting', 'new>skipped');
--> statement-breakpoint
CREATE TRIGGER replay_items_moves BEFORE UPDATE OF state ON replay_items FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
  EXECUTE FUNCTION keep_to_moves('waiting>sent', 'waiting>skipped', 'sent>done', 'sent>failed', 'sent>skipped');
