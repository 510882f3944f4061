/** A hold as it is told in mails and on pages. Pure. */
import type { BlastRadiusNotice, Recipient } from "../domain/notice.ts";
import { blastRadiusNotice } from "../gate/notices.ts";
import type { Hold } from "./deps.ts";

export function noticeOf(
  hold: Hold,
  recipient: Recipient,
  links: BlastRadiusNotice["links"],
  reminder: boolean,
): BlastRadiusNotice {
  const { customer, customerTitle, feed, feedTitle, fileId, path, deliveryId, sender, receivedAt } = hold;
  return blastRadiusNotice(
    {
      recipient,
      customer,
      customerTitle,
      feed,
      feedTitle,
      fileId,
      path,
      deliveryId,
      sender,
      receivedAt,
      links,
      expiresAt: hold.expiresAt,
      later: hold.later,
      reminder,
    },
    hold.facts,
    { verdict: "hold", tripped: hold.tripped, telling: hold.telling, unjudged: [] },
  );
}
