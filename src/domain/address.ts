/**
 * A feed's mail address: `<customer>.<feed>.<token>@<domain>`, e.g. `acme.inventory.k7f3q9x2m4tz5w6p@feeds.example`.
 *
 * The token is an HMAC of the feed's name under our secret: it cannot be guessed, and a mail can be routed without
 * asking any database, so mail is accepted while the database is down. Case does not matter (RFC 5321 lets servers keep
 * or lose it), and a `+detail` behind the local part is allowed (RFC 5233): `+dryrun` asks what a file would do.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { CUSTOMER_SLUG, FEED_SLUG } from "./ids.ts";

/** 16 letters of 5 bits: 80 bits, and the longest local part stays within the 64 octets of RFC 5321 section 4.5.3.1.1. */
const TOKEN_LETTERS = 16;
const ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789";

export interface AddressableFeed {
  readonly customer: string;
  readonly feed: string;
  readonly intake: { readonly addressEdition: number };
}

function tokenOf(feed: AddressableFeed, secret: string): string {
  const name = `${feed.customer}/${feed.feed}/${feed.intake.addressEdition}`;
  const digest = createHmac("sha256", secret).update(name).digest();
  let token = "";
  for (let i = 0; i < TOKEN_LETTERS; i++) token += ALPHABET[digest[i]! & 31];
  return token;
}

export const feedAddress = (feed: AddressableFeed, secret: string, domain: string): string =>
  `${feed.customer}.${feed.feed}.${tokenOf(feed, secret)}@${domain}`;

/** The feed that an envelope recipient names, or undefined: unknown name, wrong token and other domain look the same. */
export function feedAt<F extends AddressableFeed>(
  recipient: string,
  feeds: readonly F[],
  secret: string,
  domain: string,
): F | undefined {
  const at = recipient.lastIndexOf("@");
  if (at < 1 || recipient.slice(at + 1).toLowerCase() !== domain.toLowerCase()) return undefined;
  const local = recipient.slice(0, at).toLowerCase().split("+", 1)[0]!;
  const parts = local.split(".");
  const [customer, feed, token] = parts;
  if (parts.length !== 3 || !customer || !feed || !token) return undefined;
  if (!CUSTOMER_SLUG.test(customer) || !FEED_SLUG.test(feed)) return undefined;
  const found = feeds.find((f) => f.customer === customer && f.feed === feed);
  if (!found) return undefined;
  const wanted = Buffer.from(tokenOf(found, secret));
  const given = Buffer.from(token);
  return wanted.length === given.length && timingSafeEqual(wanted, given) ? found : undefined;
}

/** Behind the local part: the file is compared and told of, and never applied. */
const DRY_RUN_DETAIL = "dryrun";

/** Whether a mail to this recipient only asks. The whole detail must say so: any other stays what it was, a mark of the sender's own. */
export function asksDryRun(recipient: string): boolean {
  const local = recipient.slice(0, Math.max(0, recipient.lastIndexOf("@"))).toLowerCase();
  const plus = local.indexOf("+");
  return plus >= 0 && local.slice(plus + 1) === DRY_RUN_DETAIL;
}

/** The address of a feed with which nothing is applied. */
export const dryRunAddress = (address: string): string => address.replace("@", `+${DRY_RUN_DETAIL}@`);

/** An address with its token hidden, for logs, rows and pages. */
export const maskedAddress = (recipient: string): string => recipient.replace(/^([^.@]+\.[^.@]+)\.[^@]*@/, "$1.…@");
