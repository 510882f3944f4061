/**
 * JSON as a table: a list of records, or a record on each line (NDJSON), pulled. Numbers stay as they are written, nested
 * values are kept as JSON text, and no key is lost to another of the same name.
 */
import { failure } from "../../domain/failures.ts";
import type { ByteStream } from "../open/source.ts";
import { countLineEnds, LineCounter } from "../table/lines.ts";
import { incomplete, isStorable, JsonSyntax, scanKey, scanString, scanValue, skipSpace, stringText } from "./scan.ts";

/** One record as text (UTF-16 units). A longer one is a missing bracket or quotation mark; it would be held in memory. */
export const JSON_MAX_RECORD_CHARS = 2_097_152;
/** Keys of one record: as many as a sheet has columns. */
export const JSON_MAX_KEYS = 16_384;

export interface JsonRecord {
  /** The line on which it begins, from 1: LF, CRLF or a CR alone ends one. */
  readonly line: number;
  /** Lines that it takes. */
  readonly span: number;
  /**
   * By key, in the order of the file. A key that is missing is absent, `null` is null, `""` is `""`; numbers as written,
   * `true` and `false` as such, nested values as JSON text. Undefined when the record is broken.
   */
  readonly cells: ReadonlyMap<string, string | null> | undefined;
  /** Why it cannot be used: it is no record, has a key twice, or (on a line of its own) is no JSON. */
  readonly broken: string | undefined;
  /** As it stands in the file. */
  readonly raw: string;
}

export interface JsonOptions {
  readonly format: "json" | "ndjson";
  /** Name of the file, for failures. */
  readonly name?: string | undefined;
  /** Keys that lead to the list, where the file is one record around it: `["data", "items"]`. */
  readonly at?: readonly string[] | undefined;
  /** Is given all of the text, to count its lines without regard to records. */
  readonly counter?: LineCounter | undefined;
}

/**
 * Streams the records in batches, one for each block of text.
 * @throws Failure `json-unreadable` where the text stops being JSON: in a list nothing behind that place can be told apart.
 * On lines of their own only the broken line is lost, and said so in its place.
 */
export async function* jsonRecords(
  blocks: ByteStream,
  options: JsonOptions,
): AsyncGenerator<readonly JsonRecord[], void> {
  const reader = options.format === "ndjson" ? new LineReader() : new ListReader(options.at ?? [], options.name);
  // Text that ends with CR waits for its LF.
  let held = "";
  const counter = options.counter ?? new LineCounter("line");
  let decoder: TextDecoder | undefined;
  const decode = (block: Uint8Array | undefined): string => {
    if (block && block.byteLength > 0) decoder ??= decoderOf(block);
    try {
      return block ? (decoder?.decode(block, { stream: true }) ?? "") : (decoder?.decode() ?? "");
    } catch (thrown) {
      if (!(thrown instanceof TypeError)) throw thrown;
      const before = decodedStart(block, decoder?.encoding);
      const line = counter.ends + 1 + countLineEnds(held + before);
      throw failure("json-unreadable", {
        name: options.name,
        line,
        reason: `it is not ${(decoder?.encoding ?? "utf-8").toUpperCase()} text`,
      });
    }
  };
  const read = (block: Uint8Array | undefined): readonly JsonRecord[] => {
    const text = held + decode(block);
    held = block !== undefined && text.endsWith("\r") ? "\r" : "";
    const piece = held === "" ? text : text.slice(0, -1);
    counter.add(piece);
    return reader.push(piece, block === undefined);
  };
  for await (const block of firstPairTogether(blocks)) {
    const records = read(block);
    if (records.length > 0) yield records;
  }
  const last = read(undefined);
  if (last.length > 0) yield last;
}

/** A byte order mark of UTF-16 is two bytes: they are looked at together. */
async function* firstPairTogether(blocks: ByteStream): ByteStream {
  let first: Uint8Array | undefined;
  let isBegun = false;
  for await (const block of blocks) {
    if (isBegun) yield block;
    else if (!first && block.byteLength < 2) first = Uint8Array.from(block);
    else {
      isBegun = true;
      if (first) yield Uint8Array.from([...first, ...block]);
      else yield block;
    }
  }
  if (!isBegun && first) yield first;
}

/** UTF-8 (RFC 8259 section 8.1), or UTF-16 where its mark says so. */
function decoderOf(first: Uint8Array): TextDecoder {
  const [a, b] = first;
  const label = a === 0xff && b === 0xfe ? "utf-16le" : a === 0xfe && b === 0xff ? "utf-16be" : "utf-8";
  return new TextDecoder(label, { fatal: true, ignoreBOM: false });
}

