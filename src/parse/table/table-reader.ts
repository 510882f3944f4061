/**
 * One file on its way from rows to chunks, rejects and books: what each row is (preamble, header, data, footer), and what
 * becomes of the data.
 */
import type { Feed } from "../../domain/adapter.ts";
import { type ChunkEntry, MAX_DUPLICATE_ROWS, TAIL_FIRST_N } from "../../domain/chunk.ts";
import { failure, report } from "../../domain/failures.ts";
import { Bookkeeper } from "./books.ts";
import { ByteRecordBuilder } from "./byte-columns.ts";
import { type ByteRows, type Found, MORE, ROW, readsAsBytes } from "./byte-rows.ts";
import { cutValue, trimCell } from "./cell.ts";
import { ChunkWriter } from "./chunk-writer.ts";
import type { ReadFacts, StatedLine } from "./controls.ts";
import { KeyHashSet } from "./duplicates.ts";
import { FieldTallies } from "./field-tallies.ts";
import type { FileEnd, ShortRow } from "./file-end.ts";
import { hashWords } from "./hash.ts";
import { bindColumns, type Header, type Layout } from "./layout.ts";
import type { ParsedFile, ParseOptions, ParseSink, RowObserver } from "./parse-file.ts";
import { RecordBuilder, type RowFault } from "./records.ts";
import { RAW_MAX_CHARS, RejectCollector } from "./rejects.ts";
import { RepeatedHeader } from "./repeated-header.ts";
import { ofRow, type RowBatch } from "./row-batch.ts";
import { Tally } from "./tally.ts";
import { verdictOf } from "./verdict.ts";

/** Footer lines that are kept to be asked what they state: a trailer has one or two. */
const FOOTER_KEPT_LINES = 20;

/** In the place of what was found: a chunk is full. */
const FULL = 3;

/** What is known of a file when all of it was read. */
export interface WholeFile {
  readonly lines: number;
  readonly bytes: number;
  readonly contentSha256: string;
  readonly endsWithNewline: boolean;
}

export class TableReader {
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
  readonly #options: ParseOptions;
  readonly #observer: RowObserver | undefined;
  /** The header, where it is a line that may come again. */
  #header: RepeatedHeader | null = null;
  /** Columns whose values are added up, by name; null where there are none. */
  readonly #tallies: ReadonlyMap<string, Tally> | null;
  #fields: FieldTallies | null = null;
  /** Lines that state something, as they stand: only where something is asked of them. */
  readonly #stated: { readonly preamble: StatedLine[]; readonly footer: StatedLine[] } | null;
  /** The row that was read last, if it has too few cells. */
  #shortRow: ShortRow | null = null;

  constructor(feed: Feed, sink: ParseSink, options: ParseOptions) {
    this.#feed = feed;
    this.#sink = sink;
    this.#options = options;
    this.#observer = options.observer;
    this.#tallies = talliesOf(feed);
    this.#stated = feed.controls === undefined ? null : { preamble: [], footer: [] };
    this.#rejects = new RejectCollector(options.maxStoredRejects);
  }

  /** Binds the columns by names that stand in no line. */
  nameColumns(names: readonly string[]): void {
    this.#sawText = true;
    this.#observer?.header(names);
    this.#begin({ cells: names, line: 1 });
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
    for (let stop = this.#takeUsual(rows, atEnd); stop !== MORE; stop = this.#takeUsual(rows, atEnd)) {
      if (stop === FULL) await this.#flush(false);
      else if (stop === ROW) await this.read(rows.asText());
      else {
        const batch = rows.oddAsText(atEnd);
        if (batch.rows.length === 0) return;
        await this.read(batch);
      }
    }
  }

