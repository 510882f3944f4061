/** The links of a hold mail, by whose mail it is. Pure. */
import type { BlastRadiusNotice, Recipient } from "../domain/notice.ts";
import { type HoldLink, OFFERED, signLink } from "./link.ts";

/** Where the links lead; `src/api` answers there. */
const PATH = "/hold/";

/**
 * What a mail of this recipient offers. Without an address of our own that the web can reach (`publicUrl`, no slash at its end)
 * it offers nothing, and decisions are made over the API and the command line. Throws RangeError as `signLink` does.
 */
export function holdLinks(
  publicUrl: string | undefined,
  secret: string,
  hold: Pick<HoldLink, "fileId" | "nonce" | "expiresMs">,
  recipient: Recipient,
): BlastRadiusNotice["links"] {
  if (publicUrl === undefined) return {};
  const { fileId, nonce, expiresMs } = hold;
  return Object.fromEntries(
    OFFERED[recipient].map((action) => [
      action,
      `${publicUrl}${PATH}${signLink({ fileId, nonce, expiresMs, action, recipient }, secret)}`,
    ]),
  );
}
