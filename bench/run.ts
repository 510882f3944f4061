/**
 * The bench: what Mailfeed costs and how that compares.
 *
 *   node bench/run.ts [apply] [plan] [retire] [reconcile] [parse] [memory] [fairness] [--rows 300000] [--runs 5] [--preload 0] [--json]
 *
 * `--preload`: records of other feeds that are in the table of apply before. Apply takes the Postgres in DATABASE_URL, else
 * one that Debian's package installed, else that of the npm package, and says which.
 *
 * Standard output: one JSON line per figure, then (without --json) a table of them. Progress goes to standard error.
 * Ends with 1 where a target is missed.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { benchFairness } from "./fairness.ts";
import { benchMemory } from "./memory/memory.ts";
import { type Figure, machine, type Part, type Report, type Sizes, tableOf } from "./parse/figures.ts";
import { hasProc } from "./parse/proc.ts";
import { benchParse } from "./parse.ts";

/** Fewer take no more CPU than the 10 ms to which it is known. */
const MIN_ROWS = 10_000;
/** Five times as many no longer fit into a mail. */
const MAX_ROWS = 330_000;
const MAX_RUNS = 100;
/** 10 GB of table and index. */
const MAX_PRELOAD = 50_000_000;

/** A part that is a script of its own, `bench/<part>.ts`, and says a line for each figure. */
async function benchScript(part: Part, sizes: Sizes & { readonly preload?: number }, report: Report): Promise<void> {
  const script = join(import.meta.dirname, `${part}.ts`);
  const options = Object.entries(sizes).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = spawn(process.execPath, [script, ...options], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<number | null>((done, failed) => child.once("close", done).once("error", failed));
  for await (const line of createInterface({ input: child.stdout })) {
    const figure = figureSaid(part, line, sizes.runs);
    if (figure) report(figure);
  }
  const code = await ended;
  if (code !== 0) throw new Error(`bench/${part}.ts ended with ${code}`);
}

/** A line of such a script: `{measure, value, target?, met?, …}`, where every value without a unit is a ratio but those in bytes. */
function figureSaid(part: Part, line: string, runs: number): Figure | undefined {
  if (!line.startsWith("{")) return undefined;
  const said = JSON.parse(line) as {
    measure?: string;
    value: number;
    target?: number;
    met?: boolean;
    server?: string;
    preload?: number;
  } & Partial<Figure>;
  const { value } = said;
  return {
    part,
    figure: `${said.figure ?? said.measure ?? "unnamed"}${said.preload ? `, ${said.preload} other records` : ""}`,
    value,
    unit: said.unit ?? (said.measure?.endsWith("bytes") ? "bytes" : "×"),
    target: said.target ?? null,
    aim: said.target == null ? null : (said.aim ?? "at-most"),
    met: said.met ?? null,
    runs: said.runs ?? runs,
    min: said.min ?? value,
    median: said.median ?? value,
    max: said.max ?? value,
    machine: said.machine ?? [machine(), said.server].filter(Boolean).join(", "),
  };
}

const PARTS: Readonly<Record<Part, (sizes: Sizes, report: Report) => Promise<void>>> = {
  apply: (sizes, report) => benchScript("apply", { ...sizes, preload }, report),
  plan: (sizes, report) => benchScript("plan", sizes, report),
  retire: (sizes, report) => benchScript("retire", sizes, report),
  reconcile: (sizes, report) => benchScript("reconcile", sizes, report),
  parse: benchParse,
  memory: benchMemory,
  fairness: benchFairness,
};
const isPart = (name: string): name is Part => name in PARTS;

function usage(why: string): never {
  console.error(
    `${why}\nnode bench/run.ts [apply] [plan] [retire] [reconcile] [parse] [memory] [fairness] [--rows 300000] [--runs 5] [--preload 0] [--json]`,
  );
  process.exit(2);
}

const whole = (text: string, name: string, min: number, max: number): number => {
  const value = Number(text);
  return Number.isInteger(value) && value >= min && value <= max
    ? value
    : usage(`--${name} is a whole number from ${min} to ${max}`);
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rows: { type: "string", default: "300000" },
    runs: { type: "string", default: "5" },
    preload: { type: "string", default: "0" },
    json: { type: "boolean", default: false },
  },
});
const unknown = positionals.find((name) => !isPart(name));
if (unknown !== undefined) usage(`there is no part ${unknown}`);
const sizes: Sizes = {
  rows: whole(values.rows, "rows", MIN_ROWS, MAX_ROWS),
  runs: whole(values.runs, "runs", 1, MAX_RUNS),
};
const preload = whole(values.preload, "preload", 0, MAX_PRELOAD);
const wanted = (Object.keys(PARTS) as Part[]).filter((part) => positionals.length === 0 || positionals.includes(part));
if (wanted.some((part) => part === "parse" || part === "memory") && !hasProc()) {
  usage("parse and memory read CPU time and memory from /proc, which this system has not; the others run anywhere");
}

const figures: Figure[] = [];
for (const part of wanted) {
  await PARTS[part](sizes, (figure) => {
    figures.push(figure);
    console.log(JSON.stringify(figure));
  });
}
if (!values.json) console.log(`\n${figures[0]?.machine ?? machine()}\n\n${tableOf(figures)}`);
if (figures.some((figure) => figure.met === false)) process.exitCode = 1;
