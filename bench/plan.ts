/**
 * What it costs to know what a file would do: the plan alone, which writes nothing (a dry run, and what the gate looks at), as
 * a ratio to applying the same file unchanged in the same run.
 *
 *   node bench/plan.ts [--rows 300000] [--runs 5]
 *
 * One JSON line per figure. The server is chosen as in bench/apply.ts.
 */
import { parseArgs } from "node:util";
import { acquireLease } from "../src/apply/lease.ts";
import { planFile } from "../src/plan/plan-file.ts";
import { type BenchFile, benchFile } from "./apply/data.ts";
import { benchWorld, type Cost, say } from "./apply/world.ts";

const { values: flags } = parseArgs({
  options: { rows: { type: "string", default: "300000" }, runs: { type: "string", default: "5" } },
});
const ROWS = Number(flags.rows);
const RUNS = Number(flags.runs);

/** Who asks what a file would do must not wait as long as one whose file is applied. */
const MAX_PLAN_SHARE = 0.6;

/** One row in twenty, scattered: Knuth's multiplicative hash of its number. */
const isChanged = (i: number) => Math.imul(i, 2_654_435_761) >>> 0 < 2 ** 32 / 20;

const world = await benchWorld("mailfeed_bench_plan");
const { deps, database, chunks } = world;
const { sleep, random } = deps;
const feed = await world.newFeed("stock", "full");

/** The plan of a file that is not applied; it must find `expected` changes. */
async function plan(file: BenchFile, expected: number): Promise<Cost> {
  const { fileId } = await world.newFile(feed, file);
  const token = deps.token();
  const taken = await acquireLease(deps, fileId, token);
  if (taken.is !== "acquired") throw new Error(taken.is);
  let changed = -1;
  const cost = await world.cost(async () => {
    const planned = await planFile({ sleep, random, database, chunks }, taken.file, { record: false });
    changed = planned.mode === "diff" ? planned.changed : -1;
  });
  if (changed !== expected) throw new Error(`${changed} rows would change, not ${expected}`);
  await world.sql.query('SELECT hold_file($1, $2, \'{"code": "bench"}\', NULL)', [fileId, token]);
  return cost;
}

async function apply(file: BenchFile): Promise<Cost> {
  const { fileId } = await world.newFile(feed, file);
  const cost = await world.cost(() => world.apply(fileId));
  await world.settle();
  return cost;
}

try {
  console.error(world.server);
  const { chunks: _, ...same } = benchFile(ROWS);
  const { chunks: __, ...other } = benchFile(ROWS, isChanged);
  const changes = Array.from({ length: ROWS }, (___, i) => i).filter(isChanged).length;
  await apply(same);
  await apply(same);
  const runs: { applied: Cost; unchanged: Cost; changed: Cost }[] = [];
  for (let run = 0; run < RUNS; run++) {
    const applied = await apply(same);
    const made = { applied, unchanged: await plan(same, 0), changed: await plan(other, changes) };
    console.error(
      `plan, run ${run + 1} of ${RUNS}: ${Object.entries(made).map(([name, { ms }]) => `${name} ${ms.toFixed(0)} ms`)}`,
    );
    runs.push(made);
  }
  const figure = (measure: string, sample: (run: (typeof runs)[number]) => number, unit: "ms" | "×", atMost?: number) =>
    say(world.server, { measure, samples: runs.map(sample), unit, ...(atMost === undefined ? {} : { atMost }) });
  const rows = `${ROWS} rows`;
  figure(`plan of an unchanged file / applying it, ${rows}`, (r) => r.unchanged.ms / r.applied.ms, "×", MAX_PLAN_SHARE);
  figure(
    `plan of a file with 5 % changed / applying one unchanged, ${rows}`,
    (r) => r.changed.ms / r.applied.ms,
    "×",
    MAX_PLAN_SHARE,
  );
  figure(
    `plan of an unchanged file / applying it, database time, ${rows}`,
    (r) => r.unchanged.databaseMs / r.applied.databaseMs,
    "×",
  );
  figure(`plan of an unchanged file, wall, ${rows}`, (r) => r.unchanged.ms, "ms");
  figure(`applying an unchanged file, wall, ${rows}`, (r) => r.applied.ms, "ms");
} finally {
  await world.stop();
}
