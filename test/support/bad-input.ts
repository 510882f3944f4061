/**
 * Everything bad that comes by mail, one constructor each. A constructor takes a good mail of a good file and spoils one
 * thing; it says where that must end and in which words.
 */

import { generateSamples, INVENTORY_COLUMNS, type Sample, zipOf } from "../../cli/samples/generate.ts";
import { type MailAttachment, mailOf } from "../../cli/samples/mail.ts";
import { type EvidenceOf, type FailureCode, report } from "../../src/domain/failures.ts";
import { MAX_DELIVERY_BYTES } from "../../src/intake/handler.ts";
import { addressOf, type Mail } from "./addresses.ts";

/** Where an input ends: at the door, as a delivery that is not read, or as a file of which nothing is applied. */
export type End = {
  readonly code: FailureCode;
  /** The sentence as people read it, or the part of it that stands whatever else it explains. */
  readonly sentence: string;
} & (
  | { readonly at: "door" }
  | { readonly at: "delivery"; readonly state: "rejected" | "quarantined" }
  | {
      readonly at: "file";
      readonly state: "rejected" | "held";
      readonly path: string;
      /** The running system, which knows the feed's format, holds it as drift and keeps the sentence. */
      readonly drift?: true;
    }
);

export interface BadInput {
  readonly mail: Mail;
  readonly end: End;
  /** Whether mail and archives open: what is wrong is then the sender, the table or its text. */
  readonly opens: boolean;
}

/** Code and sentence of a failure with exactly this evidence. */
const said = <C extends FailureCode>(code: C, evidence: EvidenceOf<C>) => ({
  code,
  sentence: report(code, evidence).sentence,
});

const FEED = "acme/inventory";
const SENDER = "erp@acme.example";
const MAX_REMARK_CHARS = 4_000;

const utf8 = (text: string): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.from(text));

let sequence = 0;

interface MailParts {
  readonly to?: string;
  readonly from?: string;
  readonly body?: string;
  readonly attachments: readonly MailAttachment[];
}

/** A mail of the ERP with these attachments; each call makes another mail. */
function mail(parts: MailParts): Mail {
  sequence += 1;
  const to = parts.to ?? addressOf(FEED);
  const raw = mailOf({
    from: parts.from ?? SENDER,
    to,
    subject: `Stock ${sequence}`,
    date: new Date(Date.now() - 60_000),
    messageId: `<${process.pid}.${Date.now()}.${sequence}@acme.example>`,
    body: parts.body ?? "Automatic export.",
    attachments: parts.attachments,
  });
  return { from: SENDER, to, raw };
}

const csv = (bytes: Uint8Array, name = "inventory.csv"): MailAttachment => ({ name, contentType: "text/csv", bytes });
const zip = (bytes: Uint8Array, name = "inventory.zip"): MailAttachment => ({
  name,
  contentType: "application/zip",
  bytes,
});

const header = `${INVENTORY_COLUMNS.join(",")}\r\n`;
const row = (sku: number, remark = "", description = "Hex bolt"): string =>
  `${String(sku).padStart(8, "0")},,${description},Fasteners,EA,12.000,0.0450,EUR,active,no,2026-11-02,${remark}\r\n`;
const goodTable = header + row(90_000_001) + row(90_000_002);

/** A small inventory that nobody has to complain of. Its records are outside the samples. */
export const goodMail = (): Mail => mail({ attachments: [csv(utf8(goodTable))] });

/** The archive of the inventory sample: what a truncated or encrypted one is made of. */
const sampleZip = (): Uint8Array<ArrayBuffer> =>
  (generateSamples({ scale: 0.05 }).find(({ feed }) => feed === "inventory") as Sample).bytes;

/** One table in one archive. */
const packed = (name: string, bytes: Uint8Array) => zipOf([{ name, bytes }]);

// ── the door ─────────────────────────────────────────────────────────────────────────────────────────────────────────

