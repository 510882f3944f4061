/** Files of the corpora as detected tables, each read once. */
import { asFailure } from "../../src/domain/failures.ts";
import { detect } from "../../src/parse/detect/detect.ts";
import type { Profile } from "../../src/parse/detect/profile.ts";
import { TableReading } from "../../src/parse/detect/read.ts";
import { SampleTaker } from "../../src/parse/detect/sample.ts";
import { formatTitle, openDelivery, type Payload } from "../../src/parse/open/open.ts";
import { bytesSource } from "../../src/parse/open/source.ts";
import { corpusBytes } from "../support/corpora.ts";

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
    const payload = await firstPayload(file);
    if ("refused" in payload) return payload;
    // What the door calls binary may be text in units of four bytes: detection names it.
    if (payload.format !== "text" && payload.format !== "binary")
      return { refused: `file-unsupported: ${formatTitle(payload)}` };
    const taker = new SampleTaker();
    for await (const block of payload.open()) taker.add(block);
    const profile = detect(taker.sample());
    const reading = new TableReading(profile);
    let header: readonly string[] | null = null;
    const rows: (readonly string[])[] = [];
    for await (const batch of reading.batches(payload.open())) {
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

/** The file itself, or the first one in it where it is an archive. */
async function firstPayload(file: string): Promise<Payload | RefusedTable> {
  const name = file.split("/").at(-1) ?? file;
  for await (const one of openDelivery(bytesSource(corpusBytes(file)), { door: "upload", name })) {
    return one.kind === "file" ? one.file : { refused: `${one.report.code}: ${one.report.sentence}` };
  }
  return { refused: "nothing is inside" };
}

/** Whether anything says that the table may not be what it seems. */
export const isFlagged = (table: ReadTable): boolean => table.misfits > 0 || table.profile.undecided.length > 0;

export const isRefused = (table: ReadTable | RefusedTable): table is RefusedTable => "refused" in table;
