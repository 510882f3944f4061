/** What detection finds of a payload, whatever its kind: a bounded part of it is read. */
import { Failure } from "../domain/failures.ts";
import { SampleTaker } from "./detect/sample.ts";
import { type Answer, type FoundTable, foundInText } from "./match/found.ts";
import type { Payload } from "./open/open.ts";
import { unsupportedFormat } from "./read-payload.ts";

/** Throws what detection throws, and `file-unsupported` where the payload is of a kind that holds no table. */
export async function foundInPayload(payload: Payload, answers: readonly Answer[]): Promise<FoundTable> {
  const unsupported = unsupportedFormat(payload);
  if (unsupported) throw new Failure(unsupported);
  const taker = new SampleTaker();
  for await (const block of payload.open()) taker.add(block);
  return foundInText(taker.sample(), answers);
}
