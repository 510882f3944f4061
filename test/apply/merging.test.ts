/** Files that say some fields of a record and leave the others as they are stored. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { forceIn } from "../support/force-state.ts";
import { FAULTS, faulty } from "./faults.ts";
import { type Books, books, row, says, type TestFeed, type World, worldOn } from "./world.ts";

let fresh: FreshDatabase;
let world: World;
beforeAll(async () => {
  fresh = await freshDatabase();
  world = worldOn(fresh.connectionString);
});
afterAll(() => fresh.drop());

type Fields = Readonly<Record<string, number | null>>;

const dataOf = async (feed: TestFeed): Promise<Record<string, unknown>> => {
  const rows = await world.database.query<{ key: string; data: unknown }>(
    "SELECT natural_key AS key, data FROM records WHERE feed_id = $1 ORDER BY natural_key",
    [feed.feedId],
  );
  return Object.fromEntries(rows.map(({ key, data }) => [key, data]));
};

const changesOf = (feed: TestFeed) =>
  world.database.query<{ key: string; kind: string; version: number; before: unknown; after: unknown }>(
    `SELECT c.natural_key AS key, c.kind::text, c.version, c.before, c.after FROM changes c
     WHERE c.feed_id = $1 ORDER BY c.natural_key, c.version`,
    [feed.feedId],
  );

/** Everything a feed has come to. */
const stateOf = async (feed: TestFeed) => ({
  ...(await world.state(feed)),
  data: await dataOf(feed),
  images: await changesOf(feed),
});

describe("a file that merges", () => {
  it("keeps the fields it does not say, and tells the whole record before and after", async () => {
    const feed = await world.feed();
    await world.send(feed, 1, [says("k", { price: 1, stock: 5 })]);
    const file = await world.send(feed, 2, [says("k", { stock: 7 })]);
    expect(await dataOf(feed)).toEqual({ k: { price: 1, stock: 7 } });
    expect(await changesOf(feed)).toEqual([
      { key: "k", kind: "inserted", version: 1, before: null, after: { price: 1, stock: 5 } },
      { key: "k", kind: "changed", version: 2, before: { price: 1, stock: 5 }, after: { price: 1, stock: 7 } },
    ]);
    expect(await world.books(file)).toEqual(books(1, { changed: 1 }));
  });

  it("with nothing new in another statement writes no version and no change: it is unchanged", async () => {
    const feed = await world.feed();
    await world.send(feed, 1, [says("k", { price: 1, stock: 5 }), says("l", { price: 2 })]);
    const before = await stateOf(feed);
    const file = await world.send(feed, 2, [says("k", { stock: 5 }), says("l", { price: 2 }), says("m", { price: 3 })]);
    const { data, images } = await stateOf(feed);
    expect(data).toEqual({ ...before.data, m: { price: 3 } });
    expect(images.filter(({ key }) => key !== "m")).toEqual(before.images);
    expect(await world.books(file)).toEqual(books(3, { unchanged: 2, inserted: 1 }));
  });

  it("sets a field to null where it says so, which is another thing than to leave it out", async () => {
    const feed = await world.feed();
    await world.send(feed, 1, [says("k", { price: 1, stock: 5 }), says("l", { price: 1 })]);
    const file = await world.send(feed, 2, [says("k", { price: null }), says("l", { stock: null })]);
    expect(await dataOf(feed)).toEqual({ k: { price: null, stock: 5 }, l: { price: 1, stock: null } });
    expect(await world.books(file)).toEqual(books(2, { changed: 2 }));
  });

  it("and one that does not merge may follow each other: the latter says the whole record", async () => {
    const feed = await world.feed();
    await world.send(feed, 1, [says("k", { price: 1, stock: 5 })]);
    await world.send(feed, 2, [row("k", 8)]);
    expect(await dataOf(feed)).toMatchObject({ k: { key: "k", value: 8 } });
    expect((await dataOf(feed)).k).not.toHaveProperty("price");
    await world.send(feed, 3, [says("k", { price: 9 })]);
    expect(await dataOf(feed)).toMatchObject({ k: { key: "k", value: 8, price: 9 } });
  });

  it("restores a retired record with what it had", async () => {
    const feed = await world.feed();
    await world.send(feed, 1, [says("k", { price: 1, stock: 5 })]);
    await world.database.query(
      "UPDATE records SET status = 'retired', row_hash = '00000000-0000-0000-0000-000000000000' WHERE feed_id = $1",
      [feed.feedId],
    );
    await world.send(feed, 2, [says("k", { stock: 5 })]);
    expect((await changesOf(feed)).at(-1)).toMatchObject({ kind: "restored", after: { price: 1, stock: 5 } });
    expect((await world.state(feed)).records).toMatchObject([{ status: "active", version: 2 }]);
  });

  it("comes late: what a newer file has said of the record stands, also where that one changed nothing", async () => {
    const feed = await world.feed();
    await world.send(feed, 1, [says("k", { price: 1, stock: 5 }), says("l", { price: 1, stock: 5 })]);
    await world.send(feed, 9, [says("k", { stock: 9 }), says("l", { stock: 5 })]);
    const late = await world.send(feed, 5, [says("k", { price: 7 }), says("l", { price: 7 }), says("m", { price: 7 })]);
    expect(await dataOf(feed)).toEqual({ k: { price: 1, stock: 9 }, l: { price: 1, stock: 5 }, m: { price: 7 } });
    expect(await world.books(late)).toEqual(books(3, { stale: 2, inserted: 1 }));
  });
});

