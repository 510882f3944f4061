/** GET /v1/drift and GET /v1/drift/:id: what a comparison with the ERP's own list has found, and what became of it. */
import { aliasedTable, and, asc, desc, eq, gt, isNotNull, isNull, sql } from "drizzle-orm";
import { customers, DRIFT_STATES, driftReports, driftRows, feeds, files } from "../../platform/schema.ts";
import { type Caller, visibleTo } from "../auth/caller.ts";
import { scopeOf } from "../auth/scope.ts";
import type { Call } from "../deps.ts";
import { asMicros, fromMicros, idKey, intKey, microsKey, pageOf, readCursor } from "../pages/page.ts";
import { notFound } from "../problem/problem.ts";
import { customerParameter, feedParameter, idInPath, oneOf, pageParameters, readQuery } from "../query/query.ts";
import { iso } from "./present.ts";

const LIST = "drift";
const ROWS = "drift-rows";

const snapshotFeeds = aliasedTable(feeds, "snapshot_feeds");

const reports = (deps: Call["deps"]) =>
  deps.db
    .select({
      report: driftReports,
      customer: customers.slug,
      feed: feeds.slug,
      snapshotFeed: snapshotFeeds.slug,
      path: files.path,
      micros: asMicros(driftReports.createdAt),
    })
    .from(driftReports)
    .innerJoin(customers, eq(customers.id, driftReports.customerId))
    .innerJoin(feeds, eq(feeds.id, driftReports.feedId))
    .innerJoin(snapshotFeeds, eq(snapshotFeeds.id, driftReports.snapshotFeedId))
    .innerJoin(files, eq(files.id, driftReports.fileId));

type ReportRow = Awaited<ReturnType<typeof reports>>[number];

/** Who decided is for us to know; the customer learns that and how it was decided. */
function presentReport(caller: Caller, { report, customer, feed, snapshotFeed, path }: ReportRow) {
  return {
    id: report.id,
    customer,
    feed,
    /** What the records were held against. `own`: the feed's last full file, no snapshot. */
    compared_with: {
      feed: snapshotFeed,
      file: { id: report.fileId, path },
      own: snapshotFeed === feed,
      run: report.run,
      as_of: iso(report.asOf),
    },
    state: report.state,
    /** Null until it is compared. */
    numbers:
      report.comparedAt === null
        ? null
        : {
            snapshot_rows: report.snapshotRows,
            records: report.records,
            missing_here: report.missingHere,
            missing_there: report.missingThere,
            differs: report.differs,
            /** Of the three, what nothing explains. */
            drift: report.drift,
            explained: report.explained,
          },
    limits: report.limits,
    /** Why it waits, or waited, for a decision. */
    reasons: report.reasons,
    compared_by: report.seal,
    fields: report.fields,
    healing_file_id: report.healingFileId,
    created_at: iso(report.createdAt),
    compared_at: iso(report.comparedAt),
    decided_at: iso(report.decidedAt),
    decided_by: caller.role === "operator" ? report.decidedBy : null,
    note: caller.role === "operator" ? report.note : null,
    healed_at: iso(report.healedAt),
  };
}

export async function listDrift({ c, deps, caller }: Call): Promise<Response> {
  const query = readQuery(c, {
    customer: customerParameter,
    feed: feedParameter,
    state: oneOf(DRIFT_STATES).optional(),
    ...pageParameters,
  });
  const after = query.cursor === undefined ? undefined : readCursor(LIST, query.cursor, [microsKey, idKey]);
  const scope = await scopeOf(deps.db, caller, query);
  const rows = await reports(deps)
    .where(
      and(
        visibleTo(caller, driftReports.customerId),
        scope.customerId === undefined ? undefined : eq(driftReports.customerId, scope.customerId),
        scope.feedId === undefined ? undefined : eq(driftReports.feedId, scope.feedId),
        query.state === undefined ? undefined : eq(driftReports.state, query.state),
        after && sql`(${driftReports.createdAt}, ${driftReports.id}) < (${fromMicros(after[0])}, ${after[1]}::bigint)`,
      ),
    )
    .orderBy(desc(driftReports.createdAt), desc(driftReports.id))
    .limit(query.limit + 1);
  return c.json(
    pageOf(
      LIST,
      rows,
      query.limit,
      (row) => [row.micros, row.report.id],
      (row) => presentReport(caller, row),
    ),
  );
}

/** The report with its first rows, those that nothing explains first; `rows=drift` or `rows=explained` for one sort alone. */
export async function getDrift({ c, deps, caller }: Call): Promise<Response> {
  const id = idInPath(c, "id");
  const query = readQuery(c, { rows: oneOf(["all", "drift", "explained"]).default("all"), ...pageParameters });
  const after = query.cursor === undefined ? undefined : readCursor(ROWS, query.cursor, [intKey]);
  const [found] = await reports(deps).where(and(eq(driftReports.id, id), visibleTo(caller, driftReports.customerId)));
  if (found === undefined) throw notFound();
  const rows = await deps.db
    .select()
    .from(driftRows)
    .where(
      and(
        eq(driftRows.reportId, id),
        query.rows === "all"
          ? undefined
          : query.rows === "drift"
            ? isNull(driftRows.explanation)
            : isNotNull(driftRows.explanation),
        after && gt(driftRows.n, Number(after[0])),
      ),
    )
    .orderBy(asc(driftRows.n))
    .limit(query.limit + 1);
  const page = pageOf(
    ROWS,
    rows,
    query.limit,
    (row) => [String(row.n)],
    (row) => ({
      n: row.n,
      kind: row.kind,
      key: row.naturalKey,
      sentence: row.sentence,
      fields: row.fields,
      explanation: row.explanation ?? null,
      line: row.line,
      version: row.version,
      file_id: row.ourFileId,
    }),
  );
  return c.json({ ...presentReport(caller, found), rows: page });
}
