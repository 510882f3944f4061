/** A message as what it carries: its headers and its parts, each ready to be streamed, none of them read yet. */
import { failure } from "../../../domain/failures.ts";
import { DEFAULT_LIMITS, type OpenLimits } from "../limits.ts";
import { type ByteSource, type ByteStream, exactBlocks } from "../source.ts";
import { CUT_OFF, decodeBase64 } from "./base64.ts";
import { firstValue } from "./header-block.ts";
import { type Ending, type IndexedPart, indexParts, topFields } from "./index-parts.ts";
import { decodeQuotedPrintable } from "./quoted-printable.ts";
import { type MailHeaders, readSkeleton } from "./skeleton.ts";
import { parseStructured, withoutComments } from "./structured.ts";
import { decodeUuencode } from "./uuencode.ts";

export type { MailHeaders } from "./skeleton.ts";

export interface MailPart {
  /** As the sender wrote it (decoded), not made safe. */
  readonly name: string | undefined;
  /** Lower case, `text/plain` where the part says nothing. */
  readonly contentType: string;
  /** What the part claims; evidence, not truth. */
  readonly charset: string | undefined;
  /** A body is unnamed plain or HTML text that is not marked as an attachment. Everything else is one. */
  readonly role: "attachment" | "body";
  /** HTML next to the same in plain text. */
  readonly isOtherForm: boolean;
  /** Range in the source, still encoded. */
  readonly start: number;
  readonly end: number;
  readonly ending: Ending;
  /** The range is the file itself: no transfer encoding. */
  readonly isPlainRange: boolean;
  /** No more than so many bytes come out of it: room to reserve for whoever has to hold it. */
  readonly atMostBytes: number;
  /** The decoded bytes, each time from the start. @throws `file-corrupt` when they cannot be decoded to their end. */
  open(): ByteStream;
}

export interface Message {
  readonly headers: MailHeaders;
  readonly parts: readonly MailPart[];
  readonly unclosed: boolean;
  readonly undivided: boolean;
}

/**
 * Reads a message in one streaming pass (RFC 5322, RFC 2045-2047, RFC 2231).
 * @param end `isCutOff`: the source itself is known to end too early, so nothing in it is taken for whole.
 * `mayLackBoundary`: this sender never closes its messages, so their end is taken for the end of the last part.
 * @throws `mail-unreadable` when there is no header at all, `mail-too-complex` above a limit.
 */
export async function readMessage(
  source: ByteSource,
  limits: OpenLimits = DEFAULT_LIMITS,
  end: { readonly isCutOff?: boolean; readonly mayLackBoundary?: boolean } = {},
): Promise<Message> {
  const index = await indexParts(source, limits);
  if (!index.fields.some(([, value]) => value !== "")) {
    throw failure("mail-unreadable", { reason: source.size === 0 ? "it is empty" : "it has no headers" });
  }
  const { headers, names } = await readSkeleton(index.fields, index.parts);
  const parts = index.parts.map((part, number) => {
    return mailPart(source, { ...part, ending: endingOf(part.ending, end) }, names[number]);
  });
  const hasPlainForm = new Set<number>();
  index.parts.forEach(({ alternative, start, end }, number) => {
    const part = parts[number]!;
    if (alternative !== undefined && part.role === "body" && part.contentType === "text/plain" && end - start > 2) {
      hasPlainForm.add(alternative);
    }
  });
  return {
    headers,
    unclosed: index.unclosed && !end.mayLackBoundary,
    undivided: index.undivided,
    parts: parts.map((part, number) => {
      const { alternative } = index.parts[number]!;
      const isHtml = part.role === "body" && part.contentType === "text/html";
      return isHtml && alternative !== undefined && hasPlainForm.has(alternative)
        ? { ...part, isOtherForm: true }
        : part;
    }),
  };
}

function endingOf(ending: Ending, end: { isCutOff?: boolean; mayLackBoundary?: boolean }): Ending {
  if (ending === "message-end") return end.isCutOff ? "cut-off" : ending;
  return ending === "cut-off" && end.mayLackBoundary && !end.isCutOff ? "boundary" : ending;
}

/** The headers of the message alone, reading no further than they reach. */
export async function mailHeaders(source: ByteSource, limits: OpenLimits = DEFAULT_LIMITS): Promise<MailHeaders> {
  return (await readSkeleton(await topFields(source, limits), [])).headers;
}

function mailPart(source: ByteSource, part: IndexedPart, name: string | undefined): MailPart {
  // RFC 2045 section 5.2: what is no type at all is plain text.
  const contentType = /^[\w.+-]+\/[\w.+-]+/.exec(part.type.value)?.[0] ?? "text/plain";
  const disposition = parseStructured(firstValue(part.fields, "content-disposition")).value;
  const isText = contentType === "text/plain" || contentType === "text/html";
  const encoding =
    /[\w-]+/.exec(withoutComments(firstValue(part.fields, "content-transfer-encoding")).toLowerCase())?.[0] ?? "";
  // RFC 2045 section 6.4: a composite type is never encoded as a whole; multiparts that fell apart are read as they stand.
  const decoder = DECODERS[encoding] ?? asItIs;
  const { start, end, ending } = part;
  return {
    name,
    contentType,
    charset: charsetOf(part),
    role: isText && name === undefined && disposition !== "attachment" ? "body" : "attachment",
    isOtherForm: false,
    start,
    end,
    ending,
    isPlainRange: decoder === asItIs,
    atMostBytes: encoding === "base64" ? Math.ceil((end - start) / 4) * 3 : end - start,
    open: () => decoder(exactBlocks(source, start, end - start), name, ending),
  };
}

/** Some writers quote too much (`charset="charset=utf-8"`) or forget a semicolon behind it. */
function charsetOf(part: IndexedPart): string | undefined {
  const declared = part.type.parameters.get("charset")?.toLowerCase();
  return declared?.replace(/^charset=/, "").split(/\s/, 1)[0] || undefined;
}

type Decoder = (blocks: ByteStream, name: string | undefined, ending: Ending) => ByteStream;

const asItIs: Decoder = (blocks, name, ending) => (ending === "cut-off" ? thenFail(blocks, name) : blocks);

/** Anything not in the table (7bit, 8bit, binary, nothing, nonsense) is read as it stands. */
const DECODERS: Readonly<Record<string, Decoder | undefined>> = {
  base64: (blocks, name, ending) => decodeBase64(blocks, { name, ending }),
  "quoted-printable": (blocks, name, ending) => asItIs(decodeQuotedPrintable(blocks, name), name, ending),
  uuencode: (blocks, name) => decodeUuencode(blocks, name),
  "x-uuencode": (blocks, name) => decodeUuencode(blocks, name),
  "x-uue": (blocks, name) => decodeUuencode(blocks, name),
};

/** All that is there, and then the failure: short data must not look like whole data. */
async function* thenFail(blocks: ByteStream, name: string | undefined): ByteStream {
  yield* blocks;
  throw failure("file-corrupt", { name, reason: CUT_OFF });
}
