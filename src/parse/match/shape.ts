/**
 * Learns what the values of each column look like while a file is parsed: a bounded sample of rows, each value put into one
 * of few classes. The shares of the classes are the column's shape, kept in the format profile.
 */
import type { ColumnShape, ProfileColumn } from "../../domain/feed-version.ts";
import { trimCell } from "../table/cell.ts";
import type { RowObserver } from "../table/parse-file.ts";
import { classOf } from "./classes.ts";
import type { FoundLine } from "./found.ts";

/** What a parse saw of a file. */
export interface Observed {
  /** Names of the header, trimmed; null where the feed's files have none. */
  readonly header: readonly string[] | null;
  /** In the order of the file, with their shapes; readings are empty. */
  readonly columns: readonly ProfileColumn[];
  /** Header and first rows, for the eyes; only where the parse told their lines. */
  readonly lines: readonly FoundLine[];
}

/** Rows of the beginning that are all looked at: enough for a shape of its own, and for every row of a small file. */
const FIRST_ROWS = 500;
/**
 * Behind them every row is wanted whose number is this much higher than the last one's: 1,280 more in a file of 300,000
 * rows, 1,850 in one of five million. Which rows they are follows from their numbers alone, so a replay sees the same.
 */
const GROWTH = 1.005;
/** Columns that are looked at; a sheet's widest is a hundred times that, and no feed. */
const COLUMNS_MAX = 2_000;
/** Lines kept for the eyes, and characters of each. */
const SHOWN_LINES = 4;
const LINE_MAX_CHARS = 300;

/** Give one to each parse (`options.observer`), then ask `observed()`. It is useful even where the parse threw. */
export class ShapeCollector implements RowObserver {
  readonly #delimiter: string;
  #header: readonly string[] | null = null;
  #columns: ColumnCounter[] = [];
  readonly #lines: FoundLine[] = [];
  #next = FIRST_ROWS + 1;
  #asked = 0;

  /** `delimiter`: put between the cells of the lines that are shown. */
  constructor(delimiter = ";") {
    this.#delimiter = delimiter;
  }

  header(cells: readonly string[], line?: number): void {
    this.#header = cells.slice(0, COLUMNS_MAX).map((cell) => detached(trimCell(cell)));
    this.#columns = this.#header.map(() => new ColumnCounter());
    this.#show(cells, line);
  }

  wants(row: number): boolean {
    this.#asked = row;
    return row <= FIRST_ROWS || row >= this.#next;
  }

  /** Rows that are not as wide as the table are another's business. */
  row(cells: readonly string[], line?: number): void {
    if (this.#asked >= this.#next) this.#next = Math.ceil(this.#asked * GROWTH) + 1;
    if (this.#columns.length === 0) {
      this.#columns = cells.slice(0, COLUMNS_MAX).map(() => new ColumnCounter());
    }
    this.#show(cells, line);
    if (Math.min(cells.length, COLUMNS_MAX) !== this.#columns.length) return;
    for (let i = 0; i < this.#columns.length; i++) this.#columns[i]!.add(cells[i]!);
  }

  observed(): Observed {
    const columns = this.#columns.map((column, i): ProfileColumn => {
      const shape = column.shape();
      return { name: this.#header?.[i] ?? null, reading: {}, ...(shape === undefined ? {} : { shape }) };
    });
    return { header: this.#header, columns, lines: this.#lines };
  }

  #show(cells: readonly string[], line: number | undefined): void {
    if (line === undefined || this.#lines.length >= SHOWN_LINES) return;
    this.#lines.push({ line, text: detached(cells.join(this.#delimiter).slice(0, LINE_MAX_CHARS)) });
  }
}

/** What a collector sees of rows that are found already. */
export function observedIn(header: readonly string[] | null, rows: readonly (readonly string[])[]): Observed {
  const collector = new ShapeCollector();
  if (header !== null) collector.header(header);
  for (const [i, row] of rows.entries()) if (collector.wants(i + 1)) collector.row(row);
  return collector.observed();
}

class ColumnCounter {
  readonly #counts = new Map<string, number>();
  #values = 0;
  #shortest = Number.MAX_SAFE_INTEGER;
  #longest = 0;

  add(cell: string): void {
    const found = classOf(cell);
    if (found === null) return;
    this.#counts.set(found, (this.#counts.get(found) ?? 0) + 1);
    this.#values++;
    if (cell.length < this.#shortest) this.#shortest = cell.length;
    if (cell.length > this.#longest) this.#longest = cell.length;
  }

  /** Undefined where no value was seen. */
  shape(): ColumnShape | undefined {
    if (this.#values === 0) return undefined;
    const values = this.#values;
    const counts = [...this.#counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
    const classes = Object.fromEntries(counts.map(([name, count]) => [name, rounded(count / values)]));
    return { classes, values, lengths: [this.#shortest, this.#longest] };
  }
}

/** Four digits: a share of one row in the whole sample still shows. */
const rounded = (share: number): number => Math.round(share * 10_000) / 10_000;

/** A copy that shares no memory with the slice it was cut from. */
const detached = (text: string): string => JSON.parse(JSON.stringify(text)) as string;