describe("a key on several lines of a file that merges", () => {
  const TWICE = [
    says("k", { price: 2 }),
    says("other", { price: 1 }),
    says("k", { stock: 3 }),
    says("k", { stock: 4 }),
  ];

  it.each([
    ["the first file of a feed", []],
    ["a later one", [says("k", { price: 1, stock: 1, unit: 1 })]],
  ])("says what all of them say, the later over the earlier: %s", async (_, stored) => {
    const feed = await world.feed();
    if (stored.length > 0) await world.send(feed, 1, stored);
    const file = await world.send(feed, 2, TWICE);
    expect(await dataOf(feed)).toEqual({
      k: { price: 2, stock: 4, ...(stored.length > 0 ? { unit: 1 } : {}) },
      other: { price: 1 },
    });
    const { inserted, changed, superseded } = await world.books(file);
    expect({ inserted, changed, superseded }).toEqual({
      inserted: 2 - stored.length,
      changed: stored.length,
      superseded: 2,
    });
    expect((await world.state(feed)).records.find(({ key }) => key === "k")).toMatchObject({ line: 5 });
  });

  it("is unchanged when the file comes again, though its lines contradict each other", async () => {
    const feed = await world.feed();
    await world.send(feed, 1, TWICE);
    const images = await changesOf(feed);
    const again = await world.send(feed, 2, TWICE);
    expect(await changesOf(feed)).toEqual(images);
    expect(await world.books(again)).toEqual(books(4, { unchanged: 2, superseded: 2 }));
  });

  it("far apart, in many chunks and batches, is brought together from all of them", async () => {
    const feed = await world.feed();
    const keys = Array.from({ length: 20 }, (_, i) => `k${String(i).padStart(2, "0")}`);
    const file = await world.send(feed, 1, [
      ...keys.map((key, i) => says(key, { a: i, b: 0, c: 0 })),
      ...keys.map((key, i) => says(key, { b: i })),
      ...keys.toReversed().map((key) => says(key, { c: Number(key.slice(1)) })),
    ]);
    expect(await dataOf(feed)).toEqual(Object.fromEntries(keys.map((key, i) => [key, { a: i, b: i, c: i }])));
    expect(await world.books(file)).toEqual(books(60, { inserted: 20, superseded: 40 }));
  });

  it.each(FAULTS)("is the same after a worker that fails at any statement (%s)", async (fault) => {
    const first = [says("k", { price: 1, unit: 1 }), says("l", { price: 1 }), says("m", { price: 1 })];
    const second = [...TWICE, says("l", { price: 1, unit: 2 }), says("m", { price: 1 }), says("k", { price: 1 })];
    const clean = await world.feed();
    await world.send(clean, 1, first);
    await world.send(clean, 2, second);
    const expected = await stateOf(clean);
    for (let at = 1, reached = true; reached; at++) {
      const feed = await world.feed();
      await world.send(feed, 1, first);
      const file = await world.file(feed, 2, second);
      const database = faulty(world.database, at, fault);
      await world.apply(file, world.deps(database)).catch(() => undefined);
      reached = database.calls() >= at;
      await world.expireLease(feed);
      await world.apply(file);
      expect(await stateOf(feed), `statement ${at}`).toEqual(expected);
    }
  });
});

