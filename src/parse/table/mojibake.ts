/**
 * Texts that were written in one character set and read in another, before they came to us: `MÃ¼ller`, `M?ller`, `M\ufffdller`.
 * They are read without a fault, so only their looks give them away. It must never mistake a real text: what no language
 * writes is refused, what one of them may write is let pass.
 */

export interface Mojibake {
  /** What gave it away. */
  readonly found: string;
  /** What the text was, where that can be told. */
  readonly likely: string | undefined;
}

/** Characters of the bytes 80 to BF: the second bytes of UTF-8. Undefined bytes as the control characters they are read as. */
const HIGH_1252 = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ\u00a0¡¢£¤¥¦§¨©ª«¬\u00ad®¯°±²³´µ¶·¸¹º»¼½¾¿";
const HIGH_1250 = "€\u0081‚\u0083„…†‡\u0088‰Š‹ŚŤŽŹ\u0090‘’“”•–—\u0098™š›śťžź\u00a0ˇ˘Ł¤Ą¦§¨©Ş«¬\u00ad®Ż°±˛ł´µ¶·¸ąş»Ľ˝ľż";

const escaped = (characters: string): string => characters.replace(/[\]\\^-]/g, "\\$&");
/** With the C1 controls that Latin-1 and windows-1254 show in their places. */
const FROM_1252 = `${escaped(HIGH_1252)}\\x80-\\x9f`;
const SYMBOLS_1252 = escaped(HIGH_1252.slice(0x20));
const FROM_1250 = escaped(HIGH_1250);

/**
 * First bytes of UTF-8 as windows-1252 and windows-1250 show them, each with the second bytes that make a letter or sign of
 * Latin, Greek or Cyrillic writing; three bytes of punctuation, the byte order mark, emoji; UTF-8 as the DOS pages show it.
 */
const DOUBLE = new RegExp(
  [
    `Â[${SYMBOLS_1252}]`,
    `[ÃÄÅÎÏÐÑ][${FROM_1252}]`,
    `[ĂÄĹ][${FROM_1250}]`,
    "â€.?|â‚¬|â„¢|â†.",
    "ï»¿|ï¿½|ðŸ",
    "├[^\\s\\x21-\\x7e─━│└├]",
  ].join("|"),
  "gu",
);

/** Signs that stand behind a last letter in real texts: after `IRMÃ`, `MÄÄRÄ`, `BLÅ`, `CASĂ`. */
const CLOSING = "”’“…»™®\u00a0·";
/** Also behind the letter of a measure, `10 Å–20 Å`, `5 Å±1`; behind Ã they are the second half of Ö and of ±. */
const BETWEEN = "–—±²³";
/** Capital letters that stand together in Slovak and Romanian capitals: `PÄŤ`, `DĹŽKA`, `BĂŞICĂ`. */
const CAPITALS = /^(?:ÄŤ|Ĺ[ŽŤŠĽ]|ĂŞ)$/;

const isLetter = (character: string | undefined): boolean => character !== undefined && /\p{L}/u.test(character);
const isSmall = (character: string | undefined): boolean => character !== undefined && /\p{Ll}/u.test(character);

/** Whether a pair that looks doubled may be a letter and what stands behind it. A capital never follows a small letter. */
function isGenuine(text: string, at: number, pair: string): boolean {
  const [lead = "", follower = ""] = pair;
  if (pair.length !== 2 || isSmall(text[at - 1])) return false;
  if (CAPITALS.test(pair)) return true;
  const closes = CLOSING.includes(follower) || (lead !== "Ã" && BETWEEN.includes(follower));
  return closes && !isLetter(text[at + 2]);
}

/** A letter lost in a word: `M?ller`, `STRA??E`. Not in addresses and formulas, where a question mark has a meaning. */
const IN_WORD = /(?<=\p{L})\?{1,3}(?=\p{L})/u;
const HAS_MEANING = /[/=&@:\\<>]|\.\p{L}/u;
/** A word of nothing but lost letters, or a text of them. `Really????` and a single `???` behind words are no such. */
const LOST_WORD = /(?:^|\s)\?{4,}(?=\s|$)/u;
const LOST_TEXT = /^[\s.,;-]*(?:\?[\s.,;-]*){4,}$/u;

/** What gives a text away, or undefined. To be asked only where `mayBeMojibake`. */
export function mojibakeIn(text: string): Mojibake | undefined {
  if (text.includes("\ufffd")) return { found: "\ufffd", likely: undefined };
  for (const found of text.matchAll(DOUBLE)) {
    if (!isGenuine(text, found.index, found[0])) return { found: found[0], likely: undoubled(text) };
  }
  if (!text.includes("?")) return undefined;
  for (const word of text.split(/\s+/u)) {
    const lost = HAS_MEANING.test(word) ? null : IN_WORD.exec(word);
    if (lost !== null && (isSmall(word[lost.index + lost[0].length]) || word === word.toUpperCase())) {
      return { found: lost[0], likely: undefined };
    }
  }
  const lost = LOST_TEXT.test(text) ? text : LOST_WORD.exec(text)?.[0].trim();
  return lost === undefined ? undefined : { found: lost, likely: undefined };
}

const QUESTION_MARK = 0x3f;

/** A glance that most texts pass: no question mark, and nothing beyond ASCII that may be the rest of another character. */
export function mayBeMojibake(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUESTION_MARK || (code >= 0x80 && mayBeSecond(code, text.charCodeAt(i - 1)))) return true;
  }
  return false;
}

/**
 * Whether a character beyond ASCII may be the second half of another by what stands before it, one of ÂÃÄÅÎÏÐÑĂĹâïð; or is
 * U+FFFD or ├ itself.
 */
export function mayBeSecond(code: number, before: number): boolean {
  if (code === 0xfffd || code === 0x251c) return true;
  if (!(before > 0xc1 && before < 0x13a)) return false;
  if (before < 0xd2) return before < 0xc6 || before > 0xcd;
  return before === 0xe2 || before === 0xef || before === 0xf0 || before === 0x102 || before === 0x139;
}

/** The text with its bytes read as UTF-8. */
function undoubled(text: string): string | undefined {
  for (const [high, leads] of [
    [HIGH_1252, "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿ"],
    [HIGH_1250, "ŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢßŕáâăäĺćçčéęëěíîďđńňóôőö÷řůúűüýţ˙"],
  ] as const) {
    const bytes = Array.from(text, (character) => {
      const code = character.charCodeAt(0);
      if (code < 0xa0) return code;
      const at = (high + leads).indexOf(character);
      return at === -1 ? -1 : 0x80 + at;
    });
    if (bytes.includes(-1)) continue;
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes));
    } catch (error) {
      // Not all of it was doubled.
      if (!(error instanceof TypeError)) throw error;
    }
  }
  return undefined;
}
