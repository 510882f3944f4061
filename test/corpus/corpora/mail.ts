/** Mails that other projects keep with what they find in them. */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { Failure, type FailureReport } from "../../../src/domain/failures.ts";
import { type MailPart, readMessage } from "../../../src/parse/open/mail/message.ts";
import { type ByteStream, bytesSource } from "../../../src/parse/open/source.ts";
import { corpusBytes, corpusPath, corpusTruth } from "../../support/corpora.ts";
import type { CaseResult, Corpus } from "../case.ts";

interface Leaf {
  readonly part: MailPart;
  readonly bytes: Buffer;
  readonly failure: FailureReport | undefined;
}

/** The parts of a message, each read to its end or to its break. Several of the mails never close their last boundary. */
async function leavesOf(raw: Uint8Array): Promise<Leaf[]> {
  const { parts } = await readMessage(bytesSource(raw), undefined, { mayLackBoundary: true });
  const leaves: Leaf[] = [];
  for (const part of parts) leaves.push({ part, ...(await drained(part.open())) });
  return leaves;
}

async function drained(stream: ByteStream): Promise<Pick<Leaf, "bytes" | "failure">> {
  const pieces: Buffer[] = [];
  try {
    for await (const block of stream) pieces.push(Buffer.from(block));
  } catch (thrown) {
    if (!(thrown instanceof Failure) || thrown.disposition !== "reject") throw thrown;
    return { bytes: Buffer.concat(pieces), failure: thrown.report };
  }
  return { bytes: Buffer.concat(pieces), failure: undefined };
}

interface AttachmentsTruth {
  readonly file: string;
  readonly attachments: readonly {
    readonly name?: string;
    readonly size?: number;
    readonly sha256_of_content?: string;
  }[];
}

export const mailAttachments: Corpus = {
  name: "MIME attachments",
  target: 1,
  counting:
    "right: the attachments that php-imap finds, by name and in order, byte for byte (php-imap adds the line end that belongs to the boundary, and writes attached messages with CRLF); a missing last boundary is allowed, as a feed can. Of an attachment with a damaged encoding (boolean_decoded_content.eml) what can be decoded is the same, and the damage is named",
  async run() {
    const results: CaseResult[] = [];
    for (const truth of corpusTruth<AttachmentsTruth>("mime_attachments")) results.push(await attachmentsCase(truth));
    return results;
  },
};

async function attachmentsCase(truth: AttachmentsTruth): Promise<CaseResult> {
  const id = truth.file;
  const found = (await leavesOf(corpusBytes(truth.file))).filter(({ part }) => part.role === "attachment");
  const names = JSON.stringify(found.map(({ part }) => part.name));
  const wanted = JSON.stringify(truth.attachments.map(({ name }) => name));
  if (names !== wanted) return { id, outcome: "silent-wrong", detail: `${names} for ${wanted}` };
  for (const [i, { sha256_of_content: sha256, size }] of truth.attachments.entries()) {
    const { bytes, failure, part } = found[i]!;
    const forms = asWritten(bytes);
    const isSame =
      sha256 === undefined ? forms.some(({ length }) => length === size) : forms.map(hashOf).includes(sha256);
    if (!isSame && failure !== undefined) return { id, outcome: "refused", detail: failure.sentence };
    if (!isSame)
      return { id, outcome: "silent-wrong", detail: `${part.name}: ${bytes.length} bytes, ${size} expected` };
  }
  return { id, outcome: "right" };
}

const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Bytes as they are, and with the line ends that php-imap writes. */
function asWritten(bytes: Buffer): Buffer[] {
  const withCrLf = Buffer.from(bytes.toString("latin1").trimEnd().replace(/\r?\n/g, "\r\n"), "latin1");
  return [bytes, withCrLf, ...["\n", "\r\n"].map((end) => Buffer.concat([bytes, Buffer.from(end)]))];
}

interface StructureTruth {
  readonly file: string;
  readonly expected_json: string;
}

/** mail-parser's own output, as far as it is used here. */
interface ParsedMail {
  readonly attachments: readonly number[];
  readonly parts: readonly {
    readonly body: { readonly Binary?: readonly number[]; readonly InlineBinary?: readonly number[] };
    readonly offset_body: number;
    readonly offset_end: number;
  }[];
}

export const mailStructure: Corpus = {
  name: "mail structure",
  target: 1,
  counting:
    "right: of every attachment that mail-parser finds, all text lies in our parts (what is left out are boundary lines and the headers below them), and binary ones are the same bytes or named as damaged; a mail that we divide further than mail-parser does is right if nothing of it is lost",
  async run() {
    const results: CaseResult[] = [];
    for (const truth of corpusTruth<StructureTruth>("mime_structure")) results.push(await structureCase(truth));
    return results;
  },
};

async function structureCase({ file, expected_json: json }: StructureTruth): Promise<CaseResult> {
  const expected = JSON.parse(readFileSync(corpusPath(json), "utf8")) as ParsedMail;
  // Some expected offsets were taken with LF line ends, some with CRLF.
  const written = Buffer.from(corpusBytes(file));
  const withLf = Buffer.from(written.toString("latin1").replaceAll("\r\n", "\n"), "latin1");
  const raw = expected.parts[0]?.offset_end === withLf.length ? withLf : written;
  const leaves = await leavesOf(raw);
  for (const number of expected.attachments) {
    const { body, offset_body: start, offset_end: end } = expected.parts[number]!;
    const same = leaves.filter(({ part }) => part.start <= end && part.end >= start);
    const lost = lostText(raw, start, end, same);
    if (lost !== "")
      return { id: file, outcome: "silent-wrong", detail: `part ${number} lacks ${JSON.stringify(lost)}` };
    const binary = body.Binary ?? body.InlineBinary;
    if (binary === undefined || start === end) continue;
    const text = Buffer.from(binary).toString("latin1").trim();
    const isThere = same.some(({ bytes, failure }) => failure || bytes.toString("latin1").trim() === text);
    if (!isThere) return { id: file, outcome: "silent-wrong", detail: `part ${number} holds other bytes` };
  }
  return { id: file, outcome: "right" };
}

/** What of a range lies in no part and is neither a boundary line nor the headers below one. */
function lostText(raw: Buffer, start: number, end: number, parts: readonly Leaf[]): string {
  const gaps: string[] = [];
  let at = start;
  for (const { part } of [...parts].sort((a, b) => a.part.start - b.part.start)) {
    if (part.start > at) gaps.push(raw.toString("latin1", at, Math.min(part.start, end)));
    at = Math.max(at, part.end);
  }
  if (end > at) gaps.push(raw.toString("latin1", at, end));
  return gaps.filter((gap) => gap.trim() !== "" && !/^\s*--/.test(gap)).join("\n");
}
