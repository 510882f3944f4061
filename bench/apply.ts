/**
 * How close plan and apply come to what one session with COPY could do: 300,000 rows all new, all unchanged, 5 % changed,
 * and a message that comes again. Same Postgres, same run, same semantics, median of `--runs`; one JSON line per ratio.
 *
 *   node bench/apply.ts [--rows 300000] [--runs 5] [--preload 0] [--stage text|jsonb]
 *
 * `limit` is COPY and one set-based statement in one session, `limit4` the same in four sessions at once.
 *
 * DATABASE_URL names a Postgres to use (a database `mailfeed_bench` is made in it and dropped); else an own one is started,
 * of Debian's package where that is installed. Each line says which.
 * The walls mean something on a quiet machine only; CPU time (client, endpoint and Postgres) and WAL bytes on any.
 */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { neon } from "@neondatabase/serverless";
import pg from "pg";
import { startChild } from "../cli/local/child-process.ts";
import { withDatabase } from "../cli/local/pg-backend.ts";
import { migrate } from "../cli/migrate.ts";
import type { ApplyDeps } from "../src/apply/deps.ts";
import { applyHandler } from "../src/apply/handler.ts";
import { orderKeyOf } from "../src/domain/ids.ts";
import { LANES } from "../src/domain/lanes.ts";
import { applyFileMessage } from "../src/domain/messages.ts";
import { planFile } from "../src/plan/plan-file.ts";
import { postgres } from "../src/platform/postgres.ts";
import { type CpuUse, cpuBetween, readCpu } from "./apply/cpu.ts";
import { type BenchFile, benchFile, memoryChunks } from "./apply/data.ts";
import type { EndpointReady } from "./apply/endpoint-process.ts";
import { copyText, type LimitFile, runLimit, type StageType } from "./apply/limit.ts";
import { benchServer } from "./apply/server.ts";

const { values: flags } = parseArgs({
  options: {
    rows: { type: "string", default: "300000" },
    runs: { type: "string", default: "5" },
    /** Records of 50 other feeds that are in the table before. */
    preload: { type: "string", default: "0" },
    stage: { type: "string", default: "text" },
  },
});
const ROWS = Number(flags.rows);
const RUNS = Number(flags.runs);
const PRELOAD = Number(flags.preload);
const STAGE: StageType = flags.stage === "jsonb" ? "jsonb" : "text";
const DATABASE = "mailfeed_bench";
const PARTS = 4;

const TARGETS = { new: 1.0, unchanged: 0.45, changed: 0.55 } as const;
/** One statement after the other, whatever the phase. */
const SERIAL_TARGET = 1.3;
const MAX_WAL_UNCHANGED_BYTES = 2_000_000;
const MAX_REPLAY_SHARE = 0.05;

type Phase = keyof typeof TARGETS;
const PHASES: readonly Phase[] = ["new", "unchanged", "changed"];

const server = await benchServer();
const adminSession = new pg.Client(server.url);
await adminSession.connect();
await adminSession.query(`DROP DATABASE IF EXISTS ${DATABASE} WITH (FORCE)`);
await adminSession.query(`CREATE DATABASE ${DATABASE}`);
const url = withDatabase(server.url, DATABASE);
const endpoint = await startChild<EndpointReady>(new URL("./apply/endpoint-process.ts", import.meta.url), { url });
const { endpointUrl, connectionString } = endpoint.ready;
const database = postgres(connectionString, { fetchEndpoint: endpointUrl });
await migrate(neon(connectionString), { folder: join(import.meta.dirname, "../migrations") });

const sessions = Array.from({ length: PARTS }, () => new pg.Client(url));
for (const session of sessions) await session.connect();
const sql = sessions[0]!;
const { rows: versions } = await sql.query<{ version: string }>(
  "SELECT 'Postgres ' || current_setting('server_version') AS version",
);
const SERVER = `${versions[0]!.version}, ${server.origin}`;

/** One row in twenty, scattered: Knuth's multiplicative hash of its number. */
const isChanged = (i: number) => Math.imul(i, 2_654_435_761) >>> 0 < 2 ** 32 / 20;

