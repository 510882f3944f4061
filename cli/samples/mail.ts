/**
 * Writes mails as an ERP's mailer does: RFC 5322 headers, MIME of RFC 2045 and 2046, names beyond ASCII after RFC 2231 (in
 * parameters) and RFC 2047 (in headers). The bytes depend on the arguments alone.
 */
import { createHash } from "node:crypto";

export type TransferEncoding = "base64" | "8bit" | "quoted-printable";

export interface MailAttachment {
  readonly name: string;
  /** Media type, with parameters where wanted: `text/csv; charset=windows-1252`. */
  readonly contentType: string;
  readonly bytes: Uint8Array;
  /** Default: base64. `8bit` is for CRLF text only; see `mailOf`. */
  readonly encoding?: TransferEncoding;
}

export interface MailOptions {
  /** `erp@acme.example` or `Acme ERP <erp@acme.example>`. */
  readonly from: string;
  readonly to: string;
  readonly subject: string;
  readonly date: Date;
  /** With or without angle brackets. */
  readonly messageId: string;
  /** Plain text; any line ends. */
  readonly body?: string;
  readonly attachments: readonly MailAttachment[];
  /** Further headers, written before `MIME-Version`. */
  readonly headers?: Readonly<Record<string, string>>;
}

const CRLF = "\r\n";
/** RFC 5322 section 2.1.1: lines should stay within 78 characters (76 with encoded words, RFC 2047), and must within 998. */
const MAX_LINE_CHARS = 76;
const MAX_LINE_BYTES = 998;
/** RFC 2045 section 6.8 and 6.7: encoded lines are at most 76 characters. */
const MAX_ENCODED_LINE_CHARS = 76;
/** RFC 2047 section 2: at most 75 characters, of which `=?utf-8?B?` and `?=` take 12. Shorter, to leave room for a header's name. */
const MAX_ENCODED_WORD_BASE64_CHARS = 48;
/** RFC 2231 section 3: longer parameters are cut into numbered pieces; this keeps each piece on a line of its own. */
const MAX_PARAMETER_PIECE_CHARS = 60;

const isAscii = (text: string) => /^[\x20-\x7e]*$/.test(text);

/** As many characters to each piece as `fits` allows, never parting one character's bytes. */
function pieces(text: string, fits: (piece: string) => boolean): string[] {
  const found: string[] = [];
  let piece = "";
  for (const character of text) {
    if (piece !== "" && !fits(piece + character)) {
      found.push(piece);
      piece = "";
    }
    piece += character;
  }
  return piece === "" ? found : [...found, piece];
}

const base64 = (text: string) => Buffer.from(text, "utf8").toString("base64");

/** RFC 2047 encoded words, a blank between two of them (which a reader drops). */
const encodedWords = (text: string): string =>
  pieces(text, (piece) => base64(piece).length <= MAX_ENCODED_WORD_BASE64_CHARS)
    .map((piece) => `=?utf-8?B?${base64(piece)}?=`)
    .join(" ");

/** Unstructured text for a header: encoded where it is not ASCII, or where a reader would take it for encoded. */
const unstructured = (text: string): string =>
  (isAscii(text) && !text.includes("=?")) || /[\r\n]/.test(text) ? text : encodedWords(text);

