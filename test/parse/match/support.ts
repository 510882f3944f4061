/** The demo feeds' samples, and what parse and detection make of a file. */
import { feeds } from "../../../adapters/index.ts";
import { generateSamples, type Sample, type SampleOptions } from "../../../cli/samples/generate.ts";
import type { Adapter, Feed } from "../../../src/domain/adapter.ts";
import { Failure, type FailureReport } from "../../../src/domain/failures.ts";
import { effectiveFeed, type FormatProfile } from "../../../src/domain/feed-version.ts";
import { sampleOf } from "../../../src/parse/detect/sample.ts";
import { compareWithPinned, driftOfFailure, learnt, mayBeDrift } from "../../../src/parse/match/drift.ts";
import { type FoundTable, foundInText } from "../../../src/parse/match/found.ts";
import type { Drift } from "../../../src/parse/match/report.ts";
import { type Observed, ShapeCollector } from "../../../src/parse/match/shape.ts";
import { parseFile } from "../../../src/parse/table/parse-file.ts";
import { unzipped } from "../../samples/read.ts";

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
export const foundIn = (text: string | Uint8Array): FoundTable =>
  foundInText(sampleOf(typeof text === "string" ? bytesOf(text) : text));

async function* blocksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.slice(at, at + 65_536);
}

const nowhere = { chunk: async () => undefined, rejects: async () => undefined };

export interface Outcome {
  /** The file is refused whole, or held. */
  readonly failure: FailureReport | null;
  readonly observed: Observed;
}

/** What a parse of the bytes comes to. */
export async function outcomeOf(feed: Feed, bytes: Uint8Array): Promise<Outcome> {
  const observer = new ShapeCollector(feed.file.delimiter);
  try {
    const { failure } = await parseFile(feed, blocksOf(bytes), nowhere, { observer });
    return { failure, observed: observer.observed() };
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    return { failure: thrown.report, observed: observer.observed() };
  }
}

/** The profile after a first file that landed. */
export async function pinnedAfter(feed: Feed, bytes: Uint8Array): Promise<FormatProfile> {
  const { observed, failure } = await outcomeOf(feed, bytes);
  if (failure !== null) throw new Error(failure.sentence);
  return learnt({ format: feed.file, columns: [], answers: [] }, observed);
}

export interface Verdict {
  readonly failure: FailureReport | null;
  readonly drift: Drift | null;
}

/** A file as the stage judges it: parsed, compared, and explained by detection where parse refuses it. */
export async function judged(feed: Feed, pinned: FormatProfile, bytes: Uint8Array): Promise<Verdict> {
  const { failure, observed } = await outcomeOf(feed, bytes);
  if (failure === null || !mayBeDrift(failure)) return { failure, drift: compareWithPinned(pinned, observed, feed) };
  let found: FoundTable | undefined;
  try {
    found = foundIn(bytes);
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
  }
  return { failure, drift: driftOfFailure(pinned, failure, found, feed) };
}

/** A demo feed as its folder alone says it. */
export function demoFeed(customer: string, name: string): Feed {
  const adapter: Adapter | undefined = feeds.find((f) => f.customer === customer && f.feed === name);
  if (adapter === undefined) throw new Error(`no feed ${customer}/${name}`);
  const made = effectiveFeed(adapter, {});
  if (made.kind !== "feed") throw new Error(`${customer}/${name} is not whole`);
  return made.feed;
}

export interface DemoFile {
  /** `acme/inventory`. */
  readonly of: string;
  readonly feed: Feed;
  /** What is in the zip, not the zip. */
  readonly bytes: Uint8Array;
}

/** The sample of each demo feed. */
export const demoFiles = (options: SampleOptions = {}): DemoFile[] =>
  generateSamples(options).map(({ customer, feed, bytes, fileName }: Sample) => ({
    of: `${customer}/${feed}`,
    feed: demoFeed(customer, feed),
    bytes: fileName.endsWith(".zip") ? new Uint8Array(unzipped(bytes)[0]!.bytes) : bytes,
  }));
