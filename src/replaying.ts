/** Replay's part of the composition root: the archive, the stages' queue and the rows of replays. No decision is made here. */
import { z } from "zod";
import type { BackfillDoor } from "./api/deps.ts";
import type { Adapter } from "./domain/adapter.ts";
import { type DeliveryFacts, factsFromMetadata } from "./domain/delivery.ts";
import { rawKey } from "./domain/keys.ts";
import type { ParseDelivery } from "./domain/messages.ts";
import { backfillFacts } from "./intake/backfill.ts";
import type { Log } from "./observe/log.ts";
import { asOfFile, statedTime } from "./parse/as-of.ts";
import type { Replay } from "./parse/reading.ts";
import { type Database, patient } from "./platform/postgres.ts";
import { archiveRaw, headOf, listMetadataAfter } from "./platform/r2.ts";
import type { ArchivedObject, ReadingOrder, ReplayDeps } from "./replay/deps.ts";
import { replayTables } from "./replay/tables.ts";

interface Surroundings {
  readonly feeds: readonly Adapter[];
  readonly store: R2Bucket;
  readonly database: Database;
  enqueueParse(message: ParseDelivery): Promise<void>;
  now(): Date;
  sleep(ms: number): Promise<void>;
  random(): number;
  readonly log: Log;
}

export const replayDeps = ({ store, database, ...config }: Surroundings): ReplayDeps => ({
  feeds: config.feeds,
  tables: replayTables(patient(database, config)),
  async listRaw(prefix, after) {
    const { objects, more } = await listMetadataAfter(store, prefix, after);
    return { objects: objects.map(({ metadata, ...object }) => ({ ...object, facts: factsIn(metadata) })), more };
  },
  async headRaw(key): Promise<ArchivedObject | undefined> {
    const head = await headOf(store, key);
    return head && { key, bytes: head.bytes, facts: factsIn(head.metadata) };
  },
  asOf(facts, feed) {
    const { at, source } = asOfFile(feed, facts, facts.name ?? "");
    if (source !== "arrival" || feed.asOf.from === "arrival") return at;
    // What only a file's name or the file itself says is not among the facts. Its mail was written soon after it.
    const { maxAgeHours } = feed.asOf;
    return asOfFile({ ...feed, asOf: { from: "mail-date", maxAgeHours } }, facts, "").at;
  },
  enqueueParse: config.enqueueParse,
  now: config.now,
  log: config.log,
});

export const backfillDoor = (
  config: Pick<Surroundings, "store" | "now"> & { readonly addressSecret: string; readonly mailDomain: string },
): BackfillDoor => ({
  facts(old) {
    const arrived = { receivedAt: config.now().toISOString() } as DeliveryFacts;
    const named = old.feed.asOf.from === "file-name" ? statedTime(asOfFile(old.feed, arrived, old.name)) : null;
    return backfillFacts({ ...old, namedAt: named === null ? undefined : new Date(named) }, config, config.now());
  },
  async archive(facts, bytes) {
    const key = rawKey(facts.customer, new Date(facts.receivedAt), facts.id, facts.door);
    await archiveRaw(config.store, key, bytes, facts);
    return key;
  },
});

/** Undefined where the object was not archived by us. */
function factsIn(metadata: Record<string, string> | undefined): DeliveryFacts | undefined {
  try {
    return factsFromMetadata(metadata);
  } catch (thrown) {
    if (thrown instanceof z.ZodError || thrown instanceof SyntaxError) return undefined;
    throw thrown;
  }
}

/** How parse is to read a delivery of a replay; undefined: as one that has just arrived. */
export function readingOf(replayId: string, feed: string, order: ReadingOrder): Replay | undefined {
  if (order.fresh) return undefined;
  const { shadow, profile, mapping } = order;
  const isNamed = profile !== undefined || mapping !== undefined;
  return {
    cause: "replay",
    replayId,
    compareOnly: shadow,
    ...(isNamed
      ? {
          feed,
          versions: { ...(profile === undefined ? {} : { profile }), ...(mapping === undefined ? {} : { mapping }) },
        }
      : {}),
  };
}
