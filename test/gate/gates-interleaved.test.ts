/** The gate among files of one feed that come between each other's steps: what is not let go yet speaks for nobody. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Died, held as holding } from "../apply/faults.ts";
import type { TestFile } from "../apply/world.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { forceIn } from "../support/force-state.ts";
import { article, articles, DAY, type GateWorld, gateWorldOn } from "./gate-world.ts";

let fresh: FreshDatabase;
let world: GateWorld;
beforeAll(async () => {
  fresh = await freshDatabase();
  world = gateWorldOn(fresh.connectionString);
});
afterAll(() => fresh.drop());

const KNOWN = 100;
const MOST_CHANGE = articles(KNOWN, 90, { stock: 11 });
const NO_TRACE = { seen: 0, ledger: 0, records: 0, changes: 0 };
const delta = { mode: "delta" } as const;

async function known(mode: "full" | "delta") {
  const feed = await world.feed(mode);
  await world.send(feed, 0, articles(KNOWN), world.worker({ mode }));
  return feed;
}

const apply = (
  file: TestFile,
  how: Parameters<GateWorld["worker"]>[0] = {},
  over?: Parameters<GateWorld["worker"]>[1],
) => world.apply(file, world.worker(how, over));
const stateOf = async (file: TestFile) => (await world.rowOf(file)).state;
const diesAt = (words: RegExp) => ({
  query: <T>(text: string, params: readonly unknown[] = []) =>
    words.test(text) ? Promise.reject(new Died("died")) : world.database.query<T>(text, params),
});

describe("a file that is to wait behind a held one", () => {
  it("is not held behind one that is decided about at that moment: nobody would free it", async () => {
    const feed = await known("delta");
    const first = await world.file(feed, DAY, MOST_CHANGE);
    const next = await world.file(feed, 2 * DAY, [article(1, { stock: 3 })]);
    await apply(first, delta);
    const slow = holding(world.database, /hold_behind/);
    const run = apply(next, delta, slow);
    const failed = expect(run).rejects.toMatchObject({ code: "lease-lost" });
    await slow.reached;
    await world.decide(first, "release");
    slow.letGo();
    await failed;
    expect(await stateOf(next)).toBe("applying");
    await apply(first, delta);
    expect(await apply(next, delta)).toEqual({ done: "applied" });
  });

  it("leaves no trace of an attempt that died before the gate", async () => {
    const feed = await known("delta");
    const first = await world.file(feed, DAY, MOST_CHANGE);
    const next = await world.file(feed, 2 * DAY, articles(60));
    await expect(apply(next, delta, diesAt(/pass_gate/))).rejects.toThrow("died");
    expect(await world.tracesOf(next)).not.toEqual(NO_TRACE);
    await world.expireLease(feed);
    expect(await apply(first, delta)).toEqual({ done: "held" });
    expect(await apply(next, delta)).toEqual({ done: "held" });
    expect(await world.tracesOf(next)).toEqual(NO_TRACE);
  });

  it("does not wait behind a replay that is held: what is read again stops nobody", async () => {
    const feed = await known("delta");
    const again = await world.file(feed, DAY, MOST_CHANGE);
    await forceIn(world.database, "UPDATE files SET cause = 'replay', replay_id = id WHERE id = $1", [again.id]);
    expect(await apply(again, delta)).toEqual({ done: "held" });
    const next = await world.file(feed, 2 * DAY, [article(1, { stock: 3 })]);
    expect(await apply(next, delta)).toEqual({ done: "applied" });
  });

  it("lets the released one go first, however long ago that was read", async () => {
    const feed = await known("delta");
    const first = await world.file(feed, DAY, MOST_CHANGE);
    const next = await world.file(feed, 2 * DAY, [article(1, { stock: 3 })]);
    await apply(first, delta);
    await apply(next, delta);
    const files = `{${first.id},${next.id}}`;
    await forceIn(world.database, "UPDATE files SET parsed_at = now() - interval '1 hour' WHERE id = ANY($1)", [files]);
    await world.decide(first, "release");
    const inOrder = { ...world.worker(delta), earlierFirstSeconds: 30 };
    await expect(world.apply(next, inOrder)).rejects.toMatchObject({ code: "feed-busy" });
    await world.apply(first, inOrder);
    expect(await world.apply(next, inOrder)).toEqual({ done: "applied" });
  });
});

describe("a file whose worker died before the gate", () => {
  it("confirms nothing that an older one says otherwise, whatever is decided about it later", async () => {
    const feed = await known("full");
    const newer = await world.file(feed, 9 * DAY, [...articles(96), ...articles(300, 0, {}, 1_000)]);
    const older = await world.file(feed, 5 * DAY, articles(KNOWN, 3, { stock: 3 }));
    await expect(apply(newer, {}, diesAt(/gate_widening/))).rejects.toThrow("died");
    await world.expireLease(feed);
    expect(await apply(older)).toEqual({ done: "applied" });
    expect(await world.rowOf(older)).toMatchObject({ changed: 3, stale: 0 });
    expect(await apply(newer)).toEqual({ done: "held" });
    await world.decide(newer, "reject");
    const says = await world.database.query("SELECT FROM records WHERE feed_id = $1 AND data->>'stock' = '3'", [
      feed.feedId,
    ]);
    expect(says).toHaveLength(3);
  });

  it("of a full feed keeps no older file from taking off what that lacks, whatever is decided about it later", async () => {
    const feed = await known("full");
    const newer = await world.file(feed, 9 * DAY, [...articles(96), ...articles(300, 0, {}, 1_000)]);
    const older = await world.file(feed, 5 * DAY, articles(95));
    await expect(apply(newer, {}, diesAt(/gate_widening/))).rejects.toThrow("died");
    await world.expireLease(feed);
    expect(await apply(older)).toEqual({ done: "applied" });
    expect(await apply(newer)).toEqual({ done: "held" });
    await world.decide(newer, "reject");
    expect(await world.rowOf(older)).toMatchObject({ retired: 5, plan: { retired: 5 } });
  });

  it("is compared when it is taken up again, where another was faster with the feed's first records", async () => {
    const feed = await world.feed("delta");
    const first = await world.file(feed, 9 * DAY, MOST_CHANGE);
    await expect(apply(first, delta, diesAt(/pass_gate|gate_widening/))).rejects.toThrow("died");
    await world.expireLease(feed);
    await world.send(feed, 5 * DAY, articles(KNOWN), world.worker(delta));
    expect(await apply(first, delta)).toEqual({ done: "held" });
    expect((await world.holdsOf(first))[0]?.tripped.map(({ check }) => check)).toContain("changed");
  });
});
