/** Each demo feed's file sent to each other demo feed: none lands, with a pinned profile or as the very first file. */
import { describe, expect, it } from "vitest";
import type { FormatProfile } from "../../../src/domain/feed-version.ts";
import { type DemoFile, demoFiles, judged, outcomeOf, pinnedAfter } from "./support.ts";

const files = demoFiles();
/** What the same systems export days later, from another seed: other goods, other prices. */
const later = demoFiles({ edition: 9, seed: 4_711, mixedTimestamps: true });
const pairs = files.flatMap((feed) => later.filter((file) => file.of !== feed.of).map((file) => ({ feed, file })));

const pinnedOf = new Map<string, Promise<FormatProfile>>();
const pinned = ({ of, feed, bytes }: DemoFile): Promise<FormatProfile> => {
  const known = pinnedOf.get(of) ?? pinnedAfter(feed, bytes);
  pinnedOf.set(of, known);
  return known;
};

describe("the file of another feed", () => {
  it("is tried in all pairs", () => {
    expect(pairs).toHaveLength(files.length * (files.length - 1));
  });

  it.each(pairs)("$file.of sent to $feed.of is refused as the first file ever", async ({ feed, file }) => {
    const { failure } = await outcomeOf(feed.feed, file.bytes);
    expect(failure?.disposition).toMatch(/^(reject|hold)$/);
  });

  it.each(pairs)("$file.of sent to $feed.of is told to be another file", async ({ feed, file }) => {
    const { failure, drift } = await judged(feed.feed, await pinned(feed), file.bytes);
    expect(failure).not.toBeNull();
    expect(drift?.cause).toBe("other-file");
    expect(drift?.sentence).toContain("another feed");
    expect(drift?.differences).not.toEqual([]);
  });

  it.each(later)("$of sent to its own feed days later fits", async ({ of, feed, bytes }) => {
    const first = files.find((one) => one.of === of)!;
    expect(await judged(feed, await pinned(first), bytes)).toEqual({ failure: null, drift: null });
  });
});

describe("where the format of both feeds is one", () => {
  // Two tables of one system: the same charset, delimiter and number of columns, no header. Only values tell them apart.
  const [address] = files.filter((file) => file.of === "adventure/address");
  const feed = address!.feed;

  it("values that the columns refuse hold a file with its profile unknown; the profile says what it is", async () => {
    const text = new TextDecoder("windows-1252").decode(address!.bytes);
    const turned = text.split("\n").map((line) => line.split("\t").toReversed().join("\t"));
    const bytes = Buffer.from(turned.join("\n"), "latin1");
    expect((await outcomeOf(feed, bytes)).failure?.code).toBe("too-many-rejects");
    const { drift } = await judged(feed, await pinned(address!), bytes);
    expect(drift?.cause).toBe("other-file");
  });
});
