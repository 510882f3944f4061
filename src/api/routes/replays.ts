/**
 * Replays: deliveries read again from the archive, as they are read today or by a named version, for real or as a shadow that
 * only tells. For operators. What happens stands in `src/replay`; here is only what is asked and what is answered.
 */
import { desc, eq, lt, sql } from "drizzle-orm";
import { z } from "zod";
import type { VersionKind } from "../../domain/feed-version.ts";
import { CUSTOMER_SLUG, DELIVERY_ID, FEED_SLUG } from "../../domain/ids.ts";
import { rawCustomerPrefix } from "../../domain/keys.ts";
import { replays } from "../../platform/schema.ts";
import { goOn } from "../../replay/advance.ts";
import type { Decision, ReplayScope } from "../../replay/deps.ts";
import type { Call } from "../deps.ts";
import { idKey, pageOf, readCursor } from "../pages/page.ts";
import { notFound, problem } from "../problem/problem.ts";
import { readJson } from "../query/json-body.ts";
import { idInPath, pageParameters, readQuery } from "../query/query.ts";
import { presentReplay, replayColumns, reportOf } from "./replay-report.ts";

const LIST = "replays";
/** Objects named by one request: 1.5 MB of JSON. */
const MAX_RAW_KEYS = 20_000;
/** Pages of the archive looked through before the answer, some seconds; the cron goes on with the rest. */
const PAGES_AT_ONCE = 20;

/** A day stands for its beginning in UTC. */
const moment = z
  .union([z.iso.date(), z.iso.datetime({ offset: true })], {
    error: "is no date like 2026-11-20 or time like 2026-11-20T08:00:00Z",
  })
  .transform((text) => new Date(text).toISOString());
const version = z.int({ error: "is not the number of a version" }).min(1, "is not the number of a version");

const body = z
  .strictObject({
    all: z.literal(true).optional(),
    customer: z.string().regex(CUSTOMER_SLUG, "is not the name of a customer").optional(),
    feed: z.string().regex(FEED_SLUG, "is not the name of a feed").optional(),
    delivery: z.string().regex(DELIVERY_ID, "is not the id of a delivery").optional(),
    raw_keys: z
      .array(z.string().max(512))
      .min(1, "is empty")
      .max(MAX_RAW_KEYS, `has more than ${MAX_RAW_KEYS} keys`)
      .optional(),
    since: moment.optional(),
    shadow: z.boolean().default(false),
    profile: version.optional(),
    mapping: version.optional(),
    gate: z.enum(["judge", "pass"]).default("judge"),
  })
  .superRefine((asked, context) => {
    const fault = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message });
    const scopes = [asked.all, asked.customer, asked.delivery].filter((one) => one !== undefined);
    if (scopes.length !== 1) fault("", "must say what: delivery, customer (with feed or not), or all: true");
    if (asked.feed !== undefined && asked.customer === undefined) fault("feed", "needs customer beside it");
    if (asked.raw_keys !== undefined && asked.feed === undefined)
      fault("raw_keys", "needs customer and feed beside it");
    if (asked.since !== undefined && (asked.delivery ?? asked.raw_keys) !== undefined) {
      fault("since", "goes with customer, feed or all");
    }
    const named = (asked.profile ?? asked.mapping) !== undefined;
    if (named && asked.feed === undefined && asked.delivery === undefined) {
      fault(asked.profile === undefined ? "mapping" : "profile", "is a version of one feed: name the feed");
    }
    const foreign = asked.raw_keys?.findIndex((key) => !key.startsWith(rawCustomerPrefix(asked.customer ?? "")));
    if (foreign !== undefined && foreign !== -1) fault("raw_keys", `key ${foreign + 1} is not of the customer`);
  });

