/** Mails a set of files into a running stack, one after the other, and tells what became of each. */
import { createHash } from "node:crypto";
import { feeds } from "../../adapters/index.ts";
import { feedAddress } from "../../src/domain/address.ts";
import { UsageError } from "../command.ts";
import { mailOf } from "../samples/mail.ts";
import { type Doorway, describe, type FileStatus, follow, mailIn } from "./mailroom.ts";
import { DEV_ADDRESS_SECRET, DEV_MAIL_DOMAIN } from "./settings.ts";

/** A 25 MiB mail takes a few seconds; a loaded machine takes longer. */
const DELIVERY_TIMEOUT_MS = 300_000;

export interface Mailing {
  readonly customer: string;
  readonly feed: string;
  readonly fileName: string;
  readonly contentType: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The mail's Date. */
  readonly sentAt: Date;
}

/** What became of one file, in the terms of the books. */
export interface Landed {
  readonly customer: string;
  readonly feed: string;
  readonly file: string;
  readonly state: string;
  readonly rows: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly inserted: number;
  readonly changed: number;
  readonly unchanged: number;
  /** Rows about which a newer file has spoken. */
  readonly stale: number;
  /** Rows whose key stands again further down in the file. */
  readonly superseded: number;
  readonly balanced: boolean;
  readonly seconds: number;
  readonly failure?: string;
}

/** The mail an ERP would send with this file. `round` makes another mail of the same file. */
export function mailFor(mailing: Mailing, round: number): { from: string; to: string; raw: Uint8Array<ArrayBuffer> } {
  const feed = feeds.find((f) => f.customer === mailing.customer && f.feed === mailing.feed);
  if (!feed) throw new UsageError(`there is no feed ${mailing.customer}/${mailing.feed}`);
  const [listed = "erp@customer.example"] = feed.intake.senders;
  const from = listed.startsWith("@") ? `erp${listed}` : listed;
  const to = feedAddress(feed, DEV_ADDRESS_SECRET, DEV_MAIL_DOMAIN);
  const digest = createHash("sha256").update(mailing.bytes).digest("hex").slice(0, 24);
  const raw = mailOf({
    from,
    to,
    subject: `${mailing.fileName} ${mailing.sentAt.toISOString().slice(0, 16).replace("T", " ")}`,
    date: mailing.sentAt,
    messageId: `<${digest}.${mailing.sentAt.getTime()}.${round}@${from.slice(from.indexOf("@") + 1)}>`,
    body: `Automatic export, file ${mailing.fileName}.`,
    attachments: [{ name: mailing.fileName, contentType: mailing.contentType, bytes: mailing.bytes }],
  });
  return { from, to, raw: raw as Uint8Array<ArrayBuffer> };
}

/** Sends one mail and waits for the end of its files. */
export async function deliver(
  door: Doorway,
  mailing: Mailing,
  round: number,
  progress: (text: string) => void,
): Promise<Landed[]> {
  const begun = performance.now();
  const mail = mailFor(mailing, round);
  const name = `${mailing.customer}/${mailing.feed}  ${mailing.fileName}`;
  progress(`${name}: mailed, ${(mail.raw.length / 1_048_576).toFixed(1)} MiB`);
  const accepted = await mailIn(door, mail);
  const seconds = () => Math.round(performance.now() - begun) / 1_000;
  const nothing = {
    rows: 0,
    accepted: 0,
    rejected: 0,
    inserted: 0,
    changed: 0,
    unchanged: 0,
    stale: 0,
    superseded: 0,
    balanced: false,
  };
  const common = { customer: mailing.customer, feed: mailing.feed };
  if (!accepted.accepted) {
    return [
      { ...common, file: mailing.fileName, state: "refused", ...nothing, seconds: seconds(), failure: accepted.reason },
    ];
  }
  const status = await follow(door, accepted.deliveryId, {
    timeoutMs: DELIVERY_TIMEOUT_MS,
    onChange: (now) => progress(`${name}: ${describe(now)}`),
  });
  if (status.files.length === 0) {
    return [
      {
        ...common,
        file: mailing.fileName,
        state: status.state,
        ...nothing,
        seconds: seconds(),
        failure: status.failure?.sentence ?? "",
      },
    ];
  }
  return status.files.map((file) => ({ ...common, ...landed(file), seconds: seconds() }));
}

function landed(file: FileStatus): Omit<Landed, "customer" | "feed" | "seconds"> {
  const { lines, records, balanced } = file.books;
  const accepted = lines?.accepted ?? 0;
  const rejected = lines?.rejected ?? 0;
  return {
    file: file.path,
    state: file.state,
    rows: accepted + rejected,
    accepted,
    rejected,
    inserted: records?.inserted ?? 0,
    changed: records?.changed ?? 0,
    unchanged: records?.unchanged ?? 0,
    stale: records?.stale ?? 0,
    superseded: records?.superseded ?? 0,
    balanced: balanced === true,
    ...(file.failure ? { failure: file.failure.sentence } : {}),
  };
}

/** A table for people. */
export function table(rows: readonly Landed[]): string {
  const head = ["feed", "file", "state", "rows", "new", "changed", "unchanged", "stale", "rejected", "books"];
  const lines = rows.map((r) => [
    `${r.customer}/${r.feed}`,
    r.file,
    r.state,
    ...[r.rows, r.inserted, r.changed, r.unchanged, r.stale, r.rejected].map(String),
    r.balanced ? "balance" : "-",
  ]);
  const widths = head.map((h, i) => Math.max(h.length, ...lines.map((l) => l[i]!.length)));
  const numeric = new Set([3, 4, 5, 6, 7, 8]);
  const render = (cells: string[]) =>
    cells
      .map((cell, i) => (numeric.has(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join("  ")
      .trimEnd();
  const failures = rows.filter((r) => r.failure).map((r) => `${r.customer}/${r.feed} ${r.file}: ${r.failure}`);
  return [render(head), ...lines.map(render), ...failures].join("\n");
}
