/** Size, hash and last bytes of a payload, taken while it is read. */
import { createHash } from "node:crypto";
import { TAIL_BYTES } from "./file-end.ts";
import { joined, NO_BYTES } from "./text.ts";

export class Meter {
  bytes = 0;
  /** A copy: blocks are written over. */
  tail: Uint8Array = NO_BYTES;
  readonly #hash = createHash("sha256");

  /** The blocks as they come. */
  async *over(blocks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const block of blocks) {
      this.bytes += block.byteLength;
      this.#hash.update(block);
      this.#keepTail(block);
      yield block;
    }
  }

  #keepTail(block: Uint8Array): void {
    const before = block.length < TAIL_BYTES ? joined(this.tail, block) : block;
    // Not slice: of a Buffer that is a view.
    this.tail = Uint8Array.from(before.subarray(-TAIL_BYTES));
  }

  /** Of all bytes, as hex. To be asked for once, at the end. */
  sha256(): string {
    return this.#hash.digest("hex");
  }
}
