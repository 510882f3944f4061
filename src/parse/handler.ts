/**
 * The parse stage: an archived delivery becomes files, each file chunks, rejects and books. It reads, never applies: the
 * apply stage is told of a file only when the whole of it was read.
 *
 * Every step may come again. What a dead consumer left is found by the rows: a file that is already parsed is not parsed
 * again, and apply is told of it once more, which does no harm.
 */
import type { Adapter } from "../domain/adapter.ts";
import type { DeliveryFacts } from "../domain/delivery.ts";
import { asFailure, type FailureReport, failure, report } from "../domain/failures.ts";
import { orderKeyOf } from "../domain/ids.ts";
import { applyFileMessage, type ParseDelivery } from "../domain/messages.ts";
import type { DeliveryState } from "../domain/states.ts";
import { asOfFile, tellDisbelieved } from "./as-of.ts";
import { chooseFiles, noPayload } from "./choose.ts";
import type { ParseDeps } from "./deps.ts";
import { activeText, type KnownFeed, knownFeed } from "./known-feed.ts";
import { type Opened, type OpenOptions, openDelivery } from "./open/open.ts";
import { type ReadFile, readFile } from "./read-file.ts";
import { type Reading, type Replay, readingOf } from "./reading.ts";

/** @param replay where the delivery came before and is read again: its own row stays as it is, and so do its files */
export async function parseHandler(message: ParseDelivery, deps: ParseDeps, replay?: Replay): Promise<void> {
  const feed = deps.feeds.find((f) => f.customer === message.customer && f.feed === message.feed);
  if (!feed) throw failure("unknown-feed", { customer: message.customer, feed: message.feed });
  const { facts, source } = await deps.openRaw(message.rawKey);

  const state =
    replay === undefined
      ? await deps.tables.beginDelivery(facts, message.rawKey, feed, refusalOf(facts))
      : await deps.tables.deliveryState(facts.id);
  deps.log.info("delivery-opened", {
    correlationId: facts.id,
    customer: feed.customer,
    feed: feed.feed,
    state: state ?? "unknown",
    ...(replay === undefined ? {} : { replay: replay.replayId }),
  });
  // What a restore set is no file of the ERP, in whatever state its delivery is.
  if (facts.door === "restore" || (replay === undefined ? state !== "parsing" : !isReadAgain(facts, state))) return;

  const reading = replay ?? readingOf(facts);
  const opened: Opened[] = [];
  let unreadable: FailureReport | undefined;
  try {
    for await (const one of openDelivery(source, doorOf(facts, deps))) opened.push(one);
  } catch (thrown) {
    const failed = asFailure(thrown);
    if (failed.disposition !== "reject") throw failed;
    unreadable = failed.report;
  }

  const taken = chooseFiles(feed, deps.feeds, opened);
  const known = new Map<Adapter, KnownFeed>();
  for (const [position, chosen] of taken.entries()) {
    if (!chosen || (replay?.feed !== undefined && chosen.feed.feed !== replay.feed)) continue;
    const adapter = chosen.feed;
    const named = replay?.feed === undefined ? undefined : replay.versions;
    const before = known.get(adapter) ?? knownFeed(adapter, await deps.tables.versions(adapter, named));
    known.set(adapter, await parseOne(before, facts, chosen.opened, position, reading, deps));
  }
  if (replay !== undefined) return;

  const found = opened.map((one, i) => ({
    path: one.kind === "file" ? one.file.path : one.path,
    format: one.kind === "file" ? one.file.format : "unreadable",
    role: one.kind === "file" ? one.file.role : "attachment",
    taken: taken[i] !== undefined,
  }));
  const nothing = taken.some((chosen) => chosen !== undefined) ? undefined : noPayload(feed, opened);
  await deps.tables.finishDelivery(facts.id, found, unreadable ?? nothing);
}

/** What was not read, or is being read, has nothing to be read again; what only asked is no word of the ERP. */
const isReadAgain = ({ dryRun }: DeliveryFacts, state: DeliveryState | undefined): boolean =>
  state === "parsed" && dryRun !== true;

/**
 * A delivery that is kept but not read: its sender is not proven, or it is no feed at all. What a restore set is applied by
 * whoever made it; where parse meets it without a row, that was never gone on with.
 */
export function refusalOf(
  facts: DeliveryFacts,
): { state: "quarantined" | "ignored"; failure: FailureReport } | undefined {
  const { verdict, sender } = facts;
  if (facts.door === "restore") return { state: "ignored", failure: report("restore-unfinished", {}) };
  if (verdict.kind === "proven") return undefined;
  if (verdict.kind === "automatic")
    return { state: "ignored", failure: report("automatic-mail", { sign: verdict.sign }) };
  const { policy, reason } = verdict;
  return { state: "quarantined", failure: report("sender-not-proven", { sender, policy, reason }) };
}

const withSecret = (secret: string | undefined) => (secret === undefined ? {} : { secret });

/** How the archived bytes of a delivery are to be opened. */
export const doorOf = (facts: DeliveryFacts, { archivePassword }: Pick<ParseDeps, "archivePassword">): OpenOptions => ({
  door: facts.door === "mail" ? "mail" : "upload",
  ...withSecret(archivePassword(facts.customer, facts.feed)),
  ...(facts.name === undefined ? {} : { name: facts.name }),
  ...(facts.contentType === undefined ? {} : { contentType: facts.contentType }),
});

/** Reads one payload as a file of its feed and tells apply of it. Answers what is known of the feed afterwards. */
async function parseOne(
  known: KnownFeed,
  facts: DeliveryFacts,
  one: Opened,
  position: number,
  reading: Reading,
  deps: ParseDeps,
): Promise<KnownFeed> {
  const feed = known.effective.kind === "feed" ? known.effective.feed : known.adapter;
  const path = one.kind === "file" ? one.file.path : one.path;
  const asOf = asOfFile(feed, facts, one.kind === "file" ? one.file.name : path);
  const receivedAtMs = Date.parse(facts.receivedAt);
  const order = { asOfMs: asOf.at.getTime(), receivedAtMs, position, deliveryId: facts.id };
  tellDisbelieved(asOf, facts, deps.log);
  const begun = await deps.tables.beginFile(facts, known.adapter, {
    adapterVersion: feed.version,
    position,
    path,
    contentType: one.kind === "file" ? one.file.contentType : "application/octet-stream",
    asOf,
    orderKey: orderKeyOf({ ...order, sequence: 0 }),
    reading,
  });
  if (begun === undefined) return known;
  const { id, state, original } = begun;
  const judgedBy = { adapterVersion: feed.version, active: activeText(known.versions) };
  const read: ReadFile =
    state === "parsing"
      ? await readFile(known, { id, path, facts, order, judgedBy, reading, original }, one, deps)
      : { state, pinned: false };
  deps.log.info("file-parsed", {
    correlationId: facts.id,
    customer: feed.customer,
    feed: feed.feed,
    file: id,
    state: read.state,
  });
  if (read.state === "parsed" || read.state === "applying") {
    await deps.enqueueApply(
      applyFileMessage({
        customer: feed.customer,
        feed: feed.feed,
        correlationId: facts.id,
        fileId: id,
        ...(read.rows === undefined ? {} : { rows: read.rows }),
      }),
    );
  }
  return read.pinned ? knownFeed(known.adapter, await deps.tables.versions(known.adapter)) : known;
}
