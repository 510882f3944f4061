/** The content of a zip entry, streamed: local header checked against the directory, then data, size and checksum. */
import { Buffer } from "node:buffer";
import { crc32 } from "node:zlib";
import { type Failure, failure } from "../../../domain/failures.ts";
import type { OpenLimits } from "../limits.ts";
import { type ByteSource, type ByteStream, exactBlocks, readAll } from "../source.ts";
import { decryptAes, decryptZipCrypto } from "./decrypt.ts";
import { inflateRaw } from "./expand.ts";
import { isWholeExtra, zipName } from "./names.ts";
import { LOCAL_BYTES, type ZipEntry } from "./zip-directory.ts";

export { readZipDirectory, type ZipDirectory, type ZipEntry } from "./zip-directory.ts";

const LOCAL_SIGNATURE = 0x04034b50;
const DESCRIPTOR_SIGNATURE = 0x08074b50;
const DESCRIPTOR_FLAG = 0x0008;
const STORED = 0;
const DEFLATED = 8;
const SATURATED32 = 0xffffffff;
/** Name and extra field of a local header: two 16-bit lengths. */
const MAX_LOCAL_VARIABLE_BYTES = 2 * 0xffff;

/** Methods of APPNOTE 4.4.5 that are met in practice, for a sentence. */
const METHOD_NAMES: Readonly<Record<number, string>> = {
  1: "Shrink",
  6: "Implode",
  9: "Deflate64",
  12: "BZip2",
  14: "LZMA",
  93: "Zstandard",
  95: "XZ",
  98: "PPMd",
};

export interface ZipReading {
  readonly limits: OpenLimits;
  /** The password, where the feed has one. */
  readonly secret?: string | undefined;
}

const methodOf = (entry: ZipEntry): number => entry.aes?.method ?? entry.method;

/** Why an entry cannot be read, known from the directory alone; undefined when it can. */
export function refusalOf(entry: ZipEntry, name: string, { limits, secret }: ZipReading): Failure | undefined {
  const locked = lockedOut(entry, name, secret);
  if (locked) return locked;
  if (methodOf(entry) !== STORED && methodOf(entry) !== DEFLATED) {
    const method = METHOD_NAMES[methodOf(entry)] ?? `method ${methodOf(entry)}`;
    return failure("file-unsupported", {
      name,
      found: `compressed with ${method}`,
      expected: "an ordinary zip (Deflate)",
    });
  }
  if (entry.expandedBytes > limits.maxExpandedBytes) {
    const limit = `${Math.floor(limits.maxExpandedBytes / 1_048_576)} MiB`;
    return failure("archive-too-large", { name, what: `${entry.expandedBytes} bytes`, limit });
  }
  return undefined;
}

/** Why the encryption of an entry cannot be undone; undefined when there is none, or a secret to try. */
export function lockedOut(entry: ZipEntry, name: string, secret: string | undefined): Failure | undefined {
  const { encryption: method, aes } = entry;
  if (method === undefined) return undefined;
  if (method !== "ZipCrypto" && !aes) return failure("file-encrypted", { name, method });
  return secret === undefined ? failure("file-encrypted", { name, method, secret: "missing" }) : undefined;
}

/**
 * Streams an entry. Each call starts anew; nothing is read before the first block is asked for.
 * @throws the refusal of {@link refusalOf}; `file-corrupt` when headers disagree or data, size or checksum are wrong (the
 * last two only after the last block); `archive-too-large` for a bomb.
 */
export async function* openZipEntry(
  source: ByteSource,
  entry: ZipEntry,
  name: string,
  reading: ZipReading,
): ByteStream {
  const { limits } = reading;
  const corrupt = (reason: string) => failure("file-corrupt", { name, reason });
  const refusal = refusalOf(entry, name, reading);
  if (refusal) throw refusal;
  const start = await dataStart(source, entry, corrupt);
  const data = decrypted(exactBlocks(source, start, entry.compressedBytes), entry, name, reading.secret ?? "");
  const options = { name, maxBytes: limits.maxExpandedBytes, maxRatio: limits.maxExpansionRatio };
  let crc = 0;
  let expanded = 0;
  for await (const chunk of methodOf(entry) === STORED ? data : inflateRaw(data, options)) {
    expanded += chunk.byteLength;
    if (expanded > entry.expandedBytes) throw corrupt("it is longer than its zip says");
    crc = crc32(chunk, crc);
    yield chunk;
  }
  if (expanded !== entry.expandedBytes) throw corrupt("it is shorter than its zip says");
  if (entry.aes?.hasCrc === false) crc = entry.crc;
  if (crc !== entry.crc)
    throw corrupt(entry.encryption ? "its checksum is wrong, or its password is another one" : "its checksum is wrong");
  if (entry.flags & DESCRIPTOR_FLAG) await checkDescriptor(source, entry, start + entry.compressedBytes, corrupt);
}

