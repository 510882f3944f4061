/**
 * Streaming quoted-printable (RFC 2045 section 6.7): bytes in, bytes out, line ends as they stand in the mail.
 *
 * Raw 8-bit bytes pass, as every writer of Latin-1 sends them. An `=` that begins neither an escape nor a soft line break
 * means that the writer did not encode: then no other escape can be trusted either, and the stream fails.
 */
import { Buffer } from "node:buffer";
import { failure } from "../../../domain/failures.ts";
import type { ByteStream } from "../source.ts";

const LF = 0x0a;
const CR = 0x0d;
const EQUALS = 0x3d;
const SPACE = 0x20;
const TAB = 0x09;
/**
 * White space at the end of a line is dropped (it was added on the way, rule 3), so a run of it is held back until the
 * line goes on. Lines of quoted-printable have 76 characters; a longer run than this is an attack on memory.
 */
const MAX_SPACE_RUN_BYTES = 65_536;

const HEX = new Int8Array(256).fill(-1);
for (let i = 0; i < 16; i += 1) {
  HEX[i.toString(16).charCodeAt(0)] = i;
  HEX[i.toString(16).toUpperCase().charCodeAt(0)] = i;
}

/** Decodes a stream. The block it yields is reused on the next turn. @throws `file-corrupt` on an invalid escape. */
export async function* decodeQuotedPrintable(blocks: ByteStream, name: string | undefined): ByteStream {
  let out = Buffer.alloc(0);
  /** Undecided bytes at the end of a block: an escape begun, or white space that may end the line. */
  let carry = Buffer.alloc(0);
  let read = 0;
  for await (const block of blocks) {
    const bytes = carry.length > 0 ? Buffer.concat([carry, block]) : block;
    if (out.length < bytes.length) out = Buffer.alloc(bytes.length);
    const { taken, written } = decodeInto(bytes, out, false, read - carry.length, name);
    read += block.length;
    carry = Buffer.from(bytes.subarray(taken));
    if (written > 0) yield out.subarray(0, written);
  }
  const { written } = decodeInto(carry, out, true, read - carry.length, name);
  if (written > 0) yield out.subarray(0, written);
}

function decodeInto(
  bytes: Uint8Array,
  out: Buffer,
  isEnd: boolean,
  offset: number,
  name: string | undefined,
): { taken: number; written: number } {
  const length = bytes.length;
  let written = 0;
  let at = 0;
  while (at < length) {
    const byte = bytes[at]!;
    if (byte !== EQUALS && byte !== SPACE && byte !== TAB) {
      out[written++] = byte;
      at += 1;
      continue;
    }
    if (byte === EQUALS) {
      const high = HEX[bytes[at + 1] ?? 0]!;
      const low = HEX[bytes[at + 2] ?? 0]!;
      if (high >= 0 && low >= 0) {
        out[written++] = high * 16 + low;
        at += 3;
        continue;
      }
      if (high >= 0 && at + 2 === length && !isEnd) break;
    }
    let end = at + 1;
    while (end < length && (bytes[end] === SPACE || bytes[end] === TAB)) end += 1;
    if (end - at > MAX_SPACE_RUN_BYTES) {
      throw failure("file-corrupt", { name, reason: `its quoted-printable text holds ${end - at} blanks in a row` });
    }
    const isOpen = end === length || (bytes[end] === CR && end + 1 === length);
    if (isOpen && !isEnd) break;
    const endsLine = isOpen || bytes[end] === LF || (bytes[end] === CR && bytes[end + 1] === LF);
    if (byte === EQUALS) {
      if (!endsLine) {
        const reason = `its quoted-printable text holds "=" with no code after it (byte ${offset + at})`;
        throw failure("file-corrupt", { name, reason });
      }
      // A soft line break: it and the line end it hides are nothing.
      at = isOpen ? length : end + (bytes[end] === CR ? 2 : 1);
      continue;
    }
    if (!endsLine) for (let i = at; i < end; i += 1) out[written++] = bytes[i]!;
    at = end;
  }
  return { taken: at, written };
}
