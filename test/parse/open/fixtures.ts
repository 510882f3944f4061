/**
 * Hand-made mails and zips, one constructor each: every test takes a valid one and changes one thing.
 *
 * Also sources that enforce what a {@link ByteSource} promises: blocks of any size, overwritten as soon as the next is asked
 * for, and counted.
 */
import { Buffer } from "node:buffer";
import { createCipheriv, createHmac, pbkdf2Sync } from "node:crypto";
import { crc32, deflateRawSync } from "node:zlib";
import { Failure, type FailureReport } from "../../../src/domain/failures.ts";
import { type OpenOptions, openDelivery, type Payload, type PayloadRole } from "../../../src/parse/open/open.ts";
import { type ByteSource, type ByteStream, bytesSource, collect } from "../../../src/parse/open/source.ts";

// ── mails ────────────────────────────────────────────────────────────────────────────────────────────────────────

export type Encoding = "base64" | "quoted-printable" | "8bit" | "7bit" | "binary";

export interface PartSpec {
  /** Value of Content-Type; `multipart/…` gets its boundary by itself. Left out when undefined. */
  readonly type?: string;
  readonly encoding?: Encoding;
  /** `attachment`, `inline`, or nothing. */
  readonly disposition?: string;
  readonly filename?: string;
  /** How the name is written: in quotes (default), RFC 2231, RFC 2047 words, or in the `name` parameter of the type only. */
  readonly nameStyle?: "quoted" | "rfc2231" | "rfc2047" | "type-only";
  readonly body?: Uint8Array | string;
  /** Bytes that stand for the encoded body as they are. */
  readonly encodedBody?: Uint8Array | string;
  readonly parts?: readonly PartSpec[];
  readonly boundary?: string;
  readonly preamble?: string;
  readonly epilogue?: string;
  /** `false` leaves the closing boundary out. */
  readonly isClosed?: boolean;
  readonly extraHeaders?: readonly string[];
}

export interface MailSpec extends PartSpec {
  readonly headers?: readonly (readonly [string, string])[];
  readonly eol?: "\r\n" | "\n";
}

export const DEFAULT_HEADERS: readonly (readonly [string, string])[] = [
  ["Return-Path", "<erp@supplier.example>"],
  ["From", "ERP <erp@supplier.example>"],
  ["To", "acme-inventory@in.mailfeed.example"],
  ["Subject", "Stock 2026-11-20"],
  ["Date", "Fri, 20 Nov 2026 06:00:00 +0100"],
  ["Message-ID", "<20261120.060000@supplier.example>"],
  ["MIME-Version", "1.0"],
];

/** The bytes of a mail. Without `parts` it is one part, whatever `type` says. */
export function buildMail(spec: MailSpec): Uint8Array {
  const eol = spec.eol ?? "\r\n";
  const head = (spec.headers ?? DEFAULT_HEADERS).map(([name, value]) => `${name}: ${value}${eol}`).join("");
  return Buffer.concat([Buffer.from(head), buildPart(spec, eol, "b")]);
}

function buildPart(spec: PartSpec, eol: string, path: string): Uint8Array {
  const bytes = (text: string) => Buffer.from(text, "utf8");
  if (!spec.parts) {
    const body = spec.encodedBody ?? encodeBody(Buffer.from(spec.body ?? ""), spec.encoding, eol);
    return Buffer.concat([
      bytes(`${headerLines(spec).join(eol)}${headerLines(spec).length ? eol : ""}${eol}`),
      Buffer.from(body),
    ]);
  }
  const boundary = spec.boundary ?? `=_${path}`;
  const type = `Content-Type: ${spec.type ?? "multipart/mixed"};${eol} boundary="${boundary}"`;
  const pieces: Uint8Array[] = [
    bytes([type, ...(spec.extraHeaders ?? []), "", ""].join(eol)),
    bytes(spec.preamble ?? ""),
  ];
  spec.parts.forEach((part, i) => {
    const before = i === 0 && !spec.preamble ? "" : eol;
    pieces.push(bytes(`${before}--${boundary}${eol}`), buildPart(part, eol, `${path}.${i}`));
  });
  if (spec.isClosed !== false) pieces.push(bytes(`${eol}--${boundary}--${eol}${spec.epilogue ?? ""}`));
  return Buffer.concat(pieces);
}