const CHANGED_ROWS = Array.from({ length: ROWS }, (_, i) => i).filter(isChanged).length;

interface Input {
  readonly file: BenchFile;
  readonly copy: { readonly one: Buffer[][]; readonly four: Buffer[][] };
}

function inputOf(phase: Phase): Input {
  const { chunks, ...file } = phase === "changed" ? benchFile(ROWS, isChanged) : benchFile(ROWS);
  return { file, copy: { one: copyText(chunks, 1), four: copyText(chunks, PARTS) } };
}
const INPUTS = Object.fromEntries(PHASES.map((phase) => [phase, inputOf(phase)])) as Record<Phase, Input>;

const chunks = memoryChunks();
let statements = 0;
const counted = {
  query: <Row>(text: string, params: readonly unknown[]) => {
    statements++;
    return database.query<Row>(text, params);
  },
};
const waiting = { sleep: (ms: number) => new Promise<void>((done) => setTimeout(done, ms)), random: Math.random };
const depsWith = (lanes: number): ApplyDeps => ({
  ...waiting,
  database: counted,
  chunks,
  lanes,
  plan: (file, lease) => planFile({ ...waiting, database: counted, chunks, lanes }, file, { record: true, ...lease }),
  gate: async () => ({ go: { allowed: 0 } }),
  compare: async () => undefined,
  kept: async () => undefined,
  token: randomUUID,
  now: Date.now,
  log: { info: () => undefined, warn: console.warn, error: console.error },
});

let made = 0;

async function newFeed(): Promise<{ customerId: number; feedId: number }> {
  made++;
  const { rows } = await sql.query<{ customer_id: number; feed_id: number }>(
    "SELECT * FROM register_feed($1, 'Bench', 'stock', 'Stock', 'full', 'v1')",
    [`bench-${made}`],
  );
  return { customerId: rows[0]!.customer_id, feedId: rows[0]!.feed_id };
}

/** One statement with the triggers asleep: a file is put where the measurement begins, however it would have come there. */
async function force(text: string, params: readonly unknown[]): Promise<Record<string, unknown>[]> {
  await sql.query("SET session_replication_role = replica");
  try {
    return (await sql.query(text, [...params])).rows;
  } finally {
    await sql.query("RESET session_replication_role");
  }
}

async function newFile(feed: { customerId: number; feedId: number }, file: BenchFile): Promise<LimitFile> {
  made++;
  const at = new Date(Date.UTC(2026, 10, 1) + made * 60_000);
  const id = made.toString(16).padStart(32, "0");
  const atMs = at.getTime();
  const orderKey = orderKeyOf({ asOfMs: atMs, sequence: 0, receivedAtMs: atMs, position: 0, deliveryId: id });
  await force(
    `INSERT INTO deliveries (id, customer_id, feed_id, door, state, raw_key, raw_bytes, raw_sha256, sender, sender_proof, received_at)
     VALUES ($1, $2, $3, 'upload', 'parsed', 'raw', 0, repeat('0', 64), 'bench', 'token', $4)`,
    [id, feed.customerId, feed.feedId, at],
  );
  const rows = await force(
    `INSERT INTO files (delivery_id, position, customer_id, feed_id, path, content_type, state, adapter_version, as_of,
       as_of_source, order_key, chunks, lines, header_lines, preamble_lines, footer_lines, blank_lines, continuation_lines,
       accepted, rejected, received_at, parsed_at)
     VALUES ($1, 0, $2, $3, 'stock.csv', 'text/csv', 'parsed', 'v1', $4, 'test', $5, $6, $7, 0, 0, 0, 0, 0, $7, 0, $4, now())
     RETURNING id`,
    [id, feed.customerId, feed.feedId, at, orderKey, JSON.stringify(file.entries), file.rows],
  );
  const fileId = String(rows[0]!.id);
  chunks.put(fileId, file);
  return { ...feed, fileId, orderKey };
}

interface Measured {
  readonly ms: number;
  /** All of `cpu`. */
  readonly cpuMs: number;
  readonly cpu: CpuUse;
  readonly walBytes: number;
  readonly statements: number;
}

