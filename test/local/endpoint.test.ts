/** What only a real server can show: backends that die, a server that goes and comes back, clients that hang up. */
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NeonDbError, neon, neonConfig } from "@neondatabase/serverless";
import type pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from "vitest";
import { endpointConnectionString } from "../../cli/local/database.ts";
import { startEmbeddedPostgres } from "../../cli/local/embedded-postgres.ts";
import { type Backend, type NeonEndpoint, startNeonEndpoint } from "../../cli/local/neon-endpoint.ts";
import { localFetchEndpoint, type QueryOutput } from "../../cli/local/neon-protocol.ts";
import { pgBackend } from "../../cli/local/pg-backend.ts";
import { emptyDatabase, type FreshDatabase } from "../support/database.ts";
import { openPool } from "../support/database-pool.ts";

const thrownBy = async (work: Promise<unknown>): Promise<NeonDbError> => {
  const thrown = await work.then(
    () => expect.fail("it should have failed"),
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(NeonDbError);
  return thrown as NeonDbError;
};

describe("a database behind the endpoint", () => {
  let database: FreshDatabase;
  let pool: pg.Pool;
  beforeAll(async () => {
    database = await emptyDatabase();
    pool = openPool(database);
    await database.sql`CREATE TABLE mark (n int)`;
  });
  afterAll(async () => {
    await pool.end();
    await database.drop();
  });

  /** Waits until a statement with this text runs, and answers its backend. */
  const backendRunning = (text: string) =>
    expect.poll(
      async () => {
        const { rows } = await pool.query(
          "SELECT pid FROM pg_stat_activity WHERE query LIKE '%' || $1 || '%' AND state = 'active' AND pid <> pg_backend_pid() AND datname = current_database()",
          [text],
        );
        return rows;
      },
      { timeout: 20_000 },
    );

  it("answers 5xx when the backend is ended during a query, and goes on", async () => {
    const asked = thrownBy(database.sql`SELECT pg_sleep(600), 'ended single'`);
    await backendRunning("ended single").toHaveLength(1);
    await pool.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%ended single%' AND pid <> pg_backend_pid()",
    );
    const error = await asked;
    expect(error.message).toMatch(/HTTP status 503.*terminating connection due to administrator command/);
    expect(error.code).toBeUndefined();
    expect(await database.sql`SELECT 1 AS one`).toEqual([{ one: 1 }]);
  });

  it("keeps nothing of a batch whose backend is ended", async () => {
    const error = await thrownBy(
      database.sql.transaction([
        database.sql`INSERT INTO mark VALUES (1)`,
        database.sql`SELECT pg_terminate_backend(pg_backend_pid())`,
      ]),
    );
    expect(error.message).toContain("HTTP status 503");
    expect(await database.sql`SELECT * FROM mark`).toEqual([]);
  });

  it("survives the end of all its idle connections", async () => {
    await Promise.all(Array.from({ length: 5 }, () => database.sql`SELECT pg_sleep(0.01)`));
    await pool.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    // The first ones may still meet a connection whose end was not noticed; that is a 503, never anything else.
    await expect
      .poll(() =>
        database.sql`SELECT 1 AS one`.catch((error: NeonDbError) => {
          expect(error.message).toContain("HTTP status 503");
          return [];
        }),
      )
      .toEqual([{ one: 1 }]);
  });

  it("cancels the statement of a client that hangs up, and keeps nothing of its batch", async () => {
    const hangUp = new AbortController();
    const asked = database.sql.transaction(
      [database.sql`INSERT INTO mark VALUES (2)`, database.sql`SELECT pg_sleep(600), 'hung up'`],
      { fetchOptions: { signal: hangUp.signal } },
    );
    const failed = thrownBy(asked);
    await backendRunning("hung up").toHaveLength(1);
    hangUp.abort();
    await failed;
    await backendRunning("hung up").toHaveLength(0);
    expect(await database.sql`SELECT * FROM mark WHERE n = 2`).toEqual([]);
  });

  it("says 400 with the SQLSTATE for a database that is not there", async () => {
    const port = Number(new URL(inject("endpointUrl")).port);
    const error = await thrownBy(neon(endpointConnectionString(port, "no such; db"))`SELECT 1`);
    expect(error).toMatchObject({ code: "3D000", message: 'database "no such; db" does not exist' });
  });

  it("keeps two databases behind one endpoint apart", async () => {
    const other = await emptyDatabase();
    await other.sql`CREATE TABLE only_here (n int)`;
    expect(await database.sql`SELECT to_regclass('only_here') AS found`).toEqual([{ found: null }]);
    expect(await other.sql`SELECT current_database() AS name`).toEqual([{ name: other.name }]);
    await other.drop();
    expect((await thrownBy(other.sql`SELECT 1`)).code).toBe("3D000");
  });
});

