/** GET /v1/feeds/:customer/:feed/versions and …/versions/:kind/:version: how the files of a feed are read, and its history. */
import { and, desc, eq, getTableColumns, sql } from "drizzle-orm";
import { VERSION_KINDS, type VersionKind } from "../../domain/feed-version.ts";
import { feedVersions } from "../../platform/schema.ts";
import { feedOf } from "../auth/scope.ts";
import type { Call } from "../deps.ts";
import { intKey, pageOf, readCursor } from "../pages/page.ts";
import { notFound } from "../problem/problem.ts";
import { customerInPath, feedInPath, oneOf, pageParameters, readQuery } from "../query/query.ts";
import { iso } from "./present.ts";

const LIST = "versions";
/** Without what is some hundred KB for a wide file. */
const { data: _data, evidence: _evidence, cases: _cases, ...facts } = getTableColumns(feedVersions);

type Facts = Omit<typeof feedVersions.$inferSelect, "data" | "evidence" | "cases">;

const presentVersion = (row: Facts) => ({
  kind: row.kind,
  version: row.version,
  state: row.state,
  file_id: row.fileId,
  note: row.note,
  created_at: iso(row.createdAt),
  created_by: row.createdBy,
  decided_at: iso(row.decidedAt),
  decided_by: row.decidedBy,
});

/** The versions of one kind, or the profiles and then the mappings; the newest first. */
export async function listVersions({ c, deps, caller }: Call): Promise<Response> {
  const query = readQuery(c, { kind: oneOf(VERSION_KINDS).optional(), ...pageParameters });
  const after = query.cursor === undefined ? undefined : readCursor(LIST, query.cursor, [kindKey, intKey]);
  const { feedId } = await feedOf(deps.db, caller, customerInPath(c, "customer"), feedInPath(c, "feed"));
  const rows = await deps.db
    .select(facts)
    .from(feedVersions)
    .where(
      and(
        eq(feedVersions.feedId, feedId),
        query.kind === undefined ? undefined : eq(feedVersions.kind, query.kind),
        after && sql`(${feedVersions.kind}, ${feedVersions.version}) < (${after[0]}, ${after[1]}::int)`,
      ),
    )
    .orderBy(desc(feedVersions.kind), desc(feedVersions.version))
    .limit(query.limit + 1);
  return c.json(pageOf(LIST, rows, query.limit, (row) => [row.kind, String(row.version)], presentVersion));
}

const kindKey = oneOf(VERSION_KINDS);

export async function getVersion({ c, deps, caller }: Call): Promise<Response> {
  readQuery(c, {});
  const kind = VERSION_KINDS.find((known): known is VersionKind => known === c.req.param("kind"));
  const version = c.req.param("version") ?? "";
  if (kind === undefined || !/^[1-9][0-9]{0,8}$/.test(version)) throw notFound();
  const { feedId } = await feedOf(deps.db, caller, customerInPath(c, "customer"), feedInPath(c, "feed"));
  const [row] = await deps.db
    .select()
    .from(feedVersions)
    .where(
      and(eq(feedVersions.feedId, feedId), eq(feedVersions.kind, kind), eq(feedVersions.version, Number(version))),
    );
  if (row === undefined) throw notFound();
  return c.json({ ...presentVersion(row), data: row.data, evidence: row.evidence, cases: row.cases });
}
