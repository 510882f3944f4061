/**
 * Is it a bounce, an automatic reply or our own mail (RFC 3834, RFC 3464)? Such mail is archived and never read as data.
 *
 * `Auto-Submitted: auto-generated`, `Precedence: bulk` and `X-Auto-Response-Suppress` are no such sign: they stand in the
 * very mails that ERPs send, and taking them for replies would lose feeds.
 */
import { OWN_MAIL_HEADER } from "../domain/notice.ts";
import { type MailHeader, valuesOf } from "./headers.ts";

const OWN_MAIL = OWN_MAIL_HEADER.toLowerCase();

/** The sign by which the mail is known, in words, or undefined. Pure. */
export function automaticSign(envelopeFrom: string, headers: readonly MailHeader[]): string | undefined {
  if (envelopeFrom === "" || envelopeFrom === "<>") return "the envelope has no sender";
  if (valuesOf(headers, OWN_MAIL).length > 0) return "it is a mail of our own";
  const contentType = (valuesOf(headers, "content-type")[0] ?? "").toLowerCase();
  if (contentType.startsWith("multipart/report")) return "it is a delivery report";
  const autoSubmitted = (valuesOf(headers, "auto-submitted")[0] ?? "").toLowerCase();
  if (/^auto-(replied|notified)/.test(autoSubmitted)) return `Auto-Submitted: ${autoSubmitted.split(";", 1)[0]}`;
  const precedence = (valuesOf(headers, "precedence")[0] ?? "").toLowerCase();
  if (precedence === "auto_reply") return "Precedence: auto_reply";
  for (const name of ["x-autoreply", "x-autorespond"]) {
    if (valuesOf(headers, name).length > 0) return `it has the header ${name}`;
  }
  return undefined;
}
