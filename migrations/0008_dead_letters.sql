-- Why: what got stuck can be looked at, sent again, given up, or sent again by itself once its cause is fixed; and whoever
--      should know is told that it grows.
-- Writes: the dead-letter consumer (dead_letters, alerts), the API (decisions, fixed_causes), the cron (letters of fixed causes).
-- Reads: the API, the command line, the cron.
-- Retention: dead_letters 400 days after they are decided, open ones for ever: nobody has looked at them. fixed_causes for
--            ever, one row a cause. alerts 400 days after they are cleared.

-- cause: what letters have in common that one fix mends. feed, file_id: what the letter is about, read from its message,
-- which may hold anything at all. redrive_of: the letter of the first life; all later lives name the same one.
-- sending_since: decided to be sent and not known to be in the queue; set in one statement with `redriven`, cleared when the
-- queue has the message. A letter that keeps it was cut off between the two, and the cron sends it.
ALTER TABLE dead_letters
  ADD COLUMN cause text NOT NULL GENERATED ALWAYS AS (stage || '.' || coalesce(failure ->> 'code', 'unknown')) STORED,
  ADD COLUMN feed text GENERATED ALWAYS AS (message ->> 'feed') STORED,
  ADD COLUMN file_id bigint GENERATED ALWAYS AS (
    CASE WHEN stage = 'apply' AND message ->> 'fileId' ~ '^[0-9]{1,19}$' THEN
      CASE WHEN (message ->> 'fileId')::numeric <= 9223372036854775807 THEN (message ->> 'fileId')::bigint END END) STORED,
  ADD COLUMN redrive_of bigint REFERENCES dead_letters ON DELETE SET NULL,
  ADD COLUMN decided_at timestamptz,
  ADD COLUMN decided_by text,                     -- the name of an API token; of a fixed cause, that of whoever marked it
  ADD COLUMN reason text,                         -- why it was discarded
  ADD COLUMN sending_since timestamptz,
  ADD CONSTRAINT dead_letters_decided CHECK ((state = 'open') = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL)),
  ADD CONSTRAINT dead_letters_reason CHECK ((state = 'discarded') = (reason IS NOT NULL)),
  ADD CONSTRAINT dead_letters_sending CHECK (state = 'redriven' OR sending_since IS NULL);
--> statement-breakpoint
-- Letters of a cause in the order of their death, to be counted and sent again.
CREATE INDEX dead_letters_cause ON dead_letters (cause, last_at, id) WHERE state = 'open';
--> statement-breakpoint
CREATE INDEX dead_letters_sending ON dead_letters (sending_since) WHERE sending_since IS NOT NULL;
--> statement-breakpoint
CREATE INDEX dead_letters_of_delivery ON dead_letters (correlation_id, id);
--> statement-breakpoint
CREATE INDEX dead_letters_of_file ON dead_letters (file_id, id) WHERE file_id IS NOT NULL;
--> statement-breakpoint
CREATE INDEX dead_letters_lives ON dead_letters (redrive_of, id) WHERE redrive_of IS NOT NULL;
--> statement-breakpoint
-- Letters of the cause that died before `marked_at` are sent again by the cron; later ones wait for a human again, so a fix
-- that is none goes round once.
CREATE TABLE fixed_causes (
  cause     text        PRIMARY KEY,
  marked_at timestamptz NOT NULL,
  marked_by text        NOT NULL,
  note      text
);
--> statement-breakpoint
-- One row from the first sign of trouble until it is over; the same trouble again is counted, later trouble is a new row.
CREATE TABLE alerts (
  id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind       text        NOT NULL,
  subject    text        NOT NULL,                -- what it is about, e.g. the stage
  severity   text        NOT NULL CHECK (severity IN ('warning', 'critical')),
  detail     text        NOT NULL,                -- one sentence, as it was the last time
  first_at   timestamptz NOT NULL DEFAULT now(),
  last_at    timestamptz NOT NULL DEFAULT now(),
  times      int         NOT NULL DEFAULT 1,
  cleared_at timestamptz
);
--> statement-breakpoint
CREATE UNIQUE INDEX alerts_open ON alerts (kind, subject) WHERE cleared_at IS NULL;
--> statement-breakpoint
CREATE INDEX alerts_recent ON alerts (last_at DESC, id DESC);
