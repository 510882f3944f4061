/** GET /v1/feeds/:customer/:feed: one feed as it stands. */
import { and, count, desc, eq, inArray, isNotNull, sql } from "drizzle-orm";
import type { VersionKind } from "../../domain/feed-version.ts";
import { statesMovedBy } from "../../domain/states.ts";
import { deliveries, driftReports, feeds, files, records } from "../../platform/schema.ts";
import { visibleTo } from "../auth/caller.ts";
import { feedOf } from "../auth/scope.ts";
import type { Call } from "../deps.ts";
import { openVersions } from "../formats/decide.ts";
import { notFound } from "../problem/problem.ts";
import { customerInPath, feedInPath, readQuery } from "../query/query.ts";
import { fileColumns } from "./files.ts";
import { iso, presentFile } from "./present.ts";

const IN_WORK = statesMovedBy("file", "sweep");
/** More at once means a backlog: then the list of files, not this page, is the place to look. */
const IN_WORK_MAX_FILES = 20;
/** Counting reads every row; beyond this many it would make the answer slow, so it stops and says so. */
export const COUNT_MAX_RECORDS = 1_000_000;

export async function getFeed({ c, deps, caller }: Call): Promise<Response> {
  readQuery(c, {});
  const scope = await feedOf(deps.db, caller, customerInPath(c, "customer"), feedInPath(c, "feed"));
  const names = { customer: scope.customer, feed: scope.feed };
  const ofFeed = and(eq(files.feedId, scope.feedId), visibleTo(caller, files.customerId));
  const some = deps.db
    .select({ status: records.status })
    .from(records)
    .where(and(eq(records.customerId, scope.customerId), eq(records.feedId, scope.feedId)))
    .limit(COUNT_MAX_RECORDS)
    .as("some");
  const [[feed], [lastApplied], inWork, statuses, [open], [compared]] = await deps.db.batch([
    deps.db.select().from(feeds).where(eq(feeds.id, scope.feedId)),
    deps.db
      .select(fileColumns)
      .from(files)
      .where(and(ofFeed, eq(files.state, "applied")))
      .orderBy(desc(files.orderKey))
      .limit(1),
    deps.db
      .select(fileColumns)
      .from(files)
      .where(and(ofFeed, inArray(files.state, IN_WORK)))
      .orderBy(desc(files.orderKey))
      .limit(IN_WORK_MAX_FILES),
    deps.db.select({ status: some.status, n: count() }).from(some).groupBy(some.status),
    deps.db
      .select({
        held: sql<number>`(SELECT count(*)::int FROM ${files} WHERE ${ofFeed} AND state = 'held')`,
        dead: sql<number>`(SELECT count(*)::int FROM ${files} WHERE ${ofFeed} AND state = 'dead')`,
        quarantined: sql<number>`(SELECT count(*)::int FROM ${deliveries} WHERE ${deliveries.feedId} = ${scope.feedId}
          AND ${deliveries.customerId} = ${scope.customerId} AND ${deliveries.state} = 'quarantined')`,
      })
      .from(sql`(SELECT 1) AS one`),
    deps.db
      .select()
      .from(driftReports)
      .where(and(eq(driftReports.feedId, scope.feedId), isNotNull(driftReports.comparedAt)))
      .orderBy(desc(driftReports.orderKey), desc(driftReports.id))
      .limit(1),
  ]);
  if (feed === undefined) throw notFound();
  const versions = await openVersions(deps.db, scope.feedId);
  const activeOf = (kind: VersionKind) => versions.find((one) => one.kind === kind && one.state === "active")?.version;
  const counted = new Map(statuses.map(({ status, n }) => [status, n]));
  const active = counted.get("active") ?? 0;
  const retired = counted.get("retired") ?? 0;
  return c.json({
    ...names,
    title: feed.title,
    mode: feed.mode,
    adapter_version: feed.adapterVersion,
    /** Active versions; null where the adapter's folder alone says it, or nobody yet. `asked`: a proposal waits for an answer. */
    format: {
      profile: activeOf("profile") ?? null,
      mapping: activeOf("mapping") ?? null,
      asked: versions.some(({ state }) => state === "proposed"),
    },
    /** What releases have laid over the adapter's limits of how much a file may do. */
    gate_widening: feed.gateWidening,
    created_at: iso(feed.createdAt),
    /** The file that may write at the moment, until its lease runs out. */
    writing: feed.activeFileId === null ? null : { file_id: feed.activeFileId, until: iso(feed.leaseUntil) },
    last_applied: lastApplied === undefined ? null : presentFile(caller, lastApplied, names),
    in_work: inWork.map((row) => presentFile(caller, row, names)),
    /** `exact` is false where counting stopped: there are at least so many. */
    records: { active, retired, exact: active + retired < COUNT_MAX_RECORDS },
    open,
    /** With the ERP's own list; null where none was compared yet. `drift`: records that differed, and nothing explained it. */
    last_comparison:
      compared === undefined
        ? null
        : {
            drift_report: compared.id,
            state: compared.state,
            as_of: iso(compared.asOf),
            compared_at: iso(compared.comparedAt),
            drift: compared.drift,
          },
  });
}
