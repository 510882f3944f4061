/**
 * What it costs to know what a file would do: the plan alone, which writes nothing, and a whole dry run, which looks at rows and
 * judges them as well; as a ratio to applying the same file unchanged in the same run.
 *
 *   node bench/plan.ts [--rows 300000] [--runs 15]
 *
 * One JSON line per figure. The server is chosen as in bench/apply.ts.
 */
import { parseArgs } from "node:util";
import { dryRunFile } from "../src/dry-run/dry-run.ts";
import { planFile } from "../src/plan/plan-file.ts";
import { readFile } from "../src/plan/read-file.ts";
import { type BenchFile, benchFile } from "./apply/data.ts";
import { benchWorld, type Cost, say } from "./apply/world.ts";

const { values: flags } = parseArgs({
  options: { rows: { type: "string", default: "300000" }, runs: { type: "string", default: "15" } },
});
const ROWS = Number(flags.rows);
const RUNS = Number(flags.runs);

/** Who asks what a file would do must not wait as long as one whose file is applied. */
const MAX_PLAN_SHARE = 0.6;

/** One row in twenty, scattered: Knuth's multiplicative hash of its number. */
const isChanged = (i: number) => Math.imul(i, 2_654_435_761) >>> 0 < 2 ** 32 / 20;

const world = await benchWorld("mailfeed_bench_plan");
const { database, chunks, asking } = world;
const { sleep, random } = asking;
const feed = await world.newFeed("stock", "full");

/** The plan of a file that is not applied; it must find `expected` changes. */
async function plan(file: BenchFile, expected: number): Promise<Cost> {
  const { fileId } = await world.newFile(feed, file);
  const planning = { sleep, random, database, chunks };
  let changed = -1;
  const cost = await world.cost(async () => {
    const planned = await planFile(planning, await readFile(planning, fileId), { record: false });
    changed = planned.mode === "diff" ? planned.changed : -1;
  });
  if (changed !== expected) throw new Error(`${changed} rows would change, not ${expected}`);
  await world.sql.query("DELETE FROM files WHERE id = $1", [fileId]);
  return cost;
}

/** What a file would do, asked and told. */
async function ask(file: BenchFile, expected: number): Promise<Cost> {
  const { fileId } = await world.newFile(feed, file, true);
  let changed = -1;
  const cost = await world.cost(async () => {
    ({ changed } = await dryRunFile(asking, fileId, 0));
  });
  if (changed !== expected) throw new Error(`${changed} rows would change, not ${expected}`);
  await world.sql.query("DELETE FROM ledger WHERE file_id = $1", [fileId]);
  await world.sql.query("DELETE FROM files WHERE id = $1", [fileId]);
  await world.settle();
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
  const runs: Record<"applied" | "unchanged" | "changed" | "asked", Cost>[] = [];
  for (let run = 0; run < RUNS; run++) {
    const applied = await apply(same);
    const made = {
      applied,
      unchanged: await plan(same, 0),
      changed: await plan(other, changes),
      asked: await ask(same, 0),
    };
    console.error(
      `plan, run ${run + 1} of ${RUNS}: ${Object.entries(made).map(([name, { ms, cpu }]) => `${name} ${ms.toFixed(0)} ms (CPU: client ${cpu.client}, endpoint ${cpu.endpoint}, Postgres ${cpu.postgres})`)}`,
    );
    runs.push(made);
  }
  const figure = (measure: string, sample: (run: (typeof runs)[number]) => number, unit: "ms" | "×", atMost?: number) =>
    say(world.server, { measure, samples: runs.map(sample), unit, ...(atMost === undefined ? {} : { atMost }) });
  const rows = `${ROWS} rows`;
  figure(`plan of an unchanged file / applying it, ${rows}`, (r) => r.unchanged.ms / r.applied.ms, "×", MAX_PLAN_SHARE);
  figure(`plan of a file with 5 % changed / applying one unchanged, ${rows}`, (r) => r.changed.ms / r.applied.ms, "×");
  figure(
    `plan of an unchanged file / applying it, database time, ${rows}`,
    (r) => r.unchanged.databaseMs / r.applied.databaseMs,
    "×",
  );
  figure(`dry run of an unchanged file / applying it, ${rows}`, (r) => r.asked.ms / r.applied.ms, "×");
  figure(`plan of an unchanged file, wall, ${rows}`, (r) => r.unchanged.ms, "ms");
  figure(`applying an unchanged file, wall, ${rows}`, (r) => r.applied.ms, "ms");
} finally {
  await world.stop();
}
