/** Payloads whose bytes come in blocks of any size, overwritten when the next is asked for, and that know if they are closed. */
import type { Feed } from "../../src/domain/adapter.ts";
import { type ChunkEntry, decodeChunk } from "../../src/domain/chunk.ts";
import { Failure, type FailureReport } from "../../src/domain/failures.ts";
import type { FileFormat, Payload } from "../../src/parse/open/open.ts";
import type { ByteSource, ByteStream } from "../../src/parse/open/source.ts";
import { parsePayload } from "../../src/parse/read-payload.ts";
import type { ParsedFile, ParseSink, Reject } from "../../src/parse/table/parse-file.ts";

export interface WatchedPayload extends Payload {
  /** Bytes that were asked for, and streams that are open. */
  readonly seen: { pulled: number; open: number };
}

export interface PayloadSpec {
  readonly format: FileFormat;
  readonly role?: Payload["role"];
  readonly name?: string;
  readonly blockSize?: number;
}

/** `bytes`: all of them, or blocks without an end. */
export function payloadOf(bytes: Uint8Array | (() => Generator<Uint8Array>), spec: PayloadSpec): WatchedPayload {
  const { format, role = "attachment", name = "file", blockSize = 65_536 } = spec;
  const seen = { pulled: 0, open: 0 };
  const whole = bytes instanceof Uint8Array ? bytes : new Uint8Array();
  async function* blocks(from: number, length: number): ByteStream {
    seen.open++;
    const buffer = new Uint8Array(blockSize);
    try {
      const end = Math.min(from + length, whole.length);
      for (let at = from; at < end; at += blockSize) {
        const block = whole.subarray(at, Math.min(at + blockSize, end));
        buffer.fill(0xff);
        buffer.set(block);
        seen.pulled += block.length;
        yield buffer.subarray(0, block.length);
      }
    } finally {
      seen.open--;
    }
  }
  async function* endless(make: () => Generator<Uint8Array>): ByteStream {
    seen.open++;
    try {
      for (const block of make()) {
        seen.pulled += block.length;
        yield block;
      }
    } finally {
      seen.open--;
    }
  }
  const source: ByteSource = { size: whole.length, blocks };
  return {
    path: name,
    name,
    contentType: "application/octet-stream",
    role,
    format,
    seen,
    open: () => (bytes instanceof Uint8Array ? blocks(0, whole.length) : endless(bytes)),
    source: async () => source,
  };
}

export interface Landed {
  readonly key: string;
  readonly line: number;
  readonly hash: string;
  readonly json: string;
}

export interface Outcome {
  /** What `parsePayload` answered; null where it refused the file. */
  readonly parsed: ParsedFile | null;
  readonly refusal: FailureReport | null;
  readonly main: readonly Landed[];
  readonly tail: readonly Landed[];
  readonly rejects: readonly Reject[];
}

export async function outcomeOf(feed: Feed, payload: Payload): Promise<Outcome> {
  const main: Landed[] = [];
  const tail: Landed[] = [];
  const rejects: Reject[] = [];
  const sink: ParseSink = {
    async chunk(entry: ChunkEntry, bytes) {
      const { keys, lines, hashes, records } = decodeChunk(bytes, entry.headBytes);
      for (const [i, key] of keys.entries()) {
        (entry.tail ? tail : main).push({ key, line: lines[i]!, hash: hashes[i]!, json: records[i]! });
      }
    },
    async rejects(batch) {
      rejects.push(...batch);
    },
  };
  try {
    return { parsed: await parsePayload(feed, payload, sink), refusal: null, main, tail, rejects };
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    return { parsed: null, refusal: thrown.report, main, tail, rejects };
  }
}
