/** What is written for each byte of a text, and which bytes are to be looked at: where a text may be damaged. */
import { isPlain, jsonBody } from "./cell.ts";
import { type Charset, decoderFor } from "./charsets.ts";

/** In the place of a code: the byte takes a look. */
const LOOK = -1;
const QUESTION_MARK = 0x3f;
const FIRST_LETTER = 0x41;

/** Characters with which a text that was read in a wrong charset begins to be wrong: see `mojibake.ts`. */
const LEADS = "ÂÃÄÅÎÏÐÑĂĹâïð├";

/**
 * Whether four bytes are ASCII that stands for itself in a JSON string and takes no look: no control, no 7F, no quotation
 * mark, no backslash, no question mark. What `TextCodes` says of each, for four at once.
 */
export function isPlainWord(word: number): boolean {
  // The highest bit of each byte; none carries into the next where all are ASCII.
  const isAscii = ~(word | (word + 0x01010101));
  const isPrintable = word + 0x60606060;
  const isNoMark = (word ^ 0x22222222) + 0x7f7f7f7f;
  const isNoBackslash = (word ^ 0x5c5c5c5c) + 0x7f7f7f7f;
  const isNoQuestion = (word ^ 0x3f3f3f3f) + 0x7f7f7f7f;
  return (isAscii & isPrintable & isNoMark & isNoBackslash & isNoQuestion & 0x80808080) === (0x80808080 | 0);
}

export class TextCodes {
  /**
   * For each byte what is written for it in a JSON string: UTF-8, its first byte lowest; negative where it takes a look. In
   * UTF-8 the bytes of longer characters stand for themselves.
   */
  readonly codes = new Int32Array(256);
  /** The same for bytes that pass when they are looked at. */
  readonly #passed = new Int32Array(256);
  readonly #isUnicode: boolean;

  constructor(charset: Charset) {
    this.#isUnicode = charset === "utf-8";
    const decoder = decoderFor(charset);
    const encoder = new TextEncoder();
    for (let byte = 0; byte < 256; byte++) {
      const isPart = this.#isUnicode && byte >= 0x80;
      const text = isPart ? "" : decoder.decode(Uint8Array.of(byte));
      const isQuoted = text === '"' || text === "\\";
      let code = LOOK;
      if (isPart) code = byte;
      else if (text !== undefined && (isQuoted || isPlain(text))) {
        code = encoder.encode(jsonBody(text)).reduceRight((sum, part) => (sum << 8) | part, 0);
      }
      this.#passed[byte] = code;
      const isSuspect = isPart ? SECOND_LEADS.has(byte) : byte === QUESTION_MARK || LEADS.includes(text ?? LEADS);
      this.codes[byte] = isSuspect ? LOOK : code;
    }
  }

  /** What is written for a byte whose code is negative; negative: nothing at a glance, the text must be read as one. */
  look(bytes: Uint8Array, from: number, at: number, to: number): number {
    const byte = bytes[at]!;
    const passes =
      byte === QUESTION_MARK
        ? at + 1 === to || (bytes[at + 1]! < FIRST_LETTER && bytes[at + 1] !== QUESTION_MARK)
        : this.#isUnicode
          ? passesAsUnicode(bytes, from, at)
          : at + 1 === to || bytes[at + 1]! < 0x80;
    return passes ? this.#passed[byte]! : LOOK;
  }
}

/**
 * First bytes of the UTF-8 characters with which a lead goes on to be wrong, of U+FFFD, and of ├: so a text of usual letters
 * is not looked at. A C2 leads the C1 controls too, and then what Latin-1 has.
 */
const SECOND_LEADS: ReadonlySet<number> = new Set([0xc2, 0xc4, 0xc5, 0xc6, 0xcb, 0xe2, 0xef]);

function passesAsUnicode(bytes: Uint8Array, from: number, at: number): boolean {
  const byte = bytes[at]!;
  const second = bytes[at + 1]!;
  if (byte === 0xc2 && second < 0xa0) return false;
  if (byte === 0xef && second === 0xbf && bytes[at + 2] === 0xbd) return false;
  if (byte === 0xe2 && second === 0x94 && bytes[at + 2] === 0x9c) return false;
  return at - from < 2 || !isLead(bytes[at - 2]!, bytes[at - 1]!);
}

/** Whether two bytes are one of LEADS, or as good as. */
const isLead = (first: number, second: number): boolean =>
  first === 0xc3
    ? second <= 0x91 || second === 0xa2 || second === 0xaf || second === 0xb0
    : first === 0xc4 && (second === 0x82 || second === 0xb9);
