import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { held } from "./faults.ts";
import { books, rowsOf, valuesOf, type World, worldOn } from "./world.ts";

let fresh: FreshDatabase;
let world: World;
beforeAll(async () => {
  fresh = await freshDatabase();
  world = worldOn(fresh.connectionString);
});
afterAll(() => fresh.drop());

const VALUES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
const settled = <T>(work: Promise<T>) =>
  work.then(
    (value) => ({ value }),
    (thrown: { code: string }) => ({ code: thrown.code }),
  );

describe("two workers at once", () => {
  it("write one file once: one applies, the other hears that the feed is busy or that nothing is left to do", async () => {
    for (let round = 0; round < 10; round++) {
      const feed = await world.feed();
      const file = await world.file(feed, 0, rowsOf(VALUES));
      const outcomes = await Promise.all([settled(world.apply(file)), settled(world.apply(file))]);
      expect(outcomes).toContainEqual({ value: { done: "applied" } });
      expect([{ code: "feed-busy" }, { value: { done: "already" } }]).toContainEqual(
        outcomes.find((outcome) => !("value" in outcome && outcome.value.done === "applied")),
      );
      const state = await world.state(feed);
      expect(state.changes).toHaveLength(VALUES.length);
      expect(state.files).toEqual([books(VALUES.length, { inserted: VALUES.length })]);
    }
  });

  it("do not write two files of one feed; they do write files of two feeds", async () => {
    const [feed, other] = [await world.feed(), await world.feed()];
    const [first, second] = [await world.file(feed, 0, rowsOf(VALUES)), await world.file(feed, 1, rowsOf(VALUES))];
    const gate = held(world.database, /apply_chunk/);
    const running = world.apply(first, world.deps(gate));
    await gate.reached;
    await expect(world.apply(second)).rejects.toMatchObject({
      code: "feed-busy",
      report: { evidence: { file: second.id, activeFile: first.id } },
    });
    expect(await world.apply(await world.file(other, 0, rowsOf([1])))).toEqual({ done: "applied" });
    gate.letGo();
    expect(await running).toEqual({ done: "applied" });
    expect(await world.apply(second)).toEqual({ done: "applied" });
    expect(await world.books(second)).toEqual(books(VALUES.length, { unchanged: VALUES.length }));
  });
});

describe("a worker whose lease was taken over", () => {
  it.each([
    ["planning", /plan_chunk/],
    ["applying", /apply_chunk/],
    ["closing", /close_file/],
  ])("while %s writes nothing more, though it still runs", async (_, statement) => {
    const feed = await world.feed();
    await world.send(feed, 0, rowsOf(VALUES));
    const values = VALUES.map((value) => value + (value % 2) * 100);
    const file = await world.file(feed, 1, rowsOf(values));
    const gate = held(world.database, statement);
    const zombie = settled(world.apply(file, world.deps(gate)));
    await gate.reached;
    await world.expireLease(feed);

    expect(await world.apply(file)).toEqual({ done: "applied" });
    const after = await world.state(feed);
    gate.letGo();
    // Before `close_file` it finds the file closed, which is no failure.
    expect(await zombie).toEqual(
      statement.source === "close_file" ? { value: { done: "applied" } } : { code: "lease-lost" },
    );
    expect(await world.state(feed)).toEqual(after);
    expect(after.files[1]).toEqual(books(VALUES.length, { changed: 6, unchanged: 6 }));
  });

  it("does not take the lease of its successor away when it gives up", async () => {
    const feed = await world.feed();
    const [old, next] = [await world.file(feed, 0, rowsOf(VALUES)), await world.file(feed, 1, rowsOf([100]))];
    const oldGate = held(world.database, /apply_chunk/);
    const nextGate = held(world.database, /apply_chunk/);
    const zombie = settled(world.apply(old, world.deps(oldGate)));
    await oldGate.reached;
    await world.expireLease(feed);
    const successor = world.apply(next, world.deps(nextGate));
    await nextGate.reached;
    oldGate.letGo();
    expect(await zombie).toEqual({ code: "lease-lost" });
    await expect(world.apply(old)).rejects.toMatchObject({ code: "feed-busy" });
    nextGate.letGo();
    expect(await successor).toEqual({ done: "applied" });
    await world.apply(old);
    expect(valuesOf(await world.state(feed))).toMatchObject({ k0: 100, k1: 1 });
  });

  it("loses it only to somebody else: a long run renews it", async () => {
    const feed = await world.feed();
    const file = await world.file(feed, 0, rowsOf(VALUES));
    const sent: string[] = [];
    let now = 0;
    const deps = world.deps(
      {
        query: (text, params) => {
          sent.push(text);
          return world.database.query(text, params);
        },
      },
      {
        now: () => {
          now += 15_000;
          return now;
        },
      },
    );
    expect(await world.apply(file, deps)).toEqual({ done: "applied" });
    expect(sent.filter((text) => text.includes("renew_lease")).length).toBeGreaterThan(0);
  });
});

describe("the same statement from eight connections at once", () => {
  const send = (name: string, file: string, token: string) =>
    world.one<{ outcome: string; inserted: number; changed: number; unchanged: number; stale: number }>(
      `SELECT outcome, inserted, changed, unchanged, stale FROM ${name}($1, $2, $3, $4, $5${name === "apply_chunk" ? ", $6" : ""})`,
      [
        file,
        token,
        "a\nb",
        "{2,3}",
        `{${"1".repeat(32)},${"2".repeat(32)}}`,
        ...(name === "apply_chunk" ? ['{"value": 1}\n{"value": 2}'] : []),
      ],
    );

  it.each(["plan_chunk", "apply_chunk"])("%s is carried out once; all get the same counts", async (name) => {
    const feed = await world.feed();
    const { id } = await world.file(feed, 0, rowsOf([1, 2]));
    const token = randomUUID();
    await world.database.query("SELECT * FROM acquire_lease($1, $2, 60, 0)", [id, token]);
    const answers = await Promise.all(Array.from({ length: 8 }, () => send(name, id, token)));
    expect(answers.map(({ outcome }) => outcome).sort()).toEqual(
      [name === "plan_chunk" ? "planned" : "applied", ...Array.from({ length: 7 }, () => "replayed")].sort(),
    );
    for (const { inserted, changed, unchanged, stale } of answers) {
      expect({ inserted, changed, unchanged, stale }).toEqual({ inserted: 2, changed: 0, unchanged: 0, stale: 0 });
    }
    const { records, changes } = await world.state(feed);
    expect([records.length, changes.length]).toEqual(name === "plan_chunk" ? [0, 0] : [2, 2]);
  });

  it.each(["plan_chunk", "apply_chunk"])("%s without the lease writes nothing", async (name) => {
    const feed = await world.feed();
    const { id } = await world.file(feed, 0, rowsOf([1, 2]));
    await world.database.query("SELECT * FROM acquire_lease($1, $2, 60, 0)", [id, randomUUID()]);
    expect(await send(name, id, randomUUID())).toMatchObject({ outcome: "lease-lost" });
    expect((await world.state(feed)).records).toEqual([]);
    expect(await world.one("SELECT count(*)::int AS rows FROM ledger WHERE file_id = $1", [id])).toEqual({ rows: 0 });
  });
});
