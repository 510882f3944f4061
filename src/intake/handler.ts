/**
 * The doors. email() authenticates, archives and enqueues, nothing else, and asks no database.
 *
 * Only a final "no" is answered with a permanent reject; for any trouble of ours the handler throws, which the sending
 * server takes as a temporary error and tries again (RFC 5321 section 4.2.1).
 */
import { createHash } from "node:crypto";
import { decodeWords } from "postal-mime";
import type { Adapter } from "../domain/adapter.ts";
import { asksDryRun, feedAt, maskedAddress } from "../domain/address.ts";
import { type DeliveryFacts, MAX_FACT_CHARS, type Verdict } from "../domain/delivery.ts";
import { type FailureReport, report } from "../domain/failures.ts";
import { deliveryIdOf } from "../domain/ids.ts";
import { automaticSign } from "./automatic.ts";
import type { IntakeDeps } from "./deps.ts";
import { type HeaderBlock, type MailHeader, readHeaders, valuesOf } from "./headers.ts";
import { judgeSender } from "./sender.ts";
import { take } from "./take.ts";

/** What Cloudflare Email Routing accepts at most; the upload door keeps to the same. */
export const MAX_DELIVERY_BYTES = 25 * 1_048_576;

/** Headers that the sender writes and no server on the way changes: part of a delivery's identity. */
const SENDER_HEADERS = /^(from|to|cc|subject|date|message-id|mime-version|content-.*)$/;

export interface IncomingMail {
  readonly envelopeFrom: string;
  readonly envelopeTo: string;
  /** Size in bytes, as the platform states it. */
  readonly rawBytes: number;
  readonly raw: ReadableStream<Uint8Array>;
}

export interface Doors {
  readonly feeds: readonly Adapter[];
  readonly addressSecret: string;
  readonly mailDomain: string;
}

export type MailOutcome =
  | { readonly accepted: true; readonly deliveryId: string; readonly duplicate: boolean }
  /** Answer a permanent SMTP reject with this report's sentence. */
  | { readonly accepted: false; readonly reject: FailureReport };

export async function receiveMail(mail: IncomingMail, doors: Doors, deps: IntakeDeps): Promise<MailOutcome> {
  const feed = feedAt(mail.envelopeTo, doors.feeds, doors.addressSecret, doors.mailDomain);
  if (!feed) {
    deps.log.warn("mail-refused", { code: "unknown-address", recipient: maskedAddress(mail.envelopeTo) });
    return { accepted: false, reject: report("unknown-address", { recipient: mail.envelopeTo }) };
  }
  if (mail.rawBytes > MAX_DELIVERY_BYTES) {
    deps.log.warn("mail-refused", {
      code: "mail-too-large",
      customer: feed.customer,
      feed: feed.feed,
      bytes: mail.rawBytes,
    });
    return {
      accepted: false,
      reject: report("mail-too-large", { bytes: mail.rawBytes, limitBytes: MAX_DELIVERY_BYTES }),
    };
  }
  const raw = await readWhole(mail.raw, mail.rawBytes);
  const block = readHeaders(raw);
  const taken = await take(mailFacts(mail, feed, raw, block, deps.now()), raw, deps);
  return { accepted: true, ...taken };
}

