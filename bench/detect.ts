/**
 * Measures what detection costs beside parsing: CPU of the thread, each in a process of its own, medians.
 *
 *   node bench/detect.ts            300,000 rows
 *   node bench/detect.ts 100000     that many rows
 *
 * The file is made beforehand by another process. Detection is the sample taken of every block, and the profile made of it.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { benchInventoryBytes } from "../cli/samples/generate.ts";
import { detect } from "../src/parse/detect/detect.ts";
import { SampleTaker } from "../src/parse/detect/sample.ts";
import { parseFile } from "../src/parse/table/parse-file.ts";
import { benchInventory } from "./parse/feed.ts";

const BLOCK_BYTES = 65_536;
const RUNS = 7;
/** Of the CPU that parsing the same file takes. */
const MOST_SHARE = 0.15;

function* blocksOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) yield bytes.subarray(at, at + BLOCK_BYTES);
}

async function measured(what: string, path: string): Promise<number> {
  const bytes = new Uint8Array(readFileSync(path));
  const start = process.threadCpuUsage();
  if (what === "detect") {
    const taker = new SampleTaker();
    for (const block of blocksOf(bytes)) taker.add(block);
    detect(taker.sample());
  } else {
    async function* stream() {
      yield* blocksOf(bytes);
    }
    await parseFile(benchInventory, stream(), { chunk: () => Promise.resolve(), rejects: () => Promise.resolve() });
  }
  const { user, system } = process.threadCpuUsage(start);
  return (user + system) / 1_000;
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

const [what = "300000", path] = process.argv.slice(2);
if (what === "make" && path !== undefined) writeFileSync(path, benchInventoryBytes(Number(process.argv[4])));
else if (path !== undefined) process.stdout.write(String(await measured(what, path)));
else {
  const folder = mkdtempSync(join(tmpdir(), "mailfeed-detect-"));
  const file = join(folder, "inventory.csv");
  const self = (...args: string[]): string =>
    execFileSync(process.execPath, [import.meta.filename, ...args], { encoding: "utf8" });
  try {
    self("make", file, what);
    const runs = (name: string): number => median(Array.from({ length: RUNS }, () => Number(self(name, file))));
    const [parsing, detection] = [runs("parse"), runs("detect")];
    const share = `${((100 * detection) / parsing).toFixed(1)} %`;
    console.log(
      `${what} rows: parse ${parsing.toFixed(0)} ms, detection ${detection.toFixed(0)} ms, ${share} of it (at most ${100 * MOST_SHARE} %)`,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}
