/** A worker that only seemed dead: its lease is taken over, then it wakes up, at any statement that there is. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type World, worldOn } from "../apply/world.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { type Exact, exactState } from "./exact.ts";
import { applyOver, cleanRun, ended, FIRST, SECOND, secondToCome, stopsBefore } from "./scenes.ts";
import { blockedBy, openSession, type Session } from "./sessions.ts";

let fresh: FreshDatabase;
let world: World;
let holder: Session;
let worker: Session;
let expected: Exact;
beforeAll(async () => {
  fresh = await freshDatabase();
  world = worldOn(fresh.connectionString);
  [holder, worker] = [await openSession(fresh), await openSession(fresh)];
  expected = await cleanRun(world, [FIRST, SECOND]);
});
afterAll(async () => {
  await Promise.all([holder.end(), worker.end()]);
  await fresh.drop();
});

/** More statements than the file takes: lease, three plans, two batches, the end. */
const STATEMENTS = 8;

/** What a worker may say whose lease is gone: it is, or the file is done. */
const GONE = [{ code: "lease-lost" }, { value: { done: "applied" } }, { value: { done: "already" } }];

describe("a worker that wakes up after its lease was taken over", () => {
  it("and its successor is done, writes nothing, at whatever statement it stood", async () => {
    let stood = 0;
    for (let at = 2; at <= STATEMENTS; at++) {
      const { feed, file } = await secondToCome(world);
      const zombieWay = stopsBefore(world.database, at);
      const zombie = ended(applyOver(world, file, zombieWay));
      if ((await Promise.race([zombieWay.reached, zombie])) !== "reached") break;
      stood++;
      await world.expireLease(feed);
      expect(await world.apply(file)).toEqual({ done: "applied" });
      zombieWay.letGo();
      expect(GONE, `statement ${at}`).toContainEqual(await zombie);
      expect(await exactState(world, feed), `statement ${at}`).toEqual(expected);
    }
    expect(stood).toBeGreaterThanOrEqual(5);
  });

  it("and its successor stands in the middle, writes nothing either, at whatever statements the two stood", async () => {
    for (let at = 2; at <= STATEMENTS; at++) {
      for (let next = 2; next <= STATEMENTS; next++) {
        const { feed, file } = await secondToCome(world);
        const zombieWay = stopsBefore(world.database, at);
        const zombie = ended(applyOver(world, file, zombieWay));
        if ((await Promise.race([zombieWay.reached, zombie])) !== "reached") break;
        await world.expireLease(feed);
        const nextWay = stopsBefore(world.database, next);
        const successor = ended(applyOver(world, file, nextWay));
        await Promise.race([nextWay.reached, successor]);
        const before = await exactState(world, feed);
        zombieWay.letGo();
        expect(GONE, `statements ${at} and ${next}`).toContainEqual(await zombie);
        expect(await exactState(world, feed), `statements ${at} and ${next}`).toEqual(before);
        nextWay.letGo();
        expect(await successor, `statements ${at} and ${next}`).toEqual({ value: { done: "applied" } });
        expect(await exactState(world, feed), `statements ${at} and ${next}`).toEqual(expected);
      }
    }
  });

  it("in the middle of a statement: who takes over waits for its end, finds it booked, and fences the rest", async () => {
    const { feed, file } = await secondToCome(world);
    // Two lanes would both run: one keeps the other statements behind the one that waits.
    // And none comes before the successor has had its turn: a lock goes to whoever is there first when it is free.
    const next = stopsBefore(worker, 6);
    const [zombieWay, lanes] = [stopsBefore(next, 5), { lanes: 1 }];
    const zombie = ended(applyOver(world, file, zombieWay, lanes));
    await zombieWay.reached;
    await world.expireLease(feed);
    await holder.query("BEGIN");
    await holder.query("SELECT FROM records WHERE feed_id = $1 FOR UPDATE", [feed.feedId]);
    zombieWay.letGo();
    await blockedBy(world.database, holder);

    const { lease } = await exactState(world, feed);
    const successor = ended(world.apply(file));
    await blockedBy(world.database, worker);
    expect((await exactState(world, feed)).lease, "it waits for the lease itself").toBe(lease);
    await holder.query("COMMIT");
    expect(await successor).toEqual({ value: { done: "applied" } });
    next.letGo();
    expect(await zombie).toEqual({ code: "lease-lost" });
    expect(await exactState(world, feed)).toEqual(expected);
  });
});
