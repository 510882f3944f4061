/** The gate judges what a replay does as it judged the first time, unless whoever orders the replay wants it let go. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { csv, feedsOf } from "./feeds.ts";
import { dataOf, dump, replayed, reportOf, START, start, stock } from "./scene.ts";
import { World } from "./world.ts";

let world: World;
const others: World[] = [];
beforeEach(async () => {
  world = await World.open(feedsOf("alder"), START);
  for (let n = 0; n < 3; n++) {
    await stock(world, n, listOf(60 + n));
    await world.drain();
  }
  // Half of the list is gone: held, and released by an operator.
  await stock(world, 3, listOf(30));
  await world.drain();
  const [{ id } = { id: "" }] = await world.rows<{ id: string }>(
    "SELECT id::text AS id FROM files WHERE state = 'held'",
  );
  expect(await world.http("POST", `/v1/files/${id}/release`)).toMatchObject({ status: 202 });
  await world.drain();
  expect((await dataOf(world, "alder")).length).toBe(30);
});
afterEach(async () => {
  for (const one of [world, ...others.splice(0)]) await one.close();
});

const listOf = (rows: number): string => csv(Array.from({ length: rows }, (_, n) => [`K${n}`, 10] as const));

async function withEmptyDatabase(): Promise<World> {
  const empty = await World.open(world.feeds, world.nowMs, world.bucket);
  others.push(empty);
  return empty;
}

describe("what was held and released", () => {
  it("is not held again where it was applied", async () => {
    const before = await dump(world);
    expect(await replayed(world, { all: true })).toMatchObject({
      state: "done",
      totals: { files: 4, held: 0, retired: 0 },
    });
    expect(await dump(world)).toEqual(before);
  });

  it("is held again in a database that has lost the release: the replay comes to its end and tells of it", async () => {
    const empty = await withEmptyDatabase();
    expect(await replayed(empty, { all: true })).toMatchObject({
      state: "done",
      totals: { files: 4, held: 1, retired: 0 },
    });
    expect((await dataOf(empty, "alder")).length).toBe(62);
    expect(await empty.rows("SELECT decision FROM holds")).toEqual([{ decision: null }]);
  });

  it("goes where nothing is to be held: the records are those that there were", async () => {
    const empty = await withEmptyDatabase();
    expect(await replayed(empty, { all: true, gate: "pass" })).toMatchObject({
      state: "done",
      totals: { held: 0, retired: 32 },
    });
    expect(await dump(empty)).toEqual(await dump(world));
    expect(await empty.rows("SELECT id FROM holds")).toEqual([]);
  });

  it("is judged all the same where it has come today: whoever brings in what is old has not seen it", async () => {
    const empty = await withEmptyDatabase();
    const { id } = await start(empty, { all: true, gate: "pass" });
    await empty.rows("UPDATE replays SET created_at = (SELECT max(received_at) FROM replay_items) + interval '1 hour'");
    await empty.drain();
    expect(await reportOf(empty, id)).toMatchObject({ totals: { held: 1, retired: 0 } });
  });
});

describe("a file that was never held", () => {
  it("is held where reading it again would change too much of what is there now; a shadow has said so", async () => {
    await stock(world, 4, listOf(80));
    await world.drain();
    await world.rows("UPDATE records SET data = data || '{\"qty\": 11}' WHERE status = 'active'");
    const before = await dump(world);
    const told = await replayed(world, { all: true, shadow: true });
    expect(told.totals).toMatchObject({ files: 5, held: 1, changed: 0 });
    const done = await replayed(world, { all: true });
    expect(done.totals).toEqual(told.totals);
    expect(await dump(world)).toEqual(before);
    const passed = await replayed(world, { all: true, gate: "pass" });
    expect(passed.totals).toMatchObject({ held: 0, changed: 80 });
    expect((await dataOf(world, "alder")).every(({ data }) => (data as { qty: number }).qty === 10)).toBe(true);
  });
});
