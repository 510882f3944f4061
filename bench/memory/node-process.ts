/**
 * The same chain in Node, where the heap can be capped: what needs more than the cap dies. Prints {@link NodeMemory}.
 *
 *   node --max-heap-size=32 [--expose-gc] bench/memory/node-process.ts mail.eml stallMs
 *
 * With `--expose-gc` it samples what is live; the collections would spoil the peak of resident memory, so that is
 * measured without.
 */
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { BLOCK_BYTES, type ByteSource } from "../../src/parse/open/source.ts";
import { type Outcome, parseMail } from "../parse/chain.ts";
import { resetPeak, residentBytes } from "../parse/proc.ts";

export interface NodeMemory {
  readonly outcome: Outcome;
  /** Largest heap + buffers after a collection, above what they were before; 0 without `--expose-gc`. */
  readonly liveGrowthBytes: number;
  readonly residentGrowthBytes: number;
}

/** A collection after each chunk would cost more than the parse. */
const CHUNKS_PER_SAMPLE = 5;

/** One buffer for all blocks of a stream, as the R2 reader has. */
function fileSource(path: string): ByteSource {
  return {
    size: statSync(path).size,
    async *blocks(offset, length) {
      const file = openSync(path, "r");
      const buffer = new Uint8Array(BLOCK_BYTES);
      try {
        for (let at = offset; at < offset + length; ) {
          const read = readSync(file, buffer, 0, Math.min(BLOCK_BYTES, offset + length - at), at);
          if (read === 0) return;
          at += read;
          yield buffer.subarray(0, read);
        }
      } finally {
        closeSync(file);
      }
    },
  };
}

function liveBytes(): number {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const [path, stallMs] = process.argv.slice(2);
const source = fileSource(path!);
const liveBefore = liveBytes();
let live = 0;
resetPeak(process.pid);
const resident = residentBytes(process.pid).now;
const outcome = await parseMail(source, async (n) => {
  if (globalThis.gc !== undefined && n % CHUNKS_PER_SAMPLE === 0) live = Math.max(live, liveBytes() - liveBefore);
  await sleep(Number(stallMs));
});
const residentGrowthBytes = residentBytes(process.pid).peak - resident;
console.log(JSON.stringify({ outcome, liveGrowthBytes: live, residentGrowthBytes } satisfies NodeMemory));
