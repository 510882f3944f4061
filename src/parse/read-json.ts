/**
 * The records of a JSON file as rows: the keys that the feed's columns name are the header. A key that a record lacks and
 * one that is null are blank cells; a key that no record has is missing, as a column would be. A broken record is a rejected
 * row.
 *
 * The lines are those of the text; a line on which several records begin counts once for each, so that every record has a
 * line of its own. Lines without a part of a record (brackets, what stands around the list) are blank.
 */
import type { Feed } from "../domain/adapter.ts";
import { placesOf } from "../domain/column.ts";
import { failure, report } from "../domain/failures.ts";
import { type JsonRecord, jsonRecords } from "./json/records.ts";
import type { Payload } from "./open/open.ts";
import { SNIFF_BYTES } from "./open/sniff.ts";
import { collect } from "./open/source.ts";
import type { LineKind } from "./table/books.ts";
import { cutValue } from "./table/cell.ts";
import { LineCounter } from "./table/lines.ts";
import { Meter } from "./table/meter.ts";
import type { RowSource } from "./table/parse-file.ts";
import type { RowFault } from "./table/records.ts";
import { ofRow, type RowBatch } from "./table/row-batch.ts";

/** Its batches throw `json-unreadable`, `missing-key` and what the payload's stream throws. */
export async function jsonSource(feed: Feed, payload: Payload): Promise<RowSource> {
  const { at } = feed.file;
  const format = await formOf(payload, at);
  const meter = new Meter();
  const counter = new LineCounter("line");
  const rows = new RecordRows(feed);
  async function* batches(): AsyncGenerator<RowBatch, void> {
    const blocks = meter.over(payload.open());
    for await (const records of jsonRecords(blocks, { format, name: payload.name, at, counter })) {
      yield rows.batch(records);
    }
    const behind = rows.behind(counter.lines);
    if (behind !== undefined) yield behind;
    rows.checkKeys();
  }
  return {
    batches: batches(),
    header: rows.header,
    lines: () => counter.lines + rows.shared,
    bytes: () => meter.bytes,
    contentSha256: () => meter.sha256(),
  };
}

/** The beginning of a payload as JSON would be written, without white space before it. Any bytes give some text. */
export async function startOf(payload: Payload): Promise<string> {
  const { bytes } = await collect(payload.open(), SNIFF_BYTES);
  return new TextDecoder(bytes[0] === 0xff ? "utf-16le" : "utf-8").decode(bytes).trimStart();
}

/** A list, or a record a line. A first record that is broken or very long hides that from the sniffer. */
export async function formOf(payload: Payload, at: readonly string[] | undefined): Promise<"json" | "ndjson"> {
  if (at !== undefined) return "json";
  if (payload.format === "ndjson") return "ndjson";
  const start = await startOf(payload);
  // One record over several lines is no list of records, and told as that.
  return start.startsWith("{") && (payload.format === "text" || !/[\r\n]/.test(start.trimEnd())) ? "ndjson" : "json";
}

/** Keys of a record that a failure shows: enough to see what was sent instead. */
const FOUND_KEYS_MAX = 50;

class RecordRows {
  readonly header: readonly string[];
  /** Records that begin on a line that another record had already. */
  shared = 0;
  /** Keys that must be there and have not been seen yet. */
  readonly #unseen: Set<string>;
  #found: readonly string[] = [];
  #records = 0;
  /** The next line of the text, and its number among the lines as they are counted here. */
  #physical = 1;
  #line = 1;

  constructor({ columns }: Feed) {
    const keysOf = (some: Feed["columns"]) => new Set(some.flatMap(({ source }) => placesOf(source)).map(String));
    this.header = [...keysOf(columns)];
    this.#unseen = keysOf(columns.filter(({ absent = "refuse" }) => absent === "refuse"));
  }

  batch(records: readonly JsonRecord[]): RowBatch {
    const batch = new Entries(this.#line);
    for (const record of records) {
      if (record.line < this.#physical) this.shared++;
      else this.#skipTo(record.line, batch);
      this.#physical = record.line + record.span;
      this.#line += record.span;
      batch.spans.push(record.span);
      batch.raws.push(record.raw);
      const { cells } = record;
      batch.rows.push(this.header.map((key) => cells?.get(key) ?? ""));
      if (cells === undefined) {
        batch.broken.set(batch.rows.length - 1, ofRow(report("broken-record", { reason: record.broken ?? "" })));
        continue;
      }
      this.#records++;
      if (this.#found.length === 0) this.#found = [...cells.keys()].slice(0, FOUND_KEYS_MAX).map(cutValue);
      for (const key of this.#unseen) if (cells.has(key)) this.#unseen.delete(key);
    }
    return batch.done();
  }

  /** What stands behind the last record, in a text of so many lines. */
  behind(lines: number): RowBatch | undefined {
    const batch = new Entries(this.#line);
    this.#skipTo(lines + 1, batch);
    return batch.rows.length === 0 ? undefined : batch.done();
  }

  /** Throws `missing-key` where there are records and none of them has it. */
  checkKeys(): void {
    if (this.#records === 0 || this.#unseen.size === 0) return;
    throw failure("missing-key", { missing: [...this.#unseen], found: [...this.#found], records: this.#records });
  }

  #skipTo(line: number, batch: Entries): void {
    const lines = line - this.#physical;
    if (lines <= 0) return;
    batch.asides.set(batch.rows.length, "blank");
    batch.rows.push([""]);
    batch.spans.push(lines);
    batch.raws.push("");
    this.#physical = line;
    this.#line += lines;
  }
}

/** A batch in the making. */
class Entries {
  readonly rows: (readonly string[])[] = [];
  readonly spans: number[] = [];
  readonly raws: string[] = [];
  readonly broken = new Map<number, readonly RowFault[]>();
  readonly asides = new Map<number, LineKind>();
  readonly #firstLine: number;

  constructor(firstLine: number) {
    this.#firstLine = firstLine;
  }

  done(): RowBatch {
    const { rows, spans, raws, broken, asides } = this;
    return { rows, firstLine: this.#firstLine, spans, broken, asides, raw: (index) => raws[index] ?? "" };
  }
}
