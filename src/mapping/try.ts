/** A mapping tried on the rows of a stored file: every record before and after, nothing written. */
import type { Feed } from "../domain/adapter.ts";
import { asFailure, type FailureReport } from "../domain/failures.ts";
import type { Payload } from "../parse/open/open.ts";
import { parsePayload } from "../parse/read-payload.ts";
import { type ReadRow, RowReader } from "./row-reader.ts";

/** Rows that are compared: with two readings of each, a second of a Worker's time. */
export const TRY_MAX_ROWS = 10_000;
/** Characters of cells held for it. */
const TRY_MAX_CHARS = 16_000_000;
/** Rows that differ, shown whole. */
export const TRY_EXAMPLES = 20;

/** The first rows of a file. */
export interface TableSample {
  readonly preamble: readonly (readonly string[])[];
  readonly header: readonly string[] | null;
  readonly rows: readonly (readonly string[])[];
  /** Data rows of the whole file. */
  readonly totalRows: number;
}

/** One side of a row: its record, or why there is none. */
export type TriedRow =
  | { readonly key: string; readonly record: Readonly<Record<string, unknown>> }
  | {
      readonly rejected: readonly {
        readonly code: string;
        readonly column: string | null;
        readonly sentence: string;
      }[];
    };

export interface TriedExample {
  /** Number of the data row, from 1. */
  readonly row: number;
  /** Null where the feed could not be read before. */
  readonly before: TriedRow | null;
  readonly after: TriedRow;
}

export interface Tried {
  /** Rows of the file, and how many of them were compared. */
  readonly rows: number;
  readonly compared: number;
  readonly same: number;
  readonly changed: number;
  /** Records before, refused now; and the other way round. */
  readonly rejected: number;
  readonly accepted: number;
  /** Refused on both sides, for the same reasons or for others. */
  readonly stillRejected: number;
  /** Why there is nothing to compare with: no mapping was active, or it does not fit the file. */
  readonly beforeFailure: FailureReport | null;
  readonly examples: readonly TriedExample[];
}

/** The first rows of a payload as the feed reads them. Throws what `parsePayload` throws. */
export async function sampleOf(feed: Feed, payload: Payload): Promise<TableSample> {
  let header: readonly string[] | null = null;
  const rows: string[][] = [];
  let chars = 0;
  const parsed = await parsePayload(
    feed,
    payload,
    { chunk: async () => undefined, rejects: async () => undefined },
    {
      observer: {
        header(cells) {
          header = copied(cells);
        },
        wants: (row) => row <= TRY_MAX_ROWS && chars < TRY_MAX_CHARS,
        row(cells) {
          for (const cell of cells) chars += cell.length;
          rows.push(copied(cells));
        },
      },
    },
  );
  return { preamble: parsed.preamble, header, rows, totalRows: parsed.rows };
}

/** Kept texts share no memory with the slice they were cut from. */
const copied = (cells: readonly string[]): string[] => JSON.parse(JSON.stringify(cells)) as string[];

/**
 * Every row read by both. Throws what binding the columns of `after` throws; where `before` does not fit the file, the rows
 * have no before. Pure.
 */
export function tryMapping(before: Feed | undefined, after: Feed, sample: TableSample): Tried {
  const now = new RowReader(after, sample.preamble, sample.header);
  const { reader: then, failure } = earlierReader(before, sample);
  const counts = { same: 0, changed: 0, rejected: 0, accepted: 0, stillRejected: 0 };
  const examples: TriedExample[] = [];
  for (const [i, cells] of sample.rows.entries()) {
    const [was, is] = [then?.read(cells, i + 1), now.read(cells, i + 1)];
    const what = difference(was, is);
    counts[what]++;
    if (what === "same" || what === "stillRejected" || examples.length === TRY_EXAMPLES) continue;
    examples.push({ row: i + 1, before: was === undefined ? null : presented(was), after: presented(is) });
  }
  return { rows: sample.totalRows, compared: sample.rows.length, ...counts, beforeFailure: failure, examples };
}

function earlierReader(
  before: Feed | undefined,
  sample: TableSample,
): { readonly reader: RowReader | undefined; readonly failure: FailureReport | null } {
  if (before === undefined) return { reader: undefined, failure: null };
  try {
    return { reader: new RowReader(before, sample.preamble, sample.header), failure: null };
  } catch (thrown) {
    const failed = asFailure(thrown);
    if (failed.disposition !== "reject") throw thrown;
    return { reader: undefined, failure: failed.report };
  }
}

function difference(
  was: ReadRow | undefined,
  is: ReadRow,
): "same" | "changed" | "rejected" | "accepted" | "stillRejected" {
  if (is.kind === "refused") return was?.kind === "refused" ? "stillRejected" : "rejected";
  if (was === undefined || was.kind === "refused") return "accepted";
  return was.key === is.key && JSON.stringify(was.record) === JSON.stringify(is.record) ? "same" : "changed";
}

function presented(row: ReadRow): TriedRow {
  if (row.kind === "record") return { key: row.key, record: row.record };
  return {
    rejected: row.refusals.map(({ report, column }) => ({ code: report.code, column, sentence: report.sentence })),
  };
}
