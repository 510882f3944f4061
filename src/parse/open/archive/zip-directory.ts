/**
 * The directory of a zip, read by range from its end (PKWARE APPNOTE 6.3.10, sections 4.3.12 to 4.3.16).
 *
 * Strict: a zip that contradicts itself means different things to different programs, so it is refused. The directory is
 * the truth; local headers must agree with it (zip.ts).
 */
import { type Failure, failure } from "../../../domain/failures.ts";
import type { OpenLimits } from "../limits.ts";
import { type ByteSource, readAll } from "../source.ts";
import { type AesLock, aesLock, aesOverhead, CRYPTO_HEADER_BYTES } from "./decrypt.ts";
import { extraFields, isWholeExtra, zipName } from "./names.ts";

export interface ZipEntry {
  /** As written in the archive, not made safe. */
  readonly name: string;
  readonly rawName: Uint8Array;
  readonly isFolder: boolean;
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly compressedBytes: number;
  readonly expandedBytes: number;
  readonly headerOffset: number;
  /** First byte that cannot belong to the entry any more: the next header or the directory. */
  readonly endBefore: number;
  /** Kind of encryption, for a sentence; undefined when there is none. */
  readonly encryption: string | undefined;
  /** What AES needs to be undone; undefined for another encryption, or where the entry does not describe it. */
  readonly aes: AesLock | undefined;
  /** When the file was changed, as it is written: two 16-bit numbers of MS-DOS in one. */
  readonly dosTime: number;
}

export interface ZipDirectory {
  readonly entries: readonly ZipEntry[];
}

const END_BYTES = 22;
const END_SIGNATURE = 0x06054b50;
const END64_LOCATOR_BYTES = 20;
const END64_LOCATOR_SIGNATURE = 0x07064b50;
const END64_BYTES = 56;
const END64_SIGNATURE = 0x06064b50;
const ENTRY_BYTES = 46;
const ENTRY_SIGNATURE = 0x02014b50;
/** A local header without its name and extra field. */
export const LOCAL_BYTES = 30;
const MAX_COMMENT_BYTES = 0xffff;
/** Directory of a zip that keeps all limits: 1,000 entries with names and extra fields of some hundred bytes. */
const MAX_DIRECTORY_BYTES = 4_194_304;
const SATURATED16 = 0xffff;
const SATURATED32 = 0xffffffff;
const AES_METHOD = 99;
const AES_EXTRA = 0x9901;

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

interface End {
  readonly count: number;
  readonly bytes: number;
  readonly offset: number;
  /** Where the end records begin: the directory lies before. */
  readonly before: number;
}

/**
 * Reads the directory.
 * @throws `file-corrupt` when the archive contradicts itself or is cut off, `archive-too-large` above a limit,
 * `file-unsupported` for one volume of several, `file-encrypted` when the directory itself is encrypted.
 */
export async function readZipDirectory(source: ByteSource, name: string, limits: OpenLimits): Promise<ZipDirectory> {
  const corrupt: Corrupt = (reason) => failure("file-corrupt", { name, reason });
  const end = await readEnd(source, name, corrupt);
  if (end.count > limits.maxArchiveEntries) {
    const limit = String(limits.maxArchiveEntries);
    throw failure("archive-too-large", { name, what: `${end.count} entries`, limit });
  }
  if (end.offset + end.bytes > end.before) throw corrupt("its directory lies outside of it");
  if (end.bytes > MAX_DIRECTORY_BYTES) {
    const limit = `${MAX_DIRECTORY_BYTES / 1_048_576} MiB`;
    throw failure("archive-too-large", { name, what: "a directory that is too long", limit });
  }
  const bytes = await readAll(source, end.offset, end.bytes, MAX_DIRECTORY_BYTES);
  const entries: Omit<ZipEntry, "endBefore">[] = [];
  let at = 0;
  for (let i = 0; i < end.count; i += 1) {
    const { entry, length } = readEntry(bytes.subarray(at), corrupt);
    entries.push(entry);
    at += length;
  }
  if (at !== bytes.byteLength) throw corrupt("its directory is longer than its entries");
  return { entries: withoutOverlap(entries, end.offset, corrupt) };
}

