/** The links of a hold mail, by whose mail it is. Pure. */
import type { GatePolicyInput } from "../domain/gate-policy.ts";
import type { BlastRadiusNotice, Recipient } from "../domain/notice.ts";
import { type HoldLink, OFFERED, signLink } from "./link.ts";

/** Where the links lead; `src/api` answers there. */
const PATH = "/hold/";

/** A hold, as its links are made of it. `widening`: where nothing can be widened, that is not offered. */
export interface LinkedHold extends Pick<HoldLink, "fileId" | "nonce" | "expiresMs"> {
  readonly widening: GatePolicyInput;
}

/**
 * What a mail of this recipient offers. Without an address of our own that the web can reach (`publicUrl`, no slash at its end)
 * it offers nothing, and decisions are made over the API and the command line. Throws RangeError as `signLink` does.
 */
export function holdLinks(
  publicUrl: string | undefined,
  secret: string,
  hold: LinkedHold,
  recipient: Recipient,
): BlastRadiusNotice["links"] {
  if (publicUrl === undefined) return {};
  const { fileId, nonce, expiresMs, widening } = hold;
  const offered = OFFERED[recipient].filter((action) => action !== "widen" || Object.keys(widening).length > 0);
  return Object.fromEntries(
    offered.map((action) => [
      action,
      `${publicUrl}${PATH}${signLink({ fileId, nonce, expiresMs, action, recipient }, secret)}`,
    ]),
  );
}
