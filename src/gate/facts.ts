/**
 * What the gate judges by, as plain values. How each is come by stands beside it; nothing costs a pass over the records.
 */
import type { FieldNumbers } from "../domain/field-numbers.ts";
import type { GateCheck } from "../domain/gate-policy.ts";

/**
 * What a file would do. Numbers of the plan where it compared (`diff`); of a `whole` one, which sends every row, `inserted`,
 * `changed` and `unchanged` are left out, and the checks that stand on them are told as unjudged.
 */
export interface PlanFacts {
  readonly mode: "full" | "delta";
  /** Active records of the feed before the file: an index-only count. */
  readonly records: number;
  /** Data rows: `accepted + rejected`, as in `files`. */
  readonly rows: number;
  readonly accepted: number;
  readonly rejected: number;
  /** Lines above and below the data rows (`header_lines + preamble_lines + footer_lines`): a sheet's limit counts them. */
  readonly otherLines: number;
  /** Rows whose key stands again further down. */
  readonly superseded: number;
  readonly inserted?: number;
  readonly changed?: number;
  readonly unchanged?: number;
  readonly stale: number;
  /** Records that the file lacks and that would be retired; 0 of a delta. */
  readonly retired: number;
  /** Fields that hold numbers: of type integer or decimal in the mapping. */
  readonly numeric: readonly string[];
  /** Numbers of such fields before and after; from `fieldsOfFiles` or `fieldsOfSamples`. */
  readonly fields: readonly FieldFacts[];
  /** Its place in order, as stored; milliseconds since 1970. */
  readonly asOfMs: number;
  /**
   * What the file says of its time, also where it was disbelieved (`as_of_disbelieved`) and arrival counts instead;
   * milliseconds since 1970. Left out where it says nothing.
   */
  readonly statedMs?: number;
  /** Milliseconds since 1970. */
  readonly receivedMs: number;
  /** What somebody has released this very file from: it is not held for the same again. */
  readonly answered?: readonly Answered[];
}

/** A check that tripped and was released. `evidence`: as far as it was told; left out: whatever is found. */
export interface Answered {
  readonly check: GateCheck;
  readonly field?: string;
  readonly evidence?: Tripped["evidence"];
}

/** Over all rows of a file and what they were before, or over the rows that would change. */
export interface FieldFacts {
  readonly field: string;
  readonly before: FieldNumbers;
  readonly after: FieldNumbers;
}

/** A file of the feed that was applied, released ones among them: somebody has said that they were right. */
export interface PastFile {
  /** Milliseconds since 1970. Its weekday is that of UTC: what comes every week at one time is the same in any zone. */
  readonly asOfMs: number;
  readonly rows: number;
  readonly rejected: number;
  readonly inserted: number;
  readonly changed: number;
  readonly retired: number;
  /** Distinct records that it named: `accepted - superseded`. */
  readonly named: number;
  /** Active records before it. */
  readonly records: number;
  /** By name; left out where parse did not count them. */
  readonly fields?: Readonly<Record<string, FieldNumbers>>;
}

/** Applied files of the feed, in any order: of the last eight weeks, or as many of them as are at hand. */
export type FeedHistory = readonly PastFile[];

/** A record as it is and as it would be; a merging file's `after` is the merged record. */
export interface ChangedSample {
  readonly kind: "changed";
  readonly key: string;
  readonly before: Readonly<Record<string, unknown>>;
  readonly after: Readonly<Record<string, unknown>>;
}

export type Sample =
  | ChangedSample
  | { readonly kind: "inserted"; readonly key: string; readonly after: Readonly<Record<string, unknown>> }
  | { readonly kind: "retired"; readonly key: string; readonly before: Readonly<Record<string, unknown>> };

export interface Tripped {
  readonly check: GateCheck;
  readonly field?: string;
  /** For people who have never seen the system. */
  readonly sentence: string;
  /** In the check's own unit: rows, records, a share, a factor, hours. `expected`: what is usual, null where unknown. */
  readonly evidence: { readonly found: number; readonly expected: number | null; readonly limit: number };
}

/** A row that shows what would happen. Values are short texts, ready to be shown; `after` of a retired one is undefined. */
export interface TellingRow {
  readonly kind: Sample["kind"];
  readonly key: string;
  readonly field?: string;
  readonly before?: string;
  readonly after?: string;
}

export interface Judgement {
  readonly verdict: "go" | "hold";
  /** Empty where it goes. */
  readonly tripped: readonly Tripped[];
  /** At most ten; empty where it goes. */
  readonly telling: readonly TellingRow[];
  /** Checks that would have been made and lacked their numbers: for the log, so that nobody believes they were passed. */
  readonly unjudged: readonly GateCheck[];
}
