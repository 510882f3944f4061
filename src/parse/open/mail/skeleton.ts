/**
 * Phase two of reading a mail: postal-mime reads the skeleton, which is all headers and a token in place of each body.
 *
 * Names of files are the messiest thing in mail (RFC 2231 continuations, RFC 2047 words where they may not stand, raw
 * 8-bit text), so a reader that has met most of it decides them. In the skeleton each part is declared a plain attachment
 * and keeps only its parameters: postal-mime then lists every part, in order, and neither folds a named text into the body
 * nor hoists an inline message.
 */
import PostalMime, { type Address, type Mailbox } from "postal-mime";
import { firstValue, type HeaderField } from "./header-block.ts";
import type { IndexedPart } from "./index-parts.ts";
import { parseStructured } from "./structured.ts";

export interface MailHeaders {
  readonly from: Mailbox | undefined;
  readonly to: readonly Mailbox[];
  readonly subject: string | undefined;
  /** With its angle brackets, as written. */
  readonly messageId: string | undefined;
  /** ISO 8601 where the Date header can be read, else the header as it stands. */
  readonly date: string | undefined;
  /** Every field in order, duplicates kept, unfolded, not decoded: what authentication results are read from. */
  readonly fields: readonly HeaderField[];
}

/** Stands alone on a line of the skeleton; nothing else in it can, as every value has been unfolded to one line. */
const BOUNDARY = "mailfeed-skeleton";

/** Everything the skeleton says: the headers of the message and the name of each part, where it has one. */
export async function readSkeleton(
  fields: readonly HeaderField[],
  parts: readonly IndexedPart[],
): Promise<{ headers: MailHeaders; names: readonly (string | undefined)[] }> {
  const lines = fields
    .filter(([name]) => name !== "" && !/^content-/i.test(name))
    .map(([name, value]) => `${name}: ${value}`);
  lines.push(`Content-Type: multipart/mixed; boundary="${BOUNDARY}"`, "");
  parts.forEach((part, number) => {
    const disposition = parseStructured(firstValue(part.fields, "content-disposition"));
    lines.push(
      `--${BOUNDARY}`,
      `Content-Type: application/octet-stream; ${withoutLead(part.type.parameterText)}`,
      `Content-Disposition: attachment; ${withoutLead(disposition.parameterText)}`,
      "",
      String(number),
    );
  });
  lines.push(`--${BOUNDARY}--`, "");
  const read = await PostalMime.parse(lines.join("\r\n"));
  const names: (string | undefined)[] = parts.map(() => undefined);
  for (const attachment of read.attachments) {
    const number = Number(new TextDecoder().decode(attachment.content as ArrayBuffer));
    if (number in names && attachment.filename) names[number] = attachment.filename;
  }
  parts.forEach((part, number) => {
    // Parameters on the wrong header, as some writers put them.
    names[number] ??=
      part.type.parameters.get("filename") ||
      parseStructured(firstValue(part.fields, "content-disposition")).parameters.get("name") ||
      undefined;
  });
  const from = read.from && mailboxes([read.from])[0];
  return {
    headers: {
      from,
      to: mailboxes(read.to ?? []),
      subject: read.subject,
      messageId: read.messageId,
      date: read.date,
      fields,
    },
    names,
  };
}

const withoutLead = (parameterText: string): string => parameterText.replace(/^[;\s]+/, "");

const mailboxes = (addresses: readonly Address[]): Mailbox[] =>
  addresses.flatMap((address) => (address.group ? address.group : [address as Mailbox]));
