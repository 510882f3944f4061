/**
 * The cron's part of reconcile: reports that rest are gone on with, those that nobody has decided about are over, and full
 * feeds without a snapshot are held against their last file once a day. Bounded in every run; the next one goes on.
 */
import { feedName } from "../domain/adapter.ts";
import { asFailure, type Failure } from "../domain/failures.ts";
import { checkFeed, checkRun, isGone } from "./compare-file.ts";
import { checksDue, comparedFile } from "./compared.ts";
import type { DriftDeps } from "./deps.ts";
import { expire, follow, WAITING_DAYS } from "./follow.ts";
import { expiredReports, forgetReport, restingReports, type StoredReport } from "./reports.ts";

/** What is younger may still be under way: the longest invocation takes 15 minutes. */
export const RESTS_AFTER_MINUTES = 20;
/** Reports gone on with by one run: a comparison of a large feed takes seconds, and the run has other duties. */
export const REPORTS_A_RUN = 5;
/** Reports that are over, of one run: two mails each. */
const EXPIRED_A_RUN = 50;
/** Feeds compared by one run: 700 a day. */
export const CHECKS_A_RUN = 5;
/** How long after its last comparison a feed is compared again. */
export const CHECK_EVERY_HOURS = 24;

const MS_PER_MINUTE = 60_000;
const MS_PER_HOUR = 60 * MS_PER_MINUTE;
const MS_PER_DAY = 24 * MS_PER_HOUR;

export interface CarriedOn {
  readonly resumed: number;
  readonly expired: number;
  readonly checked: number;
}

/** Throws the first failure, after all others had their turn. */
export async function carryOn(deps: DriftDeps): Promise<CarriedOn> {
  const now = deps.now();
  let first: Failure | undefined;
  const eachOf = async <T>(things: readonly T[], what: (thing: T) => Promise<unknown>): Promise<number> => {
    let done = 0;
    for (const thing of things) {
      try {
        await what(thing);
        done++;
      } catch (thrown) {
        first ??= asFailure(thrown);
        deps.log.error("drift-not-carried-on", { message: asFailure(thrown).message });
      }
    }
    return done;
  };
  const resting = await restingReports(deps, new Date(now - RESTS_AFTER_MINUTES * MS_PER_MINUTE), REPORTS_A_RUN);
  const resumed = await eachOf(resting, (report) => resume(deps, report));
  const over = await expiredReports(deps, new Date(now - WAITING_DAYS * MS_PER_DAY), EXPIRED_A_RUN);
  const expired = await eachOf(over, (report) => expire(deps, report));
  const due = await checksDue(deps, uncovered(deps), new Date(now - CHECK_EVERY_HOURS * MS_PER_HOUR), CHECKS_A_RUN);
  const checked = await eachOf(due, ({ customer, feed }) => check(deps, customer, feed));
  if (first !== undefined) throw first;
  return { resumed, expired, checked };
}

/** Full feeds that no snapshot is about. */
function uncovered({ feeds }: DriftDeps): { customer: string; feed: string }[] {
  const covered = new Set(
    feeds.flatMap(({ customer, reconciles }) =>
      reconciles === undefined ? [] : [feedName({ customer, feed: reconciles.feed })],
    ),
  );
  return feeds
    .filter((feed) => feed.mode === "full" && !covered.has(feedName(feed)))
    .map(({ customer, feed }) => ({ customer, feed }));
}

async function resume(deps: DriftDeps, report: StoredReport): Promise<void> {
  if (report.state !== "open") {
    await follow(deps, report.id);
    return;
  }
  await ending(deps, report, async () => {
    const file = await comparedFile(deps, report.fileId);
    if (file?.state !== "applied") return forget(deps, report, "its file was given up");
    const checked = await checkRun(deps, report.fileId, report.run);
    if (checked.kind === "impossible") await forget(deps, report, checked.why);
  });
}

async function check(deps: DriftDeps, customer: string, feed: string): Promise<void> {
  const checked = await checkFeed(deps, customer, feed);
  if (checked.kind === "impossible") deps.log.warn("feed-not-checked", { customer, feed, why: checked.why });
}

/** A comparison that was begun and can never be ended has found nothing: it is as if it had not begun. */
async function ending(deps: DriftDeps, report: StoredReport, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (thrown) {
    const failed = asFailure(thrown);
    if (!isGone(failed)) throw failed;
    await forget(deps, report, failed.message);
  }
}

async function forget(deps: DriftDeps, report: StoredReport, why: string): Promise<void> {
  await forgetReport(deps, report.id);
  deps.log.warn("comparison-forgotten", { report: report.id, fileId: report.fileId, why });
}
