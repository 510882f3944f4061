/** The day's partition of `changes` is made while files are applied. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type World, worldOn } from "../apply/world.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { exactState } from "./exact.ts";
import { applyOver, cleanRun, ended, FIRST, SECOND, secondToCome } from "./scenes.ts";
import { blockedBy, openSession, type Session } from "./sessions.ts";

let fresh: FreshDatabase;
let world: World;
let cron: Session;
let worker: Session;
beforeAll(async () => {
  fresh = await freshDatabase();
  world = worldOn(fresh.connectionString);
  [cron, worker] = [await openSession(fresh), await openSession(fresh)];
});
afterAll(async () => {
  await Promise.all([cron.end(), worker.end()]);
  await fresh.drop();
});
// Today first: a day before it would be attached, and waited for, before today's rows are moved.
const makeDays = "SELECT ensure_change_partitions((now() AT TIME ZONE 'UTC')::date, 2) AS made";
beforeEach(async () => {
  const made = await world.database.query<{ name: string }>(
    "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'changes'::regclass AND inhrelid <> 'changes_default'::regclass",
  );
  for (const { name } of made) await world.database.query(`DROP TABLE ${name}`);
});

const strays = () => world.one<{ rows: number }>("SELECT count(*)::int AS rows FROM changes_default", []);

describe("a forgotten day's partition is made", () => {
  it("while a file writes into the default one: what it writes moves, too, and nothing is refused", async () => {
    const { feed, file } = await secondToCome(world);
    await worker.query("BEGIN");
    expect(await ended(applyOver(world, file, worker))).toEqual({ value: { done: "applied" } });
    const making = ended(cron.query(makeDays));
    await blockedBy(world.database, worker);
    await worker.query("COMMIT");
    expect(await making).toEqual({ value: [{ made: 2 }] });
    expect(await strays()).toEqual({ rows: 0 });
    expect(await exactState(world, feed)).toEqual(await cleanRun(world, [FIRST, SECOND]));
  });

  it("while a file begins to write: it waits, and writes into the new one", async () => {
    const { feed, file } = await secondToCome(world);
    await cron.query("BEGIN");
    await cron.query(makeDays);
    const working = ended(applyOver(world, file, worker));
    await blockedBy(world.database, cron);
    await cron.query("COMMIT");
    expect(await working).toEqual({ value: { done: "applied" } });
    expect(await strays()).toEqual({ rows: 0 });
    expect(await exactState(world, feed)).toEqual(await cleanRun(world, [FIRST, SECOND]));
  });

  it("by two crons at once: once", async () => {
    const made = await Promise.all([cron, worker].map((one) => one.query<{ made: number }>(makeDays)));
    expect(
      made
        .flat()
        .map(({ made }) => made)
        .toSorted(),
    ).toEqual([0, 2]);
  });

  it("already: nobody waits for a cron that finds nothing to make", async () => {
    await cron.query(makeDays);
    const { file } = await secondToCome(world);
    await cron.query("BEGIN");
    await cron.query(makeDays);
    expect(await ended(applyOver(world, file, worker))).toEqual({ value: { done: "applied" } });
    await cron.query("COMMIT");
  });
});
