/** What can be wrong with a file as a table, and why it is held. */
import { entry, shown, toCustomer } from "./entry.ts";

export const CONTENT = {
  "wrong-charset": toCustomer<{
    charset: string;
    offset: number;
    line: number;
    mark?: string | undefined;
    readsAs?: string | undefined;
  }>(
    "file",
    (e) => {
      if (e.readsAs !== undefined)
        return `The file begins with the byte order mark of ${e.charset}, but what follows is ${e.readsAs} text.`;
      return e.mark === undefined
        ? `The file is not ${e.charset} text: line ${e.line} (byte ${e.offset}) holds bytes that ${e.charset} has not.`
        : `The file is not ${e.charset} text: it begins with the byte order mark of ${e.mark}.`;
    },
    (e) => `Export the file as ${e.readsAs === undefined ? e.charset : "UTF-8"}.`,
  ),
  "nul-bytes": toCustomer<{ line: number }>(
    "file",
    (e) => `The file holds NUL bytes (first in line ${e.line}): it is not plain text or was damaged on its way.`,
    () => "Check the export, then send it again.",
  ),
  "charset-unsupported": toCustomer<{ charset: string }>(
    "file",
    (e) => `The file is ${e.charset} text, a way of writing characters that cannot be read here.`,
    () => "Export the file as UTF-8.",
  ),
  "charset-unknown": toCustomer<{ line: number; bytes: string }>(
    "file",
    (e) =>
      `No known way of writing characters makes words of the file: line ${e.line} holds the bytes ${e.bytes}, which fit none.`,
    () => "Export the file as UTF-8, and check that it was not damaged on its way.",
  ),
  "no-table": toCustomer<{ reason: string }>(
    "file",
    (e) => `The file is no table that can be told with certainty: ${e.reason}.`,
    () => "Export the data as rows of one kind with one separator, or agree on the layout with your contact.",
  ),
  "missing-column": toCustomer<{ missing: string[]; found: string[]; line: number }>(
    "file",
    (e) =>
      `The header in line ${e.line} lacks ${e.missing.map((c) => shown(c)).join(", ")} (found: ${e.found
        .slice(0, 12)
        .map((c) => shown(c, 30))
        .join(", ")}${e.found.length > 12 ? ", …" : ""}).`,
    () => "Export the file with the agreed columns; if the column was renamed on purpose, tell your contact.",
  ),
  "duplicate-column": toCustomer<{ column: string; line: number }>(
    "file",
    (e) => `The header in line ${e.line} names the column ${shown(e.column)} twice.`,
    () => "Export every column once.",
  ),
  "wrong-preamble": toCustomer<{ line: number; expected: string; found: string }>(
    "file",
    (e) => `Line ${e.line} should begin with ${shown(e.expected)} but reads ${shown(e.found)}.`,
    () => "Check that the right export was sent.",
  ),
  "missing-key": toCustomer<{ missing: string[]; found: string[]; records: number }>(
    "file",
    (e) =>
      `None of the ${e.records} records has ${e.missing.map((c) => shown(c)).join(", ")} (found: ${e.found
        .slice(0, 12)
        .map((c) => shown(c, 30))
        .join(", ")}${e.found.length > 12 ? ", …" : ""}).`,
    () => "Export the records with the agreed keys; if a key was renamed on purpose, tell your contact.",
  ),
  "bad-preamble-value": toCustomer<{ line: number; field: number; column: string; value: string }>(
    "file",
    (e) => `${shown(e.value)}, field ${e.field} of line ${e.line}, cannot be read as ${shown(e.column)}.`,
    () => "Check that the right export was sent; the value holds for every row of the file.",
  ),
  "wrong-column-count": toCustomer<{ line: number; expected: number; found: number }>(
    "file",
    (e) => `The first row (line ${e.line}) has ${e.found} columns where the feed has ${e.expected}.`,
    () => "Check that the right file was sent and that its separators are the agreed ones.",
  ),
  "no-header": toCustomer<{ lines: number }>(
    "file",
    (e) => `The file ends (after ${e.lines} lines) before its header line.`,
    () => "Check that the export ran to its end, then send it again.",
  ),
  /** `withinChars`: it was looked for no further, as a row may not be longer. */
  "unclosed-quote": toCustomer<{ line: number; withinChars?: number | undefined }>(
    "file",
    (e) =>
      e.withinChars === undefined
        ? `A quotation mark opened in line ${e.line} is never closed, so everything after it cannot be told apart.`
        : `A quotation mark opened in line ${e.line} is not closed within ${e.withinChars} characters, which is as long as a row may be: either nobody closed it, or it holds one text that is longer.`,
    (e) =>
      e.withinChars === undefined
        ? 'Double every quotation mark inside a text (""), or send the file again if it was cut off.'
        : `If the mark was never closed, double every quotation mark inside a text (""), or send the file again if it was cut off. If the text is really that long, leave it out of the export or shorten it: a whole row may have ${e.withinChars} characters.`,
  ),
  "row-too-long": toCustomer<{ line: number; limitChars: number }>(
    "file",
    (e) => `The row that begins in line ${e.line} is longer than ${e.limitChars} characters.`,
    () => "Look for a missing line end or an unclosed quotation mark near that line.",
  ),
  "too-many-rejects": entry<{ rejected: number; rows: number; limit: string }>(
    "file",
    "hold",
    "customer",
    (e) => `${e.rejected} of ${e.rows} rows could not be read, more than the ${e.limit} that this feed allows.`,
    () => "Nothing was applied. Correct the rows named in the report and send the file again.",
  ),
  "file-truncated": entry<{ signs: string[] }>(
    "file",
    "hold",
    "customer",
    (e) => `The file was probably cut off: ${e.signs.join("; ")}.`,
    () =>
      "Nothing was applied. Check whether the export ran to its end and send the file again, or have it released as it is.",
  ),
  "row-count-differs": entry<{ stated: number; counted: number; rejected: number }>(
    "file",
    "hold",
    "customer",
    (e) =>
      `The file says that it has ${e.stated} rows, but ${e.counted} were found (${e.rejected} of them could not be read).`,
    () => "Nothing was applied. Check whether the export ran to its end, then send the file again.",
  ),
  "control-total-differs": entry<{ column: string; stated: string; counted: string; unread: number }>(
    "file",
    "hold",
    "customer",
    (e) =>
      `The file says that ${shown(e.column)} adds up to ${e.stated}, but its rows add up to ${e.counted}${e.unread === 0 ? "" : `, without ${e.unread} rows whose value could not be read`}.`,
    () => "Nothing was applied. Look for missing or doubled rows, then send the file again.",
  ),
  "control-missing": entry<{ control: string; place: string }>(
    "file",
    "hold",
    "customer",
    (e) => `The file does not state its ${e.control}: there is no ${e.place}.`,
    () => "Nothing was applied. Check whether the export ran to its end, then send the file again.",
  ),
  "control-unreadable": entry<{ control: string; place: string; value: string }>(
    "file",
    "hold",
    "customer",
    (e) => `The ${e.control} of the file cannot be read: ${shown(e.value)} in its ${e.place}.`,
    () => "Nothing was applied. Check that the right export was sent.",
  ),
  "sequence-gap": entry<{ previous: number; found: number; missing: string }>(
    "file",
    "hold",
    "customer",
    (e) => `The file has number ${e.found}, the last one had ${e.previous}: ${e.missing} is missing.`,
    () => "Nothing was applied. Send what is missing first, or have this file released if it will not come.",
  ),
  "sequence-repeated": entry<{ found: number }>(
    "file",
    "hold",
    "customer",
    (e) => `The file has number ${e.found}, as the last one had.`,
    () => "Nothing was applied. Check whether the same export was sent twice, or its number was not raised.",
  ),
  "sequence-reset": entry<{ previous: number; found: number }>(
    "file",
    "hold",
    "customer",
    (e) => `The file has number ${e.found}, but the last one had ${e.previous}: the numbers went back.`,
    () =>
      "Nothing was applied. An older file was sent late, or the ERP counts from the start again: tell your contact which.",
  ),
  "too-many-rows": toCustomer<{ limit: number }>(
    "file",
    (e) => `The file has more than ${e.limit} rows.`,
    () => "Split the export into several files.",
  ),
  "too-many-duplicates": toCustomer<{ limit: number }>(
    "file",
    (e) => `More than ${e.limit} rows repeat a key that stands earlier in the file.`,
    () => "The export was probably written twice into one file. Check it and send it again.",
  ),
  "format-unconfirmed": entry<{ questions: number }>(
    "file",
    "hold",
    "operator",
    (e) =>
      `The format of this feed is not accepted yet: the file waits until it is${
        e.questions === 0 ? "" : `, with ${e.questions} question${e.questions === 1 ? "" : "s"} to answer`
      }.`,
    () => "Look at the proposed format, answer what is open and accept it; the file then goes on by itself.",
  ),
  /** `sentence`: the likely cause, from the drift report. `original`: what reading it by the agreed format came to. */
  "format-drift": entry<{
    cause: string;
    sentence: string;
    original?: { code: string; sentence: string; hint: string } | undefined;
  }>(
    "file",
    "hold",
    "operator",
    (e) =>
      `The file does not look as agreed. ${e.sentence}${e.original === undefined ? "" : ` ${e.original.sentence}`}`,
    () => "Nothing was applied. Compare the two formats, then accept the new one or reject the file.",
  ),
  "file-too-old": entry(
    "file",
    "hold",
    "operator",
    () => "The file is older than the time for which it is remembered what newer files have confirmed.",
    () =>
      "Nothing of it was applied, as it could undo what is newer. Reject it, and have the ERP send the records as they are now.",
  ),
  /** `tripped`: the checks, with what was found and the limit. `sentences`: the same in words, in the same order. */
  "blast-radius": entry<{
    sentences: string[];
    tripped: { check: string; field?: string | undefined; found: number; expected: number | null; limit: number }[];
  }>(
    "file",
    "hold",
    "operator",
    (e) => `The file would do far more than the files of this feed usually do. ${e.sentences.slice(0, 3).join(" ")}`,
    () => "Nothing of it was applied. Look at the rows that show it, then release the file or reject it.",
  ),
  "retires-more-than-planned": entry<{ planned: number; missing: number }>(
    "file",
    "hold",
    "operator",
    (e) =>
      `The file was let go to take off ${e.planned} record${e.planned === 1 ? "" : "s"} that it does not name any more; while it was loaded, others came, and now it would be ${e.missing}.`,
    () =>
      "All its rows are loaded, and nothing was taken off. Release the file to take off as many, or reject it to keep them.",
  ),
  "hold-expired": entry<{ days: number; was: string }>(
    "file",
    "reject",
    "operator",
    (e) => `The file was held (${e.was}), and nobody has decided within ${e.days} day${e.days === 1 ? "" : "s"}.`,
    () => "Nothing of it was applied. If its data is still needed, have it sent again.",
  ),
  "behind-held-file": entry<{ file: string }>(
    "file",
    "hold",
    "operator",
    (e) =>
      `File ${e.file} of the same feed, which is older, is held, and later files are to wait for what is decided about it.`,
    () => "Decide about that file; this one then goes on by itself.",
  ),
  "healing-given-up": entry<{ why: string }>(
    "file",
    "reject",
    "operator",
    (e) => `The file was to heal drift, and that is over: ${e.why}.`,
    () => "Nothing of it was applied, and nothing is to be done: the next comparison says what differs then.",
  ),
  "reading-given-up": entry<{ why: string }>(
    "file",
    "reject",
    "operator",
    (e) => `The file was being read again for a replay, and that is over: ${e.why}.`,
    () =>
      "Nothing of it was applied; the file that it was read from is as it was. Replay it once more if it is needed.",
  ),
  "snapshot-incomparable": entry<{ faults: string[] }>(
    "file",
    "hold",
    "operator",
    (e) => `The snapshot cannot be compared: ${e.faults.join("; ")}.`,
    () => "Mend what the adapters of the two feeds say, then release the file, or reject it.",
  ),
  "restore-outdated": entry<{ to: string }>(
    "file",
    "hold",
    "operator",
    (e) => `The records of the feed have changed since it was looked at what bringing them back to ${e.to} would do.`,
    () => "Nothing of this file was applied. Reject it, and look at the preview of the restore again.",
  ),
  "hold-superseded": entry<{ newer: string }>(
    "file",
    "reject",
    "operator",
    (e) => `While the file was held, file ${e.newer} of the same feed, which is newer and says all again, was applied.`,
    () => "Nothing of it was applied, and nothing is to be done.",
  ),
  /** `loaded`: its rows had been written before it was held. */
  "refused-by-operator": entry<{ by: string; reason: string; loaded?: boolean }>(
    "file",
    "reject",
    "operator",
    (e) => `${e.by} has refused the file: ${e.reason.replace(/[.\s]+$/, "")}.`,
    (e) =>
      e.loaded === true
        ? "What had been loaded of it before it was held stays; nothing more is done with it."
        : "Nothing of it was applied. If that was a mistake, send the file again.",
  ),
  "refused-by-contact": entry<Record<never, never>>(
    "file",
    "reject",
    "customer",
    () => "The customer's contact has said, by the link in the mail about it, that the file is wrong.",
    () => "Nothing of it was applied. A corrected file can be sent at any time.",
  ),
  "discarded-by-operator": entry<{ by: string; reason: string; was: string }>(
    "delivery",
    "park",
    "operator",
    (e) => `It could not be worked on (${e.was}), and ${e.by} has discarded it: ${e.reason.replace(/[.\s]+$/, "")}.`,
    () => "Nothing more is done with it. If its data is needed, send it again.",
  ),
  "books-unbalanced": entry<{ side: string; expected: number; counted: number }>(
    "file",
    "hold",
    "us",
    (e) => `The books of the file do not balance: ${e.side} should be ${e.expected} but ${e.counted} were counted.`,
    () => "Compare the file's books with its raw text; replay after the fault is found.",
  ),
} as const;
