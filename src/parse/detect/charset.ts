/**
 * The charset of a file, by evidence of falling strength: a byte order mark, NULs in every other byte, well-formed UTF-8,
 * escape sequences, the rules of East Asian charsets, and at last what makes words of the bytes. Charsets that read the
 * sample alike are no question; where texts differ and none is clearly likelier, it is undecided.
 */
import { Buffer } from "node:buffer";
import { failure, shown } from "../../domain/failures.ts";
import { CHARSETS } from "../../domain/format.ts";
import { BYTE_ORDER_MARKS, decoderFor } from "../table/charsets.ts";
import { accentsOf, dividingByte, utf8Sequences } from "./accents.ts";
import { accentedWords, type CharsetScore, scoreCharsets, withCommaBelow } from "./charset-score.ts";
import { decodeWhole, upperHalf } from "./decoders.ts";
import { COMMON_SHARE, ENOUGH_CHARS, scoreMultiByte } from "./multibyte.ts";
import type { Undecided } from "./profile.ts";
import { type Sample, tailLines, wholeLines } from "./sample.ts";

export interface CharsetFinding {
  readonly charset: string;
  /** Whether the file begins with a byte order mark. */
  readonly bom: boolean;
  /** Others that read every byte of the sample alike. */
  readonly alike: readonly string[];
  readonly evidence: string;
  readonly undecided: readonly Undecided[];
  /** Text of the head, cut at its last line end unless it is the whole file; without the mark. */
  readonly text: string;
  /** Text of the tail from its first line end on; empty where the head is the whole file. */
  readonly tail: string;
}

/** Bits by which a charset must be likelier than the next that reads the words otherwise. */
const CLEARLY_BITS = 10;
/** How much more a charset's rarity counts among charsets that read alike: the text is the same, the usual name is better. */
const USUAL_BITS = 8;
/** Rivals that a question names. */
const RIVALS_SHOWN = 3;
/** Readings further behind are of charsets that no one uses for the language. */
const SPELLING_BITS = 200;
/** Bits per character from which on a reading is doubtful. */
const WEAK_BITS = 9.5;
/** Bits per character above which a text has no words in it. Real texts stay around 7. */
const SENSELESS_BITS = 13.5;
/** Share of control characters above which bytes are no text. */
const CONTROL_SHARE = 0.02;

/**
 * Throws `file-empty`, `file-unsupported` (no text), `nul-bytes`, `charset-unsupported` (UTF-32, ISO-2022-CN/KR),
 * `charset-unknown` and `wrong-charset` (UTF-8 with damaged characters). `known`: the charset that somebody answered.
 */
export function detectCharset(sample: Sample, known?: string): CharsetFinding {
  const { head, size } = sample;
  if (size === 0) throw failure("file-empty", {});
  if (known !== undefined) return answered(sample, known);
  const marked = byMark(sample);
  if (marked) return marked;
  if (head.includes(0)) return wideOrBinary(sample);
  const bytes = concat([wholeLines(sample, 1), sample.accented, tailLines(sample, 1)]);
  const accents = accentsOf(bytes);
  const escaped = accents.length === 0 ? byEscapes(sample, bytes) : undefined;
  if (escaped) return escaped;
  refuseBinary(head);
  if (accents.length === 0) {
    const seen = head.length === size ? "All" : "In the sample all";
    return found(sample, "utf-8", false, `${seen} ${bytes.length} bytes are ASCII, which is UTF-8 too.`);
  }
  const utf8 = byUtf8(sample, bytes, accents);
  if (utf8) return utf8;
  return byWords(sample, bytes, accents);
}

function found(
  sample: Sample,
  charset: string,
  bom: boolean,
  evidence: string,
  more: { alike?: readonly string[]; undecided?: readonly Undecided[] } = {},
): CharsetFinding {
  const wide = charset === "utf-16le" || charset === "utf-16be" ? 2 : 1;
  const little = charset !== "utf-16be";
  const text = decodeWhole(wholeLines(sample, wide, little), charset);
  // A tail whose start lies inside a character is of no use; the reader sees the end of the file itself.
  const tail = decodeWhole(tailLines(sample, wide, little), charset) ?? "";
  if (text === undefined) throw damaged(sample.head, charset);
  if (/\0/.test(text)) throw failure("nul-bytes", { line: lineOf(text, text.indexOf("\0")) });
  return {
    charset,
    bom,
    alike: more.alike ?? [],
    evidence,
    undecided: more.undecided ?? [],
    text: text.startsWith("\ufeff") ? text.slice(1) : text,
    tail,
  };
}

