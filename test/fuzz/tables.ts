/**
 * Fuzzer for what reads tables. Each case takes a table that a generator wrote with its feed, damages it or puts something
 * hostile in, and reads it twice in blocks of different sizes: by the feed's format, and as detection finds it. What comes
 * out must be the same both times, the books must balance, and anything but rows is a refusal that tells the sender why.
 */
import { Buffer } from "node:buffer";
import fc from "fast-check";
import type { Feed } from "../../src/domain/adapter.ts";
import { Failure } from "../../src/domain/failures.ts";
import { detect } from "../../src/parse/detect/detect.ts";
import { TableReading } from "../../src/parse/detect/read.ts";
import { SampleTaker } from "../../src/parse/detect/sample.ts";
import type { FileFormat } from "../../src/parse/open/sniff.ts";
import { type Outcome, outcomeOf, payloadOf } from "../conformance/payload.ts";
import { type Written, writtenArbitrary } from "../parse/written.ts";
import { damaged, oneOf, type Random, randomOf } from "./damage.ts";

/** What tables are made of, and what does not belong into them. */
const PIECES = [
  '"',
  '""',
  "'",
  "\\",
  '\\"',
  ",",
  ";",
  "\t",
  "|",
  "||",
  "&|",
  "\n",
  "\r",
  "\r\n",
  "\n\n\n",
  "#",
  "\u0000",
  "\u0000\n",
  "\u001a",
  "\u001b$B",
  "\u00ef\u00bb\u00bf",
  "\u00ff\u00fe",
  "\u00fe\u00ff",
  "\u00c3\u00a4",
  "\u00c3",
  "\u00ff",
  "\u00d8\u0000",
  "\u0000\u00d8",
  " ".repeat(300),
  "x".repeat(5_000),
  `"${"y\n".repeat(400)}`,
  ";".repeat(2_000),
  "1.234,5",
  "2024-02-30",
  "1e99",
  "=cmd|x!A1",
];

/** Bytes of an endless case: far more than a row may have, and than a sample holds. */
const ENDLESS_BYTES = 12 * 1_048_576;
const ENDLESS_SHARE = 0.004;
const ENDLESS = ['"', 'a;"b', "a;b;", "a;b\n", '"a";', "\r", " ", "a\\", 'x"y;z\n"'];

const BLOCKS = [1, 2, 3, 7, 61, 512, 4_093, 65_536];

export interface TableResult {
  /** Ways of reading that gave rows. */
  readonly files: number;
  /** Ways of reading that were refused. */
  readonly problems: number;
}

/** Runs one case. Throws what is no Failure for the sender, and an Error where two readings differ or books do not balance. */
export async function runTableCase(seed: number, number: number): Promise<TableResult> {
  const random = randomOf(seed * 1_000_003 + number);
  if (random() < ENDLESS_SHARE) return runEndless(oneOf(random, ENDLESS));
  const [written] = fc.sample(writtenArbitrary, { seed: Math.floor(random() * 2 ** 31), numRuns: 1 }) as [Written];
  const bytes = random() < 0.1 ? Buffer.from(written.bytes) : hurt(written, random);
  const sizes = [oneOf(random, BLOCKS), oneOf(random, BLOCKS)];
  const count = { files: 0, problems: 0 };
  const [byFeed, again] = [await parsed(written, bytes, sizes[0]!), await parsed(written, bytes, sizes[1]!)];
  sameOrThrow("by its format", landed(byFeed), landed(again));
  balancedOrThrow(byFeed);
  count[byFeed.refusal === null ? "files" : "problems"] += 1;
  const [found, foundAgain] = [await detected(bytes, sizes[0]!), await detected(bytes, sizes[1]!)];
  sameOrThrow("as detected", found, foundAgain);
  count[found === "refused" ? "problems" : "files"] += 1;
  return count;
}

function hurt({ bytes, feed }: Written, random: Random): Buffer {
  const { delimiter, quote } = feed.file;
  return damaged(bytes, random, [...PIECES, delimiter, delimiter.slice(0, 1), quote === "none" ? delimiter : quote]);
}

