/** What detection finds of a payload, whatever its kind: a bounded part of it is read. */
import { Failure } from "../domain/failures.ts";
import { SampleTaker, sampleOf } from "./detect/sample.ts";
import { firstRecords, firstSheetRows } from "./first-rows.ts";
import { type Answer, type FoundTable, foundInJson, foundInSheet, foundInText, SAMPLE_ROWS } from "./match/found.ts";
import type { Payload } from "./open/open.ts";
import { tableInBody } from "./read-body.ts";
import { unsupportedFormat } from "./read-payload.ts";

/** Throws what detection throws, and `file-unsupported` where the payload is of a kind that holds no table. */
export async function foundInPayload(payload: Payload, answers: readonly Answer[]): Promise<FoundTable> {
  const { format } = payload;
  if (format === "xlsx") return foundInSheet(await firstSheetRows(payload, SAMPLE_ROWS), { answers });
  if (format === "json" || format === "ndjson") {
    return foundInJson(await firstRecords(payload, SAMPLE_ROWS), { answers });
  }
  const unsupported = unsupportedFormat(payload);
  if (unsupported) throw new Failure(unsupported);
  if (payload.role === "body") return foundInText(sampleOf(await tableInBody(payload)), answers);
  const taker = new SampleTaker();
  for await (const block of payload.open()) taker.add(block);
  return foundInText(taker.sample(), answers);
}
