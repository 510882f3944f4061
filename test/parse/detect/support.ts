/** A file as text or bytes → what detection and reading make of it. */
import { Failure } from "../../../src/domain/failures.ts";
import { detect } from "../../../src/parse/detect/detect.ts";
import type { Profile, Undecided } from "../../../src/parse/detect/profile.ts";
import { TableReading } from "../../../src/parse/detect/read.ts";
import { sampleOf } from "../../../src/parse/detect/sample.ts";

export const bytesOf = (file: string | Uint8Array): Uint8Array =>
  typeof file === "string" ? new TextEncoder().encode(file) : file;

export function utf16(text: string, little: boolean): Uint8Array {
  const bytes = new Uint8Array(text.length * 2);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < text.length; i++) view.setUint16(i * 2, text.charCodeAt(i), little);
  return bytes;
}

export const profileOf = (file: string | Uint8Array): Profile => detect(sampleOf(bytesOf(file)));

export async function* blocksOf(bytes: Uint8Array, size = 65_536): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
}

export interface ReadFile {
  readonly profile: Profile;
  readonly header: readonly string[] | null;
  readonly rows: readonly (readonly string[])[];
  readonly reading: TableReading;
}

export async function read(file: string | Uint8Array, blockSize?: number): Promise<ReadFile> {
  const bytes = bytesOf(file);
  const profile = profileOf(bytes);
  const reading = new TableReading(profile);
  let header: readonly string[] | null = null;
  const rows: (readonly string[])[] = [];
  for await (const batch of reading.batches(blocksOf(bytes, blockSize))) {
    for (const row of batch) {
      if (row.kind === "header") header = row.cells;
      else rows.push(row.cells);
    }
  }
  return { profile, header, rows, reading };
}

/** The code a file is refused with. */
export function refusalOf(file: string | Uint8Array): string {
  try {
    profileOf(file);
  } catch (thrown) {
    if (thrown instanceof Failure) return thrown.code;
    throw thrown;
  }
  return "not refused";
}

export const question = (profile: Profile, what: Undecided["what"], column?: string): Undecided | undefined =>
  profile.undecided.find((one) => one.what === what && (column === undefined || one.column === column));
