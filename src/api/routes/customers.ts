/** GET /v1/customers: the overview. Every customer (or the caller's own), its feeds, and what does not move by itself. */
import { and, asc, count, desc, eq, gt, gte, inArray, lt, or, type SQL, sql } from "drizzle-orm";
import { type PgColumn, unionAll } from "drizzle-orm/pg-core";
import type { FailureReport } from "../../domain/failures.ts";
import { statesMovedBy } from "../../domain/states.ts";
import { customers, deliveries, feeds, files } from "../../platform/schema.ts";
import { type Caller, visibleTo } from "../auth/caller.ts";
import type { ApiDatabase, Call } from "../deps.ts";
import { pageOf, readCursor } from "../pages/page.ts";
import { customerParameter, pageParameters, readQuery } from "../query/query.ts";
import { iso, presentFailure } from "./present.ts";

const LIST = "customers";
/** States are counted over what arrived within this time; what is stuck is listed however old it is. */
export const COUNTED_DAYS = 30;
const DAY_MS = 86_400_000;
/** The largest file takes minutes; work that has not moved for this long waits for something that does not come. */
export const STUCK_AFTER_MINUTES = 60;
const MINUTE_MS = 60_000;
/** Per customer; the total is given beside them. */
const STUCK_MAX_ITEMS = 20;

export async function getCustomers({ c, deps, caller }: Call): Promise<Response> {
  const query = readQuery(c, pageParameters);
  const after = query.cursor === undefined ? undefined : readCursor(LIST, query.cursor, [customerParameter.unwrap()]);
  const rows = await deps.db
    .select({ id: customers.id, slug: customers.slug, title: customers.title })
    .from(customers)
    .where(and(visibleTo(caller, customers.id), after && gt(customers.slug, after[0])))
    .orderBy(asc(customers.slug))
    .limit(query.limit + 1);
  const ids = rows.map((row) => row.id);
  const facts = await factsOf(deps.db, ids, deps.now());
  const page = pageOf(
    LIST,
    rows,
    query.limit,
    (row) => [row.slug],
    (row) => presentCustomer(caller, row, facts),
  );
  return c.json(page);
}

type Facts = Awaited<ReturnType<typeof factsOf>>;

async function factsOf(db: ApiDatabase, ids: readonly number[], now: Date) {
  const since = new Date(now.getTime() - COUNTED_DAYS * DAY_MS);
  const cutoff = new Date(now.getTime() - STUCK_AFTER_MINUTES * MINUTE_MS);
  const lastFile = db
    .select({
      id: files.id,
      path: files.path,
      state: files.state,
      receivedAt: files.receivedAt,
      appliedAt: files.appliedAt,
    })
    .from(files)
    .where(and(eq(files.feedId, feeds.id), eq(files.cause, "delivery")))
    .orderBy(desc(files.orderKey))
    .limit(1)
    .as("last_file");
  const stuck = stuckItems(db, ids, cutoff);
  const [feedRows, fileCounts, deliveryCounts, stuckRows] = await db.batch([
    db
      .select({
        id: feeds.id,
        customerId: feeds.customerId,
        slug: feeds.slug,
        title: feeds.title,
        mode: feeds.mode,
        last: {
          id: lastFile.id,
          path: lastFile.path,
          state: lastFile.state,
          receivedAt: lastFile.receivedAt,
          appliedAt: lastFile.appliedAt,
        },
      })
      .from(feeds)
      .leftJoinLateral(lastFile, sql`true`)
      .where(inArray(feeds.customerId, [...ids]))
      .orderBy(asc(feeds.slug)),
    db
      .select({ feedId: files.feedId, state: files.state, n: count() })
      .from(files)
      .where(and(inArray(files.customerId, [...ids]), gte(files.receivedAt, since), eq(files.cause, "delivery")))
      .groupBy(files.feedId, files.state),
    db
      .select({ feedId: deliveries.feedId, state: deliveries.state, n: count() })
      .from(deliveries)
      .where(and(inArray(deliveries.customerId, [...ids]), gte(deliveries.receivedAt, since)))
      .groupBy(deliveries.feedId, deliveries.state),
    db
      .select()
      .from(stuck)
      .where(lt(stuck.place, STUCK_MAX_ITEMS + 1))
      .orderBy(asc(stuck.place)),
  ]);
  return { feedRows, fileCounts, deliveryCounts, stuckRows };
}

