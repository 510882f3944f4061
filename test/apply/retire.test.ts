import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { applyFile } from "../../src/apply/apply-file.ts";
import { acquireLease, heldLease } from "../../src/apply/lease.ts";
import { forecastRetirement, retireMissing } from "../../src/apply/retire.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { forceIn } from "../support/force-state.ts";
import { faulty } from "./faults.ts";
import { activeOf, applyAndRetire, flawsOf, historyOf } from "./retire-world.ts";
import { row, rowsOf, says, type TestFeed, type TestFile, type TestRow, take, type World, worldOn } from "./world.ts";

let fresh: FreshDatabase;
let world: World;
beforeAll(async () => {
  fresh = await freshDatabase();
  world = worldOn(fresh.connectionString);
});
afterAll(() => fresh.drop());

const send = async (feed: TestFeed, place: number, rows: readonly TestRow[]) => {
  const file = await world.file(feed, place, rows);
  return { file, ...(await applyAndRetire(world, file)) };
};

const without = (rows: readonly TestRow[], ...keys: string[]) => rows.filter(({ key }) => !keys.includes(key));

const booksOf = (file: TestFile) =>
  world.one<Record<string, number | string>>(
    "SELECT state, accepted, inserted, changed, unchanged, stale, superseded, retired FROM files WHERE id = $1",
    [file.id],
  );

const kindsOf = async (feed: TestFeed, key: string) =>
  (await historyOf(world, feed.feedId)).get(key)!.map(({ kind }) => kind);

const rejectRow = (file: TestFile, line: number, key: string | null) =>
  world.database.query(
    `INSERT INTO rejects (file_id, line, position, code, sentence, hint, raw, natural_key)
     VALUES ($1, $2, 0, 'x', 'It is wrong.', 'Mend it.', 'x', $3), ($1, $2, 1, 'y', 'It is wrong.', 'Mend it.', 'x', NULL)`,
    [file.id, line, key],
  );

/** As if so many rows of the file had been rejected. */
const rejected = (file: TestFile, count: number) =>
  forceIn(world.database, "UPDATE files SET rejected = $2::int, lines = lines + $2::int WHERE id = $1", [
    file.id,
    count,
  ]);

