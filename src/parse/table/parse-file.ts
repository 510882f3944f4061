/**
 * The pure core of the parse stage: the bytes of one payload and its feed → chunks, rejects, books. It pulls: while the
 * sink waits nothing is read, and nothing that is held grows with the file but the set of key hashes (4 bytes a slot).
 */
import type { Feed } from "../../domain/adapter.ts";
import { type ChunkEntry, MAX_DUPLICATE_ROWS, TAIL_FIRST_N } from "../../domain/chunk.ts";
import { type FailureReport, failure, report } from "../../domain/failures.ts";
import { Bookkeeper, type Books } from "./books.ts";
import { ByteRecordBuilder } from "./byte-columns.ts";
import { ByteRows, MORE, ODD, readsAsBytes } from "./byte-rows.ts";
import { cutValue, trimCell } from "./cell.ts";
import { CheckedBytes } from "./checked-bytes.ts";
import { ChunkWriter } from "./chunk-writer.ts";
import { KeyHashSet } from "./duplicates.ts";
import { hashWords } from "./hash.ts";
import { bindColumns, type Layout } from "./layout.ts";
import { Meter } from "./meter.ts";
import { RecordBuilder, type RowFault } from "./records.ts";
import { type Reject, RejectCollector } from "./rejects.ts";
import { ofRow, type RowBatch } from "./row-batch.ts";
import { rowBatches } from "./rows.ts";
import { TextReader } from "./text.ts";

export type { Books } from "./books.ts";
export type { Reject } from "./rejects.ts";

