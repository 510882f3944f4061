import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { FileToApply } from "../../src/domain/plan.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { books, row, rowsOf, valuesOf, type World, worldOn } from "./world.ts";

let fresh: FreshDatabase;
let world: World;
beforeAll(async () => {
  fresh = await freshDatabase();
  world = worldOn(fresh.connectionString);
});
afterAll(() => fresh.drop());

/** A worker that believes a chunk of the file is not there. */
const forgetful = () =>
  world.deps(world.database, {
    plan: (file, lease) => world.deps().plan({ ...file, chunks: file.chunks.slice(1) }, lease),
    chunks: {
      whole: async (file: FileToApply, entry) => {
        const bytes = await world.chunks.whole(file, entry);
        return entry.n === 0 ? bytes.subarray(0, 0) : bytes;
      },
    },
  });

describe("a file whose books do not balance", () => {
  it("is held with the figures, gives its lease back, and is not applied by another message", async () => {
    const feed = await world.feed();
    await world.send(feed, 0, rowsOf([1]));
    const file = await world.file(feed, 1, rowsOf([1, 2, 3, 4, 5]));
    expect(await world.apply(file, forgetful())).toEqual({ done: "held" });
    const stored = await world.one<{ state: string; failure: Record<string, unknown>; active_file_id: string | null }>(
      "SELECT x.state, x.failure, f.active_file_id FROM files x JOIN feeds f ON f.id = x.feed_id WHERE x.id = $1",
      [file.id],
    );
    expect(stored).toMatchObject({
      state: "held",
      active_file_id: null,
      failure: { code: "books-unbalanced", disposition: "hold", evidence: { expected: 5, counted: 2 } },
    });
    expect(await world.apply(file)).toEqual({ done: "already" });
    expect(valuesOf(await world.state(feed))).toEqual({ k0: 1, k3: 4, k4: 5 });
  });

  it("balances after its release: the part that was missing is done, the rest is known", async () => {
    const feed = await world.feed();
    await world.send(feed, 0, rowsOf([1]));
    const file = await world.file(feed, 1, rowsOf([1, 2, 3, 4, 5]));
    await world.apply(file, forgetful());
    await world.database.query("DELETE FROM ledger WHERE file_id = $1", [file.id]);
    await world.database.query("UPDATE files SET state = 'parsed', failure = NULL WHERE id = $1", [file.id]);
    expect(await world.apply(file)).toEqual({ done: "applied" });
    expect(await world.books(file)).toMatchObject({ state: "applied", accepted: 5 });
    expect(valuesOf(await world.state(feed))).toEqual({ k0: 1, k1: 2, k2: 3, k3: 4, k4: 5 });
  });

  it("cannot be marked as applied in the database, whatever the code does", async () => {
    const feed = await world.feed();
    const file = await world.file(feed, 0, rowsOf([1, 2]));
    await world.database.query("UPDATE files SET state = 'applying' WHERE id = $1", [file.id]);
    const refused = expect(
      world.database.query(
        "UPDATE files SET state = 'applied', inserted = 1, changed = 0, unchanged = 0, stale = 0, superseded = 0 WHERE id = $1",
        [file.id],
      ),
    ).rejects;
    await refused.toMatchObject({ code: "database-refused", report: { evidence: { sqlstate: "23514" } } });
  });

  it("cannot hide in the ledger: a row whose counts do not add up is refused", async () => {
    await expect(
      world.database.query(
        "INSERT INTO ledger (file_id, chunk_key, rows, inserted, changed, unchanged, stale) VALUES (1, $1, 5, 1, 1, 1, 1)",
        [randomUUID()],
      ),
    ).rejects.toMatchObject({ code: "database-refused" });
  });
});

