/**
 * What a file would do to the records of its feed, as it is told and stored (`files.comparison`) of files that are compared and
 * never applied. Numbers are those that the books of the file would show, had it been applied at that moment.
 */
import type { RetirementBar } from "./retirement.ts";

/** What the file says of one field. */
export interface FieldEffect {
  readonly field: string;
  /** Changed records whose value in it would be another. */
  readonly records: number;
}

/** One value that would be another. Absent and null are the same: nothing is there. */
export interface ValueEffect {
  readonly field: string;
  readonly before: unknown;
  readonly after: unknown;
}

/**
 * A record that shows what the file would do. `restored`: it was retired, and the file names it again; it counts among the
 * changed ones, as in the books.
 */
export interface RowEffect {
  readonly kind: "inserted" | "changed" | "restored" | "retired";
  readonly key: string;
  /** Of the file; left out where no line says it. */
  readonly line?: number;
  /** What differs, or what an inserted one says and a retired one said. At most `ROW_MAX_FIELDS`. */
  readonly values: readonly ValueEffect[];
  /** How many more there are. */
  readonly more: number;
}

/** One thing for which the gate would hold the file. */
export interface HoldReason {
  readonly check: string;
  readonly field?: string;
  /** For people who have never seen the system. */
  readonly sentence: string;
}

export interface Effect {
  /** ISO: the moment that it was compared with. */
  readonly at: string;
  readonly mode: "full" | "delta" | "snapshot";
  /** Active records of the feed before it. */
  readonly records: number;
  readonly rows: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly inserted: number;
  readonly changed: number;
  readonly unchanged: number;
  /** Rows about which a newer file has spoken. */
  readonly stale: number;
  /** Rows whose key stands again further down. */
  readonly superseded: number;
  readonly retired: number;
  /** Records that the file lacks and that would stay all the same. */
  readonly kept: { readonly records: number; readonly because: RetirementBar } | null;
  /** By field, the most changed first. `exact`: all changed records were looked at; else the numbers are estimates. */
  readonly fields: { readonly exact: boolean; readonly counts: readonly FieldEffect[] };
  readonly examples: readonly RowEffect[];
  readonly verdict: "apply" | "hold";
  /** Empty where it would be applied. */
  readonly reasons: readonly HoldReason[];
  /** Checks that lacked their numbers. */
  readonly unjudged: readonly string[];
}