const TEN = rowsOf([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);

describe("a record that a full file no longer names", () => {
  it("is retired: a version, one event with what it was, and books of its own", async () => {
    const feed = await world.feed("full");
    await send(feed, 1, TEN);
    const { file, forecast, retirement } = await send(feed, 2, [...without(TEN, "k3", "k7"), row("new", 1)]);
    expect(forecast).toMatchObject({ active: 10, missing: 2, retired: 0 });
    expect(forecast!.sample.map(({ key, before }) => [key, before.value])).toEqual([
      ["k3", 3],
      ["k7", 7],
    ]);
    expect(retirement).toEqual({ retired: 2 });
    expect(await booksOf(file)).toEqual({
      ...{ state: "applied", accepted: 9, inserted: 1, changed: 0, unchanged: 8, stale: 0, superseded: 0, retired: 2 },
    });
    const history = await historyOf(world, feed.feedId);
    expect(history.get("k3")!.at(-1)).toMatchObject({
      ...{ kind: "retired", version: 2, line: 0, after: null, status_now: "retired", version_now: 2 },
    });
    expect(flawsOf(history)).toEqual([]);
    const [stored] = await world.database.query<{ file: string; hash: string; same: boolean; order: boolean }>(
      `SELECT r.file_id::text AS file, r.row_hash::text AS hash, r.updated_at = c.created_at AS same, r.order_key = f.order_key AS order
       FROM records r JOIN changes c ON c.record_id = r.id AND c.version = r.version JOIN files f ON f.id = r.file_id
       WHERE r.feed_id = $1 AND r.natural_key = 'k7'`,
      [feed.feedId],
    );
    expect(stored).toEqual({
      ...{ file: file.id, hash: "00000000-0000-0000-0000-000000000000", same: true, order: true },
    });
  });

  it("is known before anything is applied, beside records that change, stay, come back and are new", async () => {
    const feed = await world.feed("full");
    await send(feed, 1, TEN);
    await send(feed, 2, without(TEN, "k0"));
    const third = [row("k0", 0), row("k1", 100), ...without(TEN, "k0", "k1", "k8", "k9"), row("new", 1), row("k2", 2)];
    const { forecast, retirement } = await send(feed, 3, third);
    expect(forecast).toMatchObject({ active: 9, missing: 2, retired: 0 });
    expect(retirement).toEqual({ retired: 2 });
    expect(Object.keys(await activeOf(world, feed.feedId))).toEqual([
      "k0",
      "k1",
      "k2",
      "k3",
      "k4",
      "k5",
      "k6",
      "k7",
      "new",
    ]);
  });

  it("is not retired again, nor by a file that comes again", async () => {
    const feed = await world.feed("full");
    await send(feed, 1, TEN);
    const { file } = await send(feed, 2, without(TEN, "k3"));
    expect(await applyAndRetire(world, file)).toBeUndefined();
    expect((await send(feed, 3, without(TEN, "k3"))).retirement).toEqual({ retired: 0 });
    expect(await kindsOf(feed, "k3")).toEqual(["inserted", "retired"]);
  });

  it("leaves the records of other feeds alone", async () => {
    const [feed, other] = [await world.feed("full"), await world.feed("full")];
    await send(feed, 1, TEN);
    await send(other, 1, TEN);
    await send(feed, 2, rowsOf([0]));
    expect(Object.keys(await activeOf(world, other.feedId))).toHaveLength(10);
    expect(Object.keys(await activeOf(world, feed.feedId))).toEqual(["k0"]);
  });

  it("nothing is left of a feed whose file names none, where that is allowed", async () => {
    const feed = await world.feed("full");
    await send(feed, 1, TEN);
    expect((await send(feed, 2, [])).retirement).toEqual({ retired: 10 });
    expect(await activeOf(world, feed.feedId)).toEqual({});
    expect(flawsOf(await historyOf(world, feed.feedId))).toEqual([]);
  });
});

describe("a retired record that a later file names", () => {
  it.each([
    ["as it was", 3],
    ["as another", 33],
  ])("is restored %s", async (_, value) => {
    const feed = await world.feed("full");
    await send(feed, 1, TEN);
    await send(feed, 2, without(TEN, "k3"));
    const { file, forecast } = await send(feed, 3, [...without(TEN, "k3"), row("k3", value)]);
    expect(forecast).toMatchObject({ missing: 0 });
    expect(await booksOf(file)).toMatchObject({ changed: 1, unchanged: 9, retired: 0 });
    expect(await kindsOf(feed, "k3")).toEqual(["inserted", "retired", "restored"]);
    expect((await activeOf(world, feed.feedId)).k3).toBe(value);
    expect(flawsOf(await historyOf(world, feed.feedId))).toEqual([]);
  });

  it("is restored with what it was and what a merging file says of it", async () => {
    const feed = await world.feed("full");
    await send(feed, 1, [says("a", { value: 1, name: "A" }), says("b", { value: 2, name: "B" })]);
    await send(feed, 2, [says("a", { value: 1 })]);
    await send(feed, 3, [says("a", { value: 1 }), says("b", { value: 3 })]);
    const history = await historyOf(world, feed.feedId);
    expect(history.get("b")!.at(-1)).toMatchObject({ kind: "restored", version: 3, after: { value: 3, name: "B" } });
    expect(history.get("a")!.map(({ kind }) => kind)).toEqual(["inserted"]);
    expect(flawsOf(history)).toEqual([]);
  });

  it("stays retired where the file is older than the retirement", async () => {
    const feed = await world.feed("full");
    await send(feed, 1, TEN);
    await send(feed, 5, without(TEN, "k3"));
    await world.database.query("UPDATE feeds SET mode = 'delta' WHERE id = $1", [feed.feedId]);
    await send(feed, 4, [row("k3", 44)]);
    expect(await kindsOf(feed, "k3")).toEqual(["inserted", "retired"]);
  });

  it("comes back where the very file is read again and then names it", async () => {
    const feed = await world.feed("full");
    await send(feed, 1, TEN);
    const { file } = await send(feed, 2, without(TEN, "k0"));
    await world.parse(file.id, "v2", TEN);
    await applyAndRetire(world, file);
    expect(await kindsOf(feed, "k0")).toEqual(["inserted", "retired", "restored"]);
    await world.parse(file.id, "v3", without(TEN, "k1"));
    await applyAndRetire(world, file);
    expect(await kindsOf(feed, "k1")).toEqual(["inserted", "retired"]);
    expect(flawsOf(await historyOf(world, feed.feedId))).toEqual([]);
  });
});

describe("nothing is retired", () => {
  const loaded = async (mode: "full" | "delta" = "full") => {
    const feed = await world.feed(mode);
    await send(feed, 1, TEN);
    return feed;
  };
  const untouched = async (feed: TestFeed) => {
    expect(
      await world.one("SELECT count(*)::int AS n FROM records WHERE feed_id = $1 AND status = 'retired'", [
        feed.feedId,
      ]),
    ).toEqual({ n: 0 });
  };

  it("by a file of changes", async () => {
    const feed = await loaded("delta");
    const { forecast, retirement } = await send(feed, 2, rowsOf([0]));
    expect(forecast).toMatchObject({ bar: "not-full", missing: 0 });
    expect(retirement).toEqual({ kept: "not-full" });
    await untouched(feed);
  });

  it("by a file that is not the whole state, though its feed is full", async () => {
    const feed = await loaded();
    const file = await world.file(feed, 2, rowsOf([5]));
    await forceIn(world.database, "UPDATE files SET complete = false WHERE id = $1", [file.id]);
    expect(await applyAndRetire(world, file, { allowed: 100 })).toMatchObject({ retirement: { kept: "not-full" } });
    await untouched(feed);
  });

  it("by a file behind a newer one", async () => {
    const feed = await loaded();
    await send(feed, 5, TEN);
    const file = await world.file(feed, 3, rowsOf([0]));
    const late = await applyAndRetire(world, file, { allowed: 100 });
    expect(late).toMatchObject({ forecast: { bar: "late" }, retirement: { kept: "late" } });
    await untouched(feed);
  });

  it("by a file behind a newer one that has only begun; that one retires what it lacks itself", async () => {
    const feed = await loaded();
    const newer = await world.file(feed, 5, [...without(TEN, "k9"), row("k1", 100)]);
    const dying = world.deps(faulty(world.database, 5, "dies-before"));
    await expect(applyAndRetire(world, newer, {}, dying)).rejects.toThrow("died");
    // Before the gate has let it go it has not spoken.
    await world.database.query("UPDATE files SET gate = '{}' WHERE id = $1", [newer.id]);
    await world.expireLease(feed);
    const file = await world.file(feed, 3, rowsOf([0]));
    expect(await applyAndRetire(world, file, { allowed: 100 })).toMatchObject({ retirement: { kept: "newer-file" } });
    await untouched(feed);
    await applyAndRetire(world, newer);
    expect(Object.keys(await activeOf(world, feed.feedId))).toEqual(without(TEN, "k9").map(({ key }) => key));
  });

  it.each([
    ["named", [7, { retired: 7 }], { k0: 0, k1: 1, k2: 222, new: 1 }],
    ["written, even when its touch has been cleared away", [8, { retired: 8 }], { k0: 0, k2: 222, new: 1 }],
  ])("of what a newer file has %s that was given up since", async (how, numbers, left) => {
    const feed = await loaded();
    const newer = await world.file(feed, 5, [row("k1", 1), row("k2", 222), row("new", 1)]);
    const dying = world.deps(faulty(world.database, 5, "dies-before")); // lease, plan, forecast, apply
    await expect(applyAndRetire(world, newer, {}, dying)).rejects.toThrow("died");
    await world.expireLease(feed);
    await forceIn(world.database, `UPDATE files SET state = 'dead', failure = '{"code": "x"}' WHERE id = $1`, [
      newer.id,
    ]);
    if (how !== "named") await world.database.query("DELETE FROM seen WHERE file_id = $1", [newer.id]);
    const file = await world.file(feed, 3, rowsOf([0]));
    const { forecast, retirement } = (await applyAndRetire(world, file))!;
    expect([forecast.missing, retirement]).toEqual(numbers);
    expect(await activeOf(world, feed.feedId)).toEqual(left);
  });

  it("of what a rejected row names", async () => {
    const feed = await loaded();
    const file = await world.file(feed, 2, without(TEN, "k3", "k4"));
    await rejected(file, 2);
    await rejectRow(file, 20, "k3");
    await rejectRow(file, 21, "no record of ours");
    const { forecast, retirement } = (await applyAndRetire(world, file))!;
    expect([forecast.missing, retirement]).toEqual([1, { retired: 1 }]);
    expect(Object.keys(await activeOf(world, feed.feedId))).not.toContain("k4");
    expect(Object.keys(await activeOf(world, feed.feedId))).toContain("k3");
  });

  it.each([
    ["has a key that could not be read", 1, 1],
    ["was counted, but is not stored", 2, 0],
  ])("while a rejected row %s", async (_, count, unread) => {
    const feed = await loaded();
    const file = await world.file(feed, 2, without(TEN, "k3"));
    await rejected(file, count);
    if (unread > 0) await rejectRow(file, 20, null);
    else await rejectRow(file, 20, "k5");
    const first = await applyAndRetire(world, file, { allowed: 100 });
    expect(first).toMatchObject({
      forecast: { bar: "rejects-unread", missing: 1 },
      retirement: { kept: "rejects-unread" },
    });
    await untouched(feed);
  });

  it("beyond what was allowed, not even a part of it", async () => {
    const feed = await loaded();
    const file = await world.file(feed, 2, rowsOf([0]));
    expect(await applyAndRetire(world, file, { allowed: 8 })).toMatchObject({ retirement: { kept: "not-planned" } });
    await untouched(feed);
    expect(await booksOf(file)).toMatchObject({ state: "applied", retired: 0 });
  });

  it("beyond what was allowed, of which an attempt before has used a part", async () => {
    const feed = await loaded();
    const file = await world.file(feed, 2, rowsOf([0]));
    const dying = world.deps(faulty(world.database, 4, "dies-after")); // lease, plan, forecast, six retirements
    await expect(applyAndRetire(world, file, {}, dying)).rejects.toThrow("died");
    await world.expireLease(feed);
    const again = await applyAndRetire(world, file, { allowed: 8 });
    expect(again).toMatchObject({ forecast: { missing: 3, retired: 6 }, retirement: { kept: "not-planned" } });
    expect(Object.keys(await activeOf(world, feed.feedId))).toHaveLength(4);
  });

  it("that an older file brought after the gate had let go of none", async () => {
    const feed = await loaded();
    const file = await world.file(feed, 2, TEN);
    const deps = world.deps();
    const token = deps.token();
    const taken = await take(deps, file, token);
    const lease = heldLease(deps, file.id, token);
    const plan = await deps.plan({ ...taken, planMode: "diff" }, lease);
    await applyFile(deps, taken, plan, lease);
    await world.database.query(
      `INSERT INTO records (order_key, row_hash, file_id, customer_id, feed_id, line, natural_key, data)
       VALUES ('00000000-0000-0000-0000-000000000001', md5('late')::uuid, 0, $1, $2, 1, 'late', '{"value": 1}')`,
      [feed.customerId, feed.feedId],
    );
    expect(await retireMissing(deps, taken, plan, { allowed: 0 }, lease, false)).toEqual({ kept: "not-planned" });
  });

  it("before all rows are settled", async () => {
    const feed = await loaded();
    const file = await world.file(feed, 2, [...without(TEN, "k3"), row("k4", 100)]);
    const deps = world.deps();
    const token = deps.token();
    const taken = await take(deps, file, token);
    const lease = heldLease(deps, file.id, token);
    const plan = await deps.plan({ ...taken, planMode: "diff" }, lease);
    expect(await retireMissing(deps, taken, plan, { allowed: 100 }, lease)).toEqual({ kept: "unbalanced" });
    await untouched(feed);
  });

  it.each(["lease was taken over", "file was given up"])("by a worker whose %s", async (how) => {
    const feed = await loaded();
    const file = await world.file(feed, 2, rowsOf([0]));
    const deps = world.deps();
    const token = deps.token();
    const taken = await take(deps, file, token);
    const lease = heldLease(deps, file.id, token);
    const plan = await deps.plan({ ...taken, planMode: "diff" }, lease);
    if (how === "file was given up") {
      await forceIn(world.database, `UPDATE files SET state = 'dead', failure = '{"code": "x"}' WHERE id = $1`, [
        file.id,
      ]);
    } else {
      await world.expireLease(feed);
      await acquireLease(deps, file.id, deps.token());
    }
    await expect(retireMissing(deps, taken, plan, { allowed: 100 }, lease)).rejects.toMatchObject({
      code: "lease-lost",
    });
    await untouched(feed);
  });
});

describe("what is missing, for people", () => {
  it("is counted in full, and shown by records from all over it", async () => {
    const feed = await world.feed("full");
    await send(feed, 1, [...TEN, row("é", 1), row("a b", 1), row("Z", 1)]);
    const file = await world.file(feed, 2, [row("k5", 5), row("k6", 66)]);
    const deps = world.deps();
    const token = deps.token();
    const taken = await take(deps, file, token);
    await deps.plan({ ...taken, planMode: "diff" }, heldLease(deps, file.id, token));
    const { sample, missing } = await forecastRetirement(deps, file.id);
    expect({ missing, shown: sample.length, first: sample[0], last: sample.at(-1)!.key }).toMatchObject({
      ...{ missing: 11, shown: 10, first: { key: "Z", before: { value: 1 } }, last: "k9" },
    });
  });

  it("of a file that does not exist is a fault", async () => {
    await expect(forecastRetirement(world.deps(), "999999999")).rejects.toMatchObject({ code: "file-missing" });
  });
});
