import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { emptyDatabase, freshDatabase } from "../support/database.ts";
import { dumpSchema, GOLDEN_SCHEMA } from "../support/schema-dump.ts";

it("is the one in the golden file: after a change of migrations/, run `npm run schema:dump` and read the diff", async () => {
  const database = await freshDatabase();
  expect(await dumpSchema(database.sql)).toBe(readFileSync(GOLDEN_SCHEMA, "utf8"));
  await database.drop();
});

it("is dumped with everything that matters to a plan or a promise", async () => {
  const database = await emptyDatabase();
  const statements = [
    "CREATE EXTENSION pg_stat_statements",
    "CREATE TYPE kind AS ENUM ('b', 'a')",
    "CREATE DOMAIN slug AS text CHECK (VALUE <> '')",
    "CREATE TYPE pair AS (x int, y text)",
    "CREATE SEQUENCE ticket START 7",
    `CREATE TABLE parent (id bigint GENERATED ALWAYS AS IDENTITY, k text COLLATE "C" NOT NULL, n numeric(9,2) DEFAULT 1.5,
       twice int GENERATED ALWAYS AS (1 + 1) STORED, CONSTRAINT parent_pk PRIMARY KEY (k) INCLUDE (n, id)) WITH (fillfactor = 70)`,
    "CREATE TABLE child (k text REFERENCES parent ON DELETE CASCADE, at date NOT NULL, CHECK (k <> '')) PARTITION BY RANGE (at)",
    "CREATE TABLE child_2026 PARTITION OF child FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
    "CREATE INDEX child_recent ON child USING brin (at) WHERE k <> 'x'",
    "CREATE VIEW shown WITH (security_invoker = true) AS SELECT k FROM parent",
    "CREATE FUNCTION guarded(a int DEFAULT 1) RETURNS int LANGUAGE sql SET enable_seqscan = off AS $$ SELECT a $$",
    "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
    "CREATE TRIGGER touched BEFORE UPDATE ON parent FOR EACH ROW EXECUTE FUNCTION touch()",
    "COMMENT ON TABLE parent IS 'who''s who'",
  ];
  await database.sql.transaction(statements.map((statement) => database.sql.query(statement)));
  const dump = await dumpSchema(database.sql);
  await database.drop();
  for (const part of [
    "extension pg_stat_statements in public",
    "enum public.kind ('b', 'a')",
    "domain public.slug as text CHECK",
    "composite public.pair (x integer, y text)",
    "sequence public.ticket as bigint start 7",
    "table public.parent with (fillfactor=70)",
    "column id bigint not null generated always as identity",
    'column k text collate "C" not null',
    "column n numeric(9,2) default 1.5",
    "column twice integer generated always as ((1 + 1)) stored",
    "constraint parent_pk PRIMARY KEY (k) INCLUDE (n, id)",
    "table public.child partition by RANGE (at)",
    "FOREIGN KEY (k) REFERENCES public.parent(k) ON DELETE CASCADE",
    "table public.child_2026 partition of public.child FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
    "CREATE INDEX child_recent ON ONLY public.child USING brin (at) WHERE (k <> 'x'::text)",
    "view public.shown with (security_invoker=true) as",
    "SET enable_seqscan TO 'off'",
    "CREATE TRIGGER touched BEFORE UPDATE ON public.parent",
    "comment on table public.parent: 'who''s who'",
  ]) {
    expect(dump).toContain(part);
  }
  expect(dump, "what an extension brings is not ours").not.toContain("pg_stat_statements_reset");
});
