/**
 * The pure core of the parse stage: the bytes of one payload and its feed → chunks, rejects, books. It pulls: while the
 * sink waits nothing is read, and nothing that is held grows with the file but the set of key hashes (4 bytes a slot).
 */
import type { Feed } from "../../domain/adapter.ts";
import type { ChunkEntry } from "../../domain/chunk.ts";
import type { FailureReport } from "../../domain/failures.ts";
import type { FieldNumbers } from "../../domain/field-numbers.ts";
import type { Books } from "./books.ts";
import { ByteRows, readsAsBytes } from "./byte-rows.ts";
import { CheckedBytes } from "./checked-bytes.ts";
import { endsWithNewline } from "./file-end.ts";
import { Meter } from "./meter.ts";
import type { Reject } from "./rejects.ts";
import type { RowBatch } from "./row-batch.ts";
import { rowBatches } from "./rows.ts";
import { TableReader } from "./table-reader.ts";
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
  /** Whether its text ends with a line end; left out where it is no text that could be cut off. */
  endsWithNewline?(): boolean;
}

export interface ParseOptions {
  readonly observer?: RowObserver | undefined;
  /** Characters in a slice of text; for tests of its borders. */
  readonly sliceChars?: number;
  /** Rejects stored; MAX_STORED_REJECTS otherwise. */
  readonly maxStoredRejects?: number;
  /** Reads every row as text: for tests, which hold the reading of bytes against it. */
  readonly asText?: boolean;
  /** Name of the payload: a feed's controls may look for a number in it. */
  readonly fileName?: string | undefined;
  /** What is known of the feed's files from those before. */
  readonly expect?: { readonly endsWithNewline?: boolean | undefined } | undefined;
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
  /** What the number columns of the accepted rows come to, by name. */
  readonly fieldNumbers: Readonly<Record<string, FieldNumbers>>;
  readonly endsWithNewline: boolean;
  /** The file's number among those of its feed, where it states one; see `judgeSequence`. */
  readonly sequence: number | null;
  /** When the ERP made the file, where it states it: `yyyy-MM-ddTHH:mm:ss` with its zone. */
  readonly generatedAt: string | null;
  /**
   * `file-truncated`, `row-count-differs`, `too-many-rejects`, `control-total-differs`, `control-missing`,
   * `control-unreadable`: the file is held, its chunks are applied only when it is released.
   */
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
    return table.finish(endOf(feed, meter, checked.lines));
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
      endsWithNewline: () => endsWithNewline(meter.tail, feed.file),
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
  return table.finish({
    lines: source.lines(),
    bytes: source.bytes(),
    contentSha256: source.contentSha256(),
    endsWithNewline: source.endsWithNewline?.() ?? true,
  });
}

const endOf = (feed: Feed, meter: Meter, lines: number) => ({
  lines,
  bytes: meter.bytes,
  contentSha256: meter.sha256(),
  endsWithNewline: endsWithNewline(meter.tail, feed.file),
});
