/**
 * Any schedule at all: several workers over several files of a feed, whose statements come in any order, who die or lose
 * their lease at any moment. fast-check draws the schedule and prints it when it breaks something.
 */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { asFailure } from "../../src/domain/failures.ts";
import { Died, FAULTS, type Fault, faulty } from "../apply/faults.ts";
import { type TestFeed, type TestFile, type TestRow, valuesOf, type World, worldOn } from "../apply/world.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { type Exact, exactState } from "./exact.ts";
import { cleanRun } from "./scenes.ts";
import type { Queries } from "./sessions.ts";

let fresh: FreshDatabase;
let world: World;
beforeAll(async () => {
  fresh = await freshDatabase();
  world = worldOn(fresh.connectionString);
});
afterAll(() => fresh.drop());

const anyRow = fc.record({
  key: fc.constantFrom("a", "b", "c", "d", "e", "f", "g", "h"),
  value: fc.integer({ min: 0, max: 2 }),
});
const anyFiles = fc.array(fc.array(anyRow, { minLength: 1, maxLength: 10 }), { minLength: 2, maxLength: 3 });
/** One try to apply a file: which one, and where it dies; beyond its last statement it does not. */
interface Try {
  readonly file: number;
  readonly at: number;
  readonly fault: Fault;
}
const anyTry: fc.Arbitrary<Try> = fc.record({
  file: fc.nat(),
  at: fc.integer({ min: 1, max: 14 }),
  fault: fc.constantFrom(...FAULTS),
});
/** What two or three workers do one after the other, each for itself. */
const anyWorkers = fc.array(fc.array(anyTry, { minLength: 1, maxLength: 3 }), { minLength: 2, maxLength: 3 });

/** Failures that a schedule may well cause; each brings the message back. */
const COME_AGAIN = new Set(["feed-busy", "lease-lost", "database-unavailable", "database-conflict"]);

interface Run {
  readonly feed: TestFeed;
  readonly files: readonly TestFile[];
}

/**
 * Lets the workers loose: every statement of each, and every expiry of the lease, is one task that the scheduler sets off.
 * Afterwards each file is applied in peace, as the queue and the sweep do it in the end.
 */
async function run(
  scheduler: fc.Scheduler,
  contents: readonly (readonly TestRow[])[],
  workers: readonly (readonly Try[])[],
  earlierFirstSeconds: number,
): Promise<Run> {
  const feed = await world.feed();
  const files: TestFile[] = [];
  for (const [place, rows] of contents.entries()) files.push(await world.file(feed, place, rows));
  const scheduled: Queries = {
    query: scheduler.scheduleFunction((text: string, params?: readonly unknown[]) =>
      world.database.query(text, params),
    ) as Queries["query"],
  };
  const expire = scheduler.scheduleFunction(() => world.expireLease(feed));
  const work = workers.map(async (tries) => {
    for (const { file, at, fault } of tries) {
      const database = faulty(scheduled, at, fault);
      try {
        await world.apply(files[file % files.length]!, world.deps(database, { earlierFirstSeconds }));
      } catch (thrown) {
        const { code, cause } = asFailure(thrown);
        if (!(cause instanceof Died)) expect(COME_AGAIN).toContain(code);
      }
      await expire();
    }
  });
  await scheduler.waitFor(Promise.all(work));
  await world.expireLease(feed);
  for (const file of files) await world.apply(file);
  return { feed, files };
}

/** What holds of any history: an unbroken chain of images for each record, one event a version, and books that say the same. */
function expectConsistent({ records, changes, files, repeatedEvents, lease }: Exact): void {
  for (const { key, value, version } of records) {
    const chain = changes.filter((change) => change.key === key);
    expect(chain.map((change) => change.version)).toEqual(Array.from({ length: version }, (_, i) => i + 1));
    expect(chain.map(({ before }) => before)).toEqual([null, ...chain.slice(0, -1).map(({ after }) => after)]);
    expect(chain.at(-1)?.after).toBe(value);
  }
  for (const { state, accepted, inserted, changed, unchanged, stale, superseded } of files) {
    expect({ state, sum: inserted + changed + unchanged + stale + superseded }).toEqual({
      state: "applied",
      sum: accepted,
    });
  }
  const sum = (name: "inserted" | "changed") => files.reduce((total, file) => total + file[name], 0);
  expect(sum("inserted")).toBe(records.length);
  expect(sum("changed")).toBe(changes.length - records.length);
  expect({ repeatedEvents, lease }).toEqual({ repeatedEvents: 0, lease: null });
}

/** The last word on every key, by somebody who knows nothing of how it is done. */
function lastWords(contents: readonly (readonly TestRow[])[]): Record<string, number> {
  return Object.fromEntries(contents.flat().map(({ key, value }) => [key, value]));
}

describe("any schedule of workers that die and wake up", () => {
  it("comes to the exact state of one clean run where an earlier file goes first", async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), anyFiles, anyWorkers, async (scheduler, contents, workers) => {
        const { feed } = await run(scheduler, contents, workers, 3_600);
        expect(await exactState(world, feed)).toEqual(await cleanRun(world, contents));
      }),
      { numRuns: 40 },
    );
  });

  it("comes to the same records in any order of files, with an unbroken history and books that balance", async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), anyFiles, anyWorkers, async (scheduler, contents, workers) => {
        const { feed } = await run(scheduler, contents, workers, 0);
        const state = await exactState(world, feed);
        expect(valuesOf(state)).toEqual(lastWords(contents));
        expectConsistent(state);
      }),
      { numRuns: 40 },
    );
  });
});