function decrypted(data: ByteStream, entry: ZipEntry, name: string, secret: string): ByteStream {
  if (entry.aes) return decryptAes(data, entry.compressedBytes, entry.aes, { name, secret });
  if (entry.encryption === undefined) return data;
  // What is checked: the high byte of the checksum, or of the time where the checksum came later (APPNOTE 6.1.6).
  const checkByte = entry.flags & DESCRIPTOR_FLAG ? (entry.dosTime >>> 8) & 0xff : entry.crc >>> 24;
  return decryptZipCrypto(data, checkByte, { name, secret });
}

/** Checks the local header and tells where the data begins. */
async function dataStart(source: ByteSource, entry: ZipEntry, corrupt: (reason: string) => Failure): Promise<number> {
  const contradiction = () => corrupt("its zip contradicts itself about it");
  const fixed = await readAll(source, entry.headerOffset, LOCAL_BYTES, LOCAL_BYTES);
  const view = new DataView(fixed.buffer, fixed.byteOffset, fixed.byteLength);
  if (view.getUint32(0, true) !== LOCAL_SIGNATURE) throw corrupt("its place in the zip holds something else");
  const flags = view.getUint16(6, true);
  const nameBytes = view.getUint16(26, true);
  const extraBytes = view.getUint16(28, true);
  const start = entry.headerOffset + LOCAL_BYTES + nameBytes + extraBytes;
  if (start + entry.compressedBytes > entry.endBefore) throw contradiction();
  const rest = await readAll(
    source,
    entry.headerOffset + LOCAL_BYTES,
    nameBytes + extraBytes,
    MAX_LOCAL_VARIABLE_BYTES,
  );
  const rawName = rest.subarray(0, nameBytes);
  if (!isWholeExtra(rest.subarray(nameBytes))) throw contradiction();
  const name = zipName(rawName, flags, rest.subarray(nameBytes));
  // The unicode name may stand in the directory alone, but if it stands here too it must be the same.
  const isPlainTwin =
    name === zipName(rawName, flags, new Uint8Array()) && Buffer.compare(rawName, entry.rawName) === 0;
  if ((flags & 1) !== (entry.flags & 1) || view.getUint16(8, true) !== entry.method) throw contradiction();
  if (name !== entry.name && !isPlainTwin) throw contradiction();
  // Every writer met so far gives both the same time: another one means that somebody changed one of the two.
  if (view.getUint32(10, true) !== entry.dosTime) throw contradiction();
  if ((flags & DESCRIPTOR_FLAG) === 0) {
    const agrees = (local: number, central: number) => local === SATURATED32 || local === central;
    if (
      view.getUint32(14, true) !== entry.crc ||
      !agrees(view.getUint32(18, true), entry.compressedBytes) ||
      !agrees(view.getUint32(22, true), entry.expandedBytes)
    ) {
      throw contradiction();
    }
  }
  return start;
}

/** A data descriptor with its signature must agree (sizes of 32 or 64 bits); without one it cannot be told from chance. */
async function checkDescriptor(
  source: ByteSource,
  entry: ZipEntry,
  at: number,
  corrupt: (reason: string) => Failure,
): Promise<void> {
  const length = Math.min(24, entry.endBefore - at);
  if (length < 16) return;
  const bytes = await readAll(source, at, length, 24);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== DESCRIPTOR_SIGNATURE) return;
  const isSmall = view.getUint32(8, true) === entry.compressedBytes && view.getUint32(12, true) === entry.expandedBytes;
  const isLarge =
    length === 24 &&
    view.getBigUint64(8, true) === BigInt(entry.compressedBytes) &&
    view.getBigUint64(16, true) === BigInt(entry.expandedBytes);
  if (view.getUint32(4, true) !== entry.crc || !(isSmall || isLarge))
    throw corrupt("its zip contradicts itself about it");
}