function headerLines(spec: PartSpec): string[] {
  const lines: string[] = [];
  const name = spec.filename;
  if (spec.type !== undefined) {
    lines.push(
      `Content-Type: ${spec.type}${name !== undefined && spec.nameStyle === "type-only" ? `; name="${name}"` : ""}`,
    );
  }
  if (spec.encoding !== undefined) lines.push(`Content-Transfer-Encoding: ${spec.encoding}`);
  if (spec.disposition !== undefined) {
    const isNamed = name !== undefined && spec.nameStyle !== "type-only";
    lines.push(`Content-Disposition: ${spec.disposition}${isNamed ? `; ${nameParameter(name, spec.nameStyle)}` : ""}`);
  }
  return [...lines, ...(spec.extraHeaders ?? [])];
}

function nameParameter(name: string, style: PartSpec["nameStyle"]): string {
  if (style === "rfc2047") return `filename="=?UTF-8?B?${Buffer.from(name).toString("base64")}?="`;
  if (style !== "rfc2231") return `filename="${name.replace(/["\\]/g, "\\$&")}"`;
  const encoded = encodeURIComponent(name).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);
  const pieces = encoded.match(/(?:%..|.){1,20}/g) ?? [""];
  return pieces.map((piece, i) => `filename*${i}*=${i === 0 ? "UTF-8''" : ""}${piece}`).join("; ");
}

/** Transfer encoding as a careful writer does it. */
export function encodeBody(body: Uint8Array, encoding: Encoding | undefined, eol = "\r\n"): Uint8Array {
  if (encoding === "base64") {
    return Buffer.from(
      (
        Buffer.from(body)
          .toString("base64")
          .match(/.{1,76}/g) ?? []
      ).join(eol),
    );
  }
  return encoding === "quoted-printable" ? Buffer.from(quotedPrintable(body, eol)) : body;
}