export function wrongToken(): BadInput {
  const to = addressOf(FEED).replace(/\.[^.@]+@/, ".aaaaaaaaaaaaaaaa@");
  return {
    mail: mail({ to, attachments: [csv(utf8(goodTable))] }),
    end: { at: "door", ...said("unknown-address", { recipient: to }) },
    opens: true,
  };
}

export function spoofedSender(): BadInput {
  return {
    mail: mail({ from: "boss@evil.example", attachments: [csv(utf8(goodTable))] }),
    end: {
      at: "delivery",
      state: "quarantined",
      ...said("sender-not-proven", {
        sender: "boss@evil.example",
        policy: "trust-address",
        reason: "the address is not on the list of senders",
      }),
    },
    opens: true,
  };
}

/** A mail of exactly so many bytes: a table with long remarks, and the rest as text of the mail. */
export function mailOfSize(bytes: number): { readonly mail: Mail; readonly rows: number } {
  const filler = `${"x".repeat(70)}\r\n`;
  // Base64 makes 78 bytes (76 characters and a line end) of 57.
  const tableBytes = Math.floor((bytes - 8_192) / 78) * 57;
  const one = row(91_000_000, "r".repeat(MAX_REMARK_CHARS));
  const rows = Math.floor((tableBytes - header.length) / one.length);
  let table = header;
  for (let i = 0; i < rows; i++) table += row(91_000_000 + i, "r".repeat(MAX_REMARK_CHARS));
  const attachments = [csv(utf8(table))];
  const missing = bytes - mail({ body: "", attachments }).raw.length;
  const rest = missing % filler.length;
  const body = filler.repeat((missing - rest) / filler.length) + "x".repeat(rest);
  // The number in the subject and the Message-ID may have grown by a digit meanwhile: one more turn settles it.
  const made = mail({ body, attachments });
  const surplus = made.raw.length - bytes;
  if (surplus === 0) return { mail: made, rows };
  return { mail: mail({ body: body.slice(0, -surplus), attachments }), rows };
}

/** The largest mail there is. It is good. */
export const largestMail = () => mailOfSize(MAX_DELIVERY_BYTES);

/** One byte more. Cloudflare itself refuses it; so does `mailfeed check`. */
export const tooLargeMail = (): Mail => mailOfSize(MAX_DELIVERY_BYTES + 1).mail;

// ── mails ────────────────────────────────────────────────────────────────────────────────────────────────────────────

export function noAttachment(): BadInput {
  return {
    mail: mail({ body: "The file follows tomorrow.", attachments: [] }),
    end: {
      at: "delivery",
      state: "rejected",
      ...said("no-payload", { found: "only text" }),
    },
    opens: true,
  };
}

const leaflets = (count: number): MailAttachment[] =>
  Array.from({ length: count }, (_, i) => ({
    name: `leaflet-${i + 1}.pdf`,
    contentType: "application/pdf",
    bytes: utf8(`%PDF-1.7\n${i}\n%%EOF\n`),
  }));

/** A hundred attachments, none of which is the file. */
export function hundredAttachments(): BadInput {
  const found = ["1", "2", "3", "4", "5"].map((n) => `leaflet-${n}.pdf (pdf)`).join(", ");
  return {
    mail: mail({ attachments: leaflets(100) }),
    end: {
      at: "delivery",
      state: "rejected",
      ...said("no-payload", { found: `${found} and 95 more`, pattern: "*.csv" }),
    },
    opens: true,
  };
}

/** A hundred attachments, and the file is the last. It is good. */
export const fileAmongHundred = (): Mail => mail({ attachments: [...leaflets(99), csv(utf8(goodTable))] });

export function tooManyAttachments(): BadInput {
  return {
    mail: mail({ attachments: leaflets(600) }),
    end: {
      at: "file",
      state: "rejected",
      path: "",
      ...said("mail-too-complex", { what: "parts", count: 501, limit: 500 }),
    },
    opens: false,
  };
}

