/**
 * Identities: how a customer, a feed, a delivery and a place in time are named. Pure.
 */
import { createHash } from "node:crypto";

/** Lower case, digits and hyphens: the names stand in mail addresses, queue names and R2 keys. */
export const CUSTOMER_SLUG = /^[a-z][a-z0-9-]{0,19}$/;
export const FEED_SLUG = /^[a-z][a-z0-9-]{0,23}$/;

/** 128 bits as 32 hex digits. It is the correlation id of everything that follows from the delivery. */
export const DELIVERY_ID = /^[0-9a-f]{32}$/;

export interface DeliveryIdentity {
  readonly customer: string;
  /** Envelope recipient in lower case, or the path of the upload door. */
  readonly recipient: string;
  /** Message-ID as sent; blank where there is none. */
  readonly messageId: string;
  /** SHA-256 (hex) of what stays the same when a sender's server tries again: the message without transport headers. */
  readonly bodySha256: string;
}

/**
 * The delivery id: the same for a message that SMTP or a queue brings again, another for another message. Each part is
 * preceded by its length, so that no two different identities join to the same text.
 */
export function deliveryIdOf(identity: DeliveryIdentity): string {
  const hash = createHash("sha256");
  for (const part of [identity.customer, identity.recipient, identity.messageId, identity.bodySha256]) {
    hash.update(`${Buffer.byteLength(part)}:${part}`);
  }
  return hash.digest("hex").slice(0, 32);
}

export interface FileOrder {
  /** When the ERP says the file is true; milliseconds since 1970. */
  readonly asOfMs: number;
  /** The file's own sequence number, 0 where the feed has none. */
  readonly sequence: number;
  /** Arrival of the delivery; milliseconds since 1970. */
  readonly receivedAtMs: number;
  /** Place of the payload in its delivery. */
  readonly position: number;
}

const MAX_48_BITS = 2 ** 48 - 1;
const MAX_24_BITS = 2 ** 24 - 1;
const MAX_8_BITS = 2 ** 8 - 1;

const hex = (value: number, max: number, digits: number): string =>
  Math.min(Math.max(Math.trunc(value), 0), max)
    .toString(16)
    .padStart(digits, "0");

/**
 * The order of files of one feed as a UUID text whose byte order is the order of the tuple (as-of, sequence, arrival,
 * position): 48 + 24 + 48 + 8 bits. Postgres compares uuid bytewise, so one 16-byte column carries the whole order, and
 * it is a pure function of the file: a replay gets the same place.
 */
export function orderKeyOf(order: FileOrder): string {
  const digits =
    hex(order.asOfMs, MAX_48_BITS, 12) +
    hex(order.sequence, MAX_24_BITS, 6) +
    hex(order.receivedAtMs, MAX_48_BITS, 12) +
    hex(order.position, MAX_8_BITS, 2);
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-${digits.slice(12, 16)}-${digits.slice(16, 20)}-${digits.slice(20)}`;
}
