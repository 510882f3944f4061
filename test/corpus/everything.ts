/** A file as far as it can be read, whatever it is: what it holds, the format of each table in it, and all its rows. */
import { asFailure } from "../../src/domain/failures.ts";
import { detect } from "../../src/parse/detect/detect.ts";
import { TableReading } from "../../src/parse/detect/read.ts";
import { SampleTaker } from "../../src/parse/detect/sample.ts";
import { jsonRecords } from "../../src/parse/json/records.ts";
import { openDelivery, type Payload } from "../../src/parse/open/open.ts";
import { bytesSource } from "../../src/parse/open/source.ts";
import { sheetRows } from "../../src/parse/sheet/rows.ts";
import { corpusBytes } from "../support/corpora.ts";

/** Throws what is no refusal. */
export async function readEverything(file: string): Promise<"read" | "refused"> {
  const door = file.startsWith("mime/") && !file.endsWith(".json") ? "mail" : "upload";
  const name = file.split("/").at(-1) ?? file;
  let end: "read" | "refused" = "refused";
  for await (const one of openDelivery(bytesSource(corpusBytes(file)), { door, name })) {
    if (one.kind === "file" && (await isRead(one.file))) end = "read";
  }
  return end;
}

async function isRead(payload: Payload): Promise<boolean> {
  try {
    await batchesIn(payload);
    return true;
  } catch (thrown) {
    const failed = asFailure(thrown);
    if (failed.code === "internal-error") throw new Error(`${payload.path}: ${failed.message}`, { cause: thrown });
    return false;
  }
}

/** How many batches of rows a payload gives, all of them read. */
async function batchesIn(payload: Payload): Promise<number> {
  const { format, name } = payload;
  const batches =
    format === "xlsx"
      ? sheetRows(await payload.source(), { name })
      : format === "json" || format === "ndjson"
        ? jsonRecords(payload.open(), { format, name })
        : await tableRows(payload);
  let count = 0;
  for await (const _ of batches) count += 1;
  return count;
}

async function tableRows(payload: Payload) {
  const taker = new SampleTaker();
  for await (const block of payload.open()) taker.add(block);
  return new TableReading(detect(taker.sample())).batches(payload.open());
}
