/**
 * What it costs to find what a full file no longer names, and to retire it.
 *
 *   node bench/retire.ts [--rows 300000] [--runs 5]
 *
 * One JSON line per measure, with 0, 100 and 3,000 records missing: the forecast before apply, the same after apply with the
 * retirement itself, and both as a ratio to applying the same file unchanged in the same run. The server is chosen as in
 * bench/apply.ts. Database time is what pg_stat_statements counts.
 */
import { randomUUID } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { neon } from "@neondatabase/serverless";
import pg from "pg";
import { startChild } from "../cli/local/child-process.ts";
import { withDatabase } from "../cli/local/pg-backend.ts";
import { migrate, parseMigration } from "../cli/migrate.ts";
import { applyFile } from "../src/apply/apply-file.ts";
import type { ApplyDeps } from "../src/apply/deps.ts";
import { acquireLease, heldLease } from "../src/apply/lease.ts";
import { forecastRetirement, retireMissing } from "../src/apply/retire.ts";
import { orderKeyOf } from "../src/domain/ids.ts";
import { planFile } from "../src/plan/plan-file.ts";
import { postgres } from "../src/platform/postgres.ts";
import { type BenchFile, benchFile, memoryChunks } from "./apply/data.ts";
import type { EndpointReady } from "./apply/endpoint-process.ts";
import { benchServer } from "./apply/server.ts";

const { values: flags } = parseArgs({
  options: {
    rows: { type: "string", default: "300000" },
    runs: { type: "string", default: "5" },
    /** Shows how the statement that finds the missing ones was carried out. */
    explain: { type: "boolean", default: false },
  },
});
const ROWS = Number(flags.rows);
const RUNS = Number(flags.runs);
const MISSING = [0, 100, 3_000] as const;
const DATABASE = "mailfeed_bench_retire";
const MIGRATIONS = join(import.meta.dirname, "../migrations");

/** Of 300,000 records. */
const MAX_DATABASE_MS = 2_000;

const server = await benchServer();
const admin = new pg.Client(server.url);
await admin.connect();
await admin.query(`DROP DATABASE IF EXISTS ${DATABASE} WITH (FORCE)`);
await admin.query(`CREATE DATABASE ${DATABASE}`);
const url = withDatabase(server.url, DATABASE);
const endpoint = await startChild<EndpointReady>(new URL("./apply/endpoint-process.ts", import.meta.url), { url });
const { endpointUrl, connectionString } = endpoint.ready;
const database = postgres(connectionString, { fetchEndpoint: endpointUrl });
await migrate(neon(connectionString), { folder: MIGRATIONS });

const sql = new pg.Client(url);
await sql.connect();
await sql.query("CREATE EXTENSION IF NOT EXISTS pg_stat_statements");
/** Until the numbers before it are there, the migration waits as a draft. */
const draft = (await readdir(MIGRATIONS)).find((name) => /^\d{4}_retire\.sql\.draft$/.test(name));
if (draft !== undefined) {
  for (const statement of parseMigration(draft, await readFile(join(MIGRATIONS, draft), "utf8")).statements) {
    await sql.query(statement);
  }
}
const { rows: versions } = await sql.query<{ version: string }>(
  "SELECT 'Postgres ' || current_setting('server_version') AS version",
);
const SERVER = `${versions[0]!.version}, ${server.origin}`;

const chunks = memoryChunks();
const waiting = { sleep: (ms: number) => new Promise<void>((done) => setTimeout(done, ms)), random: Math.random };
const deps: ApplyDeps = {
  ...waiting,
  database,
  chunks,
  plan: (file, lease) => planFile({ ...waiting, database, chunks }, file, { record: true, ...lease }),
  gate: async () => ({ go: { allowed: 0 } }),
  compare: async () => undefined,
  kept: async () => undefined,
  token: randomUUID,
  now: Date.now,
  log: { info: () => undefined, warn: console.warn, error: console.error },
};
let made = 0;

const { rows: feeds } = await sql.query<{ customer_id: number; feed_id: number }>(
  "SELECT * FROM register_feed('bench', 'Bench', 'stock', 'Stock', 'full', 'v1')",
);
const feed = feeds[0]!;

async function newFile(file: BenchFile): Promise<string> {
  made++;
  const at = new Date(Date.UTC(2026, 10, 1) + made * 60_000);
  const id = made.toString(16).padStart(32, "0");
  const atMs = at.getTime();
  const orderKey = orderKeyOf({ asOfMs: atMs, sequence: 0, receivedAtMs: atMs, position: 0, deliveryId: id });
  await sql.query(
    `INSERT INTO deliveries (id, customer_id, feed_id, door, state, raw_key, raw_bytes, raw_sha256, sender, sender_proof, received_at)
     VALUES ($1, $2, $3, 'upload', 'parsing', 'raw', 0, repeat('0', 64), 'bench', 'token', $4)`,
    [id, feed.customer_id, feed.feed_id, at],
  );
  const { rows } = await sql.query<{ id: string }>(
    `INSERT INTO files (delivery_id, position, customer_id, feed_id, path, content_type, state, adapter_version, as_of,
       as_of_source, order_key, received_at)
     VALUES ($1, 0, $2, $3, 'stock.csv', 'text/csv', 'parsing', 'v1', $4, 'test', $5, $4) RETURNING id`,
    [id, feed.customer_id, feed.feed_id, at, orderKey],
  );
  const fileId = rows[0]!.id;
  await sql.query(
    `UPDATE files SET state = 'parsed', chunks = $2, lines = $3, header_lines = 0, preamble_lines = 0, footer_lines = 0,
       blank_lines = 0, continuation_lines = 0, accepted = $3, rejected = 0, parsed_at = now() WHERE id = $1`,
    [fileId, JSON.stringify(file.entries), file.rows],
  );
  chunks.put(fileId, file);
  return fileId;
}

