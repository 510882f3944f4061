/**
 * Line ends: LF, CRLF or a CR alone, also mixed in one file. A feed with a record delimiter of its own counts records
 * instead: there, "line n" means the n-th record.
 */

const LF = 10;
const CR = 13;

/** Whether the text holds a CR that no LF follows. The text must not end between the two. */
export function hasLoneCr(text: string): boolean {
  for (let at = text.indexOf("\r"); at !== -1; at = text.indexOf("\r", at + 1)) {
    if (text.charCodeAt(at + 1) !== LF) return true;
  }
  return false;
}

/** Number of line ends in a text that does not end between CR and LF. */
export function countLineEnds(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) count++;
  for (let at = text.indexOf("\r"); at !== -1; at = text.indexOf("\r", at + 1)) {
    if (text.charCodeAt(at + 1) !== LF) count++;
  }
  return count;
}

/** Index behind the line end that begins at `at`; `at` itself where none begins there. */
export function skipLineEnd(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if (code === LF) return at + 1;
  if (code === CR) return text.charCodeAt(at + 1) === LF ? at + 2 : at + 1;
  return at;
}

/**
 * Counts the lines of a text that comes in pieces, of which none ends between CR and LF. It knows nothing of quotes and
 * rows: the books of a file are checked against it.
 */
export class LineCounter {
  #ends = 0;
  /** What stands behind the last line end, as far as it matters. */
  #tail = "";
  readonly #delimiter: string;

  constructor(recordDelimiter: string) {
    this.#delimiter = recordDelimiter;
  }

  add(text: string): void {
    if (text === "") return;
    if (this.#delimiter === "line") {
      this.#ends += countLineEnds(text);
      const last = text.charCodeAt(text.length - 1);
      this.#tail = last === LF || last === CR ? "" : "…";
      return;
    }
    const whole = this.#tail + text;
    let from = 0;
    for (let at = whole.indexOf(this.#delimiter); at !== -1; at = whole.indexOf(this.#delimiter, from)) {
      this.#ends++;
      from = at + this.#delimiter.length;
    }
    // Of an unfinished record only its end can still become part of a delimiter; that it is there must not be forgotten.
    const rest = whole.slice(from);
    const kept = Math.max(this.#delimiter.length - 1, 3);
    this.#tail = rest.length > kept ? rest.slice(-kept) : rest;
  }

  /** Line ends so far. */
  get ends(): number {
    return this.#ends;
  }

  /** Lines of the text, once it is at its end: what stands behind the last line end is a line too. */
  get lines(): number {
    return this.#ends + (skipLineEnd(this.#tail, 0) === this.#tail.length ? 0 : 1);
  }
}
