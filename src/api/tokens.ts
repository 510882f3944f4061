/**
 * Bearer tokens: `mf_` and 32 random bytes in base64url. Only the SHA-256 is stored; with 256 bits of chance there is
 * nothing to guess, so a slow or salted hash would protect nothing more.
 */
import { createHash, randomBytes } from "node:crypto";

/** 256 bits: beyond any search. */
const TOKEN_BYTES = 32;

/** 43 base64url characters carry 32 bytes without padding (RFC 4648 section 5). */
export const TOKEN = /^mf_[A-Za-z0-9_-]{43}$/;
const TOKEN_ANYWHERE = /mf_[A-Za-z0-9_-]{43}/g;

/** SHA-256 of the whole token text, 64 hex digits: what `api_tokens.sha256` holds. */
export const hashToken = (token: string): string => createHash("sha256").update(token).digest("hex");

/** A new token. The caller shows `token` once and stores `sha256` alone. */
export function newToken(): { readonly token: string; readonly sha256: string } {
  const token = `mf_${randomBytes(TOKEN_BYTES).toString("base64url")}`;
  return { token, sha256: hashToken(token) };
}

/** For texts that are written down or answered: somebody may have put a token where it does not belong. */
export const withoutTokens = (text: string): string => text.replace(TOKEN_ANYWHERE, "mf_…");
