/** Files of the corpora as detected tables, each read once. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { asFailure } from "../../src/domain/failures.ts";
import { detect } from "../../src/parse/detect/detect.ts";
import type { Profile } from "../../src/parse/detect/profile.ts";
import { TableReading } from "../../src/parse/detect/read.ts";
import { sampleOf } from "../../src/parse/detect/sample.ts";
import { unsupportedFormat } from "../../src/parse/read-payload.ts";
import { sniff } from "../../src/parse/open/sniff.ts";
import { corpusPath } from "../support/corpora.ts";

export interface ReadTable {
  readonly profile: Profile;
  readonly header: readonly string[] | null;
  readonly rows: readonly (readonly string[])[];
  /** Rows that do not fit. */
  readonly misfits: number;
  /** Blank lines in the table. */
  readonly blankLines: number;
}

export interface RefusedTable {
  readonly refused: string;
}

const read = new Map<string, Promise<ReadTable | RefusedTable>>();

export function tableOf(file: string): Promise<ReadTable | RefusedTable> {
  let table = read.get(file);
  if (table === undefined) {
    table = readTable(file);
    read.set(file, table);
  }
  return table;
}

async function readTable(file: string): Promise<ReadTable | RefusedTable> {
  try {
    const bytes = bytesOf(file);
    const format = sniff(bytes.subarray(0, 16_384), { name: file, contentType: "" });
    if (format !== "text" && format !== "binary") {
      const report = unsupportedFormat({ name: file, format: "binary" });
      return { refused: report?.code ?? "file-unsupported" };
    }
    const profile = detect(sampleOf(bytes));
    const reading = new TableReading(profile);
    let header: readonly string[] | null = null;
    const rows: (readonly string[])[] = [];
    for await (const batch of reading.batches(blocksOf(bytes))) {
      for (const row of batch) {
        if (row.kind === "header") header = row.cells;
        else rows.push(row.cells);
      }
    }
    return { profile, header, rows, misfits: reading.misfits, blankLines: reading.blankLines };
  } catch (thrown) {
    const failed = asFailure(thrown);
    if (failed.code === "internal-error") throw thrown;
    return { refused: `${failed.code}: ${failed.message}` };
  }
}

function bytesOf(file: string): Uint8Array {
  const bytes = readFileSync(corpusPath(file));
  return bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes;
}

async function* blocksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

/** Whether anything says that the table may not be what it seems. */
export const isFlagged = (table: ReadTable): boolean => table.misfits > 0 || table.profile.undecided.length > 0;

export const isRefused = (table: ReadTable | RefusedTable): table is RefusedTable => "refused" in table;
