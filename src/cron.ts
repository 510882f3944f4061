/**
 * The cron's part of the composition root. Every ten minutes: the sweep, what is to be redriven, held files
 * whose time has come, drift, files that did not come, mails that wait, and what upkeep has left over; once a day all of upkeep. One duty's trouble stops no
 * other; it is thrown when all had their turn, so that the platform shows the run as failed.
 */
import type { Adapter } from "./domain/adapter.ts";
import { asFailure } from "./domain/failures.ts";
import { chunkPrefix, RAW_PREFIX } from "./domain/keys.ts";
import type { ApplyFile, ParseDelivery } from "./domain/messages.ts";
import { freshness } from "./freshness/freshness.ts";
import { freshnessTables } from "./freshness/tables.ts";
import { type Alert, clearAlert, raiseAlert } from "./observe/alerts.ts";
import type { Log } from "./observe/log.ts";
import { jobsIn } from "./platform/jobs.ts";
import type { Database } from "./platform/postgres.ts";
import { foldersUnder, listAfter, removeObjects, removeUnder } from "./platform/r2.ts";
import { sweep } from "./sweep/sweep.ts";
import { sweepTables } from "./sweep/tables.ts";
import { upkeepTables } from "./upkeep/tables.ts";
import { upkeep } from "./upkeep/upkeep.ts";

/** The cron of wrangler.toml that comes once a day; the other one comes every ten minutes. */
export const DAILY = "10 0 * * *";

export interface CronDeps {
  readonly customers: readonly string[];
  readonly database: Database;
  readonly store: R2Bucket;
  /** The feed that an archived object is for. Throws `raw-missing`. */
  feedOf(rawKey: string): Promise<string>;
  enqueueParse(message: ParseDelivery): Promise<void>;
  enqueueApply(message: ApplyFile): Promise<void>;
  /** Letters of causes that are fixed, and those that were cut off on their way to the queue. */
  redriveFixed(now: Date): Promise<unknown>;
  /** Reminds people of files that the gate holds, and rejects those about which nobody has decided in time. */
  holdsDue(): Promise<unknown>;
  /** Goes on with drift that rests, and compares full feeds that have no snapshot. */
  carryOnDrift(): Promise<unknown>;
  /** The deployment's. */
  readonly feeds: readonly Adapter[];
  /** Finds what of replays was lost, and goes on with them. */
  goOnWithReplays(): Promise<void>;
  /** Sends the mails that wait. */
  tellPeople(): Promise<void>;
  now(): Date;
  uuid(): string;
  readonly log: Log;
}

/** Throws the first duty's failure, after all others. */
export async function onCron(cron: string, due: Date, deps: CronDeps): Promise<void> {
  const { store, database, log } = deps;
  const jobs = jobsIn(database);
  const shared = { jobs, now: () => deps.now(), token: () => deps.uuid(), log };
  const alarm = {
    raise: (alert: Alert) => raiseAlert({ database, log }, alert),
    clear: (kind: string, subject: string) => clearAlert({ database, log }, kind, subject),
  };
  const runSweep = () =>
    sweep(due, {
      ...shared,
      customers: deps.customers,
      tables: sweepTables(database),
      archivedCustomers: () => foldersUnder(store, RAW_PREFIX),
      listRaw: (prefix, after) => listAfter(store, prefix, after),
      feedOf: (key) => deps.feedOf(key),
      enqueueParse: (message) => deps.enqueueParse(message),
      enqueueApply: (message) => deps.enqueueApply(message),
      alarm,
    });
  const runUpkeep = (daily: boolean) =>
    upkeep(deps.now(), daily, {
      ...shared,
      tables: upkeepTables(database),
      removeChunks: (fileId) => removeUnder(store, chunkPrefix(fileId)),
      removeRaw: (keys) => removeObjects(store, keys),
    });
  const duties: Readonly<Record<string, () => Promise<unknown>>> =
    cron === DAILY
      ? { upkeep: () => runUpkeep(true) }
      : {
          sweep: runSweep,
          redrive: () => deps.redriveFixed(due),
          holds: () => deps.holdsDue(),
          drift: () => deps.carryOnDrift(),
          freshness: () => freshness(deps.now(), { feeds: deps.feeds, tables: freshnessTables(database), alarm, log }),
          replays: () => deps.goOnWithReplays(),
          mails: () => deps.tellPeople(),
          upkeep: () => runUpkeep(false),
        };
  let first: unknown;
  for (const [duty, run] of Object.entries(duties)) {
    try {
      await run();
    } catch (thrown) {
      log.error("duty-failed", { duty, message: asFailure(thrown).message });
      first ??= thrown;
    }
  }
  if (first !== undefined) throw first;
}
