/**
 * A restore: the records of a customer, or of one of its feeds, are brought back to what they were at a moment of the past. What
 * that would do is looked at first; the order names the digest of what was seen, and where the records have moved since, nothing
 * is done. It goes the way of every file: parts of it are archived, applied, booked and told of, at a place in the order behind all
 * that was said before, so that what the ERP says next goes over it.
 */
import { MAX_FACT_CHARS } from "../domain/delivery.ts";
import { applyFileMessage } from "../domain/messages.ts";
import type { Difference, Does, OrderedPart, PlannedPart, RestoreDeps, RestoredFeed } from "./deps.ts";
import { digestOf, NOTHING, sumOf, together } from "./digest.ts";
import { PART_MAX_BYTES, partOf, partRows } from "./part.ts";

/** Records of each kind that a preview shows. */
export const SAMPLES_OF_A_KIND = 5;

export interface Asked {
  readonly customer: string;
  readonly feed?: string | undefined;
  /** ISO, in UTC, to the millisecond. */
  readonly to: string;
}

/** What a restore would do to one feed: numbers of records. */
export interface FeedPreview {
  readonly feed: string;
  readonly changes: number;
  readonly restores: number;
  readonly retirements: number;
  /** How many records change in which field. */
  readonly fields: Readonly<Record<string, number>>;
  readonly samples: readonly Difference[];
  /** Files of it that may still change records, and so what is seen here. */
  readonly underWay: number;
}

export interface Preview {
  readonly digest: string;
  readonly feeds: readonly FeedPreview[];
  /** Feeds that stay as they are, since nobody knows what they were. */
  readonly left: readonly { readonly feed: string; readonly historyFrom: string }[];
}

/** `unknown`: there is no such customer or feed. `ahead`: the moment has not come yet. `too-early`: no history goes back to it. */
export type NotPossible =
  | { readonly kind: "unknown" | "ahead" }
  | { readonly kind: "too-early"; readonly left: Preview["left"] };

/** Looks and writes nothing. Throws the database's failures. */
export async function previewRestore(
  deps: RestoreDeps,
  asked: Asked,
): Promise<NotPossible | { readonly kind: "preview"; readonly preview: Preview }> {
  const looked = await look(deps, asked);
  return "walks" in looked ? { kind: "preview", preview: looked.preview } : looked;
}

/**
 * `moved`: the records are not any more what was looked at (`made`: parts that were made before that, and stay); `nothing`: they
 * are what they were.
 */
export type Carried =
  | NotPossible
  | { readonly kind: "nothing" }
  | { readonly kind: "moved"; readonly parts: readonly OrderedPart[] }
  | { readonly kind: "ordered"; readonly parts: readonly OrderedPart[] };

/**
 * Carries out what a preview has shown. May die anywhere and be called again: what is made is made, and the same order is the same
 * restore. Throws the failures of the database, the storage and the queue.
 */
export async function carryOut(
  deps: RestoreDeps,
  asked: Asked & { readonly digest: string; readonly by: string },
): Promise<Carried> {
  const { customer, feed, to, digest } = asked;
  const by = asked.by.slice(0, MAX_FACT_CHARS);
  let parts = await deps.tables.ordered(customer, digest);
  if (parts.length === 0) {
    const looked = await look(deps, asked);
    if (!("walks" in looked)) return looked;
    if (looked.preview.digest !== digest) return { kind: "moved", parts: [] };
    const feeds = looked.walks.filter(({ parts }) => parts.length > 0);
    if (feeds.length === 0) return { kind: "nothing" };
    await deps.tables.order({
      request: digest,
      to,
      by,
      now: deps.now().toISOString(),
      subject: feed === undefined ? `customer ${customer}` : `feed ${customer}/${feed}`,
      detail: { to, digest, feeds: looked.preview.feeds.map(({ samples: _, fields: __, ...numbers }) => numbers) },
      feeds,
    });
    parts = await deps.tables.ordered(customer, digest);
  }
  if (parts.some((part) => part.to !== to || (feed !== undefined && part.feed !== feed)))
    return { kind: "moved", parts: [] };

  let moved = false;
  for (const part of parts) {
    if (part.state === null && !(await make(deps, part))) {
      moved = true;
      break;
    }
  }
  const made = await deps.tables.ordered(customer, digest);
  for (const part of made) {
    if (part.state === "parsed" && part.deliveryId !== null) {
      await deps.enqueueApply(
        applyFileMessage({
          customer,
          feed: part.feed,
          correlationId: part.deliveryId,
          fileId: part.fileId,
          rows: part.accepted ?? 0,
        }),
      );
    }
  }
  deps.log.info("restore-ordered", { customer, to, digest, parts: made.length, moved });
  return { kind: moved ? "moved" : "ordered", parts: made };
}

