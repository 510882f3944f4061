/**
 * Which single-byte charset makes words of the bytes. The words that hold bytes beyond ASCII are decoded with every
 * charset, and their pairs of letters compared with those of the languages that use it: in the right charset the pairs
 * are common ones, in a wrong one they are signs between letters, letters of two alphabets, or pairs no language has.
 */
import { Buffer } from "node:buffer";
import { SINGLE_BYTE, type SingleByteCharset, upperHalf } from "./decoders.ts";
import { LETTER_PAIRS } from "./letter-pairs.ts";

/** Distinct words that are looked at: a few hundred names decide, more only cost time. */
const WORDS_MAX = 400;
/** Bytes of a word; longer runs are cut. */
const WORD_MAX_BYTES = 40;

const WESTERN = "de fr es pt it nl da sv nb fi is ca".split(" ");
const CENTRAL = "pl cs sk hu sl hr ro de".split(" ");
const BALTIC = "et lt lv pl".split(" ");
const CYRILLIC = "ru uk bg sr mk be".split(" ");

/** The languages of a charset, and how much less common the charset is than its rivals (in bits, for the whole text). */
const CHARSETS: Readonly<Record<SingleByteCharset, readonly [languages: readonly string[], rarity: number]>> = {
  "windows-1252": [WESTERN, 0],
  "iso-8859-15": [WESTERN, 1.5],
  "windows-1250": [CENTRAL, 1],
  "iso-8859-2": [CENTRAL, 1.5],
  "iso-8859-16": ["ro pl hu hr sl".split(" "), 2],
  "windows-1257": [BALTIC, 1],
  "iso-8859-13": [BALTIC, 2],
  "iso-8859-4": [BALTIC, 4],
  "windows-1254": [["tr"], 1],
  "iso-8859-9": [["tr"], 1.5],
  "windows-1251": [CYRILLIC, 0.5],
  "iso-8859-5": [CYRILLIC, 2],
  "koi8-r": [["ru"], 1.5],
  "koi8-u": [["uk", "be"], 2],
  ibm866: [["ru", "be", "bg"], 1.5],
  "x-mac-cyrillic": [CYRILLIC, 3.5],
  "windows-1253": [["el"], 1],
  "iso-8859-7": [["el"], 1.5],
  "windows-1255": [["he"], 1],
  "iso-8859-8": [["he"], 1.5],
  "windows-1256": [["ar", "fa"], 1],
  "iso-8859-6": [["ar"], 1.5],
  "windows-1258": [["vi"], 1],
  "windows-874": [["th"], 1],
  macintosh: [WESTERN, 3],
  cp850: [WESTERN, 2],
  cp437: [WESTERN, 2.5],
  cp852: [CENTRAL, 2.5],
  cp858: [WESTERN, 3],
  cp737: [["el"], 4],
  cp775: [BALTIC, 5],
  cp855: [CYRILLIC, 6],
  cp857: [["tr"], 6],
  cp862: [["he"], 5],
};

/** Bits that an unseen pair of letters costs, and one of letters that the language has at all. */
const UNSEEN = 15;
const UNSEEN_OF_KNOWN = 11;
/** Bits that a sign costs where signs stand (after a digit, between blanks), and in the middle of a word. */
const SIGN_APART = 7;
const SIGN_INSIDE = 18;
/** A blank that does not break, at the edge of a word: what is pasted from web pages ends in one. */
const BLANK_APART = 6;
/** Bits more where a sign other than a quotation mark or a trade mark touches a letter, or another sign. */
const SIGN_TOUCHING = 6;
/** Signs that business texts hold: prices, units, quotations. Others are twice as unlikely. */
const COMMON_SIGNS = new Set("€£§°²³µ½¼¾×±©®™–—„“”‘’‚…•·«»´¡¿ªº¦\u00a0№");
/** Letters with capitals inside a word after a small one. */
const MIXED_CASE = 4;
/** A letter of ASCII that the language does not write, beside letters beyond it. */
const FOREIGN_LETTER = 3;
const FOREIGN_LETTERS: Readonly<Record<string, RegExp>> = {
  pl: /[qvx]/g,
  cs: /[qw]/g,
  sk: /[qw]/g,
  hu: /[qwx]/g,
  sl: /[qwxy]/g,
  hr: /[qwxy]/g,
  ro: /[qwy]/g,
  et: /[qwxy]/g,
  lt: /[qwx]/g,
  lv: /[qwxy]/g,
  tr: /[qwx]/g,
  it: /[jkwxy]/g,
  fi: /[qwx]/g,
  is: /[cqw]/g,
  vi: /[fjwz]/g,
};
/** A letter beyond ASCII between two digits: there stand signs, and delimiters. */
const BETWEEN_DIGITS = 8;
/** Two letters of different alphabets side by side. */
const MIXED_SCRIPT = 8;

