/**
 * Upkeep: removes what is old, and makes the partitions of the days to come. Every job works in bounded batches under a
 * lease of its own, and may die anywhere: what it removes in storage it marks in the database afterwards, so a run that was
 * cut off is done again and never believed. One job's trouble stops no other.
 */
import { asFailure } from "../domain/failures.ts";
import { inLanes } from "../domain/lanes.ts";
import type { UpkeepDeps } from "./deps.ts";
import {
  CHUNK_DAYS,
  DRIFT_ROW_DAYS,
  HISTORY_DAYS,
  JOBS,
  type JobName,
  PARTITION_DAYS_AHEAD,
  RAW_DAYS,
} from "./retention.ts";

/** Rows removed by one statement: it holds its locks for some hundred milliseconds. */
export const BATCH_ROWS = 5_000;
/** Batches of one job in one run: 100,000 rows. The next run, minutes later, goes on. */
export const MAX_BATCHES = 20;
/** Files of one batch that lose their chunks: a list and a delete each, of the 10,000 subrequests of an invocation. */
export const BATCH_FILES = 50;
/** R2 removes so many objects with one call. */
export const BATCH_OBJECTS = 1_000;
/** Partitions dropped, and days moved out of the default partition, by one run: each takes a lock on all of `changes`. */
export const MAX_PARTITIONS = 10;
/** A job that has not come to its end for longer than this does not wait for the daily cron. */
export const LATE_HOURS = 25;

const MS_PER_HOUR = 3_600_000;
const MS_PER_DAY = 24 * MS_PER_HOUR;

export interface JobResult {
  /** Rows, objects, files or partitions, as the job counts. */
  readonly removed: number;
  /** It stopped at its bound: some is left. */
  readonly more: boolean;
}

/** The name of a job's row. */
export const jobRow = (name: JobName): string => `upkeep-${name}`;

const before = (now: Date, days: number): Date => new Date(now.getTime() - days * MS_PER_DAY);
const dayOf = (at: Date): string => at.toISOString().slice(0, 10);

/**
 * Runs the jobs that are due: every one with the daily cron; at other times those that stopped at their bound, failed, or
 * have not come to their end for a day. Answers what each did, `undefined` where it failed or somebody else is at it.
 * Throws only when the rows of jobs cannot be read.
 */
export async function upkeep(
  now: Date,
  daily: boolean,
  deps: UpkeepDeps,
): Promise<Partial<Record<JobName, JobResult | undefined>>> {
  const states = new Map((await deps.tables.jobs()).map((state) => [state.name, state]));
  const results: Partial<Record<JobName, JobResult | undefined>> = {};
  for (const name of JOBS) {
    const state = states.get(jobRow(name));
    const ageMs = now.getTime() - (state?.lastOkAt?.getTime() ?? 0);
    if (daily || state === undefined || state.unfinished || ageMs > LATE_HOURS * MS_PER_HOUR) {
      results[name] = await runJob(name, now, deps);
    }
  }
  return results;
}

async function runJob(name: JobName, now: Date, deps: UpkeepDeps): Promise<JobResult | undefined> {
  const row = jobRow(name);
  const token = deps.token();
  try {
    if ((await deps.jobs.take(row, token, deps.now())) === undefined) return undefined;
    const result = await WORK[name](now, deps, () => deps.jobs.keep(row, token, deps.now()));
    await deps.jobs.end(row, token, {
      okAt: result.more ? undefined : now,
      progress: result.more ? result : undefined,
      result: { ...result },
    });
    deps.log.info("upkeep", { job: name, removed: result.removed, more: result.more });
    return result;
  } catch (thrown) {
    const { message } = asFailure(thrown);
    deps.log.error("upkeep-failed", { job: name, message });
    await deps.jobs.fail(row, token, message).catch((second: unknown) => {
      // The lease expires by itself; the failure that led here is the one that was told.
      deps.log.error("upkeep-not-noted", { job: name, message: asFailure(second).message });
    });
    return undefined;
  }
}

/** Renews the lease. False: it is lost, and the rest is somebody else's. */
type Keep = () => Promise<boolean>;

/** Batches until one is not full, the bound is reached or the lease is lost. `batch` answers how many it removed. */
async function inBatches(
  keep: Keep,
  size: number,
  maxBatches: number,
  batch: (size: number) => Promise<number>,
): Promise<JobResult> {
  let removed = 0;
  for (let i = 0; i < maxBatches; i++) {
    if (!(await keep())) return { removed, more: true };
    const here = await batch(size);
    removed += here;
    if (here < size) return { removed, more: false };
  }
  return { removed, more: true };
}

