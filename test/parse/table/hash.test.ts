import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KeyHashSet } from "../../../src/parse/table/duplicates.ts";
import { hashBytes, hashWords, writeHex } from "../../../src/parse/table/hash.ts";

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function hexOf(bytes: Uint8Array, seed = 0): string {
  const out = hashWords();
  hashBytes(viewOf(bytes), 0, bytes.length, seed, out);
  const target = new Uint8Array(34);
  writeHex(out, target, 1);
  expect([target[0], target[33]]).toEqual([0, 0]);
  return new TextDecoder().decode(target.subarray(1, 33));
}

describe("MurmurHash3 x86_128", () => {
  it("passes SMHasher's verification: hashes of the keys 0..255 under falling seeds, hashed together", () => {
    const key = Uint8Array.from({ length: 256 }, (_, i) => i);
    const hashes = new Uint8Array(16 * 256);
    const out = hashWords();
    for (let i = 0; i < 256; i++) {
      hashBytes(viewOf(key), 0, i, 256 - i, out);
      const view = new DataView(hashes.buffer, i * 16);
      for (let w = 0; w < 4; w++) view.setInt32(w * 4, out[w]!, true);
    }
    hashBytes(viewOf(hashes), 0, hashes.length, 0, out);
    expect(out[0]! >>> 0).toBe(0xb3ece62a);
  });

  it("writes 32 digits, leading zeros among them", () => {
    expect(hexOf(new Uint8Array(0))).toBe("00000000000000000000000000000000");
    const target = new Uint8Array(32);
    writeHex(Int32Array.of(1, -1, 0x0abc, -0x80000000), target, 0);
    expect(new TextDecoder().decode(target)).toBe("00000001ffffffff00000abc80000000");
  });

  it("reads only its own bytes of a buffer", () => {
    const bytes = new TextEncoder().encode("xxhello worldyy");
    const out = hashWords();
    hashBytes(viewOf(bytes), 2, 13, 0, out);
    const alone = hashWords();
    const word = new TextEncoder().encode("hello world");
    hashBytes(viewOf(word), 0, word.length, 0, alone);
    expect(out).toEqual(alone);
  });
});

describe("the set of key hashes", () => {
  /** What the set tells hashes apart by: 32 bits of one word (0 is taken for 1) and ten of the other. */
  const seenBy = (high: number, low: number) => `${high === 0 ? 1 : high}/${low >>> 22}`;

  it("says of every hash whether it was there, as far as it looks at it", () => {
    const word = fc.oneof(fc.integer(), fc.integer({ min: -3, max: 3 }));
    fc.assert(
      fc.property(fc.array(fc.tuple(word, word), { maxLength: 400 }), (hashes) => {
        const set = new KeyHashSet();
        const seen = new Set<string>();
        for (const [high, low] of hashes) {
          expect(set.add(high, low)).toBe(!seen.has(seenBy(high, low)));
          seen.add(seenBy(high, low));
        }
        expect(set.size).toBe(seen.size);
      }),
    );
  });

  it("keeps a word that is zero in each of its tables, also when they grow", () => {
    const set = new KeyHashSet();
    const lows = Array.from({ length: 1_024 }, (_, table) => table << 22);
    for (const low of lows) expect([set.add(0, low), set.add(0, low)]).toEqual([true, false]);
    for (const low of lows) for (let high = 2; high < 40; high++) expect(set.add(high, low)).toBe(true);
    for (const low of lows) expect([set.add(0, low), set.add(39, low)]).toEqual([false, false]);
    expect(set.size).toBe(39 * 1_024);
  });

  it("keeps 1.5 million keys in 9 MiB, forgets none and takes hardly one for another", () => {
    const set = new KeyHashSet();
    const out = hashWords();
    const encoder = new TextEncoder();
    const key = new Uint8Array(16);
    const add = (n: number): boolean => {
      const { written } = encoder.encodeInto(`SKU-${n}`, key);
      hashBytes(viewOf(key), 0, written, 0, out);
      return set.add(out[0]!, out[1]!);
    };
    let fresh = 0;
    for (let n = 0; n < 1_500_000; n++) if (add(n)) fresh++;
    // The hashes are what they are: of these keys no two look alike. A fresh set of keys has a pair in one of four.
    expect(fresh).toBe(1_500_000);
    expect(set.bytes).toBeLessThanOrEqual(9 * 1_048_576);
    let again = 0;
    for (let n = 0; n < 1_500_000; n += 7) if (add(n)) again++;
    expect(again).toBe(0);
  });
});