function address(text: string): string {
  const named = /^\s*(.*?)\s*<([^<>]*)>\s*$/u.exec(text);
  if (!named) return text.trim();
  const name = (named[1] ?? "").replace(/^"(.*)"$/u, "$1");
  if (name === "") return `<${named[2]}>`;
  const phrase = !isAscii(name)
    ? encodedWords(name)
    : /^[\w !#$%&'*+/=?^`{|}~-]+$/.test(name) && !name.includes("=?")
      ? name
      : `"${name.replace(/["\\]/g, "\\$&")}"`;
  return `${phrase} <${named[2]}>`;
}

/** `Mon, 02 Nov 2026 05:30:00 +0000` (RFC 5322 section 3.3). */
const mailDate = (date: Date): string => date.toUTCString().replace("GMT", "+0000");

/** One header, folded at blanks (RFC 5322 section 2.2.3). A line break in it would begin another header: refused. */
function header(name: string, value: string): string {
  if (!/^[!-9;-~]+$/.test(name)) throw new RangeError(`“${name}” is no header name.`);
  if (/[\r\n]/.test(value)) throw new RangeError(`The value of ${name} has a line break in it.`);
  if (!isAscii(value)) throw new RangeError(`The value of ${name} is not ASCII.`);
  const lines: string[] = [];
  let line = `${name}:`;
  for (const word of value.split(/ (?=\S)/)) {
    if (line.length + 1 + word.length > MAX_LINE_CHARS && line !== `${name}:`) {
      lines.push(line);
      line = "";
    }
    line += ` ${word}`;
  }
  lines.push(line);
  const tooLong = lines.find((folded) => folded.length > MAX_LINE_BYTES);
  if (tooLong !== undefined) throw new RangeError(`The header ${name} has a line beyond ${MAX_LINE_BYTES} characters.`);
  return lines.join(CRLF) + CRLF;
}

/** A character by percent signs, all but the attribute characters of RFC 2231 section 7. */
const percentEncoded = (text: string): string =>
  Array.from(Buffer.from(text, "utf8"), (byte) =>
    /[\w!#$&+.^`{|}~-]/.test(String.fromCharCode(byte))
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`,
  ).join("");

/** `; name="…"`, or `; name*=utf-8''…`, in numbered pieces where it is long (RFC 2231 sections 3 and 4.1). */
function parameter(name: string, value: string): string {
  if (isAscii(value)) {
    const parts = pieces(value, (piece) => piece.length <= MAX_PARAMETER_PIECE_CHARS);
    const text = (piece: string) => `"${piece.replace(/["\\]/g, "\\$&")}"`;
    if (parts.length <= 1) return `; ${name}=${text(value)}`;
    return parts.map((piece, i) => `; ${name}*${i}=${text(piece)}`).join("");
  }
  const parts = pieces(value, (piece) => percentEncoded(piece).length <= MAX_PARAMETER_PIECE_CHARS).map(percentEncoded);
  if (parts.length === 1) return `; ${name}*=utf-8''${parts[0]}`;
  return parts.map((piece, i) => `; ${name}*${i}*=${i === 0 ? "utf-8''" : ""}${piece}`).join("");
}

function base64Lines(bytes: Uint8Array): Buffer {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
  const lineCount = Math.ceil(text.length / MAX_ENCODED_LINE_CHARS);
  const out = Buffer.alloc(text.length + lineCount * CRLF.length);
  let at = 0;
  for (let from = 0; from < text.length; from += MAX_ENCODED_LINE_CHARS) {
    at += out.write(text.slice(from, from + MAX_ENCODED_LINE_CHARS) + CRLF, at, "latin1");
  }
  return out;
}

const CR = 13;
const LF = 10;

/**
 * RFC 2045 section 6.7. In text a CRLF stays a line end (rule 4); a CR or LF alone is data and is escaped, so that the
 * content comes back to the byte. In anything else every CR and LF is data.
 */
function quotedPrintable(bytes: Uint8Array, isText: boolean): Buffer {
  const lines: string[] = [];
  let line = "";
  const put = (token: string) => {
    if (line.length + token.length > MAX_ENCODED_LINE_CHARS - 1) {
      lines.push(`${line}=`);
      line = "";
    }
    line += token;
  };
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] ?? 0;
    if (isText && byte === CR && bytes[i + 1] === LF) {
      lines.push(line);
      line = "";
      i++;
      continue;
    }
    const atLineEnd = i + 1 === bytes.length || (isText && bytes[i + 1] === CR && bytes[i + 2] === LF);
    const blank = byte === 0x20 || byte === 0x09;
    const literal = (byte >= 0x21 && byte <= 0x7e && byte !== 0x3d) || (blank && !atLineEnd);
    put(literal ? String.fromCharCode(byte) : `=${byte.toString(16).toUpperCase().padStart(2, "0")}`);
  }
  lines.push(line);
  return Buffer.from(lines.join(CRLF), "latin1");
}

/** 8bit data is lines of at most 998 bytes ended by CRLF, without NUL (RFC 2045 section 2.8). */
function checkEightBit(bytes: Uint8Array, name: string): void {
  let lineStart = 0;
  for (let i = 0; i <= bytes.length; i++) {
    const atEnd = i === bytes.length;
    const byte = bytes[i];
    const lineEnd = atEnd || (byte === LF && bytes[i - 1] === CR);
    if (byte === 0) throw new RangeError(`${name} has a NUL byte: not for 8bit.`);
    if ((byte === LF && !lineEnd) || (byte === CR && bytes[i + 1] !== LF)) {
      throw new RangeError(`${name} has a CR or LF alone at byte ${i}: not for 8bit.`);
    }
    if (!lineEnd) continue;
    if (i - lineStart - (atEnd ? 0 : 1) > MAX_LINE_BYTES) {
      throw new RangeError(`${name} has a line beyond ${MAX_LINE_BYTES} bytes: not for 8bit.`);
    }
    lineStart = i + 1;
  }
}

