/**
 * What detection found of a payload, whatever its kind: how it is written, what its columns hold, what only a human can
 * answer, and some of its rows. Texts are detected from a sample of their bytes; sheets and JSON are rows already.
 */

import type { FormatProfile } from "../../domain/feed-version.ts";
import type { FileFormat } from "../../domain/format.ts";
import type { ColumnProfile, Undecided } from "../detect/profile.ts";
import type { Sample } from "../detect/sample.ts";

/** What somebody answered; `what` and `column` are those of the question. */
export type Answer = FormatProfile["answers"][number];

/** A question that the file cannot answer. Answered once, by `{ what, column, answer }` with one of its options. */
export interface Question extends Omit<Undecided, "what"> {
  readonly what: Undecided["what"] | "century" | "key";
}

/** Something that was found and that a format or mapping cannot say. */
export interface Fault {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

export interface FoundTable {
  /** As far as a format can say it. */
  readonly format: FileFormat;
  /** In the order of the file. `name`: the header's; null where there is no header. */
  readonly types: readonly ColumnProfile[];
  /** All questions, answered ones left out. */
  readonly undecided: readonly Undecided[];
  /** Data rows of the sample, some thousand at most. */
  readonly rows: readonly (readonly string[])[];
  /** Lines of the table's beginning as they stand, for the eyes: header (where there is one) and first rows. */
  readonly lines: readonly FoundLine[];
  readonly faults: readonly Fault[];
  /** One plain sentence per decision. */
  readonly evidence: Readonly<Record<string, string>>;
}

export interface FoundLine {
  /** 1-based. */
  readonly line: number;
  readonly text: string;
}

/**
 * Detects the table in a text. `answers` override what would be detected (charset, delimiter, quote, header, columns).
 * Throws what `detect` throws: `file-empty`, `no-table`, `charset-unknown`, `wrong-charset`, `unclosed-quote`, …
 */
export declare function foundInText(sample: Sample, answers?: readonly Answer[]): FoundTable;

/**
 * The table in a sheet, from its first rows (`SHEET_SAMPLE_ROWS` are enough), each as wide as it stands.
 * Throws `file-empty` where no row holds anything.
 */
export declare function foundInSheet(
  rows: readonly (readonly string[])[],
  options?: { readonly sheet?: string | undefined; readonly answers?: readonly Answer[] },
): FoundTable;

/** The table in JSON, from its first records. `at`: keys that lead to the list. Throws `file-empty` without any record. */
export declare function foundInJson(
  records: readonly ReadonlyMap<string, string | null>[],
  options?: { readonly at?: readonly string[] | undefined; readonly answers?: readonly Answer[] },
): FoundTable;
