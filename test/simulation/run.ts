/**
 * `node test/simulation/run.ts --runs 2000 [--from N]`: many runs on all cores, with a summary; exit code 1 on a violation.
 * `node test/simulation/run.ts --seed N [--trace]`: one run again, exactly.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { openEngine } from "./engine.ts";
import { reportOf } from "./report.ts";
import { simulate } from "./simulate.ts";

/** What a worker tells of a run. */
interface Told {
  readonly seed: string;
  readonly effects: number;
  readonly mails: number;
  readonly virtualMs: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly report: string | undefined;
}

/** After so many violations no more runs are begun: whatever it is, more of it helps nobody. */
const MAX_VIOLATED = 10;
/**
 * Runs of one worker; then another takes its place. Whoever is killed in a run is never answered, so what he held stays in
 * memory (about 3 MB a run).
 */
const RUNS_PER_WORKER = 50;

async function work(seeds: readonly string[], tell: (told: Told) => void): Promise<void> {
  const engine = await openEngine();
  for (const seed of seeds) {
    const result = await simulate(seed, engine);
    const { effects, workload, virtualMs, faults } = result;
    tell({ seed, effects, mails: workload.length, virtualMs, faults, report: reportOf(result) });
  }
  await engine.close();
}

const seedsFrom = (from: number, runs: number): string[] => Array.from({ length: runs }, (_, i) => String(from + i));

async function many(runs: number, from: number): Promise<void> {
  const sums = { runs: 0, effects: 0, mails: 0, virtualMs: 0, violated: [] as string[] };
  const faults = new Map<string, number>();
  const startedMs = performance.now();
  const hear = ({ seed, effects, mails, virtualMs, faults: struck, report }: Told) => {
    sums.runs++;
    sums.effects += effects;
    sums.mails += mails;
    sums.virtualMs += virtualMs;
    for (const [kind, times] of Object.entries(struck)) faults.set(kind, (faults.get(kind) ?? 0) + times);
    if (report !== undefined) {
      sums.violated.push(seed);
      process.stdout.write(`\n${report}\n`);
    }
    const seconds = (performance.now() - startedMs) / 1_000;
    process.stderr.write(
      `\r${sums.runs} of ${runs} runs, ${(seconds / sums.runs).toFixed(2)} s a run, ${sums.violated.length} with violations `,
    );
  };
  const threads = Math.min(availableParallelism(), runs);
  const perWorker = Math.min(RUNS_PER_WORKER, Math.ceil(runs / threads));
  let begun = 0;
  const oneAfterTheOther = async () => {
    while (begun < runs && sums.violated.length < MAX_VIOLATED) {
      const workerData = { from: from + begun, runs: Math.min(perWorker, runs - begun) };
      begun += workerData.runs;
      await new Promise<void>((resolve, reject) => {
        const worker = new Worker(import.meta.filename, { workerData });
        worker.on("message", hear);
        worker.on("error", reject);
        worker.on("exit", () => resolve());
      });
    }
  };
  await Promise.all(Array.from({ length: threads }, oneAfterTheOther));
  const days = sums.virtualMs / 86_400_000;
  console.info(
    `\n${sums.runs} runs, ${days.toFixed(0)} virtual days, ${sums.mails} mails, ${sums.effects} effects in ${((performance.now() - startedMs) / 1_000).toFixed(0)} s`,
  );
  const kinds = [...faults].sort(([a], [b]) => (a < b ? -1 : 1));
  console.info(`faults: ${kinds.map(([kind, times]) => `${kind} ${times}`).join(" · ")}`);
  console.info(sums.violated.length === 0 ? "0 violations" : `violations in seeds ${sums.violated.join(", ")}`);
  if (sums.violated.length > 0) process.exitCode = 1;
}

async function one(seed: string, trace: boolean): Promise<void> {
  const engine = await openEngine();
  const result = await simulate(seed, engine);
  await engine.close();
  if (trace) console.info(result.world.trace.last(1_000_000).join("\n"));
  console.info(reportOf(result) ?? `seed ${seed}: 0 violations`);
  console.info(`${result.effects} effects, ${result.workload.length} mails, digest ${result.digest.slice(0, 16)}`);
  console.info(`faults: ${JSON.stringify(result.faults)}`);
  process.exit(result.violations.length > 0 ? 1 : 0);
}

if (!isMainThread && parentPort !== null) {
  const { from, runs } = workerData as { from: number; runs: number };
  const port = parentPort;
  await work(seedsFrom(from, runs), (told) => port.postMessage(told));
  // A timer of the database, set in virtual time, must not keep the process.
  process.exit();
} else if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({
    options: {
      seed: { type: "string" },
      runs: { type: "string", default: "200" },
      from: { type: "string", default: "1" },
      trace: { type: "boolean", default: false },
    },
  });
  if (values.seed === undefined) await many(Number(values.runs), Number(values.from));
  else await one(values.seed, values.trace);
}
