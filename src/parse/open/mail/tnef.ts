/**
 * winmail.dat: what Outlook makes of a mail that it sends as "rich text" (MS-OXTNEF). Its attachments are read, by range;
 * its message text is not.
 */
import { Buffer } from "node:buffer";
import { failure } from "../../../domain/failures.ts";
import { type ByteSource, type ByteStream, exactBlocks, readAll, windowOf } from "../source.ts";

export interface TnefAttachment {
  /** As the sender wrote it, not made safe: the long name where there is one. */
  readonly name: string | undefined;
  readonly contentType: string | undefined;
  /** A message attached to the message: its data is TNEF again. */
  readonly isMessage: boolean;
  readonly source: ByteSource;
  /** The bytes, checked against their sum. @throws `file-corrupt` */
  open(): ByteStream;
}

const SIGNATURE = 0x223e9f78;
/** Level (1), id (2), type (2), length (4); behind the data a sum of 2. */
const HEADER_BYTES = 9;
const SUM_BYTES = 2;
const LEVEL_MESSAGE = 1;
const LEVEL_ATTACHMENT = 2;

/** Attributes (MS-OXTNEF 2.1.3.2): id and type in one number. */
const ATT_OEM_CODEPAGE = 0x00069007;
const ATT_ATTACH_REND_DATA = 0x00069002;
const ATT_ATTACH_TITLE = 0x00018010;
const ATT_ATTACH_DATA = 0x0006800f;
const ATT_ATTACHMENT = 0x00069005;

/** Properties (MS-OXPROPS). */
const PID_ATTACH_DATA = 0x3701;
const PID_ATTACH_FILENAME = 0x3704;
const PID_ATTACH_METHOD = 0x3705;
const PID_ATTACH_LONG_FILENAME = 0x3707;
const PID_ATTACH_MIME_TAG = 0x370e;
const METHOD_EMBEDDED_MESSAGE = 5;

const TYPE_STRING8 = 0x001e;
const TYPE_UNICODE = 0x001f;
const TYPE_OBJECT = 0x000d;
const TYPE_BINARY = 0x0102;
const MULTIPLE = 0x1000;
/** Bytes of a value of each fixed type, padded to 4. */
const FIXED: Readonly<Record<number, number | undefined>> = {
  1: 4,
  2: 4,
  3: 4,
  4: 4,
  5: 8,
  6: 8,
  7: 8,
  10: 4,
  11: 4,
  20: 8,
  64: 8,
  72: 16,
};
/** An object begins with the identifier of its interface. */
const INTERFACE_ID_BYTES = 16;

/** Attributes of one message; each costs a read. Outlook writes about 20, and 5 for each attachment. */
const MAX_ATTRIBUTES = 10_000;
/** Properties of one attachment; Outlook writes about 30. */
const MAX_PROPERTIES = 2_000;
/** Bytes of a name: 255 characters of UTF-16 and much to spare. */
const MAX_NAME_BYTES = 4_096;
/** Zeros or a line end that some gateways leave behind the last attribute. */
const MAX_PADDING_BYTES = 16;

interface Found {
  title?: string | undefined;
  fileName?: string | undefined;
  longName?: string | undefined;
  mimeTag?: string | undefined;
  method?: number | undefined;
  data?: { start: number; bytes: number; sum: number | undefined };
  object?: { start: number; bytes: number };
}

/**
 * Finds the attachments.
 * @param name of the file, for failures.
 * @throws `file-corrupt` when it is cut off or contradicts itself, `mail-too-complex` above a limit
 */
export async function readTnef(source: ByteSource, name: string): Promise<readonly TnefAttachment[]> {
  const corrupt = (reason: string) => failure("file-corrupt", { name, reason });
  const cutOff = () => corrupt("it ends in the middle of it");
  const read = async (at: number, bytes: number): Promise<Buffer> => {
    if (at + bytes > source.size) throw cutOff();
    return Buffer.from(await readAll(source, at, bytes, Math.max(bytes, MAX_NAME_BYTES)));
  };
  if ((await read(0, 6)).readUInt32LE(0) !== SIGNATURE) throw corrupt("it does not begin as it should");
  const attachments: Found[] = [];
  let codepage = 1252;
  let count = 0;
  for (let at = 6; at < source.size; ) {
    if (source.size - at <= MAX_PADDING_BYTES && (await isPadding(source, at))) break;
    count += 1;
    if (count > MAX_ATTRIBUTES) throw tooComplex("attributes", MAX_ATTRIBUTES);
    const header = await read(at, HEADER_BYTES);
    const level = header[0]!;
    if (level !== LEVEL_MESSAGE && level !== LEVEL_ATTACHMENT) throw corrupt("one of its attributes is damaged");
    const id = header.readUInt32LE(1);
    const bytes = header.readUInt32LE(5);
    const start = at + HEADER_BYTES;
    at = start + bytes + SUM_BYTES;
    if (at > source.size) throw cutOff();
    if (id === ATT_OEM_CODEPAGE && bytes >= 4) codepage = (await read(start, 4)).readUInt32LE(0);
    if (level !== LEVEL_ATTACHMENT) continue;
    if (id === ATT_ATTACH_REND_DATA) attachments.push({});
    const current = attachments.at(-1);
    if (!current) throw corrupt("one of its attachments has no beginning");
    if (id === ATT_ATTACH_TITLE && bytes <= MAX_NAME_BYTES)
      current.title = textOf(await read(start, bytes), TYPE_STRING8, codepage);
    else if (id === ATT_ATTACH_DATA)
      current.data = { start, bytes, sum: (await read(start + bytes, SUM_BYTES)).readUInt16LE(0) };
    else if (id === ATT_ATTACHMENT) await readProperties(source, start, bytes, current, codepage, name);
  }
  return attachments.map((found) => asAttachment(found, source, name));
}

