/**
 * What it costs to hold a snapshot against the records of its feed: time in the database, bytes over the wire, CPU here.
 *
 *   node bench/reconcile.ts [--rows 300000] [--runs 5]
 *
 * One JSON line per figure, for a comparison by row hashes (columns are the same on both sides) and by values (they are
 * not), without drift and with 100 rows changed behind the back of the feed: a third deleted, a third edited, a third new.
 * The server is chosen as in bench/apply.ts.
 */
import { parseArgs } from "node:util";
import { comparisonOf } from "../src/reconcile/comparison.ts";
import type { ReconcileDeps, SnapshotFile } from "../src/reconcile/deps.ts";
import { reconcileFile } from "../src/reconcile/handler.ts";
import { type BenchFile, benchFile } from "./apply/data.ts";
import { BENCH_FEED, benchWorld, type Cost, say } from "./apply/world.ts";

const { values: flags } = parseArgs({
  options: { rows: { type: "string", default: "300000" }, runs: { type: "string", default: "5" } },
});
const ROWS = Number(flags.rows);
const RUNS = Number(flags.runs);
const DRIFT = 100;

/** Of 300,000 records. */
const MAX_DATABASE_MS = 2_000;
const MAX_WIRE_BYTES = 1_000_000;

const BY_HASH = comparisonOf(BENCH_FEED, BENCH_FEED);

const world = await benchWorld("mailfeed_bench_reconcile");
const { deps, sql } = world;
const feed = await world.newFeed("stock", "full");
const snapshots = await world.newFeed("stock-now", "snapshot");

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

async function apply(file: BenchFile): Promise<Cost> {
  const { fileId } = await world.newFile(feed, file);
  const cost = await world.cost(() => world.apply(fileId));
  await world.settle();
  return cost;
}

async function reconcile(by: "hash" | "fields", file: BenchFile, drifted: number): Promise<Cost> {
  const { fileId, orderKey } = await world.newFile(snapshots, file);
  const snapshot: SnapshotFile = {
    id: fileId,
    adapterVersion: "v1",
    chunks: file.entries,
    ...feed,
    orderKey,
    accepted: file.rows,
    unread: 0,
  };
  // The files of the bench are looked up by id alone.
  const chunks = world.chunks as ReconcileDeps["chunks"];
  const { sleep, random, log } = deps;
  let found: number | undefined;
  const cost = await world.cost(async () => {
    const reconciled = await reconcileFile(
      { sleep, random, log, database: world.database, chunks, now: Date.now },
      snapshot,
      {
        comparison: { ...BY_HASH, hashes: by === "hash" },
        limits: { maxRows: 1_000, maxShare: 1 },
        marginMs: 0,
      },
    );
    found = reconciled.numbers?.drift;
  });
  if (found !== drifted) throw new Error(`Found ${found} of ${drifted}`);
  return cost;
}

try {
  console.error(world.server);
  const { chunks: _, ...file } = benchFile(ROWS);
  await apply(file);
  await apply(file);
  const applied: Cost[] = [];
  for (let run = 0; run < RUNS; run++) applied.push(await apply(file));
  for (const drifted of [0, DRIFT]) {
    if (drifted > 0) await drift();
    await sql.query("VACUUM (ANALYZE) records");
    for (const by of ["hash", "fields"] as const) {
      const runs: Cost[] = [];
      for (let run = 0; run < RUNS; run++) runs.push(await reconcile(by, file, drifted));
      const figure = (what: string, samples: readonly number[], unit: "ms" | "bytes" | "×", atMost?: number) =>
        say(world.server, {
          measure: `${ROWS} records, ${drifted} drifted, by ${by}: ${what}`,
          samples,
          unit,
          ...(atMost === undefined ? {} : { atMost }),
        });
      figure(
        "database time",
        runs.map(({ databaseMs }) => databaseMs),
        "ms",
        MAX_DATABASE_MS,
      );
      figure(
        "over the wire",
        runs.map(({ wireBytes }) => wireBytes),
        "bytes",
        MAX_WIRE_BYTES,
      );
      figure(
        "wall / applying it unchanged",
        runs.map(({ ms }, run) => ms / applied[run]!.ms),
        "×",
      );
    }
  }
} finally {
  await world.stop();
}
