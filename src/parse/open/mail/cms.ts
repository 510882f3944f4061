/**
 * S/MIME mails whose content is wrapped in its signature (`application/pkcs7-mime; smime-type=signed-data`, RFC 8551 3.5.2):
 * finds the content inside. The signature is not checked: who sent a delivery is proven at the door, not here.
 */
import { failure } from "../../../domain/failures.ts";
import { type ByteSource, exactBlocks, readAll } from "../source.ts";

const SEQUENCE = 0x30;
const SET = 0x31;
const OBJECT_ID = 0x06;
const INTEGER = 0x02;
const OCTETS = 0x04;
const OCTETS_IN_PIECES = 0x24;
const TAG_0 = 0xa0;
/** Pieces of the content. Writers that stream make one of each 1 to 8 KiB; a mail of 25 MiB has room for these. */
const MAX_PIECES = 65_536;
/** Pieces inside pieces. */
const MAX_DEPTH = 8;
const MAX_HEADER_BYTES = 6;

interface Element {
  readonly tag: number;
  readonly start: number;
  /** Undefined where only an end mark tells (BER's indefinite length). */
  readonly end: number | undefined;
}

interface Piece {
  readonly start: number;
  readonly bytes: number;
}

/**
 * The signed content as a source.
 * @throws `file-corrupt` when the wrapping cannot be followed; `file-wrapped` when there is only a signature inside
 */
export async function signedContent(source: ByteSource, name: string): Promise<ByteSource> {
  const corrupt = () => failure("file-corrupt", { name, reason: "its S/MIME wrapping is damaged or cut off" });

  const element = async (at: number): Promise<Element> => {
    if (at + 2 > source.size) throw corrupt();
    const head = await readAll(source, at, Math.min(MAX_HEADER_BYTES, source.size - at), MAX_HEADER_BYTES);
    const tag = head[0]!;
    const first = head[1]!;
    // Tags above 30 and lengths above 4 bytes are in no mail.
    if ((tag & 0x1f) === 0x1f) throw corrupt();
    if (first === 0x80) return { tag, start: at + 2, end: undefined };
    if (first < 0x80) return within({ tag, start: at + 2, end: at + 2 + first });
    const width = first - 0x80;
    if (width > 4 || head.length < 2 + width) throw corrupt();
    let length = 0;
    for (let i = 0; i < width; i += 1) length = length * 256 + head[2 + i]!;
    return within({ tag, start: at + 2 + width, end: at + 2 + width + length });
  };
  const within = (found: Element): Element => {
    if (found.end === undefined || found.end > source.size) throw corrupt();
    return found;
  };
  const expect = async (at: number, tag: number): Promise<Element> => {
    const found = await element(at);
    if (found.tag !== tag) throw corrupt();
    return found;
  };
  const behind = (found: Element): number => {
    if (found.end === undefined) throw corrupt();
    return found.end;
  };

  const pieces: Piece[] = [];
  /** Gathers the primitive strings of an element; returns where it ends. */
  const gather = async (found: Element, depth: number): Promise<number> => {
    if (found.tag === OCTETS) {
      const end = behind(found);
      if (pieces.length >= MAX_PIECES) throw corrupt();
      pieces.push({ start: found.start, bytes: end - found.start });
      return end;
    }
    if (found.tag !== OCTETS_IN_PIECES || depth > MAX_DEPTH) throw corrupt();
    let at = found.start;
    while (found.end === undefined || at < found.end) {
      const inner = await element(at);
      if (found.end === undefined && inner.tag === 0 && inner.end === inner.start) return inner.start;
      at = await gather(inner, depth + 1);
    }
    return at;
  };

  const info = await expect(0, SEQUENCE);
  const signed = await expect((await expect(behind(await expect(info.start, OBJECT_ID)), TAG_0)).start, SEQUENCE);
  const digests = await expect(behind(await expect(signed.start, INTEGER)), SET);
  const content = await expect(behind(digests), SEQUENCE);
  const wrapped = behind(await expect(content.start, OBJECT_ID));
  const hasContent = (content.end === undefined || wrapped < content.end) && (await element(wrapped)).tag === TAG_0;
  if (!hasContent) {
    throw failure("file-wrapped", {
      name,
      wrapping: "an S/MIME signature without its content",
      instead: "unsigned, or with the signature as an attachment of its own",
    });
  }
  await gather(await element((await element(wrapped)).start), 0);
  return piecesSource(source, pieces);
}

/** Ranges of a source, one after the other, as a source. */
function piecesSource(source: ByteSource, pieces: readonly Piece[]): ByteSource {
  const size = pieces.reduce((sum, piece) => sum + piece.bytes, 0);
  return {
    size,
    async *blocks(offset, length) {
      const end = Math.min(offset + length, size);
      let at = 0;
      for (const piece of pieces) {
        const from = Math.max(offset, at);
        const to = Math.min(end, at + piece.bytes);
        if (from < to) yield* exactBlocks(source, piece.start + from - at, to - from);
        at += piece.bytes;
        if (at >= end) return;
      }
    },
  };
}
