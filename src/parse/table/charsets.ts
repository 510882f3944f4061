/**
 * Bytes → text, one charset at a time, strictly: a byte that a charset has not is a fault with its place, never U+FFFD and
 * never a control character. The platform's TextDecoder follows the WHATWG Encoding Standard, which is made for web pages
 * and lenient in two ways that are mended here: it turns the undefined bytes of the windows code pages into C1 controls
 * (windows-1252: 81 8D 8F 90 9D), and it reads `iso-8859-1` as windows-1252. It lacks cp437 and cp850: tables below.
 */
import { Buffer } from "node:buffer";
import type { CHARSETS } from "../../domain/adapter.ts";

export type Charset = (typeof CHARSETS)[number];

export interface CharsetDecoder {
  /** Bytes of the unit in which a NUL character is a zero. */
  readonly unitBytes: 1 | 2;
  /** How many of the bytes make whole characters; the rest (3 at most) waits for what follows. */
  whole(bytes: Uint8Array): number;
  /** Text of whole characters, or undefined where there is a fault in it. Removes no byte order mark. */
  decode(bytes: Uint8Array): string | undefined;
  /** Index of the first byte of the first character that the charset has not. Called only after `decode` refused. */
  fault(bytes: Uint8Array): number;
}

/** Byte order marks, longest first. The charset a mark belongs to is the only one that may begin with it. */
export const BYTE_ORDER_MARKS: readonly { readonly charset: Charset; readonly bytes: readonly number[] }[] = [
  { charset: "utf-8", bytes: [0xef, 0xbb, 0xbf] },
  { charset: "utf-16le", bytes: [0xff, 0xfe] },
  { charset: "utf-16be", bytes: [0xfe, 0xff] },
];

/** Code page 437 (IBM PC, US), bytes 80 to FF. */
const CP437 =
  "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀" +
  "αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0";
/** Code page 850 (MS-DOS, Western Europe), bytes 80 to FF. */
const CP850 =
  "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀" +
  "ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u00ad±‗¾¶§÷¸°¨·¹³²■\u00a0";

export function decoderFor(charset: Charset): CharsetDecoder {
  switch (charset) {
    case "utf-8":
      return utf8();
    case "utf-16le":
    case "utf-16be":
      return utf16(charset);
    case "iso-8859-1":
      return { unitBytes: 1, whole: (bytes) => bytes.length, decode: latin1, fault: () => -1 };
    case "cp437":
      return tabled(CP437);
    case "cp850":
      return tabled(CP850);
    default:
      return singleByte(charset);
  }
}

const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");

