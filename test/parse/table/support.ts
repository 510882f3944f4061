/** Fixtures of the table tests: one feed to vary, one way to parse, blocks of any size. */
import { defineFeed, type Feed } from "../../../src/domain/adapter.ts";
import { type ChunkEntry, decodeChunk } from "../../../src/domain/chunk.ts";
import { Failure, type FailureCode, type FailureReport } from "../../../src/domain/failures.ts";
import { type ParsedFile, type ParseOptions, parseFile, type Reject } from "../../../src/parse/table/parse-file.ts";

type Definition = Parameters<typeof defineFeed>[0];

/** A feed of two columns, `id` (identifier, key) and `name` (text), `;`, UTF-8, with a header; change what matters. */
export function tableFeed(
  change: Partial<Pick<Definition, "columns" | "key" | "limits" | "controls" | "asOf">> & {
    file?: Partial<Definition["file"]>;
  } = {},
): Feed {
  return defineFeed({
    customer: "acme",
    customerTitle: "Acme",
    feed: "things",
    title: "Things",
    mode: "full",
    intake: { policy: "trust-address", senders: ["@acme.example"] },
    columns: change.columns ?? [
      { name: "id", source: { header: "Id" }, type: "identifier" },
      { name: "name", source: { header: "Name" }, type: "text" },
    ],
    key: change.key ?? ["id"],
    limits: change.limits ?? { maxRejectShare: 1 },
    controls: change.controls,
    asOf: change.asOf,
    file: { charset: "utf-8", delimiter: ";", header: true, ...change.file },
  });
}

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The bytes in blocks of one size, all in the same buffer: what is kept of a block without a copy is overwritten. */
export async function* blocksOf(bytes: Uint8Array, size = 65_536): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(size);
  for (let at = 0; at < bytes.length; at += size) {
    const block = bytes.subarray(at, at + size);
    buffer.fill(0xff);
    buffer.set(block);
    yield buffer.subarray(0, block.length);
  }
}

export interface Row {
  readonly key: string;
  readonly line: number;
  readonly hash: string;
  readonly record: Record<string, unknown>;
  readonly json: string;
}

export interface Outcome extends ParsedFile {
  readonly main: Row[];
  readonly tail: Row[];
  readonly rejects: Reject[];
  readonly entries: ChunkEntry[];
}

export interface ParseCase extends ParseOptions {
  readonly blockSize?: number;
}

export async function parse(feed: Feed, input: string | Uint8Array, how: ParseCase = {}): Promise<Outcome> {
  const { blockSize, ...options } = how;
  const main: Row[] = [];
  const tail: Row[] = [];
  const rejects: Reject[] = [];
  const entries: ChunkEntry[] = [];
  const bytes = typeof input === "string" ? utf8(input) : input;
  const parsed = await parseFile(
    feed,
    blocksOf(bytes, blockSize),
    {
      async chunk(entry, chunkBytes) {
        entries.push(entry);
        if (entry.bytes !== chunkBytes.byteLength) throw new Error("the entry is not of these bytes");
        const { keys, lines, hashes, records } = decodeChunk(chunkBytes, entry.headBytes);
        for (const [i, key] of keys.entries()) {
          const json = records[i]!;
          const record = JSON.parse(json) as Record<string, unknown>;
          (entry.tail ? tail : main).push({ key, line: lines[i]!, hash: hashes[i]!, record, json });
        }
      },
      async rejects(batch) {
        rejects.push(...batch);
      },
    },
    options,
  );
  return { ...parsed, main, tail, rejects, entries };
}

/** The report of the failure with which the parse must end. */
export async function failureOf(parsing: Promise<unknown>): Promise<FailureReport> {
  try {
    await parsing;
  } catch (thrown) {
    if (thrown instanceof Failure) return thrown.report;
    throw thrown;
  }
  throw new Error("nothing failed");
}

export const codeOf = async (parsing: Promise<unknown>): Promise<FailureCode> => (await failureOf(parsing)).code;
