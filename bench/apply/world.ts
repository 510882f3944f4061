/** A database of its own behind the HTTP endpoint, feeds and parsed files in it, the real gate, and what work on them costs. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { neon } from "@neondatabase/serverless";
import pg from "pg";
import { startChild } from "../../cli/local/child-process.ts";
import { withDatabase } from "../../cli/local/pg-backend.ts";
import { migrate } from "../../cli/migrate.ts";
import type { ApplyDeps } from "../../src/apply/deps.ts";
import { applyHandler } from "../../src/apply/handler.ts";
import { defineFeed } from "../../src/domain/adapter.ts";
import { orderKeyOf } from "../../src/domain/ids.ts";
import { applyFileMessage } from "../../src/domain/messages.ts";
import type { DryRunDeps } from "../../src/dry-run/deps.ts";
import { dryRunDeps } from "../../src/dry-running.ts";
import { gateFile } from "../../src/gate/handler.ts";
import { gateDeps } from "../../src/gating.ts";
import { planFile } from "../../src/plan/plan-file.ts";
import { type Database, postgres } from "../../src/platform/postgres.ts";
import { type CpuUse, cpuBetween, readCpu } from "./cpu.ts";
import { type BenchFile, memoryChunks } from "./data.ts";
import type { EndpointReady } from "./endpoint-process.ts";
import { benchServer } from "./server.ts";

/** What the rows of `benchFile` are. */
export const BENCH_FEED = defineFeed({
  customer: "bench",
  customerTitle: "Bench",
  feed: "stock",
  title: "Stock",
  mode: "full",
  intake: { policy: "trust-address", senders: ["@bench.example"] },
  file: { charset: "utf-8", delimiter: ",", header: true },
  columns: [
    { name: "sku", source: { header: "sku" }, type: "identifier" },
    { name: "description", source: { header: "description" }, type: "text" },
    { name: "warehouse", source: { header: "warehouse" }, type: "text" },
    { name: "quantity", source: { header: "quantity" }, type: "integer" },
    { name: "price", source: { header: "price" }, type: "text" },
    { name: "currency", source: { header: "currency" }, type: "text" },
    { name: "counted_on", source: { header: "counted_on" }, type: "text" },
    { name: "active", source: { header: "active" }, type: "boolean", yes: ["1"], no: ["0"] },
  ],
  key: ["sku"],
});

export interface BenchFeed {
  readonly customerId: number;
  readonly feedId: number;
}

export interface Cost {
  readonly ms: number;
  /** What pg_stat_statements counts. */
  readonly databaseMs: number;
  /** Bodies of requests and answers. */
  readonly wireBytes: number;
  readonly requests: number;
  readonly cpu: CpuUse;
}

export interface BenchWorld {
  readonly url: string;
  /** Which Postgres it is, for people. */
  readonly server: string;
  readonly sql: pg.Client;
  readonly database: Database;
  readonly chunks: ReturnType<typeof memoryChunks>;
  readonly deps: ApplyDeps;
  readonly asking: DryRunDeps;
  newFeed(slug: string, mode: "full" | "delta" | "snapshot"): Promise<BenchFeed>;
  /** A file at the end of parse, a minute after the one before; `dryRun`: it only asks. */
  newFile(feed: BenchFeed, file: BenchFile, dryRun?: boolean): Promise<{ fileId: string; orderKey: string }>;
  /** The apply stage, from its message to the end. Throws where the file does not land. */
  apply(fileId: string): Promise<void>;
  cost(work: () => Promise<unknown>): Promise<Cost>;
  /** What autovacuum does between two files of a feed. */
  settle(): Promise<void>;
  stop(): Promise<void>;
}

