/**
 * What it costs to hold a snapshot against the records of its feed: time in the database, bytes over the wire, CPU here.
 *
 *   node bench/reconcile.ts [--rows 300000] [--drift 0] [--runs 5]
 *
 * One JSON line per measure, for a comparison by row hashes (columns are the same on both sides) and by values (they are
 * not). `--drift` rows are changed behind the back of the feed: a third deleted, a third edited, a third new. The server is
 * chosen as in bench/apply.ts. Database time is what pg_stat_statements counts; bytes are the bodies of requests and answers.
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
import { applyHandler } from "../src/apply/handler.ts";
import { columnSchema } from "../src/domain/column.ts";
import { orderKeyOf } from "../src/domain/ids.ts";
import { applyFileMessage } from "../src/domain/messages.ts";
import { planFile } from "../src/plan/plan-file.ts";
import { postgres } from "../src/platform/postgres.ts";
import { comparisonOf } from "../src/reconcile/comparison.ts";
import type { ReconcileDeps, SnapshotFile } from "../src/reconcile/deps.ts";
import { reconcileFile } from "../src/reconcile/handler.ts";
import { cpuBetween, readCpu } from "./apply/cpu.ts";
import { type BenchFile, benchFile, memoryChunks } from "./apply/data.ts";
import type { EndpointReady } from "./apply/endpoint-process.ts";
import { benchServer } from "./apply/server.ts";

const { values: flags } = parseArgs({
  options: {
    rows: { type: "string", default: "300000" },
    drift: { type: "string", default: "0" },
    runs: { type: "string", default: "5" },
  },
});
const ROWS = Number(flags.rows);
const DRIFT = Number(flags.drift);
const RUNS = Number(flags.runs);
const DATABASE = "mailfeed_bench_reconcile";
const MIGRATIONS = join(import.meta.dirname, "../migrations");

/** Of 300,000 records. */
const MAX_DATABASE_MS = 2_000;
const MAX_WIRE_BYTES = 1_000_000;

const server = await benchServer();
const admin = new pg.Client(server.url);
await admin.connect();
await admin.query(`DROP DATABASE IF EXISTS ${DATABASE} WITH (FORCE)`);
await admin.query(`CREATE DATABASE ${DATABASE}`);
const url = withDatabase(server.url, DATABASE);
const endpoint = await startChild<EndpointReady>(new URL("./apply/endpoint-process.ts", import.meta.url), { url });
const { endpointUrl, connectionString } = endpoint.ready;

const wire = { bytes: 0, requests: 0 };
const counting: typeof fetch = async (input, init) => {
  const answer = await fetch(input, init);
  const body = await answer.text();
  wire.requests++;
  wire.bytes += Buffer.byteLength(String(init?.body ?? "")) + Buffer.byteLength(body);
  return new Response(body, { status: answer.status, headers: { "content-type": "application/json" } });
};
const database = postgres(connectionString, { fetchEndpoint: endpointUrl, fetch: counting });
await migrate(neon(connectionString), { folder: MIGRATIONS });

const sql = new pg.Client(url);
await sql.connect();
await sql.query("CREATE EXTENSION IF NOT EXISTS pg_stat_statements");
/** Until the numbers before it are there, the migration waits as a draft. */
const draft = (await readdir(MIGRATIONS)).find((name) => /^\d{4}_reconcile\.sql\.draft$/.test(name));
if (draft !== undefined) {
  for (const statement of parseMigration(draft, await readFile(join(MIGRATIONS, draft), "utf8")).statements) {
    await sql.query(statement);
  }
}
const { rows: versions } = await sql.query<{ version: string }>(
  "SELECT 'Postgres ' || current_setting('server_version') AS version",
);
const SERVER = `${versions[0]!.version}, ${server.origin}`;