/** The text of a block before the first byte that the charset has not. */
function decodedStart(block: Uint8Array | undefined, encoding = "utf-8"): string {
  const text = new TextDecoder(encoding).decode(block);
  const at = text.indexOf("\ufffd");
  return at === -1 ? text : text.slice(0, at);
}

/** A record from its text, which has been scanned: cells, or why there are none. */
function recordOf(raw: string, line: number): JsonRecord {
  const span = 1 + countLineEnds(raw);
  const broken = (reason: string): JsonRecord => ({ line, span, cells: undefined, broken: reason, raw });
  if (raw[0] !== "{") return broken("it is no record (a record stands in braces)");
  const cells = new Map<string, string | null>();
  let at = skipSpace(raw, 1);
  while (raw[at] !== "}") {
    const keyEnd = scanString(raw, at);
    const key = stringText(raw.slice(at, keyEnd));
    const start = skipSpace(raw, scanKey(raw, at));
    const end = scanValue(raw, start);
    if (!isStorable(raw.slice(at, end)))
      return broken("a text in it holds a character that is none (\\u0000, or half of one)");
    if (cells.has(key)) return broken(`it has the key ${JSON.stringify(key.slice(0, 60))} twice`);
    if (cells.size >= JSON_MAX_KEYS) return broken(`it has more than ${JSON_MAX_KEYS} keys`);
    cells.set(key, cellOf(raw.slice(start, end)));
    at = skipSpace(raw, end);
    if (raw[at] === ",") at = skipSpace(raw, at + 1);
  }
  return { line, span, cells, broken: undefined, raw };
}

const cellOf = (value: string): string | null =>
  value === "null" ? null : value[0] === '"' ? stringText(value) : value;

/** A record on each line. */
class LineReader {
  line = 1;
  #rest = "";
  /** In a line that is too long: the rest of it is left out. */
  #isSkipping = false;

  push(chunk: string, isEnd: boolean): JsonRecord[] {
    const records: JsonRecord[] = [];
    const text = this.#rest + chunk;
    let at = 0;
    for (const { 0: end, index } of text.matchAll(/\r\n|\r|\n/g)) {
      this.#take(text.slice(at, index), records);
      this.line += 1;
      at = index + end.length;
    }
    this.#rest = text.slice(at);
    if (isEnd) this.#take(this.#rest, records);
    else if (this.#rest.length > JSON_MAX_RECORD_CHARS) {
      this.#take(this.#rest, records);
      this.#isSkipping = true;
      this.#rest = "";
    }
    return records;
  }

  #take(raw: string, records: JsonRecord[]): void {
    if (this.#isSkipping) {
      this.#isSkipping = false;
      return;
    }
    // JSON's own white space alone: a byte order mark in the middle is no JSON.
    const start = skipSpace(raw, 0);
    let end = raw.length;
    while (end > start && skipSpace(raw[end - 1]!, 0) === 1) end -= 1;
    if (end > start) records.push(this.#read(raw.slice(start, end)));
  }

  #read(raw: string): JsonRecord {
    const broken = (reason: string) => ({
      line: this.line,
      span: 1,
      cells: undefined,
      broken: reason,
      raw: raw.slice(0, 1_000),
    });
    if (raw.length > JSON_MAX_RECORD_CHARS) return broken(`it is longer than ${JSON_MAX_RECORD_CHARS} characters`);
    try {
      // A space behind it: nothing follows, so a number at the end is whole.
      const end = scanValue(`${raw} `, 0);
      if (end < raw.length) return broken("something follows behind its end");
      return recordOf(raw, this.line);
    } catch (thrown) {
      if (!(thrown instanceof JsonSyntax)) throw thrown;
      return broken(thrown.isIncomplete ? thrown.message : `${thrown.message} (character ${thrown.at + 1})`);
    }
  }
}

/**
 * Where a list reader stands: before the list, in it before an element or behind one, behind it in a record around it
 * (before a key or behind a value), or behind everything.
 */
type State = "before" | "element" | "behind" | "key" | "around" | "done";

/** A list of records, at the top or inside a record. */
class ListReader {
  line = 1;
  readonly #path: readonly string[];
  readonly #name: string | undefined;
  #state: State = "before";
  /** How many keys of the path have been entered. */
  #depth = 0;
  #isFirst = true;
  #found = false;
  #rest = "";
  /** An element that is not complete is tried again when there is twice as much of it. */
  #waitFor = 0;

  constructor(path: readonly string[], name: string | undefined) {
    this.#path = path;
    this.#name = name;
  }

