/** One JSON value in a text (RFC 8259), checked to the letter and never converted: its digits and its order stay as written. */

/** Values inside each other: records are flat or nearly so, and a deep one is an attack. */
export const JSON_MAX_DEPTH = 64;

/** `at` is where the text stops being JSON; `isIncomplete` when it only stops. */
export class JsonSyntax extends Error {
  readonly at: number;
  readonly isIncomplete: boolean;

  constructor(reason: string, at: number, isIncomplete = false) {
    super(reason);
    this.at = at;
    this.isIncomplete = isIncomplete;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_RECORD = 0x7b;
const CLOSE_RECORD = 0x7d;
const COMMA = 0x2c;
const COLON = 0x3a;

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
/** What may be the beginning of a number, when the text ends there. */
const NUMBER_START = /^-?\d*\.?\d*(?:[eE][+-]?\d*)?$/;
const WORDS = ["true", "false", "null"];

export const incomplete = (text: string): JsonSyntax => new JsonSyntax("it ends too early", text.length, true);

/** The place of the next character that is no white space. */
export function skipSpace(text: string, at: number): number {
  let i = at;
  for (;;) {
    const c = text.charCodeAt(i);
    if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return i;
    i += 1;
  }
}

/** The end of the string that begins at `at`. @throws JsonSyntax */
export function scanString(text: string, at: number): number {
  if (at >= text.length) throw incomplete(text);
  if (text.charCodeAt(at) !== QUOTE) throw new JsonSyntax("a text in quotation marks is missing", at);
  for (let i = at + 1; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) return i + 1;
    if (c < 0x20) throw new JsonSyntax("a text holds a control character that is not escaped", i);
    if (c !== BACKSLASH) continue;
    i += 1;
    if (i >= text.length) break;
    const escaped = text[i]!;
    if (escaped === "u") {
      const digits = text.slice(i + 1, i + 5);
      if (!/^[0-9a-fA-F]*$/.test(digits)) throw new JsonSyntax("a text holds an escape that is none", i);
      if (digits.length < 4) break;
      i += 4;
    } else if (!'"\\/bfnrt'.includes(escaped)) throw new JsonSyntax("a text holds an escape that is none", i);
  }
  throw incomplete(text);
}

/** The end of the number or word at `at`. @throws JsonSyntax */
function scanScalar(text: string, at: number): number {
  for (const word of WORDS) {
    if (text.startsWith(word, at)) return at + word.length;
    if (at < text.length && text.length - at < word.length && word.startsWith(text.slice(at))) throw incomplete(text);
  }
  NUMBER.lastIndex = at;
  const found = NUMBER.exec(text);
  // A number that reaches the end may go on behind it.
  if ((found ? NUMBER.lastIndex : at) >= text.length - 2 && NUMBER_START.test(text.slice(at))) throw incomplete(text);
  if (!found) throw new JsonSyntax("something stands there that is no JSON", at);
  return NUMBER.lastIndex;
}

/** The end of the value that begins at `at`, without white space before it. Linear, and no recursion. @throws JsonSyntax */
export function scanValue(text: string, at: number): number {
  const open: number[] = [];
  let i = at;
  for (;;) {
    i = skipSpace(text, i);
    if (i >= text.length) throw incomplete(text);
    const c = text.charCodeAt(i);
    if (c === OPEN_RECORD || c === OPEN_LIST) {
      if (open.length >= JSON_MAX_DEPTH) throw new JsonSyntax("it is nested too deeply", i);
      const close = c === OPEN_RECORD ? CLOSE_RECORD : CLOSE_LIST;
      const next = skipSpace(text, i + 1);
      if (text.charCodeAt(next) === close) i = next + 1;
      else {
        open.push(close);
        i = c === OPEN_RECORD ? scanKey(text, next) : next;
        continue;
      }
    } else i = c === QUOTE ? scanString(text, i) : scanScalar(text, i);
    // Behind a value: the end of everything, the next value, or the end of what is open.
    for (;;) {
      const close = open.at(-1);
      if (close === undefined) return i;
      i = skipSpace(text, i);
      if (i >= text.length) throw incomplete(text);
      const d = text.charCodeAt(i);
      i += 1;
      if (d === close) open.pop();
      else if (d === COMMA) {
        if (close === CLOSE_RECORD) i = scanKey(text, skipSpace(text, i));
        break;
      } else throw new JsonSyntax("a comma or a closing bracket is missing", i - 1);
    }
  }
}

/** The place behind the colon of the key at `at`. */
export function scanKey(text: string, at: number): number {
  const colon = skipSpace(text, scanString(text, at));
  if (colon >= text.length) throw incomplete(text);
  if (text.charCodeAt(colon) !== COLON) throw new JsonSyntax("a colon is missing behind a name", colon);
  return colon + 1;
}

/** Escapes of NUL and of halves of characters. */
const ODD_ESCAPE = /\\u(?:0000|[dD][89abAB][0-9a-fA-F]{2}|[dD][c-fC-F][0-9a-fA-F]{2})/;

/**
 * Whether the texts in a piece of JSON that was scanned hold characters only: an escape can stand for NUL or for half of a
 * character, which no database stores.
 */
export function isStorable(raw: string): boolean {
  if (!raw.includes("\\u") || !ODD_ESCAPE.test(raw)) return true;
  const halves = raw.replace(/\\\\/g, "").replace(/\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}/g, "");
  return !ODD_ESCAPE.test(halves);
}

/** The text of a string that was scanned. */
export const stringText = (raw: string): string =>
  raw.includes("\\") ? (JSON.parse(raw) as string) : raw.slice(1, -1);

/**
 * Does a file begin as JSON? Only when its beginning can be nothing else:
 * - `json`: a list of records or lists, or one record over several lines;
 * - `ndjson`: records, each on a line of its own.
 * A text that merely begins with a bracket is none. `isWhole`: `head` is all of the file.
 */
export function jsonFormat(head: string, isWhole: boolean): "json" | "ndjson" | undefined {
  const start = skipSpace(head, head.startsWith("\ufeff") ? 1 : 0);
  const first = head[start];
  try {
    if (first === "[") {
      const next = skipSpace(head, start + 1);
      if (head[next] !== "{" && head[next] !== "[" && head[next] !== "]") return undefined;
      const end = scanValue(head, start);
      return skipSpace(head, end) >= head.length ? "json" : undefined;
    }
    if (first !== "{") return undefined;
    const end = scanValue(head, start);
    const next = skipSpace(head, end);
    if (next >= head.length) return head.slice(start, end).includes("\n") || !isWhole ? "json" : "ndjson";
    if (head[next] !== "{" || !head.slice(end, next).includes("\n") || head.slice(start, end).includes("\n"))
      return undefined;
    // What follows may be broken: that is told of its line.
    return "ndjson";
  } catch (thrown) {
    if (!(thrown instanceof JsonSyntax)) throw thrown;
    if (!thrown.isIncomplete || isWhole) return undefined;
    // All of the beginning is JSON; a second record on a new line was begun, or not.
    return first === "{" && /^\{.*\}[ \t]*\r?\n[ \t\r\n]*\{/.test(head.slice(start)) ? "ndjson" : "json";
  }
}
