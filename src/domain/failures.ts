/**
 * The closed catalogue of everything that can go wrong, and what follows from it.
 *
 * A failure is decided where it is made: its code fixes the disposition and who must act, and the code that handles it
 * switches on the disposition alone, never on message text. Sentences are read by people: `actor: "customer"` ones by
 * somebody who has never seen this system.
 *
 * Codes are stable: they stand in the database, the API and mails. Rename none, remove none that was ever stored.
 */

/**
 * - `retry`: trouble that passes; try again with backoff, then dead letter.
 * - `park`: will not pass by itself; dead letter, an operator looks.
 * - `reject`: final for this input; the actor must send something else.
 * - `hold`: nothing is applied until an operator releases it.
 */
export type Disposition = "retry" | "park" | "reject" | "hold";

/** Who can make it right: `us` (code, platform), the `operator`, or the `customer` (the contact of the feed). */
export type Actor = "us" | "operator" | "customer";

/** What the failure is about: decides where it is stored. */
export type Scope = "delivery" | "file" | "row" | "system";

interface Entry<E> {
  readonly scope: Scope;
  readonly disposition: Disposition;
  readonly actor: Actor;
  /** One plain sentence: what happened, with the evidence in it. */
  readonly sentence: (evidence: E) => string;
  /** What to do about it, in one sentence. */
  readonly hint: (evidence: E) => string;
}

const entry = <E = Record<never, never>>(
  scope: Scope,
  disposition: Disposition,
  actor: Actor,
  sentence: (evidence: E) => string,
  hint: (evidence: E) => string,
): Entry<E> => ({ scope, disposition, actor, sentence, hint });

const toCustomer = <E = Record<never, never>>(
  scope: Scope,
  sentence: (evidence: E) => string,
  hint: (evidence: E) => string,
) => entry<E>(scope, "reject", "customer", sentence, hint);

const mebibytes = (bytes: number) => `${(bytes / 1_048_576).toFixed(1)} MiB`;