interface Cost {
  readonly ms: number;
  readonly databaseMs: number;
}

async function cost(work: () => Promise<unknown>): Promise<Cost> {
  await sql.query("SELECT pg_stat_statements_reset()");
  const from = performance.now();
  await work();
  const ms = performance.now() - from;
  const { rows } = await sql.query<{ ms: number }>(
    `SELECT coalesce(sum(total_exec_time), 0)::float AS ms FROM pg_stat_statements
     WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND toplevel AND query NOT LIKE '%pg_stat_statements%'`,
  );
  return { ms, databaseMs: rows[0]!.ms };
}

interface Run {
  readonly apply: Cost;
  readonly forecast: Cost;
  readonly retire: Cost;
}

/** Plans, forecasts, applies, retires and closes a file; `missing` of the feed's records must be found and retired. */
async function send(file: BenchFile, missing: number): Promise<Run> {
  const fileId = await newFile(file);
  const token = randomUUID();
  const acquired = await acquireLease(deps, fileId, token);
  if (acquired.is !== "acquired") throw new Error(acquired.is);
  const taken = acquired.file;
  const lease = heldLease(deps, fileId, token);
  let superseded = 0;
  let forecast: Cost = { ms: 0, databaseMs: 0 };
  let looked = 0;
  const apply = await cost(async () => {
    const plan = await deps.plan(taken, lease);
    superseded = plan.superseded;
    await applyFile(deps, taken, plan, lease);
  });
  await (flags.explain && missing > 0 ? explain(fileId) : undefined);
  forecast = await cost(async () => {
    looked = (await forecastRetirement(deps, fileId)).missing;
  });
  let retired: unknown;
  const retire = await cost(async () => {
    // With nothing allowed it would not even ask: here it is to say what asking costs.
    retired = await retireMissing(deps, taken, { superseded }, { allowed: Math.max(1, missing) }, lease);
  });
  if (looked !== missing || JSON.stringify(retired) !== JSON.stringify({ retired: missing })) {
    throw new Error(`Of ${missing} missing ${looked} were found: ${JSON.stringify(retired)}`);
  }
  const { rows } = await sql.query<{ outcome: string }>("SELECT outcome FROM close_file($1, $2, $3, '{}', NULL)", [
    fileId,
    token,
    superseded,
  ]);
  if (rows[0]!.outcome !== "applied") throw new Error(`The file is ${rows[0]!.outcome}`);
  await sql.query("VACUUM (ANALYZE) records, changes_default, seen, ledger, files, feeds");
  return { apply, forecast, retire };
}

async function explain(fileId: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  client.on("notice", (notice) => console.error(notice.message));
  await client.query(
    `LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on;
     SET auto_explain.log_analyze = on; SET auto_explain.log_buffers = on; SET client_min_messages = log`,
  );
  await client.query("SELECT * FROM missing_records($1, 10)", [fileId]);
  await client.end();
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

try {
  console.error(SERVER);
  const { chunks: _, ...all } = benchFile(ROWS);
  await send(all, 0);
  for (const missing of MISSING) {
    const { chunks: __, ...file } = benchFile(ROWS - missing);
    const runs: Run[] = [];
    const unchanged: number[] = [];
    for (let run = 0; run < RUNS; run++) {
      runs.push(await send(file, missing));
      await send(all, 0);
      unchanged.push((await send(all, 0)).apply.ms);
    }
    summarize(missing, runs, median(unchanged));
  }
} finally {
  await sql.end();
  await endpoint.stop();
  await admin.query(`DROP DATABASE IF EXISTS ${DATABASE} WITH (FORCE)`);
  await admin.end();
  await server.stop();
}

function summarize(missing: number, runs: readonly Run[], applyMs: number): void {
  for (const step of ["forecast", "retire"] as const) {
    const databaseMs = median(runs.map((run) => run[step].databaseMs));
    const ms = median(runs.map((run) => run[step].ms));
    const line = { rows: ROWS, missing, runs: RUNS, server: SERVER };
    const name = step === "forecast" ? "finding what is missing" : "retiring it";
    const value = Number(databaseMs.toFixed(1));
    const target = step === "forecast" ? { target: MAX_DATABASE_MS, met: databaseMs <= MAX_DATABASE_MS } : {};
    console.log(JSON.stringify({ measure: `retire: ${name}, database ms`, value, ...target, ...line }));
    console.log(
      JSON.stringify({
        measure: `retire: ${name} / applying the file unchanged`,
        value: Number((ms / applyMs).toFixed(3)),
        ms: Math.round(ms),
        applyMs: Math.round(applyMs),
        ...line,
      }),
    );
  }
}
