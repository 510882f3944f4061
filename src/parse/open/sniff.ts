/**
 * What a file is, from its first bytes. Its name and declared type are evidence only: they decide where bytes cannot.
 */
import { Buffer } from "node:buffer";
import { jsonFormat } from "../json/scan.ts";

/** What a payload can be. `ole` and `ooxml` are Office files that are no workbook. */
export type FileFormat =
  | "text"
  | "json"
  | "ndjson"
  | "html"
  | "xml"
  | "xlsx"
  | "xlsb"
  | "xls"
  | "ods"
  | "ole"
  | "ooxml"
  | "pdf"
  | "image"
  | "smime"
  | "pgp"
  | "binary";

/** What is opened further, or refused. */
export type Container =
  | "zip"
  | "gzip"
  | "mail"
  | "tnef"
  | "encrypted-office"
  | "encrypted-pgp"
  | "encrypted-smime"
  | "signed-smime"
  | "mail-fragment"
  | "outlook-message"
  | "rar"
  | "7z"
  | "bzip2"
  | "xz"
  | "zstd"
  | "compress"
  | "cab"
  | "tar";

export interface SniffEvidence {
  readonly name: string;
  readonly contentType: string;
}

/** Bytes that sniffing wants to see: enough for the directory of an OLE file, which usually follows its header. */
export const SNIFF_BYTES = 16_384;

const MAGIC: readonly (readonly [format: FileFormat | Container, at: number, hex: string])[] = [
  ["zip", 0, "504b0304"],
  ["zip", 0, "504b0506"],
  ["zip", 0, "504b0708"],
  ["gzip", 0, "1f8b08"],
  ["pdf", 0, "255044462d"],
  ["tnef", 0, "789f3e22"],
  ["rar", 0, "526172211a07"],
  ["7z", 0, "377abcaf271c"],
  ["xz", 0, "fd377a585a00"],
  ["zstd", 0, "28b52ffd"],
  // In blocks, with codes of up to 16 bits: what every compress writes unless it is told otherwise.
  ["compress", 0, "1f9d90"],
  ["cab", 0, "4d53434600000000"],
  ["tar", 257, "7573746172"],
  ["image", 0, "89504e470d0a1a0a"],
  ["image", 0, "ffd8ff"],
  ["image", 0, "474946383761"],
  ["image", 0, "474946383961"],
  ["image", 0, "49492a00"],
  ["image", 0, "4d4d002a"],
  // BIFF 2 to 4: workbooks older than OLE, still written by some report tools.
  ["xls", 0, "09000400"],
  ["xls", 0, "09020600"],
  ["xls", 0, "09040600"],
];
const MAGIC_BYTES = MAGIC.map(([format, at, hex]) => ({ format, at, bytes: Buffer.from(hex, "hex") }));

const OLE_MAGIC = Buffer.from("d0cf11e0a1b11ae1", "hex");
/** DER object identifiers of CMS content types (RFC 5652, RFC 5083) as they stand near the beginning of a file. */
const CMS_ENVELOPED = Buffer.from("06092a864886f70d010703", "hex");
const CMS_AUTH_ENVELOPED = Buffer.from("060b2a864886f70d0109100117", "hex");
const CMS_SIGNED = Buffer.from("06092a864886f70d010702", "hex");

/** Decides what the beginning of a file says it is. An empty file is text. */
export function sniff(head: Uint8Array, evidence: SniffEvidence): FileFormat | Container {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  const name = evidence.name.toLowerCase();
  const type = evidence.contentType;
  for (const { format, at, bytes: magic } of MAGIC_BYTES) {
    if (bytes.length >= at + magic.length && bytes.compare(magic, 0, magic.length, at, at + magic.length) === 0)
      return format;
  }
  if (bytes.subarray(0, OLE_MAGIC.length).equals(OLE_MAGIC)) return oleFormat(bytes, name);
  if (bytes.length >= 12 && bytes.toString("latin1", 0, 4) === "RIFF" && bytes.toString("latin1", 8, 12) === "WEBP")
    return "image";
  if (/^BZh[1-9]1AY&SY/.test(bytes.toString("latin1", 0, 10))) return "bzip2";
  const cms = cmsFormat(bytes, name, type);
  if (cms) return cms;
  if (!looksLikeText(bytes)) {
    if (bytes.subarray(0, 1024).includes("%PDF-")) return "pdf";
    if (/^BM/.test(bytes.toString("latin1", 0, 2)) && /\.(bmp|dib)$/.test(name)) return "image";
    if (/\.(pgp|gpg)$/.test(name)) return "encrypted-pgp";
    // Only the directory at the end can tell: the beginning may be damaged or something may stand before it.
    return /\.zip$/.test(name) ? "zip" : "binary";
  }
  return textFormat(bytes, name, type);
}

function textFormat(bytes: Buffer, name: string, type: string): FileFormat | Container {
  const start = bytes
    .toString("latin1", 0, 1024)
    .replace(/^\u00ef\u00bb\u00bf/, "")
    .trimStart();
  if (start.startsWith("-----BEGIN PGP MESSAGE")) return "encrypted-pgp";
  if (start.startsWith("-----BEGIN PGP") || /^application\/pgp-/.test(type)) return "pgp";
  if (/^message\/partial$/.test(type)) return "mail-fragment";
  const isDeclaredMail = /^message\/(rfc822|global)$/.test(type) || name.endsWith(".eml");
  if (isDeclaredMail && /^(>?From .*\r?\n)?[!-9;-~]+[ \t]*:/.test(start)) return "mail";
  if (/^(<!--[\s\S]*?-->\s*)?<(!doctype\s+html|html|head|body|table|meta)[\s>]/i.test(start)) return "html";
  if (/^<\?xml[\s?]/i.test(start)) return /<html[\s>]/i.test(start) ? "html" : "xml";
  if (type === "text/html" && /^\s*</.test(start)) return "html";
  return jsonFormat(headText(bytes), bytes.length < SNIFF_BYTES) ?? "text";
}

