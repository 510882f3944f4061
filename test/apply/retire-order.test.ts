/** Retirement against a model that knows nothing of how it is done, and against workers that die, double and overtake. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { applyFile } from "../../src/apply/apply-file.ts";
import { heldLease } from "../../src/apply/lease.ts";
import { retireMissing } from "../../src/apply/retire.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { FAULTS, type Fault, faulty } from "./faults.ts";
import { activeOf, applyAndRetire, flawsOf, historyOf } from "./retire-world.ts";
import { row, rowsOf, type TestFeed, type TestFile, type TestRow, take, type World, worldOn } from "./world.ts";

let fresh: FreshDatabase;
let world: World;
beforeAll(async () => {
  fresh = await freshDatabase();
  world = worldOn(fresh.connectionString);
});
afterAll(() => fresh.drop());

interface Said {
  readonly kind: "full" | "delta";
  readonly rows: readonly TestRow[];
}

interface Known {
  value: number;
  active: boolean;
  /** Place of the last file that said or retired it. */
  at: number;
}

/** What files come to, one after the other as they arrive. `place` is that of the file in the order of the feed. */
function model() {
  const known = new Map<string, Known>();
  let newest = -1;
  return {
    /** How many records the file retires. */
    take(place: number, { kind, rows }: Said): number {
      const words = new Map(rows.map(({ key, value }) => [key, value]));
      if (kind === "full" && newest > place) return 0;
      newest = Math.max(newest, place);
      for (const [key, value] of words) {
        const now = known.get(key);
        if (now === undefined) known.set(key, { value, active: true, at: place });
        else if (now.at <= place) Object.assign(now, { value, active: true, at: place });
      }
      if (kind === "delta") return 0;
      let retired = 0;
      for (const [key, now] of known) {
        if (words.has(key) || !now.active) continue;
        Object.assign(now, { active: false, at: place });
        retired++;
      }
      return retired;
    },
    active: () => Object.fromEntries([...known].filter(([, now]) => now.active).map(([key, now]) => [key, now.value])),
  };
}

const anyRows = fc.array(
  fc.record({ key: fc.constantFrom(..."abcdefghijkl"), value: fc.integer({ min: 0, max: 1 }) }),
  { maxLength: 14 },
);
const anyFile: fc.Arbitrary<Said> = fc.record({ kind: fc.constantFrom("full", "full", "delta"), rows: anyRows });
const anyFault = fc.record({ at: fc.integer({ min: 1, max: 12 }), fault: fc.constantFrom(...FAULTS) });

/** A file that is applied with a worker that fails at some statements, until one comes through. */
async function throughFaults(feed: TestFeed, file: TestFile, faults: readonly { at: number; fault: Fault }[]) {
  for (const { at, fault } of faults) {
    const deps = world.deps(faulty(world.database, at, fault));
    await applyAndRetire(world, file, {}, deps).catch(() => undefined);
    await world.expireLease(feed);
  }
  return applyAndRetire(world, file);
}

const modeOf = (feed: TestFeed, mode: string) =>
  world.database.query("UPDATE feeds SET mode = $2 WHERE id = $1", [feed.feedId, mode]);

const retiredOf = (feed: TestFeed) =>
  world.one<{ booked: number; events: number }>(
    `SELECT (SELECT coalesce(sum(retired), 0)::int FROM files WHERE feed_id = $1) AS booked,
       (SELECT count(*)::int FROM changes WHERE feed_id = $1 AND kind = 'retired') AS events`,
    [feed.feedId],
  );