type Corrupt = (reason: string) => Failure;

async function readEnd(source: ByteSource, name: string, corrupt: Corrupt): Promise<End> {
  const tailBytes = Math.min(source.size, END_BYTES + MAX_COMMENT_BYTES);
  const tail = await readAll(source, source.size - tailBytes, tailBytes, tailBytes);
  const view = viewOf(tail);
  for (let at = tailBytes - END_BYTES; at >= 0; at -= 1) {
    if (view.getUint32(at, true) !== END_SIGNATURE) continue;
    // The comment must reach exactly to the end of the file: otherwise bytes were added or lost.
    if (at + END_BYTES + view.getUint16(at + 20, true) !== tailBytes) continue;
    const position = source.size - tailBytes + at;
    const end = {
      disk: view.getUint16(at + 4, true),
      directoryDisk: view.getUint16(at + 6, true),
      countHere: view.getUint16(at + 8, true),
      count: view.getUint16(at + 10, true),
      bytes: view.getUint32(at + 12, true),
      offset: view.getUint32(at + 16, true),
    };
    const end64 = await readEnd64(source, position, corrupt);
    const isSplit =
      (end.disk !== 0 && end.disk !== SATURATED16) || (end.directoryDisk !== 0 && end.directoryDisk !== SATURATED16);
    if (isSplit || end64?.isSplit) {
      throw failure("file-unsupported", { name, found: "one volume of a split zip", expected: "a zip in one piece" });
    }
    if (end.countHere !== end.count) throw corrupt("its directory contradicts itself");
    if (!end64) return { ...end, before: position };
    const agrees = (small: number, saturated: number, large: number) => small === saturated || small === large;
    if (
      !agrees(end.count, SATURATED16, end64.count) ||
      !agrees(end.bytes, SATURATED32, end64.bytes) ||
      !agrees(end.offset, SATURATED32, end64.offset)
    ) {
      throw corrupt("its two end records contradict each other");
    }
    return end64;
  }
  throw corrupt("the end of the zip is missing");
}

async function readEnd64(source: ByteSource, endPosition: number, corrupt: Corrupt) {
  const locatorAt = endPosition - END64_LOCATOR_BYTES;
  if (locatorAt < 0) return undefined;
  const locator = viewOf(await readAll(source, locatorAt, END64_LOCATOR_BYTES, END64_LOCATOR_BYTES));
  if (locator.getUint32(0, true) !== END64_LOCATOR_SIGNATURE) return undefined;
  const at = safeNumber(locator, 8);
  if (at + END64_BYTES > locatorAt) throw corrupt("its zip64 end record lies outside of it");
  const view = viewOf(await readAll(source, at, END64_BYTES, END64_BYTES));
  if (view.getUint32(0, true) !== END64_SIGNATURE) throw corrupt("its zip64 end record is missing");
  const count = safeNumber(view, 32);
  if (safeNumber(view, 24) !== count) throw corrupt("its directory contradicts itself");
  return {
    count,
    bytes: safeNumber(view, 40),
    offset: safeNumber(view, 48),
    before: at,
    isSplit: view.getUint32(16, true) !== 0 || view.getUint32(20, true) !== 0,
  };
}

/** A 64-bit number; beyond 2^53 it is inexact and far above every size, so the checks that follow refuse it. */
const safeNumber = (view: DataView, at: number): number => Number(view.getBigUint64(at, true));

