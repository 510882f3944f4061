/**
 * The link in a hold mail by which its reader decides: what is decided of which file, until when, under an HMAC. Whoever has
 * the mail has the link, and no more than that one decision. That it counts once is the database's: the nonce stands with the
 * hold and goes with the decision. Pure.
 *
 * Mail programs and scanners open every link they see: to open one must only show what it is about, with a button that posts.
 */
import { createHmac, timingSafeEqual } from "node:crypto";

export const HOLD_ACTIONS = ["release", "widen", "reject"] as const;
export type HoldAction = (typeof HOLD_ACTIONS)[number];

export interface HoldLink {
  /** `files.id`; a bigint, so text. */
  readonly fileId: string;
  readonly action: HoldAction;
  /** Milliseconds since 1970. */
  readonly expiresMs: number;
  /** A new one for every hold, the same for its links: what is decided once is decided. 16 to 64 letters or digits. */
  readonly nonce: string;
}

/** `link` where the token is ours and still holds; else why not. `forged` is also what was signed for another purpose. */
export type ReadLink =
  | { readonly is: "good"; readonly link: HoldLink }
  | { readonly is: "malformed" | "forged" | "expired" };

/** Part of what is signed: another form of token never passes for this one. */
const FORM = "h1";
const NONCE = /^[0-9A-Za-z]{16,64}$/;
const TOKEN = /^h1\.([1-9]\d{0,18})\.(release|widen|reject)\.([1-9]\d{0,14})\.([0-9A-Za-z]{16,64})\.([\w-]{43})$/;

/** The secret behind the feeds' addresses has one use; each other use has a key derived from it that does not tell it. */
const PURPOSE = "mailfeed/hold-link/v1";

/** `fileId.action.expiry.nonce` as signed: dots stand in none of the parts. */
function macOf({ fileId, action, expiresMs, nonce }: HoldLink, secret: string): Buffer {
  const key = createHmac("sha256", secret).update(PURPOSE).digest();
  return createHmac("sha256", key).update([FORM, fileId, action, expiresMs, nonce].join(".")).digest();
}

/** The token of a link, safe in a path. Throws RangeError for what could not be read again. */
export function signLink(link: HoldLink, secret: string): string {
  const { fileId, action, expiresMs, nonce } = link;
  if (!NONCE.test(nonce)) throw new RangeError("a nonce has 16 to 64 letters or digits");
  const token = [FORM, fileId, action, expiresMs, nonce, macOf(link, secret).toString("base64url")].join(".");
  if (!TOKEN.test(token))
    throw new RangeError("a link needs the id of a file, an action and a time in whole milliseconds");
  return token;
}

/** Reads a token. The signature is looked at before the expiry, so nobody learns anything from a token that is not ours. */
export function readLink(token: string, secret: string, nowMs: number): ReadLink {
  const parts = TOKEN.exec(token);
  if (parts === null) return { is: "malformed" };
  const [, fileId = "", action = "", expires = "", nonce = "", mac = ""] = parts;
  const link = { fileId, action: action as HoldAction, expiresMs: Number(expires), nonce };
  const wanted = macOf(link, secret);
  const given = Buffer.from(mac, "base64url");
  if (wanted.length !== given.length || !timingSafeEqual(wanted, given)) return { is: "forged" };
  // 43 letters hold two bits more than the digest: only the one way of writing it is taken.
  if (given.toString("base64url") !== mac) return { is: "forged" };
  return nowMs < link.expiresMs ? { is: "good", link } : { is: "expired" };
}
