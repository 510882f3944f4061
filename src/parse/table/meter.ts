/** Size and hash of a payload, taken while it is read. */
import { createHash } from "node:crypto";

export class Meter {
  bytes = 0;
  readonly #hash = createHash("sha256");

  /** The blocks as they come. */
  async *over(blocks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const block of blocks) {
      this.bytes += block.byteLength;
      this.#hash.update(block);
      yield block;
    }
  }

  /** Of all bytes, as hex. To be asked for once, at the end. */
  sha256(): string {
    return this.#hash.digest("hex");
  }
}
