/** What can be wrong with a delivery, and with a file before its content is looked at. */
import { entry, mebibytes, of, shown, toCustomer } from "./entry.ts";

export const OPENING = {
  // ── the doors ──────────────────────────────────────────────────────────────────────────────────────────────────
  "unknown-address": toCustomer<{ recipient: string }>(
    "delivery",
    (e) => `No feed receives mail at ${shown(e.recipient)}.`,
    () => "Check the address for typing errors, or ask your contact at the receiving company for the right one.",
  ),
  "mail-too-large": toCustomer<{ bytes: number; limitBytes: number }>(
    "delivery",
    (e) => `The message is ${mebibytes(e.bytes)}, more than the ${mebibytes(e.limitBytes)} that can be received.`,
    () => "Send the file zipped, or split it.",
  ),
  "sender-not-proven": entry<{ sender: string; policy: string; reason: string }>(
    "delivery",
    "hold",
    "operator",
    (e) => `The sender ${shown(e.sender)} is not proven (${e.policy}): ${e.reason}.`,
    () => "Nothing was read from it. Release the delivery if the sender is genuine, or fix SPF/DKIM at the sender.",
  ),
  "automatic-mail": entry<{ sign: string }>(
    "delivery",
    "reject",
    "operator",
    (e) => `The message is a bounce or an automatic reply (${e.sign}), not a feed.`,
    () => "Nothing to do. It is kept in the archive and never read as data.",
  ),
  "restore-unfinished": entry<Record<never, never>>(
    "delivery",
    "reject",
    "operator",
    () =>
      "It is a part of a restore that nothing is known of here: it was not gone on with, or was of a lost database.",
    () => "It is not applied. If the restore is still wanted, order it again.",
  ),
  "raw-missing": entry<{ key: string }>(
    "delivery",
    "park",
    "us",
    (e) => `The archived message ${e.key} is not in storage.`,
    () => "Look for the object in the bucket; redrive when it is back.",
  ),
  "mail-unreadable": toCustomer<{ reason: string }>(
    "delivery",
    (e) => `The message cannot be read as a mail: ${e.reason}.`,
    () => "Send the file again as an ordinary attachment.",
  ),
  "mail-cut-off": toCustomer(
    "delivery",
    () => "The message ends before its last boundary line: it was cut off, and files may be missing.",
    () => "Send it again; if that happens each time, the program that writes the mail leaves out the closing boundary.",
  ),
  "mail-too-complex": toCustomer<{ what: string; count: number; limit: number }>(
    "delivery",
    (e) => `The message has more than ${e.limit} ${e.what}.`,
    () => "Send one file per message, or put the files in one zip.",
  ),
  "no-payload": toCustomer<{ found: string; pattern?: string | undefined }>(
    "delivery",
    (e) =>
      e.pattern === undefined
        ? `The message holds no file for this feed (found: ${e.found}).`
        : `The message holds no file that is named as agreed for this feed (found: ${e.found}; agreed: ${e.pattern}).`,
    (e) =>
      e.pattern === undefined
        ? "Attach the export file and send the message again."
        : "Give the file the agreed name and send it again, or tell your contact that it has a new one.",
  ),
  "unknown-feed": entry<{ customer: string; feed: string }>(
    "delivery",
    "park",
    "operator",
    (e) => `There is no feed ${e.customer}/${e.feed} any more.`,
    () => "Restore the adapter and redrive, or discard the delivery.",
  ),

  // ── files as containers ────────────────────────────────────────────────────────────────────────────────────────
  "file-empty": toCustomer<{ name?: string | undefined }>(
    "file",
    (e) => `The file${of(e.name)} is empty.`,
    () => "Check that the export ran, then send it again.",
  ),
  "file-encrypted": toCustomer<{
    name?: string | undefined;
    method: string;
    /** Where a password could open it: none is stored for the feed, or the stored one is wrong. */
    secret?: "missing" | "wrong" | undefined;
  }>(
    "file",
    (e) => {
      const because = {
        none: "by a password or encryption",
        missing: "by a password, and none is stored for this feed",
        wrong: "by a password, and the one stored for this feed is another one",
      }[e.secret ?? "none"];
      return `The file${of(e.name)} is protected ${because} (${e.method}), and cannot be opened.`;
    },
    (e) =>
      e.secret === undefined
        ? "Send it without a password or encryption."
        : "Send it without a password, or tell your contact the password.",
  ),
  "file-corrupt": toCustomer<{ name?: string | undefined; reason: string }>(
    "file",
    (e) => `The file${of(e.name)} is damaged: ${e.reason}.`,
    () => "It was probably cut off on its way. Send it again.",
  ),
  "file-unsupported": toCustomer<{ name?: string | undefined; found: string; expected: string }>(
    "file",
    (e) => `The file${of(e.name)} is ${e.found}; this feed expects ${e.expected}.`,
    (e) => `Export the file as ${e.expected} and send it again.`,
  ),
  "file-wrapped": toCustomer<{ name?: string | undefined; wrapping: string; instead: string }>(
    "file",
    (e) => `The file${of(e.name)} is packed into ${e.wrapping}, which cannot be opened.`,
    (e) => `Send the message ${e.instead}.`,
  ),
  "archive-too-large": toCustomer<{ name?: string | undefined; what: string; limit: string }>(
    "file",
    (e) => `The archive${of(e.name)} holds more than it may: ${e.what} (limit ${e.limit}).`,
    () => "Split the export into smaller files.",
  ),
  "json-unreadable": toCustomer<{ name?: string | undefined; line: number; reason: string }>(
    "file",
    (e) => `The file${of(e.name)} cannot be read as JSON: in line ${e.line}, ${e.reason}.`,
    () => "Check that the export ran to its end, then send it again.",
  ),
  "sheet-missing": toCustomer<{ name?: string | undefined; sheet?: string | undefined; found: string[] }>(
    "file",
    (e) =>
      `The workbook${of(e.name)} has no sheet${e.sheet === undefined ? "" : ` ${shown(e.sheet)}`} (found: ${e.found.join(", ") || "none"}).`,
    () => "Name the sheet as agreed, or tell your contact that it was renamed on purpose.",
  ),
  "sheet-too-large": toCustomer<{ what: string; limit: string }>(
    "file",
    (e) => `The sheet holds ${e.what} than it may (limit ${e.limit}).`,
    () => "Export the table as a text file (CSV), or split it into several files.",
  ),
  "archive-empty": toCustomer<{ name?: string | undefined }>(
    "file",
    (e) => `The archive${of(e.name)} holds no file.`,
    () => "Check that the export ran, then send it again.",
  ),

  "file-ambiguous": entry<{ name?: string | undefined; feeds: string[] }>(
    "file",
    "hold",
    "operator",
    (e) => `The name of the file${of(e.name)} fits more than one feed (${e.feeds.join(", ")}).`,
    () => "Make the file name patterns of these feeds exclude each other, then replay the delivery.",
  ),
  "body-html": toCustomer(
    "file",
    () => "The mail has its text only as a web page (HTML), in which rows cannot be told from what stands around them.",
    () => "Send the mail as plain text, or attach the table as a file.",
  ),
  "body-undecided": entry<{ questions: string[] }>(
    "file",
    "hold",
    "operator",
    (e) =>
      `In the text of the mail the table cannot be told from what stands around it: ${e.questions.slice(0, 5).join("; ")}.`,
    () => "Ask the sender to write nothing but the table into the mail, or to attach it as a file.",
  ),
} as const;