const walNow = async () =>
  (await sql.query<{ lsn: string }>("SELECT (pg_current_wal_insert_lsn() - '0/0')::text AS lsn")).rows[0]!.lsn;

async function measure(work: () => Promise<unknown>): Promise<Measured> {
  await sql.query("CHECKPOINT");
  const before = await walNow();
  const statementsBefore = statements;
  const cpuBefore = await readCpu(sql, endpoint.pid);
  const from = performance.now();
  await work();
  const ms = performance.now() - from;
  const cpu = cpuBetween(cpuBefore, await readCpu(sql, endpoint.pid));
  const cpuMs = cpu.client + cpu.endpoint + cpu.postgres;
  return {
    ms,
    cpuMs,
    cpu,
    walBytes: Number(await walNow()) - Number(before),
    statements: statements - statementsBefore,
  };
}

/** What autovacuum does between two files of a feed, done for every contender alike and outside the measured time. */
const settle = () => sql.query("VACUUM (ANALYZE) records, changes_default, seen, ledger, files, feeds");

const message = (fileId: string) =>
  applyFileMessage({ customer: "bench", feed: "stock", correlationId: "0".repeat(32), fileId });

type Contender = "ours" | "serial" | "limit" | "limit4";
const results = new Map<string, Measured[]>();
const note = (name: string, measured: Measured) => {
  results.set(name, [...(results.get(name) ?? []), measured]);
  const { ms, cpuMs, cpu, walBytes } = measured;
  const shares = `(client ${cpu.client}, endpoint ${cpu.endpoint}, Postgres ${cpu.postgres})`;
  console.error(
    `${name.padEnd(22)} ${ms.toFixed(0).padStart(7)} ms ${cpuMs.toFixed(0).padStart(7)} ms CPU ${shares.padEnd(46)} ${(walBytes / 1e6).toFixed(2).padStart(8)} MB WAL`,
  );
};

async function runOurs(name: "ours" | "serial"): Promise<void> {
  const deps = depsWith(name === "ours" ? LANES : 1);
  const feed = await newFeed();
  for (const phase of PHASES) {
    const { fileId } = await newFile(feed, INPUTS[phase].file);
    note(`${name} ${phase}`, await measure(() => applyHandler(message(fileId), deps)));
    await expectBooks(fileId, phase);
    if (name === "ours") await replay(fileId, phase, deps);
    await settle();
  }
}

/** The message comes again; then every statement comes again, as after a worker that died before it closed the file. */
async function replay(fileId: string, phase: Phase, deps: ApplyDeps): Promise<void> {
  const before = await totals();
  note("ours replay", await measure(() => applyHandler(message(fileId), deps)));
  await force("UPDATE files SET state = 'parsed' WHERE id = $1", [fileId]);
  note(`ours resume ${phase}`, await measure(() => applyHandler(message(fileId), deps)));
  const after = await totals();
  if (after !== before) throw new Error(`A replay changed something: ${before} before, ${after} after`);
  await expectBooks(fileId, phase);
}

const totals = async () =>
  JSON.stringify(
    (
      await sql.query(
        "SELECT (SELECT sum(version) FROM records) AS versions, (SELECT count(*) FROM changes) AS changes",
      )
    ).rows[0],
  );

async function expectBooks(fileId: string, phase: Phase): Promise<void> {
  const { rows } = await sql.query("SELECT state, inserted, changed, unchanged FROM files WHERE id = $1", [fileId]);
  const changed = phase === "changed" ? CHANGED_ROWS : 0;
  const inserted = phase === "new" ? ROWS : 0;
  const expected = { state: "applied", inserted, changed, unchanged: ROWS - inserted - changed };
  if (JSON.stringify(rows[0]) !== JSON.stringify(expected)) {
    throw new Error(`The books of ${phase} are ${JSON.stringify(rows[0])} instead of ${JSON.stringify(expected)}`);
  }
}