const anyFields = fc.dictionary(fc.constantFrom("a", "b", "c"), fc.constantFrom(0, 1, null), {
  minKeys: 0,
  maxKeys: 3,
});
const anyFile = fc.array(fc.tuple(fc.constantFrom("k", "l", "m", "n", "o"), anyFields), {
  minLength: 1,
  maxLength: 10,
});
/** Files by their place in order, and the order in which they come. */
const anyHistory = fc
  .array(anyFile, { minLength: 2, maxLength: 5 })
  .chain((files) => fc.tuple(fc.constant(files), fc.shuffledSubarray([...files.keys()], { minLength: files.length })));

interface Known {
  data: Fields;
  /** The statement that last changed it. */
  statement: string;
  /** The latest file that named it. */
  place: number;
  version: number;
}

/** What merging means, in memory and one record at a time. */
function modelled(files: readonly (readonly (readonly [string, Fields])[])[], arrivals: readonly number[]) {
  const known = new Map<string, Known>();
  const counted = new Map<number, Books>();
  for (const place of arrivals) {
    const said = Map.groupBy(files[place]!, ([key]) => key);
    const tally = { inserted: 0, changed: 0, unchanged: 0, stale: 0, superseded: files[place]!.length - said.size };
    for (const [key, rows] of said) {
      const statement = JSON.stringify(rows.map(([, fields]) => fields));
      const fields = Object.assign({}, ...rows.map(([, part]) => part)) as Fields;
      const record = known.get(key);
      if (record === undefined) {
        known.set(key, { data: fields, statement, place, version: 1 });
        tally.inserted++;
        continue;
      }
      const merged = { ...record.data, ...fields };
      if (record.statement === statement) tally.unchanged++;
      else if (record.place > place) tally.stale++;
      else if (Object.entries(fields).every(([name, value]) => record.data[name] === value)) tally.unchanged++;
      else {
        Object.assign(record, { data: merged, statement, version: record.version + 1 });
        tally.changed++;
      }
      record.place = Math.max(record.place, place);
    }
    counted.set(place, books(files[place]!.length, tally));
  }
  return {
    data: Object.fromEntries([...known].map(([key, { data }]) => [key, data])),
    versions: Object.fromEntries([...known].map(([key, { version }]) => [key, version])),
    counted: [...counted].sort(([a], [b]) => a - b).map(([, numbers]) => numbers),
  };
}

describe("any files that merge, in any order", () => {
  it("come to what a plain model says, with books that balance, and to nothing else when all of them come again", async () => {
    await fc.assert(
      fc.asyncProperty(anyHistory, async ([files, arrivals]) => {
        const feed = await world.feed();
        const sent = [];
        for (const place of arrivals) {
          sent.push(
            await world.send(
              feed,
              place,
              files[place]!.map(([key, said]) => says(key, said)),
            ),
          );
        }
        const state = await stateOf(feed);
        const expected = modelled(files, arrivals);
        expect(state.data).toEqual(expected.data);
        expect(Object.fromEntries(state.records.map(({ key, version }) => [key, version]))).toEqual(expected.versions);
        expect(state.files).toEqual(expected.counted);
        for (const { key, version } of state.records) {
          const images = state.images.filter((image) => image.key === key);
          expect(images).toHaveLength(version);
          expect(images.at(-1)!.after).toEqual(expected.data[key]);
          for (const [i, image] of images.entries())
            expect(image.before).toEqual(i === 0 ? null : images[i - 1]!.after);
        }
        for (const file of sent) {
          const again = "UPDATE files SET state = 'parsed', gate = '{\"allowed\": 0}' WHERE id = $1";
          await forceIn(world.database, again, [file.id]);
          await world.apply(file);
        }
        expect(await stateOf(feed)).toEqual(state);
      }),
      { numRuns: 60 },
    );
  });
});
