/**
 * How much memory parse needs for the largest mails, while the sink is slow: in workerd, and in Node under a capped heap.
 *
 * A slow sink is the case that counts: a chain without back-pressure is fine as long as its consumer is faster than it,
 * and holds the whole file when a database or a store makes it wait. The value of a figure is the worst of its runs.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Outcome } from "../parse/chain.ts";
import { type BenchMail, plainMail, zippedMail } from "../parse/data.ts";
import { type Aim, figureOf, LARGE_FACTOR, type Report, type Sizes } from "../parse/figures.ts";
import { type Chain, measure, storeMail, withWorkerd } from "../parse/workerd.ts";
import { openInspector } from "./inspector.ts";
import type { NodeMemory } from "./node-process.ts";

/** A chunk put into a store or a statement takes about as long. */
const STALL_MS = 25;
/** Between two looks at what is live. */
const SAMPLE_EVERY_MS = 200;
/** Peaks hardly differ between runs, and each run of the large mail waits 8 s and more for its sink. */
const MAX_RUNS = 3;
const HEAP_CAP_MB = 32;
/** Caps the young generation, too. Whatever needs more dies, and with it the bench. */
const HEAP_CAP = `--max-heap-size=${HEAP_CAP_MB}`;
/**
 * Leaves the young generation alone, which V8 lets grow to several times the cap on a machine with much memory: what it
 * adds to resident memory says more about the machine than about the chain. Shown without a target.
 */
const OLD_SPACE_CAP = `--max-old-space-size=${HEAP_CAP_MB}`;
/** Workers, Limits: an isolate has 128 MB, shared by concurrent invocations; three parses at once must fit. */
const MAX_LIVE_MB = 40;
/** Resident memory includes garbage and what the process keeps for later. */
const MAX_RESIDENT_GROWTH_MB = 100;

const megabytes = (bytes: number): number => bytes / 1e6;

interface Case {
  readonly title: string;
  readonly key: string;
  readonly mail: BenchMail;
}

export async function benchMemory({ rows, runs }: Sizes, report: Report): Promise<void> {
  const zipped = zippedMail(rows * LARGE_FACTOR);
  const plain = plainMail(rows);
  const cases: Case[] = [
    { title: `zip of ${sizeOf(zipped.csvBytes)} CSV in a ${sizeOf(zipped.mailBytes)} mail`, key: "zip", mail: zipped },
    { title: `CSV in a ${sizeOf(plain.mailBytes)} mail`, key: "plain", mail: plain },
  ];
  const state = mkdtempSync(join(tmpdir(), "mailfeed-bench-"));
  const samples = new Map<string, number[]>();
  const note = (name: string, bytes: number) => {
    samples.set(name, [...(samples.get(name) ?? []), megabytes(bytes)]);
    console.error(`  ${name.padEnd(28)} ${megabytes(bytes).toFixed(1).padStart(8)} MB`);
  };
  try {
    for (const { key, mail } of cases) await storeMail(state, key, new Uint8Array(readFileSync(mail.path)));
    const rounds = Math.min(runs, MAX_RUNS);
    for (let run = 1; run <= rounds; run++) {
      for (const one of cases) {
        console.error(`memory, ${one.title}, run ${run} of ${rounds}`);
        note(`${one.key} workerd live`, await workerdLive(state, one));
        note(`${one.key} workerd capped`, await workerdResident(state, one, "ours", HEAP_CAP));
        note(`${one.key} workerd uncapped`, await workerdResident(state, one, "ours"));
        note(`${one.key} naive uncapped`, await workerdResident(state, one, "naive"));
        note(`${one.key} node live`, inNode(one, [HEAP_CAP, "--expose-gc"]).liveGrowthBytes);
        note(`${one.key} node capped`, inNode(one, [HEAP_CAP]).residentGrowthBytes);
        note(`${one.key} node old space`, inNode(one, [OLD_SPACE_CAP]).residentGrowthBytes);
      }
    }
  } finally {
    rmSync(state, { recursive: true, force: true });
  }

  const say = (figure: string, name: string, aim?: Aim) =>
    report(figureOf("memory", figure, "MB", samples.get(name)!, aim, true));
  const live = { atMost: MAX_LIVE_MB };
  const resident = { atMost: MAX_RESIDENT_GROWTH_MB };
  for (const { title, key } of cases) {
    say(`live in the isolate, workerd, ${title}`, `${key} workerd live`, live);
    say(`RSS growth, workerd, heap of ${HEAP_CAP_MB} MB, ${title}`, `${key} workerd capped`, resident);
    say(`RSS growth, workerd, no cap, ${title}`, `${key} workerd uncapped`);
    say(`RSS growth, workerd, no cap, naive chain, ${title}`, `${key} naive uncapped`);
    say(`live above the start, Node, heap of ${HEAP_CAP_MB} MB, ${title}`, `${key} node live`, live);
    say(`RSS growth, Node, heap of ${HEAP_CAP_MB} MB, ${title}`, `${key} node capped`, resident);
    say(`RSS growth, Node, old space of ${HEAP_CAP_MB} MB, ${title}`, `${key} node old space`);
  }
}

const sizeOf = (bytes: number): string => `${Math.round(megabytes(bytes))} MB`;

function expectAll({ mail, title }: Case, outcome: Outcome): void {
  if (outcome.accepted === mail.accepted && outcome.rejected === mail.rejected) return;
  throw new Error(`${title}: accepted ${outcome.accepted} of ${mail.accepted}, rejected ${outcome.rejected}`);
}

async function workerdResident(state: string, one: Case, chain: Chain, v8Flags = ""): Promise<number> {
  const measured = await withWorkerd(state, (workerd) => measure(workerd, chain, one.key, STALL_MS), { v8Flags });
  expectAll(one, measured.outcome);
  return measured.residentGrowthBytes;
}

/** The most that was live at any look, the idle isolate's own few megabytes included: the platform counts them, too. */
function workerdLive(state: string, one: Case): Promise<number> {
  return withWorkerd(
    state,
    async (workerd) => {
      if (workerd.inspector === null) throw new Error("workerd has no inspector");
      const inspector = await openInspector(workerd.inspector);
      let live = 0;
      const watch = async () => {
        for (let bytes = await inspector.liveBytes(); bytes !== undefined; bytes = await inspector.liveBytes()) {
          live = Math.max(live, bytes);
          await sleep(SAMPLE_EVERY_MS);
        }
      };
      const request = measure(workerd, "ours", one.key, STALL_MS).finally(() => inspector.close());
      const [{ outcome }] = await Promise.all([request, watch()]);
      expectAll(one, outcome);
      return live;
    },
    { inspect: true },
  );
}

/** Throws where the process dies under its cap. */
function inNode(one: Case, flags: readonly string[]): NodeMemory {
  const said = execFileSync(
    process.execPath,
    [...flags, join(import.meta.dirname, "node-process.ts"), one.mail.path, String(STALL_MS)],
    { encoding: "utf8" },
  );
  const measured = JSON.parse(said) as NodeMemory;
  expectAll(one, measured.outcome);
  return measured;
}
