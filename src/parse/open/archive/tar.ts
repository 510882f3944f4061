/** The files of a tar archive (POSIX.1-2001 ustar and pax, GNU long names), by range. */
import { Buffer } from "node:buffer";
import { failure } from "../../../domain/failures.ts";
import type { OpenLimits } from "../limits.ts";
import { type ByteSource, readAll } from "../source.ts";

export interface TarEntry {
  /** As written, not made safe. */
  readonly name: string;
  readonly start: number;
  readonly bytes: number;
}

const BLOCK = 512;
/** A long name or the records of an extended header. */
const MAX_EXTENSION_BYTES = 65_536;
const FILE = new Set(["0", "\0", "7"]);
const EXTENSIONS = new Set(["L", "K", "x", "X", "g"]);

/**
 * Reads the headers. Links, devices and folders are left out; a sparse file is refused.
 * @throws `file-corrupt` when a header is damaged or the end is missing, `archive-too-large`, `file-unsupported`
 */
export async function readTar(source: ByteSource, name: string, limits: OpenLimits): Promise<readonly TarEntry[]> {
  const corrupt = (reason: string) => failure("file-corrupt", { name, reason });
  const entries: TarEntry[] = [];
  let next: { path?: string; size?: number } = {};
  let headers = 0;
  for (let at = 0; ; ) {
    if (at + BLOCK > source.size) throw corrupt("its end is missing");
    const header = Buffer.from(await readAll(source, at, BLOCK, BLOCK));
    if (header.every((byte) => byte === 0)) return entries;
    if (!isSound(header)) throw corrupt("one of its headers is damaged");
    headers += 1;
    if (headers > limits.maxArchiveEntries) {
      const what = `more than ${limits.maxArchiveEntries} entries`;
      throw failure("archive-too-large", { name, what, limit: String(limits.maxArchiveEntries) });
    }
    const kind = String.fromCharCode(header[156]!);
    const size = EXTENSIONS.has(kind) ? sizeOf(header) : (next.size ?? sizeOf(header));
    const start = at + BLOCK;
    if (size === undefined || !Number.isSafeInteger(size)) throw corrupt("one of its headers is damaged");
    at = start + Math.ceil(size / BLOCK) * BLOCK;
    if (start + size > source.size) throw corrupt("an entry reaches beyond its end");
    if (EXTENSIONS.has(kind)) {
      if (size > MAX_EXTENSION_BYTES) throw corrupt("a name in it is too long");
      const text = Buffer.from(await readAll(source, start, size, MAX_EXTENSION_BYTES));
      if (kind === "L") next = { ...next, path: text.toString("utf8").replace(/\0[\s\S]*$/, "") };
      else if (kind === "x" || kind === "X") next = { ...next, ...paxRecords(text) };
      continue;
    }
    if (kind === "S") {
      throw failure("file-unsupported", { name, found: "a tar archive with a sparse file", expected: "a zip" });
    }
    if (FILE.has(kind)) entries.push({ name: next.path ?? nameOf(header), start, bytes: size });
    next = {};
  }
}

/** The sum of the header's bytes, its own place counted as spaces; old writers summed signed bytes. */
function isSound(header: Buffer): boolean {
  let sum = 0;
  let signed = 0;
  for (let i = 0; i < BLOCK; i += 1) {
    const byte = i >= 148 && i < 156 ? 0x20 : header[i]!;
    sum += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  const told = octal(header.subarray(148, 156));
  return told === sum || told === signed;
}

const textOf = (bytes: Buffer): string => {
  const end = bytes.indexOf(0);
  return bytes.toString("utf8", 0, end === -1 ? bytes.length : end);
};

function octal(bytes: Buffer): number | undefined {
  const digits = textOf(bytes).trim();
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : undefined;
}

/** Octal, or a binary number where its first bit is set (GNU, for sizes of 8 GiB and more). */
function sizeOf(header: Buffer): number | undefined {
  const field = header.subarray(124, 136);
  if ((field[0]! & 0x80) === 0) return textOf(field).trim() === "" ? 0 : octal(field);
  return Number(BigInt(`0x${field.toString("hex")}`) & ((1n << 95n) - 1n));
}

function nameOf(header: Buffer): string {
  const prefix = header.toString("latin1", 257, 263) === "ustar\0" ? textOf(header.subarray(345, 500)) : "";
  const name = textOf(header.subarray(0, 100));
  return prefix === "" ? name : `${prefix}/${name}`;
}

/** `27 path=2026/stock.csv\n`, each with its own length. */
function paxRecords(text: Buffer): { path?: string; size?: number } {
  const found: { path?: string; size?: number } = {};
  for (let at = 0; at < text.length; ) {
    const length = Number(/^(\d{1,6}) /.exec(text.toString("latin1", at, at + 7))?.[1] ?? 0);
    if (length < 5 || at + length > text.length) break;
    const record = text.toString("utf8", at, at + length - 1);
    const [key, value] = [
      record.slice(record.indexOf(" ") + 1, record.indexOf("=")),
      record.slice(record.indexOf("=") + 1),
    ];
    if (key === "path") found.path = value;
    if (key === "size" && /^\d{1,15}$/.test(value)) found.size = Number(value);
    at += length;
  }
  return found;
}