/** How often a part is made anew whose delivery was given up while it was made; it takes a sweep to come in between. */
const MAX_TRIES = 3;

/** Makes the file of a part. False: the records have moved, and it is not what was looked at. */
async function make(deps: RestoreDeps, planned: OrderedPart): Promise<boolean> {
  let part: OrderedPart | undefined = planned;
  for (let tried = 0; part !== undefined && part.state === null && tried < MAX_TRIES; tried++) {
    const rows = await deps.tables.rows(part);
    if (sumOf(rows.map(({ mark }) => mark)) !== part.sum) return false;
    const { raw, facts, chunks, ...made } = partOf(part, rows);
    for (const { entry, bytes } of chunks) await deps.putChunk(part.fileId, part.adapterVersion, entry, bytes);
    await deps.archive(made.delivery.rawKey, raw, facts);
    if ((await deps.tables.make(part, made)) === "made") return true;
    const all = await deps.tables.ordered(planned.customer, planned.request);
    part = all.find(({ restoreId, n }) => restoreId === planned.restoreId && n === planned.n);
  }
  return true;
}

interface Walk {
  readonly feedId: number;
  readonly feed: string;
  readonly sum: string;
  readonly rows: number;
  readonly parts: readonly PlannedPart[];
}

async function look(
  deps: RestoreDeps,
  { customer, feed, to }: Asked,
): Promise<NotPossible | { readonly preview: Preview; readonly walks: readonly Walk[] }> {
  const feeds = await deps.tables.feeds(customer, feed, to);
  if (feeds.length === 0) return { kind: "unknown" };
  if (feeds.some(({ ahead }) => ahead)) return { kind: "ahead" };
  const left = feeds.filter(({ tooEarly }) => tooEarly).map(({ feed, historyFrom }) => ({ feed, historyFrom }));
  if (left.length === feeds.length) return { kind: "too-early", left };
  const walks: Walk[] = [];
  const previews: FeedPreview[] = [];
  for (const one of feeds) {
    if (one.tooEarly) continue;
    const { walk, preview } = await walkFeed(deps, one, to);
    walks.push(walk);
    previews.push(preview);
  }
  return { preview: { digest: digestOf(customer, to, walks), feeds: previews, left }, walks };
}

async function walkFeed(
  deps: RestoreDeps,
  { feedId, feed, underWay }: RestoredFeed,
  to: string,
): Promise<{ walk: Walk; preview: FeedPreview }> {
  const numbers = { changes: 0, restores: 0, retirements: 0 };
  const fields = new Map<string, number>();
  const parts: PlannedPart[] = [];
  const most = partRows(to, deps.now(), deps.partRows);
  let samples: readonly Difference[] = [];
  let sum = NOTHING;
  let rows = 0;
  for (let after: string | null = ""; after !== null; ) {
    const from: string = after;
    const found = await deps.tables.differences(feedId, to, from, most, PART_MAX_BYTES);
    for (const kind of ["changes", "restores", "retirements"] as const) numbers[kind] += found[kind];
    for (const [name, count] of Object.entries(found.fields)) fields.set(name, (fields.get(name) ?? 0) + count);
    const here = found.changes + found.restores + found.retirements;
    if (here > 0) parts.push({ n: parts.length + 1, after: from, upto: found.upto, sum: found.sum, rows: here });
    samples = shown([...samples, ...found.samples]);
    sum = together(sum, found.sum);
    rows += here;
    after = found.upto;
  }
  return {
    walk: { feedId, feed, sum, rows, parts },
    preview: { feed, ...numbers, fields: Object.fromEntries(fields), samples, underWay },
  };
}

const KINDS: readonly Does[] = ["change", "restore", "retire"];

/** Some of each kind. */
const shown = (found: readonly Difference[]): Difference[] =>
  KINDS.flatMap((kind) =>
    found
      .filter(({ does }) => does === kind)
      .sort((a, b) => (a.order < b.order ? -1 : 1))
      .slice(0, SAMPLES_OF_A_KIND),
  );
