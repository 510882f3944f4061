import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ChunkEntry } from "../../src/domain/chunk.ts";
import { lastLinesOf, standing } from "../../src/domain/plan.ts";
import { groupsOf } from "../../src/plan/plan-file.ts";
import { faulty } from "../apply/faults.ts";
import { books, row, rowsOf, type TestRow, type World, worldOn } from "../apply/world.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";

let fresh: FreshDatabase;
let world: World;
beforeAll(async () => {
  fresh = await freshDatabase();
  world = worldOn(fresh.connectionString);
});
afterAll(() => fresh.drop());

const entry = (n: number, rows: number): ChunkEntry => ({ n, rows, headBytes: 1, bytes: 1 });
const sizes = (groups: ChunkEntry[][]) => groups.map((group) => group.map(({ rows }) => rows));

describe("groups of chunks", () => {
  it("take neighbours together up to the limit", () => {
    expect(sizes(groupsOf([entry(0, 5), entry(1, 5), entry(2, 4), entry(3, 2), entry(4, 5)], 10))).toEqual([
      [5, 5],
      [4, 2],
      [5],
    ]);
  });

  it("send a chunk above the limit alone", () => {
    expect(sizes(groupsOf([entry(0, 1), entry(1, 99), entry(2, 1)], 10))).toEqual([[1], [99], [1]]);
  });

  it("of no chunks are none", () => {
    expect(groupsOf([], 10)).toEqual([]);
  });
});

describe("keys that come again", () => {
  const head = (...rows: [string, number][]) => ({
    keys: rows.map(([key]) => key),
    lines: rows.map(([, line]) => line),
    hashes: rows.map(() => ""),
  });

  it("leave the last line of each key standing, in whatever order the tail is read", () => {
    const [one, two] = [head(["a", 8], ["b", 9]), head(["a", 11])];
    for (const tails of [
      [one, two],
      [two, one],
    ]) {
      const lastLines = lastLinesOf(tails);
      expect([...lastLines]).toEqual(
        expect.arrayContaining([
          ["a", 11],
          ["b", 9],
        ]),
      );
      expect(standing(head(["a", 2], ["c", 3], ["b", 4]), lastLines)).toEqual([1]);
      expect(standing(one, lastLines)).toEqual([1]);
      expect(standing(two, lastLines)).toEqual([0]);
    }
  });

  it("take a tail row whose key never stood before for what it is: a row", () => {
    const tail = head(["only-here", 9]);
    expect(standing(tail, lastLinesOf([tail]))).toEqual([0]);
  });
});

const MIXED: TestRow[] = [...rowsOf([0, 9, 2, 9, 4, 7, 6]), row("new", 1), row("k6", 9), row("late", 1)];

async function feedWithHistory() {
  const feed = await world.feed("delta");
  await world.send(feed, 0, rowsOf([0, 1, 2, 3, 4, 5, 6]));
  // The newer file changes one record and confirms another without a write.
  await world.send(feed, 9, [row("late", 5), row("k5", 5)]);
  return feed;
}

describe("a dry run", () => {
  it("gives the numbers that applying then gives", async () => {
    const file = await world.file(await feedWithHistory(), 5, MIXED);
    const {
      lastLines,
      need,
      folds: _,
      ...numbers
    } = (await world.dryRun(file.id)) as Extract<Awaited<ReturnType<World["dryRun"]>>, { mode: "diff" }>;
    expect(numbers).toEqual({
      mode: "diff",
      same: 0,
      accepted: 10,
      superseded: 1,
      inserted: 1,
      changed: 3,
      unchanged: 3,
      stale: 2,
    });
    expect([...lastLines]).toEqual([["k6", 10]]);
    expect([...need].sort(([a], [b]) => a - b)).toEqual([
      [0, [3]],
      [1, [5]],
      [2, [9]],
      [3, [10]],
    ]);
    await world.apply(file);
    const { mode, accepted, same, ...counted } = numbers;
    expect(await world.books(file)).toEqual(books(accepted, counted));
    expect([mode, same]).toEqual(["diff", 0]);
  });

  it("compares also a first file, and writes nothing", async () => {
    const file = await world.file(await world.feed(), 0, rowsOf([1, 2, 3, 4]));
    const traces = () =>
      world.one(
        `SELECT (SELECT count(*)::int FROM ledger) AS ledger, (SELECT count(*)::int FROM seen) AS seen,
           (SELECT count(*)::int FROM records) AS records, (SELECT state FROM files WHERE id = $1) AS state,
           (SELECT count(*)::int FROM feeds WHERE lease_token IS NOT NULL) AS leases`,
        [file.id],
      );
    const before = await traces();
    expect(await world.dryRun(file.id)).toMatchObject({ mode: "diff", inserted: 4, unchanged: 0, superseded: 0 });
    expect(await traces()).toEqual(before);
  });

  it("of a file that is not parsed says that it is missing", async () => {
    await expect(world.dryRun("999999999")).rejects.toMatchObject({ code: "file-missing" });
  });
});

