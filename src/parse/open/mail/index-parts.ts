/**
 * Phase one of reading a mail: one streaming pass that finds the leaf parts and their byte ranges.
 *
 * It keeps headers and offsets, never bodies, so a mail of 25 MiB costs a few KB. Lines end with LF or CRLF, mixed as
 * they come; a bare CR is content. Boundaries are compared whole (RFC 2046 section 5.1.1), innermost first, so one that
 * begins like another is not taken for it.
 */
import { Buffer } from "node:buffer";
import { failure } from "../../../domain/failures.ts";
import type { OpenLimits } from "../limits.ts";
import { type ByteSource, exactBlocks } from "../source.ts";
import { firstValue, type HeaderField, headerFields, looksLikeField } from "./header-block.ts";
import { parseStructured, type StructuredHeader } from "./structured.ts";

/**
 * How the body of a part ended:
 * - `boundary`: a boundary line followed. It is whole.
 * - `message-end`: the message is this one part, so nothing marks its end.
 * - `cut-off`: the message ended although a boundary was due. The end of the body may be missing.
 */
export type Ending = "boundary" | "message-end" | "cut-off";

export interface IndexedPart {
  readonly fields: readonly HeaderField[];
  readonly type: StructuredHeader;
  /** Range of the body, still encoded, without the line end that belongs to the boundary after it. */
  readonly start: number;
  readonly end: number;
  readonly ending: Ending;
  /** The nearest multipart/alternative around it: parts with the same number say the same in other forms. */
  readonly alternative: number | undefined;
}

export interface MailIndex {
  /** Fields of the message itself. */
  readonly fields: readonly HeaderField[];
  readonly parts: readonly IndexedPart[];
  /** The message ends although a boundary is due: parts may be missing. */
  readonly unclosed: boolean;
  /** A multipart whose boundary is missing or never appears: its body stands among the parts as one text. */
  readonly undivided: boolean;
}

const LF = 0x0a;
const CR = 0x0d;
const DASH = 0x2d;
const LINE_OF_DASHES = Uint8Array.of(LF, DASH, DASH);
/** RFC 5322 section 2.1.1 allows lines of 998; a longer one is no boundary, whatever it begins with. */
const MAX_BOUNDARY_LINE_BYTES = 1_024;
/** Lines of a header that are tried as its own first boundary: each try reads the header again. */
const MAX_DASHED_HEADER_LINES = 4;
/** Line ends that may follow a last boundary without being a part: two of them. */
const MAX_BLANK_END_BYTES = 4;
/** `From ` opens a message in a mailbox file; some tools leave it in. */
const MBOX_LINE = /^>?From /;

interface Multipart {
  readonly boundary: Uint8Array;
  readonly isDigest: boolean;
  readonly alternative: number | undefined;
  readonly fields: readonly HeaderField[];
  readonly bodyStart: number;
  hasParts: boolean;
}

interface Leaf {
  fields: readonly HeaderField[];
  type: StructuredHeader;
  start: number;
}

/** Reads a source once and finds its parts. @throws `mail-too-complex` above a limit. */
export async function indexParts(source: ByteSource, limits: OpenLimits): Promise<MailIndex> {
  const indexer = new PartIndexer(limits);
  for await (const block of exactBlocks(source, 0, source.size)) indexer.push(block);
  return indexer.end();
}

/** The fields at the top of a source, reading no further than they reach. */
export async function topFields(source: ByteSource, limits: OpenLimits): Promise<readonly HeaderField[]> {
  const indexer = new PartIndexer(limits);
  for await (const block of exactBlocks(source, 0, source.size)) {
    indexer.push(block);
    if (indexer.topDone) break;
  }
  return indexer.end().fields;
}

class PartIndexer {
  readonly #limits: OpenLimits;
  readonly #parts: IndexedPart[] = [];
  readonly #stack: Multipart[] = [];
  #top: readonly HeaderField[] | undefined;
  #leaf: Leaf | undefined;
  #alternatives = 0;
  #undivided = false;

  /** Lines of the header being read; undefined in a body. */
  #header: Uint8Array[] | undefined = [];
  #dashedLines = 0;
  #headerBytes = 0;
  #partsBegun = 1;

  #position = 0;
  #lastByte = 0;
  /** In a body, on a line that cannot be a boundary. */
  #skipping = false;
  #lineStart = 0;
  /** Bytes of the line end before the current line: they belong to a boundary that stands on it. */
  #eolBefore = 0;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;

  constructor(limits: OpenLimits) {
    this.#limits = limits;
  }

  get topDone(): boolean {
    return this.#top !== undefined;
  }

