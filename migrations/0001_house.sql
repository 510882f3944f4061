-- Why: who sends (customers, feeds), what arrived (deliveries, files), what could not land (rejects, dead letters), who
--      may look (api_tokens) and who did what (audit_log).
-- Writes: the command line (customers, feeds, api_tokens), parse (deliveries, files, rejects), plan and apply (files,
--         feeds), the dead-letter consumer, the API (releases, audit_log).  Reads: the API, the command line.
-- Retention: deliveries and files as long as the raw archive; rejects 400 days; dead_letters until discarded + 400 days;
--            audit_log for ever.

CREATE TABLE customers (
  id         int         GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  slug       text        NOT NULL UNIQUE CHECK (slug ~ '^[a-z][a-z0-9-]{0,19}$'),
  title      text        NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
--> statement-breakpoint
-- One row per feed. The lease names the one file that may write records of this feed and the worker that holds it; every
-- writing statement checks file and token under FOR SHARE, so a worker whose lease was taken over cannot write any more.
CREATE TABLE feeds (
  id              int         GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer_id     int         NOT NULL REFERENCES customers,
  slug            text        NOT NULL CHECK (slug ~ '^[a-z][a-z0-9-]{0,23}$'),
  title           text        NOT NULL,
  mode            text        NOT NULL CHECK (mode IN ('full', 'delta', 'snapshot')),
  adapter_version text        NOT NULL,
  active_file_id  bigint,
  lease_token     uuid,
  lease_until     timestamptz,
  created_at      timestamptz NOT NULL DEFAULT now(),
  UNIQUE (customer_id, slug),
  CHECK ((active_file_id IS NULL) = (lease_token IS NULL) AND (lease_token IS NULL) = (lease_until IS NULL))
);
--> statement-breakpoint
-- Brings a feed's row in line with its adapter and answers its ids. Writes nothing when nothing differs.
CREATE FUNCTION register_feed(p_customer text, p_customer_title text, p_feed text, p_title text, p_mode text, p_version text)
RETURNS TABLE (customer_id int, feed_id int) LANGUAGE plpgsql AS $fn$
#variable_conflict use_column
BEGIN
  RETURN QUERY SELECT c.id, f.id FROM customers c JOIN feeds f ON f.customer_id = c.id
    WHERE c.slug = p_customer AND c.title = p_customer_title AND f.slug = p_feed AND f.title = p_title
      AND f.mode = p_mode AND f.adapter_version = p_version;
  IF FOUND THEN RETURN; END IF;
  INSERT INTO customers AS c (slug, title) VALUES (p_customer, p_customer_title)
    ON CONFLICT (slug) DO UPDATE SET title = excluded.title WHERE c.title <> excluded.title;
  INSERT INTO feeds AS f (customer_id, slug, title, mode, adapter_version)
    SELECT c.id, p_feed, p_title, p_mode, p_version FROM customers c WHERE c.slug = p_customer
    ON CONFLICT (customer_id, slug) DO UPDATE
      SET title = excluded.title, mode = excluded.mode, adapter_version = excluded.adapter_version;
  RETURN QUERY SELECT c.id, f.id FROM customers c JOIN feeds f ON f.customer_id = c.id
    WHERE c.slug = p_customer AND f.slug = p_feed;
END $fn$;
--> statement-breakpoint
-- One row per arrival. The id is derived from customer, recipient, Message-ID and body, so a message that is sent again
-- finds its row; it is also the correlation id of everything that follows.
CREATE TABLE deliveries (
  id            text        PRIMARY KEY CHECK (id ~ '^[0-9a-f]{32}$'),
  customer_id   int         NOT NULL REFERENCES customers,
  feed_id       int         NOT NULL REFERENCES feeds,
  door          text        NOT NULL CHECK (door IN ('mail', 'upload')),
  state         text        NOT NULL CHECK (state IN ('parsing', 'parsed', 'quarantined', 'ignored', 'rejected', 'dead')),
  raw_key       text        NOT NULL,
  raw_bytes     bigint      NOT NULL CHECK (raw_bytes >= 0),
  raw_sha256    text        NOT NULL CHECK (raw_sha256 ~ '^[0-9a-f]{64}$'),
  sender        text        NOT NULL,            -- envelope sender, or the name of the API token
  sender_proof  text        NOT NULL,            -- what proved the sender, e.g. 'dkim=pass', 'token'
  subject       text,
  message_id    text,
  sent_at       timestamptz,                     -- the mail's Date header, as it says
  received_at   timestamptz NOT NULL,
  released_at   timestamptz,                     -- set when an operator released it from quarantine
  released_by   text,
  payloads      jsonb       NOT NULL DEFAULT '[]',   -- everything found inside: [{path, format, role, taken}]
  failure       jsonb,
  attempts      int         NOT NULL DEFAULT 0,
  created_at    timestamptz NOT NULL DEFAULT now(),
  updated_at    timestamptz NOT NULL DEFAULT now(),
  CHECK ((state IN ('quarantined', 'ignored', 'rejected', 'dead')) = (failure IS NOT NULL))
);
--> statement-breakpoint
CREATE INDEX deliveries_by_customer ON deliveries (customer_id, received_at DESC, id DESC);
--> statement-breakpoint
CREATE INDEX deliveries_recent ON deliveries (received_at DESC, id DESC);
--> statement-breakpoint
-- One row per payload. `order_key` is (as-of, sequence, arrival, position) as 16 bytes that compare like the tuple.
-- The CHECK is the promise that the books balance: a file whose lines or rows are not all accounted for cannot be
-- 'applied', whatever the code does.
CREATE TABLE files (
  id               bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  delivery_id      text        NOT NULL REFERENCES deliveries,
  position         int         NOT NULL CHECK (position >= 0),   -- place of the payload in its delivery
  customer_id      int         NOT NULL REFERENCES customers,
  feed_id          int         NOT NULL REFERENCES feeds,
  path             text        NOT NULL,                         -- e.g. 'export.zip/stock.csv'
  content_type     text        NOT NULL,
  bytes            bigint      CHECK (bytes >= 0),
  content_sha256   text        CHECK (content_sha256 ~ '^[0-9a-f]{64}$'),
  state            text        NOT NULL CHECK (state IN ('parsing', 'parsed', 'applying', 'applied', 'held', 'rejected', 'dead')),
  failure          jsonb,
  adapter_version  text        NOT NULL,
  as_of            timestamptz NOT NULL,
  as_of_source     text        NOT NULL,
  order_key        uuid        NOT NULL,
  chunks           jsonb       NOT NULL DEFAULT '[]',            -- [{n, rows, headBytes, bytes, tail}], see chunk codec
  -- books, parse side: physical lines
  lines            int, header_lines int, preamble_lines int, footer_lines int, blank_lines int, continuation_lines int,
  accepted         int, rejected int,
  -- books, apply side: records
  inserted         int, changed int, unchanged int, stale int, superseded int,
  plan_mode        text        CHECK (plan_mode IN ('whole', 'diff')),
  plan             jsonb,
  attempts         int         NOT NULL DEFAULT 0,
  released_at      timestamptz,
  released_by      text,
  received_at      timestamptz NOT NULL,
  parse_started_at timestamptz NOT NULL DEFAULT now(),
  parsed_at        timestamptz,
  apply_started_at timestamptz,
  applied_at       timestamptz,
  updated_at       timestamptz NOT NULL DEFAULT now(),
  UNIQUE (delivery_id, position),
  CONSTRAINT files_failure CHECK ((state IN ('held', 'rejected', 'dead')) = (failure IS NOT NULL)),
  CONSTRAINT files_lines_balance CHECK (state NOT IN ('parsed', 'applying', 'applied') OR coalesce(
    lines = header_lines + preamble_lines + footer_lines + blank_lines + continuation_lines + accepted + rejected, false)),
  CONSTRAINT files_records_balance CHECK (state <> 'applied' OR coalesce(
    accepted = inserted + changed + unchanged + stale + superseded, false))
);
--> statement-breakpoint
CREATE INDEX files_by_feed ON files (feed_id, order_key DESC);
--> statement-breakpoint
CREATE INDEX files_by_customer ON files (customer_id, received_at DESC, id DESC);
--> statement-breakpoint
CREATE INDEX files_recent ON files (received_at DESC, id DESC);
--> statement-breakpoint
-- What is not at its end, or waits for an operator: few rows, asked for often.
CREATE INDEX files_open ON files (customer_id, state) WHERE state NOT IN ('applied', 'rejected');
--> statement-breakpoint
CREATE TABLE rejects (
  file_id  bigint NOT NULL REFERENCES files ON DELETE CASCADE,
  line     int    NOT NULL CHECK (line > 0),   -- physical line on which the row begins, 1-based
  position int    NOT NULL,                    -- 0 for the first fault of the row, 1 for the second …
  code     text   NOT NULL,
  column_name text,                            -- as the customer's file calls it
  value    text,
  sentence text   NOT NULL,
  hint     text   NOT NULL,
  raw      text   NOT NULL,                    -- the row as it stood in the file, cut at a stated length
  PRIMARY KEY (file_id, line, position)
);
--> statement-breakpoint
CREATE TABLE dead_letters (
  id             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  stage          text        NOT NULL CHECK (stage IN ('parse', 'apply')),
  message_id     text        NOT NULL UNIQUE,    -- the queue's id: a message parked twice is one row
  message        jsonb       NOT NULL,
  failure        jsonb       NOT NULL,
  customer       text,
  correlation_id text,
  attempts       int         NOT NULL,
  state          text        NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'redriven', 'discarded')),
  first_at       timestamptz NOT NULL DEFAULT now(),
  last_at        timestamptz NOT NULL DEFAULT now()
);
--> statement-breakpoint
CREATE INDEX dead_letters_open ON dead_letters (last_at DESC, id DESC) WHERE state = 'open';
--> statement-breakpoint
-- Bearer tokens. Only the SHA-256 of a token is kept; tokens are 256 random bits, so no salt is needed.
CREATE TABLE api_tokens (
  id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name         text        NOT NULL,
  sha256       text        NOT NULL UNIQUE CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  role         text        NOT NULL CHECK (role IN ('operator', 'customer')),
  customer_id  int         REFERENCES customers,
  created_at   timestamptz NOT NULL DEFAULT now(),
  revoked_at   timestamptz,
  CHECK ((role = 'customer') = (customer_id IS NOT NULL))
);
--> statement-breakpoint
CREATE TABLE audit_log (
  id      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at      timestamptz NOT NULL DEFAULT now(),
  actor   text        NOT NULL,
  action  text        NOT NULL,
  subject text        NOT NULL,
  detail  jsonb       NOT NULL DEFAULT '{}'
);
