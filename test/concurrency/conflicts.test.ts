/** What the database breaks off when transactions get in each other's way: tried again, and exact. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { asFailure } from "../../src/domain/failures.ts";
import { rowsOf, type World, worldOn } from "../apply/world.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { type Exact, exactState } from "./exact.ts";
import { applyOver, cleanRun, ended, FIRST, SECOND, secondToCome } from "./scenes.ts";
import { blockedBy, openSession, type Queries, type Session } from "./sessions.ts";

let fresh: FreshDatabase;
let world: World;
let expected: Exact;
const open: Session[] = [];
const session = async (settings?: Readonly<Record<string, string>>): Promise<Session> => {
  const one = await openSession(fresh, settings);
  open.push(one);
  return one;
};
beforeAll(async () => {
  fresh = await freshDatabase();
  world = worldOn(fresh.connectionString);
  expected = await cleanRun(world, [FIRST, SECOND]);
});
afterAll(async () => {
  await Promise.all(open.map((one) => one.end()));
  await fresh.drop();
});

/** SQLSTATEs that came back, in their order. */
function heard(database: Queries): Queries & { readonly states: string[] } {
  const states: string[] = [];
  return {
    states,
    async query<T>(text: string, params?: readonly unknown[]): Promise<T[]> {
      try {
        return await database.query<T>(text, params);
      } catch (thrown) {
        states.push(String(asFailure(thrown).report.evidence.sqlstate));
        throw thrown;
      }
    },
  };
}

const lockRecord = (by: Session, feedId: number, key: string) =>
  by.query("SELECT FROM records WHERE feed_id = $1 AND natural_key = $2 FOR UPDATE", [feedId, key]);

describe("a statement of apply", () => {
  it("is the victim of a deadlock with a transaction that locks records the other way round: tried again, exact", async () => {
    const changed = rowsOf([100, 101, 102]);
    const feed = await world.feed();
    await world.send(feed, 0, FIRST);
    const file = await world.file(feed, 1, changed);
    // Who waits first looks first for a deadlock, and once. The worker is made to wait twice, so that it looks when there
    // is one; the other one looks much later.
    const [patient, brake] = [await session({ deadlock_timeout: "600s" }), await session()];
    const way = heard(await session());
    await patient.query("BEGIN");
    await lockRecord(patient, feed.feedId, "k2");
    await brake.query("BEGIN");
    await lockRecord(brake, feed.feedId, "k1");

    // Tried again at once it could be faster than the other one, and meet it again.
    let crossing: Promise<unknown> | undefined;
    const working = ended(applyOver(world, file, way, { sleep: async () => void (await crossing) }));
    const [worker] = await blockedBy(world.database, brake);
    crossing = lockRecord(patient, feed.feedId, "k0");
    await blockedBy(world.database, { pid: worker! });
    await brake.query("COMMIT");
    await crossing;
    await patient.query("COMMIT");

    expect(await working).toEqual({ value: { done: "applied" } });
    expect(way.states).toEqual(["40P01"]);
    expect(await exactState(world, feed)).toEqual(await cleanRun(world, [FIRST, changed]));
  });

  it("runs into a lock timeout: tried again when the lock is gone, exact", async () => {
    const { feed, file } = await secondToCome(world);
    const [holder, way] = [await session(), heard(await session({ lock_timeout: "20ms" }))];
    await holder.query("BEGIN");
    await lockRecord(holder, feed.feedId, "k5");
    let waits = 0;
    const sleep = async () => {
      waits++;
      if (waits === 2) await holder.query("COMMIT");
    };
    expect(await ended(applyOver(world, file, way, { sleep }))).toEqual({ value: { done: "applied" } });
    expect(way.states).toEqual(["55P03", "55P03"]);
    expect(await exactState(world, feed)).toEqual(expected);
  });

  it("cannot be serialised, on a database that is set to repeatable read: tried again, exact", async () => {
    const { feed, file } = await secondToCome(world);
    const [holder, worker] = [await session(), await session({ default_transaction_isolation: "repeatable read" })];
    const way = heard(worker);
    await holder.query("BEGIN");
    // Another version of the row on which the lease stands, between the worker's snapshot and its lock.
    await holder.query("UPDATE feeds SET title = title || '.' WHERE id = $1", [feed.feedId]);
    const working = ended(applyOver(world, file, way));
    await blockedBy(world.database, holder);
    await holder.query("COMMIT");
    expect(await working).toEqual({ value: { done: "applied" } });
    expect(way.states).toEqual(["40001"]);
    expect(await exactState(world, feed)).toEqual(expected);
  });

  it("is stopped by an operator in mid-statement: tried again, exact", async () => {
    const { feed, file } = await secondToCome(world);
    const [holder, way] = [await session(), heard(await session())];
    await holder.query("BEGIN");
    await lockRecord(holder, feed.feedId, "k5");
    const working = ended(applyOver(world, file, way));
    const [pid] = await blockedBy(world.database, holder);
    await holder.query("SELECT pg_cancel_backend($1)", [pid]);
    await holder.query("COMMIT");
    expect(await working).toEqual({ value: { done: "applied" } });
    expect(way.states).toEqual(["57014"]);
    expect(await exactState(world, feed)).toEqual(expected);
  });
});
