/** GET /v1/records, GET /v1/records/:id, both also as of a moment of the past, and its history. */
import { and, asc, desc, eq, gt, lt, sql } from "drizzle-orm";
import { changes, deliveries, files, records } from "../../platform/schema.ts";
import { visibleTo } from "../auth/caller.ts";
import { type FeedScope, feedOf } from "../auth/scope.ts";
import type { Call } from "../deps.ts";
import { intKey, pageOf, readCursor } from "../pages/page.ts";
import { notFound, problem } from "../problem/problem.ts";
import { customerParameter, feedParameter, pageParameters, readQuery, textParameter } from "../query/query.ts";
import { type RecordName, readRecordId, recordIdOf } from "../query/record-id.ts";
import { asOfParameter, type PastRecord, recordsAsOf } from "./as-of.ts";
import { iso } from "./present.ts";

const LIST = "records";
const HISTORY = "history";
/** As the view change_events has it. */
const idempotencyKey = sql<string>`md5(concat_ws('|', ${changes.customerId}, ${changes.naturalKey}, ${changes.fileId}, ${changes.rowHash}))::uuid`;

const recordColumns = {
  fileId: records.fileId,
  firstSeenAt: records.firstSeenAt,
  updatedAt: records.updatedAt,
  line: records.line,
  version: records.version,
  status: records.status,
  naturalKey: records.naturalKey,
  data: records.data,
};

function presentRecord(row: PastRecord, { customer, feed }: Pick<RecordName, "customer" | "feed">) {
  return {
    id: recordIdOf({ customer, feed, key: row.naturalKey }),
    customer,
    feed,
    key: row.naturalKey,
    status: row.status,
    version: row.version,
    data: row.data,
    /** Where it was last changed. */
    file: row.fileId === null ? null : { id: row.fileId, line: row.line },
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
    as_of: asOfParameter,
    ...pageParameters,
  });
  const customer = query.customer ?? (caller.role === "customer" ? caller.customer : undefined);
  if (customer === undefined) {
    throw problem("invalid-parameter", "The parameter “customer” is missing.", { members: { parameter: "customer" } });
  }
  const { key, as_of: asOf } = query;
  // A cursor leads through one moment alone.
  const list = asOf === undefined ? LIST : `${LIST} as of ${asOf}`;
  const after = query.cursor === undefined ? undefined : readCursor(list, query.cursor, [textParameter])[0];
  const scope = await feedOf(deps.db, caller, customer, query.feed);
  const which = and(
    key === undefined ? undefined : eq(records.naturalKey, key),
    after === undefined ? undefined : gt(records.naturalKey, after),
  );
  const rows: readonly PastRecord[] =
    asOf === undefined
      ? await recordsOf(call, scope).where(which, query.limit + 1)
      : await recordsAsOf(deps.db, scope, asOf, { key, after }, query.limit + 1);
  return c.json(
    pageOf(
      list,
      rows,
      query.limit,
      (row) => [row.naturalKey],
      (row) => presentRecord(row, scope),
    ),
  );
}

/** The name in the path. Throws `not-found` where it is none, or of a feed that is not the caller's. */
async function nameInPath(call: Call) {
  const name = readRecordId(call.c.req.param("id") ?? "");
  if (name === undefined) throw notFound();
  return { key: name.key, scope: await feedOf(call.deps.db, call.caller, name.customer, name.feed) };
}

export async function getRecord(call: Call): Promise<Response> {
  const { as_of: asOf } = readQuery(call.c, { as_of: asOfParameter });
  const { key, scope } = await nameInPath(call);
  const [row] =
    asOf === undefined
      ? await recordsOf(call, scope).where(eq(records.naturalKey, key), 1)
      : await recordsAsOf(call.deps.db, scope, asOf, { key }, 1);
  if (row === undefined) throw notFound();
  return call.c.json(presentRecord(row, scope));
}

/** Every version with what it changed and where that stood: in which line of which file of which mail. */
export async function getHistory(call: Call): Promise<Response> {
  const { c, deps, caller } = call;
  const query = readQuery(c, pageParameters);
  const before = query.cursor === undefined ? undefined : readCursor(HISTORY, query.cursor, [intKey]);
  const { key, scope } = await nameInPath(call);
  const [record] = await deps.db
    .select({ id: records.id })
    .from(records)
    .where(
      and(
        visibleTo(caller, records.customerId),
        eq(records.customerId, scope.customerId),
        eq(records.feedId, scope.feedId),
        eq(records.naturalKey, key),
      ),
    );
  if (record === undefined) throw notFound();
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
      cause: files.cause,
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
      /** Why the file that changed it is there: it came, or we made it of drift, a replay or a restore. */
      cause: row.cause,
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
