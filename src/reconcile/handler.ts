/**
 * The reconcile stage: a snapshot is compared with the records of its feed, and what was found is stored, once. It may die
 * anywhere and be run again: nothing is written before the end, and the second to reach it finds the report of the first.
 */
import type { Drift } from "./compare.ts";
import type { ReconcileDeps, Reconciliation, SnapshotFile } from "./deps.ts";
import { closeReport, openReport, type ReportState } from "./tables.ts";
import { DriftTally } from "./tally.ts";
import { type DriftNumbers, verdictOf } from "./verdict.ts";
import { walk } from "./walk.ts";
import { driftSentence } from "./words.ts";

/** Fields of a row that are kept, and characters of a value. */
const FIELDS_STORED = 30;
const VALUE_MAX_CHARS = 200;

export interface Outcome {
  readonly report: string;
  readonly state: ReportState;
  /** Undefined where the report was there already, or the snapshot is behind a newer one. */
  readonly numbers: DriftNumbers | undefined;
  /** Why it waits, in words. */
  readonly reasons: readonly string[];
}

/**
 * Compares and stores. What a state asks for (healing, telling people) is not done here.
 *
 * Throws `database-unavailable` (the message waits), `database-conflict` and `storage-unavailable` (it is tried again),
 * `file-missing`, `chunk-missing` and `database-refused` (it is parked).
 */
export async function reconcileFile(deps: ReconcileDeps, file: SnapshotFile, how: Reconciliation): Promise<Outcome> {
  const report = await openReport(deps, file, how.limits, how.comparison.fields);
  if (report.state !== "open") return { report: report.id, state: report.state, numbers: undefined, reasons: [] };

  const walked = await walk(deps, file, how, report.records);
  const tally = new DriftTally();
  for await (const page of walked.pages()) for (const drift of page) tally.add(drift);
  const numbers = tally.numbers(walked);
  const verdict = verdictOf(numbers, how.limits, file.unread);
  const closed = await closeReport(
    deps,
    report.id,
    verdict.state,
    { ...numbers, reasons: verdict.reasons },
    tally.rows().map(storedRow),
  );
  const { explained, ...counts } = numbers;
  deps.log.info("file-reconciled", {
    fileId: file.id,
    report: report.id,
    ...counts,
    explained: JSON.stringify(explained),
    state: closed.state,
  });
  return {
    report: report.id,
    state: closed.state,
    numbers: closed.closed ? numbers : undefined,
    reasons: closed.closed ? verdict.reasons : [],
  };
}

/** A row of `drift_rows`. */
const storedRow = (drift: Drift) => ({
  kind: drift.kind,
  key: drift.key,
  line: drift.theirs?.line ?? null,
  version: drift.ours?.version ?? null,
  orderKey: drift.ours?.orderKey ?? null,
  fileId: drift.ours?.fileId ?? null,
  fields: drift.fields.slice(0, FIELDS_STORED).map(cut),
  explanation: drift.explanation ?? null,
  sentence: storable(driftSentence(drift)),
});

/** What no jsonb holds; JSON may say it all the same. */
const storable = (text: string): string => text.toWellFormed().replaceAll("\0", "\\u0000");

/** Bounded: a value that is too long is kept as the beginning of its text. */
function cut(field: object): object {
  return Object.fromEntries(
    Object.entries(field).map(([name, value]: [string, unknown]) => {
      const text = typeof value === "string" ? value : JSON.stringify(value);
      if (text.length > VALUE_MAX_CHARS) return [name, storable(`${text.slice(0, VALUE_MAX_CHARS)}…`)];
      return [name, typeof value === "string" ? storable(value) : value];
    }),
  );
}