/** The beginning as JSON would be written: UTF-8, or UTF-16 with its mark. Any bytes give some text. */
function headText(bytes: Buffer): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return bytes.toString("utf16le");
  if (bytes[0] !== 0xfe || bytes[1] !== 0xff) return bytes.toString("utf8");
  const whole = bytes.subarray(0, bytes.length - (bytes.length % 2));
  return Buffer.from(whole).swap16().toString("utf16le");
}

/** An OLE compound file holds a workbook, something else, or an encrypted Office file; its directory names the streams. */
function oleFormat(bytes: Buffer, name: string): FileFormat | Container {
  const has = (stream: string) => bytes.includes(Buffer.from(stream, "utf16le"));
  if (has("EncryptedPackage")) return "encrypted-office";
  if (has("Workbook") || has("Book\u0000")) return "xls";
  if (has("__properties_version1.0") || has("__substg1.0_")) return "outlook-message";
  // Named as a new workbook but no zip: that is what Excel makes of one with a password.
  if (/\.xls[xmb]$/.test(name)) return "encrypted-office";
  // The directory may lie further back in a big file: then the name decides.
  return /\.xl[st]$/.test(name) ? "xls" : "ole";
}

function cmsFormat(bytes: Buffer, name: string, type: string): FileFormat | Container | undefined {
  const isSignature =
    type === "application/pkcs7-signature" || type === "application/x-pkcs7-signature" || name.endsWith(".p7s");
  if (isSignature) return "smime";
  if (bytes[0] !== 0x30) return undefined;
  const start = bytes.subarray(0, 32);
  if (start.includes(CMS_ENVELOPED) || start.includes(CMS_AUTH_ENVELOPED)) return "encrypted-smime";
  return start.includes(CMS_SIGNED) ? "signed-smime" : undefined;
}

/** One control character in so many is still text (a stray NUL is a fault of the text, told by those who read it). */
const MAX_CONTROL_SHARE = 0.05;

/** White space, the old end mark, escapes. */
const MAY_STAND_IN_TEXT = new Set([0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x1a, 0x1b]);
/** Marks that some files divide cells and records by: as often as the cells, not more. */
const DIVIDERS = new Set([0x01, 0x02, 0x03, 0x1c, 0x1d, 0x1e, 0x1f]);
const MAX_DIVIDER_SHARE = 0.5;

function looksLikeText(bytes: Buffer): boolean {
  if (bytes.length === 0) return true;
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) return true;
  let nuls = 0;
  let evenNuls = 0;
  let controls = 0;
  let dividers = 0;
  for (let i = 0; i < bytes.length; i += 1) {
    const byte = bytes[i]!;
    if (byte === 0) {
      nuls += 1;
      if (i % 2 === 0) evenNuls += 1;
    } else if (DIVIDERS.has(byte)) dividers += 1;
    else if (byte < 0x20 && !MAY_STAND_IN_TEXT.has(byte)) controls += 1;
  }
  if (dividers > bytes.length * MAX_DIVIDER_SHARE) return false;
  if (nuls + controls <= bytes.length * MAX_CONTROL_SHARE) return true;
  if (evenNuls <= nuls * FEW_NULS_SHARE) return isWideText(bytes, "utf-16le");
  return nuls - evenNuls <= nuls * FEW_NULS_SHARE && isWideText(bytes, "utf-16be");
}

/**
 * Whether bytes are text in UTF-16 without its mark: in Western text nearly every other byte is NUL, in any other those of
 * blanks, digits and line ends. Read as pairs, other bytes give characters that nobody writes.
 */
function isWideText(bytes: Buffer, charset: "utf-16le" | "utf-16be"): boolean {
  const decoder = new TextDecoder(charset, { fatal: true, ignoreBOM: true });
  try {
    return !NEVER_IN_TEXT.test(decoder.decode(bytes, { stream: true }));
  } catch (thrown) {
    if (thrown instanceof TypeError) return false;
    throw thrown;
  }
}

/** NULs on the other side of the pairs: some characters have one there, and a small file has few of either. */
const FEW_NULS_SHARE = 0.34;
/** Controls, and code points that are not assigned or for private use. */
const NEVER_IN_TEXT = /[\u0000\u0004-\u0008\u000e-\u0019\u007f-\u009f\p{Cn}\p{Co}]/u;

/** What a zip of certain members really is; undefined for an archive of files. */
export function zipFormat(names: readonly string[]): FileFormat | undefined {
  // Some writers use backslashes.
  const all = new Set(names.map((name) => name.replaceAll("\\", "/")));
  const has = (name: string) => all.has(name);
  if (has("[Content_Types].xml")) {
    if (has("xl/workbook.xml")) return "xlsx";
    return has("xl/workbook.bin") ? "xlsb" : "ooxml";
  }
  return has("mimetype") && has("content.xml") && has("META-INF/manifest.xml") ? "ods" : undefined;
}
