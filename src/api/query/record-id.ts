/**
 * The id of a record in the API: its customer, feed and natural key, base64url. It leads straight to the primary key, so
 * that no index has to be kept for addresses alone; and a record never changes its key, so the address never changes.
 * It grants nothing: whoever makes one up is asked for the customer's token like anybody else.
 */
import { CUSTOMER_SLUG, FEED_SLUG } from "../../domain/ids.ts";
import { textParameter } from "./query.ts";

export interface RecordName {
  readonly customer: string;
  readonly feed: string;
  readonly key: string;
}

export const recordIdOf = ({ customer, feed, key }: RecordName): string =>
  Buffer.from(`${customer}/${feed}/${key}`).toString("base64url");

/** What a record id names; undefined for what `recordIdOf` would not have made. */
export function readRecordId(id: string): RecordName | undefined {
  const text = Buffer.from(id, "base64url").toString("utf8");
  const [, customer, feed, key] = /^([^/]*)\/([^/]*)\/(.*)$/s.exec(text) ?? [];
  if (customer === undefined || feed === undefined || key === undefined) return undefined;
  if (!CUSTOMER_SLUG.test(customer) || !FEED_SLUG.test(feed) || !textParameter.safeParse(key).success) return undefined;
  const name = { customer, feed, key };
  return recordIdOf(name) === id ? name : undefined;
}
