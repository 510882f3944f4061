/**
 * The ERP's own file with two columns more: why a row could not land. Same delimiter, quotation marks and charset, so that it
 * opens where the original opens; cells that a spreadsheet would run have an apostrophe before them. Workbooks, JSON and
 * fixed-width files, which have no delimiter of their own, come as comma-separated UTF-8.
 */
import type { Feed } from "../domain/adapter.ts";
import type { FileFormat } from "../domain/format.ts";
import { isFormula, isPlainNumber } from "../domain/spreadsheet.ts";
import type { Payload } from "./open/open.ts";
import { rowSource } from "./read-payload.ts";
import { encoderFor } from "./table/encode.ts";
import { type RowBatch, rowBatches } from "./table/rows.ts";
import { TextReader } from "./table/text.ts";

/** What is said of one row. */
export interface Annotation {
  /** The line on which the row begins, 1-based. */
  readonly line: number;
  readonly code: string;
  readonly sentence: string;
}

export interface AnnotateOptions {
  /** All rows of the file, or only those that are annotated. Preamble and header come in both. */
  readonly rows: "all" | "rejected";
}

/** Names of the columns that are added. */
const ADDED = ["error code", "error"] as const;
/** Written at once: a few hundred rows. */
const BLOCK_CHARS = 32_768;

/** @param annotations in the order of lines, several of one row behind each other. Throws what reading the payload throws. */
export async function* annotatedCopy(
  feed: Feed,
  payload: Payload,
  annotations: AsyncIterable<Annotation>,
  { rows }: AnnotateOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const source = await rowSource(feed, payload);
  const isText = source === undefined && feed.file.kind === "delimited";
  const { charset, recordDelimiter } = feed.file;
  const batches =
    source?.batches ?? rowBatches(new TextReader({ charset, recordDelimiter }).slices(payload.open()), feed.file);
  const writer = new CopyWriter(isText ? feed.file : AS_CSV);
  const encode = encoderFor(isText ? charset : "utf-8");
  const said = new Merged(annotations);
  let above = feed.file.preamble.length;
  let isHeader = feed.file.header && source?.header === undefined;
  // Rows that are too short are filled, so that the reasons stand below each other.
  let width = source?.header?.length ?? feed.file.columnCount ?? 0;
  let text = source?.header === undefined ? "" : writer.row([...source.header, ...ADDED]);
  yield encode("\ufeff");
  for await (const batch of batches) {
    let line = batch.firstLine;
    for (const [i, cells] of batch.rows.entries()) {
      const at = line;
      line += batch.spans?.[i] ?? 1;
      const isAside = isNoRow(batch, i, cells);
      if (above > 0 && !batch.asides?.has(i)) {
        above--;
        text += writer.row(cells);
      } else if (isAside) {
        if (rows === "all") text += writer.row(cells);
      } else if (isHeader) {
        isHeader = false;
        width = cells.length;
        text += writer.row([...cells, ...ADDED]);
      } else {
        const found = await said.at(at);
        if (found === undefined && rows === "rejected") continue;
        const missing = new Array<string>(Math.max(0, width - cells.length)).fill("");
        text += writer.row([...cells, ...missing, found?.code ?? "", found?.sentence ?? ""]);
      }
      if (text.length < BLOCK_CHARS) continue;
      yield encode(text);
      text = "";
    }
  }
  if (text !== "") yield encode(text);
}

const isNoRow = ({ asides }: RowBatch, index: number, cells: readonly string[]): boolean =>
  asides === undefined ? cells.length === 1 && cells[0]?.trim() === "" : asides.has(index);

type Written = Pick<FileFormat, "delimiter" | "recordDelimiter" | "quote" | "escape">;

const AS_CSV: Written = { delimiter: ",", recordDelimiter: "line", quote: '"', escape: "doubled" };

/** Writes rows so that they read back as the same cells. */
class CopyWriter {
  readonly #format: Written;
  readonly #end: string;

  constructor(format: Written) {
    this.#format = format;
    this.#end = format.recordDelimiter === "line" ? "\r\n" : `${format.recordDelimiter}\r\n`;
  }

  row(cells: readonly string[]): string {
    return `${cells.map((cell) => this.#cell(cell)).join(this.#format.delimiter)}${this.#end}`;
  }

  #cell(cell: string): string {
    const { delimiter, quote, recordDelimiter } = this.#format;
    const harmless = isFormula(cell) && !isPlainNumber(cell) ? `'${cell}` : cell;
    if (quote === "none") {
      // Without quotation marks nothing can hold a delimiter: only what was added could.
      const plain = harmless.replace(/[\r\n]+/g, " ").replaceAll(delimiter, " ");
      return recordDelimiter === "line" ? plain : plain.replaceAll(recordDelimiter, " ");
    }
    const needsQuotes = harmless.includes(delimiter) || harmless.includes(quote) || /[\r\n]|^\s|\s$/.test(harmless);
    if (!needsQuotes) return harmless;
    const inside =
      this.#format.escape === "doubled"
        ? harmless.replaceAll(quote, quote + quote)
        : harmless.replaceAll("\\", "\\\\").replaceAll(quote, `\\${quote}`);
    return quote + inside + quote;
  }
}

/** Annotations by line, pulled while the rows pass by; those of one row are one text. */
class Merged {
  readonly #iterator: AsyncIterator<Annotation>;
  #next: Annotation | undefined;
  #begun = false;

  constructor(annotations: AsyncIterable<Annotation>) {
    this.#iterator = annotations[Symbol.asyncIterator]();
  }

  async at(line: number): Promise<{ readonly code: string; readonly sentence: string } | undefined> {
    if (!this.#begun) await this.#pull();
    this.#begun = true;
    const codes = new Set<string>();
    const sentences: string[] = [];
    while (this.#next !== undefined && this.#next.line <= line) {
      if (this.#next.line === line) {
        codes.add(this.#next.code);
        sentences.push(this.#next.sentence);
      }
      await this.#pull();
    }
    return sentences.length === 0 ? undefined : { code: [...codes].join(", "), sentence: sentences.join(" ") };
  }

  async #pull(): Promise<void> {
    const { value, done } = await this.#iterator.next();
    this.#next = done === true ? undefined : value;
  }
}