describe("a file that is parsed again", () => {
  it("by a corrected adapter begins new books and corrects its own records, not those of a newer file", async () => {
    const feed = await world.feed();
    const file = await world.send(feed, 1, rowsOf([1, 2, 3, 4]));
    await world.send(feed, 2, [row("k0", 50)]);
    await world.parse(file.id, "v2", rowsOf([1, 20, 3, 40]));
    expect(await world.apply(file)).toEqual({ done: "applied" });
    expect(valuesOf(await world.state(feed))).toEqual({ k0: 50, k1: 20, k2: 3, k3: 40 });
    expect(await world.books(file)).toEqual(books(4, { changed: 2, unchanged: 1, stale: 1 }));
  });

  it("to another content forgets what it has touched: a key it no longer has is not seen", async () => {
    const feed = await world.feed();
    const file = await world.send(feed, 1, rowsOf([1, 2, 3]));
    await world.parse(file.id, "v2", rowsOf([1]));
    await world.apply(file);
    expect(
      await world.database.query(
        `SELECT r.natural_key AS key FROM seen s CROSS JOIN unnest(s.record_ids) AS u(id) JOIN records r USING (id)
         WHERE s.file_id = $1`,
        [file.id],
      ),
    ).toEqual([{ key: "k0" }]);
  });

  it("after it was half applied balances and does no record twice", async () => {
    const feed = await world.feed();
    const file = await world.file(feed, 1, rowsOf([1, 2, 3, 4, 5, 6, 7]));
    let calls = 0;
    const broken = {
      query: <T>(text: string, params: readonly unknown[] = []) => {
        calls++;
        if (calls > 3) throw new Error("died");
        return world.database.query<T>(text, params);
      },
    };
    await expect(world.apply(file, world.deps(broken))).rejects.toThrow("died");
    await world.expireLease(feed);
    await world.parse(file.id, "v2", rowsOf([1, 2, 3, 4, 5, 6, 7]));
    expect(await world.apply(file)).toEqual({ done: "applied" });
    const state = await world.state(feed);
    expect(state.changes).toHaveLength(7);
    expect(state.records.every(({ version }) => version === 1)).toBe(true);
  });
});

describe("lists of different length", () => {
  it.each([
    ["keys", "a\nb\nc", "{2,3}", '{"v": 1}\n{"v": 2}'],
    ["records", "a\nb", "{2,3}", '{"v": 1}\n{"v": 2}\n{"v": 3}'],
    ["lines", "a\nb", "{2,3,4}", '{"v": 1}\n{"v": 2}'],
    ["nothing", "", "{2,3}", ""],
  ])("are refused whole (%s)", async (_, keys, lines, records) => {
    const feed = await world.feed();
    const { id } = await world.file(feed, 0, rowsOf([1, 2]));
    const token = randomUUID();
    await world.database.query("SELECT * FROM acquire_lease($1, $2, 60, 0)", [id, token]);
    const hashes = `{${"1".repeat(32)},${"2".repeat(32)}}`;
    await expect(
      world.database.query("SELECT * FROM apply_chunk($1, $2, $3, $4, $5, $6)", [
        id,
        token,
        keys,
        lines,
        hashes,
        records,
      ]),
    ).rejects.toMatchObject({ code: "database-refused" });
    expect((await world.state(feed)).records).toEqual([]);
  });
});

describe("changes", () => {
  it("carry an identity that is the same on every read and another for every version", async () => {
    const feed = await world.feed();
    await world.send(feed, 1, rowsOf([1, 2]));
    await world.send(feed, 2, rowsOf([1, 3]));
    const read = () =>
      world.database.query<{ idempotency_key: string }>(
        "SELECT idempotency_key::text FROM change_events WHERE feed_id = $1 ORDER BY id",
        [feed.feedId],
      );
    const keys = (await read()).map(({ idempotency_key }) => idempotency_key);
    expect(new Set(keys).size).toBe(3);
    expect((await read()).map(({ idempotency_key }) => idempotency_key)).toEqual(keys);
  });

  it("lie in the partition of their day, also those written before it was made", async () => {
    const own = await freshDatabase();
    const there = worldOn(own.connectionString);
    await there.send(await there.feed(), 1, rowsOf([1, 2]));
    const make = () =>
      there.one("SELECT ensure_change_partitions((now() AT TIME ZONE 'UTC')::date - 1, 4) AS made", []);
    expect(await make()).toEqual({ made: 4 });
    expect(await make()).toEqual({ made: 0 });
    await there.send(await there.feed(), 1, rowsOf([3]));
    expect(
      await there.database.query(
        `SELECT count(*)::int AS rows, bool_and(tableoid::regclass::text LIKE 'changes_2%') AS by_day FROM changes`,
      ),
    ).toEqual([{ rows: 3, by_day: true }]);
    await own.drop();
  });
});
