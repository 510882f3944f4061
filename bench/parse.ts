/**
 * What parse costs in CPU: mail in R2 → openDelivery → parseFile → chunks, in workerd, beside the chain that one writes
 * first (also in workerd) and DuckDB's CSV reader, in one run and by turns.
 *
 * CPU time of the process, not wall time, so that a busy machine disturbs little. Each sample has a fresh process: what
 * the compiler of V8 costs is in it, as it is after a deployment. Local R2 runs in the same process; its CPU is in the
 * figures of both chains.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BenchMail, csvFile, zippedMail } from "./parse/data.ts";
import { type Aim, figureOf, LARGE_FACTOR, type Report, type Sizes } from "./parse/figures.ts";
import { type Chain, measure, storeMail, withWorkerd } from "./parse/workerd.ts";
import { duckdb, installed, python, wordCount } from "./parse/yardsticks.ts";

/** A chain that is careful must be far from the one that is not; measured 0.33 where the tools were chosen. */
const MAX_NAIVE_SHARE = 0.4;
/** DuckDB reads the plain file in C++ and vectors; ours also opens mail and zip, decodes, hashes and writes chunks. */
const MAX_DUCKDB_RATIO = 3;
/** The largest mail (1.5 million rows) then takes 4 s of the 300 s of CPU that a queue consumer has. */
const MIN_ROWS_PER_CPU_SECOND = 400_000;

type Contender = Chain | "large" | "duckdb" | "python" | "wc";

export async function benchParse({ rows, runs }: Sizes, report: Report): Promise<void> {
  const hasDuckDb = installed();
  const mail = zippedMail(rows);
  const large = zippedMail(rows * LARGE_FACTOR);
  const csv = csvFile(rows, "windows-1252");
  const utf8Csv = csvFile(rows, "utf-8");
  const state = mkdtempSync(join(tmpdir(), "mailfeed-bench-"));
  const samples = new Map<Contender, number[]>();
  const note = (contender: Contender, ms: number | undefined) => {
    if (ms === undefined) return;
    samples.set(contender, [...(samples.get(contender) ?? []), ms]);
    console.error(`  ${contender.padEnd(16)} ${ms.toFixed(0).padStart(6)} ms CPU`);
  };

  try {
    await storeMail(state, "usual.eml", new Uint8Array(readFileSync(mail.path)));
    await storeMail(state, "large.eml", new Uint8Array(readFileSync(large.path)));
    for (let run = 1; run <= runs; run++) {
      console.error(`parse, run ${run} of ${runs}`);
      note("ours", await chainCpu(state, "ours", "usual.eml", mail));
      if (hasDuckDb) note("duckdb", duckdb(utf8Csv, mail.accepted));
      note("naive", await chainCpu(state, "naive", "usual.eml", mail));
      note("naive-unhashed", await chainCpu(state, "naive-unhashed", "usual.eml", mail));
      note("large", await chainCpu(state, "ours", "large.eml", large));
      note("python", python(csv));
      note("wc", wordCount(csv));
    }
  } finally {
    rmSync(state, { recursive: true, force: true });
  }

  const of = (contender: Contender) => samples.get(contender) ?? [];
  const say = (figure: string, unit: string, values: readonly number[], aim?: Aim) => {
    if (values.length > 0) report(figureOf("parse", figure, unit, values, aim));
  };
  /** Run by run: what disturbs a run disturbs both sides of its ratio. */
  const ratio = (other: Contender) => of(other).map((ms, run) => of("ours")[run]! / ms);
  const rate = (contender: Contender, count: number) => of(contender).map((ms) => count / (ms / 1_000));
  const usual = `${rows} rows`;
  say(`CPU, ours / naive, ${usual}`, "×", ratio("naive"), { atMost: MAX_NAIVE_SHARE });
  say(`CPU, ours / naive without row hashes, ${usual}`, "×", ratio("naive-unhashed"));
  say(`CPU, ours / DuckDB typed, ${usual}`, "×", ratio("duckdb"), { atMost: MAX_DUCKDB_RATIO });
  const least = { atLeast: MIN_ROWS_PER_CPU_SECOND };
  say(`rows per CPU second, ${usual}, ${megabytes(mail.mailBytes)} MB mail`, "rows/s", rate("ours", rows), least);
  say(
    `rows per CPU second, ${large.rows} rows, ${megabytes(large.mailBytes)} MB mail`,
    "rows/s",
    rate("large", large.rows),
    least,
  );
  say(`CPU, ours, ${usual}`, "ms", of("ours"));
  say(`CPU, ours, ${large.rows} rows`, "ms", of("large"));
  say(`CPU, naive, ${usual}`, "ms", of("naive"));
  say(`CPU, DuckDB, plain UTF-8 file, ${usual}`, "ms", of("duckdb"));
  say(`CPU, Python csv, plain file, untyped, ${usual}`, "ms", of("python"));
  say(`CPU, wc -l, plain file, ${usual}`, "ms", of("wc"));
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);

async function chainCpu(state: string, chain: Chain, key: string, mail: BenchMail): Promise<number> {
  const { outcome, cpuMs } = await withWorkerd(state, (workerd) => measure(workerd, chain, key));
  if (outcome.accepted !== mail.accepted || outcome.rejected !== mail.rejected) {
    throw new Error(`${chain} accepted ${outcome.accepted} of ${mail.accepted} rows and rejected ${outcome.rejected}`);
  }
  return cpuMs;
}
