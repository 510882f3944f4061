import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { failure } from "../../src/domain/failures.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { forceIn } from "../support/force-state.ts";
import { FAULTS, type Fault, faulty } from "./faults.ts";
import { row, rowsOf, type State, type TestFeed, type TestRow, type World, worldOn } from "./world.ts";

let fresh: FreshDatabase;
let world: World;
beforeAll(async () => {
  fresh = await freshDatabase();
  world = worldOn(fresh.connectionString);
});
afterAll(() => fresh.drop());

/** A first load, then a file with new, changed, unchanged, and repeated rows. Repeated keys lie in chunks far apart. */
const FIRST: TestRow[] = [...rowsOf([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]), row("k3", 33)];
const SECOND: TestRow[] = [
  ...rowsOf([0, 100, 2, 33, 4, 500, 6, 700, 8, 9, 10, 11]),
  ...["n1", "n2", "n3", "n4", "n5", "n6", "n7"].map((key) => row(key, 1)),
  row("k4", 44),
  row("n2", 2),
  row("k5", 5),
  row("k4", 4),
];

async function cleanRun(files: readonly TestRow[][]): Promise<State> {
  const feed = await world.feed();
  for (const [place, rows] of files.entries()) await world.send(feed, place, rows);
  return world.state(feed);
}

/** Applies a file with a worker that fails at the `at`-th statement. True: that statement came. */
async function applyFaulty(feed: TestFeed, file: Awaited<ReturnType<World["file"]>>, at: number, fault: Fault) {
  const database = faulty(world.database, at, fault);
  const outcome = await world.apply(file, world.deps(database)).then(
    () => "done",
    () => "failed",
  );
  await world.expireLease(feed);
  return { reached: database.calls() >= at, outcome };
}

describe("a worker that dies", () => {
  it.each(FAULTS)("at any statement of a first load leaves the state of one clean run (%s)", async (fault) => {
    const expected = await cleanRun([FIRST]);
    for (let at = 1, reached = true; reached; at++) {
      const feed = await world.feed();
      const file = await world.file(feed, 0, FIRST);
      ({ reached } = await applyFaulty(feed, file, at, fault));
      await world.apply(file);
      expect(await world.state(feed), `statement ${at}`).toEqual(expected);
    }
  });

  it.each(FAULTS)("at any statement of a diff leaves the state of one clean run (%s)", async (fault) => {
    const expected = await cleanRun([FIRST, SECOND]);
    let at = 1;
    for (let reached = true; reached; at++) {
      const feed = await world.feed();
      await world.send(feed, 0, FIRST);
      const file = await world.file(feed, 1, SECOND);
      ({ reached } = await applyFaulty(feed, file, at, fault));
      await world.apply(file);
      expect(await world.state(feed), `statement ${at}`).toEqual(expected);
    }
    expect(at).toBeGreaterThan(8); // lease, 4 plans, 2 batches, close: the file did take many statements
  });

  it("again and again, with other files in between, leaves the state of one clean run", async () => {
    const third = rowsOf([0, 100, 222, 3]);
    const expected = await cleanRun([FIRST, SECOND, third]);
    const crash = fc.record({ at: fc.integer({ min: 1, max: 11 }), fault: fc.constantFrom(...FAULTS) });
    await fc.assert(
      fc.asyncProperty(fc.array(crash, { maxLength: 3 }), fc.array(crash, { maxLength: 3 }), async (second, third_) => {
        const feed = await world.feed();
        const files = [];
        for (const [place, rows] of [FIRST, SECOND, third].entries()) files.push(await world.file(feed, place, rows));
        await world.apply(files[0]!);
        for (const { at, fault } of second) await applyFaulty(feed, files[1]!, at, fault);
        await world.apply(files[1]!);
        for (const { at, fault } of third_) await applyFaulty(feed, files[2]!, at, fault);
        await world.apply(files[2]!);
        expect(await world.state(feed)).toEqual(expected);
      }),
      { numRuns: 15 },
    );
  });
});

describe("a file under way while a migration gives chunks other names", () => {
  it("begins its books anew: what it has written is found unchanged, at whatever statement it stood", async () => {
    const expected = await cleanRun([FIRST, SECOND]);
    for (let at = 1, reached = true; reached; at++) {
      const feed = await world.feed();
      await world.send(feed, 0, FIRST);
      const file = await world.file(feed, 1, SECOND);
      ({ reached } = await applyFaulty(feed, file, at, "dies-after"));
      await forceIn(world.database, "UPDATE ledger SET chunk_key = gen_random_uuid() WHERE file_id = $1", [file.id]);
      // As migration 0006 does it.
      await world.database.query(
        "UPDATE files SET books_of = '00000000-0000-0000-0000-000000000000' WHERE id = $1 AND state <> 'applied' AND books_of IS NOT NULL",
        [file.id],
      );
      await world.apply(file);
      const { records, changes, files } = await world.state(feed);
      expect({ records, changes }, `statement ${at}`).toEqual({ records: expected.records, changes: expected.changes });
      expect(files[1]).toMatchObject({ state: "applied", accepted: SECOND.length });
    }
  });
});

describe("a message that comes again", () => {
  it.each([1, 2, 3])("%i times leaves the state of one clean run", async (times) => {
    const expected = await cleanRun([FIRST, SECOND]);
    const feed = await world.feed();
    const files = [await world.file(feed, 0, FIRST), await world.file(feed, 1, SECOND)];
    for (const file of files) {
      for (let time = 0; time < times; time++) {
        expect(await world.apply(file)).toEqual({ done: time === 0 ? "applied" : "already" });
      }
    }
    expect(await world.state(feed)).toEqual(expected);
  });

  it("for a file whose every statement is sent again changes nothing", async () => {
    const expected = await cleanRun([FIRST, SECOND]);
    const feed = await world.feed();
    const files = [await world.send(feed, 0, FIRST), await world.send(feed, 1, SECOND)];
    for (const file of files) {
      await forceIn(world.database, "UPDATE files SET state = 'parsed' WHERE id = $1", [file.id]);
      await world.apply(file);
    }
    expect(await world.state(feed)).toEqual(expected);
  });

  it("for a file that does not exist is parked", async () => {
    const feed = await world.feed();
    const file = await world.file(feed, 0, FIRST);
    await expect(world.apply({ ...file, message: { ...file.message, fileId: "999999999" } })).rejects.toMatchObject({
      code: "file-missing",
      disposition: "park",
    });
  });
});

describe("a file one of whose chunks is not in storage", () => {
  it("is parked with its lease given back, and goes on where it stopped when the chunk is there", async () => {
    const feed = await world.feed();
    const file = await world.file(feed, 0, FIRST);
    const whole: World["chunks"]["whole"] = async (of, entry) => {
      if (entry.n === 2) throw failure("chunk-missing", { key: "2" });
      return world.chunks.whole(of, entry);
    };
    await expect(world.apply(file, world.deps(world.database, { chunks: { whole } }))).rejects.toMatchObject({
      code: "chunk-missing",
      disposition: "park",
    });
    expect(await world.apply(file)).toEqual({ done: "applied" });
    expect(await world.state(feed)).toEqual(await cleanRun([FIRST]));
  });
});