/** Not by evidence, but by what somebody said; bytes that the charset has not still refuse it. */
function answered(sample: Sample, charset: string): CharsetFinding {
  if (!isCharset(charset)) throw failure("charset-unsupported", { charset });
  const mark = BYTE_ORDER_MARKS.find((m) => m.charset === charset)?.bytes;
  const bom = mark?.every((byte, i) => sample.head[i] === byte) ?? false;
  return found(sample, charset, bom, `It was answered that the file is ${charset}.`);
}

const isCharset = (name: string): name is (typeof CHARSETS)[number] => CHARSETS.some((charset) => charset === name);

function damaged(bytes: Uint8Array, charset: string): Error {
  let offset = 0;
  if (charset === "utf-8" || charset === "utf-16le" || charset === "utf-16be") {
    offset = Math.max(0, decoderFor(charset).fault(bytes));
  }
  let line = 1;
  for (let at = bytes.indexOf(0x0a); at !== -1 && at < offset; at = bytes.indexOf(0x0a, at + 1)) line++;
  return failure("wrong-charset", { charset, offset, line });
}

const lineOf = (text: string, at: number): number => text.slice(0, at).split(/\r\n|\r|\n/).length;

function byMark(sample: Sample): CharsetFinding | undefined {
  const { head } = sample;
  const begins = (...bytes: number[]): boolean => bytes.every((byte, i) => head[i] === byte);
  if (begins(0x00, 0x00, 0xfe, 0xff)) throw failure("charset-unsupported", { charset: "UTF-32BE" });
  if (begins(0xff, 0xfe, 0x00, 0x00)) throw failure("charset-unsupported", { charset: "UTF-32LE" });
  if (begins(0x2b, 0x2f, 0x76, 0x38)) throw failure("charset-unsupported", { charset: "UTF-7" });
  const mark = (charset: string) =>
    found(sample, charset, true, `The file begins with the byte order mark of ${charset}.`);
  if (begins(0xef, 0xbb, 0xbf)) return mark("utf-8");
  const wide = begins(0xff, 0xfe) ? "utf-16le" : begins(0xfe, 0xff) ? "utf-16be" : undefined;
  if (wide === undefined) return undefined;
  const readsAs = otherThanMarked(head, wide);
  if (readsAs !== undefined) throw failure("wrong-charset", { charset: wide, offset: 0, line: 1, readsAs });
  return mark(wide);
}

/**
 * What text with a mark of UTF-16 really is, where its bytes contradict the mark: read by it, Latin text in the other order
 * of bytes, or in single bytes, would be well-formed Chinese. Line ends, blanks and digits have a zero byte in any language.
 */
function otherThanMarked(head: Uint8Array, marked: "utf-16le" | "utf-16be"): string | undefined {
  let even = 0;
  let odd = 0;
  let ascii = 0;
  for (let at = 2; at < head.length; at++) {
    const byte = head[at]!;
    if (byte === 0) at % 2 === 0 ? even++ : odd++;
    else if (byte < 0x80) ascii++;
  }
  const [fitting, other] = marked === "utf-16le" ? [odd, even] : [even, odd];
  if (other > 4 * fitting) return marked === "utf-16le" ? "utf-16be" : "utf-16le";
  return fitting + other === 0 && ascii > 0.9 * (head.length - 2) ? "utf-8" : undefined;
}