const rows =
  (days: number, remove: (deps: UpkeepDeps) => (before: Date, limit: number) => Promise<number>) =>
  (now: Date, deps: UpkeepDeps, keep: Keep): Promise<JobResult> =>
    inBatches(keep, BATCH_ROWS, MAX_BATCHES, (size) => remove(deps)(before(now, days), size));

const WORK: Readonly<Record<JobName, (now: Date, deps: UpkeepDeps, keep: Keep) => Promise<JobResult>>> = {
  changes,
  chunks,
  rejects,
  raw,
  ledger: rows(HISTORY_DAYS, ({ tables }) => tables.removeLedger),
  seen: rows(HISTORY_DAYS, ({ tables }) => tables.removeSeen),
  notifications: rows(HISTORY_DAYS, ({ tables }) => tables.removeNotifications),
  "dead-letters": rows(HISTORY_DAYS, ({ tables }) => tables.removeDeadLetters),
  alerts: rows(HISTORY_DAYS, ({ tables }) => tables.removeAlerts),
  "drift-rows": rows(DRIFT_ROW_DAYS, ({ tables }) => tables.removeDriftRows),
  "drift-reports": rows(HISTORY_DAYS, ({ tables }) => tables.removeDriftReports),
  holds: rows(HISTORY_DAYS, ({ tables }) => tables.forgetTelling),
  "replay-items": rows(HISTORY_DAYS, ({ tables }) => tables.removeReplayItems),
};

/** Partitions of the days to come, and of days for which none was made in time; then the oldest go. */
async function changes(now: Date, { tables, log }: UpkeepDeps, keep: Keep): Promise<JobResult> {
  const oldest = before(now, HISTORY_DAYS);
  const made = await tables.makePartitions(dayOf(now), PARTITION_DAYS_AHEAD);
  const late = await tables.daysInDefault(oldest, MAX_PARTITIONS);
  for (const day of late) await tables.makePartitions(day, 1);
  if (late.length > 0) log.warn("changes-without-partition", { days: late.join(", ") });
  log.info("partitions-ensured", { days: PARTITION_DAYS_AHEAD, made });

  const dropped = await inBatches(keep, 1, MAX_PARTITIONS, async () => {
    const name = await tables.dropPartition(dayOf(oldest));
    if (name !== undefined) log.info("partition-dropped", { name });
    return name === undefined ? 0 : 1;
  });
  const removed = await inBatches(keep, BATCH_ROWS, MAX_BATCHES, (size) => tables.removeFromDefault(oldest, size));
  return {
    removed: dropped.removed + removed.removed,
    more: dropped.more || removed.more || late.length === MAX_PARTITIONS,
  };
}

function chunks(now: Date, deps: UpkeepDeps, keep: Keep): Promise<JobResult> {
  return inBatches(keep, BATCH_FILES, MAX_BATCHES, async (size) => {
    const files = await deps.tables.filesWithChunks(before(now, CHUNK_DAYS), before(now, HISTORY_DAYS), size);
    await inLanes(files, (id) => deps.removeChunks(id));
    if (files.length > 0) await deps.tables.chunksRemoved(files, now);
    return files.length;
  });
}

function rejects(now: Date, { tables }: UpkeepDeps, keep: Keep): Promise<JobResult> {
  let left = MAX_BATCHES;
  return inBatches(keep, BATCH_FILES, MAX_BATCHES, async (size) => {
    const files = await tables.filesWithRejects(before(now, HISTORY_DAYS), size);
    if (files.length === 0) return 0;
    while ((await tables.removeRejects(files, BATCH_ROWS)) === BATCH_ROWS) {
      // Not marked: the next run takes the same files again. Said as full, so that there is one.
      if (--left === 0 || !(await keep())) return size;
    }
    await tables.rejectsRemoved(files, now);
    return files.length;
  });
}

function raw(now: Date, deps: UpkeepDeps, keep: Keep): Promise<JobResult> {
  return inBatches(keep, BATCH_OBJECTS, MAX_BATCHES, async (size) => {
    const old = await deps.tables.deliveriesWithRaw(before(now, RAW_DAYS), size);
    if (old.length === 0) return 0;
    await deps.removeRaw(old.map(({ key }) => key));
    await deps.tables.rawRemoved(
      old.map(({ deliveryId }) => deliveryId),
      now,
    );
    return old.length;
  });
}
