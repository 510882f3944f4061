/** What every endpoint must do, whatever stands behind it: the real driver against it, then the bare protocol. */
import { NeonDbError, type NeonQueryFunction, neon, neonConfig } from "@neondatabase/serverless";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { localFetchEndpoint } from "../../cli/local/neon-protocol.ts";

export interface Subject {
  readonly connectionString: string;
  readonly endpointUrl: string;
  stop(): Promise<void>;
}

/** Text Postgres can hold: no NUL, no lone surrogates. */
const pgText = fc
  .string({ unit: "binary", maxLength: 40 })
  .filter((text) => !text.includes("\0") && text.isWellFormed());

export function conforms(name: string, start: () => Promise<Subject>): void {
  describe(`${name} behind the Neon endpoint`, () => {
    let subject: Subject;
    let sql: NeonQueryFunction<false, false>;
    beforeAll(async () => {
      subject = await start();
      neonConfig.fetchEndpoint = localFetchEndpoint;
      sql = neon(subject.connectionString);
      await sql`CREATE TABLE thing (id int PRIMARY KEY, name text NOT NULL DEFAULT 'x' CONSTRAINT short CHECK (length(name) < 9))`;
    });
    afterAll(() => subject.stop());

    const refusal = async (work: Promise<unknown>): Promise<NeonDbError> => {
      const thrown = await work.then(
        () => expect.fail("the database should have refused"),
        (error: unknown) => error,
      );
      expect(thrown).toBeInstanceOf(NeonDbError);
      return thrown as NeonDbError;
    };

    const post = (body: unknown, headers: Record<string, string> = {}) =>
      fetch(subject.endpointUrl, {
        method: "POST",
        headers: {
          "Neon-Connection-String": subject.connectionString,
          "Neon-Raw-Text-Output": "true",
          "Neon-Array-Mode": "true",
          ...headers,
        },
        body: typeof body === "string" ? body : JSON.stringify(body),
      });

    it("gives the driver the values it gives in production", async () => {
      const [row] =
        await sql`SELECT 9007199254740993::int8 AS big, 1.50::numeric(9,2) AS money, 7 AS small, true AS yes,
        '2026-01-02 03:04:05.678+00'::timestamptz AS at, '{"a": [1, null]}'::jsonb AS doc, ARRAY['a','b"c',NULL,''] AS words,
        ARRAY[1,2]::int8[] AS numbers, '\\x00ff'::bytea AS bytes, NULL::text AS nothing, 'x'::"char" AS letter,
        'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid AS id`;
      expect(row).toEqual({
        big: "9007199254740993",
        money: "1.50",
        small: 7,
        yes: true,
        at: new Date("2026-01-02T03:04:05.678Z"),
        doc: { a: [1, null] },
        words: ["a", 'b"c', null, ""],
        numbers: ["1", "2"],
        bytes: Buffer.from([0, 255]),
        nothing: null,
        letter: "x",
        id: "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
      });
    });

    it("sends every value as the text Postgres wrote", async () => {
      const query = `SELECT 1.50::numeric, '2026-01-02 03:04:05.678901+00'::timestamptz AT TIME ZONE 'UTC', '{"b":1,"a":2}'::jsonb,
        '{"b":1,  "a":2}'::json, ARRAY[[1,NULL],[3,4]], '\\xdead'::bytea, 1e300::float8, interval '1 day 2 hours', false, NULL`;
      const answer = (await (await post({ query, params: [] })).json()) as { rows: unknown; rowAsArray: boolean };
      expect(answer.rowAsArray).toBe(true);
      expect(answer.rows).toEqual([
        [
          "1.50",
          "2026-01-02 03:04:05.678901",
          '{"a": 2, "b": 1}',
          '{"b":1,  "a":2}',
          "{{1,NULL},{3,4}}",
          "\\xdead",
          "1e+300",
          "1 day 02:00:00",
          "f",
          null,
        ],
      ]);
    });

    it("tells columns, command and row count", async () => {
      const made = await sql.query("INSERT INTO thing (id) VALUES (101), (102) RETURNING id, name", [], {
        fullResults: true,
      });
      expect(made).toMatchObject({
        command: "INSERT",
        rowCount: 2,
        rows: [
          { id: 101, name: "x" },
          { id: 102, name: "x" },
        ],
      });
      expect(made.fields.map(({ name, dataTypeID }) => [name, dataTypeID])).toEqual([
        ["id", 23],
        ["name", 25],
      ]);
      const gone = await sql.query("DELETE FROM thing WHERE id > 100", [], { fullResults: true });
      expect(gone).toMatchObject({ command: "DELETE", rowCount: 2, rows: [], fields: [] });
      const none = await sql.query("SELECT id FROM thing WHERE false", [], { fullResults: true });
      expect(none).toMatchObject({ command: "SELECT", rowCount: 0, rows: [] });
      expect(none.fields.map((field) => field.name)).toEqual(["id"]);
      expect(await sql.query("SELECT 1, 2", [], { arrayMode: true })).toEqual([[1, 2]]);
    });

    it("answers rows as objects to who asks for them", async () => {
      const answer = await post({ query: "SELECT 1 AS a, NULL AS b" }, { "Neon-Array-Mode": "false" });
      expect(await answer.json()).toMatchObject({ rows: [{ a: "1", b: null }], rowAsArray: false });
    });

    it("carries any text, alone, in arrays and in documents", async () => {
      await fc.assert(
        fc.asyncProperty(pgText, fc.array(fc.option(pgText), { minLength: 1 }), async (text, list) => {
          const doc = { [`k${text}`]: list };
          const [row] = await sql`SELECT ${text}::text AS text, ${list}::text[] AS list, ${doc}::json AS doc`;
          expect(row).toEqual({ text, list, doc });
        }),
        { numRuns: 50 },
      );
    });

    it("turns bare JSON parameters into Postgres' text", async () => {
      const params = [12.5, true, null, ['a"b\\', null, "NULL", ""], [[1, 2]], { a: "é" }, [{ q: '"' }]];
      const query =
        "SELECT $1::numeric AS n, $2::bool AS b, $3::text IS NULL AS missing, $4::text[] AS list, $5::int[] AS grid, $6::jsonb->>'a' AS doc, ($7::jsonb[])[1]->>'q' AS docs";
      const answer = (await (await post({ query, params })).json()) as { rows: unknown };
      expect(answer.rows).toEqual([["12.5", "t", "t", '{"a\\"b\\\\",NULL,"NULL",""}', "{{1,2}}", "é", '"']]);
    });

    it("takes array literals of several megabytes", async () => {
      const words = Array.from({ length: 300_000 }, (_, i) => `wort-${i}-ß`);
      const literal = `{${words.join(",")}}`;
      expect(literal.length).toBeGreaterThan(4_000_000);
      const [row] = await sql`SELECT count(*)::int AS n, max(length(w)) AS longest FROM unnest(${literal}::text[]) w`;
      expect(row).toEqual({ n: 300_000, longest: 13 });
    });

    it("runs a batch as one transaction, in order", async () => {
      const results = await sql.transaction([
        sql`INSERT INTO thing (id, name) VALUES (1, 'one')`,
        sql`UPDATE thing SET name = name || '!' WHERE id = 1 RETURNING name`,
        sql`SELECT xmin::text = pg_current_xact_id()::text AS same FROM thing WHERE id = 1`,
      ]);
      expect(results).toEqual([[], [{ name: "one!" }], [{ same: true }]]);
    });

    it("keeps nothing of a batch that fails, at the end or at commit", async () => {
      const late = sql`CREATE TABLE child (thing int REFERENCES thing DEFERRABLE INITIALLY DEFERRED)`;
      const middle = await refusal(sql.transaction([late, sql`INSERT INTO thing (id) VALUES (1000)`, sql`SELECT 1/0`]));
      expect(middle.code).toBe("22012");
      const atCommit = await refusal(sql.transaction([late, sql`INSERT INTO child VALUES (12345)`]));
      expect(atCommit.code).toBe("23503");
      const [row] = await sql`SELECT to_regclass('child') AS child, count(*)::int AS n FROM thing WHERE id = 1000`;
      expect(row).toEqual({ child: null, n: 0 });
    });

    it("opens the transaction in the mode asked for", async () => {
      const modes = (queries: Parameters<typeof sql.transaction>[1]) =>
        sql.transaction(
          [
            sql`SELECT current_setting('transaction_isolation') AS level, current_setting('transaction_read_only') AS ro, current_setting('transaction_deferrable') AS d`,
          ],
          queries,
        );
      expect(await modes({})).toEqual([[{ level: "read committed", ro: "off", d: "off" }]]);
      expect(await modes({ isolationLevel: "RepeatableRead" })).toEqual([
        [{ level: "repeatable read", ro: "off", d: "off" }],
      ]);
      expect(await modes({ isolationLevel: "Serializable", readOnly: true, deferrable: true })).toEqual([
        [{ level: "serializable", ro: "on", d: "on" }],
      ]);
      const write = await refusal(sql.transaction([sql`INSERT INTO thing (id) VALUES (2000)`], { readOnly: true }));
      expect(write.code).toBe("25006");
    });

    it("tells everything the database said about an error", async () => {
      await sql`INSERT INTO thing (id) VALUES (3000)`;
      const twice = await refusal(sql`INSERT INTO thing (id) VALUES (3000)`);
      expect(twice).toMatchObject({
        code: "23505",
        severity: "ERROR",
        schema: "public",
        table: "thing",
        constraint: "thing_pkey",
        detail: "Key (id)=(3000) already exists.",
        message: 'duplicate key value violates unique constraint "thing_pkey"',
      });
      expect(twice.routine).toBeTypeOf("string");
      const typo = await refusal(sql`SELEC 1`);
      expect(typo).toMatchObject({ code: "42601", position: "1", constraint: undefined });
      const raised = await refusal(
        sql`DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'MF001', HINT = 'try', DETAIL = 'why'; END $$`,
      );
      expect(raised).toMatchObject({ code: "MF001", hint: "try", detail: "why", message: "no" });
      expect(raised.where).toContain("PL/pgSQL");
    });

    it("goes on after an error", async () => {
      await refusal(sql`SELECT ${"x"}::int`);
      expect(await sql`SELECT 1 AS one`).toEqual([{ one: 1 }]);
    });

    it("refuses several commands in one statement", async () => {
      expect((await refusal(sql.query("SELECT 1; SELECT 2"))).code).toBe("42601");
    });

    it("does not let a lone BEGIN swallow what follows", async () => {
      await sql`BEGIN`;
      await sql`INSERT INTO thing (id) VALUES (4000)`;
      await sql`ROLLBACK`;
      expect(await sql`SELECT id FROM thing WHERE id = 4000`).toEqual([{ id: 4000 }]);
    });

    it("keeps simultaneous batches apart", async () => {
      await sql`CREATE TABLE counter AS SELECT 0 AS n`;
      const add = () =>
        sql.transaction([sql`SELECT n FROM counter FOR UPDATE`, sql`UPDATE counter SET n = n + 1 RETURNING n`]);
      const results = await Promise.all(Array.from({ length: 30 }, add));
      const seen = results.map(([before, after]) => [before?.[0]?.n, after?.[0]?.n]).sort((a, b) => a[0] - b[0]);
      expect(seen).toEqual(Array.from({ length: 30 }, (_, i) => [i, i + 1]));
    });

    it("lets a failing batch undo nothing but itself", async () => {
      await sql`CREATE TABLE mixed (n int)`;
      const batch = (n: number) =>
        sql.transaction([sql`INSERT INTO mixed VALUES (${n})`, sql`SELECT 1 / ${n % 2}::int`, sql`SELECT 1`]);
      const results = await Promise.allSettled(Array.from({ length: 30 }, (_, n) => batch(n)));
      expect(results.map((result) => result.status)).toEqual(results.map((_, n) => (n % 2 ? "fulfilled" : "rejected")));
      const kept = (await sql`SELECT n FROM mixed ORDER BY n`).map((row) => row.n);
      expect(kept).toEqual(Array.from({ length: 15 }, (_, i) => 2 * i + 1));
    });

    it.each<[string, unknown, Record<string, string>, RegExp]>([
      ["a body that is no JSON", "{", {}, /not JSON/],
      ["a body of another shape", [1], {}, /Expected/],
      ["a query that is no text", { query: 1 }, {}, /query must be a string/],
      ["parameters that are no list", { query: "SELECT 1", params: {} }, {}, /params must be an array/],
      ["queries that are no list", { queries: {} }, {}, /queries must be an array/],
      ["an unknown isolation level", { queries: [] }, { "Neon-Batch-Isolation-Level": "toString" }, /isolation level/],
      ["parsed output", { query: "SELECT 1" }, { "Neon-Raw-Text-Output": "false" }, /raw text/],
      ["no database", { query: "SELECT 1" }, { "Neon-Connection-String": "postgresql://h/" }, /no database/],
    ])("refuses %s without an SQLSTATE", async (_, body, headers, message) => {
      const answer = await post(body, headers);
      expect(answer.status).toBe(400);
      const said = (await answer.json()) as { message: string; code: unknown };
      expect(said.message).toMatch(message);
      expect(said.code).toBeNull();
    });
  });
}