export function cutOffMail(): BadInput {
  const whole = mail({ attachments: [csv(utf8(goodTable))] });
  return {
    mail: { ...whole, raw: whole.raw.slice(0, -120) },
    end: {
      at: "file",
      state: "rejected",
      path: "",
      ...said("mail-cut-off", {}),
    },
    opens: false,
  };
}

// ── containers ───────────────────────────────────────────────────────────────────────────────────────────────────────

const inFile = (
  attachment: MailAttachment,
  end: { path?: string; code: FailureCode; sentence: string; state?: "rejected" | "held"; drift?: true },
  opens: boolean,
): BadInput => ({
  mail: mail({ attachments: [attachment] }),
  end: {
    at: "file",
    state: end.state ?? "rejected",
    ...(end.drift === true ? { drift: true as const } : {}),
    path: end.path ?? attachment.name,
    code: end.code,
    sentence: end.sentence,
  },
  opens,
});

export const emptyFile = (): BadInput => inFile(csv(new Uint8Array()), { ...said("file-empty", {}) }, true);

export const truncatedZip = (): BadInput =>
  inFile(
    zip(sampleZip().slice(0, -400)),
    { ...said("file-corrupt", { name: "inventory.zip", reason: "the end of the zip is missing" }) },
    false,
  );

/** 64 MiB of empty lines in an archive in an archive: some hundred bytes on their way. */
export function zipBomb(): BadInput {
  const inner = packed("inventory.csv", utf8(header + "\n".repeat(64 * 1_048_576)));
  return inFile(
    zip(packed("inner.zip", inner)),
    {
      path: "inventory.zip/inner.zip/inventory.csv",
      ...said("archive-too-large", {
        name: "inventory.csv",
        what: "data that expands to more than 200 times its size",
        limit: "200 times",
      }),
    },
    false,
  );
}

export function archivesInArchives(): BadInput {
  let inside: Uint8Array<ArrayBuffer> = packed("inventory.csv", utf8(goodTable));
  for (const name of ["four.zip", "three.zip", "two.zip"]) inside = packed(name, inside);
  return inFile(
    zip(inside),
    {
      path: "inventory.zip/two.zip/three.zip/four.zip",
      ...said("archive-too-large", { name: "four.zip", what: "archives packed inside each other", limit: "3 levels" }),
    },
    false,
  );
}

/** Marks the one entry of an archive as encrypted, in both of its headers (APPNOTE 4.4.4, 4.4.5). */
function encrypted(archive: Uint8Array, method?: number): Uint8Array<ArrayBuffer> {
  const copy = Buffer.from(archive);
  const central = copy.indexOf("PK\x01\x02", 0, "latin1");
  for (const flags of [6, central + 8]) {
    copy.writeUInt16LE(copy.readUInt16LE(flags) | 1, flags);
    if (method !== undefined) copy.writeUInt16LE(method, flags + 2);
  }
  return new Uint8Array(copy);
}

const AES = 99;

const LOCKED = {
  code: "file-encrypted",
  sentence: "The file “inventory.zip” is protected by a password",
} as const;

export const zipCryptoZip = (): BadInput => inFile(zip(encrypted(sampleZip())), LOCKED, false);

export const aesZip = (): BadInput => inFile(zip(encrypted(sampleZip(), AES)), LOCKED, false);

/** The least that is taken for a workbook: its members are what an Excel file is known by. */
const workbook = (): Uint8Array<ArrayBuffer> =>
  zipOf(
    ["[Content_Types].xml", "_rels/.rels", "xl/workbook.xml", "xl/worksheets/sheet1.xml"].map((name) => ({
      name,
      bytes: utf8('<?xml version="1.0"?><x/>'),
    })),
  );

const XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

