-- The schema that migrations/ makes. Rebuilt by `npm run schema:dump`; not meant to be run.

-- schemas

schema public

-- extensions

extension plpgsql in pg_catalog

-- types

enum public.change_kind ('inserted', 'changed', 'retired', 'restored')

-- tables

table public.alerts
  column id bigint not null generated always as identity
  column kind text not null
  column subject text not null
  column severity text not null
  column detail text not null
  column first_at timestamp with time zone not null default now()
  column last_at timestamp with time zone not null default now()
  column times integer not null default 1
  column cleared_at timestamp with time zone
  constraint alerts_pkey PRIMARY KEY (id)
  constraint alerts_severity_check CHECK ((severity = ANY (ARRAY['warning'::text, 'critical'::text])))
  CREATE UNIQUE INDEX alerts_open ON public.alerts USING btree (kind, subject) WHERE (cleared_at IS NULL)
  CREATE UNIQUE INDEX alerts_pkey ON public.alerts USING btree (id)
  CREATE INDEX alerts_recent ON public.alerts USING btree (last_at DESC, id DESC)

table public.api_tokens
  column id bigint not null generated always as identity
  column name text not null
  column sha256 text not null
  column role text not null
  column customer_id integer
  column created_at timestamp with time zone not null default now()
  column revoked_at timestamp with time zone
  constraint api_tokens_pkey PRIMARY KEY (id)
  constraint api_tokens_sha256_key UNIQUE (sha256)
  constraint api_tokens_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customers(id)
  constraint api_tokens_check CHECK (((role = 'customer'::text) = (customer_id IS NOT NULL)))
  constraint api_tokens_role_check CHECK ((role = ANY (ARRAY['operator'::text, 'customer'::text])))
  constraint api_tokens_sha256_check CHECK ((sha256 ~ '^[0-9a-f]{64}$'::text))
  CREATE UNIQUE INDEX api_tokens_pkey ON public.api_tokens USING btree (id)
  CREATE UNIQUE INDEX api_tokens_sha256_key ON public.api_tokens USING btree (sha256)

table public.audit_log
  column id bigint not null generated always as identity
  column at timestamp with time zone not null default now()
  column actor text not null
  column action text not null
  column subject text not null
  column detail jsonb not null default '{}'::jsonb
  constraint audit_log_pkey PRIMARY KEY (id)
  CREATE UNIQUE INDEX audit_log_pkey ON public.audit_log USING btree (id)

table public.changes partition by RANGE (created_at)
  column id bigint not null generated always as identity
  column created_at timestamp with time zone not null default now()
  column record_id bigint not null
  column file_id bigint not null
  column row_hash uuid not null
  column customer_id integer not null
  column feed_id integer not null
  column line integer not null
  column version integer not null
  column kind public.change_kind not null
  column natural_key text collate "C" not null
  column before jsonb
  column after jsonb
  constraint changes_images CHECK ((((kind = 'inserted'::public.change_kind) = (before IS NULL)) AND ((kind = 'retired'::public.change_kind) = (after IS NULL))))
  CREATE INDEX changes_by_place ON ONLY public.changes USING brin (id, file_id) WITH (pages_per_range='16')
  CREATE INDEX changes_by_record ON ONLY public.changes USING btree (record_id)

table public.changes_default partition of public.changes DEFAULT
  column id bigint not null generated always as identity
  column created_at timestamp with time zone not null default now()
  column record_id bigint not null
  column file_id bigint not null
  column row_hash uuid not null
  column customer_id integer not null
  column feed_id integer not null
  column line integer not null
  column version integer not null
  column kind public.change_kind not null
  column natural_key text collate "C" not null
  column before jsonb
  column after jsonb
  constraint changes_images CHECK ((((kind = 'inserted'::public.change_kind) = (before IS NULL)) AND ((kind = 'retired'::public.change_kind) = (after IS NULL))))
  CREATE INDEX changes_default_id_file_id_idx ON public.changes_default USING brin (id, file_id) WITH (pages_per_range='16')
  CREATE INDEX changes_default_record_id_idx ON public.changes_default USING btree (record_id)

table public.customers
  column id integer not null generated always as identity
  column slug text not null
  column title text not null
  column created_at timestamp with time zone not null default now()
  constraint customers_pkey PRIMARY KEY (id)
  constraint customers_slug_key UNIQUE (slug)
  constraint customers_slug_check CHECK ((slug ~ '^[a-z][a-z0-9-]{0,19}$'::text))
  CREATE UNIQUE INDEX customers_pkey ON public.customers USING btree (id)
  CREATE UNIQUE INDEX customers_slug_key ON public.customers USING btree (slug)

table public.dead_letters
  column id bigint not null generated always as identity
  column stage text not null
  column message_id text not null
  column message jsonb not null
  column failure jsonb not null
  column customer text
  column correlation_id text
  column attempts integer not null
  column state text not null default 'open'::text
  column first_at timestamp with time zone not null default now()
  column last_at timestamp with time zone not null default now()
  column cause text not null generated always as (((stage || '.'::text) || COALESCE((failure ->> 'code'::text), 'unknown'::text))) stored
  column feed text generated always as ((message ->> 'feed'::text)) stored
  column file_id bigint generated always as (
CASE
    WHEN ((stage = 'apply'::text) AND ((message ->> 'fileId'::text) ~ '^[0-9]{1,19}$'::text)) THEN
    CASE
        WHEN (((message ->> 'fileId'::text))::numeric <= ('9223372036854775807'::bigint)::numeric) THEN ((message ->> 'fileId'::text))::bigint
        ELSE NULL::bigint
    END
    ELSE NULL::bigint
END) stored
  column redrive_of bigint
  column decided_at timestamp with time zone
  column decided_by text
  column reason text
  column sending_since timestamp with time zone
  constraint dead_letters_pkey PRIMARY KEY (id)
  constraint dead_letters_message_id_key UNIQUE (message_id)
  constraint dead_letters_redrive_of_fkey FOREIGN KEY (redrive_of) REFERENCES public.dead_letters(id) ON DELETE SET NULL
  constraint dead_letters_decided CHECK ((((state = 'open'::text) = (decided_at IS NULL)) AND ((decided_at IS NULL) = (decided_by IS NULL))))
  constraint dead_letters_reason CHECK (((state = 'discarded'::text) = (reason IS NOT NULL)))
  constraint dead_letters_sending CHECK (((state = 'redriven'::text) OR (sending_since IS NULL)))
  constraint dead_letters_stage_check CHECK ((stage = ANY (ARRAY['parse'::text, 'apply'::text])))
  constraint dead_letters_state_check CHECK ((state = ANY (ARRAY['open'::text, 'redriven'::text, 'discarded'::text])))
  CREATE INDEX dead_letters_cause ON public.dead_letters USING btree (cause, last_at, id) WHERE (state = 'open'::text)
  CREATE INDEX dead_letters_lives ON public.dead_letters USING btree (redrive_of, id) WHERE (redrive_of IS NOT NULL)
  CREATE UNIQUE INDEX dead_letters_message_id_key ON public.dead_letters USING btree (message_id)
  CREATE INDEX dead_letters_of_delivery ON public.dead_letters USING btree (correlation_id, id)
  CREATE INDEX dead_letters_of_file ON public.dead_letters USING btree (file_id, id) WHERE (file_id IS NOT NULL)
  CREATE INDEX dead_letters_open ON public.dead_letters USING btree (last_at DESC, id DESC) WHERE (state = 'open'::text)
  CREATE UNIQUE INDEX dead_letters_pkey ON public.dead_letters USING btree (id)
  CREATE INDEX dead_letters_sending ON public.dead_letters USING btree (sending_since) WHERE (sending_since IS NOT NULL)
  CREATE TRIGGER dead_letters_first_state BEFORE INSERT ON public.dead_letters FOR EACH ROW EXECUTE FUNCTION public.keep_to_moves('new>open')
  CREATE TRIGGER dead_letters_moves BEFORE UPDATE OF state ON public.dead_letters FOR EACH ROW WHEN ((old.state IS DISTINCT FROM new.state)) EXECUTE FUNCTION public.keep_to_moves('open>redriven', 'open>discarded')

table public.deliveries
  column id text not null
  column customer_id integer not null
  column feed_id integer not null
  column door text not null
  column state text not null
  column raw_key text not null
  column raw_bytes bigint not null
  column raw_sha256 text not null
  column sender text not null
  column sender_proof text not null
  column subject text
  column message_id text
  column sent_at timestamp with time zone
  column received_at timestamp with time zone not null
  column released_at timestamp with time zone
  column released_by text
  column payloads jsonb not null default '[]'::jsonb
  column failure jsonb
  column attempts integer not null default 0
  column created_at timestamp with time zone not null default now()
  column updated_at timestamp with time zone not null default now()
  column last_failure jsonb
  column next_attempt_at timestamp with time zone
  column wakes integer not null default 0
  column woken_at timestamp with time zone
  column raw_removed_at timestamp with time zone
  column recipient text
  column body_sha256 text
  constraint deliveries_pkey PRIMARY KEY (id)
  constraint deliveries_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customers(id)
  constraint deliveries_feed_id_fkey FOREIGN KEY (feed_id) REFERENCES public.feeds(id)
  constraint deliveries_body_sha256_check CHECK ((body_sha256 ~ '^[0-9a-f]{64}$'::text))
  constraint deliveries_check CHECK (((state = ANY (ARRAY['quarantined'::text, 'ignored'::text, 'rejected'::text, 'dead'::text])) = (failure IS NOT NULL)))
  constraint deliveries_door_check CHECK ((door = ANY (ARRAY['mail'::text, 'upload'::text, 'restore'::text])))
  constraint deliveries_id_check CHECK ((id ~ '^[0-9a-f]{32}$'::text))
  constraint deliveries_raw_bytes_check CHECK ((raw_bytes >= 0))
  constraint deliveries_raw_sha256_check CHECK ((raw_sha256 ~ '^[0-9a-f]{64}$'::text))
  constraint deliveries_retry CHECK (((last_failure IS NULL) = (next_attempt_at IS NULL)))
  constraint deliveries_state_check CHECK ((state = ANY (ARRAY['parsing'::text, 'parsed'::text, 'quarantined'::text, 'ignored'::text, 'rejected'::text, 'dead'::text])))
  CREATE INDEX deliveries_by_customer ON public.deliveries USING btree (customer_id, received_at DESC, id DESC)
  CREATE INDEX deliveries_open ON public.deliveries USING btree (customer_id, state) WHERE (state = ANY (ARRAY['parsing'::text, 'quarantined'::text, 'dead'::text]))
  CREATE INDEX deliveries_parsing ON public.deliveries USING btree (updated_at) WHERE (state = 'parsing'::text)
  CREATE UNIQUE INDEX deliveries_pkey ON public.deliveries USING btree (id)
  CREATE INDEX deliveries_recent ON public.deliveries USING btree (received_at DESC, id DESC)
  CREATE TRIGGER deliveries_first_state BEFORE INSERT ON public.deliveries FOR EACH ROW EXECUTE FUNCTION public.keep_to_moves('new>parsing', 'new>quarantined', 'new>ignored')
  CREATE TRIGGER deliveries_moved BEFORE UPDATE OF state ON public.deliveries FOR EACH ROW WHEN ((old.state <> new.state)) EXECUTE FUNCTION public.forget_wakes()
  CREATE TRIGGER deliveries_moved_on BEFORE UPDATE OF state ON public.deliveries FOR EACH ROW WHEN ((old.state <> new.state)) EXECUTE FUNCTION public.forget_trouble()
  CREATE TRIGGER deliveries_moves BEFORE UPDATE OF state ON public.deliveries FOR EACH ROW WHEN ((old.state IS DISTINCT FROM new.state)) EXECUTE FUNCTION public.keep_to_moves('parsing>parsed', 'parsing>rejected', 'parsing>dead', 'quarantined>parsing', 'parsed>parsing', 'dead>parsing')

table public.drift_reports
  column id bigint not null generated always as identity
  column file_id bigint not null
  column customer_id integer not null
  column feed_id integer not null
  column snapshot_feed_id integer not null
  column order_key uuid not null
  column as_of timestamp with time zone not null
  column state text not null default 'open'::text
  column limits jsonb not null
  column seal text
  column fields text[] not null
  column snapshot_rows integer
  column records integer
  column missing_here integer
  column missing_there integer
  column differs integer
  column drift integer
  column explained jsonb not null default '{}'::jsonb
  column reasons text[] not null default '{}'::text[]
  column healing_file_id bigint
  column created_at timestamp with time zone not null default now()
  column compared_at timestamp with time zone
  column decided_at timestamp with time zone
  column decided_by text
  column healed_at timestamp with time zone
  column run integer not null default 1
  column told_at timestamp with time zone
  column attempts integer not null default 0
  column touched_at timestamp with time zone not null default now()
  column note text
  constraint drift_reports_pkey PRIMARY KEY (id)
  constraint drift_reports_of_file UNIQUE (file_id, run)
  constraint drift_reports_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customers(id)
  constraint drift_reports_feed_id_fkey FOREIGN KEY (feed_id) REFERENCES public.feeds(id)
  constraint drift_reports_file_id_fkey FOREIGN KEY (file_id) REFERENCES public.files(id) ON DELETE CASCADE
  constraint drift_reports_healing_file_id_fkey FOREIGN KEY (healing_file_id) REFERENCES public.files(id) ON DELETE SET NULL
  constraint drift_reports_snapshot_feed_id_fkey FOREIGN KEY (snapshot_feed_id) REFERENCES public.feeds(id)
  constraint drift_reports_compared CHECK (((state = ANY (ARRAY['open'::text, 'late'::text])) = (compared_at IS NULL)))
  constraint drift_reports_decided CHECK ((((decided_at IS NULL) = (decided_by IS NULL)) AND ((state <> ALL (ARRAY['released'::text, 'rejected'::text])) OR (decided_at IS NOT NULL))))
  constraint drift_reports_healed CHECK (((state = 'healed'::text) = (healed_at IS NOT NULL)))
  constraint drift_reports_numbers CHECK (((compared_at IS NULL) OR COALESCE(((drift <= ((missing_here + missing_there) + differs)) AND (seal IS NOT NULL) AND (records IS NOT NULL) AND (snapshot_rows IS NOT NULL)), false)))
  constraint drift_reports_run_check CHECK ((run > 0))
  constraint drift_reports_seal_check CHECK ((seal = ANY (ARRAY['hash'::text, 'fields'::text])))
  constraint drift_reports_state_check CHECK ((state = ANY (ARRAY['open'::text, 'late'::text, 'clean'::text, 'healing'::text, 'healed'::text, 'waiting'::text, 'released'::text, 'rejected'::text])))
  CREATE INDEX drift_reports_by_feed ON public.drift_reports USING btree (feed_id, order_key DESC)
  CREATE INDEX drift_reports_healing ON public.drift_reports USING btree (healing_file_id) WHERE (healing_file_id IS NOT NULL)
  CREATE INDEX drift_reports_latest ON public.drift_reports USING btree (created_at DESC, id DESC)
  CREATE UNIQUE INDEX drift_reports_of_file ON public.drift_reports USING btree (file_id, run)
  CREATE UNIQUE INDEX drift_reports_pkey ON public.drift_reports USING btree (id)
  CREATE INDEX drift_reports_waiting ON public.drift_reports USING btree (customer_id, created_at) WHERE (state = ANY (ARRAY['open'::text, 'waiting'::text, 'healing'::text, 'released'::text]))
  CREATE TRIGGER drift_reports_first_state BEFORE INSERT ON public.drift_reports FOR EACH ROW EXECUTE FUNCTION public.keep_to_moves('new>open', 'new>late')
  CREATE TRIGGER drift_reports_moves BEFORE UPDATE OF state ON public.drift_reports FOR EACH ROW WHEN ((old.state IS DISTINCT FROM new.state)) EXECUTE FUNCTION public.keep_to_moves('open>clean', 'open>healing', 'open>waiting', 'waiting>released', 'waiting>rejected', 'healing>healed', 'healing>rejected', 'released>healed', 'released>rejected')

