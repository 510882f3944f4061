/**
 * Sends the mails that wait. The row is written with what it tells of, so a mail is never forgotten, and it is claimed
 * before it is sent, so that two senders do not send it twice. Where a sender dies between sending and noting it, the mail
 * goes out again with the same References.
 */
import { createHash } from "node:crypto";
import { NotSent, type OutgoingMail, OWN_MAIL_HEADER, type Recipient } from "../domain/notice.ts";
import type { Log } from "../observe/log.ts";
import type { NotifyTables, WaitingMail } from "./tables.ts";

/** More wait only after an outage; the rest goes with the next run. */
const BATCH_MAILS = 20;

export interface NotifyDeps {
  readonly tables: NotifyTables;
  /** The address of a role for a feed; undefined where none is known: the mail then stays, and its row says so. */
  addressOf(recipient: Recipient, customer: string, feed: string): string | undefined;
  /** Undefined where this deployment cannot send: mails then wait as rows. */
  readonly send: ((mail: OutgoingMail) => Promise<void>) | undefined;
  readonly mailDomain: string;
  readonly log: Log;
}

/** Answers how many mails went out. */
export async function sendWaiting(deps: NotifyDeps): Promise<number> {
  const { tables, send, log } = deps;
  let went = 0;
  for (const mail of await tables.claim(BATCH_MAILS)) {
    const to = mail.address ?? deps.addressOf(mail.recipient, mail.customer, mail.feed);
    if (send === undefined || to === undefined) {
      const error = to === undefined ? `no address of the ${mail.recipient} is known` : "sending mail is not set up";
      await tables.notSent(mail.id, error, false);
      log.warn("mail-waits", { notification: mail.id, key: mail.key, error });
      continue;
    }
    try {
      await send({ to, subject: mail.subject, text: mail.text, html: mail.html, headers: headersOf(mail, deps) });
      await tables.sent(mail.id, to);
      went++;
      log.info("mail-sent", { notification: mail.id, key: mail.key });
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown.message : String(thrown);
      await tables.notSent(mail.id, error, thrown instanceof NotSent && thrown.permanent);
      log.error("mail-not-sent", { notification: mail.id, key: mail.key, error: error.slice(0, 300) });
    }
  }
  return went;
}

/**
 * RFC 3834: nobody's automatic reply answers it, and what answers somebody says so. The reference makes mails about one thing
 * one thread, and a copy known.
 */
const headersOf = ({ key, address }: WaitingMail, { mailDomain }: NotifyDeps): Record<string, string> => ({
  "Auto-Submitted": address === null ? "auto-generated" : "auto-replied",
  [OWN_MAIL_HEADER]: key,
  References: `<${createHash("sha256").update(key).digest("hex").slice(0, 32)}@${mailDomain}>`,
});