function readEntry(bytes: Uint8Array, corrupt: Corrupt): { entry: Omit<ZipEntry, "endBefore">; length: number } {
  if (bytes.byteLength < ENTRY_BYTES) throw corrupt("its directory has fewer entries than it says");
  const view = viewOf(bytes);
  if (view.getUint32(0, true) !== ENTRY_SIGNATURE) throw corrupt("its directory is damaged");
  const flags = view.getUint16(8, true);
  const method = view.getUint16(10, true);
  const nameEnd = ENTRY_BYTES + view.getUint16(28, true);
  const extraEnd = nameEnd + view.getUint16(30, true);
  const length = extraEnd + view.getUint16(32, true);
  if (length > bytes.byteLength) throw corrupt("its directory is damaged");
  const rawName = bytes.subarray(ENTRY_BYTES, nameEnd);
  const extra = bytes.subarray(nameEnd, extraEnd);
  if (!isWholeExtra(extra)) throw corrupt("its directory is damaged");
  const sizes = withZip64(
    { expanded: view.getUint32(24, true), compressed: view.getUint32(20, true), offset: view.getUint32(42, true) },
    extra,
    corrupt,
  );
  const encryption = encryptionOf(flags, method);
  const aes =
    method === AES_METHOD ? aesLock([...extraFields(extra)].find(([id]) => id === AES_EXTRA)?.[1]) : undefined;
  const overhead = aes ? aesOverhead(aes) : encryption === "ZipCrypto" ? CRYPTO_HEADER_BYTES : 0;
  const isStored = method === 0 || aes?.method === 0;
  if (isStored && sizes.compressed - overhead !== sizes.expanded) throw corrupt("an entry lies about its size");
  const name = zipName(rawName, flags, extra);
  const entry = {
    name,
    rawName,
    // A "folder" with content is a file: nothing may be lost for the sake of its name.
    isFolder: /[/\\]$/.test(name) && sizes.expanded === 0,
    flags,
    method,
    crc: view.getUint32(16, true),
    compressedBytes: sizes.compressed,
    expandedBytes: sizes.expanded,
    headerOffset: sizes.offset,
    encryption,
    aes,
    dosTime: view.getUint32(12, true),
  };
  return { entry, length };
}

function encryptionOf(flags: number, method: number): string | undefined {
  if (method === AES_METHOD) return "AES";
  if (flags & 0x2040) return "strong encryption";
  return flags & 1 ? "ZipCrypto" : undefined;
}

/** APPNOTE 4.5.3: each saturated field has its 64-bit value in the zip64 extra field, in this order. */
function withZip64(
  sizes: { expanded: number; compressed: number; offset: number },
  extra: Uint8Array,
  corrupt: Corrupt,
): typeof sizes {
  const result = { ...sizes };
  const field = [...extraFields(extra)].find(([id]) => id === 1)?.[1];
  let at = 0;
  for (const key of ["expanded", "compressed", "offset"] as const) {
    if (result[key] !== SATURATED32) continue;
    // Without the field the number is what it says.
    if (!field) continue;
    if (at + 8 > field.byteLength) throw corrupt("its zip64 sizes are missing");
    result[key] = safeNumber(viewOf(field), at);
    at += 8;
  }
  return result;
}

/** Entries that share bytes are how a small zip expands without end (and no honest writer makes them). */
function withoutOverlap(entries: Omit<ZipEntry, "endBefore">[], directoryOffset: number, corrupt: Corrupt): ZipEntry[] {
  const ends = new Map<object, number>();
  let next = directoryOffset;
  for (const entry of [...entries].sort((a, b) => b.headerOffset - a.headerOffset)) {
    const leastEnd = entry.headerOffset + LOCAL_BYTES + entry.rawName.byteLength + entry.compressedBytes;
    if (leastEnd > next) {
      throw corrupt(next === directoryOffset ? "an entry reaches beyond its end" : "its entries overlap");
    }
    ends.set(entry, next);
    next = entry.headerOffset;
  }
  return entries.map((entry) => ({ ...entry, endBefore: ends.get(entry) ?? directoryOffset }));
}