table public.drift_rows
  column report_id bigint not null
  column n integer not null
  column kind text not null
  column natural_key text collate "C" not null
  column line integer
  column version integer
  column order_key uuid
  column our_file_id bigint
  column fields jsonb not null
  column explanation jsonb
  column sentence text not null
  constraint drift_rows_pkey PRIMARY KEY (report_id, n)
  constraint drift_rows_report_id_fkey FOREIGN KEY (report_id) REFERENCES public.drift_reports(id) ON DELETE CASCADE
  constraint drift_rows_kind_check CHECK ((kind = ANY (ARRAY['missing-here'::text, 'missing-there'::text, 'differs'::text])))
  constraint drift_rows_n_check CHECK ((n > 0))
  CREATE UNIQUE INDEX drift_rows_pkey ON public.drift_rows USING btree (report_id, n)

table public.feed_versions
  column feed_id integer not null
  column kind text not null
  column version integer not null
  column state text not null
  column base text not null
  column data jsonb not null
  column evidence jsonb not null default '{}'::jsonb
  column cases jsonb not null default '[]'::jsonb
  column file_id bigint
  column note text
  column created_at timestamp with time zone not null default now()
  column created_by text not null
  column decided_at timestamp with time zone
  column decided_by text
  constraint feed_versions_pkey PRIMARY KEY (feed_id, kind, version)
  constraint feed_versions_feed_id_fkey FOREIGN KEY (feed_id) REFERENCES public.feeds(id)
  constraint feed_versions_file_id_fkey FOREIGN KEY (file_id) REFERENCES public.files(id) ON DELETE SET NULL
  constraint feed_versions_decided CHECK ((((state = 'proposed'::text) = (decided_at IS NULL)) AND ((decided_at IS NULL) = (decided_by IS NULL))))
  constraint feed_versions_kind_check CHECK ((kind = ANY (ARRAY['profile'::text, 'mapping'::text])))
  constraint feed_versions_state_check CHECK ((state = ANY (ARRAY['proposed'::text, 'active'::text, 'retired'::text, 'rejected'::text])))
  constraint feed_versions_version_check CHECK ((version > 0))
  CREATE UNIQUE INDEX feed_versions_active ON public.feed_versions USING btree (feed_id, kind) WHERE (state = 'active'::text)
  CREATE UNIQUE INDEX feed_versions_asked ON public.feed_versions USING btree (feed_id, kind) WHERE ((state = 'proposed'::text) AND (created_by = 'detection'::text))
  CREATE UNIQUE INDEX feed_versions_pkey ON public.feed_versions USING btree (feed_id, kind, version)
  CREATE TRIGGER feed_versions_first_state BEFORE INSERT ON public.feed_versions FOR EACH ROW EXECUTE FUNCTION public.keep_to_moves('new>proposed')
  CREATE TRIGGER feed_versions_moves BEFORE UPDATE OF state ON public.feed_versions FOR EACH ROW WHEN ((old.state IS DISTINCT FROM new.state)) EXECUTE FUNCTION public.keep_to_moves('proposed>active', 'proposed>rejected', 'active>retired', 'retired>active')

table public.feeds
  column id integer not null generated always as identity
  column customer_id integer not null
  column slug text not null
  column title text not null
  column mode text not null
  column adapter_version text not null
  column active_file_id bigint
  column lease_token uuid
  column lease_until timestamp with time zone
  column created_at timestamp with time zone not null default now()
  column forgotten_to uuid
  column gate_widening jsonb not null default '{}'::jsonb
  constraint feeds_pkey PRIMARY KEY (id)
  constraint feeds_customer_id_slug_key UNIQUE (customer_id, slug)
  constraint feeds_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customers(id)
  constraint feeds_check CHECK ((((active_file_id IS NULL) = (lease_token IS NULL)) AND ((lease_token IS NULL) = (lease_until IS NULL))))
  constraint feeds_mode_check CHECK ((mode = ANY (ARRAY['full'::text, 'delta'::text, 'snapshot'::text])))
  constraint feeds_slug_check CHECK ((slug ~ '^[a-z][a-z0-9-]{0,23}$'::text))
  CREATE UNIQUE INDEX feeds_customer_id_slug_key ON public.feeds USING btree (customer_id, slug)
  CREATE UNIQUE INDEX feeds_pkey ON public.feeds USING btree (id)

table public.files
  column id bigint not null generated always as identity
  column delivery_id text not null
  column "position" integer not null
  column customer_id integer not null
  column feed_id integer not null
  column path text not null
  column content_type text not null
  column bytes bigint
  column content_sha256 text
  column state text not null
  column failure jsonb
  column adapter_version text not null
  column as_of timestamp with time zone not null
  column as_of_source text not null
  column order_key uuid not null
  column chunks jsonb not null default '[]'::jsonb
  column lines integer
  column header_lines integer
  column preamble_lines integer
  column footer_lines integer
  column blank_lines integer
  column continuation_lines integer
  column accepted integer
  column rejected integer
  column inserted integer
  column changed integer
  column unchanged integer
  column stale integer
  column superseded integer
  column plan_mode text
  column plan jsonb
  column attempts integer not null default 0
  column released_at timestamp with time zone
  column released_by text
  column received_at timestamp with time zone not null
  column parse_started_at timestamp with time zone not null default now()
  column parsed_at timestamp with time zone
  column apply_started_at timestamp with time zone
  column applied_at timestamp with time zone
  column updated_at timestamp with time zone not null default now()
  column books_of uuid
  column merges boolean not null default false
  column sequence bigint
  column generated_at timestamp with time zone
  column ends_with_newline boolean
  column drift_report jsonb
  column last_failure jsonb
  column next_attempt_at timestamp with time zone
  column wakes integer not null default 0
  column woken_at timestamp with time zone
  column chunks_removed_at timestamp with time zone
  column rejects_removed_at timestamp with time zone
  column duplicate_of bigint
  column as_of_disbelieved jsonb
  column cause text not null default 'delivery'::text
  column compare_only boolean not null default false
  column complete boolean not null default true
  column replay_id bigint
  column comparison jsonb
  column retired integer
  column gate jsonb
  column field_numbers jsonb
  column stated_as_of timestamp with time zone
  column records_before integer
  constraint files_pkey PRIMARY KEY (id)
  constraint files_of_payload UNIQUE NULLS NOT DISTINCT (delivery_id, "position", cause, replay_id)
  constraint files_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customers(id)
  constraint files_delivery_id_fkey FOREIGN KEY (delivery_id) REFERENCES public.deliveries(id)
  constraint files_duplicate_of_fkey FOREIGN KEY (duplicate_of) REFERENCES public.files(id)
  constraint files_feed_id_fkey FOREIGN KEY (feed_id) REFERENCES public.feeds(id)
  constraint files_bytes_check CHECK ((bytes >= 0))
  constraint files_cause CHECK ((((cause = 'replay'::text) = (replay_id IS NOT NULL)) AND ((NOT compare_only) OR (cause = ANY (ARRAY['dry-run'::text, 'replay'::text]))) AND ((cause <> 'dry-run'::text) OR compare_only)))
  constraint files_cause_check CHECK ((cause = ANY (ARRAY['delivery'::text, 'dry-run'::text, 'replay'::text, 'reconcile'::text, 'restore'::text])))
  constraint files_content_sha256_check CHECK ((content_sha256 ~ '^[0-9a-f]{64}$'::text))
  constraint files_duplicate CHECK (((state = 'duplicate'::text) = (duplicate_of IS NOT NULL)))
  constraint files_failure CHECK (((state = ANY (ARRAY['held'::text, 'rejected'::text, 'dead'::text])) = (failure IS NOT NULL)))
  constraint files_lines_balance CHECK (((state <> ALL (ARRAY['parsed'::text, 'applying'::text, 'applied'::text])) OR COALESCE((lines = ((((((header_lines + preamble_lines) + footer_lines) + blank_lines) + continuation_lines) + accepted) + rejected)), false)))
  constraint files_plan_mode_check CHECK ((plan_mode = ANY (ARRAY['whole'::text, 'diff'::text])))
  constraint files_position_check CHECK (("position" >= 0))
  constraint files_records_balance CHECK (((state <> 'applied'::text) OR COALESCE((accepted = ((((inserted + changed) + unchanged) + stale) + superseded)), false)))
  constraint files_retired_check CHECK ((retired >= 0))
  constraint files_retry CHECK (((last_failure IS NULL) = (next_attempt_at IS NULL)))
  constraint files_state_check CHECK ((state = ANY (ARRAY['parsing'::text, 'parsed'::text, 'applying'::text, 'applied'::text, 'compared'::text, 'held'::text, 'rejected'::text, 'duplicate'::text, 'dead'::text])))
  CREATE INDEX files_by_customer ON public.files USING btree (customer_id, received_at DESC, id DESC)
  CREATE INDEX files_by_feed ON public.files USING btree (feed_id, order_key DESC)
  CREATE INDEX files_duplicates ON public.files USING btree (feed_id, order_key) WHERE (state = 'duplicate'::text)
  CREATE INDEX files_duplicates_of ON public.files USING btree (duplicate_of) WHERE (duplicate_of IS NOT NULL)
  CREATE UNIQUE INDEX files_of_payload ON public.files USING btree (delivery_id, "position", cause, replay_id) NULLS NOT DISTINCT
  CREATE INDEX files_of_replay ON public.files USING btree (replay_id) WHERE (replay_id IS NOT NULL)
  CREATE INDEX files_open ON public.files USING btree (customer_id, state) WHERE (state <> ALL (ARRAY['applied'::text, 'compared'::text, 'rejected'::text]))
  CREATE INDEX files_parsing ON public.files USING btree (updated_at) WHERE (state = 'parsing'::text)
  CREATE UNIQUE INDEX files_pkey ON public.files USING btree (id)
  CREATE INDEX files_recent ON public.files USING btree (received_at DESC, id DESC)
  CREATE INDEX files_unjudged ON public.files USING btree (feed_id) WHERE ((gate IS NULL) AND (books_of IS NOT NULL))
  CREATE INDEX files_waiting ON public.files USING btree (feed_id, order_key) WHERE (state = ANY (ARRAY['parsed'::text, 'applying'::text]))
  CREATE INDEX files_with_chunks ON public.files USING btree (updated_at) WHERE (chunks_removed_at IS NULL)
  CREATE INDEX files_with_rejects ON public.files USING btree (parsed_at) WHERE ((rejects_removed_at IS NULL) AND ((rejected > 0) OR (drift_report IS NOT NULL)))
  CREATE TRIGGER files_duplicates_open AFTER UPDATE OF state ON public.files FOR EACH ROW WHEN (((old.state IS DISTINCT FROM new.state) AND (new.cause = 'delivery'::text) AND ((new.state = 'parsed'::text) OR ((old.state = ANY (ARRAY['parsed'::text, 'applying'::text])) AND (new.state = ANY (ARRAY['held'::text, 'rejected'::text, 'dead'::text])))))) EXECUTE FUNCTION public.reopen_duplicates()
  CREATE TRIGGER files_first_state BEFORE INSERT ON public.files FOR EACH ROW EXECUTE FUNCTION public.keep_to_moves('new>parsing')
  CREATE TRIGGER files_heal AFTER UPDATE OF state ON public.files FOR EACH ROW WHEN (((old.state <> 'applied'::text) AND (new.state = 'applied'::text) AND (new.cause = 'reconcile'::text))) EXECUTE FUNCTION public.heal_report()
  CREATE TRIGGER files_moved BEFORE UPDATE OF state ON public.files FOR EACH ROW WHEN ((old.state <> new.state)) EXECUTE FUNCTION public.forget_wakes()
  CREATE TRIGGER files_moved_on BEFORE UPDATE OF state ON public.files FOR EACH ROW WHEN ((old.state <> new.state)) EXECUTE FUNCTION public.forget_trouble()
  CREATE TRIGGER files_moves BEFORE UPDATE OF state ON public.files FOR EACH ROW WHEN ((old.state IS DISTINCT FROM new.state)) EXECUTE FUNCTION public.keep_to_moves('parsing>parsed', 'parsing>held', 'parsing>rejected', 'parsing>duplicate', 'parsing>dead', 'parsed>applying', 'parsed>compared', 'parsed>held', 'parsed>dead', 'applying>applied', 'applying>held', 'applying>dead', 'held>parsing', 'held>parsed', 'held>rejected', 'duplicate>parsed', 'dead>parsing', 'dead>parsed')

