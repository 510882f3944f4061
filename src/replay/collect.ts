/**
 * What a replay is about: the objects of the archive that are in its scope, each delivery once. It goes through the archive
 * page by page and writes down how far it is, so that whoever comes after a dead invocation goes on there.
 */
import type { Adapter } from "../domain/adapter.ts";
import type { DeliveryFacts } from "../domain/delivery.ts";
import { rawCustomerPrefix, rawPrefix } from "../domain/keys.ts";
import { inLanes } from "../domain/lanes.ts";
import type { ArchivedObject, Collected, FoundItem, Replay, ReplayDeps, SkipReason } from "./deps.ts";
import { laneOf } from "./lane.ts";

/** Pages by one invocation: a list and a statement each, of the 10,000 subrequests that it has; a minute or so. */
export const MAX_PAGES = 200;
/** Named objects by one page: a request each. */
export const KEYS_PER_PAGE = 200;

/**
 * Looks through the archive, up to `maxPages`. True: the replay runs, or somebody else is at it. Throws what storage and
 * database throw; what was found until then is kept.
 */
export async function collect(replay: Replay, deps: ReplayDeps, maxPages = MAX_PAGES): Promise<boolean> {
  let at = replay.collected;
  for (let pages = 0; pages < maxPages; pages++) {
    const page = replay.rawKeys === undefined ? await listed(replay, at, deps) : await named(replay, at, deps);
    const found = page.objects.flatMap((object) => itemOf(replay, object, deps) ?? []);
    if (!(await deps.tables.keep(replay.id, at, found, page.next, deps.now()))) return true;
    deps.log.info("replay-collected", { replay: replay.id, found: found.length, of: page.objects.length });
    if (page.next === undefined) return true;
    at = page.next;
  }
  return false;
}

interface Page {
  readonly objects: readonly ArchivedObject[];
  /** Where the next one begins; undefined: this was the last. */
  readonly next: Collected | undefined;
}

async function named({ rawKeys = [] }: Replay, at: Collected | undefined, deps: ReplayDeps): Promise<Page> {
  const from = at !== undefined && "keys" in at ? at.keys : 0;
  const keys = rawKeys.slice(from, from + KEYS_PER_PAGE);
  const objects: ArchivedObject[] = [];
  await inLanes(keys, async (key) => {
    const object = await deps.headRaw(key);
    if (object === undefined) deps.log.warn("replay-object-missing", { key });
    else objects.push(object);
  });
  const to = from + keys.length;
  return { objects, next: to < rawKeys.length ? { keys: to } : undefined };
}

async function listed(replay: Replay, at: Collected | undefined, deps: ReplayDeps): Promise<Page> {
  const customers = customersOf(replay, deps.feeds);
  const [first] = customers;
  if (first === undefined) return { objects: [], next: undefined };
  const { customer, after } =
    at !== undefined && "customer" in at ? at : { customer: first, after: beginning(first, replay) };
  const { objects, more } = await deps.listRaw(rawCustomerPrefix(customer), after);
  const last = objects.at(-1);
  if (more && last !== undefined) return { objects, next: { customer, after: last.key } };
  const next = customers.find((name) => name > customer);
  return { objects, next: next === undefined ? undefined : { customer: next, after: beginning(next, replay) } };
}

/** In the order of their names. */
const customersOf = ({ customer }: Replay, feeds: readonly Adapter[]): string[] =>
  customer === undefined ? [...new Set(feeds.map((feed) => feed.customer))].sort() : [customer];

/** The key before the first one that may be in the scope: the day of arrival is part of each key. */
const beginning = (customer: string, { since }: Replay): string =>
  since === undefined ? rawCustomerPrefix(customer) : rawPrefix(customer, new Date(since));

/** An object as a delivery of the replay; undefined where it is none of its scope. */
function itemOf(replay: Replay, object: ArchivedObject, deps: ReplayDeps): FoundItem | undefined {
  const { facts, key } = object;
  // What stands beside the bytes decides whose they are; where it does not fit the key, nobody knows.
  if (facts === undefined || !key.startsWith(rawCustomerPrefix(facts.customer)) || !key.includes(`/${facts.id}.`)) {
    deps.log.warn("replay-object-unknown", { key });
    return undefined;
  }
  const { customer, feed, since } = replay;
  if (customer !== undefined && facts.customer !== customer) return undefined;
  if (feed !== undefined && facts.feed !== feed) return undefined;
  if (since !== undefined && Date.parse(facts.receivedAt) < Date.parse(since)) return undefined;
  const adapter = deps.feeds.find((one) => one.customer === facts.customer && one.feed === facts.feed);
  return {
    deliveryId: facts.id,
    customer: facts.customer,
    feed: facts.feed,
    lane: laneOf(deps.feeds, facts.customer, facts.feed),
    asOf: adapter === undefined ? facts.receivedAt : deps.asOf(facts, adapter).toISOString(),
    receivedAt: facts.receivedAt,
    rawKey: key,
    bytes: object.bytes,
    skip: leftOut(facts, adapter),
  };
}

function leftOut(facts: DeliveryFacts, adapter: Adapter | undefined): SkipReason | undefined {
  if (adapter === undefined) return "unknown-feed";
  if (facts.dryRun) return "dry-run";
  if (facts.door === "restore") return "restore";
  return facts.verdict.kind === "automatic" ? "automatic" : undefined;
}
