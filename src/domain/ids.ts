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
  /** Decides between files that agree in all of this. */
  readonly deliveryId: string;
}

const AS_OF_BITS = 48n;
const SEQUENCE_BITS = 32n;
/** Enough for 198 days between as-of and arrival: more than adapters allow unless they say so. */
const LAG_BITS = 34n;
const POSITION_BITS = 8n;
const TIE_BITS = 6n;

/** An as-of may lie before the arrival by up to this (a sender's clock may run ahead); so no lag is negative. */
const LAG_OFFSET_MS = 3_600_000;
/** Numbers below keep their value; above, up to 15 digits, they share it with up to 2^19 neighbours, and arrival decides. */
const EXACT_SEQUENCES = 2 ** 31;
const COARSE_STEP = 2 ** 19;

const bounded = (value: number, bits: bigint): bigint => {
  const max = (1n << bits) - 1n;
  const whole = BigInt(Math.max(Math.trunc(value), 0));
  return whole > max ? max : whole;
};

/**
 * The order of files of one feed as a UUID text whose byte order is the order of the tuple (as-of, sequence, arrival,
 * position): 48 + 32 + 34 + 8 bits, and 6 bits of the delivery's id, so that files that agree in the tuple have an order all
 * the same and it does not matter which is worked on first. Postgres compares uuid bytewise, so one 16-byte column carries
 * the whole order, and it is a pure function of the file: a replay gets the same place. Arrival stands as what it lies
 * behind the as-of, which is the same order behind an equal as-of.
 */
export function orderKeyOf(order: FileOrder): string {
  const { sequence } = order;
  const fields: readonly (readonly [value: number, bits: bigint])[] = [
    [order.asOfMs, AS_OF_BITS],
    [sequence < EXACT_SEQUENCES ? sequence : EXACT_SEQUENCES + sequence / COARSE_STEP, SEQUENCE_BITS],
    [order.receivedAtMs - order.asOfMs + LAG_OFFSET_MS, LAG_BITS],
    [order.position, POSITION_BITS],
    [Number.parseInt(order.deliveryId.slice(0, 2), 16) >> 2, TIE_BITS],
  ];
  const key = fields.reduce((high, [value, bits]) => (high << bits) | bounded(value, bits), 0n);
  const digits = key.toString(16).padStart(32, "0");
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-${digits.slice(12, 16)}-${digits.slice(16, 20)}-${digits.slice(20)}`;
}
