/**
 * Every charset that detection can name: how its bytes become text. Those that feeds can pin are read by the strict
 * reader's decoders; the others by the platform's, or by a table.
 */
import { Buffer } from "node:buffer";
import { CHARSETS } from "../../domain/adapter.ts";
import { failure } from "../../domain/failures.ts";
import { type Charset, decoderFor } from "../table/charsets.ts";
import { SLICE_CHARS, TextReader } from "../table/text.ts";
import { CODE_PAGES } from "./code-pages.ts";

export const SINGLE_BYTE = [
  "windows-1252",
  "iso-8859-15",
  "windows-1250",
  "iso-8859-2",
  "iso-8859-16",
  "windows-1257",
  "iso-8859-13",
  "iso-8859-4",
  "windows-1254",
  "iso-8859-9",
  "windows-1251",
  "iso-8859-5",
  "koi8-r",
  "koi8-u",
  "ibm866",
  "x-mac-cyrillic",
  "windows-1253",
  "iso-8859-7",
  "windows-1255",
  "iso-8859-8",
  "windows-1256",
  "iso-8859-6",
  "windows-1258",
  "windows-874",
  "macintosh",
  "cp850",
  "cp437",
  "cp852",
  "cp858",
  "cp737",
  "cp775",
  "cp855",
  "cp857",
  "cp862",
] as const;
export type SingleByteCharset = (typeof SINGLE_BYTE)[number];

/** No character. */
const NONE = "\ufffd";

const tables = new Map<SingleByteCharset, string>();

/** The 128 characters of the bytes 80 to FF; U+FFFD where the charset has none, or only a control character. */
export function upperHalf(charset: SingleByteCharset): string {
  let table = tables.get(charset);
  if (table === undefined) {
    table = CODE_PAGES[charset] ?? readTable(charset);
    tables.set(charset, table);
  }
  return table;
}

function readTable(charset: SingleByteCharset): string {
  const bytes = Uint8Array.from({ length: 128 }, (_, i) => i + 0x80);
  const isDos = charset === "cp437" || charset === "cp850";
  const text = isDos ? decoderFor(charset).decode(bytes) : platformText(charset, bytes);
  return (text ?? NONE.repeat(128)).replace(/[\u0080-\u009f]/g, NONE);
}

/** Undefined where the platform lacks the charset: then no file is taken for it. */
function platformText(charset: string, bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder(charset).decode(bytes);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

export const isSingleByte = (charset: string): charset is SingleByteCharset =>
  (SINGLE_BYTE as readonly string[]).includes(charset);

/** Text of whole characters, or undefined where the charset lacks one of the bytes. No byte order mark is removed. */
export function decodeWhole(bytes: Uint8Array, charset: string): string | undefined {
  const known = CHARSETS.find((c) => c === charset);
  if (known !== undefined) return decoderFor(known).decode(bytes);
  if (isSingleByte(charset)) return decodeByTable(bytes, upperHalf(charset));
  try {
    // Streaming: a character that the end of a sample cuts is left out.
    return new TextDecoder(charset, { fatal: true, ignoreBOM: true }).decode(bytes, { stream: true });
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** Whole runs beyond ASCII at a time: most texts have few. */
function decodeByTable(bytes: Uint8Array, table: string): string | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
  const decoded = text.replace(/[\u0080-\u00ff]+/g, (run) => {
    let read = "";
    for (let i = 0; i < run.length; i++) read += table[run.charCodeAt(i) - 0x80];
    return read;
  });
  return decoded.includes("\ufffd") ? undefined : decoded;
}

/**
 * A payload's text in slices, whatever its charset. Throws `wrong-charset` and `nul-bytes`.
 * A slice never ends between CR and LF.
 */
export function textOf(
  blocks: AsyncIterable<Uint8Array>,
  charset: string,
  recordDelimiter: string,
): AsyncIterable<string> {
  const known = CHARSETS.find((c): c is Charset => c === charset);
  if (known !== undefined) return new TextReader({ charset: known, recordDelimiter }).slices(blocks);
  return otherSlices(blocks, charset);
}

async function* otherSlices(blocks: AsyncIterable<Uint8Array>, charset: string): AsyncGenerator<string> {
  const decoder = isSingleByte(charset) ? undefined : new TextDecoder(charset, { fatal: true, ignoreBOM: false });
  let offset = 0;
  let line = 1;
  let held = "";
  const decode = (bytes: Uint8Array, atEnd: boolean): string => {
    let text: string | undefined;
    try {
      text = decoder ? decoder.decode(bytes, { stream: !atEnd }) : decodeWhole(bytes, charset);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
    if (text === undefined) throw failure("wrong-charset", { charset, offset, line });
    if (text.includes("\0")) throw failure("nul-bytes", { line });
    for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) line++;
    offset += bytes.length;
    return text;
  };
  for await (const block of blocks) {
    for (let at = 0; at < block.length; at += SLICE_CHARS) {
      held += decode(block.subarray(at, at + SLICE_CHARS), false);
      const keep = held.endsWith("\r") ? 1 : 0;
      const text = held.slice(0, held.length - keep);
      held = keep === 0 ? "" : "\r";
      if (text !== "") yield text;
    }
  }
  held += decode(new Uint8Array(0), true);
  if (held !== "") yield held;
}
