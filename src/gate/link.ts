/**
 * The link in a hold mail by which its reader decides: what is decided of which file, until when, under an HMAC. Whoever has
 * the mail has the link, and no more than that one decision. That it counts once is the database's: the nonce stands with the
 * hold and goes with the decision. Pure.
 *
 * Mail programs and scanners open every link they see: to open one must only show what it is about, with a button that posts.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { Recipient } from "../domain/notice.ts";

export const HOLD_ACTIONS = ["release", "widen", "reject"] as const;
export type HoldAction = (typeof HOLD_ACTIONS)[number];

export interface HoldLink {
  /** `files.id`; a bigint, so text. */
  readonly fileId: string;
  readonly action: HoldAction;
  /** In whose mail it stands: it is said who has decided, and a contact's link rejects and does nothing else. */
  readonly recipient: Recipient;
  /** Milliseconds since 1970. */
  readonly expiresMs: number;
  /** A new one for every hold, the same for its links: what is decided once is decided. 16 to 64 letters or digits. */
  readonly nonce: string;
}

/** `link` where the token is ours, also where its time is over; else why not. `forged` is also what was signed for another purpose. */
export type ReadLink =
  | { readonly is: "good" | "expired"; readonly link: HoldLink }
  | { readonly is: "malformed" | "forged" };

/** Who may decide what by a link: the contact knows whether the file is wrong; that it may be loaded is the operator's word. */
export const OFFERED: Readonly<Record<Recipient, readonly HoldAction[]>> = {
  operator: HOLD_ACTIONS,
  contact: ["reject"],
};

/** Part of what is signed: another form of token never passes for this one. */
const FORM = "h1";
const NONCE = /^[0-9A-Za-z]{16,64}$/;
const TOKEN =
  /^h1\.([1-9]\d{0,18})\.(release|widen|reject)\.(operator|contact)\.([1-9]\d{0,14})\.([0-9A-Za-z]{16,64})\.([\w-]{43})$/;

/** The secret behind the feeds' addresses has one use; each other use has a key derived from it that does not tell it. */
const PURPOSE = "mailfeed/hold-link/v1";

/** `form.fileId.action.recipient.expiry.nonce` as signed: dots stand in none of the parts. */
const signed = ({ fileId, action, recipient, expiresMs, nonce }: HoldLink): string =>
  [FORM, fileId, action, recipient, expiresMs, nonce].join(".");

function macOf(link: HoldLink, secret: string): Buffer {
  const key = createHmac("sha256", secret).update(PURPOSE).digest();
  return createHmac("sha256", key).update(signed(link)).digest();
}

/** The token of a link, safe in a path. Throws RangeError for what could not be read again, and for what is not offered. */
export function signLink(link: HoldLink, secret: string): string {
  if (!NONCE.test(link.nonce)) throw new RangeError("a nonce has 16 to 64 letters or digits");
  if (!OFFERED[link.recipient].includes(link.action)) throw new RangeError("a contact's link can only reject");
  const token = `${signed(link)}.${macOf(link, secret).toString("base64url")}`;
  if (!TOKEN.test(token))
    throw new RangeError("a link needs the id of a file, an action and a time in whole milliseconds");
  return token;
}

/** Reads a token. The signature is looked at before the expiry, so nobody learns anything from a token that is not ours. */
export function readLink(token: string, secret: string, nowMs: number): ReadLink {
  const parts = TOKEN.exec(token);
  if (parts === null) return { is: "malformed" };
  const [, fileId = "", action = "", recipient = "", expires = "", nonce = "", mac = ""] = parts;
  const link: HoldLink = {
    fileId,
    action: action as HoldAction,
    recipient: recipient as Recipient,
    expiresMs: Number(expires),
    nonce,
  };
  const wanted = macOf(link, secret);
  const given = Buffer.from(mac, "base64url");
  if (wanted.length !== given.length || !timingSafeEqual(wanted, given)) return { is: "forged" };
  // 43 letters hold two bits more than the digest: only the one way of writing it is taken.
  if (given.toString("base64url") !== mac || !OFFERED[link.recipient].includes(link.action)) return { is: "forged" };
  return { is: nowMs < link.expiresMs ? "good" : "expired", link };
}
