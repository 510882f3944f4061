/**
 * Retire: a record that the complete file of a full feed no longer names is gone in the ERP, and so it is retired here. What
 * would be retired is known before anything is applied, for the gate; and no more than the gate has let go is retired
 * afterwards. Who is missing is found by the database (migration 0015), from what plan and apply recorded.
 */
import { attempt, oneRow } from "../domain/attempt.ts";
import { failure } from "../domain/failures.ts";
import type { FileToApply, Plan } from "../domain/plan.ts";
import { type Allowance, type Forecast, type RetirementBar, retirements } from "../domain/retirement.ts";
import type { ApplyDeps, HeldLease } from "./deps.ts";

/** Records retired by one statement: as many as apply writes, well inside the 30 seconds that an HTTP statement may take. */
export const RETIRE_MAX_ROWS = 5_000;

/** Records shown with a forecast, spread over all of them: as many as the gate tells. */
export const RETIRE_SAMPLE_ROWS = 10;

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
 * is missing, and nothing is asked where nothing is allowed and that was said under this very lease (`isFresh`). `retired` counts
 * what this run knows of; the books are summed from the ledger. Throws `lease-lost` and the database's failures.
 */
export async function retireMissing(
  deps: Asking & Pick<ApplyDeps, "pace" | "maxRows">,
  file: Pick<FileToApply, "id" | "feedMode">,
  { superseded }: Pick<Plan, "superseded">,
  { allowed }: Allowance,
  lease: HeldLease,
  isFresh = true,
): Promise<Retirement> {
  if (file.feedMode !== "full") return { kept: "not-full" };
  // Under one lease nobody else writes: what was not missing then is not missing now, and need not be looked for again. What an
  // earlier attempt was told may be over: an older file may have been applied in between.
  if (allowed === 0 && isFresh) return { retired: 0 };
  const limit = deps.maxRows ?? RETIRE_MAX_ROWS;
  let retired = 0;
  for (let after: string | null = null; ; ) {
    await lease.beat();
    const params: unknown[] = [file.id, lease.token, superseded, allowed, after, limit];
    const row: RetireRow = await attempt(deps, async () =>
      oneRow(await deps.database.query<RetireRow>("SELECT * FROM retire_missing($1, $2, $3, $4, $5, $6)", params)),
    );
    if (row.outcome === "lease-lost") throw failure("lease-lost", { file: file.id });
    if (row.outcome !== "retired") return { kept: row.outcome };
    retired += row.retired;
    if (row.remaining === 0) return { retired };
    after = row.upto;
    await deps.pace?.(Math.min(limit, row.remaining));
  }
}

/**
 * Retires the records that a file of ours names (`listed_retirements`): it is not the whole state, so what it lacks says
 * nothing. Each only as it was looked at, and where no newer file has said that it is there. May be run again at any point.
 * Answers how many this run has retired. Throws `lease-lost` and the database's failures.
 */
export async function retireListed(
  deps: Asking & Pick<ApplyDeps, "pace" | "maxRows">,
  file: Pick<FileToApply, "id">,
  lease: HeldLease,
): Promise<number> {
  const limit = deps.maxRows ?? RETIRE_MAX_ROWS;
  let retired = 0;
  for (let after = 0; ; ) {
    await lease.beat();
    const params: unknown[] = [file.id, lease.token, after, limit];
    const row: ListedRow = await attempt(deps, async () =>
      oneRow(await deps.database.query<ListedRow>("SELECT * FROM retire_listed($1, $2, $3, $4)", params)),
    );
    if (row.outcome === "lease-lost") throw failure("lease-lost", { file: file.id });
    retired += row.retired;
    if (row.upto === null) return retired;
    after = row.upto;
    await deps.pace?.(limit);
  }
}

/**
 * Lets a file retire all that it lacks now, once somebody has released it; answers how many. Nothing is retired by it: the file
 * is held next. Throws `lease-lost` and the database's failures.
 */
export async function allowMissing(deps: Asking, file: Pick<FileToApply, "id">, lease: HeldLease): Promise<number> {
  const allowed = retirements(await forecastRetirement(deps, file.id));
  const rows = await attempt(deps, () =>
    deps.database.query(
      `UPDATE files x SET gate = coalesce(x.gate, '{}') || jsonb_build_object('allowed', $3::int) FROM feeds f
       WHERE x.id = $1 AND x.state = 'applying' AND f.id = x.feed_id AND f.active_file_id = x.id AND f.lease_token = $2 RETURNING x.id`,
      [file.id, lease.token, allowed],
    ),
  );
  if (rows.length === 0) throw failure("lease-lost", { file: file.id });
  return allowed;
}

interface ListedRow {
  readonly outcome: "retired" | "lease-lost";
  readonly retired: number;
  /** The last one that was looked at; null where there are no more. */
  readonly upto: number | null;
}
