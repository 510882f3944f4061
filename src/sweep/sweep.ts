/**
 * The sweep: finds what stopped moving and wakes it, by cron. One at a time, under a lease; each run goes on where the last
 * one stopped. See `archive.ts` for what was archived and has no row, `wake.ts` for rows that do not move.
 */
import { asFailure } from "../domain/failures.ts";
import { compareArchive, type Pass } from "./archive.ts";
import type { StuckKind, SweepDeps } from "./deps.ts";
import { alarm, wakeStuck } from "./wake.ts";

/** The name of its job. */
export const SWEEP = "sweep";
/** What is younger may still be under way: the longest invocation takes 15 minutes. */
export const STUCK_AFTER_MINUTES = 20;

const MS_PER_MINUTE = 60_000;

export interface Swept {
  /** Archived objects that were found to have no delivery. */
  readonly strays: number;
  readonly woken: Readonly<Record<StuckKind, number>>;
  readonly givenUp: number;
  /** The comparison of the archive stopped at its bound; the next run goes on. */
  readonly unfinished: boolean;
}

/** What is kept between two runs. */
interface Progress {
  readonly pass?: Pass | undefined;
  /** Names in the archive that nobody knows; said once. */
  readonly unknown?: readonly string[] | undefined;
}

/**
 * Answers undefined where another sweep is at it. Throws, after all else is done, when storage could not be listed or a
 * queue did not take a message: the next run tries again.
 * @param now when the cron was due (the local stack says that it is later than it is, to wake everything at once); what has not moved for STUCK_AFTER_MINUTES before it is stuck
 */
export async function sweep(now: Date, deps: SweepDeps): Promise<Swept | undefined> {
  const token = deps.token();
  const job = await deps.jobs.take(SWEEP, token, deps.now());
  if (job === undefined) {
    deps.log.info("sweep-under-way");
    return undefined;
  }
  try {
    return await run(now, token, job.lastOkAt, (job.progress ?? {}) as Progress, deps);
  } catch (thrown) {
    await deps.jobs.fail(SWEEP, token, asFailure(thrown).message);
    throw thrown;
  }
}

async function run(
  now: Date,
  token: string,
  lastOkAt: Date | undefined,
  progress: Progress,
  deps: SweepDeps,
): Promise<Swept | undefined> {
  const since = new Date(now.getTime() - STUCK_AFTER_MINUTES * MS_PER_MINUTE);
  const keep = () => deps.jobs.keep(SWEEP, token, deps.now());

  // Storage first: while it is away nothing could be read or applied, and waking would only fill the queues.
  const said = progress.unknown ?? [];
  const unknown = await sayUnknown(said, deps);
  const returned = said.filter((name) => deps.customers.includes(name));
  const compared = await compareArchive(since, lastOkAt, progress.pass, returned, keep, deps);
  if (compared.lost) return takenOver(deps);
  await deps.tables.settleStrays(since, deps.now());
  const ended = await deps.tables.endWithDelivery(since);
  const { sent, givenUp, trouble, lost } = await wakeStuck(now, since, keep, deps);
  if (lost) return takenOver(deps);
  await alarm(deps);

  const swept: Swept = {
    strays: compared.found,
    woken: sent,
    givenUp,
    unfinished: compared.left !== undefined,
  };
  const left: Progress =
    compared.left === undefined ? { unknown } : { pass: compared.left, unknown: [...unknown, ...returned] };
  await deps.jobs.end(SWEEP, token, {
    okAt: compared.left === undefined ? compared.startedAt : undefined,
    progress: left,
    result: { ...swept, ended, pages: compared.pages },
  });
  const { stray, delivery, unread, file } = sent;
  const busy = swept.strays + stray + delivery + unread + file + givenUp + ended > 0;
  const { strays, unfinished } = swept;
  deps.log[busy ? "warn" : "info"]("swept", { strays, stray, delivery, unread, file, givenUp, ended, unfinished });
  if (trouble !== undefined) throw trouble;
  return swept;
}

function takenOver({ log }: SweepDeps): undefined {
  log.warn("sweep-taken-over");
}

/** What lies in the archive under names that have no adapter (any more) is left alone, and said once. */
async function sayUnknown(said: readonly string[], deps: SweepDeps): Promise<readonly string[]> {
  const unknown = (await deps.archivedCustomers()).filter((name) => !deps.customers.includes(name));
  for (const customer of unknown) {
    if (!said.includes(customer)) deps.log.warn("archive-of-unknown-customer", { customer });
  }
  return unknown;
}
