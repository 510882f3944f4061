/**
 * Streaming base64 (RFC 2045 section 6.8), as fast as the runtime has it and strict about what it means.
 *
 * The RFC allows to skip foreign characters and calls them a sign of damage. Skipping one shifts everything after it, so
 * the stream ends with a failure then: a feed is better refused than landed with a hole in it. What can be decoded comes
 * before the failure, for whoever wants to look at what there is.
 */
import { Buffer } from "node:buffer";
import { type Failure, failure } from "../../../domain/failures.ts";
import type { ByteStream } from "../source.ts";
import type { Ending } from "./index-parts.ts";

/** Why a body whose boundary never came cannot be trusted to be whole. */
export const CUT_OFF = "the message ends in the middle of it";

const PADDING = 1;
const FOREIGN = 2;
/** White space is counted, above the bits that say what else was seen. */
const SEEN_BITS = 2;
const WHITE_SPACE = 1 << SEEN_BITS;

/** Class of each byte; 0 is the alphabet. */
const CLASS = new Uint8Array(256).fill(FOREIGN);
for (const byte of Buffer.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")) CLASS[byte] = 0;
for (const byte of Buffer.from(" \t\r\n\f\v")) CLASS[byte] = WHITE_SPACE;
CLASS["=".charCodeAt(0)] = PADDING;

/** workerd has a decoder of its own (above 5 GB/s), which tells what it does not know; Node 24 lacks it. */
const isNative = typeof Uint8Array.prototype.setFromBase64 === "function";

/**
 * Decodes the whole quartets of a text, natively, without a look at each character; undefined where it holds anything but
 * the alphabet and white space.
 */
function decodeAtOnce(text: string, target: Buffer): { readonly read: number; readonly written: number } | undefined {
  if (text.includes("=")) return undefined;
  try {
    return target.setFromBase64(text, { lastChunkHandling: "stop-before-partial" });
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined;
    throw thrown;
  }
}

export interface Base64Options {
  /** Name of the file, for the failure. */
  readonly name: string | undefined;
  /** How the text ended. Padding may lack only before a boundary; after a cut only padding proves that nothing lacks. */
  readonly ending: Ending;
}

/**
 * Decodes a stream. The block it yields is reused on the next turn.
 * @throws `file-corrupt`, behind all that could be decoded, on foreign characters, on text after the padding and on an end inside a quartet.
 */
export async function* decodeBase64(blocks: ByteStream, options: Base64Options): ByteStream {
  const corrupt = (reason: string): Failure => failure("file-corrupt", { name: options.name, reason });
  let out = Buffer.alloc(0);
  /** Characters of a quartet whose rest is in the next block: at most 3, or all of the last one with its padding. */
  let carry = "";
  let padded = false;
  let read = 0;
  let damage: Failure | undefined;
  for await (const block of blocks) {
    const bytes = Buffer.from(block.buffer, block.byteOffset, block.byteLength);
    if (damage === undefined && isNative && !padded) {
      const text = carry + bytes.toString("latin1");
      if (out.length < text.length) out = Buffer.alloc(text.length);
      const decoded = decodeAtOnce(text, out);
      if (decoded) {
        carry = text.slice(decoded.read).replace(/[ \t\r\n\f\v]+/g, "");
        read += bytes.length;
        if (decoded.written > 0) yield out.subarray(0, decoded.written);
        continue;
      }
    }
    const kinds = kindsIn(bytes);
    const space = kinds >> SEEN_BITS;
    if (kinds & FOREIGN) {
      const at = bytes.findIndex((byte) => CLASS[byte] === FOREIGN);
      damage ??= corrupt(`its base64 text holds a character that does not belong there (byte ${read + at})`);
    }
    read += bytes.length;
    if (damage === undefined && (padded || kinds & PADDING)) {
      padded = true;
      const text = carry + withoutSpace(bytes);
      const wrong = faultBehindEnd(text);
      if (wrong === undefined) {
        const whole = wholeQuartets(text.indexOf("="));
        carry = text.slice(whole);
        if (whole > 0) yield Buffer.from(text.slice(0, whole), "base64");
        continue;
      }
      damage = corrupt(wrong);
    }
    if (damage !== undefined) {
      const text = (carry + bytes.toString("latin1")).replace(/[^A-Za-z0-9+/]+/g, "");
      const whole = wholeQuartets(text.length);
      carry = text.slice(whole);
      if (whole > 0) yield Buffer.from(text.slice(0, whole), "base64");
      continue;
    }
    let rest = (carry.length + bytes.length - space) % 4;
    let cut = bytes.length;
    const usable = bytes.length - space;
    if (rest > usable) {
      // Tiny block: the quartet is not full yet.
      carry += withoutSpace(bytes);
      continue;
    }
    for (; rest > 0; cut -= 1) if (CLASS[bytes[cut - 1]!] === 0) rest -= 1;
    const text = carry + bytes.toString("latin1", 0, cut);
    carry = bytes.toString("latin1", cut, bytes.length).replace(/[ \t\r\n\f\v]+/g, "");
    if (out.length < text.length) out = Buffer.alloc(text.length);
    const written = out.write(text, "base64");
    if (written > 0) yield out.subarray(0, written);
  }
  const last = damage === undefined ? lastQuartet(carry, padded || options.ending === "boundary") : undefined;
  if (last === undefined) {
    const left = Buffer.from(carry.replaceAll("=", ""), "base64");
    if (left.length > 0) yield left;
    throw damage ?? corrupt("its base64 text ends in the middle of a group: the end is missing");
  }
  if (last.length > 0) yield last;
  if (options.ending === "cut-off" && !padded) throw corrupt(CUT_OFF);
}

const wholeQuartets = (characters: number): number => characters - (characters % 4);

const withoutSpace = (bytes: Buffer): string => bytes.toString("latin1").replace(/[ \t\r\n\f\v]+/g, "");

/** What is wrong behind the first end mark of a text: there may be one more of them, and nothing else. */
function faultBehindEnd(text: string): string | undefined {
  const at = text.indexOf("=");
  if (/[^=]/.test(text.slice(at))) return "its base64 text goes on after its end mark";
  return text.length - wholeQuartets(at) > 4 ? "its base64 text has too many end marks" : undefined;
}

/**
 * What is among the bytes: PADDING and FOREIGN as bits, white space counted above them. A function of its own, with one
 * number as its state and nothing behind the loop: inside the generator the loop was compiled, and thrown away, many times.
 */
function kindsIn(bytes: Uint8Array): number {
  let kinds = 0;
  for (let i = 0; i < bytes.length; i += 1) {
    const kind = CLASS[bytes[i]!]!;
    kinds = (kinds + (kind & WHITE_SPACE)) | (kind & (PADDING | FOREIGN));
  }
  return kinds;
}

/** The bytes of the last, incomplete or padded quartet; undefined when it cannot be the end of anything. */
function lastQuartet(quartet: string, mayLackPadding: boolean): Uint8Array | undefined {
  const characters = quartet.replaceAll("=", "");
  if (characters === "") return quartet === "" ? new Uint8Array() : undefined;
  if (characters.length === 1 || (quartet.length !== 4 && !mayLackPadding)) return undefined;
  // "QQ=" lost one mark only; the data is whole.
  const bytes = Buffer.from(characters, "base64");
  const again = bytes.toString("base64").replaceAll("=", "");
  return again === characters ? bytes : undefined;
}
