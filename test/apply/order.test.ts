import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { FAULTS, faulty } from "./faults.ts";
import { type Books, books, row, rowsOf, type TestRow, valuesOf, type World, worldOn } from "./world.ts";

let fresh: FreshDatabase;
let world: World;
beforeAll(async () => {
  fresh = await freshDatabase();
  world = worldOn(fresh.connectionString);
});
afterAll(() => fresh.drop());

/** What the files say in order, written without any knowledge of how it is done: the last word on a key stands. */
function lastWords(files: readonly (readonly TestRow[])[]): Record<string, number> {
  const words: Record<string, number> = {};
  for (const rows of files) for (const { key, value } of rows) words[key] = value;
  return words;
}

const anyRow = fc.record({
  key: fc.constantFrom("a", "b", "c", "d", "e", "f", "g", "h"),
  value: fc.integer({ min: 0, max: 2 }),
});
const anyFile = fc.array(anyRow, { minLength: 1, maxLength: 12 });
const anyDeltas = fc.array(anyFile, { minLength: 3, maxLength: 5 });

describe("an older file that comes after a newer one", () => {
  it("changes nothing the newer one has said, and is counted as stale", async () => {
    const feed = await world.feed("delta");
    await world.send(feed, 2, rowsOf([1, 1, 1]));
    const before = await world.state(feed);
    const late = await world.send(feed, 1, rowsOf([9, 9, 1]));
    expect(await world.books(late)).toEqual(books(3, { stale: 2, unchanged: 1 }));
    const { records, changes } = await world.state(feed);
    expect(changes).toEqual(before.changes);
    expect(valuesOf({ ...before, records })).toEqual(valuesOf(before));
  });

  it("does not undo what the newer one confirmed without a write", async () => {
    const feed = await world.feed("delta");
    await world.send(feed, 1, [row("a", 1)]);
    await world.send(feed, 9, [row("a", 1)]);
    const late = await world.send(feed, 5, [row("a", 2), row("new", 2)]);
    expect(valuesOf(await world.state(feed))).toEqual({ a: 1, new: 2 });
    expect(await world.books(late)).toEqual(books(2, { stale: 1, inserted: 1 }));
  });

  it("and was planned before it: the plan is out of date, apply decides again", async () => {
    const feed = await world.feed("delta");
    await world.send(feed, 1, rowsOf([1, 1, 1]));
    const older = await world.file(feed, 5, rowsOf([5, 5, 5]));
    // Lease, plan, and the end before anything is written: all three rows are planned as changes.
    await expect(world.apply(older, world.deps(faulty(world.database, 3, "dies-before")))).rejects.toThrow("died");
    await world.expireLease(feed);
    await world.send(feed, 9, [row("k0", 9), row("k1", 1)]);
    await world.apply(older);
    // k0 was changed by the newer file, k1 confirmed without a write, k2 not named.
    expect(valuesOf(await world.state(feed))).toEqual({ k0: 9, k1: 1, k2: 5 });
    expect(await world.books(older)).toEqual(books(3, { stale: 2, changed: 1 }));
  });

  it.each(["before planning", "between planning and applying"])(
    "never wins, even when the touch of the newer one has been cleared away (%s)",
    async (when) => {
      const feed = await world.feed("delta");
      await world.send(feed, 1, rowsOf([1, 1]));
      const older = await world.file(feed, 5, rowsOf([5, 5]));
      if (when !== "before planning") {
        await world.apply(older, world.deps(faulty(world.database, 3, "dies-before"))).catch(() => undefined);
        await world.expireLease(feed);
      }
      await world.send(feed, 9, [row("k0", 9)]);
      await world.database.query("DELETE FROM seen WHERE feed_id = $1", [feed.feedId]);
      await world.apply(older);
      expect(valuesOf(await world.state(feed))).toEqual({ k0: 9, k1: 5 });
      expect(await world.books(older)).toEqual(books(2, { stale: 1, changed: 1 }));
    },
  );

  it("is skipped whole behind a full file that is applied: a key that is gone does not come back", async () => {
    const feed = await world.feed("full");
    await world.send(feed, 2, rowsOf([1, 1]));
    const late = await world.send(feed, 1, [...rowsOf([0, 0]), row("gone", 0), row("gone", 1)]);
    expect(valuesOf(await world.state(feed))).toEqual({ k0: 1, k1: 1 });
    expect(await world.books(late)).toEqual(books(4, { stale: 3, superseded: 1 }));
  });

  it("had begun before the newer full file was applied: what it settled stays counted, the rest is stale", async () => {
    const feed = await world.feed("full");
    const older = await world.file(feed, 1, rowsOf([0, 0, 0, 0, 0, 0, 0, 0, 0]));
    // Dies with one of its three chunks written: lease, forecast, chunk, then the end.
    await expect(world.apply(older, world.deps(faulty(world.database, 4, "dies-before")))).rejects.toThrow("died");
    await world.expireLease(feed);
    await world.send(feed, 2, rowsOf([1, 1, 1, 1]));
    await world.apply(older);
    const { accepted, inserted, stale, state } = await world.books(older);
    expect({ state, sum: inserted + stale }).toEqual({ state: "applied", sum: accepted });
    expect(inserted).toBeGreaterThanOrEqual(3);
    expect(stale).toBeGreaterThan(0);
    expect(valuesOf(await world.state(feed))).toMatchObject({ k0: 1, k1: 1, k2: 1, k3: 1 });
  });
});

