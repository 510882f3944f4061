/** The statements behind a decision about a feed's format, and the wake-up of what waited for it. */
import { and, eq, inArray, or, type SQL, sql } from "drizzle-orm";
import type { FailureCode } from "../../domain/failures.ts";
import type { StoredVersion } from "../../domain/feed-version.ts";
import { parseDeliveryMessage } from "../../domain/messages.ts";
import { jsonText } from "../../platform/postgres.ts";
import { deliveries, feeds, feedVersions, files } from "../../platform/schema.ts";
import type { FeedScope } from "../auth/scope.ts";
import type { ApiDatabase, Call } from "../deps.ts";
import { waking } from "../routes/releases.ts";
import type { Accepted } from "./acceptance.ts";

/** Holds that wait for a decision about the format: all of them are read again when there is one. */
const WAITS_FOR_FORMAT: readonly FailureCode[] = ["format-unconfirmed", "format-drift"];

export interface OpenVersion extends StoredVersion {
  readonly state: "active" | "proposed";
  readonly evidence: unknown;
  readonly fileId: string | null;
}

/** The active versions of a feed and what detection has proposed. */
export async function openVersions(db: ApiDatabase, feedId: number): Promise<OpenVersion[]> {
  const rows = await db
    .select()
    .from(feedVersions)
    .where(
      and(
        eq(feedVersions.feedId, feedId),
        or(
          eq(feedVersions.state, "active"),
          and(eq(feedVersions.state, "proposed"), eq(feedVersions.createdBy, "detection")),
        ),
      ),
    );
  return rows.flatMap(({ state, ...row }) => (state === "active" || state === "proposed" ? [{ ...row, state }] : []));
}

export interface Activation extends Accepted {
  /** The proposal that is accepted; undefined where the version is new. */
  readonly version: number | undefined;
}

/**
 * Makes the versions active and sends what waits for them back to parse, in one transaction; then wakes it in its order.
 * Again it writes nothing new, and wakes what has not moved.
 */
export async function activate(
  { deps, caller }: Call,
  scope: FeedScope,
  activations: readonly Activation[],
  fileId: string | null,
  note: string | undefined,
): Promise<void> {
  const statements = activations.map(({ kind, version, base, data }): SQL => {
    const text = jsonText(data);
    const added = sql`add_feed_version(${scope.feedId}::int, ${kind}, ${base}, ${text}::jsonb, '{}', '[]', ${fileId}::bigint,
      ${caller.name}, NULL)`;
    return sql`SELECT activate_feed_version(${scope.feedId}::int, ${kind}, ${version === undefined ? added : sql`${version}::int`},
      ${base}, ${text}::jsonb, ${caller.name}, ${note ?? null})`;
  });
  const codes = `{${WAITS_FOR_FORMAT.join(",")}}`;
  const [first, ...others] = [
    ...statements,
    sql`SELECT reopen_files(${scope.feedId}::int, ${codes}::text[], ${caller.name})`,
  ].map((statement) => deps.db.execute(statement));
  if (first !== undefined) await deps.db.batch([first, ...others]);
  await wake(deps, scope);
}

/** Sends the messages of all deliveries of the feed that are to be read; one that is read already does nothing. */
export async function wake(deps: Call["deps"], scope: FeedScope): Promise<void> {
  const waiting = await deps.db
    .select({ id: deliveries.id, feed: feeds.slug, rawKey: deliveries.rawKey })
    .from(files)
    .innerJoin(deliveries, eq(deliveries.id, files.deliveryId))
    .innerJoin(feeds, eq(feeds.id, deliveries.feedId))
    .where(and(eq(files.feedId, scope.feedId), inArray(files.state, ["parsing"]), eq(deliveries.state, "parsing")))
    .groupBy(deliveries.id, feeds.slug, deliveries.rawKey)
    .orderBy(sql`min(${files.orderKey}::text)`);
  const { customer } = scope;
  await waking(async () => {
    for (const { id, feed, rawKey } of waiting) {
      await deps.enqueueParse(parseDeliveryMessage({ customer, feed, correlationId: id, rawKey }));
    }
  });
}
