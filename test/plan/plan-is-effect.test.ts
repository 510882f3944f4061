/**
 * What the plan says is what apply does: for any state of a feed and any file, the numbers that were known before anything
 * was written are those of the records, of the changes and of the books afterwards.
 */
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { forecastRetirement } from "../../src/apply/retire.ts";
import { type Plan, planNumbers } from "../../src/domain/plan.ts";
import { type Forecast, retirements } from "../../src/domain/retirement.ts";
import { says, type TestFeed, type TestFile, type TestRow, type World, worldOn } from "../apply/world.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";

let fresh: FreshDatabase;
let world: World;
beforeAll(async () => {
  fresh = await freshDatabase();
  world = worldOn(fresh.connectionString, { chunkRows: 4, statementRows: 8 });
});
afterAll(() => fresh.drop());

/** Pairs of a state and a file: each file meets what those before it have left. */
const FEEDS = 100;
const FILES = 10;

/** Few keys and values, so that files repeat, contradict and undo each other. */
const anyRow = fc.record({
  key: fc.constantFrom(..."abcdefghij"),
  fields: fc.dictionary(fc.constantFrom("stock", "price", "name"), fc.constantFrom(0, 1, null), { maxKeys: 3 }),
});
interface Said {
  readonly place: number;
  readonly merges: boolean;
  readonly rows: readonly { readonly key: string; readonly fields: Readonly<Record<string, unknown>> }[];
}

const anyFile: fc.Arbitrary<Said> = fc.record({
  /** In the order of the feed: some come late, some at the very time of another. */
  place: fc.integer({ min: 0, max: 14 }),
  merges: fc.boolean(),
  rows: fc.array(anyRow, { maxLength: 12 }),
});
const anyFeed = fc.record({
  mode: fc.constantFrom("full" as const, "delta" as const),
  files: fc.array(anyFile, { minLength: FILES, maxLength: FILES }),
});

const rowsOf = ({ merges, rows }: Said): TestRow[] =>
  rows.map(({ key, fields }) =>
    merges ? says(key, fields) : { key, value: 0, record: { stock: 0, price: 0, ...fields } },
  );

interface Stored {
  readonly status: "active" | "retired";
  readonly version: number;
  readonly data: string;
}

async function recordsOf(of: TestFeed): Promise<Map<string, Stored>> {
  const rows = await world.database.query<Stored & { key: string }>(
    "SELECT natural_key AS key, status, version, data::text AS data FROM records WHERE feed_id = $1",
    [of.feedId],
  );
  return new Map(rows.map(({ key, ...stored }) => [key, stored]));
}

/** What happened to the records, told by them alone. */
function difference(before: ReadonlyMap<string, Stored>, after: ReadonlyMap<string, Stored>) {
  const found = { inserted: 0, changed: 0, retired: 0 };
  for (const [key, now] of after) {
    const then = before.get(key);
    if (then === undefined) found.inserted++;
    else if (then.status === "active" && now.status === "retired") found.retired++;
    else if (then.version !== now.version) found.changed++;
    // One version for one event, and no record that becomes another without.
    expect(now.version - (then?.version ?? 0)).toBeLessThanOrEqual(1);
    if (then?.version === now.version) expect(now).toEqual(then);
  }
  return found;
}

const eventsOf = (file: TestFile) =>
  world.one<{ inserted: number; changed: number; retired: number }>(
    `SELECT count(*) FILTER (WHERE kind = 'inserted')::int AS inserted,
       count(*) FILTER (WHERE kind IN ('changed', 'restored'))::int AS changed,
       count(*) FILTER (WHERE kind = 'retired')::int AS retired FROM changes WHERE file_id = $1`,
    [file.id],
  );

const booksOf = (file: TestFile) =>
  world.one<Record<string, number>>(
    "SELECT accepted, inserted, changed, unchanged, stale, superseded, retired FROM files WHERE id = $1",
    [file.id],
  );

it(`of ${FEEDS * FILES} files, full and delta, merging, late and repeating themselves`, {
  timeout: 300_000,
}, async () => {
  const met = {
    inserted: 0,
    changed: 0,
    unchanged: 0,
    stale: 0,
    superseded: 0,
    retired: 0,
    late: 0,
    same: 0,
    whole: 0,
  };
  await fc.assert(
    fc.asyncProperty(anyFeed, async ({ mode, files }) => {
      const feed = await world.feed(mode);
      for (const said of files) {
        const before = await recordsOf(feed);
        const file = await world.file(feed, said.place, rowsOf(said));
        // The dry run writes nothing, and compares also what would be sent whole.
        const dry = await world.dryRun(file.id);
        const planned: { plan?: Plan; forecast?: Forecast } = {};
        const worker = world.deps();
        const { done } = await world.apply(file, {
          ...worker,
          async gate(plan, taken, lease) {
            planned.plan = plan;
            if (mode === "full") planned.forecast = await forecastRetirement(worker, file.id);
            return worker.gate(plan, taken, lease);
          },
        });
        expect(done).toBe("applied");

        const { retired, ...books } = await booksOf(file);
        const { mode: _, ...numbers } = planNumbers(dry);
        expect(books).toMatchObject(numbers);
        const { mode: how, ...recorded } = planNumbers(planned.plan!);
        expect(books).toMatchObject(recorded);
        const late = dry.mode === "late";
        expect(late).toBe(how === "late");
        expect(retired).toBe(planned.forecast === undefined || late ? 0 : retirements(planned.forecast));
        const effect = { inserted: books.inserted, changed: books.changed, retired };
        expect(difference(before, await recordsOf(feed))).toEqual(effect);
        expect(await eventsOf(file)).toEqual(effect);

        for (const [name, n] of Object.entries({ ...books, retired }))
          if (name in met) met[name as "stale"] += Number(n);
        met.late += Number(late);
        met.whole += Number(how === "whole");
        met.same += dry.mode === "diff" ? dry.same : 0;
      }
    }),
    { numRuns: FEEDS },
  );
  // Nothing of this was left out by chance.
  for (const [what, n] of Object.entries(met)) expect(n, what).toBeGreaterThan(20);
});