/** A head with NULs: units of two or four bytes, or no text. */
function wideOrBinary(sample: Sample): CharsetFinding {
  const { head } = sample;
  const zeros = [0, 0, 0, 0];
  for (let at = 0; at < head.length; at++) if (head[at] === 0) zeros[at & 3]!++;
  const total = zeros.reduce((a, b) => a + b, 0);
  const quarter = head.length / 4;
  if (head.length >= 8 && head.length % 4 === 0) {
    if (zeros[0]! > 0.9 * quarter && zeros[1]! > 0.9 * quarter && zeros[3]! < 0.1 * quarter)
      throw failure("charset-unsupported", { charset: "UTF-32BE" });
    if (zeros[3]! > 0.9 * quarter && zeros[2]! > 0.9 * quarter && zeros[0]! < 0.1 * quarter)
      throw failure("charset-unsupported", { charset: "UTF-32LE" });
  }
  const even = zeros[0]! + zeros[2]!;
  const odd = zeros[1]! + zeros[3]!;
  if (
    !isTextWithNuls(head, total) &&
    sample.size % 2 === 0 &&
    total >= 0.02 * head.length &&
    4 * Math.min(even, odd) <= Math.max(even, odd)
  ) {
    const charset = odd > even ? "utf-16le" : "utf-16be";
    const side = odd > even ? "second" : "first";
    const text = decodeWhole(wholeLines(sample, 2, charset === "utf-16le"), charset);
    if (text !== undefined && !hasControls(text)) {
      const evidence = `No byte order mark, but ${total} bytes are zero, most of them the ${side} of their pair, and the text is well-formed ${charset}.`;
      return found(sample, charset, false, evidence);
    }
  }
  if (!isTextWithNuls(head, total)) refuseBinary(head);
  const line = head.subarray(0, head.indexOf(0)).reduce((count, byte) => count + (byte === 0x0a ? 1 : 0), 1);
  throw failure("nul-bytes", { line });
}

/** ASCII text into which NULs have strayed: in units of 16 bits either half of the bytes are NUL, or many are no ASCII. */
function isTextWithNuls(head: Uint8Array, nuls: number): boolean {
  let printable = 0;
  for (const byte of head) if ((byte >= 0x20 && byte < 0x7f) || (byte >= 9 && byte <= 13)) printable++;
  return nuls < 0.3 * head.length && printable >= 0.9 * (head.length - nuls);
}

/** Beside white space, files divide cells and records by 01 to 03 and 1A to 1F. */
const hasControls = (text: string): boolean => /[\u0004-\u0008\u000e-\u0019\u007f-\u009f\ufffe\uffff]/.test(text);

/** Bytes that files use to divide cells and records (01 to 03, 1A to 1F) and white space are no sign of a binary file. */
function refuseBinary(head: Uint8Array): void {
  const text = Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString("latin1");
  const controls = text.match(/[\u0000\u0004-\u0008\u000e-\u0019\u007f]/g)?.length ?? 0;
  if (controls <= head.length * CONTROL_SHARE) return;
  throw failure("file-unsupported", { found: "not text", expected: "a delimited text file (CSV)" });
}

const ESC = 0x1b;

function byEscapes(sample: Sample, bytes: Uint8Array): CharsetFinding | undefined {
  const at = bytes.indexOf(ESC);
  if (at === -1) return undefined;
  const start = Buffer.from(bytes.subarray(at)).toString("latin1");
  if (/\u001b\$\)[AGE]/.test(start)) throw failure("charset-unsupported", { charset: "ISO-2022-CN" });
  if (/\u001b\$\)C/.test(start)) throw failure("charset-unsupported", { charset: "ISO-2022-KR" });
  const switches = start.match(/\u001b(?:\$[@B]|\([BJI])/g)?.length ?? 0;
  if (switches === 0 || decodeWhole(bytes, "iso-2022-jp") === undefined) return undefined;
  return found(sample, "iso-2022-jp", false, `${switches} escape sequences of ISO-2022-JP, and no byte beyond ASCII.`);
}

function byUtf8(sample: Sample, bytes: Uint8Array, accents: readonly number[]): CharsetFinding | undefined {
  const head = wholeLines(sample, 1);
  if (decodeWhole(head, "utf-8") !== undefined && decodeWhole(bytes, "utf-8") !== undefined) {
    const chars = accents.filter((at) => bytes[at]! >= 0xc0).length;
    return found(
      sample,
      "utf-8",
      false,
      `All ${chars} characters beyond ASCII (${accents.length} bytes) are well-formed UTF-8.`,
    );
  }
  const { good, bad } = utf8Sequences(bytes, accents);
  if (good >= 3 && good >= 4 * bad) throw damaged(sample.head, "utf-8");
  return undefined;
}

