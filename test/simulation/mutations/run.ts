/**
 * `node test/simulation/mutations/run.ts [--only name,…] [--workers N] [--runs N]`: breaks the product's code in one way after
 * another and sees whether the simulator says so. Exit code 1 where one way survives, does not apply to today's code, or is
 * seen by nothing but a crash; and where the code as it is does not keep its promises with the same seeds.
 */
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { copyOf, mutateIn, ROOT } from "./copy.ts";
import { MUTATIONS } from "./list.ts";
import type { Mutation } from "./mutation.ts";
import { SEEDS } from "./seeds.ts";
import { ANSWERS_FD, type Tried } from "./trial.ts";
import { type Outcome, verdictOf } from "./verdict.ts";

const MINUTE_MS = 60_000;
/** All seeds on a machine with much else to do. What takes longer does not come to an end. */
const TRIAL_MS = 30 * MINUTE_MS;

/** Runs the simulator that stands in `folder`. */
function trial(folder: string, seeds: readonly string[]): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const script = join(folder, "test/simulation/mutations/trial.ts");
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", script, ...seeds], {
      cwd: folder,
      timeout: TRIAL_MS,
      stdio: ["ignore", "ignore", "pipe", "pipe"],
    });
    let answers = "";
    let said = "";
    child.stdio[ANSWERS_FD]!.on("data", (block: Buffer) => {
      answers += block.toString();
    });
    child.stderr!.on("data", (block: Buffer) => {
      said = (said + block.toString()).slice(-4_000);
    });
    child.on("error", reject);
    child.on("close", (code, signal) => {
      const runs = answers.split("\n").flatMap((line): Tried[] => (line === "" ? [] : [JSON.parse(line)]));
      const crash = code === 0 ? undefined : `ended by ${signal ?? `code ${code}`}\n${said.trim()}`;
      resolve({ runs, crash });
    });
  });
}

/** Each of `items` to `work`, `workers` of them at once. */
async function atOnce<T>(workers: number, items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const lane = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: workers }, lane));
}

const secondsSince = (startedMs: number): string => `${((performance.now() - startedMs) / 1_000).toFixed(0)} s`;

/** True: with these seeds the code keeps its promises, so what is seen later is the mutation. */
async function soundWithout(root: string, seeds: readonly string[], workers: number): Promise<boolean> {
  const startedMs = performance.now();
  const shares = Array.from({ length: workers }, (_, first) => seeds.filter((_, i) => i % workers === first));
  let sound = true;
  await atOnce(workers, shares, async (share) => {
    const { runs, crash } = await trial(root, share);
    for (const { seed, violation } of runs) {
      if (violation === undefined) continue;
      sound = false;
      console.error(`without a mutation seed ${seed} breaks “${violation.rule}”: ${violation.found}`);
    }
    if (crash !== undefined) {
      sound = false;
      console.error(`the simulator does not run: ${crash}`);
    }
  });
  if (sound) console.info(`the code as it is: ${seeds.length} seeds, no violation (${secondsSince(startedMs)})`);
  return sound;
}

/** One mutation in a copy of its own. True: the simulator saw it. */
async function seen(mutation: Mutation, root: string, seeds: readonly string[]): Promise<boolean> {
  const startedMs = performance.now();
  const { name, breaks } = mutation;
  const tell = (verdict: string) => console.info(`${name.padEnd(32)} ${verdict} (${secondsSince(startedMs)})`);
  const copy = copyOf(root);
  try {
    try {
      mutateIn(copy.folder, mutation);
    } catch (thrown) {
      tell(`DOES NOT APPLY: ${thrown instanceof Error ? thrown.message : thrown}`);
      return false;
    }
    const { caught, words } = verdictOf(await trial(copy.folder, seeds));
    tell(caught ? words : `${words}: ${breaks}`);
    return caught;
  } finally {
    copy.remove();
  }
}

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    workers: { type: "string", default: String(availableParallelism()) },
    runs: { type: "string", default: String(SEEDS.length) },
    "skip-sound": { type: "boolean", default: false },
  },
});
const workers = Number(values.workers);
const names = values.only?.split(",");
const chosen = MUTATIONS.filter(({ name }) => names === undefined || names.includes(name));
const seeds = SEEDS.slice(0, Number(values.runs));

const startedMs = performance.now();
// One copy of everything, so that nobody's edits get between two trials.
const still = copyOf(ROOT);
let failed = 0;
try {
  if (chosen.length === 0) failed++;
  else if (!values["skip-sound"] && !(await soundWithout(still.folder, seeds, workers))) failed++;
  else {
    await atOnce(workers, chosen, async (mutation) => {
      if (!(await seen(mutation, still.folder, seeds))) failed++;
    });
    console.info(`${chosen.length - failed} of ${chosen.length} mutations caught in ${secondsSince(startedMs)}`);
  }
} finally {
  still.remove();
}
if (failed > 0) process.exitCode = 1;