const COLUMNS = (
  [
    ["sku", "identifier"],
    ["description", "text"],
    ["warehouse", "text"],
    ["quantity", "integer"],
    ["price", "text"],
    ["currency", "text"],
    ["counted_on", "text"],
    ["active", "boolean"],
  ] as const
).map(([name, type]) =>
  columnSchema.parse({
    name,
    source: { header: name },
    type,
    ...(type === "boolean" ? { yes: ["1"], no: ["0"] } : {}),
  }),
);
const BY_HASH = comparisonOf({ columns: COLUMNS, key: ["sku"] }, { columns: COLUMNS, key: ["sku"] });

const chunks = memoryChunks();
const waiting = { sleep: (ms: number) => new Promise<void>((done) => setTimeout(done, ms)), random: Math.random };
const log = { info: () => undefined, warn: console.warn, error: console.error };
let made = 0;

async function newFeed(slug: string, mode: string) {
  const { rows } = await sql.query<{ customer_id: number; feed_id: number }>(
    "SELECT * FROM register_feed('bench', 'Bench', $1, 'Stock', $2, 'v1')",
    [slug, mode],
  );
  return { customerId: rows[0]!.customer_id, feedId: rows[0]!.feed_id };
}
const feed = await newFeed("stock", "full");
const snapshots = await newFeed("stock-now", "snapshot");

async function newFile(of: { customerId: number; feedId: number }, file: BenchFile) {
  made++;
  const at = new Date(Date.UTC(2026, 10, 1) + made * 60_000);
  const id = made.toString(16).padStart(32, "0");
  const orderKey = orderKeyOf({
    asOfMs: at.getTime(),
    sequence: 0,
    receivedAtMs: at.getTime(),
    position: 0,
    deliveryId: id,
  });
  await sql.query(
    `INSERT INTO deliveries (id, customer_id, feed_id, door, state, raw_key, raw_bytes, raw_sha256, sender, sender_proof, received_at)
     VALUES ($1, $2, $3, 'upload', 'parsing', 'raw', 0, repeat('0', 64), 'bench', 'token', $4)`,
    [id, of.customerId, of.feedId, at],
  );
  const { rows } = await sql.query<{ id: string }>(
    `INSERT INTO files (delivery_id, position, customer_id, feed_id, path, content_type, state, adapter_version, as_of,
       as_of_source, order_key, received_at)
     VALUES ($1, 0, $2, $3, 'stock.csv', 'text/csv', 'parsing', 'v1', $4, 'test', $5, $4) RETURNING id`,
    [id, of.customerId, of.feedId, at, orderKey],
  );
  const fileId = rows[0]!.id;
  await sql.query(
    `UPDATE files SET state = 'parsed', chunks = $2, lines = $3, header_lines = 0, preamble_lines = 0, footer_lines = 0,
       blank_lines = 0, continuation_lines = 0, accepted = $3, rejected = 0, parsed_at = now() WHERE id = $1`,
    [fileId, JSON.stringify(file.entries), file.rows],
  );
  chunks.put(fileId, file);
  return { fileId, orderKey };
}

async function apply(file: BenchFile): Promise<number> {
  const { fileId } = await newFile(feed, file);
  const deps = { ...waiting, database, chunks };
  const from = performance.now();
  await applyHandler(applyFileMessage({ customer: "bench", feed: "stock", correlationId: "0".repeat(32), fileId }), {
    ...deps,
    plan: (f, lease) => planFile(deps, f, { record: true, ...lease }),
    gate: async () => ({ go: { allowed: 0 } }),
    compare: async () => undefined,
    kept: async () => undefined,
    token: randomUUID,
    now: Date.now,
    log,
  });
  return performance.now() - from;
}

/** Scattered over the feed, as far as may be. */
async function drift(): Promise<void> {
  const third = Math.ceil(DRIFT / 3);
  const some = (offset: number, count: number) =>
    `SELECT id FROM (SELECT id, row_number() OVER (ORDER BY natural_key) AS n FROM records) r
     WHERE n % ${Math.floor(ROWS / third)} = ${offset} LIMIT ${count}`;
  await sql.query(`DELETE FROM records WHERE id IN (${some(1, third)})`);
  await sql.query(`UPDATE records SET data = data || '{"quantity": -1}' WHERE id IN (${some(3, third)})`);
  await sql.query(
    `INSERT INTO records (order_key, row_hash, file_id, customer_id, feed_id, line, natural_key, data)
     SELECT order_key, row_hash, file_id, customer_id, feed_id, line, natural_key || '-X', data
     FROM records WHERE id IN (${some(5, DRIFT - 2 * third)})`,
  );
}