  push(chunk: string, isEnd: boolean): JsonRecord[] {
    const records: JsonRecord[] = [];
    const text = this.#rest === "" ? chunk : this.#rest + chunk;
    if (!isEnd && text.length < this.#waitFor) {
      this.#rest = text;
      return records;
    }
    let at = 0;
    let counted = 0;
    const passed = (to: number) => {
      this.line += countLineEnds(text.slice(counted, to));
      counted = to;
    };
    try {
      for (;;) {
        const start = skipSpace(text, at);
        passed(start);
        at = start;
        if (start >= text.length) break;
        at = this.#step(text, start, records);
      }
      this.#waitFor = 0;
    } catch (thrown) {
      if (!(thrown instanceof JsonSyntax)) throw thrown;
      if (isEnd || !thrown.isIncomplete) {
        passed(Math.min(thrown.at, text.length));
        throw this.#unreadable(thrown.message);
      }
      if (text.length - at > JSON_MAX_RECORD_CHARS)
        throw this.#unreadable(`a value is longer than ${JSON_MAX_RECORD_CHARS} characters`);
      this.#waitFor = (text.length - at) * 2;
    }
    passed(at);
    this.#rest = text.slice(at);
    if (isEnd && this.#state !== "done") throw this.#unreadable("it ends too early");
    return records;
  }

  #unreadable(reason: string) {
    return failure("json-unreadable", { name: this.#name, line: this.line, reason });
  }

  /** Takes what stands at `at`, where there is no white space; returns where it ends. */
  #step(text: string, at: number, records: JsonRecord[]): number {
    const c = text[at]!;
    switch (this.#state) {
      case "before":
        return this.#enter(c, at);
      case "element": {
        if (c === "]" && this.#isFirst) return this.#leave(at + 1);
        const end = scanValue(text, at);
        // A number or word at the end of the text may go on.
        if (end === text.length && !/[\]}"]/.test(text[end - 1]!)) throw incomplete(text);
        records.push(recordOf(text.slice(at, end), this.line));
        this.#isFirst = false;
        this.#state = "behind";
        return end;
      }
      case "behind":
        if (c !== "," && c !== "]") throw new JsonSyntax("a comma or a closing bracket is missing", at);
        if (c === "]") return this.#leave(at + 1);
        this.#state = "element";
        return at + 1;
      case "key":
        return this.#key(text, at);
      case "around":
        if (c !== "," && c !== "}") throw new JsonSyntax("a comma or a closing brace is missing", at);
        if (c === ",") {
          this.#isFirst = false;
          this.#state = "key";
        } else this.#leaveRecord();
        return at + 1;
      case "done":
        throw new JsonSyntax("something follows behind its end", at);
    }
  }

  #enter(c: string, at: number): number {
    const isInside = this.#depth === this.#path.length;
    if (isInside && c === "[") {
      if (this.#found) throw this.#unreadable("the list stands in it twice");
      this.#found = true;
      this.#state = "element";
    } else if (!isInside && c === "{") this.#state = "key";
    else if (isInside && this.#depth === 0 && c === "{") {
      throw this.#unreadable("it is one record, not a list of them");
    } else
      throw this.#unreadable(isInside ? "there is no list where it should be" : "there is no record around the list");
    this.#isFirst = true;
    return at + 1;
  }

  /** Behind the list. */
  #leave(at: number): number {
    this.#state = this.#depth === 0 ? "done" : "around";
    if (this.#depth > 0) this.#depth -= 1;
    return at;
  }

  #leaveRecord(): void {
    if (this.#depth === 0) {
      if (!this.#found) throw this.#unreadable(`it has no list at ${this.#path.join(".")}`);
      this.#state = "done";
    } else {
      this.#depth -= 1;
      this.#state = "around";
    }
  }

  /** A key of a record around the list: it leads to the list, or its value is passed over. */
  #key(text: string, at: number): number {
    if (text[at] === "}" && this.#isFirst) {
      this.#leaveRecord();
      return at + 1;
    }
    const key = stringText(text.slice(at, scanString(text, at)));
    const value = skipSpace(text, scanKey(text, at));
    if (value >= text.length) throw incomplete(text);
    if (key === this.#path[this.#depth]) {
      this.#depth += 1;
      this.#state = "before";
      return value;
    }
    const end = scanValue(text, value);
    if (end === text.length) throw incomplete(text);
    this.#state = "around";
    return end;
  }
}

/** The cells of records in the order of columns: undefined where a record lacks the key. Keys that are no column are left out. */
export function recordRow(record: JsonRecord, columns: readonly string[]): readonly (string | null | undefined)[] {
  return columns.map((column) => record.cells?.get(column));
}