export async function benchWorld(name: string): Promise<BenchWorld> {
  const server = await benchServer();
  const admin = new pg.Client(server.url);
  await admin.connect();
  await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  await admin.query(`CREATE DATABASE ${name}`);
  const url = withDatabase(server.url, name);
  const endpoint = await startChild<EndpointReady>(new URL("./endpoint-process.ts", import.meta.url), { url });
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
  await migrate(neon(connectionString), { folder: join(import.meta.dirname, "../../migrations") });

  const sql = new pg.Client(url);
  await sql.connect();
  await sql.query("CREATE EXTENSION IF NOT EXISTS pg_stat_statements");
  const { rows } = await sql.query<{ version: string }>("SELECT current_setting('server_version') AS version");

  const chunks = memoryChunks();
  const waiting = { sleep: (ms: number) => new Promise<void>((done) => setTimeout(done, ms)), random: Math.random };
  const log = { info: () => undefined, warn: console.warn, error: console.error };
  const whole: ApplyDeps["chunks"]["whole"] = (file, entry) => chunks.whole(file, entry);
  const gating = { ...waiting, database, whole, adapterOf: () => BENCH_FEED };
  const gate = gateDeps({ ...gating, addressSecret: "bench", uuid: randomUUID, log });
  const deps: ApplyDeps = {
    ...waiting,
    database,
    chunks,
    plan: (file, lease) => planFile({ ...waiting, database, chunks }, file, { record: true, ...lease }),
    gate: (plan, file, lease) => gateFile(gate, file, plan, lease, Date.now()),
    compare: async () => undefined,
    kept: async () => undefined,
    token: randomUUID,
    now: Date.now,
    log,
  };
  let made = 0;

  return {
    url,
    server: `Postgres ${rows[0]!.version}, ${server.origin}`,
    sql,
    database,
    chunks,
    deps,
    asking: dryRunDeps({
      ...gating,
      postgres: database,
      head: (file, entry) => chunks.head(file, entry),
      mailDomain: "bench.example",
      now: () => new Date(),
    }),
    async newFeed(slug, mode) {
      const { rows: feeds } = await sql.query<{ customer_id: number; feed_id: number }>(
        "SELECT * FROM register_feed('bench', 'Bench', $1, 'Stock', $2, 'v1')",
        [slug, mode],
      );
      return { customerId: feeds[0]!.customer_id, feedId: feeds[0]!.feed_id };
    },
    async newFile({ customerId, feedId }, file, dryRun = false) {
      made++;
      const at = new Date(Date.UTC(2026, 10, 1) + made * 60_000);
      const atMs = at.getTime();
      const id = made.toString(16).padStart(32, "0");
      const orderKey = orderKeyOf({ asOfMs: atMs, sequence: 0, receivedAtMs: atMs, position: 0, deliveryId: id });
      await sql.query(
        `INSERT INTO deliveries (id, customer_id, feed_id, door, state, raw_key, raw_bytes, raw_sha256, sender, sender_proof, received_at)
         VALUES ($1, $2, $3, 'upload', 'parsing', 'raw', 0, repeat('0', 64), 'bench', 'token', $4)`,
        [id, customerId, feedId, at],
      );
      const { rows: files } = await sql.query<{ id: string }>(
        `INSERT INTO files (delivery_id, position, customer_id, feed_id, path, content_type, state, adapter_version, as_of,
           as_of_source, order_key, received_at, cause, compare_only)
         VALUES ($1, 0, $2, $3, 'stock.csv', 'text/csv', 'parsing', 'v1', $4, 'test', $5, $4,
           CASE WHEN $6::boolean THEN 'dry-run' ELSE 'delivery' END, $6) RETURNING id`,
        [id, customerId, feedId, at, orderKey, dryRun],
      );
      const fileId = String(files[0]!.id);
      await sql.query(
        `UPDATE files SET state = 'parsed', chunks = $2, lines = $3, header_lines = 0, preamble_lines = 0, footer_lines = 0,
           blank_lines = 0, continuation_lines = 0, accepted = $3, rejected = 0, parsed_at = now() WHERE id = $1`,
        [fileId, JSON.stringify(file.entries), file.rows],
      );
      chunks.put(fileId, file);
      return { fileId, orderKey };
    },
    async apply(fileId) {
      const said = { customer: "bench", feed: "stock", correlationId: "0".repeat(32), fileId };
      const { done } = await applyHandler(applyFileMessage(said), deps);
      if (done !== "applied") throw new Error(`file ${fileId} is ${done}`);
    },
    async cost(work) {
      await sql.query("SELECT pg_stat_statements_reset()");
      Object.assign(wire, { bytes: 0, requests: 0 });
      const cpu = await readCpu(sql, endpoint.pid);
      const from = performance.now();
      await work();
      const ms = performance.now() - from;
      const used = cpuBetween(cpu, await readCpu(sql, endpoint.pid));
      const counted = await sql.query<{ ms: number }>(
        `SELECT coalesce(sum(total_exec_time), 0)::float AS ms FROM pg_stat_statements
         WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND toplevel
           AND query NOT LIKE '%pg_stat_statements%'`,
      );
      return { ms, databaseMs: counted.rows[0]!.ms, wireBytes: wire.bytes, requests: wire.requests, cpu: used };
    },
    async settle() {
      await sql.query("VACUUM (ANALYZE) records, changes_default, seen, ledger, files, feeds");
    },
    async stop() {
      await sql.end();
      await endpoint.stop();
      await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      await admin.end();
      await server.stop();
    },
  };
}

/** One figure as bench/run.ts reads it. */
export interface Said {
  readonly measure: string;
  readonly samples: readonly number[];
  readonly unit: "ms" | "bytes" | "×";
  readonly atMost?: number;
  readonly more?: object;
}

const DIGITS = 3;

/** Writes a figure as one JSON line: the median of its samples, held against its target. */
export function say(server: string, { measure, samples, unit, atMost, more }: Said): void {
  const sorted = samples.toSorted((a, b) => a - b);
  const rounded = (value: number | undefined) => Number((value ?? Number.NaN).toFixed(unit === "×" ? DIGITS : 0));
  const value = sorted[Math.floor(sorted.length / 2)];
  console.log(
    JSON.stringify({
      measure,
      unit,
      value: rounded(value),
      min: rounded(sorted[0]),
      median: rounded(value),
      max: rounded(sorted.at(-1)),
      runs: samples.length,
      ...(atMost === undefined ? {} : { target: atMost, met: (value ?? Number.NaN) <= atMost }),
      server,
      ...more,
    }),
  );
}