  /** Takes rows from their bytes until a chunk is full, or one (ROW, ODD) must be read as text, or more bytes must come. */
  #takeUsual(rows: ByteRows, atEnd: boolean): Found | typeof FULL {
    for (;;) {
      const found = rows.next(atEnd);
      if (found !== ROW || !this.#takeBytes(rows)) return found;
      if (this.#due) return FULL;
    }
  }

  async finish({ lines, bytes, contentSha256, endsWithNewline }: WholeFile): Promise<ParsedFile> {
    if (!this.#sawText) throw failure("file-empty", {});
    const { preamble, header } = this.#feed.file;
    if (this.#preamble.length < preamble.length) throw this.#preambleFault("", this.#preamble.length + 1);
    if (this.#layout === null && header) throw failure("no-header", { lines });
    await this.#flush(true);
    const books = this.#books.close(lines, this.#main.rowsWritten + this.#tail.rowsWritten);
    const { footer = [], preamble: stated = [] } = this.#stated ?? {};
    const facts: ReadFacts = {
      preamble: stated,
      footer,
      fileName: this.#options.fileName,
      rows: this.#rows,
      rejected: books.rejected,
      columns: this.#feed.columns,
      tallies: this.#tallies ?? new Map(),
    };
    const end: FileEnd = {
      kind: this.#feed.file.kind,
      bytes,
      lines,
      rows: this.#rows,
      endsWithNewline,
      newlineExpected: this.#options.expect?.endsWithNewline,
      shortRow: this.#shortRow,
    };
    return {
      chunks: [...this.#mainEntries, ...this.#tailEntries],
      books,
      bytes,
      contentSha256,
      preamble: this.#preamble,
      rows: this.#rows,
      rejectsStored: this.#rejects.stored,
      fieldNumbers: this.#fields?.numbers ?? {},
      endsWithNewline,
      ...verdictOf(this.#feed, books, facts, end, this.#inFooter),
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
      if (!blank) this.#takeFooter(cells, span, batch.raw(index));
      else this.#books.enter("footer", span);
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
      this.#begin({ cells, line });
      this.#header = new RepeatedHeader(copied(cells));
      this.#books.enter("header", span);
      return false;
    }
    if (file.footer !== undefined && trimCell(cells[0]!).startsWith(file.footer.startsWith)) {
      this.#inFooter = true;
      this.#takeFooter(cells, span, batch.raw(index));
      return false;
    }
    if (this.#header?.is(cells) === true) {
      this.#books.enter("header", span);
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
    const kept = copied(cells);
    this.#preamble.push(kept);
    this.#stated?.preamble.push({ cells: kept, raw: copied([raw])[0]! });
    this.#books.enter("preamble", span);
  }

  #takeFooter(cells: readonly string[], span: number, raw: string): void {
    const { footer } = this.#stated ?? {};
    if (footer !== undefined && footer.length < FOOTER_KEPT_LINES) {
      footer.push({ cells: copied(cells), raw: copied([raw.slice(0, RAW_MAX_CHARS)])[0]! });
    }
    this.#books.enter("footer", span);
  }

  #preambleFault(found: string, line: number): Error {
    const expected = this.#feed.file.preamble[this.#preamble.length]!.startsWith;
    return failure("wrong-preamble", { line, expected, found: cutValue(found) });
  }

  #begin(header: Header | null): void {
    const layout = bindColumns(this.#feed, this.#preamble, header, this.#tallies ?? undefined);
    this.#layout = layout;
    this.#builder = new RecordBuilder(layout);
    this.#fields = new FieldTallies(layout);
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
    if (this.#header?.mayBe(rows) === true) return false;
    const main = this.#main;
    if (!builder.build(rows, this.#rows + 1, main.records, main.keys)) {
      main.drop();
      return false;
    }
    this.#rows++;
    this.#fields!.addSizes(builder.sizes);
    this.#accept(rows.line, rows.span);
    return true;
  }

  /** Without a header the first row shows whether this is the right file at all. */
  #beginWithoutHeader(cells: readonly string[], line: number, broken: boolean): void {
    this.#begin(null);
    const { width } = this.#layout!;
    if (!broken && cells.length !== width) {
      throw failure("wrong-column-count", { line, expected: width, found: cells.length });
    }
  }

  #takeRow(cells: readonly string[], line: number, span: number, batch: RowBatch, index: number): boolean {
    const builder = this.#builder!;
    const { maxRows } = this.#feed.limits;
    if (++this.#rows > maxRows) throw failure("too-many-rows", { limit: maxRows });

    if (this.#observer?.wants(this.#rows) === true) this.#observer.row(cells, line);
    const main = this.#main;
    const { width } = this.#layout!;
    // Of a row whose cells cannot be told apart nobody knows the key either.
    const broken =
      batch.broken?.get(index) ??
      (cells.length === width ? null : ofRow(report("row-width", { expected: width, found: cells.length })));
    const faults: readonly RowFault[] | null = broken ?? builder.build(cells, this.#rows, main.records);

    if (faults !== null) {
      this.#closeTallies(false);
      this.#shortRow =
        cells.length < width && !batch.broken?.has(index) ? { line, expected: width, found: cells.length } : null;
      main.drop();
      this.#books.enter("rejected", span);
      const key = broken === null ? builder.refusedKey : null;
      return this.#rejects.add(line, faults, key, cells, () => batch.raw(index));
    }
    main.keys.text(builder.key);
    this.#fields!.addTexts(builder.bodies);
    this.#accept(line, span);
    return this.#due;
  }

  /** Makes a row of the record and the key that stand behind the last row of the main chunk. */
  #accept(line: number, span: number): void {
    const main = this.#main;
    this.#shortRow = null;
    if (this.#tallies !== null) this.#closeTallies(true);
    this.#books.accept(span);
    main.hashKey(this.#words);
    if (this.#keys.add(this.#words[0]!, this.#words[1]!)) {
      this.#due = main.commit(line);
      return;
    }
    if (++this.#duplicates > MAX_DUPLICATE_ROWS) throw failure("too-many-duplicates", { limit: MAX_DUPLICATE_ROWS });
    main.moveTo(this.#tail);
    this.#due = this.#tail.commit(line);
  }

  #closeTallies(accepted: boolean): void {
    for (const tally of this.#tallies?.values() ?? []) tally.close(accepted);
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

/** Copies: a substring would keep its slice alive. */
const copied = (cells: readonly string[]): string[] => JSON.parse(JSON.stringify(cells)) as string[];

function talliesOf({ controls, columns }: Feed): ReadonlyMap<string, Tally> | null {
  if (controls?.totals === undefined) return null;
  const names = new Set(controls.totals.map(({ column }) => column));
  return new Map(
    columns
      .filter(({ name }) => names.has(name))
      .map((column) => [column.name, new Tally(column.type === "decimal" ? column.scale : 0)]),
  );
}
