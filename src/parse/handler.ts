/**
 * The parse stage: an archived delivery becomes files, each file chunks, rejects and books. It reads, never applies: the
 * apply stage is told of a file only when the whole of it was read.
 *
 * Every step may come again. What a dead consumer left is found by the rows: a file that is already parsed is not parsed
 * again, and apply is told of it once more, which does no harm.
 */
import type { Feed } from "../domain/adapter.ts";
import type { DeliveryFacts } from "../domain/delivery.ts";
import { asFailure, type FailureReport, failure, report } from "../domain/failures.ts";
import { orderKeyOf } from "../domain/ids.ts";
import type { ParseDelivery } from "../domain/messages.ts";
import { asOfFile } from "./as-of.ts";
import { chooseFiles, describeFound } from "./choose.ts";
import type { FileState, ParseDeps } from "./deps.ts";
import { type Opened, openDelivery } from "./open/open.ts";
import { parsePayload } from "./read-payload.ts";

export async function parseHandler(message: ParseDelivery, deps: ParseDeps): Promise<void> {
  const feed = deps.feeds.find((f) => f.customer === message.customer && f.feed === message.feed);
  if (!feed) throw failure("unknown-feed", { customer: message.customer, feed: message.feed });
  const { facts, source } = await deps.openRaw(message.rawKey);

  const state = await deps.tables.beginDelivery(facts, message.rawKey, feed, refusalOf(facts));
  deps.log.info("delivery-opened", { correlationId: facts.id, customer: feed.customer, feed: feed.feed, state });
  if (state !== "parsing") return;

  const opened: Opened[] = [];
  let unreadable: FailureReport | undefined;
  try {
    for await (const one of openDelivery(source, doorOf(facts))) opened.push(one);
  } catch (thrown) {
    const failed = asFailure(thrown);
    if (failed.disposition !== "reject") throw failed;
    unreadable = failed.report;
  }

  const taken = chooseFiles(feed, deps.feeds, opened);
  for (const [position, chosen] of taken.entries()) {
    if (chosen) await parseOne(chosen.feed, facts, chosen.opened, position, deps);
  }

  const found = opened.map((one, i) => ({
    path: one.kind === "file" ? one.file.path : one.path,
    format: one.kind === "file" ? one.file.format : "unreadable",
    role: one.kind === "file" ? one.file.role : "attachment",
    taken: taken[i] !== undefined,
  }));
  const nothing = taken.some((chosen) => chosen !== undefined)
    ? undefined
    : report("no-payload", { found: describeFound(opened) });
  await deps.tables.finishDelivery(facts.id, found, unreadable ?? nothing);
}

/** A delivery that is kept but not read: its sender is not proven, or it is no feed at all. */
export function refusalOf(
  facts: DeliveryFacts,
): { state: "quarantined" | "ignored"; failure: FailureReport } | undefined {
  const { verdict, sender } = facts;
  if (verdict.kind === "proven") return undefined;
  if (verdict.kind === "automatic")
    return { state: "ignored", failure: report("automatic-mail", { sign: verdict.sign }) };
  const { policy, reason } = verdict;
  return { state: "quarantined", failure: report("sender-not-proven", { sender, policy, reason }) };
}

const doorOf = (facts: DeliveryFacts): { door: "mail" | "upload"; name?: string; contentType?: string } => ({
  door: facts.door,
  ...(facts.name === undefined ? {} : { name: facts.name }),
  ...(facts.contentType === undefined ? {} : { contentType: facts.contentType }),
});

async function parseOne(
  feed: Feed,
  facts: DeliveryFacts,
  one: Opened,
  position: number,
  deps: ParseDeps,
): Promise<void> {
  const path = one.kind === "file" ? one.file.path : one.path;
  const asOf = asOfFile(feed, facts, one.kind === "file" ? one.file.name : path);
  const { id, state } = await deps.tables.beginFile(facts, feed, {
    position,
    path,
    contentType: one.kind === "file" ? one.file.contentType : "application/octet-stream",
    asOf: asOf.at,
    asOfSource: asOf.source,
    orderKey: orderKeyOf({
      asOfMs: asOf.at.getTime(),
      sequence: 0,
      receivedAtMs: Date.parse(facts.receivedAt),
      position,
    }),
  });
  const now = state === "parsing" ? await readFile(feed, id, one, deps) : state;
  deps.log.info("file-parsed", {
    correlationId: facts.id,
    customer: feed.customer,
    feed: feed.feed,
    file: id,
    state: now,
  });
  if (now === "parsed" || now === "applying") {
    await deps.enqueueApply({
      v: 1,
      type: "apply-file",
      customer: feed.customer,
      feed: feed.feed,
      correlationId: facts.id,
      fileId: id,
    });
  }
}

/** Reads one file whole. A file that cannot be read is refused whole, with its reason; our own trouble is thrown. */
async function readFile(feed: Feed, fileId: string, one: Opened, deps: ParseDeps): Promise<FileState> {
  const refuse = async (why: FailureReport): Promise<FileState> => {
    await deps.tables.refuseFile(fileId, why);
    return why.disposition === "hold" ? "held" : "rejected";
  };
  if (one.kind === "problem") return refuse(one.report);
  try {
    const parsed = await parsePayload(feed, one.file, {
      chunk: (entry, bytes) => deps.putChunk(fileId, feed.version, entry, bytes),
      rejects: (batch) => deps.tables.addRejects(fileId, batch),
    });
    return await deps.tables.finishFile(fileId, feed, parsed);
  } catch (thrown) {
    const failed = asFailure(thrown);
    if (failed.disposition !== "reject" && failed.disposition !== "hold") throw failed;
    return refuse(failed.report);
  }
}
