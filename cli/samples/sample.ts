/** What a sample is. */
import type { Timeline } from "./timeline.ts";

export interface RejectedRow {
  /** 1-based among the data rows. */
  readonly row: number;
  /** 1-based physical line (ended by LF) on which the row begins. */
  readonly line: number;
  /** Header of the column at fault; null where the row as a whole is. */
  readonly column: string | null;
  readonly value: string;
  /** One plain sentence. */
  readonly reason: string;
}

export interface Sample {
  readonly customer: string;
  readonly feed: string;
  readonly fileName: string;
  readonly contentType: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Records expected to land. The file holds `rows + rejects` data rows. */
  readonly rows: number;
  /** Rows that must be refused, as many as `rejected` lists. */
  readonly rejects: number;
  readonly rejected: readonly RejectedRow[];
  /** Of `rows`, against the edition before: records it had not, and records it had otherwise. Edition 1 is all new. */
  readonly inserted: number;
  readonly changed: number;
  /** When the ERP exported it: the Date for its mail. */
  readonly asOf: Date;
  /** Physical lines that are no row's first line. */
  readonly lines: { readonly preamble: number; readonly header: number; readonly continuation: number };
}

/** The parts of a sample that follow from its timeline, for a file of rows only. */
export const plainSample = (timeline: Timeline) => ({
  rows: timeline.rows,
  rejects: 0,
  rejected: [],
  inserted: timeline.inserted,
  changed: timeline.changed,
  asOf: timeline.asOf,
  lines: { preamble: 0, header: 0, continuation: 0 },
});
