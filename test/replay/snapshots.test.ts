/** A snapshot in the archive says what was true then: no replay holds the records of today against it. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Adapter, defineFeed } from "../../src/domain/adapter.ts";
import { csv, feedsOf } from "./feeds.ts";
import { dataOf, day, dump, replayed, START } from "./scene.ts";
import { World } from "./world.ts";

const [ORDERS] = feedsOf("doum").filter(({ feed }) => feed === "orders") as [Adapter];
const STATE = defineFeed({
  customer: "doum",
  customerTitle: ORDERS.customerTitle,
  feed: "state",
  title: "state",
  mode: "snapshot",
  reconciles: { feed: "orders" },
  intake: { policy: "trust-address", senders: [...ORDERS.intake.senders], fileName: "^state-.*\\.csv$" },
  file: { charset: "utf-8", delimiter: ",", header: true },
  columns: ORDERS.columns!,
  key: ["sku"],
});

let world: World;
const others: World[] = [];
beforeEach(async () => {
  world = await World.open([ORDERS, STATE], START);
  const mail = async (feed: string, n: number, rows: Parameters<typeof csv>[0]) => {
    await world.mail({ customer: "doum", feed, name: `${feed}-${n}.csv`, text: csv(rows), at: day(n) });
    await world.drain();
  };
  await mail("orders", 0, [
    ["a", 1],
    ["b", 1],
  ]);
  // A mail of the day before was lost: the snapshot heals what is missing.
  await mail("state", 1, [
    ["a", 1],
    ["b", 1],
    ["c", 1],
  ]);
  await mail("orders", 2, [["a", 2]]);
});
afterEach(async () => {
  for (const one of [world, ...others.splice(0)]) await one.close();
});

describe("a snapshot that has healed drift", () => {
  it("did so: the proof is about something", async () => {
    expect(await world.rows("SELECT state, missing_here FROM drift_reports")).toEqual([
      { state: "healed", missing_here: 1 },
    ]);
    expect((await world.records()).split("\n").length).toBe(3);
  });

  it("is left out of a replay over what is there, and nothing changes", async () => {
    const before = await dump(world);
    const report = await replayed(world, { all: true });
    expect(report).toMatchObject({
      state: "done",
      progress: { deliveries: { done: 2, skipped: 1 } },
      left_out: [{ reason: "snapshot" }],
    });
    expect(await dump(world)).toEqual(before);
    expect(await world.rows("SELECT count(*)::int AS n FROM drift_reports")).toEqual([{ n: 1 }]);
  });

  it("is there again in an empty database and heals nothing; the next one that comes does", async () => {
    const empty = await World.open(world.feeds, world.nowMs, world.bucket);
    others.push(empty);
    expect(await replayed(empty, { all: true })).toMatchObject({
      state: "done",
      progress: { deliveries: { done: 3 } },
    });
    expect(await empty.rows("SELECT state FROM drift_reports")).toEqual([]);
    expect((await dataOf(empty, "doum")).map(({ key }) => key)).toEqual(["a", "b"]);
    const text = csv([
      ["a", 2],
      ["b", 1],
      ["c", 1],
    ]);
    await empty.mail({ customer: "doum", feed: "state", name: "state-3.csv", text, at: day(3) });
    await empty.drain();
    expect(await dataOf(empty, "doum")).toEqual(await dataOf(world, "doum"));
  });
});