table public.fixed_causes
  column cause text not null
  column marked_at timestamp with time zone not null
  column marked_by text not null
  column note text
  constraint fixed_causes_pkey PRIMARY KEY (cause)
  CREATE UNIQUE INDEX fixed_causes_pkey ON public.fixed_causes USING btree (cause)

table public.forgotten
  column what text not null
  column upto timestamp with time zone not null
  constraint forgotten_pkey PRIMARY KEY (what)
  constraint forgotten_what_check CHECK ((what = 'changes'::text))
  CREATE UNIQUE INDEX forgotten_pkey ON public.forgotten USING btree (what)

table public.holds
  column id bigint not null generated always as identity
  column file_id bigint not null
  column nonce text not null
  column facts jsonb not null
  column tripped jsonb not null
  column telling jsonb not null
  column widening jsonb not null default '{}'::jsonb
  column later text not null
  column held_at timestamp with time zone not null default now()
  column remind_at timestamp with time zone
  column expires_at timestamp with time zone not null
  column decision text
  column decided_at timestamp with time zone
  column decided_by text
  constraint holds_pkey PRIMARY KEY (id)
  constraint holds_nonce_key UNIQUE (nonce)
  constraint holds_file_id_fkey FOREIGN KEY (file_id) REFERENCES public.files(id) ON DELETE CASCADE
  constraint holds_decided CHECK ((((decision IS NULL) = (decided_at IS NULL)) AND ((decision IS NULL) = (decided_by IS NULL))))
  constraint holds_decision_check CHECK ((decision = ANY (ARRAY['release'::text, 'widen'::text, 'reject'::text, 'expire'::text, 'supersede'::text])))
  constraint holds_later_check CHECK ((later = ANY (ARRAY['wait'::text, 'supersede'::text])))
  constraint holds_nonce_check CHECK ((nonce ~ '^[0-9A-Za-z]{16,64}$'::text))
  CREATE INDEX holds_by_file ON public.holds USING btree (file_id, id DESC)
  CREATE INDEX holds_due ON public.holds USING btree (LEAST(remind_at, expires_at)) WHERE (decision IS NULL)
  CREATE UNIQUE INDEX holds_nonce_key ON public.holds USING btree (nonce)
  CREATE UNIQUE INDEX holds_open ON public.holds USING btree (file_id) WHERE (decision IS NULL)
  CREATE UNIQUE INDEX holds_pkey ON public.holds USING btree (id)

table public.jobs
  column name text not null
  column lease_token uuid
  column lease_until timestamp with time zone
  column last_started_at timestamp with time zone not null
  column last_ok_at timestamp with time zone
  column progress jsonb
  column result jsonb not null default '{}'::jsonb
  column error text
  constraint jobs_pkey PRIMARY KEY (name)
  constraint jobs_lease CHECK (((lease_token IS NULL) = (lease_until IS NULL)))
  CREATE UNIQUE INDEX jobs_pkey ON public.jobs USING btree (name)

table public.ledger
  column file_id bigint not null
  column chunk_key uuid not null
  column rows integer not null
  column inserted integer not null
  column changed integer not null
  column unchanged integer not null
  column stale integer not null
  column need integer[] not null default '{}'::integer[]
  column need_new integer not null default 0
  column settled_at timestamp with time zone not null default now()
  column known bigint[] not null default '{}'::bigint[]
  column retired integer not null default 0
  constraint ledger_pkey PRIMARY KEY (file_id, chunk_key)
  constraint ledger_balance CHECK ((rows = ((((inserted + changed) + unchanged) + stale) + cardinality(need))))
  constraint ledger_retired_check CHECK ((retired >= 0))
  CREATE INDEX ledger_by_age ON public.ledger USING btree (settled_at)
  CREATE UNIQUE INDEX ledger_pkey ON public.ledger USING btree (file_id, chunk_key)
  CREATE TRIGGER ledger_stays BEFORE UPDATE ON public.ledger FOR EACH ROW EXECUTE FUNCTION public.keep_booked()

table public.listed_retirements
  column file_id bigint not null
  column n integer not null
  column natural_key text collate "C" not null
  column record_id bigint not null
  column version integer not null
  constraint listed_retirements_pkey PRIMARY KEY (file_id, n)
  constraint listed_retirements_file_id_fkey FOREIGN KEY (file_id) REFERENCES public.files(id) ON DELETE CASCADE
  constraint listed_retirements_n_check CHECK ((n > 0))
  CREATE UNIQUE INDEX listed_retirements_pkey ON public.listed_retirements USING btree (file_id, n)

table public.notifications
  column id bigint not null generated always as identity
  column key text not null
  column recipient text not null
  column customer_id integer not null
  column feed_id integer not null
  column file_id bigint
  column subject text not null
  column body_text text not null
  column body_html text not null
  column state text not null default 'waiting'::text
  column attempts integer not null default 0
  column claimed_at timestamp with time zone
  column sent_to text
  column error text
  column created_at timestamp with time zone not null default now()
  column sent_at timestamp with time zone
  column address text
  constraint notifications_pkey PRIMARY KEY (id)
  constraint notifications_key_key UNIQUE (key)
  constraint notifications_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customers(id)
  constraint notifications_feed_id_fkey FOREIGN KEY (feed_id) REFERENCES public.feeds(id)
  constraint notifications_file_id_fkey FOREIGN KEY (file_id) REFERENCES public.files(id) ON DELETE SET NULL
  constraint notifications_recipient_check CHECK ((recipient = ANY (ARRAY['operator'::text, 'contact'::text])))
  constraint notifications_sent CHECK (((state = 'sent'::text) = (sent_at IS NOT NULL)))
  constraint notifications_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'sent'::text, 'failed'::text])))
  CREATE UNIQUE INDEX notifications_key_key ON public.notifications USING btree (key)
  CREATE UNIQUE INDEX notifications_pkey ON public.notifications USING btree (id)
  CREATE INDEX notifications_waiting ON public.notifications USING btree (created_at) WHERE (state = 'waiting'::text)
  CREATE TRIGGER notifications_first_state BEFORE INSERT ON public.notifications FOR EACH ROW EXECUTE FUNCTION public.keep_to_moves('new>waiting')
  CREATE TRIGGER notifications_moves BEFORE UPDATE OF state ON public.notifications FOR EACH ROW WHEN ((old.state IS DISTINCT FROM new.state)) EXECUTE FUNCTION public.keep_to_moves('waiting>sent', 'waiting>failed', 'failed>sent')

table public.records
  column id bigint not null generated always as identity
  column order_key uuid not null
  column row_hash uuid not null
  column file_id bigint not null
  column first_seen_at timestamp with time zone not null default now()
  column updated_at timestamp with time zone not null default now()
  column customer_id integer not null
  column feed_id integer not null
  column line integer not null
  column version integer not null default 1
  column status text not null default 'active'::text
  column natural_key text collate "C" not null
  column data jsonb not null
  constraint records_pk PRIMARY KEY (customer_id, feed_id, natural_key) INCLUDE (row_hash, order_key, line, id)
  constraint records_status_check CHECK ((status = ANY (ARRAY['active'::text, 'retired'::text])))
  constraint records_version_check CHECK ((version > 0))
  CREATE UNIQUE INDEX records_pk ON public.records USING btree (customer_id, feed_id, natural_key) INCLUDE (row_hash, order_key, line, id)
  CREATE TRIGGER records_seal BEFORE UPDATE ON public.records FOR EACH ROW WHEN (((new.row_hash = old.row_hash) AND ((new.data IS DISTINCT FROM old.data) OR (new.status IS DISTINCT FROM old.status) OR (new.natural_key IS DISTINCT FROM old.natural_key)))) EXECUTE FUNCTION public.break_seal()

table public.rejects
  column file_id bigint not null
  column line integer not null
  column "position" integer not null
  column code text not null
  column column_name text
  column value text
  column sentence text not null
  column hint text not null
  column raw text not null
  column rule text
  column natural_key text collate "C"
  constraint rejects_pkey PRIMARY KEY (file_id, line, "position")
  constraint rejects_file_id_fkey FOREIGN KEY (file_id) REFERENCES public.files(id) ON DELETE CASCADE
  constraint rejects_line_check CHECK ((line > 0))
  CREATE UNIQUE INDEX rejects_pkey ON public.rejects USING btree (file_id, line, "position")

table public.replay_items
  column replay_id bigint not null
  column delivery_id text not null
  column customer text not null
  column feed text not null
  column lane text not null
  column as_of timestamp with time zone not null
  column received_at timestamp with time zone not null
  column raw_key text not null
  column raw_bytes bigint not null
  column state text not null
  column reason text
  column fresh boolean
  column sent_at timestamp with time zone
  column read_at timestamp with time zone
  column woken_at timestamp with time zone
  column wakes integer not null default 0
  column files integer
  column held integer
  column rejected integer
  column dead integer
  column accepted integer
  column inserted integer
  column changed integer
  column unchanged integer
  column stale integer
  column superseded integer
  column retired integer
  constraint replay_items_pkey PRIMARY KEY (replay_id, delivery_id)
  constraint replay_items_replay_id_fkey FOREIGN KEY (replay_id) REFERENCES public.replays(id) ON DELETE CASCADE
  constraint replay_items_delivery_id_check CHECK ((delivery_id ~ '^[0-9a-f]{32}$'::text))
  constraint replay_items_reason CHECK (((state = ANY (ARRAY['skipped'::text, 'failed'::text])) = (reason IS NOT NULL)))
  constraint replay_items_sent CHECK (((state = ANY (ARRAY['waiting'::text, 'skipped'::text])) OR (sent_at IS NOT NULL)))
  constraint replay_items_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'sent'::text, 'done'::text, 'skipped'::text, 'failed'::text])))
  CREATE UNIQUE INDEX replay_items_lane ON public.replay_items USING btree (lane) WHERE (state = 'sent'::text)
  CREATE INDEX replay_items_next ON public.replay_items USING btree (replay_id, lane, as_of, received_at, delivery_id) WHERE (state = 'waiting'::text)
  CREATE INDEX replay_items_open ON public.replay_items USING btree (delivery_id) WHERE (state = ANY (ARRAY['waiting'::text, 'sent'::text]))
  CREATE UNIQUE INDEX replay_items_pkey ON public.replay_items USING btree (replay_id, delivery_id)
  CREATE TRIGGER replay_items_first_state BEFORE INSERT ON public.replay_items FOR EACH ROW EXECUTE FUNCTION public.keep_to_moves('new>waiting', 'new>skipped')
  CREATE TRIGGER replay_items_moves BEFORE UPDATE OF state ON public.replay_items FOR EACH ROW WHEN ((old.state IS DISTINCT FROM new.state)) EXECUTE FUNCTION public.keep_to_moves('waiting>sent', 'waiting>skipped', 'sent>done', 'sent>failed', 'sent>skipped')

table public.replays
  column id bigint not null generated always as identity
  column state text not null default 'collecting'::text
  column customer text
  column feed text
  column since timestamp with time zone
  column raw_keys text[]
  column shadow boolean not null
  column profile integer
  column mapping integer
  column gate text not null
  column collected jsonb
  column lanes text[] not null default '{}'::text[]
  column failure jsonb
  column created_at timestamp with time zone not null default now()
  column created_by text not null
  column running_since timestamp with time zone
  column running_bytes bigint not null default 0
  column ended_at timestamp with time zone
  constraint replays_pkey PRIMARY KEY (id)
  constraint replays_ended CHECK (((state = ANY (ARRAY['done'::text, 'cancelled'::text, 'failed'::text])) = (ended_at IS NOT NULL)))
  constraint replays_failure CHECK (((state = 'failed'::text) = (failure IS NOT NULL)))
  constraint replays_gate_check CHECK ((gate = ANY (ARRAY['judge'::text, 'pass'::text])))
  constraint replays_scope CHECK (((feed IS NULL) OR (customer IS NOT NULL)))
  constraint replays_state_check CHECK ((state = ANY (ARRAY['collecting'::text, 'running'::text, 'paused'::text, 'done'::text, 'cancelled'::text, 'failed'::text])))
  constraint replays_versions CHECK ((((profile IS NULL) AND (mapping IS NULL)) OR (feed IS NOT NULL)))
  CREATE INDEX replays_open ON public.replays USING btree (id) WHERE (state = ANY (ARRAY['collecting'::text, 'running'::text, 'paused'::text]))
  CREATE UNIQUE INDEX replays_pkey ON public.replays USING btree (id)
  CREATE TRIGGER replays_first_state BEFORE INSERT ON public.replays FOR EACH ROW EXECUTE FUNCTION public.keep_to_moves('new>collecting')
  CREATE TRIGGER replays_moves BEFORE UPDATE OF state ON public.replays FOR EACH ROW WHEN ((old.state IS DISTINCT FROM new.state)) EXECUTE FUNCTION public.keep_to_moves('collecting>running', 'collecting>cancelled', 'collecting>failed', 'running>paused', 'running>done', 'running>cancelled', 'paused>running', 'paused>cancelled')

table public.restore_parts
  column restore_id bigint not null
  column n integer not null
  column file_id bigint not null
  column after_key text collate "C" not null
  column upto_key text collate "C"
  column sum bit(128) not null
  column rows integer not null
  column made_at timestamp with time zone
  constraint restore_parts_pkey PRIMARY KEY (restore_id, n)
  constraint restore_parts_file_id_key UNIQUE (file_id)
  constraint restore_parts_restore_id_fkey FOREIGN KEY (restore_id) REFERENCES public.restores(id)
  constraint restore_parts_n_check CHECK ((n > 0))
  constraint restore_parts_rows_check CHECK ((rows > 0))
  CREATE UNIQUE INDEX restore_parts_file_id_key ON public.restore_parts USING btree (file_id)
  CREATE UNIQUE INDEX restore_parts_pkey ON public.restore_parts USING btree (restore_id, n)

