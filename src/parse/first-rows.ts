/** The first rows of payloads that are no text, for those who look at a file before anybody has said how it is to be read. */
import { jsonRecords } from "./json/records.ts";
import type { Payload } from "./open/open.ts";
import { formOf } from "./read-json.ts";
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

/** The first records of a JSON file, broken ones left out. Throws what `jsonRecords` does. */
export async function firstRecords(
  payload: Payload,
  count: number,
  at?: readonly string[],
): Promise<ReadonlyMap<string, string | null>[]> {
  const first: ReadonlyMap<string, string | null>[] = [];
  const format = await formOf(payload, at);
  for await (const records of jsonRecords(payload.open(), { format, name: payload.name, at })) {
    for (const { cells } of records) if (cells !== undefined && first.length < count) first.push(cells);
    if (first.length === count) break;
  }
  return first;
}
