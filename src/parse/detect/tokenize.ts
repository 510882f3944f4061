/**
 * Text → rows of cells by any dialect, without giving up: what does not fit is counted, not thrown. Detection compares
 * dialects by what this makes of the sample; the row reader uses it for dialects that the strict readers do not know.
 */
import type { Dialect } from "./profile.ts";

export interface Tokens {
  readonly rows: string[][];
  /** Where each row begins in the text. */
  readonly starts: number[];
  /** Where each row ends, without its line end. */
  readonly ends: number[];
  /** Cells in quotation marks, and those among them whose marks were needed: they hold a delimiter, a line end or a mark. */
  readonly quoted: number;
  readonly needed: number;
  /** Quoted cells in which marks are escaped. */
  readonly escaped: number;
  /** Indexes of rows in which text follows a closing mark. */
  readonly broken: Set<number>;
  /** Where the quotation mark stands that nobody closed, or -1. */
  readonly unclosed: number;
  /** Behind the last whole row. */
  readonly end: number;
}

export interface TokenizeOptions {
  readonly maxRows?: number;
  /** Whether the text ends where the file ends: then what stands behind the last line end is a row. */
  readonly atEnd: boolean;
}

export function tokenize(text: string, dialect: Dialect, options: TokenizeOptions): Tokens {
  return new Tokenizer(text, dialect, options).run();
}

/** Marks in a cell that are tried for its end once one did not fit: the time stays linear. */
const BROKEN_MARKS_MAX = 50;

/** Characters of the longest delimiter that a format can have. */
const MARK_MAX_CHARS = 8;

const NEVER = Number.MAX_SAFE_INTEGER;

class Tokenizer {
  readonly #text: string;
  readonly #dialect: Dialect;
  readonly #options: TokenizeOptions;
  readonly #rows: string[][] = [];
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  readonly #broken = new Set<number>();
  #quoted = 0;
  #needed = 0;
  #escaped = 0;
  #unclosed = -1;
  #at = 0;
  // Each found once and kept until passed: searching again for every cell would read the rest of the text each time.
  #lf = -1;
  #cr = -1;
  #mark = -1;
  #cell = -1;

  constructor(text: string, dialect: Dialect, options: TokenizeOptions) {
    this.#text = text;
    this.#dialect = dialect;
    this.#options = options;
  }

  run(): Tokens {
    const { atEnd, maxRows = NEVER } = this.#options;
    const text = this.#text;
    let end = 0;
    while (this.#at < text.length && this.#rows.length < maxRows) {
      const start = this.#at;
      const row = this.#row();
      if (row === undefined) break;
      if (this.#at === text.length && !atEnd && !this.#isEnded()) break;
      this.#rows.push(row);
      this.#starts.push(start);
      end = this.#at;
    }
    return {
      rows: this.#rows,
      starts: this.#starts,
      ends: this.#ends.slice(0, this.#rows.length),
      quoted: this.#quoted,
      needed: this.#needed,
      escaped: this.#escaped,
      broken: this.#broken,
      unclosed: this.#unclosed,
      end,
    };
  }

  /**
   * Whether the last row, which ends where the text ends, goes no further: its line end is there, which is never cut in two.
   * Behind a terminator alone it may still be to come.
   */
  #isEnded(): boolean {
    const { terminator } = this.#dialect;
    const rest = this.#text.slice(this.#ends.at(-1));
    return terminator === "" ? rest !== "" : rest === `${terminator}\n` || rest === `${terminator}\r\n`;
  }