describe("a chunk whose first and last key say nothing about the others", () => {
  it("finds what stands before, between and behind them", async () => {
    const feed = await world.feed("delta");
    await world.send(feed, 1, [row("a", 1), row("z", 1)]);
    // Once whole, at once, once through a plan. Between the first key and the last the feed has nothing.
    const rows = [row("m", 2), row("a", 2), row("z", 1), row("n", 2)];
    const send = async (place: number, mode: "whole" | "diff", said: readonly TestRow[]) => {
      const file = await world.file(feed, place, said);
      const apply = world.deps(undefined, {
        plan: async (f, lease) => world.deps().plan({ ...f, planMode: mode }, lease),
      });
      await world.apply(file, apply);
      return world.books(file);
    };
    expect(await send(2, "whole", rows)).toEqual(books(4, { inserted: 2, changed: 1, unchanged: 1 }));
    expect(await send(3, "diff", [row("y", 3), ...rows, row("x", 3)])).toEqual(books(6, { inserted: 2, unchanged: 4 }));
    expect(await send(4, "whole", [row("z", 4), row("a", 4)])).toEqual(books(2, { changed: 2 }));
    expect(valuesOf(await world.state(feed))).toEqual({ a: 4, m: 2, n: 2, x: 3, y: 3, z: 4 });
  });
});

describe("files in any order", () => {
  it("come to the same records as in order", async () => {
    const shuffled = anyDeltas.chain((files) =>
      fc.tuple(
        fc.constant(files),
        fc.shuffledSubarray(
          files.map((_, i) => i),
          { minLength: files.length },
        ),
      ),
    );
    await fc.assert(
      fc.asyncProperty(shuffled, async ([files, arrivals]) => {
        const feed = await world.feed("delta");
        for (const place of arrivals) await world.send(feed, place, files[place]!);
        const state = await world.state(feed);
        expect(valuesOf(state)).toEqual(lastWords(files));
        for (const file of state.files) expectBalance(file);
      }),
      { numRuns: 40 },
    );
  });

  it("with workers that die in the middle and files that overtake each other, too", async () => {
    const event = fc.record({ file: fc.nat(), at: fc.integer({ min: 1, max: 12 }), fault: fc.constantFrom(...FAULTS) });
    await fc.assert(
      fc.asyncProperty(anyDeltas, fc.array(event, { maxLength: 12 }), async (contents, events) => {
        const feed = await world.feed("delta");
        const files = [];
        for (const [place, rows] of contents.entries()) files.push(await world.file(feed, place, rows));
        for (const { file, at, fault } of events) {
          const database = faulty(world.database, at, fault);
          await world.apply(files[file % files.length]!, world.deps(database)).catch(() => undefined);
          await world.expireLease(feed);
        }
        for (const file of files) await world.apply(file);
        const state = await world.state(feed);
        expect(valuesOf(state)).toEqual(lastWords(contents));
        for (const file of state.files) expectBalance(file);
        expectOneChangePerVersion(state);
      }),
      { numRuns: 40 },
    );
  });

  it("prefer the earlier one of two that wait", async () => {
    const feed = await world.feed("delta");
    const [first, second] = [await world.file(feed, 1, rowsOf([1])), await world.file(feed, 2, rowsOf([2]))];
    const patient = world.deps(world.database, { earlierFirstSeconds: 600 });
    await expect(world.apply(second, patient)).rejects.toMatchObject({
      code: "feed-busy",
      report: { evidence: { activeFile: first.id } },
    });
    await world.apply(first, patient);
    await world.apply(second, patient);
    expect((await world.state(feed)).changes.map((change) => change.after)).toEqual([1, 2]);
  });

  it("do not wait for an earlier one that was parsed long ago", async () => {
    const feed = await world.feed("delta");
    const stuck = await world.file(feed, 1, rowsOf([1]));
    await world.database.query("UPDATE files SET parsed_at = now() - interval '1 hour' WHERE id = $1", [stuck.id]);
    const next = await world.file(feed, 2, rowsOf([2]));
    expect(await world.apply(next, world.deps(world.database, { earlierFirstSeconds: 600 }))).toEqual({
      done: "applied",
    });
  });
});

