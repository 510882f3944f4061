/** GET /v1/records, GET /v1/records/:id and its history. */
import { and, asc, desc, eq, gt, lt, sql } from "drizzle-orm";
import { changes, deliveries, files, records } from "../../platform/schema.ts";
import { visibleTo } from "../auth/caller.ts";
import { type FeedScope, feedOf } from "../auth/scope.ts";
import type { Call } from "../deps.ts";
import { intKey, pageOf, readCursor } from "../pages/page.ts";
import { notFound, problem } from "../problem/problem.ts";
import { customerParameter, feedParameter, pageParameters, readQuery, textParameter } from "../query/query.ts";
import { type RecordName, readRecordId, recordIdOf } from "../query/record-id.ts";
import { iso } from "./present.ts";

const LIST = "records";
const HISTORY = "history";
/** As the view change_events has it. */
const idempotencyKey = sql<string>`md5(concat_ws('|', ${changes.customerId}, ${changes.naturalKey}, ${changes.fileId}, ${changes.rowHash}))::uuid`;

type RecordRow = Omit<typeof records.$inferSelect, "orderKey" | "rowHash" | "customerId" | "feedId">;

const recordColumns = {
  id: records.id,
  fileId: records.fileId,
  firstSeenAt: records.firstSeenAt,
  updatedAt: records.updatedAt,
  line: records.line,
  version: records.version,
  status: records.status,
  naturalKey: records.naturalKey,
  data: records.data,
};

function presentRecord(row: RecordRow, { customer, feed }: Pick<RecordName, "customer" | "feed">) {
  return {
    id: recordIdOf({ customer, feed, key: row.naturalKey }),
    customer,
    feed,
    key: row.naturalKey,
    status: row.status,
    version: row.version,
    data: row.data,
    /** Where it was last changed. */
    file: { id: row.fileId, line: row.line },
    first_seen_at: iso(row.firstSeenAt),
    updated_at: iso(row.updatedAt),
  };
}

/** Records of one feed: each answer is a walk along the primary key, whatever the size of the table. */
const recordsOf = ({ deps, caller }: Pick<Call, "deps" | "caller">, scope: Omit<FeedScope, "customer" | "feed">) => ({
  where: (which: ReturnType<typeof eq> | undefined, limit: number) =>
    deps.db
      .select(recordColumns)
      .from(records)
      .where(
        and(
          visibleTo(caller, records.customerId),
          eq(records.customerId, scope.customerId),
          eq(records.feedId, scope.feedId),
          which,
        ),
      )
      .orderBy(asc(records.naturalKey))
      .limit(limit),
});

export async function listRecords(call: Call): Promise<Response> {
  const { c, deps, caller } = call;
  const query = readQuery(c, {
    customer: customerParameter,
    feed: feedParameter.unwrap(),
    key: textParameter.optional(),
    ...pageParameters,
  });
  const customer = query.customer ?? (caller.role === "customer" ? caller.customer : undefined);
  if (customer === undefined) {
    throw problem("invalid-parameter", "The parameter “customer” is missing.", { members: { parameter: "customer" } });
  }
  const after = query.cursor === undefined ? undefined : readCursor(LIST, query.cursor, [textParameter]);
  const scope = await feedOf(deps.db, caller, customer, query.feed);
  const which = and(
    query.key === undefined ? undefined : eq(records.naturalKey, query.key),
    after && gt(records.naturalKey, after[0]),
  );
  const rows = await recordsOf(call, scope).where(which, query.limit + 1);
  return c.json(
    pageOf(
      LIST,
      rows,
      query.limit,
      (row) => [row.naturalKey],
      (row) => presentRecord(row, scope),
    ),
  );
}

/** The record that the path names. Throws `not-found` where there is none or it is not the caller's. */
async function recordInPath(call: Call) {
  const name = readRecordId(call.c.req.param("id") ?? "");
  if (name === undefined) throw notFound();
  const scope = await feedOf(call.deps.db, call.caller, name.customer, name.feed);
  const [row] = await recordsOf(call, scope).where(eq(records.naturalKey, name.key), 1);
  if (row === undefined) throw notFound();
  return { row, scope };
}

export async function getRecord(call: Call): Promise<Response> {
  readQuery(call.c, {});
  const { row, scope } = await recordInPath(call);
  return call.c.json(presentRecord(row, scope));
}

/** Every version with what it changed and where that stood: in which line of which file of which mail. */
export async function getHistory(call: Call): Promise<Response> {
  const { c, deps, caller } = call;
  const query = readQuery(c, pageParameters);
  const before = query.cursor === undefined ? undefined : readCursor(HISTORY, query.cursor, [intKey]);
  const { row: record } = await recordInPath(call);
  const rows = await deps.db
    .select({
      version: changes.version,
      kind: changes.kind,
      before: changes.before,
      after: changes.after,
      at: changes.createdAt,
      line: changes.line,
      key: idempotencyKey,
      fileId: changes.fileId,
      path: files.path,
      deliveryId: deliveries.id,
      subject: deliveries.subject,
      sender: deliveries.sender,
      receivedAt: deliveries.receivedAt,
    })
    .from(changes)
    .leftJoin(files, eq(files.id, changes.fileId))
    .leftJoin(deliveries, eq(deliveries.id, files.deliveryId))
    .where(
      and(
        eq(changes.recordId, record.id),
        visibleTo(caller, changes.customerId),
        before && lt(changes.version, Number(before[0])),
      ),
    )
    .orderBy(desc(changes.version))
    .limit(query.limit + 1);
  const page = pageOf(
    HISTORY,
    rows,
    query.limit,
    (row) => [String(row.version)],
    (row) => ({
      version: row.version,
      kind: row.kind,
      at: iso(row.at),
      /** The identity of the change: the same wherever and however often it is told. */
      idempotency_key: row.key,
      changed_fields: changedFields(row.before, row.after),
      before: row.before,
      after: row.after,
      file: { id: row.fileId, path: row.path, line: row.line },
      delivery:
        row.deliveryId === null
          ? null
          : { id: row.deliveryId, subject: row.subject, sender: row.sender, received_at: iso(row.receivedAt) },
    }),
  );
  return c.json(page);
}

/**
 * Names of the top-level fields that differ, in the order of their names: all of them where a record came or went. Pure.
 */
export function changedFields(before: unknown, after: unknown): string[] {
  const [old, now] = [before, after].map((image) => new Map<string, unknown>(Object.entries(image ?? {})));
  const names = new Set([...(old?.keys() ?? []), ...(now?.keys() ?? [])]);
  return [...names].filter((name) => old?.has(name) !== now?.has(name) || !same(old?.get(name), now?.get(name))).sort();
}

/** jsonb comes with its keys in one order, so equal values have equal texts. */
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
