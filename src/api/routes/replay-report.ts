/** A replay as it is told: how far it is, what came of it feed by feed, and what was left out or failed. */
import { eq, getTableColumns, sql } from "drizzle-orm";
import { FAILURES } from "../../domain/failures.ts";
import { replays } from "../../platform/schema.ts";
import { FAIL_REASONS, SKIP_REASONS } from "../../replay/deps.ts";
import { remainingSeconds } from "../../replay/pace.ts";
import type { Call } from "../deps.ts";
import { notFound } from "../problem/problem.ts";
import { iso } from "./present.ts";

/** Deliveries named with each reason; who wants all of them asks for the deliveries themselves. */
const NAMED_DELIVERIES = 10;

const { rawKeys, ...others } = getTableColumns(replays);
/** Without the keys that a replay may name, of which there may be a megabyte. */
export const replayColumns = { ...others, objects: sql<number | null>`cardinality(${rawKeys})` };
type ReplayRow = Omit<typeof replays.$inferSelect, "rawKeys"> & { readonly objects: number | null };

export const presentReplay = (row: ReplayRow) => ({
  id: row.id,
  state: row.state,
  scope: {
    customer: row.customer,
    feed: row.feed,
    since: iso(row.since),
    objects: row.objects,
  },
  shadow: row.shadow,
  profile: row.profile,
  mapping: row.mapping,
  gate: row.gate,
  failure: row.failure,
  created_at: iso(row.createdAt),
  created_by: row.createdBy,
  ended_at: iso(row.endedAt),
});

const NUMBERS = [
  "files",
  "held",
  "rejected",
  "dead",
  "accepted",
  "inserted",
  "changed",
  "unchanged",
  "stale",
  "superseded",
  "retired",
] as const;
type Numbers = Record<(typeof NUMBERS)[number], number>;
type Deliveries = Record<"waiting" | "sent" | "done" | "skipped" | "failed", number>;

interface FeedRow extends Numbers, Deliveries {
  readonly name: string;
  readonly total_bytes: number;
  readonly done_bytes: number;
}

interface ReasonRow {
  readonly state: "skipped" | "failed";
  readonly reason: string;
  readonly deliveries: number;
  readonly examples: string[];
}

/** Throws `not-found`. */
export async function reportOf(deps: Call["deps"], id: string) {
  const [row] = await deps.db.select(replayColumns).from(replays).where(eq(replays.id, id));
  if (row === undefined) throw notFound();
  const sums = NUMBERS.map((name) => `coalesce(sum(${name}), 0)::int AS ${name}`).join(", ");
  const { rows } = await deps.db.execute<FeedRow & Record<string, unknown>>(sql`
    SELECT customer || '/' || feed AS name, ${sql.raw(sums)},
      (count(*) FILTER (WHERE state = 'waiting'))::int AS waiting, (count(*) FILTER (WHERE state = 'sent'))::int AS sent,
      (count(*) FILTER (WHERE state = 'done'))::int AS done, (count(*) FILTER (WHERE state = 'skipped'))::int AS skipped,
      (count(*) FILTER (WHERE state = 'failed'))::int AS failed,
      (sum(raw_bytes) FILTER (WHERE state <> 'skipped'))::float8 AS total_bytes,
      (sum(raw_bytes) FILTER (WHERE state IN ('done', 'failed')))::float8 AS done_bytes
    FROM replay_items WHERE replay_id = ${id}::bigint GROUP BY 1 ORDER BY 1`);
  const reasons = await deps.db.execute<ReasonRow & Record<string, unknown>>(sql`
    SELECT state, reason, count(*)::int AS deliveries, (array_agg(delivery_id ORDER BY delivery_id))[1:${NAMED_DELIVERIES}] AS examples
    FROM replay_items WHERE replay_id = ${id}::bigint AND reason IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 3 DESC, 2`);
  return {
    ...presentReplay(row),
    progress: progressOf(row, rows, deps.now()),
    totals: numbersOf(rows),
    feeds: rows.map((one) => ({ feed: one.name, deliveries: deliveriesOf([one]), ...numbersOf([one]) })),
    left_out: reasons.rows.map(({ state, reason, deliveries, examples }) => ({
      state,
      reason,
      sentence: sentenceOf(reason),
      deliveries,
      examples,
    })),
  };
}

const sumOf = (rows: readonly FeedRow[], name: keyof FeedRow): number =>
  rows.reduce((sum, row) => sum + Number(row[name] ?? 0), 0);

const numbersOf = (rows: readonly FeedRow[]): Numbers =>
  Object.fromEntries(NUMBERS.map((name) => [name, sumOf(rows, name)])) as Numbers;

const deliveriesOf = (rows: readonly FeedRow[]): Deliveries & { readonly total: number } => {
  const states = (["waiting", "sent", "done", "skipped", "failed"] as const).map((name) => [name, sumOf(rows, name)]);
  const counted = Object.fromEntries(states) as Deliveries;
  return { total: Object.values(counted).reduce((sum, count) => sum + count, 0), ...counted };
};

function progressOf(row: ReplayRow, rows: readonly FeedRow[], now: Date) {
  const totalBytes = sumOf(rows, "total_bytes");
  const doneBytes = sumOf(rows, "done_bytes");
  const elapsedMs = row.runningSince === null ? 0 : now.getTime() - row.runningSince.getTime();
  const remaining =
    row.state === "running"
      ? remainingSeconds({ totalBytes, doneBytes, beforeBytes: row.runningBytes, elapsedMs })
      : undefined;
  return {
    deliveries: deliveriesOf(rows),
    bytes: { total: totalBytes, done: doneBytes },
    rows: sumOf(rows, "accepted"),
    remaining_seconds: remaining ?? null,
  };
}

/** A reason is ours, or the code of the failure of which a file or the delivery died. */
function sentenceOf(reason: string): string {
  const ours: Readonly<Record<string, string>> = { ...SKIP_REASONS, ...FAIL_REASONS };
  return ours[reason] ?? (reason in FAILURES ? `It died of “${reason}”; its dead letter says more.` : reason);
}