export interface CharsetScore {
  readonly charset: SingleByteCharset;
  readonly language: string;
  /** How much less usual the charset is than others, from 0. */
  readonly rarity: number;
  /** Bits for all of the words: the smaller, the likelier. */
  readonly bits: number;
  /** Bits per character beyond ASCII. */
  readonly bitsEach: number;
  /** The first words as this charset reads them. */
  readonly words: readonly string[];
}

/** Runs of bytes between blanks and separators that hold a byte from 80 on, each once, in their order. `accents`: the places of these bytes. */
export function accentedWords(bytes: Uint8Array, accents: readonly number[]): Uint8Array[] {
  const seen = new Set<string>();
  const words: Uint8Array[] = [];
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
  let behind = 0;
  for (const accent of accents) {
    if (accent < behind) continue;
    let start = accent;
    while (start > behind && isWordByte(bytes[start - 1]!)) start--;
    let accented = false;
    for (let at = start; ; at++) {
      const byte = at < bytes.length ? bytes[at]! : 0x20;
      if (byte >= 0x80) accented = true;
      const isInside = isWordByte(byte);
      if (isInside && at - start < WORD_MAX_BYTES) continue;
      if (accented) {
        // With what stands on both sides: a sign after a digit is none inside a word.
        const from = Math.max(0, start - 1);
        const to = Math.min(bytes.length, at + (byte >= 0x80 ? 0 : 1));
        const key = text.slice(from, to);
        if (!seen.has(key)) words.push(bytes.subarray(from, to));
        seen.add(key);
        if (words.length === WORDS_MAX) return words;
      }
      behind = at;
      if (!isInside) break;
      accented = byte >= 0x80;
      start = at;
    }
  }
  return words;
}

const isWordByte = (byte: number): boolean =>
  byte >= 0x80 || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a && byte >= 0x41);

/** All charsets that have a character for every byte, the likeliest first. */
export function scoreCharsets(words: readonly Uint8Array[]): CharsetScore[] {
  const used = new Set<number>();
  for (const word of words) for (const byte of word) if (byte >= 0x80) used.add(byte);
  const scores: CharsetScore[] = [];
  for (const charset of SINGLE_BYTE) {
    const table = upperHalf(charset);
    if ([...used].some((byte) => table[byte - 0x80] === "\ufffd")) continue;
    scores.push(scoreOf(charset, words, table));
  }
  return scores.sort((a, b) => a.bits - b.bits);
}

function scoreOf(charset: SingleByteCharset, words: readonly Uint8Array[], table: string): CharsetScore {
  const [languages, rarity] = CHARSETS[charset];
  const texts = words.map((word) => {
    let text = "";
    for (const byte of word) text += byte < 0x80 ? String.fromCharCode(byte) : table[byte - 0x80];
    return text.normalize("NFC");
  });
  let best = { language: "", bits: Number.POSITIVE_INFINITY, count: 1 };
  for (const language of languages) {
    const scored = bitsOf(texts, language);
    if (scored.bits < best.bits) best = { language, ...scored };
  }
  return {
    charset,
    language: best.language,
    rarity,
    bits: best.bits + rarity,
    bitsEach: best.bits / Math.max(1, best.count),
    words: texts.map((text) => text.trim()),
  };
}

const known = new Map<string, ReadonlyMap<string, number>>();

const unseen = (pair: string, pairs: ReadonlyMap<string, number>): number =>
  [...pair].every((char) => char < "\u0080" || pairs.has(char)) ? UNSEEN_OF_KNOWN : UNSEEN;

/** Bits of each pair in a language; its letters are in it too, alone. */
function pairsOf(language: string): ReadonlyMap<string, number> {
  let pairs = known.get(language);
  if (pairs === undefined) {
    const made = new Map<string, number>();
    for (const [bits, group] of (LETTER_PAIRS[language] ?? "").split("|").entries()) {
      for (let at = 0; at + 1 < group.length; at += 2) {
        made.set(group.slice(at, at + 2), bits + 0.5);
        for (const char of group.slice(at, at + 2)) made.set(char, 0);
      }
    }
    pairs = made;
    known.set(language, pairs);
  }
  return pairs;
}

function bitsOf(texts: readonly string[], language: string): { bits: number; count: number } {
  const pairs = pairsOf(language);
  const foreign = FOREIGN_LETTERS[language];
  let bits = 0;
  let count = 0;
  for (const text of texts) {
    const lower = text.toLowerCase();
    // A few capitals become two characters: then their places differ, and the text is read as it is.
    const small = lower.length === text.length ? lower : text;
    if (foreign !== undefined) bits += FOREIGN_LETTER * (small.match(foreign)?.length ?? 0);
    for (let i = 0; i < text.length; i++) {
      if (text.charCodeAt(i) < 0x80) continue;
      count++;
      bits += charBits(text, small, i, pairs);
    }
  }
  return { bits, count };
}

