/** What detection finds of a payload, whatever its kind: a bounded part of it is read. */
import { Failure, type FailureReport } from "../domain/failures.ts";
import { SampleTaker, sampleOf } from "./detect/sample.ts";
import { firstRecords, firstSheetRows, unknownJson } from "./first-rows.ts";
import { type Answer, type FoundTable, foundInJson, foundInSheet, foundInText, SAMPLE_ROWS } from "./match/found.ts";
import type { Payload } from "./open/open.ts";
import { tableInBody } from "./read-body.ts";
import { unsupportedFormat } from "./read-payload.ts";

/**
 * Throws what detection and the readers throw, and `file-unsupported` where the payload is of a kind that holds no table.
 * @param at of JSON: the keys that lead to the list, where the adapter says them
 */
export async function foundInPayload(
  payload: Payload,
  answers: readonly Answer[],
  at?: readonly string[],
): Promise<FoundTable> {
  if (payload.format === "xlsx") return foundInSheet(await firstSheetRows(payload, SAMPLE_ROWS), { answers });
  if (payload.format === "json" || payload.format === "ndjson") {
    const json = await unknownJson(payload, at);
    return foundInJson(await firstRecords(json, SAMPLE_ROWS), { answers, at: json.at });
  }
  const unsupported: FailureReport | undefined = unsupportedFormat(payload);
  if (unsupported) throw new Failure(unsupported);
  if (payload.role === "body") return foundInText(sampleOf(await tableInBody(payload)), answers);
  const taker = new SampleTaker();
  for await (const block of payload.open()) taker.add(block);
  return foundInText(taker.sample(), answers);
}