/** Everything known of a mail at the door. Pure. */
export function mailFacts(
  mail: Pick<IncomingMail, "envelopeFrom" | "envelopeTo">,
  feed: Adapter,
  raw: Uint8Array,
  block: HeaderBlock,
  now: Date,
): DeliveryFacts {
  const { headers } = block;
  const messageId = valuesOf(headers, "message-id")[0] ?? "";
  const subject = valuesOf(headers, "subject")[0];
  const sentMs = Date.parse(valuesOf(headers, "date")[0] ?? "");
  const sender = judgeSender(headers, feed.intake);
  const recipient = mail.envelopeTo.toLowerCase();
  const bodySha256 = bodyDigest(headers, raw.subarray(block.bodyOffset));
  return {
    v: 1,
    id: deliveryIdOf({ customer: feed.customer, recipient, messageId, bodySha256 }),
    customer: feed.customer,
    feed: feed.feed,
    recipient: maskedAddress(recipient).slice(0, MAX_FACT_CHARS),
    bodySha256,
    door: "mail",
    ...(asksDryRun(recipient) ? { dryRun: true as const } : {}),
    sender: (sender.from || mail.envelopeFrom).slice(0, MAX_FACT_CHARS),
    verdict: verdictOf(automaticSign(mail.envelopeFrom, headers), sender, feed),
    ...(subject === undefined ? {} : { subject: decodeWords(subject).slice(0, MAX_FACT_CHARS) }),
    ...(messageId === "" ? {} : { messageId: messageId.slice(0, MAX_FACT_CHARS) }),
    ...(Number.isNaN(sentMs) ? {} : { sentAt: new Date(sentMs).toISOString() }),
    receivedAt: now.toISOString(),
    bytes: raw.length,
    sha256: createHash("sha256").update(raw).digest("hex"),
  };
}

function verdictOf(sign: string | undefined, sender: ReturnType<typeof judgeSender>, feed: Adapter): Verdict {
  if (sign !== undefined) return { kind: "automatic", sign };
  if (sender.proven) return { kind: "proven", proof: sender.proof };
  return { kind: "quarantined", policy: feed.intake.policy, reason: sender.reason };
}

function bodyDigest(headers: readonly MailHeader[], body: Uint8Array): string {
  const hash = createHash("sha256");
  for (const [name, value] of headers) if (SENDER_HEADERS.test(name)) hash.update(`${name}:${value}\n`);
  return hash.update("\n").update(body).digest("hex");
}

/** Reads a stream of known size into one buffer: the only copy, since the delivery's id depends on its last byte. */
async function readWhole(stream: ReadableStream<Uint8Array>, bytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const whole = new Uint8Array(bytes);
  let at = 0;
  for await (const block of stream as unknown as AsyncIterable<Uint8Array>) {
    if (at + block.length > bytes) throw new RangeError(`the message is longer than the ${bytes} bytes announced`);
    whole.set(block, at);
    at += block.length;
  }
  if (at !== bytes) throw new RangeError(`the message ended after ${at} of ${bytes} bytes`);
  return whole;
}

export interface Upload {
  readonly feed: Adapter;
  readonly name: string;
  readonly contentType: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Name of the API token: an upload's sender. */
  readonly tokenName: string;
  /** The client's Idempotency-Key, else a fresh random one: the same bytes sent again on purpose are a new statement. */
  readonly key: string;
  /** It is to be compared and told of, and never applied. */
  readonly dryRun?: boolean;
}

/** The second door: the same way from the archive on. */
export async function receiveUpload(
  upload: Upload,
  deps: IntakeDeps,
): Promise<{ deliveryId: string; duplicate: boolean }> {
  const now = deps.now();
  const sha256 = createHash("sha256").update(upload.bytes).digest("hex");
  const { customer, feed } = upload.feed;
  // A key that was used to ask is not used up: the same upload without the question is another delivery.
  const recipient = `upload:${customer}/${feed}${upload.dryRun ? "+dryrun" : ""}`;
  return take(
    {
      v: 1,
      id: deliveryIdOf({ customer, recipient, messageId: upload.key, bodySha256: sha256 }),
      customer,
      feed,
      recipient,
      bodySha256: sha256,
      messageId: upload.key.slice(0, MAX_FACT_CHARS),
      door: "upload",
      ...(upload.dryRun ? { dryRun: true as const } : {}),
      sender: upload.tokenName.slice(0, MAX_FACT_CHARS),
      verdict: { kind: "proven", proof: "token" },
      name: upload.name.slice(0, MAX_FACT_CHARS),
      contentType: upload.contentType.slice(0, MAX_FACT_CHARS),
      receivedAt: now.toISOString(),
      bytes: upload.bytes.length,
      sha256,
    },
    upload.bytes,
    deps,
  );
}