function charBits(text: string, small: string, at: number, pairs: ReadonlyMap<string, number>): number {
  const char = text[at]!;
  const before = kindOf(text[at - 1]);
  const after = kindOf(text[at + 1]);
  if (kindOf(char) === OTHER) {
    const inside = isLetter(beyondSigns(text, at, -1)) && isLetter(beyondSigns(text, at, 1)) && !APOSTROPHES.has(char);
    const beside = (kind: number, other: string | undefined) =>
      (kind >= LATIN && !QUOTES.has(char)) || (kind === OTHER && other !== undefined && other >= "\u0080");
    const isClosing = (char === "’" || char === "”") && before === OTHER && after >= LATIN;
    const touching = isClosing || beside(before, text[at - 1]) || beside(after, text[at + 1]);
    const apart = char === "\u00a0" ? BLANK_APART : SIGN_APART;
    const cost = inside ? SIGN_INSIDE : apart + (touching ? SIGN_TOUCHING : 0);
    return COMMON_SIGNS.has(char) ? cost : cost + SIGN_APART;
  }
  const pair = (a: string, b: string): number => pairs.get(a + b) ?? cedillaPair(a + b, pairs) ?? unseen(a + b, pairs);
  const left = pair(before >= LATIN ? small[at - 1]! : " ", small[at]!);
  const right = pair(small[at]!, after >= LATIN ? small[at + 1]! : " ");
  let cost = (left + right) / 2;
  const kind = kindOf(char);
  if (isDigit(text[at - 1]) && isDigit(text[at + 1])) cost += BETWEEN_DIGITS;
  if (before >= LATIN && before !== kind) cost += MIXED_SCRIPT;
  if (after >= LATIN && after !== kind) cost += MIXED_SCRIPT;
  // A capital inside a word: behind a small letter, or between a letter and a small one.
  if (
    before >= LATIN &&
    small[at] !== char &&
    (isSmall(text[at - 1], small[at - 1]) || isSmall(text[at + 1], small[at + 1]))
  )
    cost += MIXED_CASE;
  return cost;
}

const isDigit = (char: string | undefined): boolean => char !== undefined && char >= "0" && char <= "9";

const isLetter = (char: string | undefined): boolean => kindOf(char) >= LATIN;

/** The first character on a side that is no sign beyond ASCII. */
function beyondSigns(text: string, at: number, step: -1 | 1): string | undefined {
  let i = at + step;
  while (i >= 0 && i < text.length && text.charCodeAt(i) >= 0x80 && kindOf(text[i]) === OTHER) i += step;
  return text[i];
}

/** Signs that stand at the edge of a word. */
const QUOTES = new Set("’´‘‚„“”«»…\u00a0");
const APOSTROPHES = new Set("’´‘");
/** Romanian s and t with a comma below: most charsets only have them with a cedilla, which is the second-best spelling. */
const COMMA_BELOW: Readonly<Record<string, string>> = { ş: "ș", ţ: "ț", Ş: "Ș", Ţ: "Ț" };
const CEDILLA = 1.5;

/** A text in which cedilla and comma below are one. */
export const withCommaBelow = (text: string): string => text.replace(/[şţŞŢ]/g, (c) => COMMA_BELOW[c] ?? c);

function cedillaPair(pair: string, pairs: ReadonlyMap<string, number>): number | undefined {
  const other = withCommaBelow(pair);
  const bits = other === pair ? undefined : pairs.get(other);
  return bits === undefined ? undefined : bits + CEDILLA;
}

const isSmall = (char: string | undefined, small: string | undefined): boolean =>
  char !== undefined && char === small && char.toUpperCase() !== char;

const OTHER = 0;
const LATIN = 1;

/** The alphabet of a character, as a number; 0 for what is no letter. */
function kindOf(char: string | undefined): number {
  if (char === undefined) return OTHER;
  const code = char.charCodeAt(0);
  if (code < 0x80) return (code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a ? LATIN : OTHER;
  if (code < 0xc0) return OTHER;
  if (code === 0xd7 || code === 0xf7) return OTHER;
  if (code < 0x250 || (code >= 0x1e00 && code < 0x1f00)) return LATIN;
  if (code >= 0x300 && code < 0x370) return LATIN;
  if (code >= 0x370 && code < 0x400) return 2;
  if (code >= 0x400 && code < 0x530) return 3;
  if (code >= 0x590 && code < 0x600) return 4;
  if (code >= 0x600 && code < 0x700) return 5;
  if (code >= 0xe00 && code < 0xe80) return 6;
  return OTHER;
}