table public.restores
  column id bigint not null generated always as identity
  column request text not null
  column customer_id integer not null
  column feed_id integer not null
  column restore_to timestamp with time zone not null
  column said_at timestamp with time zone not null
  column as_of timestamp with time zone not null
  column asked_by text not null
  constraint restores_pkey PRIMARY KEY (id)
  constraint restores_feed_id_request_key UNIQUE (feed_id, request)
  constraint restores_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customers(id)
  constraint restores_feed_id_fkey FOREIGN KEY (feed_id) REFERENCES public.feeds(id)
  constraint restores_request_check CHECK ((request ~ '^[0-9a-f]{64}$'::text))
  CREATE INDEX restores_by_customer ON public.restores USING btree (customer_id, id DESC)
  CREATE UNIQUE INDEX restores_feed_id_request_key ON public.restores USING btree (feed_id, request)
  CREATE UNIQUE INDEX restores_pkey ON public.restores USING btree (id)

table public.schema_migrations
  column name text not null
  column sha256 text not null
  column applied_at timestamp with time zone
  constraint schema_migrations_pkey PRIMARY KEY (name)
  CREATE UNIQUE INDEX schema_migrations_pkey ON public.schema_migrations USING btree (name)

table public.seen
  column feed_id integer not null
  column order_key uuid not null
  column file_id bigint not null
  column chunk_key uuid not null
  column seen_at timestamp with time zone not null default now()
  column record_ids bigint[] not null
  constraint seen_pkey PRIMARY KEY (feed_id, order_key, file_id, chunk_key)
  CREATE INDEX seen_by_age ON public.seen USING btree (seen_at)
  CREATE UNIQUE INDEX seen_pkey ON public.seen USING btree (feed_id, order_key, file_id, chunk_key)

table public.strays
  column raw_key text not null
  column delivery_id text not null
  column customer text not null
  column found_at timestamp with time zone not null
  column wakes integer not null default 0
  column woken_at timestamp with time zone
  constraint strays_pkey PRIMARY KEY (raw_key)
  CREATE UNIQUE INDEX strays_pkey ON public.strays USING btree (raw_key)

-- views

view public.change_events as
 SELECT id,
    created_at,
    record_id,
    file_id,
    row_hash,
    customer_id,
    feed_id,
    line,
    version,
    kind,
    natural_key,
    before,
    after,
    md5(concat_ws('|'::text, customer_id, natural_key, file_id, row_hash))::uuid AS idempotency_key
   FROM public.changes c;

-- functions

CREATE OR REPLACE FUNCTION public.acquire_lease(p_file bigint, p_token uuid, p_seconds integer, p_earlier_seconds integer)
 RETURNS TABLE(outcome text, active_file bigint, file_state text, customer_id integer, feed_id integer, feed_mode text, adapter_version text, order_key uuid, accepted integer, plan_mode text, late boolean, chunks jsonb, cause text, merges boolean, gate jsonb, behind bigint)
 LANGUAGE plpgsql
AS $function$
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
END $function$

CREATE OR REPLACE FUNCTION public.activate_feed_version(p_feed integer, p_kind text, p_version integer, p_base text, p_data jsonb, p_by text, p_note text)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
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
END $function$

CREATE OR REPLACE FUNCTION public.add_feed_version(p_feed integer, p_kind text, p_base text, p_data jsonb, p_evidence jsonb, p_cases jsonb, p_file bigint, p_by text, p_note text)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
DECLARE
  v_version int;
BEGIN
  PERFORM 1 FROM feeds f WHERE f.id = p_feed FOR NO KEY UPDATE;
  SELECT coalesce(max(v.version), 0) + 1 INTO v_version FROM feed_versions v WHERE v.feed_id = p_feed AND v.kind = p_kind;
  INSERT INTO feed_versions (feed_id, kind, version, state, base, data, evidence, cases, file_id, created_by, note)
    VALUES (p_feed, p_kind, v_version, 'proposed', p_base, p_data, p_evidence, p_cases, p_file, p_by, p_note);
  RETURN v_version;
END $function$

CREATE OR REPLACE FUNCTION public.apply_chunk(p_file bigint, p_token uuid, p_keys text, p_lines integer[], p_hashes text, p_records text)
 RETURNS TABLE(outcome text, inserted integer, changed integer, unchanged integer, stale integer)
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_nestloop TO 'off'
 SET jit TO 'off'
AS $function$
#variable_conflict use_column
DECLARE
  v_feed     int;
  v_order    uuid;
  v_customer int;
  v_merges   boolean;
  v_chunk    uuid;
  v_keys     text[];
  v_low      text;
  v_high     text;
  v_hashes   uuid[];
  v_records  text[];
BEGIN
  IF starts_with(p_hashes, '{') THEN p_hashes := btrim(p_hashes, '{}'); END IF;
  v_chunk := chunk_digest('apply', p_keys, p_lines, p_hashes);
  SELECT x.feed_id, x.order_key, x.customer_id, x.merges INTO v_feed, v_order, v_customer, v_merges FROM files x WHERE x.id = p_file;
  PERFORM 1 FROM feeds f WHERE f.id = v_feed AND f.active_file_id = p_file AND f.lease_token = p_token FOR SHARE;
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'lease-lost', 0, 0, 0, 0;
    RETURN;
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended(v_chunk::text, p_file));
  RETURN QUERY SELECT 'replayed', l.inserted, l.changed, l.unchanged, l.stale
    FROM ledger l WHERE l.file_id = p_file AND l.chunk_key = v_chunk;
  IF FOUND THEN RETURN; END IF;

  v_keys := chunk_keys(p_keys, p_lines, p_hashes);
  v_low := v_keys[1];
  v_high := v_keys[cardinality(v_keys)];
  v_hashes := string_to_array(p_hashes, ',')::uuid[];
  v_records := string_to_array(p_records, E'\n');
  IF cardinality(v_records) <> cardinality(v_keys) THEN
    RAISE EXCEPTION 'chunk of % keys, % records', cardinality(v_keys), cardinality(v_records) USING ERRCODE = 'array_subscript_error';
  END IF;

  RETURN QUERY
  WITH cur AS MATERIALIZED (   -- one index-only probe per key, but none for a key where the feed has no record far and wide
    SELECT i.k, i.n, i.h, i.d, r.id, r.row_hash, (r.order_key, r.line) <= (v_order, i.n) AS open
    FROM (SELECT unnest(v_keys) AS k, unnest(p_lines) AS n, unnest(v_hashes) AS h, unnest(v_records) AS d) i
    LEFT JOIN LATERAL (SELECT x.id, x.row_hash, x.order_key, x.line FROM records x
      WHERE x.customer_id = v_customer AND x.feed_id = v_feed AND x.natural_key = i.k
        AND NOT (i.k COLLATE "C" BETWEEN v_low AND v_high AND NOT EXISTS (SELECT FROM records y
          WHERE y.customer_id = v_customer AND y.feed_id = v_feed AND y.natural_key BETWEEN v_low AND v_high))
      LIMIT 1) r ON true),
  newer AS MATERIALIZED (      -- empty unless this file is late: records that a newer file has confirmed without a write
    SELECT DISTINCT u.id FROM seen s CROSS JOIN LATERAL unnest(s.record_ids) AS u(id)
    WHERE s.feed_id = v_feed AND s.order_key > v_order AND u.id IN (SELECT c.id FROM cur c WHERE c.h <> c.row_hash)),
  differs AS MATERIALIZED (    -- what may be written; of a merging file only what adds something
    SELECT c.k, c.n, c.h, c.d FROM cur c
    WHERE c.h <> c.row_hash AND c.open AND NOT EXISTS (SELECT 1 FROM newer w WHERE w.id = c.id)),
  kept AS MATERIALIZED (
    SELECT d.k FROM differs d CROSS JOIN LATERAL (
      SELECT FROM records x WHERE x.customer_id = v_customer AND x.feed_id = v_feed AND x.natural_key = d.k
        AND x.status = 'active' AND x.data || statement_of(d.d::jsonb) = x.data LIMIT 1) b
    WHERE v_merges),
  old AS MATERIALIZED (        -- lock the rows to change, ask the guard again of their latest version, keep the before image
    SELECT d.k, d.n, d.h, CASE WHEN v_merges THEN b.data || statement_of(d.d::jsonb) ELSE d.d::jsonb END AS d, b.data, b.status
    FROM differs d CROSS JOIN LATERAL (
      SELECT x.data, x.status FROM records x WHERE x.customer_id = v_customer AND x.feed_id = v_feed AND x.natural_key = d.k
        AND x.row_hash <> d.h AND (x.order_key, x.line) <= (v_order, d.n) LIMIT 1 FOR NO KEY UPDATE) b
    WHERE NOT v_merges OR NOT EXISTS (SELECT 1 FROM kept k WHERE k.k = d.k)),
  ins AS (
    INSERT INTO records (customer_id, feed_id, natural_key, row_hash, data, order_key, line, file_id)
    SELECT v_customer, v_feed, c.k, c.h, CASE WHEN v_merges THEN statement_of(c.d::jsonb) ELSE c.d::jsonb END, v_order, c.n, p_file
    FROM cur c WHERE c.id IS NULL
    RETURNING id, natural_key, row_hash, line, data),
  upd AS (                     -- the arbiter index instead of UPDATE … FROM: no join with the big table to be planned wrong
    INSERT INTO records AS r (customer_id, feed_id, natural_key, row_hash, data, order_key, line, file_id)
    SELECT v_customer, v_feed, o.k, o.h, o.d, v_order, o.n, p_file FROM old o
    ON CONFLICT (customer_id, feed_id, natural_key) DO UPDATE SET row_hash = excluded.row_hash, data = excluded.data,
      order_key = excluded.order_key, line = excluded.line, file_id = excluded.file_id, status = 'active',
      version = r.version + 1, updated_at = now()
    RETURNING r.id, r.natural_key, r.version, r.row_hash, r.line, r.data),
  event AS (
    INSERT INTO changes (record_id, customer_id, feed_id, file_id, line, version, kind, row_hash, natural_key, before, after)
    SELECT i.id, v_customer, v_feed, p_file, i.line, 1, 'inserted', i.row_hash, i.natural_key, NULL, i.data FROM ins i
    UNION ALL
    SELECT u.id, v_customer, v_feed, p_file, u.line, u.version,
      CASE o.status WHEN 'retired' THEN 'restored' ELSE 'changed' END::change_kind, u.row_hash, u.natural_key, o.data, u.data
    FROM upd u JOIN old o ON o.k = u.natural_key),
  total AS (
    SELECT a.rows, i.inserted, u.changed, a.same + k.kept AS unchanged,
      a.rows - a.same - k.kept - i.inserted - u.changed AS stale, coalesce(a.ids, '{}') || coalesce(i.ids, '{}') AS ids
    FROM (SELECT count(*)::int AS rows, (count(*) FILTER (WHERE c.h = c.row_hash))::int AS same,
            array_agg(c.id) FILTER (WHERE c.id IS NOT NULL) AS ids FROM cur c) a,
         (SELECT count(*)::int AS kept FROM kept) k,
         (SELECT count(*)::int AS inserted, array_agg(i.id) AS ids FROM ins i) i,
         (SELECT count(*)::int AS changed FROM upd) u),
  touched AS (
    INSERT INTO seen (feed_id, order_key, file_id, chunk_key, record_ids)
    SELECT v_feed, v_order, p_file, v_chunk, t.ids FROM total t WHERE t.ids <> '{}'),
  booked AS (
    INSERT INTO ledger (file_id, chunk_key, rows, inserted, changed, unchanged, stale)
    SELECT p_file, v_chunk, t.rows, t.inserted, t.changed, t.unchanged, t.stale FROM total t
    RETURNING inserted, changed, unchanged, stale)
  SELECT 'applied', b.inserted, b.changed, b.unchanged, b.stale FROM booked b;
END $function$

CREATE OR REPLACE FUNCTION public.begin_healing(p_report bigint)
 RETURNS TABLE(file bigint, attempt integer)
 LANGUAGE plpgsql
AS $function$
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
END $function$

CREATE OR REPLACE FUNCTION public.break_seal()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  NEW.row_hash := CASE NEW.status WHEN 'retired' THEN '00000000-0000-0000-0000-000000000000'
    ELSE 'ffffffff-ffff-ffff-ffff-ffffffffffff' END;
  RETURN NEW;
END $function$

CREATE OR REPLACE FUNCTION public.break_seals(p_customer integer, p_feed integer, p_seals jsonb)
 RETURNS integer
 LANGUAGE sql
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
  WITH broken AS (
    UPDATE records r SET row_hash = 'ffffffff-ffff-ffff-ffff-ffffffffffff'
    FROM (SELECT e->>0 AS k, (e->>1)::uuid AS h FROM jsonb_array_elements(p_seals) AS e) i
    WHERE r.customer_id = p_customer AND r.feed_id = p_feed AND r.natural_key = i.k AND r.row_hash = i.h
      AND r.status = 'active'
    RETURNING r.id)
  SELECT count(*)::int FROM broken
$function$

CREATE OR REPLACE FUNCTION public.bucket_rows(p_customer integer, p_feed integer, p_bits integer, p_fields text[], p_mask text)
 RETURNS TABLE(keys text, digests text)
 LANGUAGE plpgsql
 STABLE
 SET enable_seqscan TO 'off'
 SET jit TO 'off'
AS $function$
BEGIN
  RETURN QUERY EXECUTE format($q$
    SELECT coalesce(json_agg(natural_key)::text, '[]'), coalesce(string_agg(encode(int8send(%s), 'hex'), ','), '')
    FROM records
    WHERE customer_id = $1 AND feed_id = $2 AND row_hash <> '00000000-0000-0000-0000-000000000000'
      AND get_bit($3, (hashtextextended(natural_key, 0) & ((1 << $4) - 1))::int) = 1
    $q$, row_digest(p_fields)) USING p_customer, p_feed, decode(p_mask, 'hex'), p_bits;
