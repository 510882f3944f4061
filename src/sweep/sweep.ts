/**
 * The sweep: finds what stopped moving and wakes it. A delivery that is archived but has no row (its message was lost), one
 * that was begun and not finished, a file that was parsed and not applied. It only sends messages; the handlers find out for
 * themselves what is left to do, so one message too many does no harm.
 */
import { rawPrefix } from "../domain/keys.ts";
import { applyFileMessage, parseDeliveryMessage } from "../domain/messages.ts";
import type { RawObject, SweepDeps } from "./deps.ts";

/** What is younger may still be under way: the longest invocation takes 15 minutes. */
export const STUCK_AFTER_MINUTES = 20;
/** How many days of the archive are compared: longer than queues keep a message (4 days). */
export const SWEPT_DAYS = 5;

const MS_PER_MINUTE = 60_000;
const MS_PER_DAY = 86_400_000;

export interface Swept {
  readonly deliveries: number;
  readonly files: number;
  readonly unseen: number;
}

export async function sweep(now: Date, deps: SweepDeps): Promise<Swept> {
  const since = new Date(now.getTime() - STUCK_AFTER_MINUTES * MS_PER_MINUTE);
  const deliveries = await deps.tables.stuckDeliveries(since);
  for (const { id, customer, feed, raw_key } of deliveries) {
    await deps.enqueueParse(parseDeliveryMessage({ customer, feed, correlationId: id, rawKey: raw_key }));
  }
  const files = await deps.tables.stuckFiles(since);
  for (const { id, delivery_id, customer, feed } of files) {
    await deps.enqueueApply(applyFileMessage({ customer, feed, correlationId: delivery_id, fileId: id }));
  }
  let unseen = 0;
  for (const customer of deps.customers) {
    for (let back = 0; back < SWEPT_DAYS; back++) {
      const day = new Date(now.getTime() - back * MS_PER_DAY);
      for await (const page of deps.listRaw(rawPrefix(customer, day)))
        unseen += await wakeUnseen(customer, page, since, deps);
    }
  }
  const swept = { deliveries: deliveries.length, files: files.length, unseen };
  deps.log[swept.deliveries + swept.files + unseen > 0 ? "warn" : "info"]("swept", swept);
  return swept;
}

/** Sends a message for each archived object of a page that has no row. */
async function wakeUnseen(customer: string, page: readonly RawObject[], since: Date, deps: SweepDeps): Promise<number> {
  const old = page.filter((object) => object.uploadedAt < since).map(({ key }) => ({ key, id: idIn(key) }));
  if (old.length === 0) return 0;
  const known = await deps.tables.known(old.map(({ id }) => id));
  const unseen = old.filter(({ id }) => !known.has(id));
  for (const { key, id } of unseen) {
    const feed = await deps.feedOf(key);
    await deps.enqueueParse(parseDeliveryMessage({ customer, feed, correlationId: id, rawKey: key }));
  }
  return unseen.length;
}

const idIn = (key: string): string => key.slice(key.lastIndexOf("/") + 1).replace(/\.[^.]*$/, "");
