/**
 * Measures the table part of parse (text, rows, types, hash, chunks): CPU and memory, each case in a process of its own.
 *
 *   node bench/parse-table.ts            300,000 and 1,500,000 rows, then 1,500,000 under a 32 MB heap with a stalling sink
 *   node bench/parse-table.ts 100000     that many rows only
 *
 * The file is made beforehand by another process and read in blocks of 64 KiB, so neither its making nor its size is in
 * the figures. `live` is heap and buffers after a collection, sampled while the file is half read; `RSS` is the peak of the
 * process above what it was before the file was opened.
 */
import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { benchInventoryBytes, benchRejects } from "../cli/samples/generate.ts";
import { parseFile } from "../src/parse/table/parse-file.ts";
import { benchInventory } from "./parse/feed.ts";

const BLOCK_BYTES = 65_536;
const RUNS = 3;
/** How long the stalling sink holds each chunk, as a slow store would. */
const STALL_MS = 5;

/**
 * The young generation is limited too: V8 lets it grow to three times 32 MB where nothing is short, and RSS would show that
 * instead of what the parse needs.
 */
const SMALL_HEAP = ["--max-old-space-size=32", "--max-semi-space-size=4"];

interface Figures {
  rows: number;
  cpuMs: number;
  wallMs: number;
  liveMb: number;
  rssMb: number;
}

/** The same buffer again and again, as a pulled stream gives it. */
async function* blocksOf(path: string, atHalf: (read: number) => void): AsyncGenerator<Uint8Array> {
  const file = openSync(path, "r");
  const block = new Uint8Array(BLOCK_BYTES);
  try {
    let total = 0;
    for (let read = readSync(file, block); read > 0; read = readSync(file, block)) {
      total += read;
      atHalf(total);
      yield block.subarray(0, read);
    }
  } finally {
    closeSync(file);
  }
}

const megabytes = (bytes: number): number => Math.round(bytes / 100_000) / 10;

function liveBytes(): number {
  global.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

async function measure(
  path: string,
  rows: number,
  half: number,
  stall: boolean,
  sampleLive: boolean,
): Promise<Figures> {
  const before = liveBytes();
  const rssBefore = process.memoryUsage.rss();
  let rss = rssBefore;
  let live = 0;
  const watch = (read: number) => {
    rss = Math.max(rss, process.memoryUsage.rss());
    if (sampleLive && live === 0 && read >= half) live = liveBytes() - before;
  };
  const start = performance.now();
  const cpu = process.cpuUsage();
  const parsed = await parseFile(benchInventory, blocksOf(path, watch), {
    async chunk() {
      if (stall) await sleep(STALL_MS);
    },
    async rejects() {
      if (stall) await sleep(STALL_MS);
    },
  });
  const used = process.cpuUsage(cpu);
  if (parsed.rows !== rows || parsed.books.rejected !== benchRejects(rows)) {
    throw new Error(`read ${parsed.rows} rows and refused ${parsed.books.rejected}; that is another file`);
  }
  return {
    rows,
    cpuMs: (used.user + used.system) / 1_000,
    wallMs: performance.now() - start,
    liveMb: megabytes(live),
    rssMb: megabytes(Math.max(rss, process.resourceUsage().maxRSS * 1_024) - rssBefore),
  };
}

function child(args: string[], flags: string[] = []): string {
  return execFileSync(process.execPath, [...flags, import.meta.filename, ...args], { encoding: "utf8" });
}

function runCase(path: string, rows: number, title: string, mode: "fast" | "stall", flags: string[]): void {
  const bytes = 120 * rows;
  const figures = Array.from(
    { length: RUNS },
    () => JSON.parse(child(["--measure", path, String(rows), String(bytes / 2), mode], flags)) as Figures,
  ).sort((a, b) => a.cpuMs - b.cpuMs);
  const median = figures[Math.floor(RUNS / 2)]!;
  const rate = Math.round(rows / (median.cpuMs / 1_000));
  const memory = `RSS +${median.rssMb} MB`;
  const live = JSON.parse(
    child(["--measure", path, String(rows), String(bytes / 2), "live"], ["--expose-gc"]),
  ) as Figures;
  console.log(
    `${title}: ${median.cpuMs.toFixed(0)} ms CPU, ${rate.toLocaleString("en")} rows per CPU second, live ${live.liveMb} MB, ${memory}`,
  );
}

const [mode, path, rows, half, sink] = process.argv.slice(2);
if (mode === "--make") {
  writeFileSync(path!, benchInventoryBytes(Number(rows)));
} else if (mode === "--measure") {
  console.log(JSON.stringify(await measure(path!, Number(rows), Number(half), sink === "stall", sink === "live")));
} else {
  const folder = mkdtempSync(join(tmpdir(), "mailfeed-bench-"));
  try {
    const sizes = mode === undefined ? [300_000, 1_500_000] : [Number(mode)];
    for (const size of sizes) {
      const file = join(folder, `${size}.csv`);
      child(["--make", file, String(size)]);
      runCase(file, size, `${size} rows`, "fast", []);
      runCase(file, size, `${size} rows, 32 MB heap, stalling sink`, "stall", SMALL_HEAP);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}