const tooComplex = (what: string, limit: number) =>
  failure("mail-too-complex", { what: `${what} in a winmail.dat`, count: limit + 1, limit });

async function isPadding(source: ByteSource, at: number): Promise<boolean> {
  const rest = await readAll(source, at, source.size - at, MAX_PADDING_BYTES);
  return rest.every((byte) => byte === 0 || byte === 0x0d || byte === 0x0a);
}

function asAttachment(found: Found, source: ByteSource, name: string): TnefAttachment {
  const isMessage = found.method === METHOD_EMBEDDED_MESSAGE && found.object !== undefined;
  const skip = isMessage ? INTERFACE_ID_BYTES : 0;
  const place = isMessage || !found.data ? found.object : found.data;
  const start = (place?.start ?? 0) + skip;
  const bytes = Math.max(0, (place?.bytes ?? 0) - skip);
  const sum = place === found.data ? found.data?.sum : undefined;
  const given = found.longName || found.title || found.fileName || undefined;
  return {
    name: given,
    contentType: found.mimeTag?.toLowerCase(),
    isMessage,
    source: windowOf(source, start, bytes),
    open: () => summed(exactBlocks(source, start, bytes), sum, given ?? name),
  };
}

async function* summed(blocks: ByteStream, expected: number | undefined, name: string): ByteStream {
  let sum = 0;
  for await (const block of blocks) {
    for (let i = 0; i < block.byteLength; i += 1) sum += block[i]!;
    sum %= 0x1_0000;
    yield block;
  }
  if (expected !== undefined && sum !== expected) {
    throw failure("file-corrupt", { name, reason: "its checksum is wrong" });
  }
}

/** The properties of one attachment (MS-OXTNEF 2.1.3.4); values that are not wanted are skipped, not read. */
async function readProperties(
  source: ByteSource,
  start: number,
  bytes: number,
  found: Found,
  codepage: number,
  name: string,
): Promise<void> {
  const end = start + bytes;
  const corrupt = () => failure("file-corrupt", { name, reason: "the properties of an attachment are damaged" });
  let at = start;
  const take = async (length: number): Promise<Buffer> => {
    if (at + length > end) throw corrupt();
    const from = at;
    at += length;
    return Buffer.from(await readAll(source, from, length, MAX_NAME_BYTES + 8));
  };
  const number = async () => (await take(4)).readUInt32LE(0);
  const skip = (length: number) => {
    at += Math.ceil(length / 4) * 4;
    if (at > end + 3) throw corrupt();
  };
  const count = await number();
  if (count > MAX_PROPERTIES) throw tooComplex("properties", MAX_PROPERTIES);
  for (let i = 0; i < count; i += 1) {
    const tag = await take(4);
    const type = tag.readUInt16LE(0);
    const id = tag.readUInt16LE(2);
    if (id >= 0x8000) {
      // A named property: the set it is of, then its number or its name.
      await take(16);
      if ((await number()) === 0) await take(4);
      else skip(await number());
    }
    const single = type & ~MULTIPLE;
    const fixed = FIXED[single];
    const isMany = (type & MULTIPLE) !== 0;
    if (fixed !== undefined) {
      const values = isMany ? await number() : 1;
      if (id === PID_ATTACH_METHOD && !isMany && fixed === 4) found.method = await number();
      else skip(fixed * values);
      continue;
    }
    if (![TYPE_STRING8, TYPE_UNICODE, TYPE_OBJECT, TYPE_BINARY].includes(single)) throw corrupt();
    const values = await number();
    if (values > MAX_PROPERTIES) throw tooComplex("values", MAX_PROPERTIES);
    for (let v = 0; v < values; v += 1) {
      const length = await number();
      if (at + length > end) throw corrupt();
      if (v === 0 && !isMany) await takeValue(id, single, at, length);
      skip(length);
    }
  }

  async function takeValue(id: number, type: number, from: number, length: number): Promise<void> {
    if (id === PID_ATTACH_DATA) found.object = { start: from, bytes: length };
    if (length > MAX_NAME_BYTES || (type !== TYPE_STRING8 && type !== TYPE_UNICODE)) return;
    if (id !== PID_ATTACH_LONG_FILENAME && id !== PID_ATTACH_FILENAME && id !== PID_ATTACH_MIME_TAG) return;
    const text = textOf(Buffer.from(await readAll(source, from, length, MAX_NAME_BYTES)), type, codepage);
    if (id === PID_ATTACH_LONG_FILENAME) found.longName = text;
    else if (id === PID_ATTACH_FILENAME) found.fileName = text;
    else found.mimeTag = text;
  }
}

function textOf(bytes: Buffer, type: number, codepage: number): string {
  const text = type === TYPE_UNICODE ? bytes.toString("utf16le") : decoderOf(codepage).decode(bytes);
  const end = text.indexOf("\0");
  return end === -1 ? text : text.slice(0, end);
}

/** Windows code pages by their number; what no decoder knows is read as Windows-1252, as Outlook in Western Europe writes. */
function decoderOf(codepage: number): TextDecoder {
  const label = codepage === 65_001 ? "utf-8" : (CODEPAGES[codepage] ?? `windows-${codepage}`);
  try {
    return new TextDecoder(label);
  } catch (thrown) {
    if (thrown instanceof RangeError) return new TextDecoder("windows-1252");
    throw thrown;
  }
}

const CODEPAGES: Readonly<Record<number, string | undefined>> = {
  932: "shift_jis",
  936: "gb18030",
  949: "euc-kr",
  950: "big5",
  20127: "utf-8",
};
