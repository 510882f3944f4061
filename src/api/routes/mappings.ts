/**
 * The mapping of a feed as data: look, draft, try on a stored file, activate, take back. What is drafted is never changed
 * again: another draft is another version. A version becomes active only if all of its cases hold and the feed can be read
 * by it.
 */
import { and, desc, eq, lt, notInArray, sql } from "drizzle-orm";
import { z } from "zod";
import type { Adapter } from "../../domain/adapter.ts";
import {
  effectiveFeed,
  type Mapping,
  mappingDigest,
  mappingSchema,
  type Pinned,
  pinnedVersions,
} from "../../domain/feed-version.ts";
import { mappingCasesSchema } from "../../mapping/cases.ts";
import { type CheckedMapping, checkMapping } from "../../mapping/check.ts";
import { diffMappings } from "../../mapping/differences.ts";
import { mappingDraftSchema } from "../../mapping/draft.ts";
import { sampleOf, tryMapping } from "../../mapping/try.ts";
import { jsonText, storable } from "../../platform/postgres.ts";
import { deliveries, feedVersions, files } from "../../platform/schema.ts";
import { type FeedScope, feedOf } from "../auth/scope.ts";
import type { Call } from "../deps.ts";
import { noteSchema } from "../formats/acceptance.ts";
import { activate, openVersions } from "../formats/decide.ts";
import { faulty, notFound, problem } from "../problem/problem.ts";
import { readJson } from "../query/json-body.ts";
import { customerInPath, feedInPath, readQuery } from "../query/query.ts";
import { iso } from "./present.ts";
import { MADE_CAUSES } from "./rejects.ts";
import { wrongState } from "./releases.ts";

/** Drafts shown beside the active mapping, the newest first; all versions are in the list of versions. */
const SHOWN_DRAFTS = 20;

type Row = typeof feedVersions.$inferSelect;

/** GET /v1/feeds/:customer/:feed/mapping: what holds now, with its cases, and what is drafted. */
export async function getMapping(call: Call): Promise<Response> {
  readQuery(call.c, {});
  const { scope, adapter } = await feedInQuestion(call);
  const { pinned, active } = await pinnedOf(call, scope, adapter);
  const drafts = await call.deps.db
    .select()
    .from(feedVersions)
    .where(and(ofFeed(scope), eq(feedVersions.state, "proposed")))
    .orderBy(desc(feedVersions.version))
    .limit(SHOWN_DRAFTS);
  const now = mappingNow(adapter, pinned);
  return call.c.json({
    customer: scope.customer,
    feed: scope.feed,
    /** Null where the mapping is the adapter folder's own and no version of it is pinned yet. */
    active: active === undefined ? null : facts(active),
    mapping: now ?? null,
    cases: active?.cases ?? [],
    drafts: drafts.map((row) => ({ ...facts(row), changes: changes(now, mappingSchema.parse(row.data)) })),
  });
}

/** POST /v1/feeds/:customer/:feed/mapping/drafts: a new version, which changes nothing until it is activated. */
export async function draftMapping(call: Call): Promise<Response> {
  const { c, deps, caller } = call;
  readQuery(c, {});
  const { mapping, cases, note } = await readJson(c, mappingDraftSchema);
  const { scope, adapter } = await feedInQuestion(call);
  const { pinned } = await pinnedOf(call, scope, adapter);
  const checked = checkMapping(adapter, pinned.profile, mapping, cases);
  const { rows } = await deps.db.execute<{ version: number }>(sql`
    SELECT add_feed_version(${scope.feedId}::int, 'mapping', ${mappingDigest(adapter)}, ${jsonText(mapping)}::jsonb, '{}',
      ${jsonText(cases)}::jsonb, NULL, ${caller.name}, ${storable(note)}) AS version`);
  const version = rows[0]!.version;
  return c.json({ version, changes: changes(mappingNow(adapter, pinned), mapping), check: presentCheck(checked) }, 201);
}