/** The decoder's text, or undefined where it refuses. */
function strictly(decoder: TextDecoder, bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** What a byte is to a single-byte charset. */
const AS_LATIN1 = 0;
const OTHERWISE = 1;
const REFUSED = 2;

/** A single-byte charset that the platform knows, without the C1 controls it makes of undefined windows bytes. */
function singleByte(charset: Charset): CharsetDecoder {
  const decoder = new TextDecoder(charset, { fatal: true, ignoreBOM: true });
  const kinds = new Uint8Array(256);
  for (let byte = 0x80; byte <= 0xff; byte++) {
    const text = strictly(decoder, Uint8Array.of(byte));
    const isC1 = text !== undefined && text >= "\u0080" && text <= "\u009f";
    if (text === undefined || (isC1 && charset.startsWith("windows-"))) kinds[byte] = REFUSED;
    else kinds[byte] = text.charCodeAt(0) === byte ? AS_LATIN1 : OTHERWISE;
  }
  return {
    unitBytes: 1,
    whole: (bytes) => bytes.length,
    decode(bytes) {
      // Text that latin1 reads alike is common, and its decoder makes strings of half the size.
      const kind = kindsIn(bytes, kinds);
      return kind === AS_LATIN1 ? latin1(bytes) : kind === OTHERWISE ? strictly(decoder, bytes) : undefined;
    },
    fault: (bytes) => bytes.findIndex((byte) => kinds[byte] === REFUSED),
  };
}

/** The highest kind among the bytes. ASCII, four bytes at a time, is passed over. */
function kindsIn(bytes: Uint8Array, kinds: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const words = bytes.length & ~3;
  let highest = AS_LATIN1;
  for (let at = 0; at < words; at += 4) {
    if ((view.getInt32(at, true) & 0x80808080) === 0) continue;
    for (let i = at; i < at + 4; i++) highest = Math.max(highest, kinds[bytes[i]!]!);
  }
  for (let i = words; i < bytes.length; i++) highest = Math.max(highest, kinds[bytes[i]!]!);
  return highest;
}

/** A single-byte charset by its table for 80 to FF; below is ASCII. Every byte has a character. */
function tabled(high: string): CharsetDecoder {
  const units = new Uint16Array(256);
  for (let byte = 0; byte < 256; byte++) units[byte] = byte < 0x80 ? byte : high.charCodeAt(byte - 0x80);
  let scratch = new Uint16Array(0);
  return {
    unitBytes: 1,
    whole: (bytes) => bytes.length,
    decode(bytes) {
      if (scratch.length < bytes.length) scratch = new Uint16Array(bytes.length);
      for (let i = 0; i < bytes.length; i++) scratch[i] = units[bytes[i]!]!;
      return Buffer.from(scratch.buffer, 0, bytes.length * 2).toString("utf16le");
    },
    fault: () => -1,
  };
}

function utf16(charset: "utf-16le" | "utf-16be"): CharsetDecoder {
  const decoder = new TextDecoder(charset, { fatal: true, ignoreBOM: true });
  const little = charset === "utf-16le";
  const unit = (bytes: Uint8Array, at: number): number =>
    little ? bytes[at]! | (bytes[at + 1]! << 8) : (bytes[at]! << 8) | bytes[at + 1]!;
  const isHigh = (u: number): boolean => u >= 0xd800 && u <= 0xdbff;
  const isLow = (u: number): boolean => u >= 0xdc00 && u <= 0xdfff;
  return {
    unitBytes: 2,
    whole(bytes) {
      const even = bytes.length & ~1;
      return even >= 2 && isHigh(unit(bytes, even - 2)) ? even - 2 : even;
    },
    decode: (bytes) => strictly(decoder, bytes),
    fault(bytes) {
      for (let at = 0; at + 1 < bytes.length; at += 2) {
        const u = unit(bytes, at);
        if (isLow(u)) return at;
        if (!isHigh(u)) continue;
        if (at + 3 >= bytes.length || !isLow(unit(bytes, at + 2))) return at;
        at += 2;
      }
      return bytes.length & 1 ? bytes.length - 1 : -1;
    },
  };
}

function utf8(): CharsetDecoder {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  return {
    unitBytes: 1,
    whole(bytes) {
      // Look back over at most three bytes for the lead of a character whose end is not here yet.
      for (let back = 1; back <= 3 && back <= bytes.length; back++) {
        const byte = bytes[bytes.length - back]!;
        if (byte < 0x80) break;
        if (byte >= 0xc0) return utf8Length(byte) > back ? bytes.length - back : bytes.length;
      }
      return bytes.length;
    },
    decode: (bytes) => strictly(decoder, bytes),
    fault(bytes) {
      for (let at = 0; at < bytes.length; ) {
        const length = utf8At(bytes, at);
        if (length === 0) return at;
        at += length;
      }
      return -1;
    },
  };
}

const utf8Length = (lead: number): number => (lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1);

/** Length of the well-formed character at `at` (Unicode 15, table 3-7), 0 where there is none. */
function utf8At(bytes: Uint8Array, at: number): number {
  const lead = bytes[at]!;
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const length = utf8Length(lead);
  if (at + length > bytes.length) return 0;
  const second = bytes[at + 1]!;
  const lowest = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const highest = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (second < lowest || second > highest) return 0;
  for (let i = 2; i < length; i++) if ((bytes[at + i]! & 0xc0) !== 0x80) return 0;
  return length;
}
