/**
 * A zip writer for samples: deflated entries, sizes and CRC in the local headers, no zip64, no data descriptors. The
 * same entries give the same bytes on one build of zlib; another build may deflate to other bytes with the same content.
 */
import { crc32, deflateRawSync } from "node:zlib";

export interface ZipEntry {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Written in UTC, to two seconds (APPNOTE 4.4.6). Default: 1980-01-01, the earliest the format knows. */
  readonly modified?: Date;
  readonly method?: "deflate" | "store";
}

/** Largest values of the format without zip64 (APPNOTE 4.4.1.4). */
const MAX_ENTRIES = 0xffff;
const MAX_BYTES = 0xffff_ffff;
const VERSION_NEEDED = 20; // 2.0: deflate
const UTF8_NAME_FLAG = 0x0800; // APPNOTE 4.4.4, bit 11
const LOCAL_HEADER_BYTES = 30;
const CENTRAL_HEADER_BYTES = 46;
const END_RECORD_BYTES = 22;

function dosTime(at: Date): { date: number; time: number } {
  const year = Math.max(1980, at.getUTCFullYear());
  return {
    date: ((year - 1980) << 9) | ((at.getUTCMonth() + 1) << 5) | at.getUTCDate(),
    time: (at.getUTCHours() << 11) | (at.getUTCMinutes() << 5) | (at.getUTCSeconds() >> 1),
  };
}

/** The 26 bytes that the local and the central header have in common (APPNOTE 4.3.7 and 4.3.12). */
function commonFields(entry: ZipEntry, name: Buffer, packedBytes: number): Buffer {
  const { date, time } = dosTime(entry.modified ?? new Date(Date.UTC(1980, 0, 1)));
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(VERSION_NEEDED, 0);
  fields.writeUInt16LE(name.length === entry.name.length ? 0 : UTF8_NAME_FLAG, 2);
  fields.writeUInt16LE(entry.method === "store" ? 0 : 8, 4);
  fields.writeUInt16LE(time, 6);
  fields.writeUInt16LE(date, 8);
  fields.writeUInt32LE(crc32(entry.bytes), 10);
  fields.writeUInt32LE(packedBytes, 14);
  fields.writeUInt32LE(entry.bytes.byteLength, 18);
  fields.writeUInt16LE(name.length, 22);
  return fields;
}

/** @throws RangeError where the archive would need zip64. */
export function zipOf(entries: readonly ZipEntry[]): Uint8Array<ArrayBuffer> {
  if (entries.length > MAX_ENTRIES) throw new RangeError(`${entries.length} entries need zip64.`);
  const files: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  let directoryBytes = 0;
  for (const entry of entries) {
    const name = Buffer.from(entry.name, "utf8");
    const packed = entry.method === "store" ? Buffer.from(entry.bytes) : deflateRawSync(entry.bytes, { level: 9 });
    if (entry.bytes.byteLength > MAX_BYTES || offset + packed.length > MAX_BYTES) {
      throw new RangeError(`${entry.name} needs zip64.`);
    }
    const fields = commonFields(entry, name, packed.length);

    const local = Buffer.alloc(LOCAL_HEADER_BYTES);
    local.write("PK\x03\x04", 0, "latin1");
    fields.copy(local, 4);
    files.push(local, name, packed);

    const central = Buffer.alloc(CENTRAL_HEADER_BYTES);
    central.write("PK\x01\x02", 0, "latin1");
    central.writeUInt16LE(VERSION_NEEDED, 4);
    fields.copy(central, 6);
    central.writeUInt32LE(offset, 42);
    directory.push(central, name);

    offset += LOCAL_HEADER_BYTES + name.length + packed.length;
    directoryBytes += CENTRAL_HEADER_BYTES + name.length;
  }
  const end = Buffer.alloc(END_RECORD_BYTES);
  end.write("PK\x05\x06", 0, "latin1");
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directoryBytes, 12);
  end.writeUInt32LE(offset, 16);
  return new Uint8Array(Buffer.concat([...files, ...directory, end]));
}
