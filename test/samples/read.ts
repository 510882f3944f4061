/** Reads samples by other means than those that wrote them. */
import { createHash } from "node:crypto";
import { crc32, inflateRawSync } from "node:zlib";
import Papa from "papaparse";
import { generateSamples, type Sample, type SampleOptions } from "../../cli/samples/generate.ts";

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

const made = new Map<string, Sample[]>();

/** Each set of samples is made once. */
function samplesOf(options: SampleOptions): Sample[] {
  const key = JSON.stringify(options);
  const samples = made.get(key) ?? generateSamples(options);
  made.set(key, samples);
  return samples;
}

export function sampleOf(feed: string, options: SampleOptions = {}): Sample {
  const sample = samplesOf(options).find((s) => `${s.customer}/${s.feed}` === feed);
  if (!sample) throw new Error(`There is no sample ${feed}.`);
  return sample;
}

/** Fails on the first byte that is not in the charset; keeps a BOM. */
export const decoded = (bytes: Uint8Array, charset: string): string =>
  new TextDecoder(charset, { fatal: true, ignoreBOM: true }).decode(bytes);

/** The entries of an archive by its central directory, each checked against its CRC, size and local header. */
export function unzipped(bytes: Uint8Array): { name: string; bytes: Buffer; method: number }[] {
  const zip = Buffer.from(bytes);
  const end = zip.lastIndexOf("PK\x05\x06", undefined, "latin1");
  const count = zip.readUInt16LE(end + 10);
  let at = zip.readUInt32LE(end + 16);
  if (at + zip.readUInt32LE(end + 12) !== end)
    throw new Error("The directory does not end where the end record begins.");
  const entries = [];
  for (let i = 0; i < count; i++) {
    if (zip.toString("latin1", at, at + 4) !== "PK\x01\x02") throw new Error("No entry where the directory has one.");
    const nameBytes = zip.readUInt16LE(at + 28);
    const local = zip.readUInt32LE(at + 42);
    if (!zip.subarray(at + 6, at + 30).equals(zip.subarray(local + 4, local + 28))) throw new Error("Headers differ.");
    const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
    const packed = zip.subarray(start, start + zip.readUInt32LE(at + 20));
    const method = zip.readUInt16LE(at + 10);
    const content = method === 8 ? inflateRawSync(packed) : packed;
    if (crc32(content) !== zip.readUInt32LE(at + 16)) throw new Error("The CRC is wrong.");
    if (content.length !== zip.readUInt32LE(at + 24)) throw new Error("The size is wrong.");
    entries.push({ name: zip.toString("utf8", at + 46, at + 46 + nameBytes), bytes: content, method });
    at += 46 + nameBytes;
  }
  return entries;
}

/** Whether a GTIN's check digit holds, by the rule over all its digits: every second one from the right, but the last, counts thrice. */
export const gtinHolds = (gtin: string): boolean =>
  [...gtin].reverse().reduce((sum, digit, i) => sum + Number(digit) * (i % 2 === 1 ? 3 : 1), 0) % 10 === 0;

/** Rows by an independent reader of quoted CSV. */
export function csvRows(text: string, delimiter: string): string[][] {
  const result = Papa.parse<string[]>(text, { delimiter, newline: "\r\n", skipEmptyLines: true });
  if (result.errors.length > 0) throw new Error(JSON.stringify(result.errors[0]));
  return result.data;
}

/** The data rows of each feed as cells, header and metadata left out. */
export function rowsOf(sample: Sample): string[][] {
  const ended = (text: string, end: string) => {
    if (!text.endsWith(end)) throw new Error("The last record is not ended.");
    return text.slice(0, -end.length).split(end);
  };
  switch (sample.feed) {
    case "address":
      return ended(decoded(sample.bytes, "windows-1252"), "\n").map((line) => line.split("\t"));
    case "product-vendor":
      return ended(decoded(sample.bytes, "utf-8"), "\n").map((line) => line.split("\t"));
    case "store": {
      const text =
        sample.bytes[0] === 0xff ? decoded(sample.bytes, "utf-16le").slice(1) : decoded(sample.bytes, "utf-8");
      return ended(text, text.includes("\r") ? "&|\r\n" : "&|\n").map((record) => record.split("+|"));
    }
    case "buchungen":
      return csvRows(decoded(sample.bytes, "windows-1252"), ";").slice(2);
    default:
      return csvRows(decoded(unzipped(sample.bytes)[0]?.bytes ?? new Uint8Array(), "utf-8").slice(1), ",").slice(1);
  }
}