function byWords(sample: Sample, bytes: Uint8Array, accents: readonly number[]): CharsetFinding {
  const words = accentedWords(bytes, accents);
  const scores = scoreCharsets(words);
  const dividing = dividingByte(bytes);
  const best = likeliest(dividing === undefined ? scores : readAsSign(scores, dividing));
  const isWeak = dividing === undefined && (best === undefined || best.bitsEach > WEAK_BITS);
  const wide = isWeak ? scoreMultiByte(bytes)[0] : undefined;
  if (wide && wide.chars >= ENOUGH_CHARS && wide.common >= COMMON_SHARE) {
    const percent = Math.round(wide.common * 100);
    const evidence = `All ${wide.chars} characters beyond ASCII are well-formed ${wide.charset}, ${percent} % of them in daily use.`;
    return found(sample, wide.charset, false, evidence);
  }
  if (best === undefined || (dividing === undefined && best.bitsEach > SENSELESS_BITS)) throw senseless(bytes);
  const alike = scores.filter((s) => s !== best && readsAlike(s, best)).map((s) => s.charset as string);
  if (best.charset === "windows-1252" && accents.every((at) => bytes[at]! >= 0xa0)) alike.unshift("iso-8859-1");
  const examples = [...new Set(best.words)].slice(0, 3).map((word) => shown(word, 30));
  const evidence =
    `${words.length} different words with characters beyond ASCII read as ${best.charset}, e.g. ${examples.join(", ")}` +
    `${alike.length === 0 ? "" : `; ${alike.join(", ")} read${alike.length === 1 ? "s" : ""} them alike`}.`;
  // Where even the best reading has few words in it, others that are nearly as good stay in question.
  const near = best.bitsEach > WEAK_BITS ? Math.max(CLEARLY_BITS, 0.5 * best.bits) : CLEARLY_BITS;
  const rivals = scores.filter((s) => !readsAlike(s, best) && (s.bits - best.bits < near || isSpelling(s, best)));
  rivals.sort((a, b) => Number(isSpelling(b, best)) - Number(isSpelling(a, best)));
  const undecided: Undecided[] = rivals.length === 0 ? [] : [rivalry(best, rivals)];
  return found(sample, best.charset, false, evidence, { alike, undecided });
}

/** Signs that are used as delimiters. */
const DIVIDING_SIGNS = "¦§¬¤";

/** The scores with those first that read the byte as a sign that divides cells, where there are such. */
function readAsSign(scores: readonly CharsetScore[], byte: number): readonly CharsetScore[] {
  const isSign = ({ charset }: CharsetScore): boolean =>
    DIVIDING_SIGNS.includes(upperHalf(charset)[byte - 0x80] ?? "\0");
  return [...scores.filter(isSign), ...scores.filter((score) => !isSign(score))];
}

/** The first; but a charset that reads every word alike and is more usual goes before it. */
function likeliest(scores: readonly CharsetScore[]): CharsetScore | undefined {
  const first = scores[0];
  if (first === undefined) return undefined;
  const worth = (s: CharsetScore) => s.bits + USUAL_BITS * s.rarity;
  return scores.filter((s) => readsAlike(s, first)).reduce((a, b) => (worth(b) < worth(a) ? b : a));
}

/** Whether two readings differ in cedilla and comma below only: no word can tell which was meant. */
const isSpelling = (a: CharsetScore, b: CharsetScore): boolean =>
  a.bits - b.bits < SPELLING_BITS &&
  a.words.every((word, i) => withCommaBelow(word) === withCommaBelow(b.words[i] ?? ""));

const readsAlike = (a: CharsetScore, b: CharsetScore): boolean => a.words.every((word, i) => word === b.words[i]);

function rivalry(best: CharsetScore, rivals: readonly CharsetScore[]): Undecided {
  const example = (score: CharsetScore, like: CharsetScore): string => {
    const at = score.words.findIndex((word, i) => word !== like.words[i]);
    return `${score.charset} reads ${shown(score.words[at] ?? "", 30)}`;
  };
  const first = rivals[0]!;
  return {
    what: "charset",
    options: [best.charset, ...rivals.slice(0, RIVALS_SHOWN).map((s) => s.charset)],
    assumed: best.charset,
    reason: `The sample has too few special characters to tell: ${example(best, first)}, ${example(first, best)}.`,
  };
}

function senseless(bytes: Uint8Array): Error {
  const at = bytes.findIndex((byte) => byte >= 0x80);
  const line = bytes.subarray(0, at).reduce((count, byte) => count + (byte === 0x0a ? 1 : 0), 1);
  const shownBytes = [...bytes.subarray(at, at + 4)].map((byte) => byte.toString(16).padStart(2, "0").toUpperCase());
  return failure("charset-unknown", { line, bytes: shownBytes.join(" ") });
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const filled = parts.filter((part) => part.length > 0);
  if (filled.length === 1) return filled[0]!;
  const bytes = new Uint8Array(filled.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of filled) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