END $function$

CREATE OR REPLACE FUNCTION public.chunk_digest(p_stage text, p_keys text, p_lines integer[], p_hashes text)
 RETURNS uuid
 LANGUAGE sql
 STABLE
AS $function$
  SELECT md5(p_stage || md5(p_keys) || md5(array_send(p_lines)) || md5(p_hashes))::uuid
$function$

CREATE OR REPLACE FUNCTION public.chunk_keys(p_keys text, p_lines integer[], p_hashes text)
 RETURNS text[]
 LANGUAGE plpgsql
 STABLE
AS $function$
DECLARE
  v_keys text[] := string_to_array(p_keys, E'\n');
BEGIN
  IF cardinality(v_keys) <> cardinality(p_lines) OR cardinality(v_keys) * 33 - 1 <> octet_length(p_hashes) THEN
    RAISE EXCEPTION 'chunk of % keys, % lines, % bytes of hashes', cardinality(v_keys), cardinality(p_lines), octet_length(p_hashes)
      USING ERRCODE = 'array_subscript_error';
  END IF;
  RETURN v_keys;
END $function$

CREATE OR REPLACE FUNCTION public.chunk_walk(p_customer integer, p_feed integer, p_keys text[], OUT low text, OUT high text)
 RETURNS record
 LANGUAGE plpgsql
 STABLE
AS $function$
DECLARE
  v_last   int := cardinality(p_keys);
  v_sample int := (v_last + 15) / 16;
  v_beyond text;
BEGIN
  FOR i IN 1 .. 8 LOOP
    IF p_keys[1 + (v_last - 1) * (i - 1) / 8] COLLATE "C" > p_keys[1 + (v_last - 1) * i / 8] THEN RETURN; END IF;
  END LOOP;
  SELECT x.natural_key INTO v_beyond FROM records x
    WHERE x.customer_id = p_customer AND x.feed_id = p_feed AND x.natural_key >= p_keys[1]
    ORDER BY x.natural_key OFFSET 3 * v_sample LIMIT 1;
  IF FOUND AND v_beyond COLLATE "C" < p_keys[v_sample] THEN RETURN; END IF;
  low := p_keys[1];
  high := p_keys[v_last];
END $function$

CREATE OR REPLACE FUNCTION public.close_drift_report(p_report bigint, p_state text, p_numbers jsonb, p_rows jsonb)
 RETURNS TABLE(closed boolean, state text)
 LANGUAGE plpgsql
AS $function$
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
END $function$

CREATE OR REPLACE FUNCTION public.close_file(p_file bigint, p_token uuid, p_superseded integer, p_plan jsonb, p_overtaken jsonb)
 RETURNS TABLE(outcome text, accepted integer, inserted integer, changed integer, unchanged integer, stale integer, superseded integer)
 LANGUAGE plpgsql
AS $function$
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
END $function$

CREATE OR REPLACE FUNCTION public.decide_alone(p_feed integer)
 RETURNS void
 LANGUAGE sql
AS $function$
  SELECT pg_advisory_xact_lock(hashtext('duplicates of a feed'), p_feed)
$function$

CREATE OR REPLACE FUNCTION public.decide_drift(p_report bigint, p_from text[], p_to text, p_by text, p_note text, p_failure jsonb)
 RETURNS text
 LANGUAGE plpgsql
AS $function$
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
END $function$

CREATE OR REPLACE FUNCTION public.decide_hold(p_file bigint, p_nonce text, p_decision text, p_by text, p_failure jsonb)
 RETURNS TABLE(outcome text, decision text, decided_by text, decided_at timestamp with time zone, wake bigint[])
 LANGUAGE plpgsql
AS $function$
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
END $function$

CREATE OR REPLACE FUNCTION public.drop_change_partition(p_before date)
 RETURNS text
 LANGUAGE plpgsql
 SET lock_timeout TO '2s'
AS $function$
DECLARE
  v_name text;
BEGIN
  SELECT c.relname INTO v_name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'changes'::regclass AND c.relname ~ '^changes_[0-9]{8}$' AND to_date(right(c.relname, 8), 'YYYYMMDD') < p_before
    ORDER BY c.relname LIMIT 1;
  IF v_name IS NOT NULL THEN
    EXECUTE format('DROP TABLE %I', v_name);
    INSERT INTO forgotten AS f (what, upto)
      VALUES ('changes', (to_date(right(v_name, 8), 'YYYYMMDD') + 1)::timestamp AT TIME ZONE 'UTC')
      ON CONFLICT (what) DO UPDATE SET upto = greatest(f.upto, excluded.upto);
  END IF;
  RETURN v_name;
END $function$

CREATE OR REPLACE FUNCTION public.end_comparison(p_file bigint, p_comparison jsonb)
 RETURNS text
 LANGUAGE plpgsql
AS $function$
DECLARE
  v_state text;
BEGIN
  UPDATE files x SET state = 'compared', comparison = p_comparison, applied_at = NULL, updated_at = now()
    WHERE x.id = p_file AND x.state = 'parsed';
  DELETE FROM ledger l USING files x WHERE x.id = p_file AND x.compare_only AND x.state = 'compared' AND l.file_id = p_file;
  SELECT x.state INTO v_state FROM files x WHERE x.id = p_file;
  RETURN v_state;
END $function$

CREATE OR REPLACE FUNCTION public.end_healing(p_report bigint, p_attempt integer, p_chunks jsonb, p_accepted integer, p_merges boolean, p_from integer)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
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
END $function$

CREATE OR REPLACE FUNCTION public.ensure_change_partitions(p_from date, p_days integer)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
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
END $function$

CREATE OR REPLACE FUNCTION public.file_is_late(p_file bigint)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  SELECT coalesce(x.order_key < f.forgotten_to, false) OR (f.mode <> 'delta' AND EXISTS (
    SELECT 1 FROM files n WHERE n.feed_id = x.feed_id AND n.order_key > x.order_key AND n.state = 'applied' AND n.complete))
  FROM files x JOIN feeds f ON f.id = x.feed_id WHERE x.id = p_file
$function$

CREATE OR REPLACE FUNCTION public.file_repeated(p_file bigint, p_order uuid, p_content text, p_version text, p_sequence bigint, p_window_seconds double precision)
 RETURNS bigint
 LANGUAGE sql
 STABLE
AS $function$
  SELECT o.id FROM files f CROSS JOIN LATERAL (
    (SELECT x.* FROM files x WHERE x.feed_id = f.feed_id AND x.id <> f.id AND x.cause = 'delivery' AND x.order_key <= p_order
       AND x.state IN ('parsed', 'applying', 'applied', 'duplicate') ORDER BY x.order_key DESC LIMIT 1)
    UNION ALL
    (SELECT x.* FROM files x WHERE x.feed_id = f.feed_id AND x.id <> f.id AND x.cause = 'delivery' AND x.order_key > p_order
       AND x.state IN ('parsed', 'applying', 'applied', 'duplicate') ORDER BY x.order_key LIMIT 1)) n
  JOIN files o ON o.id = coalesce(n.duplicate_of, n.id)
  WHERE f.id = p_file AND n.content_sha256 = p_content AND n.adapter_version = p_version
    AND n.sequence IS NOT DISTINCT FROM p_sequence
    AND (p_sequence IS NOT NULL OR abs(extract(epoch FROM f.received_at - o.received_at)) <= p_window_seconds)
    AND NOT EXISTS (SELECT FROM files r WHERE r.feed_id = f.feed_id AND r.cause IN ('restore', 'reconcile')
      AND r.state IN ('parsed', 'applying', 'applied')
      AND r.order_key BETWEEN least(n.order_key, p_order) AND greatest(n.order_key, p_order))
  ORDER BY n.order_key LIMIT 1
$function$

CREATE OR REPLACE FUNCTION public.forget_seen(p_before timestamp with time zone, p_limit integer)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
DECLARE
  v_feed  int;
  v_to    uuid;
  v_here  int;
  v_total int := 0;
BEGIN
  FOR v_feed IN
    SELECT o.feed_id FROM (
      SELECT s.feed_id FROM seen s JOIN files x ON x.id = s.file_id
      WHERE s.seen_at < p_before AND has_ended(x.state, x.failure)
        AND NOT EXISTS (SELECT 1 FROM files a WHERE a.feed_id = s.feed_id AND a.state = 'applying')
      ORDER BY s.seen_at LIMIT p_limit) o
    GROUP BY o.feed_id ORDER BY o.feed_id
  LOOP
    EXIT WHEN v_total >= p_limit;
    PERFORM 1 FROM feeds f WHERE f.id = v_feed FOR NO KEY UPDATE SKIP LOCKED;
    CONTINUE WHEN NOT FOUND OR EXISTS (SELECT 1 FROM files a WHERE a.feed_id = v_feed AND a.state = 'applying');
    WITH old AS (
      SELECT s.feed_id, s.order_key, s.file_id, s.chunk_key FROM seen s JOIN files x ON x.id = s.file_id
      WHERE s.feed_id = v_feed AND s.seen_at < p_before AND has_ended(x.state, x.failure)
      ORDER BY s.seen_at LIMIT p_limit - v_total),
    gone AS (
      DELETE FROM seen s USING old o
      WHERE s.feed_id = o.feed_id AND s.order_key = o.order_key AND s.file_id = o.file_id AND s.chunk_key = o.chunk_key
      RETURNING s.order_key)
    SELECT (array_agg(g.order_key ORDER BY g.order_key DESC))[1], count(*)::int INTO v_to, v_here FROM gone g;
    UPDATE feeds f SET forgotten_to = v_to WHERE f.id = v_feed AND v_to IS NOT NULL AND (f.forgotten_to IS NULL OR f.forgotten_to < v_to);
    v_total := v_total + v_here;
  END LOOP;
  RETURN v_total;
END $function$

CREATE OR REPLACE FUNCTION public.forget_trouble()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  NEW.last_failure := NULL;
  NEW.next_attempt_at := NULL;
  RETURN NEW;
END $function$

CREATE OR REPLACE FUNCTION public.forget_wakes()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  NEW.wakes := 0;
  NEW.woken_at := NULL;
  RETURN NEW;
END $function$

CREATE OR REPLACE FUNCTION public.free_waiting(p_feed integer)
 RETURNS bigint[]
 LANGUAGE sql
AS $function$
  WITH freed AS (
    UPDATE files x SET state = 'parsed', failure = NULL, updated_at = now()
    WHERE x.feed_id = p_feed AND x.state = 'held' AND x.failure->>'code' = 'behind-held-file' RETURNING x.id, x.order_key)
  SELECT coalesce(array_agg(f.id ORDER BY f.order_key), '{}') FROM freed f
$function$

CREATE OR REPLACE FUNCTION public.has_ended(p_state text, p_failure jsonb)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
AS $function$
  SELECT p_state IN ('applied', 'compared', 'rejected', 'duplicate') OR (p_state = 'dead' AND p_failure ->> 'code' = 'discarded-by-operator')
$function$

CREATE OR REPLACE FUNCTION public.heal_report()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  WITH healed AS (
    UPDATE drift_reports d SET state = 'healed', healed_at = now()
    WHERE d.healing_file_id = NEW.id AND d.state IN ('healing', 'released') RETURNING d.id)
  INSERT INTO audit_log (actor, action, subject, detail)
    SELECT 'mailfeed', 'drift-healed', 'drift report ' || h.id, jsonb_build_object('file', NEW.id) FROM healed h;
  RETURN NULL;
END $function$

CREATE OR REPLACE FUNCTION public.history_from(p_feed integer)
 RETURNS timestamp with time zone
 LANGUAGE sql
 STABLE
AS $function$
  SELECT greatest(f.created_at, (SELECT g.upto FROM forgotten g WHERE g.what = 'changes')) FROM feeds f WHERE f.id = p_feed
$function$

CREATE OR REPLACE FUNCTION public.hold_behind(p_file bigint, p_token uuid, p_behind bigint, p_failure jsonb)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
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
END $function$

CREATE OR REPLACE FUNCTION public.hold_by_gate(p_file bigint, p_token uuid, p_failure jsonb, p_plan jsonb, p_hold jsonb, p_mails jsonb)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
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
END $function$

CREATE OR REPLACE FUNCTION public.hold_file(p_file bigint, p_token uuid, p_failure jsonb, p_plan jsonb)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
BEGIN
  IF release_lease(p_file, p_token) THEN
    UPDATE files x SET state = 'held', failure = p_failure, plan = p_plan, updated_at = now()
      WHERE x.id = p_file AND x.state = 'applying';
  END IF;
  RETURN EXISTS (SELECT 1 FROM files x WHERE x.id = p_file AND x.state = 'held');
END $function$

CREATE OR REPLACE FUNCTION public.hold_restore(p_file bigint, p_token uuid, p_failure jsonb)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
BEGIN
  IF release_lease(p_file, p_token) THEN
    UPDATE files x SET state = 'held', failure = p_failure, books_of = NULL, plan_mode = NULL, updated_at = now()
      WHERE x.id = p_file AND x.state = 'applying';
    IF FOUND THEN
      DELETE FROM ledger l WHERE l.file_id = p_file;
      DELETE FROM seen s USING files x WHERE x.id = p_file AND s.feed_id = x.feed_id AND s.file_id = p_file;
    END IF;
  END IF;
  RETURN EXISTS (SELECT 1 FROM files x WHERE x.id = p_file AND x.state = 'held');
END $function$

CREATE OR REPLACE FUNCTION public.keep_booked()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  RAISE EXCEPTION 'the ledger is only added to' USING ERRCODE = 'MF001', TABLE = TG_TABLE_NAME,
    DETAIL = jsonb_build_object('what', TG_TABLE_NAME, 'id', OLD.chunk_key, 'from', 'booked', 'to', 'changed')::text;
END $function$

CREATE OR REPLACE FUNCTION public.keep_to_moves()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
DECLARE
  v_from text := 'new';