const formatOf = (feed: Feed, name: string): FileFormat => {
  if (feed.file.kind === "sheet") return "xlsx";
  return feed.file.kind === "json" ? (name.endsWith(".ndjson") ? "ndjson" : "json") : "text";
};

/** Throws what is no refusal. */
async function parsed({ feed, name }: Written, bytes: Uint8Array, blockSize: number): Promise<Outcome> {
  const payload = payloadOf(bytes, { format: formatOf(feed, name), name, blockSize });
  const outcome = await outcomeOf(feed, payload);
  if (outcome.refusal !== null && outcome.refusal.disposition !== "reject")
    throw new Error(`refused with ${outcome.refusal.code}: ${outcome.refusal.sentence}`);
  if (payload.seen.open !== 0) throw new Error(`${payload.seen.open} streams were left open`);
  return outcome;
}

/** What lands. Of two faults that refuse a file, either may be met first. */
const landed = (outcome: Outcome): unknown => (outcome.refusal === null ? outcome : "refused");

function balancedOrThrow({ parsed: file, main, tail }: Outcome): void {
  if (file === null) return;
  const { lines, ...kinds } = file.books;
  const sum = Object.values(kinds).reduce((a, b) => a + b, 0);
  if (sum !== lines) throw new Error(`the books have ${lines} lines and account for ${sum}`);
  const accepted = main.length + tail.length;
  if (file.failure === null && accepted + file.books.rejected < file.rows)
    throw new Error(`${file.rows} rows, ${accepted} accepted, ${file.books.rejected} rejected lines`);
}

type Detected = readonly unknown[] | "refused";

async function detected(bytes: Uint8Array, blockSize: number): Promise<Detected> {
  const taker = new SampleTaker();
  // The sample is the same for both: what is found out must not depend on how the file came.
  taker.add(bytes);
  try {
    const reading = new TableReading(detect(taker.sample()));
    const rows: unknown[] = [];
    for await (const batch of reading.batches(blocksOf(bytes, blockSize)))
      for (const { cells, line, kind, broken } of batch) rows.push([kind, line, broken, ...cells]);
    return rows;
  } catch (thrown) {
    refusedOrThrow(thrown);
    return "refused";
  }
}

/** Throws on what is no refusal. */
function refusedOrThrow(thrown: unknown): void {
  if (!(thrown instanceof Failure) || thrown.disposition !== "reject") throw thrown;
}

async function* blocksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(size);
  for (let at = 0; at < bytes.length; at += size) {
    const block = bytes.subarray(at, at + size);
    buffer.fill(0xff);
    buffer.set(block);
    yield buffer.subarray(0, block.length);
  }
}

function sameOrThrow(how: string, a: unknown, b: unknown): void {
  const [one, other] = [JSON.stringify(a), JSON.stringify(b)];
  if (one === other) return;
  let at = 0;
  while (one[at] === other[at]) at += 1;
  const around = (text: string) => text.slice(Math.max(0, at - 150), at + 150);
  throw new Error(`read ${how}, blocks of another size give something else: ${around(one)} | ${around(other)}`);
}

/** The same piece over and over: neither an open quotation mark nor a line without an end may be held as a whole. */
async function runEndless(piece: string): Promise<TableResult> {
  const block = new Uint8Array(Buffer.from(piece.repeat(Math.ceil(65_536 / piece.length))));
  async function* blocks(): AsyncGenerator<Uint8Array> {
    for (let sent = 0; sent < ENDLESS_BYTES; sent += block.length) yield block.slice();
  }
  const taker = new SampleTaker();
  for await (const one of blocks()) taker.add(one);
  try {
    const reading = new TableReading(detect(taker.sample()));
    let batches = 0;
    for await (const _ of reading.batches(blocks())) batches += 1;
    return { files: Math.min(batches, 1), problems: 0 };
  } catch (thrown) {
    refusedOrThrow(thrown);
    return { files: 0, problems: 1 };
  }
}