const trialSchema = z
  .object({
    file_id: z.string().regex(/^[1-9][0-9]{0,17}$/, "is no id of a file"),
    version: z.number().int().min(1).optional(),
    mapping: mappingSchema.optional(),
  })
  .strict()
  .refine((trial) => (trial.version === undefined) !== (trial.mapping === undefined), {
    path: ["version"],
    message: "goes without mapping: give one of the two",
  });

/** POST /v1/feeds/:customer/:feed/mapping/try: a stored file read by the mapping of now and by another one. Writes nothing. */
export async function tryOnFile(call: Call): Promise<Response> {
  const { c, deps } = call;
  readQuery(c, {});
  const trial = await readJson(c, trialSchema);
  const { scope, adapter } = await feedInQuestion(call);
  const { pinned } = await pinnedOf(call, scope, adapter);
  const mapping = trial.mapping ?? mappingSchema.parse((await versionOf(call, scope, trial.version ?? 0)).data);
  const checked = checkMapping(adapter, pinned.profile, mapping, []);
  if (checked.feed === undefined) throw notActive(checked);
  const [place] = await deps.db
    .select({ rawKey: deliveries.rawKey, position: files.position })
    .from(files)
    .innerJoin(deliveries, eq(deliveries.id, files.deliveryId))
    .where(and(eq(files.id, trial.file_id), eq(files.feedId, scope.feedId), notInArray(files.cause, [...MADE_CAUSES])));
  if (place === undefined) throw notFound();
  const before = effectiveFeed(adapter, pinned);
  const sample = await sampleOf(checked.feed, await deps.openPayload(place));
  const tried = tryMapping(before.kind === "feed" ? before.feed : undefined, checked.feed, sample);
  const { stillRejected, beforeFailure, ...counts } = tried;
  return c.json({
    file_id: trial.file_id,
    changes: changes(mappingNow(adapter, pinned), mapping),
    ...counts,
    still_rejected: stillRejected,
    before_failure: beforeFailure,
  });
}

const decisionSchema = z.object({ note: noteSchema.optional() }).strict();

/** POST /v1/feeds/:customer/:feed/mapping/:version/activate: the next file is read by it. */
export async function activateMapping(call: Call): Promise<Response> {
  readQuery(call.c, {});
  const { note } = await readJson(call.c, decisionSchema);
  const number = call.c.req.param("version") ?? "";
  if (!/^[1-9][0-9]{0,8}$/.test(number)) throw notFound();
  const { scope, adapter } = await feedInQuestion(call);
  return activated(call, scope, adapter, await versionOf(call, scope, Number(number)), note);
}

/** POST /v1/feeds/:customer/:feed/mapping/rollback: the version before the active one, by its number, is active again. */
export async function rollBackMapping(call: Call): Promise<Response> {
  const { c, deps } = call;
  readQuery(c, {});
  const { note } = await readJson(c, decisionSchema);
  const { scope, adapter } = await feedInQuestion(call);
  const { active } = await pinnedOf(call, scope, adapter);
  const [earlier] = await deps.db
    .select()
    .from(feedVersions)
    .where(and(ofFeed(scope), eq(feedVersions.state, "retired"), lt(feedVersions.version, active?.version ?? 0)))
    .orderBy(desc(feedVersions.version))
    .limit(1);
  if (earlier === undefined) {
    throw problem("wrong-state", "There is no earlier mapping that was active.", {
      members: { state: "no earlier version" },
    });
  }
  return activated(call, scope, adapter, earlier, note ?? `rolled back from version ${active?.version}`);
}

