/** Names as strangers write them: decoded, and made harmless. */
import { crc32 } from "node:zlib";

/** Code page 437, bytes 128 to 255: what a zip name is in when it does not say UTF-8 (APPNOTE 4.4.4 and appendix D). */
const CP437_HIGH =
  "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const UTF8_FLAG = 0x0800;
const UNICODE_PATH_EXTRA = 0x7075;

/**
 * The name of a zip entry: the Info-ZIP unicode extra field where it belongs to this name (APPNOTE 4.6.9), UTF-8 where the
 * flag says so or the bytes can be nothing else, else code page 437.
 */
export function zipName(raw: Uint8Array, flags: number, extra: Uint8Array): string {
  for (const [id, field] of extraFields(extra)) {
    if (id !== UNICODE_PATH_EXTRA || field.byteLength < 6 || field[0] !== 1) continue;
    const view = new DataView(field.buffer, field.byteOffset, field.byteLength);
    if (view.getUint32(1, true) === crc32(raw)) return decoded(field.subarray(5)) ?? cp437(raw);
  }
  const hasHighBytes = raw.some((byte) => byte > 127);
  if ((flags & UTF8_FLAG) !== 0 || hasHighBytes) return decoded(raw) ?? cp437(raw);
  return cp437(raw);
}

/**
 * Whether an extra area is made of whole fields: a field that reaches beyond it shows that a length was changed. Fewer bytes
 * than a field has are what some writers align the data with.
 */
export function isWholeExtra(extra: Uint8Array): boolean {
  let end = 0;
  for (const [, data] of extraFields(extra)) end += 4 + data.byteLength;
  return extra.byteLength - end < 4;
}

/** The fields of an extra area (APPNOTE 4.5.1); stops where it is malformed. */
export function* extraFields(extra: Uint8Array): Generator<readonly [id: number, data: Uint8Array]> {
  const view = new DataView(extra.buffer, extra.byteOffset, extra.byteLength);
  for (let at = 0; at + 4 <= extra.byteLength; ) {
    const length = view.getUint16(at + 2, true);
    if (at + 4 + length > extra.byteLength) return;
    yield [view.getUint16(at, true), extra.subarray(at + 4, at + 4 + length)];
    at += 4 + length;
  }
}

function decoded(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch (notUtf8) {
    if (notUtf8 instanceof TypeError) return undefined;
    throw notUtf8;
  }
}

const cp437 = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => (byte < 128 ? String.fromCharCode(byte) : CP437_HIGH[byte - 128])).join("");

/** Longest name of a file on any common system (255 bytes); longer ones are cut in the middle, the ending kept. */
const MAX_SEGMENT_CHARS = 255;
/** Folders inside each other in a path: as deep as a report can show. */
const MAX_SEGMENTS = 16;

/**
 * A path from outside as a harmless relative one: no drive, no root, no `..`, no control or direction-changing characters,
 * bounded. Names are shown, logged and used in keys; they are never opened as paths.
 */
export function safePath(path: string, otherwise: string): string {
  const segments = path
    .replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]/g, "")
    .replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd")
    .split(/[/\\]/)
    .map((segment) => segment.trim())
    .filter(
      (segment, i) => segment !== "" && segment !== "." && segment !== ".." && !(i === 0 && /^[a-z]:$/i.test(segment)),
    )
    .map((segment) =>
      segment.length > MAX_SEGMENT_CHARS
        ? `${segment.slice(0, MAX_SEGMENT_CHARS - 33)}…${segment.slice(segment.length - 32)}`
        : segment,
    );
  return segments.slice(-MAX_SEGMENTS).join("/") || otherwise;
}

/** The last part of a path: the name of the file itself. */
export const baseName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
