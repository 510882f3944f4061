/** The exact state of a feed: all that a run can leave, without ids and times. Two runs that did the same look the same. */
import type { State, TestFeed, World } from "../apply/world.ts";

export interface Exact extends State {
  /** What was planned and applied, chunk by chunk. */
  readonly ledger: readonly object[];
  /** Which records each part of each file contained. */
  readonly seen: readonly object[];
  /** Change events that share their idempotency key with another one. */
  readonly repeatedEvents: number;
  /** The lease of the feed: null once all is done. */
  readonly lease: string | null;
}

const RANK = `(SELECT id, rank() OVER (ORDER BY order_key)::int AS file FROM files WHERE feed_id = $1)`;

export async function exactState(world: World, feed: TestFeed): Promise<Exact> {
  const { database } = world;
  const id = [feed.feedId];
  const ledger = await database.query<object>(
    `SELECT f.file, l.chunk_key::text, l.rows, l.inserted, l.changed, l.unchanged, l.stale, l.need::text, l.need_new
     FROM ledger l JOIN ${RANK} f ON f.id = l.file_id ORDER BY 1, 2`,
    id,
  );
  const seen = await database.query<object>(
    `SELECT f.file, s.chunk_key::text, cardinality(s.record_ids) AS records,
       (SELECT string_agg(r.natural_key, ' ' ORDER BY r.natural_key COLLATE "C") FROM records r WHERE r.id = ANY (s.record_ids)) AS keys
     FROM seen s JOIN ${RANK} f ON f.id = s.file_id WHERE s.feed_id = $1 ORDER BY 1, 2`,
    id,
  );
  const events = await world.one<{ repeated: number }>(
    "SELECT (count(*) - count(DISTINCT idempotency_key))::int AS repeated FROM change_events WHERE feed_id = $1",
    id,
  );
  const { lease } = await world.one<{ lease: string | null }>(
    "SELECT lease_token::text AS lease FROM feeds WHERE id = $1",
    id,
  );
  return { ...(await world.state(feed)), ledger, seen, repeatedEvents: events.repeated, lease };
}
