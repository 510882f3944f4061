/**
 * What it costs to find what a full file no longer names, and to retire it.
 *
 *   node bench/retire.ts [--rows 300000] [--runs 5] [--explain]
 *
 * One JSON line per figure, with 0, 100 and 3,000 records missing: the forecast before apply, the retirement after it, and both
 * as a ratio to applying the same file unchanged in the same run. The server is chosen as in bench/apply.ts.
 */
import { parseArgs } from "node:util";
import pg from "pg";
import { applyFile } from "../src/apply/apply-file.ts";
import { acquireLease, heldLease } from "../src/apply/lease.ts";
import { forecastRetirement, retireMissing } from "../src/apply/retire.ts";
import { type BenchFile, benchFile } from "./apply/data.ts";
import { benchWorld, type Cost, say } from "./apply/world.ts";

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

/** Of 300,000 records. */
const MAX_DATABASE_MS = 2_000;

const world = await benchWorld("mailfeed_bench_retire");
const { deps, sql } = world;
const feed = await world.newFeed("stock", "full");

interface Run {
  readonly apply: Cost;
  readonly forecast: Cost;
  readonly retire: Cost;
}

/** Plans, forecasts, applies, retires and closes a file; `missing` of the feed's records must be found and retired. */
async function send(file: BenchFile, missing: number): Promise<Run> {
  const { fileId } = await world.newFile(feed, file);
  const token = deps.token();
  const acquired = await acquireLease(deps, fileId, token);
  if (acquired.is !== "acquired") throw new Error(acquired.is);
  const taken = acquired.file;
  const lease = heldLease(deps, fileId, token);
  let superseded = 0;
  let looked = 0;
  const apply = await world.cost(async () => {
    const plan = await deps.plan(taken, lease);
    superseded = plan.superseded;
    await applyFile(deps, taken, plan, lease);
  });
  await (flags.explain && missing > 0 ? explain(fileId) : undefined);
  const forecast = await world.cost(async () => {
    looked = (await forecastRetirement(deps, fileId)).missing;
  });
  let retired: unknown;
  const retire = await world.cost(async () => {
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
  await world.settle();
  return { apply, forecast, retire };
}

async function explain(fileId: string): Promise<void> {
  const client = new pg.Client(world.url);
  await client.connect();
  client.on("notice", (notice) => console.error(notice.message));
  await client.query(
    `LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on;
     SET auto_explain.log_analyze = on; SET auto_explain.log_buffers = on; SET client_min_messages = log`,
  );
  await client.query("SELECT * FROM missing_records($1, 10)", [fileId]);
  await client.end();
}

try {
  console.error(world.server);
  const { chunks: _, ...all } = benchFile(ROWS);
  await send(all, 0);
  for (const missing of MISSING) {
    const { chunks: __, ...file } = benchFile(ROWS - missing);
    const runs: (Run & { unchanged: Cost })[] = [];
    for (let run = 0; run < RUNS; run++) {
      const made = await send(file, missing);
      await send(all, 0);
      runs.push({ ...made, unchanged: (await send(all, 0)).apply });
    }
    for (const [step, doing] of [
      ["forecast", "finding"],
      ["retire", "retiring"],
    ] as const) {
      const figure = (
        what: string,
        sample: (run: (typeof runs)[number]) => number,
        unit: "ms" | "×",
        atMost?: number,
      ) =>
        say(world.server, {
          measure: `${doing} ${missing} missing of ${ROWS} records${what}`,
          samples: runs.map(sample),
          unit,
          ...(atMost === undefined ? {} : { atMost }),
        });
      figure(", database time", (run) => run[step].databaseMs, "ms", MAX_DATABASE_MS);
      figure(" / applying the file unchanged", (run) => run[step].ms / run.unchanged.ms, "×");
    }
  }
} finally {
  await world.stop();
}
