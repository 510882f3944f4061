/**
 * The door for what came before us: an old mail or file whose facts are those of then. It is archived and nothing more; a
 * replay reads it. An operator brings it, and vouches for its sender. Pure.
 */
import { createHash } from "node:crypto";
import type { Adapter } from "../domain/adapter.ts";
import { feedAddress } from "../domain/address.ts";
import { type DeliveryFacts, MAX_FACT_CHARS } from "../domain/delivery.ts";
import { deliveryIdOf } from "../domain/ids.ts";
import { mailFacts } from "./handler.ts";
import { readHeaders, valuesOf } from "./headers.ts";

/** Nothing that is still read is older; an earlier date is one of a clock that was never set. */
const EARLIEST_MS = Date.UTC(1990, 0, 1);

export interface OldFile {
  readonly feed: Adapter;
  /** Bare file name. One that ends in `.eml` is a mail. */
  readonly name: string;
  readonly contentType: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** When the file was last changed: what holds where nothing in it says when it came. */
  readonly modifiedAt: Date;
  /** The time in the file's name, by the feed's rule. */
  readonly namedAt: Date | undefined;
  /** Name of the operator's token. */
  readonly tokenName: string;
}

/**
 * What would have been known of it, had it come to us. The same mail has the id that it has, or would have, by mail; a file is
 * known by its name and its bytes, so that bringing it again is nothing new. What has no date that can be, counts as of now.
 */
export function backfillFacts(
  old: OldFile,
  doors: { readonly addressSecret: string; readonly mailDomain: string },
  now: Date,
): DeliveryFacts {
  return /\.eml$/i.test(old.name) ? oldMail(old, doors, now) : oldFile(old, now);
}

const PROVEN = { kind: "proven", proof: "operator" } as const;

function oldMail(
  { feed, bytes, modifiedAt, tokenName }: OldFile,
  { addressSecret, mailDomain }: { readonly addressSecret: string; readonly mailDomain: string },
  now: Date,
): DeliveryFacts {
  const block = readHeaders(bytes);
  const [received = ""] = valuesOf(block.headers, "received");
  const [date = ""] = valuesOf(block.headers, "date");
  const receivedAt = firstThatCanBe([timeOfReceived(received), new Date(date), modifiedAt], now);
  const envelopeFrom = valuesOf(block.headers, "return-path")[0] ?? tokenName;
  const envelopeTo = feedAddress(feed, addressSecret, mailDomain);
  const facts = mailFacts({ envelopeFrom, envelopeTo }, feed, bytes, block, receivedAt);
  // A bounce is no file of the feed, whoever brings it.
  return facts.verdict.kind === "automatic" ? facts : { ...facts, verdict: PROVEN };
}

/** RFC 5322 section 3.6.7: the time stands behind the last semicolon. */
const timeOfReceived = (header: string): Date => new Date(header.slice(header.lastIndexOf(";") + 1).trim());

function oldFile(old: OldFile, now: Date): DeliveryFacts {
  const { customer, feed } = old.feed;
  const sha256 = createHash("sha256").update(old.bytes).digest("hex");
  const recipient = `backfill:${customer}/${feed}`;
  const candidates = [...(old.namedAt === undefined ? [] : [old.namedAt]), old.modifiedAt];
  return {
    v: 1,
    id: deliveryIdOf({ customer, recipient, messageId: old.name, bodySha256: sha256 }),
    customer,
    feed,
    recipient,
    bodySha256: sha256,
    messageId: old.name.slice(0, MAX_FACT_CHARS),
    door: "upload",
    sender: old.tokenName.slice(0, MAX_FACT_CHARS),
    verdict: PROVEN,
    name: old.name.slice(0, MAX_FACT_CHARS),
    contentType: old.contentType.slice(0, MAX_FACT_CHARS),
    receivedAt: firstThatCanBe(candidates, now).toISOString(),
    bytes: old.bytes.length,
    sha256,
  };
}

const firstThatCanBe = (candidates: readonly Date[], now: Date): Date =>
  candidates.find((at) => at.getTime() >= EARLIEST_MS && at.getTime() <= now.getTime()) ?? now;
