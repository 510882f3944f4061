/**
 * Inflating by pulling: node:zlib with back-pressure in both directions.
 *
 * Never DecompressionStream: it inflates all the rest while the consumer waits, outside the JavaScript heap (measured:
 * +179 MB for a table, +2 GB for a bomb) and knows no second gzip member.
 */
import type { Transform } from "node:stream";
import { createGunzip, createInflateRaw } from "node:zlib";
import { Failure, failure } from "../../../domain/failures.ts";
import { RATIO_GRACE_BYTES } from "../limits.ts";
import type { ByteStream } from "../source.ts";

/** Compressed bytes given to zlib at once: its output for one slice is bounded by 1,032 times this, made on demand. */
const SLICE_BYTES = 16_384;
/** Size of the blocks zlib makes, and how much of them waits for the consumer. */
const CHUNK_BYTES = 65_536;

export interface ExpandOptions {
  readonly name: string;
  readonly maxBytes: number;
  readonly maxRatio: number;
}

/** One deflate stream and nothing behind it. @throws `file-corrupt`, `archive-too-large` */
export function inflateRaw(input: ByteStream, options: ExpandOptions): ByteStream {
  return expand(createInflateRaw({ chunkSize: CHUNK_BYTES }), input, options, false);
}

/**
 * One gzip file of any number of members (RFC 1952 section 2.2), each with its checksum; zero bytes behind the last one are
 * padding of tapes and disks, anything else is damage. @throws `file-corrupt`, `archive-too-large`
 */
export function gunzip(input: ByteStream, options: ExpandOptions): ByteStream {
  return expand(createGunzip({ chunkSize: CHUNK_BYTES }), input, options, true);
}

type Zlib = Transform & { readonly bytesWritten: number };

async function* expand(zlib: Zlib, input: ByteStream, options: ExpandOptions, mayPad: boolean): ByteStream {
  const feeder = new Feeder(zlib, input, mayPad);
  let expanded = 0;
  try {
    for await (const chunk of zlib as AsyncIterable<Uint8Array>) {
      expanded += chunk.byteLength;
      refuseBomb(expanded, feeder.fed, options);
      yield chunk;
    }
    await feeder.finish();
  } catch (thrown) {
    throw namedFailure(thrown, options.name);
  } finally {
    zlib.destroy();
    await feeder.stop();
  }
}

function refuseBomb(expanded: number, fed: number, { name, maxBytes, maxRatio }: ExpandOptions): void {
  if (expanded > maxBytes) {
    const limit = `${Math.floor(maxBytes / 1_048_576)} MiB`;
    throw failure("archive-too-large", { name, what: "more data than may be expanded", limit });
  }
  if (expanded > RATIO_GRACE_BYTES && expanded > fed * maxRatio) {
    throw failure("archive-too-large", {
      name,
      what: `data that expands to more than ${maxRatio} times its size`,
      limit: `${maxRatio} times`,
    });
  }
}

/** Writes the input into zlib, one slice at a time, each when the one before has been taken. */
class Feeder {
  /** Compressed bytes written so far. */
  fed = 0;
  readonly #zlib: Zlib;
  readonly #input: ByteStream;
  readonly #mayPad: boolean;
  readonly #done: Promise<unknown>;
  #over = false;
  #wake: (() => void) | undefined;

  constructor(zlib: Zlib, input: ByteStream, mayPad: boolean) {
    this.#zlib = zlib;
    this.#input = input;
    this.#mayPad = mayPad;
    const wake = () => this.#wake?.();
    zlib.once("end", () => {
      this.#over = true;
      wake();
    });
    zlib.once("close", wake);
    // An error reaches the reader of the stream; here it only ends the wait for the slice, whose callback never comes.
    zlib.on("error", wake);
    this.#done = this.#feed().then(
      () => undefined,
      (thrown) => {
        zlib.destroy(thrown instanceof Error ? thrown : new Error(String(thrown)));
        return thrown;
      },
    );
  }

  /** After the last output: the rest of the input is checked. @throws what reading the input threw */
  async finish(): Promise<void> {
    const thrown = await this.#done;
    if (thrown !== undefined) throw thrown;
  }

  /** After the stream was destroyed: waits until nothing is being read any more. */
  async stop(): Promise<void> {
    await this.#done;
  }

  async #feed(): Promise<void> {
    for await (const block of this.#input) {
      for (let at = 0; at < block.byteLength; at += SLICE_BYTES) {
        const slice = block.subarray(at, at + SLICE_BYTES);
        this.fed += slice.byteLength;
        if (!this.#over) await this.#write(slice);
        if (this.#zlib.destroyed && !this.#over) return;
        // What zlib does not take lies behind the end of the compressed data.
        const left = Math.min(slice.byteLength, this.fed - this.#zlib.bytesWritten);
        if (left > 0) this.#refuseTrailing(slice.subarray(slice.byteLength - left));
      }
    }
    if (!this.#zlib.destroyed) this.#zlib.end();
  }

  #write(slice: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      // An error is thrown by the reading side, from the stream itself.
      this.#zlib.write(slice, () => resolve());
    });
  }

  #refuseTrailing(bytes: Uint8Array): void {
    if (this.#mayPad && bytes.every((byte) => byte === 0)) return;
    throw new TrailingData();
  }
}

class TrailingData extends Error {}

function namedFailure(thrown: unknown, name: string): unknown {
  if (thrown instanceof Failure) return thrown;
  if (thrown instanceof TrailingData) {
    return failure("file-corrupt", { name, reason: "there is other data behind the end of the compressed data" });
  }
  const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
  if (code === "Z_BUF_ERROR")
    return failure("file-corrupt", { name, reason: "its compressed data ends too early" }, thrown);
  if (code.startsWith("Z_"))
    return failure("file-corrupt", { name, reason: "its compressed data is not valid" }, thrown);
  return thrown;
}
