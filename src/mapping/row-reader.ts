/** Single rows read by a feed, with the code that reads files: there is no second meaning of a mapping. */
import type { Feed } from "../domain/adapter.ts";
import { type FailureReport, report } from "../domain/failures.ts";
import { Bytes } from "../parse/table/bytes.ts";
import { bindColumns, type Layout } from "../parse/table/layout.ts";
import { RecordBuilder } from "../parse/table/records.ts";

export type FieldValue = string | number | boolean | null;
export type ReadRecord = Readonly<Record<string, FieldValue>>;

/** Why a row is refused. */
export interface RowRefusal {
  readonly report: FailureReport;
  /** What the customer calls the column; null where the fault is of the row. */
  readonly column: string | null;
}

export type ReadRow =
  | { readonly kind: "record"; readonly key: string; readonly record: ReadRecord }
  | { readonly kind: "refused"; readonly refusals: readonly RowRefusal[] };

const decoder = new TextDecoder();

export class RowReader {
  readonly #layout: Layout;
  readonly #builder: RecordBuilder;

  /**
   * `header`: its cells, null where the feed has none. Throws what binding throws: `missing-column`, `duplicate-column`,
   * `wrong-column-count`, `bad-preamble-value`.
   */
  constructor(feed: Feed, preamble: readonly (readonly string[])[], header: readonly string[] | null) {
    const line = feed.file.preamble.length + 1;
    this.#layout = bindColumns(feed, preamble, header === null ? null : { cells: header, line });
    this.#builder = new RecordBuilder(this.#layout);
  }

  /** `ordinal`: the number of the row among the data rows, from 1. */
  read(cells: readonly string[], ordinal: number): ReadRow {
    const { width } = this.#layout;
    if (cells.length !== width) {
      const why = report("row-width", { expected: width, found: cells.length });
      return { kind: "refused", refusals: [{ report: why, column: null }] };
    }
    const out = new Bytes();
    const faults = this.#builder.build(cells, ordinal, out);
    if (faults !== null) {
      return { kind: "refused", refusals: faults.map(({ report: why, column }) => ({ report: why, column })) };
    }
    const record = JSON.parse(decoder.decode(out.all.subarray(0, out.length))) as ReadRecord;
    return { kind: "record", key: this.#builder.key, record };
  }
}