/** POST /v1/replays */
export async function startReplay({ c, deps, caller }: Call): Promise<Response> {
  readQuery(c, {});
  const { delivery, raw_keys: rawKeys, all: _, ...asked } = await readJson(c, body);
  const scope: ReplayScope = { ...asked, rawKeys, ...(delivery === undefined ? {} : await ofDelivery(deps, delivery)) };
  const { customer, feed } = scope;
  const knows = deps.replay.feeds.some(
    (one) => (customer ?? one.customer) === one.customer && (feed ?? one.feed) === one.feed,
  );
  if (!knows) throw notFound();
  await mustExist(deps, scope, "profile");
  await mustExist(deps, scope, "mapping");
  const id = await deps.replay.tables.create(scope, caller.name);
  await goOn(id, deps.replay, PAGES_AT_ONCE);
  return c.json({ replay: await reportOf(deps, id), status_url: `/v1/replays/${id}` }, 202);
}

/** One delivery as what it is in the archive. */
async function ofDelivery(deps: Call["deps"], id: string): Promise<Pick<ReplayScope, "customer" | "feed" | "rawKeys">> {
  const { rows } = await deps.db.execute<{ customer: string; feed: string; raw_key: string }>(sql`
    SELECT c.slug AS customer, f.slug AS feed, d.raw_key FROM deliveries d
    JOIN customers c ON c.id = d.customer_id JOIN feeds f ON f.id = d.feed_id WHERE d.id = ${id}`);
  const [found] = rows;
  if (found === undefined) throw notFound();
  return { customer: found.customer, feed: found.feed, rawKeys: [found.raw_key] };
}

async function mustExist(deps: Call["deps"], scope: ReplayScope, kind: VersionKind): Promise<void> {
  const number = scope[kind];
  if (number === undefined) return;
  const { rows } = await deps.db.execute(sql`
    SELECT 1 FROM feed_versions v JOIN feeds f ON f.id = v.feed_id JOIN customers c ON c.id = f.customer_id
    WHERE c.slug = ${scope.customer ?? ""} AND f.slug = ${scope.feed ?? ""} AND v.kind = ${kind} AND v.version = ${number}`);
  if (rows.length > 0) return;
  const detail = `The feed ${scope.customer}/${scope.feed} has no version ${number} of its ${kind === "profile" ? "format" : "mapping"}.`;
  throw problem("refused", detail);
}

/** GET /v1/replays */
export async function listReplays({ c, deps }: Call): Promise<Response> {
  const query = readQuery(c, pageParameters);
  const after = query.cursor === undefined ? undefined : readCursor(LIST, query.cursor, [idKey]);
  const rows = await deps.db
    .select(replayColumns)
    .from(replays)
    .where(after && lt(replays.id, after[0]))
    .orderBy(desc(replays.id))
    .limit(query.limit + 1);
  return c.json(pageOf(LIST, rows, query.limit, (row) => [row.id], presentReplay));
}

/** GET /v1/replays/:id */
export async function getReplay({ c, deps }: Call): Promise<Response> {
  const id = idInPath(c, "id");
  readQuery(c, {});
  return c.json(await reportOf(deps, id));
}

const WRONG: Readonly<Record<Decision, string>> = {
  pause: "Only one that runs can be paused.",
  resume: "Only one that is paused can be resumed.",
  cancel: "It has come to its end.",
};
const ENDS_AS: Readonly<Record<Decision, string>> = { pause: "paused", resume: "running", cancel: "cancelled" };

/** POST /v1/replays/:id/pause, …/resume and …/cancel. Again is done already. */
export const decideReplay =
  (decision: Decision) =>
  async ({ c, deps, caller }: Call): Promise<Response> => {
    const id = idInPath(c, "id");
    readQuery(c, {});
    await readJson(c, z.strictObject({}));
    const [before] = await deps.db.select({ state: replays.state }).from(replays).where(eq(replays.id, id));
    if (before === undefined) throw notFound();
    const state = await deps.replay.tables.decide(id, decision, caller.name, deps.now());
    // One that has come to its end meanwhile has been resumed all the same.
    if (state !== ENDS_AS[decision] || (decision === "resume" && before.state === "done")) {
      throw problem("wrong-state", `The replay is “${state}”. ${WRONG[decision]}`, { members: { state } });
    }
    if (decision === "resume") await goOn(id, deps.replay);
    return c.json({ replay: await reportOf(deps, id), status_url: `/v1/replays/${id}` });
  };
