/**
 * Bytes that lie somewhere (R2, a file, memory) and are read in pieces, on demand.
 *
 * Nothing in this folder asks for all bytes of anything big: every stage pulls one block, works on it, and pulls the next.
 */
import { failure } from "../../domain/failures.ts";

/** Size of the blocks that readers hand out: smaller ones cost CPU (4 KiB: 7 × as much, measured), larger ones memory. */
export const BLOCK_BYTES = 65_536;

/**
 * Random access by range, streamed.
 *
 * `blocks` yields exactly `length` bytes from `offset`, in order, in blocks of at most about {@link BLOCK_BYTES}, each made
 * only when it is asked for. **A block is valid until the next one is asked for**: whoever keeps bytes copies them.
 */
export interface ByteSource {
  readonly size: number;
  blocks(offset: number, length: number): AsyncGenerator<Uint8Array>;
}

/** A stream of bytes under the same rule: a block is valid until the next one is asked for. */
export type ByteStream = AsyncGenerator<Uint8Array>;

/** Bytes in memory as a source. Blocks are views, not copies. */
export function bytesSource(bytes: Uint8Array, blockBytes = BLOCK_BYTES): ByteSource {
  return {
    size: bytes.byteLength,
    async *blocks(offset, length) {
      const end = Math.min(offset + length, bytes.byteLength);
      for (let at = offset; at < end; at += blockBytes) yield bytes.subarray(at, Math.min(at + blockBytes, end));
    },
  };
}

/** A window of a source as a source of its own: how a message inside a message is read without a copy. */
export function windowOf(source: ByteSource, offset: number, length: number): ByteSource {
  return {
    size: length,
    blocks: (from, wanted) => exactBlocks(source, offset + from, Math.max(0, Math.min(wanted, length - from))),
  };
}

/**
 * The blocks of a range, checked to be all of it.
 * @throws `storage-unavailable` when the source ends before the range does: a short read must never look like a short file.
 */
export async function* exactBlocks(source: ByteSource, offset: number, length: number): ByteStream {
  let left = length;
  if (left <= 0) return;
  for await (const block of source.blocks(offset, length)) {
    left -= block.byteLength;
    yield block;
  }
  if (left !== 0)
    throw failure("storage-unavailable", { reason: `${left} of ${length} bytes at ${offset} did not come` });
}

/**
 * A whole range in one array, of at most `limitBytes`.
 * @throws RangeError above the limit: a fault of the caller, who has to check the length first.
 */
export async function readAll(
  source: ByteSource,
  offset: number,
  length: number,
  limitBytes: number,
): Promise<Uint8Array> {
  if (length > limitBytes) throw new RangeError(`${length} bytes asked for, at most ${limitBytes} may be held`);
  const all = new Uint8Array(length);
  let at = 0;
  for await (const block of exactBlocks(source, offset, length)) {
    all.set(block, at);
    at += block.byteLength;
  }
  return all;
}

/** What {@link collect} found. `bytes` holds at most the limit; `complete` says if that was all. */
export interface Collected {
  readonly bytes: Uint8Array;
  readonly complete: boolean;
}

/**
 * Copies a stream into memory, up to `limitBytes`, and closes it. `expectedBytes` saves growing when the size is known.
 */
export async function collect(stream: ByteStream, limitBytes: number, expectedBytes = BLOCK_BYTES): Promise<Collected> {
  let held = new Uint8Array(Math.min(limitBytes, Math.max(expectedBytes, 1)));
  let length = 0;
  for await (const block of stream) {
    const wanted = Math.min(block.byteLength, limitBytes - length);
    if (length + wanted > held.byteLength) {
      const grown = new Uint8Array(Math.min(limitBytes, Math.max(held.byteLength * 2, length + wanted)));
      grown.set(held.subarray(0, length));
      held = grown;
    }
    held.set(wanted === block.byteLength ? block : block.subarray(0, wanted), length);
    length += wanted;
    if (wanted < block.byteLength) return { bytes: held.subarray(0, length), complete: false };
  }
  return { bytes: held.subarray(0, length), complete: true };
}