BEGIN
  IF TG_OP = 'UPDATE' THEN v_from := OLD.state; END IF;
  IF v_from || '>' || NEW.state = ANY (TG_ARGV) THEN RETURN NEW; END IF;
  RAISE EXCEPTION '% cannot go from % to %', TG_TABLE_NAME, v_from, NEW.state
    USING ERRCODE = 'MF001', TABLE = TG_TABLE_NAME,
      DETAIL = jsonb_build_object('what', TG_TABLE_NAME, 'id', to_jsonb(NEW) ->> 'id', 'from', v_from, 'to', NEW.state)::text;
END $function$

CREATE OR REPLACE FUNCTION public.make_restore_part(p_restore bigint, p_n integer, p_file bigint, p_delivery jsonb, p_made jsonb, p_gone jsonb)
 RETURNS text
 LANGUAGE plpgsql
AS $function$
DECLARE
  v_part    restore_parts%ROWTYPE;
  v_restore restores%ROWTYPE;
  v_gone    int := jsonb_array_length(p_gone);
BEGIN
  SELECT * INTO v_part FROM restore_parts p WHERE p.restore_id = p_restore AND p.n = p_n FOR NO KEY UPDATE;
  IF v_part.made_at IS NOT NULL OR v_part.file_id <> p_file THEN RETURN 'already'; END IF;
  IF EXISTS (SELECT FROM deliveries d WHERE d.id = p_delivery->>'id') THEN
    UPDATE restore_parts p SET file_id = nextval(pg_get_serial_sequence('files', 'id')) WHERE p.restore_id = p_restore AND p.n = p_n;
    RETURN 'again';
  END IF;
  SELECT * INTO v_restore FROM restores r WHERE r.id = p_restore;
  INSERT INTO deliveries (id, customer_id, feed_id, door, state, raw_key, raw_bytes, raw_sha256, sender, sender_proof, subject,
      message_id, received_at, payloads)
    VALUES (p_delivery->>'id', v_restore.customer_id, v_restore.feed_id, 'restore', 'parsing', p_delivery->>'rawKey',
      (p_delivery->>'bytes')::bigint, p_delivery->>'sha256', v_restore.asked_by, 'operator', p_delivery->>'subject', v_restore.request,
      v_restore.said_at, jsonb_build_array(jsonb_build_object('path', p_made->>'path', 'format', 'ndjson', 'role', 'attachment', 'taken', true)));
  INSERT INTO files (id, delivery_id, position, customer_id, feed_id, path, content_type, bytes, content_sha256, state, cause, complete,
      adapter_version, as_of, as_of_source, order_key, chunks, lines, header_lines, preamble_lines, footer_lines, blank_lines,
      continuation_lines, accepted, rejected, ends_with_newline, received_at)
    OVERRIDING SYSTEM VALUE
    SELECT p_file, p_delivery->>'id', 0, v_restore.customer_id, v_restore.feed_id, p_made->>'path', 'application/x-ndjson',
      (p_delivery->>'bytes')::bigint, p_delivery->>'sha256', 'parsing', 'restore', false, p_made->>'adapterVersion', v_restore.as_of,
      'restore', (p_made->>'orderKey')::uuid, p_made->'chunks', 1 + m.accepted + v_gone, 1, 0, v_gone, 0, 0, m.accepted, 0, true,
      v_restore.said_at
    FROM (SELECT (p_made->>'accepted')::int AS accepted) m;
  INSERT INTO listed_retirements (file_id, n, natural_key, record_id, version)
    SELECT p_file, row_number() OVER (), g.key, g.id, g.version FROM jsonb_to_recordset(p_gone) AS g(key text, id bigint, version int);
  UPDATE restore_parts p SET made_at = now() WHERE p.restore_id = p_restore AND p.n = p_n;
  UPDATE files x SET state = 'parsed', parsed_at = now(), updated_at = now() WHERE x.id = p_file;
  UPDATE deliveries d SET state = 'parsed', updated_at = now() WHERE d.id = p_delivery->>'id';
  RETURN 'made';
END $function$

CREATE OR REPLACE FUNCTION public.missing_of(p_file bigint, p_after text, p_limit integer, OUT keys text[])
 RETURNS text[]
 LANGUAGE plpgsql
 STABLE
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_nestloop TO 'off'
 SET enable_mergejoin TO 'off'
 SET jit TO 'off'
 SET work_mem TO '64MB'
AS $function$
DECLARE
  v_file files%ROWTYPE;
BEGIN
  SELECT * INTO v_file FROM files x WHERE x.id = p_file;
  SELECT coalesce(array_agg(m.natural_key ORDER BY m.natural_key), '{}') INTO keys FROM (
    SELECT x.natural_key FROM records x
    WHERE x.customer_id = v_file.customer_id AND x.feed_id = v_file.feed_id AND x.natural_key > coalesce(p_after, '')
      AND x.row_hash <> '00000000-0000-0000-0000-000000000000' AND x.order_key <= v_file.order_key
      AND NOT EXISTS (SELECT FROM (
        SELECT unnest(s.record_ids) AS id FROM seen s WHERE s.feed_id = v_file.feed_id
          AND s.order_key >= v_file.order_key AND (s.order_key, s.file_id) >= (v_file.order_key, p_file)
        UNION ALL
        SELECT unnest(l.known) FROM ledger l WHERE l.file_id = p_file
        UNION ALL
        SELECT r.id FROM rejects j CROSS JOIN LATERAL (SELECT y.id FROM records y
          WHERE y.customer_id = v_file.customer_id AND y.feed_id = v_file.feed_id AND y.natural_key = j.natural_key LIMIT 1) r
        WHERE j.file_id = p_file AND j.position = 0) said WHERE said.id = x.id)
    ORDER BY x.natural_key LIMIT p_limit) m;
END $function$

CREATE OR REPLACE FUNCTION public.missing_records(p_file bigint, p_sample integer)
 RETURNS TABLE(active integer, missing integer, retired integer, bar text, sample jsonb)
 LANGUAGE plpgsql
 STABLE
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET jit TO 'off'
AS $function$
#variable_conflict use_column
DECLARE
  v_customer int;
  v_feed     int;
  v_keys     text[];
BEGIN
  SELECT x.customer_id, x.feed_id INTO v_customer, v_feed FROM files x WHERE x.id = p_file;
  IF NOT FOUND THEN RETURN; END IF;
  bar := retirement_bar(p_file);
  SELECT count(*)::int INTO active FROM records r
    WHERE r.customer_id = v_customer AND r.feed_id = v_feed AND r.row_hash <> '00000000-0000-0000-0000-000000000000';
  SELECT coalesce(sum(l.retired), 0)::int INTO retired FROM ledger l WHERE l.file_id = p_file;
  v_keys := CASE WHEN bar IS DISTINCT FROM 'not-full' THEN missing_of(p_file, NULL, NULL) ELSE '{}' END;
  missing := cardinality(v_keys);
  SELECT coalesce(jsonb_agg(jsonb_build_object('key', r.natural_key, 'before', r.data) ORDER BY r.natural_key), '[]') INTO sample
  FROM (SELECT DISTINCT v_keys[1 + (i::bigint * missing / least(p_sample, missing))::int] AS k
        FROM generate_series(0, least(p_sample, missing) - 1) i) s
  CROSS JOIN LATERAL (SELECT x.natural_key, x.data FROM records x
    WHERE x.customer_id = v_customer AND x.feed_id = v_feed AND x.natural_key = s.k LIMIT 1) r;
  RETURN NEXT;
END $function$

CREATE OR REPLACE FUNCTION public.open_drift_report(p_file bigint, p_feed integer, p_limits jsonb, p_fields text[], p_run integer)
 RETURNS TABLE(report bigint, state text, records integer)
 LANGUAGE plpgsql
AS $function$
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
END $function$

CREATE OR REPLACE FUNCTION public.order_restore(p_request text, p_to timestamp with time zone, p_feeds jsonb, p_now timestamp with time zone, p_by text, p_subject text, p_detail jsonb)
 RETURNS void
 LANGUAGE sql
AS $function$
  WITH ordered AS (
    INSERT INTO restores (request, customer_id, feed_id, restore_to, said_at, as_of, asked_by)
    SELECT p_request, f.customer_id, f.id, p_to, p_now,
      greatest(p_now, (SELECT to_timestamp((('x' || left(replace(x.order_key::text, '-', ''), 12))::bit(48)::bigint + 1) / 1000.0)
        FROM files x WHERE x.feed_id = f.id AND x.state IN ('applying', 'applied') ORDER BY x.order_key DESC LIMIT 1)), p_by
    FROM jsonb_to_recordset(p_feeds) AS o("feedId" int) JOIN feeds f ON f.id = o."feedId"
    ON CONFLICT (feed_id, request) DO NOTHING
    RETURNING id, feed_id),
  parts AS (
    INSERT INTO restore_parts (restore_id, n, file_id, after_key, upto_key, sum, rows)
    SELECT r.id, p.n, nextval(pg_get_serial_sequence('files', 'id')), p.after, p.upto, p.sum::bit(128), p.rows
    FROM jsonb_to_recordset(p_feeds) AS o("feedId" int, parts jsonb) JOIN ordered r ON r.feed_id = o."feedId"
    CROSS JOIN LATERAL jsonb_to_recordset(o.parts) AS p(n int, after text, upto text, sum text, rows int))
  INSERT INTO audit_log (actor, action, subject, detail)
  SELECT p_by, 'restore', p_subject, p_detail WHERE EXISTS (SELECT FROM ordered)
$function$

CREATE OR REPLACE FUNCTION public.overtake_holds(p_file bigint, p_failure jsonb)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
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
END $function$

CREATE OR REPLACE FUNCTION public.pass_gate(p_file bigint, p_token uuid, p_gate jsonb, p_records integer)
 RETURNS jsonb
 LANGUAGE plpgsql
AS $function$
DECLARE
  v_gate jsonb;
BEGIN
  PERFORM 1 FROM feeds f WHERE f.id = (SELECT x.feed_id FROM files x WHERE x.id = p_file)
    AND f.active_file_id = p_file AND f.lease_token = p_token FOR SHARE;
  IF NOT FOUND THEN RETURN NULL; END IF;
  UPDATE files x SET gate = coalesce(x.gate, p_gate), records_before = coalesce(x.records_before, p_records)
    WHERE x.id = p_file RETURNING x.gate INTO v_gate;
  RETURN v_gate;
END $function$

CREATE OR REPLACE FUNCTION public.pin_feed_version(p_feed integer, p_kind text, p_base text, p_data jsonb, p_file bigint, p_by text)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
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
END $function$

CREATE OR REPLACE FUNCTION public.plan_chunk(p_file bigint, p_token uuid, p_keys text, p_lines integer[], p_hashes text)
 RETURNS TABLE(outcome text, inserted integer, changed integer, unchanged integer, stale integer, need integer[])
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_nestloop TO 'off'
 SET jit TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
#variable_conflict use_column
DECLARE
  v_feed     int;
  v_order    uuid;
  v_customer int;
  v_chunk    uuid;
  v_keys     text[];
  v_rows     int;
  v_hashes   bytea;
  v_low      text;
  v_high     text;
  v_missed   text[];     -- keys that the walk did not meet, and their places in the chunk
  v_places   int[];
  v_lines    int[];      -- of the rows that differ: their lines, records, and whether this file comes after what is stored
  v_ids      bigint[];
  v_open     boolean[];
  v_seen     bigint[];
  v_stale    bigint[];
  v_known    bigint[];   -- of the rows that differ, the records that are there
  v_alone    boolean;    -- only compared
  v_noted    boolean;    -- which records they are is kept