describe("a server that goes and comes back", () => {
  it("is a 5xx when a backend is killed outright, which restarts them all", {
    skip: !!process.env.TEST_DATABASE_URL,
  }, async () => {
    const server = await startEmbeddedPostgres();
    const endpoint = await startNeonEndpoint({ backend: pgBackend(server.url) });
    const sql = neon(endpointConnectionString(endpoint.port, "postgres"));
    await sql`CREATE TABLE mark (n int)`;
    await sql`INSERT INTO mark VALUES (1)`;
    const failed = thrownBy(sql`SELECT pg_sleep(600)`);
    await expect.poll(() => sql`SELECT pid FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'`).toHaveLength(1);
    const [sleeping] = await sql`SELECT pid FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'`;
    process.kill(sleeping?.pid, "SIGKILL");
    expect((await failed).message).toContain("HTTP status 503");
    await expect
      .poll(() => sql`SELECT count(*)::int AS n FROM mark`.catch((error: NeonDbError) => error.message), {
        timeout: 20_000,
      })
      .toEqual([{ n: 1 }]);
    await endpoint.close();
    await server.stop();
  });

  it("is a 5xx while it is away and works again afterwards", { skip: !!process.env.TEST_DATABASE_URL }, async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "mailfeed-test-"));
    const first = await startEmbeddedPostgres({ dataDir });
    const port = Number(new URL(first.url).port);
    const endpoint = await startNeonEndpoint({ backend: pgBackend(first.url) });
    const sql = neon(endpointConnectionString(endpoint.port, "postgres"));
    await sql`CREATE TABLE kept AS SELECT 42 AS n`;

    await first.stop();
    const error = await thrownBy(sql`SELECT 1`);
    expect(error.message).toMatch(/HTTP status 503.*ECONNREFUSED/);

    const again = await startEmbeddedPostgres({ dataDir, port });
    expect(await sql`SELECT n FROM kept`).toEqual([{ n: 42 }]);
    await endpoint.close();
    await again.stop();
    await rm(dataDir, { recursive: true });
  });
});

describe("the endpoint itself", () => {
  const output: QueryOutput = { fields: [], rows: [], command: "SELECT", rowCount: 0 };
  const answering = (run: Backend["run"]): Backend => ({ run, close: async () => undefined });
  const open: NeonEndpoint[] = [];
  const start = async (...[options]: Parameters<typeof startNeonEndpoint>) => {
    neonConfig.fetchEndpoint = localFetchEndpoint;
    const endpoint = await startNeonEndpoint(options);
    open.push(endpoint);
    return { endpoint, sql: neon(endpointConnectionString(endpoint.port, "any")) };
  };
  afterEach(async () => {
    await Promise.all(open.splice(0).map((endpoint) => endpoint.close()));
  });

  it("hands on what was asked: database, modes, texts and parameters", async () => {
    const seen: unknown[] = [];
    const { sql } = await start({
      backend: answering(async (queries, { database, transaction }) => {
        seen.push({ queries: queries.map(({ text, params }) => ({ text, params })), database, transaction });
        return queries.map(() => output);
      }),
    });
    await sql`SELECT ${1}, ${null}`;
    await sql.transaction([sql`SELECT ${"a"}`], { isolationLevel: "ReadCommitted" });
    expect(seen).toEqual([
      { queries: [{ text: "SELECT $1, $2", params: ["1", null] }], database: "any", transaction: undefined },
      {
        queries: [{ text: "SELECT $1", params: ["a"] }],
        database: "any",
        transaction: { isolationLevel: "ReadCommitted", readOnly: false, deferrable: false },
      },
    ]);
  });

  it("refuses a request over the limit without running it, and takes one at the limit", async () => {
    let ran = 0;
    const backend = answering(async () => {
      ran++;
      return [output];
    });
    const bytesOf = (text: string) => JSON.stringify({ query: "SELECT $1", params: [text] }).length;
    const { sql } = await start({ backend, maxRequestBytes: bytesOf("x".repeat(1_000)) });
    await sql`SELECT ${"x".repeat(1_000)}`;
    expect(ran).toBe(1);
    const error = await thrownBy(sql`SELECT ${"x".repeat(1_001)}`);
    expect(error.message).toMatch(/HTTP status 413.*request is too large/);
    expect(ran).toBe(1);
  });

  it("refuses to answer more than the limit", async () => {
    const field = { name: "a", dataTypeID: 25, tableID: 0, columnID: 0, dataTypeSize: -1, dataTypeModifier: -1 };
    const backend = answering(async () => [{ ...output, fields: [field], rows: [["é".repeat(1_000)]] }]);
    const { sql } = await start({ backend, maxResponseBytes: 2_000 });
    expect((await thrownBy(sql`SELECT 1`)).message).toMatch(/HTTP status 507.*response is too large/);
  });

  it("answers 503 for a backend that cannot be asked, even one that throws no Error", async () => {
    const { sql } = await start({ backend: answering(() => Promise.reject("gone")) });
    expect((await thrownBy(sql`SELECT 1`)).message).toMatch(/HTTP status 503.*gone/);
  });

  it("ends requests in flight when it closes, and tells the backend", async () => {
    const asked = Promise.withResolvers<AbortSignal>();
    const { endpoint, sql } = await start({
      backend: answering((_, { signal }) => {
        asked.resolve(signal);
        return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      }),
    });
    const failed = thrownBy(sql`SELECT 1`);
    const signal = await asked.promise;
    await endpoint.close();
    await failed;
    expect(signal.aborted).toBe(true);
  });

  it("has its own doors beside /sql and nothing else", async () => {
    const { endpoint } = await start({
      backend: answering(async () => [output]),
      routes: {
        "POST /echo": async (body) => ({ body }),
        "POST /fail": () => Promise.reject(new Error("broken door")),
      },
    });
    const at = (path: string) => new URL(path, endpoint.url);
    expect(await (await fetch(at("/echo"), { method: "POST", body: '{"a":1}' })).json()).toEqual({ body: { a: 1 } });
    const failed = await fetch(at("/fail"), { method: "POST" });
    expect([failed.status, await failed.text()]).toEqual([500, expect.stringContaining("broken door")]);
    expect((await fetch(at("/sql"))).status).toBe(404);
    expect((await fetch(at("/other"), { method: "POST" })).status).toBe(404);
  });

  it("says which port is taken", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const address = other.address();
    const port = typeof address === "object" ? (address?.port ?? 0) : 0;
    await expect(startNeonEndpoint({ backend: answering(async () => []), port })).rejects.toThrow(
      `Port ${port} on 127.0.0.1 is taken by another program`,
    );
    other.close();
  });
});