interface Measured {
  readonly ms: number;
  readonly databaseMs: number;
  readonly wireBytes: number;
  readonly requests: number;
  readonly clientCpuMs: number;
  readonly postgresCpuMs: number;
  readonly found: number;
}

async function reconcile(by: "hash" | "fields", file: BenchFile): Promise<Measured> {
  const { fileId, orderKey } = await newFile(snapshots, file);
  const snapshot: SnapshotFile = {
    id: fileId,
    adapterVersion: "v1",
    chunks: file.entries,
    ...feed,
    orderKey,
    accepted: file.rows,
    rejected: 0,
  };
  // The files of the bench are looked up by id alone.
  const deps: ReconcileDeps = { ...waiting, database, chunks: chunks as ReconcileDeps["chunks"], now: Date.now, log };
  await sql.query("SELECT pg_stat_statements_reset()");
  wire.bytes = 0;
  wire.requests = 0;
  const cpu = await readCpu(sql, endpoint.pid);
  const from = performance.now();
  const { numbers, state } = await reconcileFile(deps, snapshot, {
    comparison: { ...BY_HASH, hashes: by === "hash" },
    limits: { maxRows: 1_000, maxShare: 1 },
    marginMs: 0,
  });
  const ms = performance.now() - from;
  const { client, postgres: postgresCpuMs } = cpuBetween(cpu, await readCpu(sql, endpoint.pid));
  const { rows } = await sql.query<{ ms: number }>(
    "SELECT sum(total_exec_time)::float AS ms FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND toplevel",
  );
  if (numbers?.drift !== DRIFT) throw new Error(`Found ${numbers?.drift} of ${DRIFT} (${state})`);
  return {
    ms,
    databaseMs: rows[0]!.ms,
    wireBytes: wire.bytes,
    requests: wire.requests,
    clientCpuMs: client,
    postgresCpuMs,
    found: numbers.drift,
  };
}

try {
  console.error(SERVER);
  const { chunks: _, ...file } = benchFile(ROWS);
  await apply(file);
  await sql.query("VACUUM (ANALYZE) records, changes_default, seen, ledger, files, feeds");
  const applied: number[] = [];
  for (let run = 0; run < RUNS; run++) applied.push(await apply(file));
  if (DRIFT > 0) await drift();
  await sql.query("VACUUM (ANALYZE) records");
  for (const by of ["hash", "fields"] as const) {
    const runs: Measured[] = [];
    for (let run = 0; run < RUNS; run++) runs.push(await reconcile(by, file));
    summarize(by, runs, median(applied));
  }
} finally {
  await sql.end();
  await endpoint.stop();
  await admin.query(`DROP DATABASE IF EXISTS ${DATABASE} WITH (FORCE)`);
  await admin.end();
  await server.stop();
}

function summarize(by: string, runs: readonly Measured[], applyMs: number): void {
  const of = (field: keyof Measured) => median(runs.map((run) => run[field]));
  const say = (measure: string, value: number, target: number | undefined, more: object = {}) =>
    console.log(
      JSON.stringify({
        measure: `reconcile by ${by}: ${measure}`,
        value: Number(value.toFixed(3)),
        rows: ROWS,
        drift: DRIFT,
        runs: RUNS,
        server: SERVER,
        ...(target === undefined ? {} : { target, met: value <= target }),
        ...more,
      }),
    );
  say("database ms", of("databaseMs"), MAX_DATABASE_MS, { cpuMs: of("postgresCpuMs") });
  say("bytes over the wire", of("wireBytes"), MAX_WIRE_BYTES, { requests: of("requests") });
  say("wall / applying it unchanged", of("ms") / applyMs, undefined, {
    ms: Math.round(of("ms")),
    applyMs: Math.round(applyMs),
  });
  say("client CPU ms", of("clientCpuMs"), undefined);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
