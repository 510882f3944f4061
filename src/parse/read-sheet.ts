/**
 * The rows of a workbook's sheet as rows of a feed, numbered as Excel numbers them. Rows end with their last cell that is
 * not empty, so short ones are filled to the width of the table; rows without any text in it, and those that are not in the
 * file, are blank. What stands to the right of the header is of no column (a cell says its place, so it shifts nothing). A cell that must not be taken for what it shows (an error, a formula that was not calculated) is a fault of its
 * row where the feed reads its column.
 */
import type { Column, Feed } from "../domain/adapter.ts";
import { labelOf, placesOf } from "../domain/column.ts";
import { failure, report } from "../domain/failures.ts";
import type { Payload } from "./open/open.ts";
import { type ByteSource, exactBlocks } from "./open/source.ts";
import { type CellIssue, type SheetBatch, sheetRows } from "./sheet/rows.ts";
import type { LineKind } from "./table/books.ts";
import { cutValue, trimCell } from "./table/cell.ts";
import { Meter } from "./table/meter.ts";
import type { RowSource } from "./table/parse-file.ts";
import type { RowFault } from "./table/records.ts";
import type { RowBatch } from "./table/row-batch.ts";

/**
 * The workbook is read twice: its bytes for size and hash, then its parts in the order that they need.
 * Throws what the payload's source throws; its batches throw what `sheetRows` throws, and `bad-preamble-value`.
 */
export async function sheetSource(feed: Feed, payload: Payload): Promise<RowSource> {
  const source: ByteSource = await payload.source();
  const meter = new Meter();
  for await (const _ of meter.over(exactBlocks(source, 0, source.size)));
  const rows = new SheetTable(feed);
  async function* batches(): AsyncGenerator<RowBatch, void> {
    for await (const batch of sheetRows(source, { sheet: feed.file.sheet, name: payload.name }))
      yield rows.batch(batch);
  }
  return {
    batches: batches(),
    lines: () => rows.lines,
    bytes: () => meter.bytes,
    contentSha256: () => meter.sha256(),
  };
}

/** No bound of its own: the sheet reader has one. */
const ANY_WIDTH = Number.MAX_SAFE_INTEGER;

class SheetTable {
  /** Rows of the sheet so far, gaps among them. */
  lines = 0;
  readonly #feed: Feed;
  readonly #titles: number;
  /** Cells of every row; undefined until the header has shown it. */
  #width: number | undefined;
  /** By the index of the cell: what the customer calls a column that the feed reads. */
  #labels = new Map<number, string>();

  constructor(feed: Feed) {
    this.#feed = feed;
    this.#titles = feed.file.preamble.length;
    if (!feed.file.header) this.#begin([], feed.file.columnCount ?? 0);
  }

  batch({ firstRow, rows, issues }: SheetBatch): RowBatch {
    const first = this.lines + 1;
    const read: (readonly string[])[] = [];
    const spans: number[] = [];
    const broken = new Map<number, readonly RowFault[]>();
    const asides = new Map<number, LineKind>();
    // Title rows are known by their number, the empty ones too.
    for (; this.lines < Math.min(firstRow - 1, this.#titles); this.lines++) {
      read.push([""]);
      spans.push(1);
    }
    const gap = firstRow - 1 - this.lines;
    if (gap > 0) {
      asides.set(read.length, "blank");
      read.push([""]);
      spans.push(gap);
    }
    let at = 0;
    for (const [i, all] of rows.entries()) {
      const row = firstRow + i;
      const end = this.#feed.file.header && row > this.#titles ? (this.#width ?? ANY_WIDTH) : ANY_WIDTH;
      const cells = all.length > end ? all.slice(0, end) : all;
      const own: CellIssue[] = [];
      for (; issues[at]?.row === row; at++) if (issues[at]!.column < end) own.push(issues[at]!);
      const isBlank = own.length === 0 && cells.every((cell) => trimCell(cell) === "");
      if (row <= this.#titles) this.#checkTitle(row, cells, own);
      else if (isBlank) asides.set(read.length, "blank");
      else if (this.#width === undefined) this.#begin(cells, cells.length);
      else {
        const faults = this.#faults(cells, own);
        if (faults.length > 0) broken.set(read.length, faults);
      }
      read.push(isBlank ? [""] : filled(cells, row <= this.#titles ? 1 : (this.#width ?? 1)));
      spans.push(1);
    }
    this.lines = firstRow + rows.length - 1;
    return {
      rows: read,
      firstLine: first,
      spans,
      broken: broken.size === 0 ? null : broken,
      asides,
      raw: (index) => (read[index] ?? []).join("\t"),
    };
  }

  #begin(names: readonly string[], width: number): void {
    this.#width = width;
    const header = names.map(trimCell);
    for (const column of this.#feed.columns) {
      for (const place of placesOf(column.source)) {
        const index = typeof place === "string" ? header.indexOf(place) : place - 1;
        if (index >= 0) this.#labels.set(index, typeof place === "string" ? place : labelOf(column));
      }
    }
  }

  #faults(cells: readonly string[], issues: readonly CellIssue[]): RowFault[] {
    return issues.flatMap(({ column: at, kind }) => {
      const column = this.#labels.get(at);
      if (column === undefined) return [];
      const why =
        kind === "error"
          ? report("cell-error", { column, value: cutValue(cells[at] ?? "") })
          : report("cell-not-calculated", { column });
      return [{ report: why, column, at }];
    });
  }

  /** A title that holds for every row of the file, and does not say what it shows, fails the file. */
  #checkTitle(row: number, cells: readonly string[], issues: readonly CellIssue[]): void {
    for (const { column: at } of issues) {
      const reader = this.#feed.columns.find((column) =>
        titlesOf(column).some((t) => t.preamble === row && t.field === at + 1),
      );
      if (reader === undefined) continue;
      const value = cutValue(cells[at] ?? "");
      throw failure("bad-preamble-value", { line: row, field: at + 1, column: labelOf(reader), value });
    }
  }
}

function titlesOf(column: Column): { readonly preamble: number; readonly field: number }[] {
  const { source } = column;
  return [
    ...("preamble" in source ? [source] : []),
    ...(column.type === "date" && column.fiscalYearStart !== undefined ? [column.fiscalYearStart] : []),
  ];
}

const filled = (cells: readonly string[], width: number): readonly string[] =>
  cells.length >= width ? cells : [...cells, ...new Array<string>(width - cells.length).fill("")];
