/** What one invocation works with, and how it reaches the database, the queues and the archive: shared by all parts of the root. */
import type { Adapter } from "./domain/adapter.ts";
import { type DeliveryFacts, factsFromMetadata } from "./domain/delivery.ts";
import { failure } from "./domain/failures.ts";
import type { ApplyFile, ParseDelivery } from "./domain/messages.ts";
import type { Config } from "./env.ts";
import { jsonLog, type Log } from "./observe/log.ts";
import type { PostgresOptions } from "./platform/postgres.ts";
import { sendTo } from "./platform/queues.ts";
import { headOf } from "./platform/r2.ts";

/** Time, chance and the way to the database: what no stage takes for itself. The simulator brings its own. */
export interface Surroundings {
  now(): Date;
  /** In [0, 1). */
  random(): number;
  uuid(): string;
  sleep(ms: number): Promise<void>;
  readonly log: Log;
  /** Carries requests to the database. */
  readonly fetch?: typeof fetch;
  /** Rows written by one statement, where it is not to be as many as are best for the database. */
  readonly maxRows?: number;
}

const now = () => new Date();

export const real: Surroundings = {
  now,
  random: () => Math.random(),
  uuid: () => crypto.randomUUID(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  log: jsonLog(now),
};

/** What one invocation works with. */
export type System = Config & Surroundings;

export const databaseOptions = ({ databaseEndpoint, fetch }: System): PostgresOptions => ({
  ...(databaseEndpoint === undefined ? {} : { fetchEndpoint: databaseEndpoint }),
  ...(fetch === undefined ? {} : { fetch }),
});

export const enqueueParse = (config: System) => async (message: ParseDelivery) => {
  await sendTo(config.parseQueue(message.customer), message);
};
export const enqueueApply = (config: System) => async (message: ApplyFile) => {
  await sendTo(config.applyQueue(message.rows), message);
};

export const customersOf = (feeds: readonly Adapter[]): string[] => [...new Set(feeds.map((f) => f.customer))];

/** Throws `unknown-feed`. */
export function adapterOf(feeds: readonly Adapter[], customer: string, feed: string): Adapter {
  const found = feeds.find((f) => f.customer === customer && f.feed === feed);
  if (found) return found;
  throw failure("unknown-feed", { customer, feed });
}

/** Who at the customer is told of the feed's files; undefined where the adapter names nobody. */
export const contactOf = (feeds: readonly Adapter[], customer: string, feed: string): string | undefined =>
  feeds.find((f) => f.customer === customer && f.feed === feed)?.contact;

/** What is known of an archived delivery. Throws `raw-missing`. */
export async function archived(config: System, key: string): Promise<{ facts: DeliveryFacts; bytes: number }> {
  const head = await headOf(config.store, key);
  if (!head) throw failure("raw-missing", { key });
  return { facts: factsFromMetadata(head.metadata), bytes: head.bytes };
}