export const workbookNamedCsv = (): BadInput =>
  inFile(
    { name: "inventory.csv", contentType: "text/csv", bytes: workbook() },
    {
      ...said("file-unsupported", {
        name: "inventory.csv",
        found: "an Excel workbook, although its name ends in “.csv”",
        expected: "a delimited text file (CSV)",
      }),
    },
    true,
  );

export function workbookInstead(): BadInput {
  return {
    mail: mail({ attachments: [{ name: "inventory.xlsx", contentType: XLSX, bytes: workbook() }] }),
    end: {
      at: "delivery",
      state: "rejected",
      ...said("no-payload", { found: "inventory.xlsx (xlsx)", pattern: "*.csv" }),
    },
    opens: true,
  };
}

// ── tables ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** ISO 8859-1 where the feed says UTF-8. */
export function wrongCharset(): BadInput {
  const text = header + row(90_000_001) + row(90_000_002, "", "Zurr\u00f6se");
  const offset = Buffer.from(text, "latin1").indexOf(0xf6);
  return inFile(
    csv(new Uint8Array(Buffer.from(text, "latin1"))),
    {
      ...said("wrong-charset", { charset: "utf-8", line: 3, offset }),
      drift: true as const,
    },
    true,
  );
}

export const utf16Instead = (): BadInput =>
  inFile(
    csv(new Uint8Array(Buffer.from(`\ufeff${goodTable}`, "utf16le"))),
    {
      ...said("wrong-charset", { charset: "utf-8", line: 1, offset: 0, mark: "utf-16le" }),
      drift: true as const,
    },
    true,
  );

export function missingColumn(): BadInput {
  const columns = INVENTORY_COLUMNS.filter((column) => column !== "Unit Price");
  return inFile(
    csv(utf8(`${columns.join(",")}\r\n00000001,,Hex bolt,Fasteners,EA,1,EUR,active,no,,\r\n`)),
    { ...said("missing-column", { missing: ["Unit Price"], found: columns, line: 1 }), drift: true as const },
    true,
  );
}

export const unclosedQuote = (): BadInput =>
  inFile(
    csv(utf8(header + row(90_000_001) + row(90_000_002, '"cut off here') + row(90_000_003))),
    {
      ...said("unclosed-quote", { line: 3 }),
    },
    true,
  );

export const nulBytes = (): BadInput =>
  inFile(
    csv(utf8(header + row(90_000_001) + row(90_000_002, "a\0b"))),
    {
      ...said("nul-bytes", { line: 3 }),
    },
    true,
  );

export const noNumbersAtAll = (): BadInput =>
  inFile(
    csv(utf8(header + row(90_000_001) + row(90_000_002).replace("12.000", "a dozen"))),
    {
      state: "held",
      ...said("too-many-rejects", { rejected: 1, rows: 2, limit: "5 %" }),
    },
    true,
  );

/** All of them by what is wrong, unmade: some are large. */
export const BAD_INPUTS: Readonly<Record<string, () => BadInput>> = {
  "a wrong token in the address": wrongToken,
  "a sender that is not on the list": spoofedSender,
  "no attachment": noAttachment,
  "100 attachments and no file among them": hundredAttachments,
  "more attachments than a mail may have": tooManyAttachments,
  "a mail that was cut off": cutOffMail,
  "an empty file": emptyFile,
  "a truncated zip": truncatedZip,
  "a zip bomb inside a zip": zipBomb,
  "archives inside archives inside archives": archivesInArchives,
  "a zip with a password (ZipCrypto)": zipCryptoZip,
  "a zip with a password (AES)": aesZip,
  "an Excel workbook named .csv": workbookNamedCsv,
  "an Excel workbook where a CSV was promised": workbookInstead,
  "a table in another charset": wrongCharset,
  "a table in UTF-16": utf16Instead,
  "a column too few": missingColumn,
  "a quotation mark that is never closed": unclosedQuote,
  "NUL bytes in the text": nulBytes,
  "a table of which hardly a row can be read": noNumbersAtAll,
};