describe("how a file is sent", () => {
  const modeOf = async (file: { id: string }) =>
    (
      await world.one<{ mode: string }>(
        "SELECT plan->>'mode' AS mode FROM files WHERE id = $1 AND plan->>'mode' = plan_mode",
        [file.id],
      )
    ).mode;

  it("whole while the feed has no record, hash first ever after: what a file would change is known before it does", async () => {
    const feed = await world.feed();
    const modes = [];
    for (const [place, values] of [
      [1, 1, 1],
      [1, 1, 2],
      [2, 2, 2],
      [3, 3, 3],
      [3, 3, 3],
      [3, 3, 4],
    ].entries()) {
      modes.push(await modeOf(await world.send(feed, place, rowsOf(values))));
    }
    expect(modes).toEqual(["whole", "diff", "diff", "diff", "diff", "diff"]);
  });

  it.each([
    ["once: a second attempt keeps the way of the first that has applied anything", "dies-after", "whole"],
    ["again where an attempt has applied nothing, and another file was faster", "dies-before", "diff"],
  ] as const)("is decided %s", async (_, dies, mode) => {
    const feed = await world.feed();
    const file = await world.file(feed, 5, rowsOf([1, 2, 3, 4]));
    await world.apply(file, world.deps(faulty(world.database, 2, dies))).catch(() => undefined);
    await world.expireLease(feed);
    await world.send(feed, 1, rowsOf([1]));
    await world.apply(file);
    expect(await modeOf(file)).toBe(mode);
  });

  it("not at all when it is a full file that comes late", async () => {
    const feed = await world.feed("full");
    await world.send(feed, 2, rowsOf([1]));
    const late = await world.file(feed, 1, rowsOf([2, 2, 2, 2]));
    const unread = async () => Promise.reject(new Error("a late file was read"));
    const { plan } = world.deps(world.database);
    await world.apply(late, world.deps(world.database, { plan, chunks: { whole: unread } }));
    expect(await world.books(late)).toEqual(books(4, { stale: 4 }));
  });
});

describe("a file that changes nothing", () => {
  it("makes no version and no change, and is not sent: only keys and hashes are", async () => {
    const feed = await world.feed("full");
    await world.send(feed, 0, rowsOf([1, 2, 3, 4, 5, 6, 7]));
    const before = await world.state(feed);
    const file = await world.file(feed, 1, rowsOf([1, 2, 3, 4, 5, 6, 7]));
    const sent: string[] = [];
    await world.apply(
      file,
      world.deps({
        query: (text, params) => {
          sent.push(text);
          return world.database.query(text, params);
        },
      }),
    );
    const named = sent.map((text) => /(\w+)\(\$1/.exec(text)?.[1]);
    expect(named).toEqual(["acquire_lease", "plan_chunk", "plan_chunk", "missing_records", "close_file"]);
    const after = await world.state(feed);
    expect({ ...after, files: [] }).toEqual({ ...before, files: [] });
    expect(after.files[1]).toEqual(books(7, { unchanged: 7 }));
  });
});