  /** The row at #at; leaves #at behind its line end. Undefined where a quotation mark is left open. */
  #row(): string[] | undefined {
    const { fixed, delimiter, quote } = this.#dialect;
    if (fixed !== null) {
      const from = this.#at;
      const end = this.#rowEnd(from);
      this.#ends.push(end);
      this.#at = this.#behind(end);
      const line = this.#text.slice(from, end);
      // A blank line is none of the table, however wide that is.
      return line.trim() === "" ? [""] : cutFixed(line, fixed);
    }
    const row: string[] = [];
    for (;;) {
      const opened = quote === null ? -1 : this.#opening(this.#at);
      if (opened !== -1) {
        const closed = this.#quotedCell(opened, row);
        if (!closed) return undefined;
      } else {
        this.#plainCell(row);
      }
      const at = this.#at;
      if (delimiter !== null && at < this.#text.length && this.#text.startsWith(delimiter, at)) {
        this.#at = at + delimiter.length;
        continue;
      }
      this.#ends.push(at);
      this.#at = this.#behind(at);
      return row;
    }
  }

  /** Index of a quotation mark that opens a cell at `at`, or -1. */
  #opening(at: number): number {
    const { quote, padded } = this.#dialect;
    const text = this.#text;
    if (text[at] === quote) return at;
    if (!padded) return -1;
    let next = at;
    while (isBlank(text[next]) && !this.#isDelimiter(next)) next++;
    return next > at && text[next] === quote ? next : -1;
  }

  #isDelimiter(at: number): boolean {
    const { delimiter } = this.#dialect;
    return delimiter !== null && this.#text.startsWith(delimiter, at);
  }

  #quotedCell(opened: number, row: string[]): boolean {
    const text = this.#text;
    const { quote } = this.#dialect;
    const mark = quote ?? "";
    const backslash = this.#dialect.escape === "\\";
    let escapes = 0;
    let at = opened + 1;
    for (;;) {
      const close = text.indexOf(mark, at);
      if (close === -1) {
        this.#unclosed = opened;
        return false;
      }
      // A mark behind a backslash is text by that alone: the mark behind it may be the closing one.
      const skipped = backslash && isEscaped(text, opened, close) ? 1 : text[close + 1] === mark ? 2 : 0;
      if (skipped > 0) {
        escapes++;
        at = close + skipped;
        continue;
      }
      const behind = this.#behindBlanks(close + 1);
      if (!this.#endsCell(behind)) {
        if (this.#isCutMark(behind)) return false;
        this.#brokenCell(opened, close, row);
        return true;
      }
      const inner = text.slice(opened + 1, close);
      row.push(escapes > 0 || backslash ? unescaped(inner, this.#dialect) : inner);
      this.#quoted++;
      if (escapes > 0) this.#escaped++;
      const { delimiter } = this.#dialect;
      if (escapes > 0 || /[\r\n]/.test(inner) || (delimiter !== null && inner.includes(delimiter))) this.#needed++;
      this.#at = behind;
      return true;
    }
  }

  #behindBlanks(from: number): number {
    let at = from;
    while (isBlank(this.#text[at]) && !this.#isDelimiter(at)) at++;
    return at;
  }

  /**
   * Text stands behind the mark at `close`. The cell goes on to a mark in the same line behind which a cell can end; where
   * there is none, or the mark is of a later line, the opening mark is text, so that no line behind is swallowed.
   */
  #brokenCell(opened: number, close: number, row: string[]): void {
    const text = this.#text;
    this.#broken.add(this.#rows.length);
    const mark = text[opened] ?? "";
    const end = this.#rowEnd(opened);
    let next = text.indexOf(mark, close + 1);
    for (let tries = 0; close < end && next !== -1 && next < end && tries < BROKEN_MARKS_MAX; tries++) {
      const behind = this.#behindBlanks(next + 1);
      if (this.#endsCell(behind)) {
        row.push(unescaped(text.slice(opened + 1, next), this.#dialect));
        this.#at = behind;
        return;
      }
      next = text.indexOf(mark, next + 1);
    }
    this.#at = opened;
    this.#plainCell(row);
  }

  /** Whether the text ends at `at` with the beginning of a delimiter whose rest is still to come. */
  #isCutMark(at: number): boolean {
    if (this.#options.atEnd) return false;
    const rest = this.#text.slice(at, at + MARK_MAX_CHARS);
    if (at + rest.length < this.#text.length) return false;
    const { delimiter, terminator } = this.#dialect;
    return (delimiter?.startsWith(rest) ?? false) || terminator.startsWith(rest);
  }

  #endsCell(at: number): boolean {
    const text = this.#text;
    if (at >= text.length || this.#isDelimiter(at)) return true;
    const { terminator } = this.#dialect;
    if (terminator !== "") return text.startsWith(terminator, at);
    const char = text[at];
    return char === "\n" || char === "\r";
  }

  #plainCell(row: string[]): void {
    const { delimiter, quote } = this.#dialect;
    const from = this.#at;
    if (quote === null && this.#dialect.escape === "\\") {
      row.push(this.#escapedCell());
      return;
    }
    const end = this.#rowEnd(from);
    if (delimiter !== null && this.#cell < from) this.#cell = find(this.#text, delimiter, from);
    this.#at = Math.min(end, delimiter === null ? NEVER : this.#cell);
    row.push(this.#text.slice(from, this.#at));
  }

  /** A cell in which a backslash takes the meaning from what follows it (as MySQL and Postgres export). */
  #escapedCell(): string {
    const text = this.#text;
    let cell = "";
    let from = this.#at;
    let at = from;
    for (; at < text.length && !this.#endsCell(at); at++) {
      if (text[at] !== "\\" || at + 1 >= text.length) continue;
      cell += text.slice(from, at);
      from = at + 1;
      at++;
      if (text[at] === "\r" && text[at + 1] === "\n") at++;
    }
    this.#at = at;
    return cell + text.slice(from, at);
  }

  /** Where the row that `at` is in ends. */
  #rowEnd(at: number): number {
    const { terminator } = this.#dialect;
    if (terminator !== "") {
      if (this.#mark < at) this.#mark = find(this.#text, terminator, at);
      return Math.min(this.#mark, this.#text.length);
    }
    if (this.#lf < at) this.#lf = find(this.#text, "\n", at);
    if (this.#cr < at) this.#cr = find(this.#text, "\r", at);
    return Math.min(this.#lf, this.#cr, this.#text.length);
  }

  #behind(end: number): number {
    const text = this.#text;
    const { terminator } = this.#dialect;
    const at = terminator !== "" && text.startsWith(terminator, end) ? end + terminator.length : end;
    if (text[at] === "\r") return text[at + 1] === "\n" ? at + 2 : at + 1;
    return text[at] === "\n" ? at + 1 : at;
  }
}

const isBlank = (char: string | undefined): boolean => char === " " || char === "\t";

function find(text: string, what: string, from: number): number {
  const at = text.indexOf(what, from);
  return at === -1 ? NEVER : at;
}

/** Whether an odd number of backslashes stands before `at`. */
function isEscaped(text: string, opened: number, at: number): boolean {
  let slashes = 0;
  while (at - 1 - slashes > opened && text[at - 1 - slashes] === "\\") slashes++;
  return slashes % 2 === 1;
}

/** What stands between quotation marks, as meant. A backslash before anything that needs none is text. */
export function unescaped(inner: string, dialect: Dialect): string {
  const { quote, delimiter } = dialect;
  if (quote === null) return inner;
  if (dialect.escape !== "\\") return inner.replaceAll(quote + quote, quote);
  const first = delimiter?.[0];
  return inner.replace(quote === '"' ? /\\([\s\S])|""/g : /\\([\s\S])|''/g, (whole, char: string | undefined) => {
    if (char === undefined) return quote;
    return char === quote || char === "\\" || char === first ? char : whole;
  });
}

/** A line cut at fixed places, without the blanks that fill its cells. */
export function cutFixed(line: string, starts: readonly number[]): string[] {
  return starts.map((start, i) => line.slice(start, starts[i + 1]).trim());
}