/** What waits for a person, or has not moved for too long: the latest first, numbered per customer. */
function stuckItems(db: ApiDatabase, ids: readonly number[], cutoff: Date) {
  const columns = <C extends PgColumn>(what: "delivery" | "file", id: C, t: typeof deliveries | typeof files) => ({
    what: sql<"delivery" | "file">`${what}::text`.as("what"),
    id: sql<string>`${id}::text`.as("item_id"),
    customerId: sql<number>`${t.customerId}`.as("item_customer"),
    feedId: sql<number>`${t.feedId}`.as("item_feed"),
    state: sql<string>`${t.state}`.as("item_state"),
    failure: sql<FailureReport | null>`${t.failure}`.as("item_failure"),
    since: sql<string>`${t.updatedAt}`.as("item_since"),
  });
  const notMoving = (kind: "delivery" | "file", state: PgColumn, updatedAt: PgColumn): SQL | undefined =>
    or(
      inArray(state, statesMovedBy(kind, "operator")),
      and(inArray(state, statesMovedBy(kind, "sweep")), lt(updatedAt, cutoff)),
    );
  const all = unionAll(
    db
      .select(columns("delivery", deliveries.id, deliveries))
      .from(deliveries)
      .where(
        and(inArray(deliveries.customerId, [...ids]), notMoving("delivery", deliveries.state, deliveries.updatedAt)),
      ),
    db
      .select(columns("file", files.id, files))
      .from(files)
      .where(and(inArray(files.customerId, [...ids]), notMoving("file", files.state, files.updatedAt))),
  ).as("every");
  return db
    .select({
      what: all.what,
      id: all.id,
      customerId: all.customerId,
      feedId: all.feedId,
      state: all.state,
      failure: all.failure,
      since: all.since,
      place:
        sql<number>`row_number() OVER (PARTITION BY ${all.customerId} ORDER BY ${all.since} DESC, ${all.id})::int`.as(
          "place",
        ),
      total: sql<number>`count(*) OVER (PARTITION BY ${all.customerId})::int`.as("total"),
    })
    .from(all)
    .as("stuck");
}

function presentCustomer(caller: Caller, row: { id: number; slug: string; title: string }, facts: Facts) {
  const own = facts.feedRows.filter((feed) => feed.customerId === row.id);
  const stuck = facts.stuckRows.filter((item) => item.customerId === row.id);
  const counts = (of: readonly { feedId: number; state: string; n: number }[], feedId: number) =>
    Object.fromEntries(of.filter((count) => count.feedId === feedId).map(({ state, n }) => [state, n]));
  return {
    customer: row.slug,
    title: row.title,
    feeds: own.map((feed) => ({
      feed: feed.slug,
      title: feed.title,
      mode: feed.mode,
      last_file:
        feed.last === null
          ? null
          : {
              id: feed.last.id,
              path: feed.last.path,
              state: feed.last.state,
              received_at: iso(feed.last.receivedAt),
              applied_at: iso(feed.last.appliedAt),
            },
      counted_days: COUNTED_DAYS,
      deliveries: counts(facts.deliveryCounts, feed.id),
      files: counts(facts.fileCounts, feed.id),
    })),
    stuck: {
      total: stuck[0]?.total ?? 0,
      latest: stuck.map((item) => ({
        what: item.what,
        id: item.id,
        feed: own.find((feed) => feed.id === item.feedId)?.slug ?? null,
        state: item.state,
        failure: presentFailure(caller, item.failure),
        since: iso(new Date(item.since)),
      })),
    },
  };
}