interface Part {
  readonly headers: string;
  readonly content: Uint8Array;
}

function attachmentPart({ name, contentType, bytes, encoding = "base64" }: MailAttachment): Part {
  if (encoding === "8bit") checkEightBit(bytes, name);
  const isText = contentType.toLowerCase().startsWith("text/");
  return {
    headers:
      header("Content-Type", `${contentType}${parameter("name", name)}`) +
      header("Content-Disposition", `attachment${parameter("filename", name)}`) +
      header("Content-Transfer-Encoding", encoding),
    content: encoding === "base64" ? base64Lines(bytes) : encoding === "8bit" ? bytes : quotedPrintable(bytes, isText),
  };
}

function bodyPart(body: string): Part {
  const text = body.replace(/\r\n|\r|\n/g, CRLF);
  const plain = text.split(CRLF).every((line) => /^[\t\x20-\x7e]*$/.test(line) && line.length <= MAX_LINE_CHARS);
  const bytes = Buffer.from(text, "utf8");
  return {
    headers:
      header("Content-Type", `text/plain; charset=${plain ? "us-ascii" : "utf-8"}`) +
      header("Content-Transfer-Encoding", plain ? "7bit" : "quoted-printable"),
    content: plain ? bytes : quotedPrintable(bytes, true),
  };
}

/** Each further attempt needs a content that holds the digest of the one before: two are one more than chance needs. */
const MAX_BOUNDARY_ATTEMPTS = 8;

const holds = ({ content }: Part, text: string): boolean =>
  Buffer.from(content.buffer, content.byteOffset, content.byteLength).includes(text);

/** A boundary that no content holds (RFC 2046 section 5.1.1), drawn from the Message-ID. */
function boundaryFor(messageId: string, parts: readonly Part[]): string {
  for (let attempt = 0; attempt < MAX_BOUNDARY_ATTEMPTS; attempt++) {
    const digest = createHash("sha256").update(`${messageId}\n${attempt}`).digest("hex").slice(0, 32);
    const boundary = `=_part_${digest}`; // "=_" stands in no base64 and no quoted-printable (RFC 2045 section 6.7)
    if (!parts.some((part) => holds(part, boundary))) return boundary;
  }
  throw new RangeError("The contents hold every boundary that was tried.");
}

/**
 * The whole message with CRLF line ends: `multipart/mixed` where there are attachments, else plain text.
 * @throws RangeError for a line break in a header value, and for an `8bit` attachment that is not lines of at most 998 bytes
 * ended by CRLF: such a file only travels in base64 or quoted-printable.
 */
export function mailOf(options: MailOptions): Uint8Array<ArrayBuffer> {
  const messageId = /^<.*>$/.test(options.messageId) ? options.messageId : `<${options.messageId}>`;
  const head =
    header("From", address(options.from)) +
    header("To", address(options.to)) +
    header("Subject", unstructured(options.subject)) +
    header("Date", mailDate(options.date)) +
    header("Message-ID", messageId) +
    Object.entries(options.headers ?? {})
      .map(([name, value]) => header(name, unstructured(value)))
      .join("") +
    header("MIME-Version", "1.0");
  const body = bodyPart(options.body ?? "");
  if (options.attachments.length === 0) {
    return new Uint8Array(
      Buffer.concat([Buffer.from(`${head}${body.headers}${CRLF}`, "latin1"), body.content, Buffer.from(CRLF)]),
    );
  }
  const parts = [body, ...options.attachments.map(attachmentPart)];
  const boundary = boundaryFor(messageId, parts);
  const chunks: Uint8Array[] = [
    Buffer.from(`${head}${header("Content-Type", `multipart/mixed; boundary="${boundary}"`)}${CRLF}`, "latin1"),
  ];
  for (const part of parts) {
    // The CRLF before a boundary belongs to the boundary, so the content keeps its own last line end.
    chunks.push(Buffer.from(`--${boundary}${CRLF}${part.headers}${CRLF}`, "latin1"), part.content, Buffer.from(CRLF));
  }
  chunks.push(Buffer.from(`--${boundary}--${CRLF}`, "latin1"));
  return new Uint8Array(Buffer.concat(chunks));
}