BEGIN
  IF starts_with(p_hashes, '{') THEN p_hashes := btrim(p_hashes, '{}'); END IF;
  SELECT x.feed_id, x.order_key, x.customer_id, x.compare_only INTO v_feed, v_order, v_customer, v_alone FROM files x WHERE x.id = p_file;
  IF p_token IS NOT NULL THEN
    PERFORM 1 FROM feeds f WHERE f.id = v_feed AND f.active_file_id = p_file AND f.lease_token = p_token FOR SHARE;
    IF NOT FOUND THEN
      RETURN QUERY SELECT 'lease-lost', 0, 0, 0, 0, '{}'::int[];
      RETURN;
    END IF;
  END IF;
  IF p_token IS NOT NULL OR v_alone THEN
    v_chunk := chunk_digest('plan', p_keys, p_lines, p_hashes);
    -- The same question asked twice at once: the second waits here, then finds the row. A collision only waits.
    PERFORM pg_advisory_xact_lock(hashtextextended(v_chunk::text, p_file));
    RETURN QUERY SELECT 'replayed', l.need_new, cardinality(l.need) - l.need_new, l.unchanged, l.stale, l.need
      FROM ledger l WHERE l.file_id = p_file AND l.chunk_key = v_chunk;
    IF FOUND THEN RETURN; END IF;
  END IF;

  v_keys := string_to_array(p_keys, E'\n');   -- as chunk_keys does, without handing 10,000 keys from function to function
  v_rows := cardinality(v_keys);
  IF v_rows <> cardinality(p_lines) OR v_rows * 33 - 1 <> octet_length(p_hashes) THEN PERFORM chunk_keys(p_keys, p_lines, p_hashes); END IF;
  v_hashes := decode(replace(p_hashes, ',', ''), 'hex');
  SELECT w.low, w.high INTO v_low, v_high FROM chunk_walk(v_customer, v_feed, v_keys) w;
  unchanged := 0;
  v_noted := p_token IS NOT NULL OR v_alone;
  -- Walk first: LIMIT bounds what it costs, and keeps the planner from turning it into something else. Then an index-only probe
  -- for each key that it did not meet: none of most chunks, and all of them where there is no walk.
  IF v_low IS NULL THEN
    v_missed := v_keys;
    v_places := ARRAY(SELECT generate_series(1, v_rows));
  ELSE
    SELECT count(*) FILTER (WHERE c.same), array_agg(c.id) FILTER (WHERE c.same AND v_noted), array_agg(p_lines[c.o]) FILTER (WHERE NOT c.same), array_agg(c.id) FILTER (WHERE NOT c.same),
      array_agg((c.order_key, c.line) <= (v_order, p_lines[c.o])) FILTER (WHERE NOT c.same),
      array_agg(c.k) FILTER (WHERE c.id IS NULL), array_agg(c.o) FILTER (WHERE c.id IS NULL)
    INTO unchanged, v_seen, v_lines, v_ids, v_open, v_missed, v_places
    FROM (
      SELECT i.k, i.o, r.id, r.order_key, r.line, substring(v_hashes FROM i.o * 16 - 15 FOR 16) = uuid_send(r.row_hash) AS same
      FROM (SELECT unnest(v_keys) AS k, generate_series(1, v_rows) AS o) i
      LEFT JOIN (SELECT x.natural_key, x.id, x.row_hash, x.order_key, x.line FROM records x
        WHERE x.customer_id = v_customer AND x.feed_id = v_feed AND x.natural_key >= v_low AND x.natural_key <= v_high
        LIMIT 3 * v_rows) r ON r.natural_key = i.k
      OFFSET 0) c;
  END IF;
  IF v_missed IS NOT NULL THEN
    SELECT unchanged + count(*) FILTER (WHERE c.same), v_seen || array_agg(c.id) FILTER (WHERE c.same AND v_noted), v_lines || array_agg(p_lines[c.o]) FILTER (WHERE c.same IS NOT TRUE),
      v_ids || array_agg(c.id) FILTER (WHERE c.same IS NOT TRUE),
      v_open || array_agg((c.order_key, c.line) <= (v_order, p_lines[c.o])) FILTER (WHERE c.same IS NOT TRUE)
    INTO unchanged, v_seen, v_lines, v_ids, v_open
    FROM (
      SELECT m.o, p.id, p.order_key, p.line, substring(v_hashes FROM m.o * 16 - 15 FOR 16) = uuid_send(p.row_hash) AS same
      FROM (SELECT unnest(v_missed) AS k, unnest(v_places) AS o) m
      LEFT JOIN LATERAL (SELECT x.id, x.row_hash, x.order_key, x.line FROM records x
        WHERE x.customer_id = v_customer AND x.feed_id = v_feed AND x.natural_key = m.k LIMIT 1) p ON true
      OFFSET 0) c;
  END IF;

  inserted := 0;
  changed := 0;
  stale := 0;
  need := '{}';
  IF v_lines IS NOT NULL THEN
    WITH differ AS (SELECT unnest(v_lines) AS n, unnest(v_ids) AS id, unnest(v_open) AS open),
    newer AS MATERIALIZED (      -- empty unless this file is late: records that a newer file has confirmed without a write
      SELECT DISTINCT u.id FROM seen s CROSS JOIN LATERAL unnest(s.record_ids) AS u(id)
      WHERE s.feed_id = v_feed AND s.order_key > v_order AND u.id IN (SELECT d.id FROM differ d)),
    judged AS (
      SELECT d.n, d.id, CASE WHEN d.id IS NULL THEN 'n' WHEN d.open AND w.id IS NULL THEN 'c' ELSE 's' END::"char" AS verdict
      FROM differ d LEFT JOIN newer w ON w.id = d.id)
    SELECT count(*) FILTER (WHERE j.verdict = 'n'), count(*) FILTER (WHERE j.verdict = 'c'), count(*) FILTER (WHERE j.verdict = 's'),
      coalesce(array_agg(j.n ORDER BY j.n) FILTER (WHERE j.verdict <> 's'), '{}'), array_agg(j.id) FILTER (WHERE j.verdict = 's'),
      array_agg(j.id) FILTER (WHERE j.verdict = 'c')
    INTO inserted, changed, stale, need, v_stale, v_known FROM judged j;
  END IF;

  IF p_token IS NOT NULL OR v_alone THEN
    IF v_alone THEN
      v_known := coalesce(v_known, '{}') || coalesce(v_seen, '{}') || coalesce(v_stale, '{}');
      -- A question that its asker has given up on may come when the comparison has ended: then nobody removes its answer.
      PERFORM 1 FROM files x WHERE x.id = p_file AND x.state = 'parsed' FOR SHARE;
      IF NOT FOUND THEN
        RETURN QUERY SELECT 'lease-lost', 0, 0, 0, 0, '{}'::int[];
        RETURN;
      END IF;
    END IF;
    INSERT INTO ledger (file_id, chunk_key, rows, inserted, changed, unchanged, stale, need, need_new, known)
      VALUES (p_file, v_chunk, v_rows, 0, 0, unchanged, stale, need, inserted, coalesce(v_known, '{}'));
    IF NOT v_alone AND unchanged + stale > 0 THEN
      INSERT INTO seen (feed_id, order_key, file_id, chunk_key, record_ids)
        VALUES (v_feed, v_order, p_file, v_chunk, coalesce(v_seen, '{}') || coalesce(v_stale, '{}'));
    END IF;
  END IF;
  outcome := 'planned';
  RETURN NEXT;
END $function$

CREATE OR REPLACE FUNCTION public.record_buckets(p_customer integer, p_feed integer, p_bits integer, p_fields text[])
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET enable_seqscan TO 'off'
 SET jit TO 'off'
 SET work_mem TO '32MB'
AS $function$
DECLARE
  v_buckets text;
BEGIN
  IF p_bits NOT BETWEEN 0 AND 16 THEN RAISE EXCEPTION 'buckets of % bits', p_bits USING ERRCODE = 'invalid_parameter_value'; END IF;
  EXECUTE format($q$
    SELECT translate(encode(string_agg(int8send(coalesce(d.digest, 0)) || int4send(coalesce(d.n, 0)::int), '' ORDER BY b.n), 'base64'), E'\n', '')
    FROM generate_series(0, (1 << $3) - 1) AS b(n)
    LEFT JOIN (
      SELECT (hashtextextended(natural_key, 0) & ((1 << $3) - 1))::int AS bucket, count(*) AS n, bit_xor(%s) AS digest
      FROM records
      WHERE customer_id = $1 AND feed_id = $2 AND row_hash <> '00000000-0000-0000-0000-000000000000'
      GROUP BY 1) d ON d.bucket = b.n
    $q$, row_digest(p_fields)) INTO v_buckets USING p_customer, p_feed, p_bits;
  RETURN v_buckets;
END $function$

CREATE OR REPLACE FUNCTION public.record_details(p_customer integer, p_feed integer, p_order uuid, p_keys jsonb)
 RETURNS TABLE(key text, id bigint, version integer, status text, order_key uuid, row_hash text, file_id bigint, data text, confirmed boolean, retired_by bigint)
 LANGUAGE plpgsql
 STABLE
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_nestloop TO 'off'
 SET jit TO 'off'
AS $function$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  WITH found AS MATERIALIZED (
    SELECT r.* FROM (SELECT jsonb_array_elements_text(p_keys) AS k) i
    CROSS JOIN LATERAL (SELECT x.natural_key, x.id, x.version, x.status, x.order_key, x.row_hash, x.file_id, x.data, x.updated_at FROM records x
      WHERE x.customer_id = p_customer AND x.feed_id = p_feed AND x.natural_key = i.k LIMIT 1) r),
  newer AS MATERIALIZED (
    SELECT DISTINCT u.id FROM seen s CROSS JOIN LATERAL unnest(s.record_ids) AS u(id)
    WHERE s.feed_id = p_feed AND s.order_key > p_order AND u.id IN (SELECT f.id FROM found f))
  SELECT f.natural_key, f.id, f.version, f.status, f.order_key, encode(uuid_send(f.row_hash), 'hex'), f.file_id, f.data::text,
    EXISTS (SELECT 1 FROM newer w WHERE w.id = f.id),
    CASE f.status WHEN 'retired' THEN (SELECT c.file_id FROM changes c   -- of the day alone on which the record was written
      WHERE c.record_id = f.id AND c.version = f.version AND c.kind = 'retired'
        AND c.created_at BETWEEN f.updated_at - interval '1 minute' AND f.updated_at + interval '1 minute' LIMIT 1) END
  FROM found f;
END $function$

CREATE OR REPLACE FUNCTION public.records_at(p_customer integer, p_feed integer, p_at timestamp with time zone, p_key text, p_after text, p_limit integer)
 RETURNS TABLE(natural_key text, status text, version integer, data jsonb, file_id bigint, line integer, first_seen_at timestamp with time zone, updated_at timestamp with time zone)
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_custom_plan'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET jit TO 'off'
AS $function$
BEGIN
  RETURN QUERY
  SELECT r.natural_key, CASE WHEN c.kind IS NULL THEN r.status WHEN c.kind = 'restored' THEN 'retired' ELSE 'active' END,
    coalesce(c.version - 1, r.version), coalesce(c.before, r.data), CASE WHEN c.kind IS NULL THEN r.file_id ELSE p.file_id END,
    CASE WHEN c.kind IS NULL THEN r.line ELSE p.line END, r.first_seen_at, CASE WHEN c.kind IS NULL THEN r.updated_at ELSE p.created_at END
  FROM records r
  LEFT JOIN LATERAL (
    SELECT x.version, x.kind, x.before FROM changes x
    WHERE r.updated_at > p_at AND x.record_id = r.id AND x.created_at > p_at ORDER BY x.version LIMIT 1) c ON true
  LEFT JOIN LATERAL (
    SELECT x.file_id, x.line, x.created_at FROM changes x
    WHERE c.kind IS NOT NULL AND x.record_id = r.id AND x.version = c.version - 1
      AND x.created_at >= r.first_seen_at AND x.created_at <= p_at LIMIT 1) p ON true
  WHERE r.customer_id = p_customer AND r.feed_id = p_feed AND (p_key IS NULL OR r.natural_key = p_key)
    AND (p_after IS NULL OR r.natural_key > p_after) AND r.first_seen_at <= p_at AND c.kind IS DISTINCT FROM 'inserted'
  ORDER BY r.natural_key LIMIT p_limit;
END $function$

CREATE OR REPLACE FUNCTION public.register_feed(p_customer text, p_customer_title text, p_feed text, p_title text, p_mode text, p_version text)
 RETURNS TABLE(customer_id integer, feed_id integer)
 LANGUAGE plpgsql
AS $function$
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
END $function$

CREATE OR REPLACE FUNCTION public.release_lease(p_file bigint, p_token uuid)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
BEGIN
  UPDATE feeds f SET active_file_id = NULL, lease_token = NULL, lease_until = NULL
  WHERE f.id = (SELECT x.feed_id FROM files x WHERE x.id = p_file) AND f.active_file_id = p_file AND f.lease_token = p_token;
  RETURN FOUND;
END $function$

CREATE OR REPLACE FUNCTION public.renew_lease(p_file bigint, p_token uuid, p_seconds integer)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
BEGIN
  UPDATE feeds f SET lease_until = clock_timestamp() + make_interval(secs => p_seconds)
  WHERE f.id = (SELECT x.feed_id FROM files x WHERE x.id = p_file) AND f.active_file_id = p_file AND f.lease_token = p_token;
  RETURN FOUND;
END $function$

CREATE OR REPLACE FUNCTION public.reopen_duplicates()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  PERFORM decide_alone(NEW.feed_id);
  WITH hidden AS (
    SELECT d.id, d.duplicate_of FROM files d JOIN files o ON o.id = d.duplicate_of
    WHERE d.feed_id = NEW.feed_id AND d.state = 'duplicate' AND CASE WHEN NEW.state = 'parsed'
      THEN NEW.order_key BETWEEN least(o.order_key, d.order_key) AND greatest(o.order_key, d.order_key)
        AND (d.content_sha256, d.adapter_version) IS DISTINCT FROM (NEW.content_sha256, NEW.adapter_version)
      ELSE o.id = NEW.id END
    FOR NO KEY UPDATE OF d),
  opened AS (
    UPDATE files x SET state = 'parsed', duplicate_of = NULL, updated_at = now() FROM hidden h WHERE x.id = h.id)
  INSERT INTO audit_log (actor, action, subject, detail)
    SELECT 'mailfeed', 'reopen', 'file ' || h.id,
      jsonb_build_object('duplicate_of', h.duplicate_of, 'because', 'file ' || NEW.id || ' is ' || NEW.state) FROM hidden h;
  RETURN NULL;
END $function$

CREATE OR REPLACE FUNCTION public.reopen_files(p_feed integer, p_codes text[], p_by text)
 RETURNS integer
 LANGUAGE sql
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.restore_differences(p_feed integer, p_at timestamp with time zone, p_after text, p_upto text, p_limit integer)
 RETURNS TABLE(natural_key text, record_id bigint, version integer, does text, row_hash uuid, now jsonb, was jsonb, mark text)
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_custom_plan'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET jit TO 'off'
AS $function$
DECLARE
  v_customer int;
BEGIN
  SELECT f.customer_id INTO v_customer FROM feeds f WHERE f.id = p_feed;
  RETURN QUERY
  SELECT r.natural_key, r.id, r.version, d.does, h.hash, r.data, h.data,
    md5(concat_ws(E'\t', d.does, r.natural_key, r.id, r.version, h.hash, md5(h.data::text)))
  FROM records r
  LEFT JOIN LATERAL (
    SELECT x.version, x.kind, x.before FROM changes x
    WHERE r.first_seen_at <= p_at AND x.record_id = r.id AND x.created_at > p_at ORDER BY x.version LIMIT 1) c ON true
  CROSS JOIN LATERAL (SELECT CASE
    WHEN r.status = 'active' AND (r.first_seen_at > p_at OR c.kind IN ('inserted', 'restored')) THEN 'retire'
    WHEN r.status = 'retired' AND c.kind IN ('changed', 'retired') THEN 'restore'
    WHEN r.status = 'active' AND c.kind IN ('changed', 'retired') AND r.data <> c.before THEN 'change' END AS does) d
  LEFT JOIN LATERAL (
    SELECT x.row_hash FROM changes x
    WHERE d.does <> 'retire' AND x.record_id = r.id AND x.version = c.version - 1
      AND x.created_at >= r.first_seen_at AND x.created_at <= p_at LIMIT 1) p ON true
  CROSS JOIN LATERAL (
    SELECT CASE WHEN d.does <> 'retire' THEN c.before END AS data,
      CASE WHEN d.does <> 'retire' THEN coalesce(nullif(p.row_hash, r.row_hash), md5(r.version || ' ' || c.before::text)::uuid) END AS hash) h
  WHERE r.customer_id = v_customer AND r.feed_id = p_feed AND r.natural_key > p_after AND (p_upto IS NULL OR r.natural_key <= p_upto)
    AND r.updated_at > p_at AND d.does IS NOT NULL
  ORDER BY r.natural_key LIMIT p_limit;
