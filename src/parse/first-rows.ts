/** The first rows of payloads that are no text, for those who look at a file before anybody has said how it is to be read. */
import { listPath } from "./json/list-path.ts";
import { type JsonRecord, jsonRecords } from "./json/records.ts";
import type { Payload } from "./open/open.ts";
import { formOf, startOf } from "./read-json.ts";
import { sheetRows } from "./sheet/rows.ts";

/** The first rows of a sheet by their place, missing ones empty; each ends with its last cell that is not empty. Throws what `sheetRows` does. */
export async function firstSheetRows(payload: Payload, count: number, sheet?: string): Promise<(readonly string[])[]> {
  const first: (readonly string[])[] = [];
  for await (const { firstRow, rows } of sheetRows(await payload.source(), { sheet, name: payload.name })) {
    while (first.length < Math.min(firstRow - 1, count)) first.push([]);
    first.push(...rows.slice(0, count - first.length));
    if (first.length === count) break;
  }
  return first;
}

/** A JSON file that nobody has described: where its list is, and its records. */
export interface UnknownJson {
  /** Keys that lead to the list, where the file is one record around it. */
  readonly at: readonly string[] | undefined;
  /** All records, each time from the start. Throws what `jsonRecords` does. */
  records(): AsyncGenerator<readonly JsonRecord[]>;
}

/** @param said where its list is, if anybody has said that */
export async function unknownJson(payload: Payload, said?: readonly string[]): Promise<UnknownJson> {
  const at = said ?? listPath(await startOf(payload));
  const format = await formOf(payload, at);
  return { at, records: () => jsonRecords(payload.open(), { format, name: payload.name, at }) };
}

/** The cells of the first records, broken ones left out. */
export async function firstRecords(json: UnknownJson, count: number): Promise<ReadonlyMap<string, string | null>[]> {
  const first: ReadonlyMap<string, string | null>[] = [];
  for await (const records of json.records()) {
    for (const { cells } of records) if (cells !== undefined && first.length < count) first.push(cells);
    if (first.length === count) break;
  }
  return first;
}