describe("random files in random order", () => {
  it("come to exactly what a simple model says, with changes in between, doubles and deaths", async () => {
    const arrivals = fc.array(anyFile, { minLength: 2, maxLength: 6 }).chain((files) =>
      fc.tuple(
        fc.constant(files),
        fc.shuffledSubarray([...files.keys(), ...files.keys()], {
          minLength: files.length,
          maxLength: files.length * 2,
        }),
        fc.array(fc.array(anyFault, { maxLength: 2 }), { minLength: files.length, maxLength: files.length }),
      ),
    );
    await fc.assert(
      fc.asyncProperty(arrivals, async ([said, order, faults]) => {
        const feed = await world.feed("full");
        const expected = model();
        const files = [];
        for (const [place, { rows }] of said.entries()) files.push(await world.file(feed, place, rows));
        const done = new Set<number>();
        let retired = 0;
        for (const place of order) {
          const faulted = done.has(place) ? [] : faults[place]!;
          await modeOf(feed, said[place]!.kind);
          const result = await throughFaults(feed, files[place]!, faulted);
          if (done.has(place)) {
            expect(result).toBeUndefined();
            continue;
          }
          done.add(place);
          const now = expected.take(place, said[place]!);
          retired += now;
          if (faulted.length === 0 && now > 0) {
            expect(result).toMatchObject({ forecast: { missing: now }, retirement: { retired: now } });
          }
          expect(await activeOf(world, feed.feedId)).toEqual(expected.active());
        }
        expect(flawsOf(await historyOf(world, feed.feedId))).toEqual([]);
        expect(await retiredOf(feed)).toEqual({ booked: retired, events: retired });
      }),
      { numRuns: 60 },
    );
  });

  it("end as the newest one says, whoever dies in the middle of whom", async () => {
    const event = fc.record({ file: fc.nat(), at: fc.integer({ min: 1, max: 12 }), fault: fc.constantFrom(...FAULTS) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyRows, { minLength: 3, maxLength: 4 }),
        fc.array(event, { maxLength: 10 }),
        fc.boolean(),
        async (contents, events, newestFirst) => {
          const feed = await world.feed("full");
          const files = [];
          for (const [place, rows] of contents.entries()) files.push(await world.file(feed, place, rows));
          for (const { file, ...fault } of events) {
            const deps = world.deps(faulty(world.database, fault.at, fault.fault));
            await applyAndRetire(world, files[file % files.length]!, {}, deps).catch(() => undefined);
            await world.expireLease(feed);
          }
          for (const file of newestFirst ? files.toReversed() : files) await applyAndRetire(world, file);
          const last = Object.fromEntries(contents.at(-1)!.map(({ key, value }) => [key, value]));
          expect(await activeOf(world, feed.feedId)).toEqual(last);
          expect(flawsOf(await historyOf(world, feed.feedId))).toEqual([]);
          const { booked, events: evented } = await retiredOf(feed);
          expect(booked).toBe(evented);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("a worker that dies", () => {
  const FIRST = rowsOf(Array.from({ length: 30 }, (_, i) => i));
  const SECOND = [...FIRST.slice(0, 8), row("k8", 88), row("n1", 1)];

  it.each(FAULTS)("at any statement of a file that retires leaves the state of one clean run (%s)", async (fault) => {
    const clean = await world.feed("full");
    for (const [place, rows] of [FIRST, SECOND].entries())
      await applyAndRetire(world, await world.file(clean, place, rows));
    const expected = await world.state(clean);
    let at = 1;
    for (let reached = true; reached; at++) {
      const feed = await world.feed("full");
      await applyAndRetire(world, await world.file(feed, 0, FIRST));
      const file = await world.file(feed, 1, SECOND);
      const database = faulty(world.database, at, fault);
      await applyAndRetire(world, file, {}, world.deps(database)).catch(() => undefined);
      await world.expireLease(feed);
      reached = database.calls() >= at;
      await applyAndRetire(world, file);
      expect(await world.state(feed), `statement ${at}`).toEqual(expected);
      expect(await retiredOf(feed)).toEqual({ booked: 21, events: 21 });
    }
    expect(at).toBeGreaterThan(9); // lease, 2 plans, forecast, apply, 4 retirements, close
  });
});

describe("ten thousand missing records", () => {
  const COUNT = 10_000;
  const BATCH = 1_000;

  /** A feed with so many records, and a file of it that names one of them, applied and not closed. */
  async function applied(): Promise<{ feed: TestFeed; file: TestFile }> {
    const feed = await world.feed("full");
    await world.database.query(
      `INSERT INTO records (order_key, row_hash, file_id, customer_id, feed_id, line, natural_key, data)
       SELECT '00000000-0000-0000-0000-000000000001', md5(i::text)::uuid, 0, $1, $2, i, 'm' || i, jsonb_build_object('value', i)
       FROM generate_series(1, $3::int) i`,
      [feed.customerId, feed.feedId, COUNT],
    );
    return { feed, file: await world.file(feed, 1, [row("m1x", 1)]) };
  }

  const expectAllGone = async (feed: TestFeed) => {
    expect(await activeOf(world, feed.feedId)).toEqual({ m1x: 1 });
    expect(
      await world.one(
        `SELECT count(*)::int AS events, count(DISTINCT record_id)::int AS records, min(version) AS low, max(version) AS high,
           count(*) FILTER (WHERE before->>'value' = substr(natural_key, 2))::int AS images
         FROM changes WHERE feed_id = $1 AND kind = 'retired'`,
        [feed.feedId],
      ),
    ).toEqual({ events: COUNT, records: COUNT, low: 2, high: 2, images: COUNT });
    expect(await retiredOf(feed)).toEqual({ booked: COUNT, events: COUNT });
  };

  it("are retired in batches, with a death in each of them", async () => {
    const { feed, file } = await applied();
    // Lease, plan, forecast, apply, then one batch: the end before its answer, or before the next one.
    for (let batch = 1; batch < COUNT / BATCH; batch++) {
      const last = batch % 2 === 0;
      const database = faulty(world.database, last ? 6 : 5, last ? "dies-before" : "dies-after");
      const deps = world.deps(database, { maxRows: BATCH });
      await expect(applyAndRetire(world, file, {}, deps)).rejects.toThrow("died");
      await world.expireLease(feed);
    }
    await applyAndRetire(world, file, {}, world.deps(undefined, { maxRows: BATCH }));
    await expectAllGone(feed);
  });

  it("are retired once by calls that come at the same time", async () => {
    const { feed, file } = await applied();
    const deps = world.deps(undefined, { maxRows: BATCH });
    const token = deps.token();
    const taken = await take(deps, file, token);
    const lease = heldLease(deps, file.id, token);
    const plan = await deps.plan({ ...taken, planMode: "whole" }, lease);
    await applyFile(deps, taken, plan, lease);
    const runs = await Promise.all(
      Array.from({ length: 4 }, () => retireMissing(deps, taken, plan, { allowed: COUNT }, lease)),
    );
    const sum = runs.reduce((total, run) => total + ("retired" in run ? run.retired : Number.NaN), 0);
    expect(sum).toBe(COUNT);
    await world.database.query("SELECT close_file($1, $2, $3, '{}', NULL)", [file.id, token, plan.superseded]);
    await expectAllGone(feed);
  });
});