/** Takes what is made, in the order of the file. Reading goes on when the promise is fulfilled. */
export interface ParseSink {
  /** The bytes are the sink's to keep. */
  chunk(entry: ChunkEntry, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  rejects(batch: Reject[]): Promise<void>;
}

/**
 * Looks on while a file is read: how the format profile gets to know its columns. The texts are valid for the call only
 * (a kept substring would keep its slice of the file alive).
 */
export interface RowObserver {
  /** `line`: where it stands, 1-based; undefined where the names are not a line of the file. */
  header(cells: readonly string[], line?: number): void;
  /** Whether the data row of that number (1-based) is wanted: a row that nobody wants need not become text. */
  wants(row: number): boolean;
  row(cells: readonly string[], line: number): void;
}

/** Rows from any kind of file, and what is known when they are at their end. */
export interface RowSource {
  readonly batches: AsyncIterable<RowBatch>;
  /** Names of the columns where they stand in no line of the file, as the keys of records do. */
  readonly header?: readonly string[];
  /** Lines of the whole file: those of its text, or the rows of a sheet. */
  lines(): number;
  /** Of the payload as it came. */
  bytes(): number;
  contentSha256(): string;
}

export interface ParseOptions {
  readonly observer?: RowObserver | undefined;
  /** Characters in a slice of text; for tests of its borders. */
  readonly sliceChars?: number;
  /** Rejects stored; MAX_STORED_REJECTS otherwise. */
  readonly maxStoredRejects?: number;
  /** Reads every row as text: for tests, which hold the reading of bytes against it. */
  readonly asText?: boolean;
}

export interface ParsedFile {
  /** Main chunks first, then tail chunks. */
  readonly chunks: ChunkEntry[];
  readonly books: Books;
  /** Of the payload as it came. */
  readonly bytes: number;
  readonly contentSha256: string;
  /** Cells of the preamble lines. */
  readonly preamble: string[][];
  /** Data rows: accepted and rejected. */
  readonly rows: number;
  /** Faults stored; those beyond the limit are counted in the books only. */
  readonly rejectsStored: number;
  /** `too-many-rejects`: the file is held, its chunks are never applied. */
  readonly failure: FailureReport | null;
}

/**
 * Parses one payload. Throws a Failure where the file is refused whole: `file-empty`, `wrong-charset`, `nul-bytes`,
 * `no-header`, `missing-column`, `duplicate-column`, `wrong-preamble`, `bad-preamble-value`, `wrong-column-count`,
 * `unclosed-quote`, `row-too-long`, `too-many-rows`, `too-many-duplicates`, `books-unbalanced`; and whatever the sink throws.
 * The same bytes and feed give the same chunks, however the bytes are cut into blocks.
 */
export async function parseFile(
  feed: Feed,
  blocks: AsyncIterable<Uint8Array>,
  sink: ParseSink,
  options: ParseOptions = {},
): Promise<ParsedFile> {
  const meter = new Meter();
  const payload = meter.over(blocks);
  if (readsAsBytes(feed.file) && options.asText !== true) {
    const table = new TableReader(feed, sink, options);
    const checked = new CheckedBytes(feed.file.charset);
    const rows = new ByteRows(feed.file);
    for await (const window of checked.windows(payload)) {
      rows.add(window);
      await table.readBytes(rows, false);
    }
    await table.readBytes(rows, true);
    return table.finish(checked.lines, meter.bytes, meter.sha256());
  }
  const { charset, recordDelimiter } = feed.file;
  const sliceChars = options.sliceChars === undefined ? {} : { sliceChars: options.sliceChars };
  const text = new TextReader({ charset, recordDelimiter, ...sliceChars });
  return parseRows(
    feed,
    {
      batches: rowBatches(text.slices(payload), feed.file),
      lines: () => text.lines,
      bytes: () => meter.bytes,
      contentSha256: () => meter.sha256(),
    },
    sink,
    options,
  );
}

/** The same for rows that are found already, whatever they were found in. */
export async function parseRows(
  feed: Feed,
  source: RowSource,
  sink: ParseSink,
  options: ParseOptions = {},
): Promise<ParsedFile> {
  const table = new TableReader(feed, sink, options);
  if (source.header !== undefined) table.nameColumns(source.header);
  for await (const batch of source.batches) await table.read(batch);
  return table.finish(source.lines(), source.bytes(), source.contentSha256());
}

/** One file on its way: preamble, header, data, footer. */
class TableReader {
  readonly #feed: Feed;
  readonly #sink: ParseSink;
  readonly #books = new Bookkeeper();
  readonly #preamble: string[][] = [];
  #wrongPreamble: Error | null = null;
  #layout: Layout | null = null;
  #builder: RecordBuilder | null = null;
  #byteBuilder: ByteRecordBuilder | null = null;
  #inFooter = false;
  /** Whether a chunk is full since the last row was accepted. */
  #due = false;
  #sawText = false;
  #rows = 0;
  #duplicates = 0;
  readonly #keys = new KeyHashSet();
  readonly #words = hashWords();
  readonly #main = new ChunkWriter(0, false);
  readonly #tail = new ChunkWriter(TAIL_FIRST_N, true);
  readonly #mainEntries: ChunkEntry[] = [];
  readonly #tailEntries: ChunkEntry[] = [];
  readonly #rejects: RejectCollector;
  readonly #observer: RowObserver | undefined;

  constructor(feed: Feed, sink: ParseSink, options: ParseOptions) {
    this.#feed = feed;
    this.#sink = sink;
    this.#observer = options.observer;
    this.#rejects = new RejectCollector(options.maxStoredRejects);
  }

  /** Binds the columns by names that stand in no line. */
  nameColumns(names: readonly string[]): void {
    this.#sawText = true;
    this.#observer?.header(names);
    this.#begin(bindColumns(this.#feed, [], { cells: names, line: 1 }));
  }