function quotedPrintable(body: Uint8Array, eol: string): string {
  const hex = (byte: number) => `=${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  let out = "";
  let column = 0;
  for (const [i, byte] of body.entries()) {
    const isPlain = byte > 0x20 && byte < 0x7f && byte !== 0x3d;
    const isInnerSpace = byte === 0x20 && i + 1 < body.length && body[i + 1]! > 0x20;
    const piece = isPlain || isInnerSpace ? String.fromCharCode(byte) : hex(byte);
    if (column + piece.length > 75) {
      out += `=${eol}`;
      column = 0;
    }
    out += piece;
    column += piece.length;
  }
  return out;
}

// ── zips ─────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface ZipEntrySpec {
  readonly name: string;
  readonly data?: Uint8Array | string;
  /** 8 (deflated, default) or 0 (stored); any other number is written as it is, over stored data. */
  readonly method?: number;
  readonly rawName?: Uint8Array;
  readonly flags?: number;
  /** Sizes and checksum behind the data, as streaming writers do. */
  readonly hasDescriptor?: boolean;
  readonly isZip64?: boolean;
  readonly extra?: Uint8Array;
  /** What the directory says instead of the truth. */
  readonly lie?: {
    readonly crc?: number;
    readonly expandedBytes?: number;
    readonly compressedBytes?: number;
    readonly offset?: number;
  };
  /** The local header tells the same lie. */
  readonly isLieConsistent?: boolean;
  /** Locked with a password: `traditional`, or AES with keys of so many bits. */
  readonly lock?: { readonly secret: string; readonly kind: "traditional" | 128 | 192 | 256; readonly version?: 1 | 2 };
}

export interface ZipSpec {
  readonly entries: readonly ZipEntrySpec[];
  readonly isZip64?: boolean;
  readonly comment?: string;
  readonly prefix?: Uint8Array;
}

/** The bytes of a zip. */
export function buildZip(spec: ZipSpec): Uint8Array {
  const pieces: Uint8Array[] = [spec.prefix ?? new Uint8Array()];
  const directory: Uint8Array[] = [];
  let at = pieces[0]!.byteLength;
  const push = (piece: Uint8Array) => {
    pieces.push(piece);
    at += piece.byteLength;
  };
  for (const entry of spec.entries) {
    const data = Buffer.from(entry.data ?? "");
    const dataMethod = entry.method ?? 8;
    const plain = dataMethod === 8 ? deflateRawSync(data) : data;
    const isAes = typeof entry.lock?.kind === "number";
    const method = isAes ? 99 : dataMethod;
    const packed = entry.lock ? lockedData(plain, entry.lock, crc32(data)) : plain;
    const extra = isAes ? aesField(entry.lock!, dataMethod) : (entry.extra ?? new Uint8Array());
    const name = Buffer.from(entry.rawName ?? Buffer.from(entry.name));
    const isAscii = name.every((byte) => byte < 128);
    const flags =
      entry.flags ?? (isAscii || entry.rawName ? 0 : 0x800) | (entry.hasDescriptor ? 8 : 0) | (entry.lock ? 1 : 0);
    const truth = {
      crc: isAes && entry.lock!.version !== 1 ? 0 : crc32(data),
      expanded: data.byteLength,
      compressed: packed.byteLength,
      offset: at,
    };
    const told = {
      crc: entry.lie?.crc ?? truth.crc,
      expanded: entry.lie?.expandedBytes ?? truth.expanded,
      compressed: entry.lie?.compressedBytes ?? truth.compressed,
      offset: entry.lie?.offset ?? truth.offset,
    };
    const local = entry.isLieConsistent ? told : truth;
    const late = entry.hasDescriptor === true;
    const header = Buffer.alloc(30);
    header.writeUInt32LE(0x04034b50, 0);
    header.writeUInt16LE(entry.isZip64 ? 45 : 20, 4);
    header.writeUInt16LE(flags, 6);
    header.writeUInt16LE(method, 8);
    header.writeUInt32LE(late ? 0 : local.crc, 14);
    header.writeUInt32LE(late ? 0 : local.compressed, 18);
    header.writeUInt32LE(late ? 0 : local.expanded, 22);
    header.writeUInt16LE(name.byteLength, 26);
    header.writeUInt16LE(extra.byteLength, 28);
    push(Buffer.concat([header, name, extra, packed]));
    if (late) {
      const descriptor = Buffer.alloc(16);
      descriptor.writeUInt32LE(0x08074b50, 0);
      descriptor.writeUInt32LE(local.crc, 4);
      descriptor.writeUInt32LE(local.compressed, 8);
      descriptor.writeUInt32LE(local.expanded, 12);
      push(descriptor);
    }
    directory.push(directoryEntry({ ...entry, extra }, name, flags, method, told));
  }
  const directoryAt = at;
  for (const entry of directory) push(entry);
  const directoryBytes = at - directoryAt;
  const count = spec.entries.length;
  if (spec.isZip64) push(zip64End(count, directoryBytes, directoryAt));
  const comment = Buffer.from(spec.comment ?? "");
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(spec.isZip64 ? 0xffff : count, 8);
  end.writeUInt16LE(spec.isZip64 ? 0xffff : count, 10);
  end.writeUInt32LE(spec.isZip64 ? 0xffffffff : directoryBytes, 12);
  end.writeUInt32LE(spec.isZip64 ? 0xffffffff : directoryAt, 16);
  end.writeUInt16LE(comment.byteLength, 20);
  return Buffer.concat([...pieces, end, comment]);
}

function directoryEntry(
  entry: ZipEntrySpec,
  name: Uint8Array,
  flags: number,
  method: number,
  told: { crc: number; expanded: number; compressed: number; offset: number },
): Uint8Array {
  const large = Buffer.alloc(entry.isZip64 ? 28 : 0);
  if (entry.isZip64) {
    large.writeUInt16LE(1, 0);
    large.writeUInt16LE(24, 2);
    large.writeBigUInt64LE(BigInt(told.expanded), 4);
    large.writeBigUInt64LE(BigInt(told.compressed), 12);
    large.writeBigUInt64LE(BigInt(told.offset), 20);
  }
  const extra = Buffer.concat([large, entry.extra ?? new Uint8Array()]);
  const header = Buffer.alloc(46);
  header.writeUInt32LE(0x02014b50, 0);
  header.writeUInt16LE(entry.isZip64 ? 45 : 20, 6);
  header.writeUInt16LE(flags, 8);
  header.writeUInt16LE(method, 10);
  header.writeUInt32LE(told.crc, 16);
  header.writeUInt32LE(entry.isZip64 ? 0xffffffff : told.compressed, 20);
  header.writeUInt32LE(entry.isZip64 ? 0xffffffff : told.expanded, 24);
  header.writeUInt16LE(name.byteLength, 28);
  header.writeUInt16LE(extra.byteLength, 30);
  header.writeUInt32LE(entry.isZip64 ? 0xffffffff : told.offset, 42);
  return Buffer.concat([header, name, extra]);
}

type Lock = NonNullable<ZipEntrySpec["lock"]>;

function aesField(lock: Lock, method: number): Uint8Array {
  const field = Buffer.from([
    0x01,
    0x99,
    7,
    0,
    lock.version ?? 2,
    0,
    0x41,
    0x45,
    (Number(lock.kind) - 64) / 64,
    method,
    0,
  ]);
  return field;
}

function lockedData(plain: Uint8Array, lock: Lock, crc: number): Uint8Array {
  if (lock.kind === "traditional") return traditional(plain, lock.secret, crc);
  const keyBytes = lock.kind / 8;
  const salt = Buffer.from(Array.from({ length: keyBytes / 2 }, (_, i) => i * 7 + 1));
  const derived = pbkdf2Sync(lock.secret, salt, 1_000, keyBytes * 2 + 2, "sha1");
  const out = Buffer.from(plain);
  for (let block = 0; block * 16 < out.length; block += 1) {
    const counter = Buffer.alloc(16);
    counter.writeUInt32LE(block + 1, 0);
    const cipher = createCipheriv(`aes-${lock.kind}-ecb`, derived.subarray(0, keyBytes), null);
    const stream = cipher.update(counter);
    for (let i = 0; i < 16 && block * 16 + i < out.length; i += 1) out[block * 16 + i]! ^= stream[i]!;
  }
  const code = createHmac("sha1", derived.subarray(keyBytes, keyBytes * 2))
    .update(out)
    .digest()
    .subarray(0, 10);
  return Buffer.concat([salt, derived.subarray(keyBytes * 2), out, code]);
}

/** The traditional encryption, written from the text of APPNOTE 6.1. */
function traditional(plain: Uint8Array, secret: string, crc: number): Uint8Array {
  const step = (old: number, byte: number) => ~crc32(Buffer.from([byte]), ~old >>> 0) >>> 0;
  let [a, b, c] = [305_419_896, 591_751_049, 878_082_192];
  const update = (byte: number) => {
    a = step(a, byte);
    b = Number((BigInt((b + (a & 0xff)) % 2 ** 32) * 134_775_813n + 1n) % 2n ** 32n);
    c = step(c, b >>> 24);
  };
  for (const byte of Buffer.from(secret)) update(byte);
  const header = Buffer.alloc(12, 0x5a);
  header[11] = crc >>> 24;
  return Buffer.concat([header, plain]).map((byte) => {
    const t = (c | 2) & 0xffff;
    const mask = (t * (t ^ 1)) >>> 8;
    update(byte);
    return byte ^ (mask & 0xff);
  });
}

function zip64End(count: number, bytes: number, at: number): Uint8Array {
  const end = Buffer.alloc(76);
  end.writeUInt32LE(0x06064b50, 0);
  end.writeBigUInt64LE(44n, 4);
  end.writeBigUInt64LE(BigInt(count), 24);
  end.writeBigUInt64LE(BigInt(count), 32);
  end.writeBigUInt64LE(BigInt(bytes), 40);
  end.writeBigUInt64LE(BigInt(at), 48);
  end.writeUInt32LE(0x07064b50, 56);
  end.writeBigUInt64LE(BigInt(at + bytes), 64);
  end.writeUInt32LE(1, 72);
  return end;
}

// ── tar ──────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface TarEntrySpec {
  readonly name: string;
  readonly data?: Uint8Array | string;
  /** `0` (file, default), `5` (folder), `2` (link), `L` (long name), `x` (extended header) … */
  readonly kind?: string;
  readonly prefix?: string;
}

export function buildTar(entries: readonly TarEntrySpec[], endBlocks = 2): Buffer {
  const pieces: Buffer[] = [];
  for (const entry of entries) {
    const data = Buffer.from(entry.data ?? "");
    const header = Buffer.alloc(512);
    header.write(entry.name, 0, 100);
    header.write("0000644\0", 100);
    header.write(`${data.length.toString(8).padStart(11, "0")}\0`, 124);
    header.write(entry.kind ?? "0", 156);
    header.write("ustar\u000000", 257, "latin1");
    header.write(entry.prefix ?? "", 345);
    header.write("        ", 148);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    pieces.push(header, data, Buffer.alloc((512 - (data.length % 512)) % 512));
  }
  return Buffer.concat([...pieces, Buffer.alloc(512 * endBlocks)]);
}

// ── data ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Rows of a stock file in Windows-1252, so many bytes at least. Compresses about 5 to 1. */
export function stockCsv(leastBytes: number): Uint8Array {
  const rows = ["artikel;bezeichnung;bestand;preis"];
  let seed = 1;
  for (let bytes = 0; bytes < leastBytes; ) {
    seed = (seed * 48_271) % 2_147_483_647;
    const row = `A${String(rows.length).padStart(7, "0")};Größe ${seed % 97} für Tür;${seed % 1000};${seed % 500},${10 + (seed % 90)}`;
    rows.push(row);
    bytes += row.length + 2;
  }
  return Buffer.from(`${rows.join("\r\n")}\r\n`, "latin1");
}

// ── sources and results ──────────────────────────────────────────────────────────────────────────────────────────

export interface WatchedSource extends ByteSource {
  /** Streams begun and not yet closed. */
  readonly open: () => number;
  /** Bytes handed out. */
  readonly pulled: () => number;
}

/** A source that hands out small blocks and spoils each as soon as the next is asked for. */
export function watchedSource(bytes: Uint8Array, blockBytes = 65_536): WatchedSource {
  const under = bytesSource(bytes, blockBytes);
  let open = 0;
  let pulled = 0;
  return {
    size: bytes.byteLength,
    open: () => open,
    pulled: () => pulled,
    async *blocks(offset, length) {
      open += 1;
      const shared = new Uint8Array(blockBytes);
      try {
        for await (const block of under.blocks(offset, length)) {
          shared.set(block);
          pulled += block.byteLength;
          yield shared.subarray(0, block.byteLength);
          shared.fill(0xa5);
        }
      } finally {
        open -= 1;
      }
    },
  };
}

/** Reads a stream to its end, also when it breaks: then `failure` says how. */
export async function drain(stream: ByteStream): Promise<{ bytes: Buffer; failure?: FailureReport }> {
  const pieces: Buffer[] = [];
  try {
    for await (const block of stream) pieces.push(Buffer.from(block));
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    return { bytes: Buffer.concat(pieces), failure: thrown.report };
  }
  return { bytes: Buffer.concat(pieces) };
}

export interface Found {
  readonly path: string;
  readonly role: PayloadRole;
  readonly file?: Payload;
  /** What its stream gave, to its end or to its break. */
  readonly bytes?: Buffer;
  readonly problem?: FailureReport;
}

/** Everything in a delivery, read in order. */
export async function openAll(
  given: Uint8Array | ByteSource,
  options: OpenOptions = { door: "mail" },
): Promise<Found[]> {
  const found: Found[] = [];
  const source = given instanceof Uint8Array ? watchedSource(given) : given;
  for await (const opened of openDelivery(source, options)) {
    if (opened.kind === "problem") {
      found.push({ path: opened.path, role: opened.role, problem: opened.report });
      continue;
    }
    const { file } = opened;
    const { bytes, failure } = await drain(file.open());
    found.push({ path: file.path, role: file.role, file, bytes, ...(failure ? { problem: failure } : {}) });
  }
  return found;
}

/** One line for each thing found, for comparing: `path format size`, or `path !code`. */
export const summary = (found: readonly Found[]): string[] =>
  found.map(({ path, file, bytes, problem }) =>
    problem ? `${path} !${problem.code}` : `${path} ${file!.format} ${bytes!.byteLength}`,
  );

export { collect };
