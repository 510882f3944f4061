/**
 * Restores: what bringing the records of a customer or feed back to a moment would do, and the order to do it. For operators.
 * What happens stands in `src/restore`; here is only what is asked and what is answered.
 */
import { and, desc, eq, lt, sql } from "drizzle-orm";
import { z } from "zod";
import { FEED_SLUG } from "../../domain/ids.ts";
import { customers, feeds, files, restoreParts, restores } from "../../platform/schema.ts";
import type { Difference, OrderedPart } from "../../restore/deps.ts";
import { type Asked, carryOut, type NotPossible, type Preview, previewRestore } from "../../restore/restore.ts";
import type { Call } from "../deps.ts";
import { idKey, pageOf, readCursor } from "../pages/page.ts";
import { faulty, notFound, type Problem, problem } from "../problem/problem.ts";
import { readJson } from "../query/json-body.ts";
import { customerInPath, pageParameters, readQuery } from "../query/query.ts";
import { momentSchema, tooEarly } from "./as-of.ts";
import { iso } from "./present.ts";
import { changedFields } from "./records.ts";

const LIST = "restores";

const common = {
  to: momentSchema,
  feed: z.string().regex(FEED_SLUG, "is not the name of a feed").optional(),
};
const DIGEST = /^[0-9a-f]{64}$/;
const body = z
  .strictObject({
    ...common,
    preview: z.literal(true, { error: "is true or left out" }).optional(),
    digest: z.string().regex(DIGEST, "is not the digest of a preview").optional(),
  })
  .refine(({ preview, digest }) => (preview === undefined) !== (digest === undefined), {
    error: "needs either preview: true, or the digest of the preview that you have looked at",
  });

/** POST /v1/customers/:customer/restore */
export async function restoreCustomer({ c, deps, caller }: Call): Promise<Response> {
  const customer = customerInPath(c, "customer");
  readQuery(c, {});
  const { to, feed, digest } = await readJson(c, body);
  const asked: Asked = { customer, to, ...(feed === undefined ? {} : { feed }) };
  if (digest === undefined) {
    const looked = await previewRestore(deps.restore, asked);
    if (looked.kind !== "preview") throw notPossible(looked, asked);
    return c.json({ preview: presentPreview(looked.preview, asked) });
  }
  const done = await carryOut(deps.restore, { ...asked, digest, by: caller.name });
  switch (done.kind) {
    case "nothing":
      return c.json({ restore: { customer, to, digest, files: [] } });
    case "ordered":
      return c.json({ restore: { customer, to, digest, files: done.parts.map(presentPart) } }, 202);
    case "moved":
      throw problem("wrong-state", "The records have moved since that preview. Look at it again.", {
        members: { files: done.parts.filter(({ state }) => state !== null).map(presentPart) },
      });
    default:
      throw notPossible(done, asked);
  }
}

function notPossible(why: NotPossible, { customer }: Asked): Problem {
  switch (why.kind) {
    case "unknown":
      return notFound();
    case "ahead":
      return faulty("invalid-body", "Nobody knows yet what the records will be.", [
        { path: "to", message: "lies in the future" },
      ]);
    case "too-early":
      return tooEarly(why.left.map(({ feed, historyFrom }) => ({ feed: `${customer}/${feed}`, historyFrom })));
  }
}

function presentPreview({ digest, feeds, left }: Preview, { customer, to }: Asked) {
  return {
    customer,
    to,
    /** To be named by the order. */
    digest,
    feeds: feeds.map(({ feed, changes, restores, retirements, fields, samples, underWay }) => ({
      feed,
      changes,
      restores,
      retirements,
      fields,
      samples: samples.map(presentSample),
      files_under_way: underWay,
    })),
    /** Not touched: their history does not go back so far. */
    left: left.map(({ feed, historyFrom }) => ({ feed, history_from: historyFrom })),
  };
}

/** Of what comes or goes the whole record, of what changes only the fields that do. */
function presentSample({ does, key, now, was }: Difference) {
  if (does !== "change")
    return {
      key,
      does,
      fields: changedFields(does === "retire" ? now : was, null),
      now: does === "retire" ? now : null,
      was,
    };
  const fields = changedFields(now, was);
  const only = (values: Difference["now"] | null) =>
    Object.fromEntries(fields.filter((field) => field in (values ?? {})).map((field) => [field, values?.[field]]));
  return { key, does, fields, now: only(now), was: only(was) };
}

const presentPart = ({ n, parts, fileId, feed, rows, state }: OrderedPart) => ({
  id: fileId,
  feed,
  part: n,
  of: parts,
  records: rows,
  /** Null: its file is not made yet. */
  state,
  status_url: state === null ? null : `/v1/files/${fileId}`,
});

/** GET /v1/customers/:customer/restores */
export async function listRestores({ c, deps }: Call): Promise<Response> {
  const customer = customerInPath(c, "customer");
  const query = readQuery(c, { ...pageParameters, digest: z.string().regex(DIGEST, "is not a digest").optional() });
  const before = query.cursor === undefined ? undefined : readCursor(LIST, query.cursor, [idKey]);
  const [known] = await deps.db.select({ id: customers.id }).from(customers).where(eq(customers.slug, customer));
  if (known === undefined) throw notFound();
  const inState = (state: string) => sql<number>`(count(*) FILTER (WHERE ${files.state} = ${state}))::int`;
  const rows = await deps.db
    .select({
      id: restores.id,
      feed: feeds.slug,
      to: restores.restoreTo,
      digest: restores.request,
      orderedAt: restores.saidAt,
      orderedBy: restores.askedBy,
      parts: sql<number>`count(*)::int`,
      made: sql<number>`count(${restoreParts.madeAt})::int`,
      applied: inState("applied"),
      held: inState("held"),
      rejected: inState("rejected"),
      dead: inState("dead"),
      records: sql<number>`sum(${restoreParts.rows})::int`,
      restored: sql<number>`coalesce(sum(${restoreParts.rows}) FILTER (WHERE ${files.state} = 'applied'), 0)::int`,
    })
    .from(restores)
    .innerJoin(feeds, eq(feeds.id, restores.feedId))
    .innerJoin(restoreParts, eq(restoreParts.restoreId, restores.id))
    .leftJoin(files, eq(files.id, restoreParts.fileId))
    .where(
      and(
        eq(restores.customerId, known.id),
        before && lt(restores.id, before[0]),
        query.digest === undefined ? undefined : eq(restores.request, query.digest),
      ),
    )
    .groupBy(restores.id, feeds.slug)
    .orderBy(desc(restores.id))
    .limit(query.limit + 1);
  return c.json(
    pageOf(
      LIST,
      rows,
      query.limit,
      (row) => [row.id],
      ({ id, feed, to, digest, orderedAt, orderedBy, records, restored, ...parts }) => ({
        id,
        customer,
        feed,
        to: iso(to),
        digest,
        ordered_at: iso(orderedAt),
        ordered_by: orderedBy,
        records: { planned: records, applied: restored },
        parts: {
          planned: parts.parts,
          made: parts.made,
          applied: parts.applied,
          held: parts.held,
          rejected: parts.rejected,
          dead: parts.dead,
        },
      }),
    ),
  );
}
