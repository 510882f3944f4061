/** What all mails about a file share. Pure. */
import type { BlastRadiusNotice, Notice } from "../domain/notice.ts";
import type { Block } from "./blocks.ts";

export interface Draft {
  readonly subject: string;
  readonly blocks: readonly Block[];
}

export const nameOf = ({ customer, feed }: Pick<Notice, "customer" | "feed">) => `${customer}/${feed}`;

/** `2026-11-20 04:00 UTC` of an ISO text. */
export const timeText = (iso: string): string => `${iso.slice(0, 16).replace("T", " ")} UTC`;

export const fileFacts = ({
  path,
  sender,
  receivedAt,
}: Pick<BlastRadiusNotice, "path" | "sender" | "receivedAt">): Block => ({
  kind: "table",
  head: [],
  rows: [
    ["File", path],
    ["From", sender],
    ["Received", timeText(receivedAt)],
  ],
});

export const correlation = ({ deliveryId, fileId }: Pick<BlastRadiusNotice, "deliveryId" | "fileId">): Block => ({
  kind: "note",
  text: `File ${fileId} of delivery ${deliveryId}. This mail was sent once and by a machine; nobody reads answers to it.`,
});
