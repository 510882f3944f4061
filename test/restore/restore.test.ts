/** Bringing records back to what they were: whatever happened, whenever it is asked for. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { row } from "../apply/world.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { active, justAfter, NEXT_YEAR, type Records, type World, worldOn } from "./world.ts";

let fresh: FreshDatabase;
let world: World;
beforeAll(async () => {
  fresh = await freshDatabase();
  world = worldOn(fresh.connectionString);
});
afterAll(() => fresh.drop());

/** Small enough that keys come, go and come back, and that values return. */
const fileOf = fc.dictionary(fc.constantFrom("a", "b", "c", "d", "e", "f", "g"), fc.integer({ min: 0, max: 2 }), {
  noNullPrototype: true,
});
const rowsOf = (file: Readonly<Record<string, number>>) => Object.entries(file).map(([key, value]) => row(key, value));

const past = fc.record({
  mode: fc.constantFrom("full" as const, "delta" as const),
  files: fc.array(fileOf, { minLength: 1, maxLength: 6 }),
  /** Which of the steps is asked for. */
  asked: fc.nat(),
  /** What the ERP says next. */
  next: fileOf,
});

describe("the records of a moment", () => {
  it("are what they were, whatever has happened since", async () => {
    await fc.assert(
      fc.asyncProperty(past, async ({ mode, files }) => {
        const feed = await world.customer(mode);
        const was: Records[] = [];
        for (const [step, file] of files.entries()) {
          await world.happened(feed, step, rowsOf(file));
          was.push(await world.records(feed));
        }
        expect(await world.recordsAt(feed, justAfter(-1))).toEqual({});
        for (const [step, records] of was.entries())
          expect(await world.recordsAt(feed, justAfter(step))).toEqual(records);
      }),
      { numRuns: 40 },
    );
  });
});

describe("a restore", () => {
  it("makes the records what they were, once; what the ERP said then is nothing new, and what it says next goes over it", async () => {
    await fc.assert(
      fc.asyncProperty(past, async ({ mode, files, asked, next }) => {
        const feed = await world.customer(mode);
        const was: Records[] = [];
        for (const [step, file] of files.entries()) {
          await world.happened(feed, step, rowsOf(file));
          was.push(await world.records(feed));
        }
        const step = asked % files.length;
        const to = justAfter(step);
        const seen = await world.preview(feed.slug, to);
        const done = await world.carryOut(feed.slug, to, seen.digest);
        const { changes, restores, retirements } = seen.feeds[0]!;
        expect(done.kind).toBe(changes + restores + retirements === 0 ? "nothing" : "ordered");
        const outcomes = await world.applyAll();
        expect(outcomes.filter((outcome) => outcome !== "applied")).toEqual([]);
        expect(active(await world.records(feed))).toEqual(active(was[step]!));

        const again = await world.preview(feed.slug, to);
        expect(again.feeds[0]).toMatchObject({ changes: 0, restores: 0, retirements: 0 });
        expect((await world.carryOut(feed.slug, to, again.digest)).kind).toBe("nothing");

        const before = await world.records(feed);
        const same = Object.entries(active(was[step]!)).map(([key, data]) =>
          row(key, (data as { value: number }).value),
        );
        const repeated = await world.send(feed, NEXT_YEAR, same);
        expect(await world.books(repeated)).toMatchObject({ state: "applied", unchanged: same.length });
        expect(await world.records(feed)).toEqual(before);

        await world.send(feed, NEXT_YEAR + 1, rowsOf(next));
        const now = active(await world.records(feed));
        for (const [key, value] of Object.entries(next)) expect(now[key]).toMatchObject({ value });
      }),
      { numRuns: 40 },
    );
  });
});