  async read(batch: RowBatch): Promise<void> {
    const { rows, spans } = batch;
    let line = batch.firstLine;
    for (let i = 0; i < rows.length; i++) {
      const span = spans === null ? 1 : spans[i]!;
      if (this.#take(rows[i]!, line, span, batch, i)) await this.#flush(false);
      line += span;
    }
  }

  /** Reads the rows that are whole: the usual ones from their bytes, all others as text. */
  async readBytes(rows: ByteRows, atEnd: boolean): Promise<void> {
    for (let found = rows.next(atEnd); found !== MORE; found = rows.next(atEnd)) {
      if (found === ODD) {
        const batch = rows.oddAsText(atEnd);
        if (batch.rows.length === 0) return;
        await this.read(batch);
      } else if (!this.#takeBytes(rows)) await this.read(rows.asText());
      else if (this.#due) await this.#flush(false);
    }
  }

  async finish(lines: number, bytes: number, contentSha256: string): Promise<ParsedFile> {
    if (!this.#sawText) throw failure("file-empty", {});
    const { preamble, header } = this.#feed.file;
    if (this.#preamble.length < preamble.length) throw this.#preambleFault("", this.#preamble.length + 1);
    if (this.#layout === null && header) throw failure("no-header", { lines });
    await this.#flush(true);
    const books = this.#books.close(lines, this.#main.rowsWritten + this.#tail.rowsWritten);
    return {
      chunks: [...this.#mainEntries, ...this.#tailEntries],
      books,
      bytes,
      contentSha256,
      preamble: this.#preamble,
      rows: this.#rows,
      rejectsStored: this.#rejects.stored,
      failure: tooManyRejects(this.#feed, books),
    };
  }

  /** Takes one row. True when something waits to be given to the sink. */
  #take(cells: readonly string[], line: number, span: number, batch: RowBatch, index: number): boolean {
    const { file } = this.#feed;
    const aside = batch.asides?.get(index);
    if (aside !== undefined) {
      this.#books.enterLines(this.#inFooter ? "footer" : aside, span);
      return false;
    }
    const blank = batch.asides === undefined && cells.length === 1 && trimCell(cells[0]!) === "";
    if (!blank) {
      this.#sawText = true;
      if (this.#wrongPreamble) throw this.#wrongPreamble;
    }
    if (this.#inFooter) {
      this.#books.enter("footer", span);
      return false;
    }
    if (this.#preamble.length < file.preamble.length) {
      this.#takePreamble(cells, line, span, batch.raw(index));
      return false;
    }
    if (blank) {
      this.#books.enter("blank", span);
      return false;
    }
    if (this.#layout === null && file.header) {
      this.#observer?.header(cells, line);
      this.#begin(bindColumns(this.#feed, this.#preamble, { cells, line }));
      this.#books.enter("header", span);
      return false;
    }
    if (file.footer !== undefined && trimCell(cells[0]!).startsWith(file.footer.startsWith)) {
      this.#inFooter = true;
      this.#books.enter("footer", span);
      return false;
    }
    if (this.#layout === null) this.#beginWithoutHeader(cells, line, batch.broken?.has(index) === true);
    return this.#takeRow(cells, line, span, batch, index);
  }

  /** The lines of the preamble are known by their number; blank ones count. Whether the file is empty is decided first. */
  #takePreamble(cells: readonly string[], line: number, span: number, raw: string): void {
    const at = this.#preamble.length;
    const expected = this.#feed.file.preamble[at]!.startsWith;
    if (!raw.startsWith(expected) && !cells[0]!.startsWith(expected)) {
      const fault = this.#preambleFault(raw, line);
      if (this.#sawText) throw fault;
      this.#wrongPreamble ??= fault;
    }
    // Copies: a substring would keep its slice alive.
    this.#preamble.push(JSON.parse(JSON.stringify(cells)) as string[]);
    this.#books.enter("preamble", span);
  }

  #preambleFault(found: string, line: number): Error {
    const expected = this.#feed.file.preamble[this.#preamble.length]!.startsWith;
    return failure("wrong-preamble", { line, expected, found: cutValue(found) });
  }

  #begin(layout: Layout): void {
    this.#layout = layout;
    this.#builder = new RecordBuilder(layout);
    this.#byteBuilder = readsAsBytes(this.#feed.file) ? new ByteRecordBuilder(layout, this.#feed.file.charset) : null;
  }

  /** Takes a data row from its bytes; false, with nothing changed, where it must be looked at as text. */
  #takeBytes(rows: ByteRows): boolean {
    const { file, limits } = this.#feed;
    const builder = this.#byteBuilder;
    if (builder === null || this.#inFooter || this.#rows === limits.maxRows) return false;
    if (this.#observer?.wants(this.#rows + 1) === true) return false;
    const { width } = this.#layout!;
    // A row of one cell may be a blank line, and one with a footer's first letter the footer.
    if (rows.cells !== width || width === 1 || (file.footer && rows.mayStartWith(file.footer.startsWith))) return false;
    const main = this.#main;
    if (!builder.build(rows, this.#rows + 1, main.records, main.keys)) {
      main.drop();
      return false;
    }
    this.#rows++;
    this.#accept(rows.line, rows.span);
    return true;
  }

  /** Without a header the first row shows whether this is the right file at all. */
  #beginWithoutHeader(cells: readonly string[], line: number, broken: boolean): void {
    const layout = bindColumns(this.#feed, this.#preamble, null);
    if (!broken && cells.length !== layout.width) {
      throw failure("wrong-column-count", { line, expected: layout.width, found: cells.length });
    }
    this.#begin(layout);
  }

  #takeRow(cells: readonly string[], line: number, span: number, batch: RowBatch, index: number): boolean {
    const builder = this.#builder!;
    const { maxRows } = this.#feed.limits;
    if (++this.#rows > maxRows) throw failure("too-many-rows", { limit: maxRows });

    if (this.#observer?.wants(this.#rows) === true) this.#observer.row(cells, line);
    const main = this.#main;
    const { width } = this.#layout!;
    const faults: readonly RowFault[] | null =
      batch.broken?.get(index) ??
      (cells.length === width
        ? builder.build(cells, this.#rows, main.records)
        : ofRow(report("row-width", { expected: width, found: cells.length })));

    if (faults !== null) {
      main.drop();
      this.#books.enter("rejected", span);
      return this.#rejects.add(line, faults, cells, () => batch.raw(index));
    }
    main.keys.text(builder.key);
    this.#accept(line, span);
    return this.#due;
  }

  /** Makes a row of the record and the key that stand behind the last row of the main chunk. */
  #accept(line: number, span: number): void {
    const main = this.#main;
    this.#books.enter("accepted", span);
    main.hashKey(this.#words);
    if (this.#keys.add(this.#words[0]!, this.#words[1]!)) {
      this.#due = main.commit(line);
      return;
    }
    if (++this.#duplicates > MAX_DUPLICATE_ROWS) throw failure("too-many-duplicates", { limit: MAX_DUPLICATE_ROWS });
    main.moveTo(this.#tail);
    this.#due = this.#tail.commit(line);
  }

  async #flush(atEnd: boolean): Promise<void> {
    for (const { entry, bytes } of this.#main.take(atEnd)) {
      await this.#sink.chunk(entry, bytes);
      this.#mainEntries.push(entry);
    }
    for (const { entry, bytes } of this.#tail.take(atEnd)) {
      await this.#sink.chunk(entry, bytes);
      this.#tailEntries.push(entry);
    }
    if (!atEnd && !this.#rejects.full) return;
    const batch = this.#rejects.take();
    if (batch.length > 0) await this.#sink.rejects(batch);
  }
}

function tooManyRejects(feed: Feed, { accepted, rejected }: Books): FailureReport | null {
  const { maxRejects, maxRejectShare } = feed.limits;
  const rows = accepted + rejected;
  if (rejected > maxRejects) return report("too-many-rejects", { rejected, rows, limit: `${maxRejects} rows` });
  if (rejected > rows * maxRejectShare) {
    return report("too-many-rejects", { rejected, rows, limit: `${Number((maxRejectShare * 100).toFixed(2))} %` });
  }
  return null;
}
