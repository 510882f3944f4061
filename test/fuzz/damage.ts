/** What the fuzzers share: chance that can be repeated, and ways to damage bytes. */
import { Buffer } from "node:buffer";

export type Random = () => number;

/** Small, fast and the same everywhere (mulberry32). */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export const oneOf = <T>(random: Random, all: readonly T[]): T => all[Math.floor(random() * all.length)]!;

/** Numbers that lengths, counts and offsets break at. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];

/** Bytes changed, cut out, doubled and cut off, and pieces (of one byte a character) put in: one to four times. */
export function damaged(bytes: Uint8Array, random: Random, pieces: readonly string[]): Buffer {
  let out = Buffer.from(bytes);
  const place = (span = 0) => Math.floor(random() * Math.max(1, out.length - span));
  for (let times = 1 + Math.floor(random() * 4); times > 0; times -= 1) {
    if (out.length < 8) return out;
    const kind = Math.floor(random() * 8);
    if (kind === 0) out[place()] = Math.floor(random() * 256);
    else if (kind === 1) out[place()]! ^= 1 << Math.floor(random() * 8);
    else if (kind === 2) out.writeUInt32LE(oneOf(random, EDGES), place(4));
    else if (kind === 3) out.writeUInt16BE(oneOf(random, EDGES) & 0xffff, place(2));
    else if (kind === 4) out = out.subarray(0, place());
    else if (kind === 5) {
      const at = place();
      const length = Math.floor(random() * 200);
      out = Buffer.concat([out.subarray(0, at), out.subarray(at + length)]);
    } else if (kind === 6) {
      const at = place();
      const from = place();
      out = Buffer.concat([
        out.subarray(0, at),
        out.subarray(from, from + Math.floor(random() * 2_000)),
        out.subarray(at),
      ]);
    } else {
      const at = place();
      out = Buffer.concat([out.subarray(0, at), Buffer.from(oneOf(random, pieces), "latin1"), out.subarray(at)]);
    }
  }
  return out;
}
