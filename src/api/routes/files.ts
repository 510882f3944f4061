/** GET /v1/files and GET /v1/files/:id. */
import { and, desc, eq, getTableColumns, sql } from "drizzle-orm";
import { customers, FILE_STATES, feeds, files } from "../../platform/schema.ts";
import { visibleTo } from "../auth/caller.ts";
import { scopeOf } from "../auth/scope.ts";
import type { Call } from "../deps.ts";
import { presentHold } from "../holds/present.ts";
import { asMicros, fromMicros, idKey, microsKey, pageOf, readCursor } from "../pages/page.ts";
import { notFound } from "../problem/problem.ts";
import { customerParameter, feedParameter, idInPath, oneOf, pageParameters, readQuery } from "../query/query.ts";
import { presentFile } from "./present.ts";

const LIST = "files";
/** A file without its manifest, plan, comparison and drift report, which are wider than all the rest. */
const {
  chunks: _chunks,
  plan: _plan,
  driftReport: _driftReport,
  comparison: _comparison,
  ...fileColumns
} = getTableColumns(files);

export { fileColumns };

const names = { customer: customers.slug, feed: feeds.slug };

export async function listFiles({ c, deps, caller }: Call): Promise<Response> {
  const query = readQuery(c, {
    customer: customerParameter,
    feed: feedParameter,
    state: oneOf(FILE_STATES).optional(),
    ...pageParameters,
  });
  const after = query.cursor === undefined ? undefined : readCursor(LIST, query.cursor, [microsKey, idKey]);
  const scope = await scopeOf(deps.db, caller, query);
  const rows = await deps.db
    .select({ file: fileColumns, names, micros: asMicros(files.receivedAt) })
    .from(files)
    .innerJoin(customers, eq(customers.id, files.customerId))
    .innerJoin(feeds, eq(feeds.id, files.feedId))
    .where(
      and(
        visibleTo(caller, files.customerId),
        scope.customerId === undefined ? undefined : eq(files.customerId, scope.customerId),
        scope.feedId === undefined ? undefined : eq(files.feedId, scope.feedId),
        query.state === undefined ? undefined : eq(files.state, query.state),
        after && sql`(${files.receivedAt}, ${files.id}) < (${fromMicros(after[0])}, ${after[1]}::bigint)`,
      ),
    )
    .orderBy(desc(files.receivedAt), desc(files.id))
    .limit(query.limit + 1);
  const page = pageOf(
    LIST,
    rows,
    query.limit,
    (row) => [row.micros, row.file.id],
    (row) => presentFile(caller, row.file, row.names),
  );
  return c.json(page);
}

/** The file with that id and the names of its feed. Throws `not-found` where there is none or it is not the caller's. */
export async function fileOf({ deps, caller }: Pick<Call, "deps" | "caller">, id: string) {
  const [found] = await deps.db
    .select({ file: fileColumns, names })
    .from(files)
    .innerJoin(customers, eq(customers.id, files.customerId))
    .innerJoin(feeds, eq(feeds.id, files.feedId))
    .where(and(eq(files.id, id), visibleTo(caller, files.customerId)));
  if (found === undefined) throw notFound();
  return found;
}

export async function getFile(call: Call): Promise<Response> {
  const id = idInPath(call.c, "id");
  readQuery(call.c, {});
  const found = await fileOf(call, id);
  const hold = await call.deps.holds.tables.of(id);
  const [wide] = await call.deps.db.select({ drift: files.driftReport }).from(files).where(eq(files.id, id));
  return call.c.json({
    ...presentFile(call.caller, found.file, found.names),
    drift: wide?.drift ?? null,
    hold: hold === undefined ? null : presentHold(call.caller, hold, call.deps.now()),
  });
}
