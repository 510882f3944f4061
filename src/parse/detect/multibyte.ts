/**
 * East Asian charsets of several bytes. Their bytes follow rules, so that most texts of other charsets are refused by
 * the decoder; and what they decode to must be mostly characters that are in daily use (kana, hangul, the first level of
 * ideographs), for rare ones are what a wrong charset makes.
 */
import { decodeWhole } from "./decoders.ts";

export const MULTI_BYTE = ["shift_jis", "euc-jp", "gb18030", "big5", "euc-kr"] as const;
export type MultiByteCharset = (typeof MULTI_BYTE)[number];

/** Characters from which on the share of common ones says something. */
export const ENOUGH_CHARS = 4;
/** Share of common characters in real text; a wrong charset stays below two thirds. */
export const COMMON_SHARE = 0.85;

/** How much letters that only one language has count beside those in daily use. */
const OWN_WEIGHT = 0.3;

export interface MultiByteScore {
  readonly charset: MultiByteCharset;
  readonly chars: number;
  /** Share of the characters beyond ASCII that are in daily use. */
  readonly common: number;
  /** Share of those that only this language writes (kana, hangul). */
  readonly own: number;
}

/** Those charsets that decode the bytes without a fault, the likeliest first. */
export function scoreMultiByte(bytes: Uint8Array): MultiByteScore[] {
  const scores: MultiByteScore[] = [];
  for (const charset of MULTI_BYTE) {
    const text = decodeWhole(bytes, charset);
    if (text === undefined) continue;
    const score = scoreText(text, charset, bytes);
    if (score.chars > 0) scores.push(score);
  }
  return scores.sort((a, b) => b.common + OWN_WEIGHT * b.own - (a.common + OWN_WEIGHT * a.own));
}

function scoreText(text: string, charset: MultiByteCharset, bytes: Uint8Array): MultiByteScore {
  let chars = 0;
  let own = 0;
  for (const char of text) {
    const code = char.codePointAt(0)!;
    if (code < 0x80) continue;
    chars++;
    const isKana = code >= 0x3041 && code <= 0x30fe;
    const isHangul = code >= 0xac00 && code <= 0xd7a3;
    if (charset === "euc-kr" ? isHangul : charset.endsWith("jp") || charset === "shift_jis" ? isKana : false) own++;
  }
  const common = commonPairs(bytes, charset);
  return { charset, chars, common: chars === 0 ? 0 : Math.min(1, common / chars), own: chars === 0 ? 0 : own / chars };
}

/** Double bytes in the rows where the charset keeps what is in daily use. */
function commonPairs(bytes: Uint8Array, charset: MultiByteCharset): number {
  let common = 0;
  for (let at = 0; at + 1 < bytes.length; at++) {
    const lead = bytes[at]!;
    if (lead < 0x80) continue;
    if (charset === "shift_jis" && lead >= 0xa1 && lead <= 0xdf) continue;
    const trail = bytes[at + 1]!;
    if (isCommon(charset, lead, trail)) common++;
    at++;
  }
  return common;
}

function isCommon(charset: MultiByteCharset, lead: number, trail: number): boolean {
  switch (charset) {
    case "shift_jis":
      return (lead === 0x81 && trail <= 0xac) || lead === 0x82 || lead === 0x83 || (lead >= 0x88 && lead <= 0x97);
    case "euc-jp":
      return (lead >= 0xa1 && lead <= 0xa5 && lead !== 0xa2) || (lead >= 0xb0 && lead <= 0xcf);
    case "gb18030":
      return trail >= 0xa1 && (lead === 0xa1 || lead === 0xa3 || (lead >= 0xb0 && lead <= 0xd7));
    case "big5":
      return (lead === 0xa1 && trail <= 0x7e) || lead === 0xa2 || (lead >= 0xa4 && lead <= 0xc6);
    case "euc-kr":
      return trail >= 0xa1 && (lead === 0xa1 || lead === 0xa3 || (lead >= 0xb0 && lead <= 0xc8));
  }
}