async function activated(
  call: Call,
  scope: FeedScope,
  adapter: Adapter,
  row: Row,
  note: string | undefined,
): Promise<Response> {
  if (row.state === "rejected") throw wrongState(`Version ${row.version} was rejected.`, row.state);
  const { pinned, active } = await pinnedOf(call, scope, adapter);
  const mapping = mappingSchema.parse(row.data);
  const checked = checkMapping(adapter, pinned.profile, mapping, mappingCasesSchema.parse(row.cases));
  if (!checked.ok) throw notActive(checked);
  const { version } = row;
  await activate(call, scope, [{ kind: "mapping", base: mappingDigest(adapter), data: mapping, version }], null, note);
  return call.c.json({
    version,
    before: active?.version ?? null,
    adapter_version: checked.feed?.version,
    changes: changes(mappingNow(adapter, pinned), mapping),
    check: presentCheck(checked),
  });
}

/** The feed of the path and its adapter. Its row is made where no file has come yet. Throws `not-found`. */
async function feedInQuestion(call: Call): Promise<{ readonly scope: FeedScope; readonly adapter: Adapter }> {
  const { c, deps, caller } = call;
  const customer = customerInPath(c, "customer");
  const adapter = deps.adapterOf(customer, feedInPath(c, "feed"));
  if (adapter === undefined) throw notFound();
  const { customerTitle, feed, title, mode, version } = adapter;
  await deps.db.execute(sql`SELECT register_feed(${customer}, ${customerTitle}, ${feed}, ${title}, ${mode}, ${version})
    WHERE NOT EXISTS (SELECT 1 FROM feeds f JOIN customers c ON c.id = f.customer_id
                      WHERE c.slug = ${customer} AND f.slug = ${feed})`);
  return { scope: await feedOf(deps.db, caller, customer, feed), adapter };
}

const ofFeed = ({ feedId }: FeedScope) => and(eq(feedVersions.feedId, feedId), eq(feedVersions.kind, "mapping"));

async function versionOf({ deps }: Call, scope: FeedScope, version: number): Promise<Row> {
  const [row] = await deps.db
    .select()
    .from(feedVersions)
    .where(and(ofFeed(scope), eq(feedVersions.version, version)));
  if (row === undefined) throw notFound();
  return row;
}

/** What is pinned, and the row of the mapping that holds: one made on another folder text is superseded. */
async function pinnedOf(
  { deps }: Call,
  scope: FeedScope,
  adapter: Adapter,
): Promise<{ readonly pinned: Pinned; readonly active: Row | undefined }> {
  const open = await openVersions(deps.db, scope.feedId);
  const pinned = pinnedVersions(
    adapter,
    open.filter(({ state }) => state === "active"),
  );
  if (pinned.mapping === undefined) return { pinned, active: undefined };
  const [active] = await deps.db
    .select()
    .from(feedVersions)
    .where(and(ofFeed(scope), eq(feedVersions.state, "active")));
  return { pinned, active };
}

const mappingNow = ({ columns, key }: Adapter, pinned: Pinned): Mapping | undefined =>
  pinned.mapping ?? (columns === undefined || key === undefined ? undefined : { columns, key });

const changes = (now: Mapping | undefined, next: Mapping): string[] =>
  now === undefined ? ["This is the first mapping of the feed."] : diffMappings(now, next);

const facts = (row: Row) => ({
  version: row.version,
  state: row.state,
  note: row.note,
  created_at: iso(row.createdAt),
  created_by: row.createdBy,
  decided_at: iso(row.decidedAt),
  decided_by: row.decidedBy,
});

const presentCheck = ({ ok, faults, cases }: CheckedMapping) => ({
  ok,
  faults: faults.map(({ path, message }) => ({ path: path.join("."), message })),
  cases,
});

function notActive(checked: CheckedMapping) {
  const failing = checked.cases.filter(({ passed }) => !passed);
  const detail =
    failing.length > 0
      ? `${failing.length} of ${checked.cases.length} cases do not hold: see “cases”.`
      : "The feed cannot be read by this mapping: see “faults”.";
  return faulty("not-acceptable-yet", detail, presentCheck(checked).faults, { cases: failing });
}
