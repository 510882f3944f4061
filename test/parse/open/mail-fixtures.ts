/** Hand-made winmail.dat and S/MIME wrappings. */
import { Buffer } from "node:buffer";

export interface TnefAttachmentSpec {
  /** In a MAPI property, as Outlook writes it. */
  readonly longName?: string;
  /** In the old attribute: 8 bits, in the message's code page. */
  readonly title?: Uint8Array | string;
  readonly mimeTag?: string;
  readonly data?: Uint8Array | string;
  /** A whole TNEF: an attached message. */
  readonly message?: Uint8Array;
  /** In place of the true sum. */
  readonly sum?: number;
  /** The long name as 8-bit text. */
  readonly isNarrow?: boolean;
}

export interface TnefSpec {
  readonly attachments: readonly TnefAttachmentSpec[];
  readonly codepage?: number;
  readonly padding?: Uint8Array;
}

const u16 = (value: number) => {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
};
const u32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const padded = (bytes: Uint8Array) => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.byteLength % 4)) % 4)]);

export const tnefAttribute = (level: number, id: number, data: Uint8Array, sum?: number): Buffer =>
  Buffer.concat([
    Buffer.from([level]),
    u32(id),
    u32(data.byteLength),
    data,
    u16(sum ?? data.reduce((total, byte) => (total + byte) % 65_536, 0)),
  ]);

const variable = (type: number, id: number, data: Uint8Array) =>
  Buffer.concat([u16(type), u16(id), u32(1), u32(data.byteLength), padded(data)]);

function properties(spec: TnefAttachmentSpec): Buffer {
  const name = spec.longName;
  const list: Buffer[] = [
    // A flag, a time and two named properties, to be passed over.
    Buffer.concat([u16(11), u16(0x7ffe), u32(1)]),
    Buffer.concat([u16(64), u16(0x3007), Buffer.alloc(8, 1)]),
    Buffer.concat([u16(3), u16(0x8001), Buffer.alloc(16, 2), u32(0), u32(0x8501), u32(7)]),
    Buffer.concat([
      u16(3),
      u16(0x8002),
      Buffer.alloc(16, 2),
      u32(1),
      u32(6),
      padded(Buffer.from("ab\0", "utf16le")),
      u32(7),
    ]),
    Buffer.concat([u16(0x1003), u16(0x6001), u32(2), u32(1), u32(2)]),
    Buffer.concat([u16(3), u16(0x3705), u32(spec.message ? 5 : 1)]),
  ];
  if (name !== undefined) {
    list.push(
      spec.isNarrow
        ? variable(0x1e, 0x3707, Buffer.from(`${name}\0`, "latin1"))
        : variable(0x1f, 0x3707, Buffer.from(`${name}\0`, "utf16le")),
    );
  }
  if (spec.mimeTag !== undefined) list.push(variable(0x1e, 0x370e, Buffer.from(`${spec.mimeTag}\0`)));
  if (spec.message) list.push(variable(0x0d, 0x3701, Buffer.concat([Buffer.alloc(16, 9), spec.message])));
  return Buffer.concat([u32(list.length), ...list]);
}

export function buildTnef(spec: TnefSpec): Buffer {
  const attributes = [
    tnefAttribute(1, 0x00089006, u32(0x0001_0000)),
    tnefAttribute(1, 0x00069007, Buffer.concat([u32(spec.codepage ?? 1252), u32(0)])),
    tnefAttribute(1, 0x00078008, Buffer.from("IPM.Microsoft Mail.Note\0")),
    tnefAttribute(1, 0x0002800c, Buffer.from("The message's own text\0")),
  ];
  for (const attachment of spec.attachments) {
    attributes.push(tnefAttribute(2, 0x00069002, Buffer.alloc(14)));
    if (attachment.title !== undefined) {
      const title = typeof attachment.title === "string" ? Buffer.from(`${attachment.title}\0`) : attachment.title;
      attributes.push(tnefAttribute(2, 0x00018010, title));
    }
    if (attachment.data !== undefined)
      attributes.push(tnefAttribute(2, 0x0006800f, Buffer.from(attachment.data), attachment.sum));
    attributes.push(tnefAttribute(2, 0x00069005, properties(attachment)));
  }
  return Buffer.concat([u32(0x223e9f78), u16(1), ...attributes, spec.padding ?? new Uint8Array()]);
}

/** An element of DER. */
export function der(tag: number, ...inside: Uint8Array[]): Buffer {
  const content = Buffer.concat(inside);
  const length = content.length;
  const size =
    length < 128
      ? [length]
      : length < 65_536
        ? [0x82, length >> 8, length & 255]
        : [0x83, length >> 16, (length >> 8) & 255, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

/** An element of BER without a length, with an end mark. */
export const openEnded = (tag: number, ...inside: Uint8Array[]): Buffer =>
  Buffer.concat([Buffer.from([tag, 0x80]), ...inside, Buffer.from([0, 0])]);

const SIGNED_DATA = Buffer.from("2a864886f70d010702", "hex");
const DATA = Buffer.from("2a864886f70d010701", "hex");

/** `application/pkcs7-mime; smime-type=signed-data` around a content; in pieces of open end as streaming writers do. */
export function buildSigned(content: Uint8Array | undefined, pieceBytes?: number): Buffer {
  const version = der(0x02, Buffer.from([1]));
  const digests = der(0x31, der(0x30, der(0x06, Buffer.from("608648016503040201", "hex"))));
  const signers = der(0x31, der(0x30, version));
  if (pieceBytes === undefined || !content) {
    const wrapped = content ? [der(0xa0, der(0x04, content))] : [];
    const inner = der(0x30, der(0x06, DATA), ...wrapped);
    return der(0x30, der(0x06, SIGNED_DATA), der(0xa0, der(0x30, version, digests, inner, signers)));
  }
  const pieces: Buffer[] = [];
  for (let at = 0; at < content.byteLength; at += pieceBytes)
    pieces.push(der(0x04, content.subarray(at, at + pieceBytes)));
  const inner = openEnded(0x30, der(0x06, DATA), openEnded(0xa0, openEnded(0x24, ...pieces)));
  return openEnded(0x30, der(0x06, SIGNED_DATA), openEnded(0xa0, openEnded(0x30, version, digests, inner, signers)));
}