describe("keys that stand more than once in a file", () => {
  it("count with their last line; every earlier one is superseded", async () => {
    const feed = await world.feed("delta");
    await world.send(feed, 0, [row("same", 7), row("other", 1)]);
    const filler = rowsOf([0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    const file = await world.send(feed, 1, [
      row("a", 1),
      row("same", 8),
      ...filler,
      row("a", 2),
      row("b", 1),
      row("same", 7), // back to what is stored: no change at all
      row("a", 3),
      row("b", 2),
    ]);
    const state = await world.state(feed);
    expect(valuesOf(state)).toMatchObject({ a: 3, b: 2, same: 7 });
    expect(
      state.changes.filter(({ key }) => ["a", "b", "same"].includes(key)).map(({ key, after }) => [key, after]),
    ).toEqual([
      ["a", 3],
      ["b", 2],
      ["same", 7],
    ]);
    expect(await world.books(file)).toEqual(books(17, { inserted: 12, unchanged: 1, superseded: 4 }));
  });

  it("are told apart to the letter", async () => {
    const odd = [
      "a",
      "A",
      "a ",
      " a",
      "ä",
      "a\u0308",
      "007",
      "7",
      "NULL",
      '"',
      "\\",
      "\\n",
      "{a,b}",
      "a,b",
      "'; --",
      "😀",
      "|",
    ];
    const feed = await world.feed("delta");
    await world.send(
      feed,
      1,
      odd.map((key, i) => row(key, i)),
    );
    const again = await world.send(
      feed,
      2,
      odd.map((key, i) => row(key, i)),
    );
    expect(valuesOf(await world.state(feed))).toEqual(Object.fromEntries(odd.map((key, i) => [key, i])));
    expect(await world.books(again)).toEqual(books(odd.length, { unchanged: odd.length }));
  });

  it.each(["full", "delta"] as const)("give the same books in whole and in diff mode (%s)", async (mode) => {
    const rows = [...rowsOf([1, 2, 3, 4, 5, 6, 7]), row("k1", 9), row("k1", 8), row("k6", 7)];
    const [whole, diff] = [await world.feed(mode), await world.feed(mode)];
    const file = await world.file(diff, 0, rows);
    await world.apply(
      file,
      world.deps(world.database, { plan: (f, lease) => world.deps().plan({ ...f, planMode: "diff" }, lease) }),
    );
    await world.send(whole, 0, rows);
    expect(await world.state(diff)).toEqual(await world.state(whole));
  });
});

describe("a retired record that comes back", () => {
  it("with the same content is restored: a version and a change of that kind", async () => {
    const feed = await world.feed("delta");
    await world.send(feed, 1, rowsOf([1, 1]));
    // What retiring will do: a zero hash, at the place of the file that no longer had the key.
    await world.database.query(
      `UPDATE records SET status = 'retired', row_hash = '00000000-0000-0000-0000-000000000000', version = version + 1
       WHERE feed_id = $1 AND natural_key = 'k0'`,
      [feed.feedId],
    );
    const back = await world.send(feed, 3, rowsOf([1, 1]));
    const { records, changes } = await world.state(feed);
    expect(records.find(({ key }) => key === "k0")).toMatchObject({ status: "active", version: 3, value: 1 });
    expect(changes.filter(({ key }) => key === "k0").map(({ kind }) => kind)).toEqual(["inserted", "restored"]);
    expect(await world.books(back)).toEqual(books(2, { changed: 1, unchanged: 1 }));
  });
});

function expectBalance(file: Books): void {
  expect(file.state).toBe("applied");
  expect(file.inserted + file.changed + file.unchanged + file.stale + file.superseded).toBe(file.accepted);
}

function expectOneChangePerVersion(state: Awaited<ReturnType<World["state"]>>): void {
  const versions = state.changes.map(({ key, version }) => `${key} ${version}`);
  expect(new Set(versions).size).toBe(versions.length);
  const total = state.records.reduce((sum, { version }) => sum + version, 0);
  expect(state.changes).toHaveLength(total);
  for (const change of state.changes) {
    const earlier = state.changes.find(({ key, version }) => key === change.key && version === change.version - 1);
    expect(change.before).toBe(earlier?.after ?? null);
  }
}