async function runYardstick(contender: "limit" | "limit4"): Promise<void> {
  const feed = await newFeed();
  for (const phase of PHASES) {
    const file = await newFile(feed, INPUTS[phase].file);
    const parts = contender === "limit" ? INPUTS[phase].copy.one : INPUTS[phase].copy.four;
    note(`${contender} ${phase}`, await measure(() => runLimit(sessions, parts, file, STAGE)));
    await settle();
  }
}

/** An empty table for every contender; with `--preload` one that is never empty and only grows. */
async function clear(): Promise<void> {
  if (PRELOAD === 0)
    await sql.query("TRUNCATE records, changes, seen, ledger, files, deliveries, feeds, customers CASCADE");
  await settle();
}

async function preload(): Promise<void> {
  await sql.query(
    `INSERT INTO records (order_key, row_hash, file_id, customer_id, feed_id, line, natural_key, data)
     SELECT '00000000-0000-0000-0000-000000000001', md5(i::text)::uuid, 0, 1000000 + i % 50, 1000000 + i % 50, i, 'ART-' || lpad((i::bigint * 7919 % 1000000007)::text, 10, '0'),
       jsonb_build_object('sku', i, 'description', 'Hexagon bolt', 'quantity', i % 1000, 'price', i % 777)
     FROM generate_series(1, $1::int) i`,
    [PRELOAD],
  );
}

try {
  console.error(`${SERVER}; ${PRELOAD} records of other feeds`);
  if (PRELOAD > 0) await preload();
  for (let run = 0; run < RUNS; run++) {
    for (const contender of ["ours", "serial", "limit", "limit4"] as Contender[]) {
      await clear();
      await (contender === "ours" || contender === "serial" ? runOurs(contender) : runYardstick(contender));
    }
  }
  summarize();
} finally {
  for (const session of sessions) await session.end();
  await endpoint.stop();
  await adminSession.query(`DROP DATABASE IF EXISTS ${DATABASE} WITH (FORCE)`);
  await adminSession.end();
  await server.stop();
}

function summarize(): void {
  const say = (measure: string, value: number, target: number | undefined, more: Record<string, number>) =>
    console.log(
      JSON.stringify({
        measure,
        value: Number(value.toFixed(3)),
        server: SERVER,
        preload: PRELOAD,
        ...(target === undefined ? {} : { target, met: value <= target }),
        ...more,
      }),
    );
  for (const phase of PHASES) {
    const ours = median(`ours ${phase}`, "ms");
    const limit = median(`limit ${phase}`, "ms");
    const limit4 = median(`limit4 ${phase}`, "ms");
    const walls = {
      rows: ROWS,
      runs: RUNS,
      oursMs: ours,
      limitMs: limit,
      limit4Ms: limit4,
      oursCpuMs: median(`ours ${phase}`, "cpuMs"),
      limitCpuMs: median(`limit ${phase}`, "cpuMs"),
      requests: median(`ours ${phase}`, "statements"),
    };
    say(`${phase}: ours / limit`, ours / limit, TARGETS[phase], walls);
    say(`${phase}: CPU, ours / limit`, walls.oursCpuMs / walls.limitCpuMs, undefined, {});
    say(`${phase}: ours / limit4`, ours / limit4, undefined, { limit4: limit4 / limit });
    say(`${phase}: one after the other / limit`, median(`serial ${phase}`, "ms") / limit, SERIAL_TARGET, {});
    say(`${phase}: resumed / ours`, median(`ours resume ${phase}`, "ms") / ours, undefined, {});
  }
  say("replay / applying", median("ours replay", "ms") / median("ours unchanged", "ms"), MAX_REPLAY_SHARE, {});
  say("unchanged: WAL bytes", median("ours unchanged", "walBytes"), MAX_WAL_UNCHANGED_BYTES, { rows: ROWS });
}

function median(name: string, field: "ms" | "cpuMs" | "walBytes" | "statements"): number {
  const sorted = (results.get(name) ?? []).map((measured) => measured[field]).sort((a, b) => a - b);
  return Math.round(sorted[Math.floor(sorted.length / 2)] ?? Number.NaN);
}