  push(block: Uint8Array): void {
    const bytes = Buffer.from(block.buffer, block.byteOffset, block.byteLength);
    let at = 0;
    while (at < bytes.length) at = this.#skipping ? this.#skip(bytes, at) : this.#take(bytes, at);
    if (bytes.length > 0) this.#lastByte = bytes[bytes.length - 1]!;
    this.#position += bytes.length;
  }

  /** Native search for the next line that begins with two dashes: almost all bytes of a mail go through here. */
  #skip(bytes: Buffer, at: number): number {
    const found = bytes.indexOf(LINE_OF_DASHES, at);
    if (found !== -1) return this.#beginLine(bytes, found);
    const last = bytes.length - 1;
    if (bytes[last] === LF) return this.#beginLine(bytes, last);
    if (last > at && bytes[last] === DASH && bytes[last - 1] === LF) return this.#beginLine(bytes, last - 1);
    return bytes.length;
  }

  #beginLine(bytes: Buffer, lf: number): number {
    const before = lf > 0 ? bytes[lf - 1] : this.#lastByte;
    this.#eolBefore = before === CR ? 2 : 1;
    this.#lineStart = this.#position + lf + 1;
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#skipping = false;
    return lf + 1;
  }

  /** Takes what the block has of the current line: every line of a header, in a body only those that begin with dashes. */
  #take(bytes: Buffer, at: number): number {
    if (this.#header === undefined) {
      const first = this.#pendingBytes > 0 ? DASH : bytes[at];
      const second = this.#pendingBytes > 1 ? DASH : this.#pendingBytes === 1 ? bytes[at] : bytes[at + 1];
      if (first !== DASH || (second !== DASH && second !== undefined) || this.#pendingBytes > MAX_BOUNDARY_LINE_BYTES) {
        this.#skipping = true;
        return at;
      }
    }
    const lf = bytes.indexOf(LF, at);
    const piece = bytes.subarray(at, lf === -1 ? bytes.length : lf);
    if (
      this.#header !== undefined &&
      this.#headerBytes + this.#pendingBytes + piece.length > this.#limits.maxHeaderBytes
    ) {
      throw failure("mail-too-complex", {
        what: "bytes of headers",
        count: this.#headerBytes + this.#pendingBytes + piece.length,
        limit: this.#limits.maxHeaderBytes,
      });
    }
    if (lf === -1) {
      this.#pending.push(Uint8Array.from(piece));
      this.#pendingBytes += piece.length;
      return bytes.length;
    }
    const line = this.#pendingBytes === 0 ? piece : Buffer.concat([...this.#pending, piece]);
    const hasCr = line.length > 0 && line[line.length - 1] === CR;
    const start = this.#lineStart;
    this.#line(hasCr ? line.subarray(0, -1) : line, start, hasCr ? 2 : 1, this.#eolBefore);
    this.#eolBefore = hasCr ? 2 : 1;
    this.#lineStart = this.#position + lf + 1;
    this.#pending = [];
    this.#pendingBytes = 0;
    return lf + 1;
  }

  #line(line: Uint8Array, start: number, eol: number, eolBefore: number): void {
    const isDashed = line[0] === DASH && line[1] === DASH;
    if (isDashed && this.#boundary(line, start, eolBefore)) return;
    const header = this.#header;
    if (header === undefined) return;
    if (line.length === 0) {
      this.#endHeader(start + eol);
    } else if (isDashed && this.#dashedLines++ < MAX_DASHED_HEADER_LINES && opensWith(line, header)) {
      // No blank line between the header and its own first boundary.
      this.#endHeader(start);
      this.#boundary(line, start, eolBefore);
    } else if (header.length === 0 && !looksLikeField(line)) {
      if (this.#top === undefined && start === 0 && MBOX_LINE.test(Buffer.from(line.subarray(0, 6)).toString("latin1")))
        return;
      // A part without any header, and without the blank line that should say so.
      this.#endHeader(start);
    } else {
      header.push(Uint8Array.from(line));
      this.#headerBytes += line.length;
    }
  }

  /** Is the line a boundary of an open multipart? Then the part before it ends and the next begins, or the multipart ends. */
  #boundary(line: Uint8Array, start: number, eolBefore: number): boolean {
    let length = line.length;
    while (length > 2 && (line[length - 1] === 0x20 || line[length - 1] === 0x09)) length -= 1;
    for (let level = this.#stack.length - 1; level >= 0; level -= 1) {
      const multipart = this.#stack[level]!;
      const { boundary } = multipart;
      const closes = length === boundary.length + 4 && line[length - 1] === DASH && line[length - 2] === DASH;
      if (!closes && length !== boundary.length + 2) continue;
      if (!boundary.every((byte, i) => line[i + 2] === byte)) continue;
      this.#endLeaf(start, eolBefore, "boundary");
      while (this.#stack.length > level + 1) this.#endMultipart(start - eolBefore, "boundary");
      multipart.hasParts = true;
      if (closes) this.#stack.pop();
      else this.#beginPart();
      return true;
    }
    return false;
  }

  #beginPart(): void {
    this.#partsBegun += 1;
    if (this.#partsBegun > this.#limits.maxParts) {
      throw failure("mail-too-complex", { what: "parts", count: this.#partsBegun, limit: this.#limits.maxParts });
    }
    this.#header = [];
    this.#dashedLines = 0;
  }

  #endHeader(bodyStart: number): void {
    const fields = headerFields(this.#header ?? []);
    this.#header = undefined;
    this.#top ??= fields;
    const around = this.#stack.at(-1);
    const declared = firstValue(fields, "content-type") || (around?.isDigest ? "message/rfc822" : "text/plain");
    const type = parseStructured(declared);
    const boundary = boundaryOf(type);
    if (boundary === undefined || boundary.length === 0) {
      if (boundary !== undefined) this.#undivided = true;
      this.#leaf = { fields, type, start: bodyStart };
      return;
    }
    if (this.#stack.length >= this.#limits.maxMultipartDepth) {
      const limit = this.#limits.maxMultipartDepth;
      throw failure("mail-too-complex", { what: "levels of parts inside parts", count: limit + 1, limit });
    }
    const isAlternative = type.value === "multipart/alternative";
    if (isAlternative) this.#alternatives += 1;
    this.#stack.push({
      boundary,
      isDigest: type.value === "multipart/digest",
      alternative: isAlternative ? this.#alternatives : around?.alternative,
      fields,
      bodyStart,
      hasParts: false,
    });
  }

  #endLeaf(lineStart: number, eolBefore: number, ending: Ending): void {
    if (this.#header !== undefined) this.#endHeader(lineStart);
    const leaf = this.#leaf;
    this.#leaf = undefined;
    if (!leaf) return;
    const end = Math.max(leaf.start, lineStart - eolBefore);
    this.#parts.push({ ...leaf, end, ending, alternative: this.#stack.at(-1)?.alternative });
  }

  #endMultipart(end: number, ending: Ending): void {
    const multipart = this.#stack.pop()!;
    if (multipart.hasParts) return;
    this.#undivided = true;
    const { fields, bodyStart: start } = multipart;
    this.#parts.push({
      fields,
      type: parseStructured("text/plain"),
      start,
      end: Math.max(start, end),
      ending,
      alternative: undefined,
    });
  }

  end(): MailIndex {
    if (this.#pendingBytes > 0) {
      const line = Buffer.concat(this.#pending);
      this.#pendingBytes = 0;
      this.#line(line[line.length - 1] === CR ? line.subarray(0, -1) : line, this.#lineStart, 0, this.#eolBefore);
    }
    const unclosed = this.#stack.length > 0;
    // A boundary was the last thing, with at most blank lines after it: no part began.
    const isNothing = this.#header?.length === 0 || this.#leaf?.fields.length === 0;
    const size = this.#position - (this.#leaf?.start ?? this.#position);
    if (unclosed && isNothing && size <= MAX_BLANK_END_BYTES) {
      this.#header = undefined;
      this.#leaf = undefined;
    }
    this.#endLeaf(this.#position, 0, unclosed ? "cut-off" : "message-end");
    while (this.#stack.length > 0) this.#endMultipart(this.#position, "cut-off");
    return { fields: this.#top ?? [], parts: this.#parts, unclosed, undivided: this.#undivided };
  }
}

/** The boundary of a multipart; empty when it names none; undefined for anything that is no multipart. */
function boundaryOf(type: StructuredHeader): Uint8Array | undefined {
  if (!type.value.startsWith("multipart/")) return undefined;
  const named = type.parameters.get("boundary") ?? "";
  const boundary = Buffer.from(named, "utf8");
  return boundary.length > MAX_BOUNDARY_LINE_BYTES - 4 ? new Uint8Array() : boundary;
}

/** Does a line open the multipart that a header not yet ended declares? */
function opensWith(line: Uint8Array, header: readonly Uint8Array[]): boolean {
  const boundary = boundaryOf(parseStructured(firstValue(headerFields(header), "content-type")));
  if (boundary === undefined || boundary.length === 0) return false;
  return line.length === boundary.length + 2 && boundary.every((byte, i) => line[i + 2] === byte);
}