END $function$

CREATE OR REPLACE FUNCTION public.restore_stands(p_file bigint)
 RETURNS TABLE(stands boolean, restore_to timestamp with time zone)
 LANGUAGE sql
 STABLE
AS $function$
  SELECT NOT EXISTS (SELECT FROM files n WHERE n.feed_id = x.feed_id AND n.order_key > x.order_key
      AND (n.state = 'applied' OR n.state = 'applying' AND n.gate IS NOT NULL)
      AND NOT EXISTS (SELECT FROM restore_parts o WHERE o.file_id = n.id AND o.restore_id = p.restore_id))
    AND p.sum = (SELECT s.sum::bit(128) FROM restore_sum(r.feed_id, r.restore_to, p.after_key, p.upto_key, NULL, NULL, false) s), r.restore_to
  FROM restore_parts p JOIN restores r ON r.id = p.restore_id JOIN files x ON x.id = p.file_id WHERE p.file_id = p_file
$function$

CREATE OR REPLACE FUNCTION public.restore_sum(p_feed integer, p_at timestamp with time zone, p_after text, p_upto text, p_limit integer, p_bytes integer, p_tell boolean)
 RETURNS TABLE(changes integer, restores integer, retirements integer, sum text, upto text, fields jsonb, samples jsonb)
 LANGUAGE sql
 STABLE
AS $function$
  WITH found AS MATERIALIZED (
    SELECT x.*, coalesce(octet_length(x.was::text), 0) + octet_length(x.natural_key) AS bytes
    FROM restore_differences(p_feed, p_at, p_after, p_upto, p_limit) x),
  d AS MATERIALIZED (
    SELECT * FROM (SELECT f.*, sum(f.bytes) OVER (ORDER BY f.natural_key COLLATE "C") - f.bytes AS bytes_before FROM found f) b
    WHERE p_bytes IS NULL OR b.bytes_before < p_bytes)
  SELECT (count(*) FILTER (WHERE d.does = 'change'))::int, (count(*) FILTER (WHERE d.does = 'restore'))::int,
    (count(*) FILTER (WHERE d.does = 'retire'))::int, coalesce(bit_xor(('x' || d.mark)::bit(128)), 0::bit(128))::text,
    CASE WHEN count(*) = p_limit OR count(*) < (SELECT count(*) FROM found) THEN max(d.natural_key COLLATE "C") END,
    CASE WHEN p_tell THEN (
      SELECT coalesce(jsonb_object_agg(f.field, f.n), '{}') FROM (
        SELECT e.field, count(*) AS n FROM d AS x CROSS JOIN LATERAL (
          SELECT coalesce(a.key, b.key) AS field FROM jsonb_each(x.now) a FULL JOIN jsonb_each(x.was) b ON b.key = a.key
          WHERE a.value IS DISTINCT FROM b.value) e
        WHERE x.does = 'change' GROUP BY 1) f) END,
    CASE WHEN p_tell THEN (
      SELECT coalesce(jsonb_agg(jsonb_build_object('does', s.does, 'key', s.natural_key, 'now', s.now, 'was', s.was, 'order', s.mark)), '[]')
      FROM (SELECT x.*, row_number() OVER (PARTITION BY x.does ORDER BY x.mark) AS n FROM d AS x) s WHERE s.n <= 5) END
  FROM d
$function$

CREATE OR REPLACE FUNCTION public.retire_listed(p_file bigint, p_token uuid, p_after integer, p_limit integer)
 RETURNS TABLE(outcome text, retired integer, upto integer)
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_nestloop TO 'off'
 SET jit TO 'off'
AS $function$
#variable_conflict use_column
DECLARE
  v_file files%ROWTYPE;
BEGIN
  retired := 0;
  SELECT * INTO v_file FROM files x WHERE x.id = p_file;
  PERFORM 1 FROM feeds f WHERE f.id = v_file.feed_id AND f.active_file_id = p_file AND f.lease_token = p_token FOR SHARE;
  IF NOT FOUND OR v_file.state <> 'applying' THEN
    outcome := 'lease-lost';
    RETURN NEXT;
    RETURN;
  END IF;
  outcome := 'retired';
  PERFORM pg_advisory_xact_lock(hashtextextended('retire_missing', p_file));
  SELECT max(p.n) INTO upto FROM (SELECT l.n FROM listed_retirements l WHERE l.file_id = p_file AND l.n > p_after ORDER BY l.n LIMIT p_limit) p;
  IF upto IS NOT NULL AND NOT file_is_late(p_file) THEN
    WITH listed AS MATERIALIZED (
      SELECT l.natural_key AS k, l.record_id, l.version FROM listed_retirements l WHERE l.file_id = p_file AND l.n > p_after AND l.n <= upto),
    newer AS MATERIALIZED (
      SELECT DISTINCT u.id FROM seen s CROSS JOIN LATERAL unnest(s.record_ids) AS u(id)
      WHERE s.feed_id = v_file.feed_id AND s.order_key > v_file.order_key AND u.id IN (SELECT i.record_id FROM listed i)),
    old AS MATERIALIZED (
      SELECT b.natural_key, b.data FROM listed i CROSS JOIN LATERAL (
        SELECT x.natural_key, x.data FROM records x WHERE x.customer_id = v_file.customer_id AND x.feed_id = v_file.feed_id
          AND x.natural_key = i.k AND x.id = i.record_id AND x.version = i.version AND x.status = 'active'
          AND x.order_key <= v_file.order_key LIMIT 1 FOR NO KEY UPDATE) b
      WHERE NOT EXISTS (SELECT FROM newer w WHERE w.id = i.record_id)),
    gone AS (
      INSERT INTO records AS r (customer_id, feed_id, natural_key, row_hash, data, order_key, line, file_id)
      SELECT v_file.customer_id, v_file.feed_id, o.natural_key, '00000000-0000-0000-0000-000000000000', '{}', v_file.order_key, 0, p_file FROM old o
      ON CONFLICT (customer_id, feed_id, natural_key) DO UPDATE SET row_hash = excluded.row_hash, order_key = excluded.order_key,
        line = excluded.line, file_id = excluded.file_id, status = 'retired', version = r.version + 1, updated_at = now()
      RETURNING r.id, r.natural_key, r.version, r.row_hash, r.line),
    event AS (
      INSERT INTO changes (record_id, customer_id, feed_id, file_id, line, version, kind, row_hash, natural_key, before, after)
      SELECT g.id, v_file.customer_id, v_file.feed_id, p_file, g.line, g.version, 'retired', g.row_hash, g.natural_key, o.data, NULL
      FROM gone g JOIN old o ON o.natural_key = g.natural_key
      RETURNING record_id)
    INSERT INTO ledger AS l (file_id, chunk_key, rows, inserted, changed, unchanged, stale, retired)
    SELECT p_file, md5('retire' || md5(array_send(array_agg(e.record_id ORDER BY e.record_id))))::uuid, 0, 0, 0, 0, 0, count(*) FROM event e
    HAVING count(*) > 0
    RETURNING l.retired INTO retired;
  END IF;
  retired := coalesce(retired, 0);
  RETURN NEXT;
END $function$

CREATE OR REPLACE FUNCTION public.retire_missing(p_file bigint, p_token uuid, p_superseded integer, p_allowed integer, p_after text, p_limit integer)
 RETURNS TABLE(outcome text, retired integer, remaining integer, upto text)
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_nestloop TO 'off'
 SET jit TO 'off'
AS $function$
#variable_conflict use_column
DECLARE
  v_file    files%ROWTYPE;
  v_keys    text[];
  v_settled bigint;
  v_before  bigint;
BEGIN
  retired := 0;
  remaining := 0;
  PERFORM 1 FROM feeds f WHERE f.id = (SELECT x.feed_id FROM files x WHERE x.id = p_file)
    AND f.active_file_id = p_file AND f.lease_token = p_token FOR SHARE;
  IF NOT FOUND THEN
    outcome := 'lease-lost';
    RETURN NEXT;
    RETURN;
  END IF;
  -- The same call twice at once: the second waits here and goes on behind the first, instead of waiting for each of its rows.
  PERFORM pg_advisory_xact_lock(hashtextextended('retire_missing', p_file));
  SELECT * INTO v_file FROM files x WHERE x.id = p_file;
  SELECT sum(l.inserted + l.changed + l.unchanged + l.stale), sum(l.retired) INTO v_settled, v_before FROM ledger l WHERE l.file_id = p_file;
  outcome := CASE WHEN v_file.state <> 'applying' THEN 'lease-lost' ELSE retirement_bar(p_file) END;
  IF outcome IS NULL AND v_file.accepted IS DISTINCT FROM coalesce(v_settled, 0) + p_superseded THEN outcome := 'unbalanced'; END IF;
  IF outcome IS NULL THEN
    v_keys := missing_of(p_file, p_after, NULL);
    remaining := cardinality(v_keys);
    IF coalesce(v_before, 0) + remaining > p_allowed THEN outcome := 'not-planned'; END IF;
  END IF;
  IF outcome IS NOT NULL THEN
    RETURN NEXT;
    RETURN;
  END IF;

  outcome := 'retired';
  v_keys := v_keys[1:p_limit];
  remaining := remaining - cardinality(v_keys);
  upto := v_keys[cardinality(v_keys)];
  IF upto IS NOT NULL THEN
    WITH old AS MATERIALIZED (   -- lock what is to be retired, ask of its latest version, keep the before image
      SELECT b.natural_key, b.data FROM unnest(v_keys) AS m(k) CROSS JOIN LATERAL (
        SELECT x.natural_key, x.data FROM records x WHERE x.customer_id = v_file.customer_id AND x.feed_id = v_file.feed_id
          AND x.natural_key = m.k AND x.status = 'active' AND x.order_key <= v_file.order_key LIMIT 1 FOR NO KEY UPDATE) b),
    gone AS (                    -- the arbiter index instead of UPDATE … FROM, as in apply_chunk
      INSERT INTO records AS r (customer_id, feed_id, natural_key, row_hash, data, order_key, line, file_id)
      SELECT v_file.customer_id, v_file.feed_id, o.natural_key, '00000000-0000-0000-0000-000000000000', '{}', v_file.order_key, 0, p_file FROM old o
      ON CONFLICT (customer_id, feed_id, natural_key) DO UPDATE SET row_hash = excluded.row_hash, order_key = excluded.order_key,
        line = excluded.line, file_id = excluded.file_id, status = 'retired', version = r.version + 1, updated_at = now()
      RETURNING r.id, r.natural_key, r.version, r.row_hash, r.line),
    event AS (
      INSERT INTO changes (record_id, customer_id, feed_id, file_id, line, version, kind, row_hash, natural_key, before, after)
      SELECT g.id, v_file.customer_id, v_file.feed_id, p_file, g.line, g.version, 'retired', g.row_hash, g.natural_key, o.data, NULL
      FROM gone g JOIN old o ON o.natural_key = g.natural_key
      RETURNING record_id)
    INSERT INTO ledger AS l (file_id, chunk_key, rows, inserted, changed, unchanged, stale, retired)
    SELECT p_file, md5('retire' || md5(array_send(array_agg(e.record_id ORDER BY e.record_id))))::uuid, 0, 0, 0, 0, 0, count(*) FROM event e
    HAVING count(*) > 0
    RETURNING l.retired INTO retired;
  END IF;
  retired := coalesce(retired, 0);
  RETURN NEXT;
END $function$

CREATE OR REPLACE FUNCTION public.retirement_bar(p_file bigint)
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$
  SELECT CASE
    WHEN f.mode <> 'full' OR NOT x.complete THEN 'not-full'
    WHEN file_is_late(p_file) THEN 'late'
    WHEN EXISTS (SELECT 1 FROM files n WHERE n.feed_id = x.feed_id AND (n.order_key, n.id) > (x.order_key, x.id) AND n.complete
      AND (n.state = 'applied' OR n.state = 'applying' AND n.gate IS NOT NULL)) THEN 'newer-file'
    WHEN x.rejected > 0 AND x.rejected > (SELECT count(*) FROM rejects j
      WHERE j.file_id = p_file AND j.position = 0 AND j.natural_key IS NOT NULL) THEN 'rejects-unread'
  END
  FROM files x JOIN feeds f ON f.id = x.feed_id WHERE x.id = p_file
$function$

CREATE OR REPLACE FUNCTION public.row_digest(p_fields text[])
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
AS $function$
  SELECT CASE WHEN p_fields IS NULL THEN 'uuid_hash_extended(row_hash, hashtextextended(natural_key, 0))'
    ELSE format('hashtextextended(concat_ws(E''\x1e'', %s) COLLATE "C", hashtextextended(natural_key, 0))', (
      SELECT string_agg(format('coalesce((data->%L)::text, ''null'')', f.name), ', ' ORDER BY f.place)
      FROM unnest(p_fields) WITH ORDINALITY AS f(name, place))) END
$function$

CREATE OR REPLACE FUNCTION public.statement_of(p_said jsonb)
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE
AS $function$
  SELECT CASE jsonb_typeof(p_said) WHEN 'array' THEN (
    SELECT coalesce(jsonb_object_agg(e.key, e.value ORDER BY a.place), '{}')
    FROM jsonb_array_elements(p_said) WITH ORDINALITY AS a(part, place) CROSS JOIN LATERAL jsonb_each(a.part) e)
  ELSE p_said END
$function$
