/**
 * Retire: a record that the complete file of a full feed no longer names is gone in the ERP, and so it is retired here. What
 * would be retired is known before anything is applied, for the gate; and no more than the gate has let go is retired
 * afterwards. Who is missing is found by the database (migration 0015), from what plan and apply recorded.
 */
import { attempt, oneRow } from "../domain/attempt.ts";
import { failure } from "../domain/failures.ts";
import type { FileToApply, Plan } from "../domain/plan.ts";
import type { ApplyDeps, HeldLease } from "./deps.ts";

/** Records retired by one statement: as many as apply writes, well inside the 30 seconds that an HTTP statement may take. */
export const RETIRE_MAX_ROWS = 5_000;

/** Records shown with a forecast, spread over all of them: as many as the gate tells. */
export const RETIRE_SAMPLE_ROWS = 10;

/**
 * Why the records that a file lacks stay as they are:
 * - `not-full`: the feed is not full, or the file is not the whole state
 * - `late`: a newer file is applied, so nothing in this one is news
 * - `newer-file`: a newer file has begun to speak; what is missing in that one it retires itself
 * - `rejects-unread`: rows were rejected whose keys nobody knows; any missing record may be one of them
 */
export type RetirementBar = "not-full" | "late" | "newer-file" | "rejects-unread";

/** What a file would retire. Numbers of records. */
export interface Forecast {
  /** Active records of the feed now. */
  readonly active: number;
  /** Active ones that the file lacks. */
  readonly missing: number;
  /** Those that an earlier attempt at the same file has retired already. */
  readonly retired: number;
  readonly bar?: RetirementBar;
  readonly sample: readonly { readonly key: string; readonly before: Readonly<Record<string, unknown>> }[];
}

/** How many records a file retires in all its attempts, if nothing but its bar speaks against it: what the gate judges. */
export const retirements = ({ missing, retired, bar }: Forecast): number => retired + (bar === undefined ? missing : 0);

type Asking = Pick<ApplyDeps, "database" | "sleep" | "random">;

interface ForecastRow extends Omit<Forecast, "bar"> {
  readonly bar: RetirementBar | null;
}

/**
 * Of a file whose plan is recorded (`diff`), or that is applied. Of one that was planned whole it counts every record of the
 * feed as missing until the file is applied. Throws `file-missing` and the database's failures.
 */
export async function forecastRetirement(deps: Asking, fileId: string): Promise<Forecast> {
  const [row] = await attempt(deps, () =>
    deps.database.query<ForecastRow>("SELECT * FROM missing_records($1, $2)", [fileId, RETIRE_SAMPLE_ROWS]),
  );
  if (row === undefined) throw failure("file-missing", { file: fileId });
  const { bar, ...numbers } = row;
  return { ...numbers, ...(bar === null ? {} : { bar }) };
}

export interface MissingRecord {
  readonly key: string;
  readonly version: number;
  readonly before: Readonly<Record<string, unknown>>;
}

/** All records that a file lacks, in the order of their keys, page by page. Throws the database's failures. */
export async function* missingRecords(
  deps: Asking,
  fileId: string,
  pageRows = RETIRE_MAX_ROWS,
): AsyncGenerator<readonly MissingRecord[]> {
  for (let after: string | null = null; ; ) {
    const from = after;
    const page: MissingRecord[] = await attempt(deps, () =>
      deps.database.query<MissingRecord>("SELECT * FROM missing_page($1, $2, $3)", [fileId, from, pageRows]),
    );
    if (page.length > 0) yield page;
    if (page.length < pageRows) return;
    after = page.at(-1)!.key;
  }
}

/** What a person or the gate has let go. */
export interface Allowance {
  /** Records that may be retired by this file, in all its attempts together: `retirements` of the forecast. */
  readonly allowed: number;
  /** A person has seen the rejected rows whose keys are not known, and wants the missing records retired all the same. */
  readonly despiteRejects?: boolean;
}

/**
 * `kept`: why records stay that the file lacks. `unbalanced`: not all of its rows are settled, which closing it will find, too;
 * `not-planned`: it lacks more than was allowed, and of those that were left nothing was written.
 */
export type Retirement = { readonly retired: number } | { readonly kept: RetirementBar | "unbalanced" | "not-planned" };

interface RetireRow {
  readonly outcome: "retired" | "lease-lost" | Exclude<Retirement, { retired: number }>["kept"];
  readonly retired: number;
  readonly remaining: number;
  readonly upto: string | null;
}

/**
 * Retires what an applied file lacks; it is not closed yet. May be run again at any point: each statement looks anew at who
 * is missing, and nothing is asked where nothing is allowed. `retired` counts what this run knows of; the books are summed from
 * the ledger. Throws `lease-lost` and the database's failures.
 */
export async function retireMissing(
  deps: Asking & Pick<ApplyDeps, "pace" | "maxRows">,
  file: Pick<FileToApply, "id" | "feedMode">,
  { superseded }: Pick<Plan, "superseded">,
  { allowed, despiteRejects = false }: Allowance,
  lease: HeldLease,
): Promise<Retirement> {
  if (file.feedMode !== "full") return { kept: "not-full" };
  // Under one lease nobody else writes: what was not missing then is not missing now, and need not be looked for again.
  if (allowed === 0) return { retired: 0 };
  const limit = deps.maxRows ?? RETIRE_MAX_ROWS;
  let retired = 0;
  for (let after: string | null = null; ; ) {
    await lease.beat();
    const params: unknown[] = [file.id, lease.token, superseded, allowed, despiteRejects, after, limit];
    const row: RetireRow = await attempt(deps, async () =>
      oneRow(await deps.database.query<RetireRow>("SELECT * FROM retire_missing($1, $2, $3, $4, $5, $6, $7)", params)),
    );
    if (row.outcome === "lease-lost") throw failure("lease-lost", { file: file.id });
    if (row.outcome !== "retired") return { kept: row.outcome };
    retired += row.retired;
    if (row.remaining === 0) return { retired };
    after = row.upto;
    await deps.pace?.(Math.min(limit, row.remaining));
  }
}