/** Shows a value from a file inside a sentence: bounded, on one line, control characters made visible. */
export function shown(value: string, maxChars = 60): string {
  const visible = value.replace(
    /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return visible.length > maxChars ? `“${visible.slice(0, maxChars)}…”` : `“${visible}”`;
}

const of = (name: string | undefined) => (name ? ` ${shown(name)}` : "");

export const FAILURES = {
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

  // ── files as tables ────────────────────────────────────────────────────────────────────────────────────────────
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
  "hold-expired": entry<{ days: number; was: string }>(
    "file",
    "reject",
    "operator",
    (e) => `The file was held (${e.was}), and nobody has decided within ${e.days} day${e.days === 1 ? "" : "s"}.`,
    () => "Nothing of it was applied. If its data is still needed, have it sent again.",
  ),
  "hold-superseded": entry<{ newer: string }>(
    "file",
    "reject",
    "operator",
    (e) => `While the file was held, file ${e.newer} of the same feed, which is newer and says all again, was applied.`,
    () => "Nothing of it was applied, and nothing is to be done.",
  ),
  "refused-by-operator": entry<{ by: string; reason: string }>(
    "file",
    "reject",
    "operator",
    (e) => `${e.by} has refused the file: ${e.reason.replace(/[.\s]+$/, "")}.`,
    () => "Nothing of it was applied. If that was a mistake, send the file again.",
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

  // ── rows ───────────────────────────────────────────────────────────────────────────────────────────────────────
  "row-width": toCustomer<{ expected: number; found: number }>(
    "row",
    (e) => `The row has ${e.found} columns instead of ${e.expected}.`,
    () => "Look for a separator inside a text that is not quoted, or a line break inside a value.",
  ),
  "value-missing": toCustomer<{ column: string }>(
    "row",
    (e) => `The column ${shown(e.column)} is blank but must have a value.`,
    () => "Fill it in.",
  ),
  "not-an-integer": toCustomer<{ column: string; value: string }>(
    "row",
    (e) => `${shown(e.value)} in column ${shown(e.column)} is not a whole number.`,
    () => "Write digits only.",
  ),
  "not-a-decimal": toCustomer<{ column: string; value: string; expected: string }>(
    "row",
    (e) => `${shown(e.value)} in column ${shown(e.column)} is not a number written as ${e.expected}.`,
    (e) => `Write it as ${e.expected}.`,
  ),
  "not-a-date": toCustomer<{ column: string; value: string; expected: string }>(
    "row",
    (e) => `${shown(e.value)} in column ${shown(e.column)} is not a date written as ${e.expected}.`,
    (e) => `Write it as ${e.expected}, with a day that exists.`,
  ),
  "not-in-list": toCustomer<{ column: string; value: string; allowed: string[] }>(
    "row",
    (e) => `${shown(e.value)} in column ${shown(e.column)} is none of ${e.allowed.slice(0, 12).join(", ")}.`,
    () => "Use one of the agreed values, or tell your contact about the new one.",
  ),
  "out-of-range": toCustomer<{ column: string; value: string; rule: string }>(
    "row",
    (e) => `${shown(e.value)} in column ${shown(e.column)} is outside its range: ${e.rule}.`,
    () => "Correct the value.",
  ),
  "wrong-pattern": toCustomer<{ column: string; value: string; rule: string }>(
    "row",
    (e) => `${shown(e.value)} in column ${shown(e.column)} does not look as agreed: ${e.rule}.`,
    () => "Correct the value.",
  ),
  "text-too-long": toCustomer<{ column: string; length: number; limit: number }>(
    "row",
    (e) => `The text in column ${shown(e.column)} has ${e.length} characters, more than ${e.limit}.`,
    () => "Shorten it.",
  ),
  "too-many-digits": toCustomer<{ column: string; value: string; rule: string }>(
    "row",
    (e) => `${shown(e.value)} in column ${shown(e.column)} has more digits than can be kept exactly: ${e.rule}.`,
    () => "Correct the value. If the digits are a name and not an amount, tell your contact: they can be read as text.",
  ),
  "scientific-notation": toCustomer<{ column: string; value: string }>(
    "row",
    (e) => `${shown(e.value)} in column ${shown(e.column)} is a number in scientific notation: digits of it are lost.`,
    () => "A spreadsheet did this. Format the column as text there, and take the values from the ERP again.",
  ),
  "spreadsheet-date": toCustomer<{ column: string; value: string }>(
    "row",
    (e) => `${shown(e.value)} in column ${shown(e.column)} is a date where an identifier should stand.`,
    () => "A spreadsheet did this. Format the column as text there, and take the values from the ERP again.",
  ),
  "leading-zeros-lost": toCustomer<{ column: string; value: string; length: number }>(
    "row",
    (e) =>
      `${shown(e.value)} in column ${shown(e.column)} has ${e.value.length} digits instead of ${e.length}: its leading zeros are probably lost.`,
    () => "A spreadsheet may have done this. Format the column as text there, and take the values from the ERP again.",
  ),
  "wrong-check-digit": toCustomer<{ column: string; value: string; kind: string; expected: string }>(
    "row",
    (e) =>
      `${shown(e.value)} in column ${shown(e.column)} is not a ${e.kind}: its last digit, the check digit, would have to be ${e.expected}.`,
    () => "Look for a mistyped digit or two that are swapped.",
  ),
  "date-serial-number": toCustomer<{ column: string; value: string; date: string; expected: string }>(
    "row",
    (e) =>
      `${shown(e.value)} in column ${shown(e.column)} is how a spreadsheet counts the days (it would be ${e.date}), not a date written as ${e.expected}.`,
    (e) => `Format the column as a date (${e.expected}) in the spreadsheet before it is saved as text.`,
  ),
  mojibake: toCustomer<{ column: string; value: string; found: string; likely?: string | undefined }>(
    "row",
    (e) =>
      `The text ${shown(e.value)} in column ${shown(e.column)} holds ${shown(e.found)}, left behind by a wrong character set${e.likely === undefined ? "" : ` (it was probably ${shown(e.likely)})`}.`,
    () =>
      "Look at the text in the program it comes from: it is damaged there, or its export uses the wrong character set.",
  ),
  "key-too-long": toCustomer<{ column: string; chars: number; limitChars: number; bytes: number; limitBytes: number }>(
    "row",
    (e) =>
      `The key in ${shown(e.column)} has ${e.chars} characters (${e.bytes} bytes), more than ${e.limitChars} (${e.limitBytes} bytes).`,
    () => "Shorten it; a key should only name the record.",
  ),
  "control-characters": toCustomer<{ column: string; value: string }>(
    "row",
    (e) => `The value ${shown(e.value)} in column ${shown(e.column)} holds control characters.`,
    () => "Remove them; they are often left by a copy from another program.",
  ),
  "broken-quoting": toCustomer<{ reason: string }>(
    "row",
    (e) => `The quotation marks of the row do not fit together: ${e.reason}.`,
    () => 'Double every quotation mark inside a text ("").',
  ),

  "broken-record": toCustomer<{ reason: string }>(
    "row",
    (e) => `The record cannot be read as JSON: ${e.reason}.`,
    () => "Check how the record was written; a program for JSON names the place.",
  ),
  "row-misaligned": toCustomer<{ reason: string }>(
    "row",
    (e) => `The line does not fit the fixed places of the columns: ${e.reason}.`,
    () => "Write every line to its full width, filled with blanks and without tabs.",
  ),
  "cell-error": toCustomer<{ column: string; value: string }>(
    "row",
    (e) => `The cell in column ${shown(e.column)} holds an error (${shown(e.value)}) instead of a value.`,
    () => "Correct the formula of the cell.",
  ),
  "cell-not-calculated": toCustomer<{ column: string }>(
    "row",
    (e) => `The cell in column ${shown(e.column)} holds a formula whose result was not calculated.`,
    () => "Open the workbook in Excel, let it calculate and save it; or export values instead of formulas.",
  ),

  // ── our own machinery ──────────────────────────────────────────────────────────────────────────────────────────
  "database-unavailable": entry<{ reason: string }>(
    "system",
    "retry",
    "us",
    (e) => `The database cannot be reached: ${e.reason}.`,
    () => "Work waits and goes on by itself when the database is back.",
  ),
  "database-conflict": entry<{ sqlstate: string }>(
    "system",
    "retry",
    "us",
    (e) => `The database asked to try again (SQLSTATE ${e.sqlstate}).`,
    () => "Nothing to do; it is tried again.",
  ),
  "database-refused": entry<{ sqlstate: string; message: string }>(
    "system",
    "park",
    "us",
    (e) => `The database refused a statement (SQLSTATE ${e.sqlstate}): ${e.message}`,
    () => "A fault of ours: find the statement, fix it, redrive.",
  ),
  "illegal-transition": entry<{ what: string; id: string | null; from: string; to: string }>(
    "system",
    "park",
    "us",
    (e) => `A row of ${e.what} (${e.id ?? "new"}) was to go from “${e.from}” to “${e.to}”, and there is no such way.`,
    () =>
      "A fault of ours, and nothing was changed: find the statement, fix it, redrive. The ways are in docs/states.md.",
  ),
  "storage-unavailable": entry<{ reason: string }>(
    "system",
    "retry",
    "us",
    (e) => `The object storage cannot be reached: ${e.reason}.`,
    () => "Nothing to do; it is tried again.",
  ),
  "storage-refused": entry<{ reason: string }>(
    "system",
    "park",
    "us",
    (e) => `The object storage refused an object: ${e.reason}.`,
    () => "A fault of ours: what was stored, or its name, breaks a rule of the storage. Fix it, redrive.",
  ),
  "lease-lost": entry<{ file: string }>(
    "system",
    "retry",
    "us",
    (e) => `Another worker took over file ${e.file}.`,
    () => "Nothing to do; the other worker finishes it.",
  ),
  "feed-busy": entry<{ file: string; activeFile: string }>(
    "system",
    "retry",
    "us",
    (e) => `File ${e.file} waits: file ${e.activeFile} of the same feed is being applied.`,
    () => "Nothing to do; it goes on by itself.",
  ),
  "woken-in-vain": entry<{ what: "delivery" | "file"; times: number }>(
    "system",
    "park",
    "us",
    (e) => `The ${e.what} did not move, though it was woken ${e.times} times over several days.`,
    () => "Look for its correlation id in the logs: what took its messages and did not finish? Then redrive.",
  ),
  "not-admitted-yet": entry<{ file: string; atMs: number; because: string }>(
    "system",
    "retry",
    "us",
    (e) => `File ${e.file} waits until ${new Date(e.atMs).toISOString()}: ${e.because}.`,
    () => "Nothing to do; it comes again at that time. The customer's limits say how much is let in.",
  ),
  "admission-unavailable": entry<{ reason: string }>(
    "system",
    "retry",
    "us",
    (e) => `The schedule of the customer's files cannot be asked: ${e.reason}.`,
    () => "Work waits and goes on by itself when it answers.",
  ),
  "queue-unavailable": entry<{ reason: string }>(
    "system",
    "retry",
    "us",
    (e) => `A queue did not take a message: ${e.reason}.`,
    () => "Work waits and goes on by itself when the queue is back.",
  ),
  "file-missing": entry<{ file: string }>(
    "system",
    "park",
    "us",
    (e) => `A queue message names file ${e.file}, which is not in the database.`,
    () => "Check that the message and the database belong to the same deployment.",
  ),
  "chunk-missing": entry<{ key: string }>(
    "system",
    "park",
    "us",
    (e) => `The chunk ${e.key} is not in storage (chunks are kept for 14 days after a file has ended).`,
    () => "Replay the delivery from the archive.",
  ),
  "message-unreadable": entry<{ reason: string }>(
    "system",
    "park",
    "us",
    (e) => `A queue message cannot be read: ${e.reason}.`,
    () => "Its version may be newer than this deployment: deploy, then redrive.",
  ),
  "version-unreadable": entry<{ kind: string; version: number; reason: string }>(
    "system",
    "park",
    "us",
    (e) => `Version ${e.version} of the feed's ${e.kind} cannot be read by this deployment: ${e.reason}`,
    () =>
      "It was written by another release: activate another version of it, or deploy the release that can, then redrive.",
  ),
  "internal-error": entry<{ message: string }>(
    "system",
    "park",
    "us",
    (e) => `Something unforeseen happened: ${e.message}`,
    () => "A fault of ours: find it by the correlation id in the logs, fix it, redrive.",
  ),
} as const;

export type FailureCode = keyof typeof FAILURES;
export type EvidenceOf<C extends FailureCode> = (typeof FAILURES)[C] extends Entry<infer E> ? E : never;

/** A failure as it is stored in Postgres, answered by the API and written in mails. */
export interface FailureReport {
  readonly code: FailureCode;
  readonly disposition: Disposition;
  readonly actor: Actor;
  readonly sentence: string;
  readonly hint: string;
  readonly evidence: Readonly<Record<string, unknown>>;
}

/** Makes the report of a failure: pure, the one place where a sentence is built. */
export function report<C extends FailureCode>(code: C, evidence: EvidenceOf<C>): FailureReport {
  const found = FAILURES[code] as unknown as Entry<EvidenceOf<C>>;
  return {
    code,
    disposition: found.disposition,
    actor: found.actor,
    sentence: found.sentence(evidence),
    hint: found.hint(evidence),
    evidence: evidence as Record<string, unknown>,
  };
}

/**
 * With these a message waits for something outside: it comes again as a delayed copy and spends no attempt, and a row that
 * says one of them is not stuck.
 */
export const WAITING_CODES: readonly FailureCode[] = [
  "database-unavailable",
  "storage-unavailable",
  "queue-unavailable",
  "admission-unavailable",
  "not-admitted-yet",
  "feed-busy",
];

/** A failure on its way up. `message` is the sentence; `cause` keeps the original error for the logs. */
export class Failure extends Error {
  readonly report: FailureReport;

  constructor(made: FailureReport, cause?: unknown) {
    super(made.sentence, cause === undefined ? undefined : { cause });
    this.name = "Failure";
    this.report = made;
  }

  get code(): FailureCode {
    return this.report.code;
  }

  get disposition(): Disposition {
    return this.report.disposition;
  }
}

/** `throw failure("file-empty", { name })`. */
export function failure<C extends FailureCode>(code: C, evidence: EvidenceOf<C>, cause?: unknown): Failure {
  return new Failure(report(code, evidence), cause);
}

/** Any thrown value as a Failure: what is not one of ours is an `internal-error` and keeps the original as its cause. */
export function asFailure(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown;
  return failure("internal-error", { message: wordsOf(thrown).slice(0, 500) }, thrown);
}

/** What a thrown value says. Anything can be thrown, also an object that refuses to become text. */
export function wordsOf(thrown: unknown): string {
  if (thrown instanceof Error) return `${thrown.name}: ${thrown.message}`;
  return typeof thrown === "object" && thrown !== null ? Object.prototype.toString.call(thrown) : String(thrown);
}
