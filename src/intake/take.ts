/** The last two steps of both doors: archive, then enqueue. Whatever fails throws, so that the sender tries again. */
import type { DeliveryFacts } from "../domain/delivery.ts";
import { rawKey } from "../domain/keys.ts";
import { parseDeliveryMessage } from "../domain/messages.ts";
import type { IntakeDeps } from "./deps.ts";

/** `duplicate`: these very bytes were archived before; they are enqueued all the same, since the first try may have died. */
export async function take(
  facts: DeliveryFacts,
  bytes: Uint8Array<ArrayBuffer>,
  deps: IntakeDeps,
): Promise<{ deliveryId: string; duplicate: boolean }> {
  const key = rawKey(facts.customer, new Date(facts.receivedAt), facts.id, facts.door);
  const duplicate = (await deps.archive(key, bytes, facts)) === "exists";
  await deps.enqueueParse(
    parseDeliveryMessage({ customer: facts.customer, feed: facts.feed, correlationId: facts.id, rawKey: key }),
  );
  deps.log.info("delivery-archived", {
    correlationId: facts.id,
    customer: facts.customer,
    feed: facts.feed,
    door: facts.door,
    bytes: facts.bytes,
    verdict: facts.verdict.kind,
    duplicate,
  });
  return { deliveryId: facts.id, duplicate };
}
