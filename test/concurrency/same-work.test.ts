/** The same work from many workers at once: done once, and all hear the same. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { row, rowsOf, type World, worldOn } from "../apply/world.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { exactState } from "./exact.ts";
import { applyOver, cleanRun, ended, FIRST, SECOND, secondToCome } from "./scenes.ts";
import { openSession, type Queries, type Session } from "./sessions.ts";

const CONNECTIONS = 8;
const ROUNDS = 12;

let fresh: FreshDatabase;
let world: World;
const sessions: Session[] = [];
beforeAll(async () => {
  fresh = await freshDatabase();
  world = worldOn(fresh.connectionString);
  for (let i = 0; i < CONNECTIONS; i++) sessions.push(await openSession(fresh));
});
afterAll(async () => {
  await Promise.all(sessions.map((session) => session.end()));
  await fresh.drop();
});

/** Outcomes by statement, e.g. `apply_chunk: applied`. */
const counted = new Map<string, number>();

/** Sends every statement over all connections at once, and wants the same answer from each, but for who was first. */
const fromAll: Queries = {
  async query<T>(text: string, params?: readonly unknown[]): Promise<T[]> {
    const answers = await Promise.all(sessions.map((session) => session.query<{ outcome?: string }>(text, params)));
    for (const [one] of answers) {
      const name = `${/\w+_chunk/.exec(text)?.[0]}: ${one?.outcome}`;
      counted.set(name, (counted.get(name) ?? 0) + 1);
    }
    const first = answers.find(([one]) => one?.outcome !== "replayed") ?? answers[0]!;
    for (const [one] of answers) {
      // The state that acquire_lease found is another one for the first.
      expect({ ...one, outcome: 0, file_state: 0 }, text).toEqual({ ...first[0], outcome: 0, file_state: 0 });
    }
    return first as T[];
  },
};

describe("every statement of a file from eight connections at once", () => {
  it("leaves the state of one clean run, and each chunk is planned and applied by exactly one of them", async () => {
    const expected = await cleanRun(world, [FIRST, SECOND]);
    for (let round = 0; round < ROUNDS; round++) {
      counted.clear();
      const feed = await world.feed();
      for (const [place, rows] of [FIRST, SECOND].entries()) {
        const file = await world.file(feed, place, rows);
        expect(await applyOver(world, file, fromAll)).toEqual({ done: "applied" });
      }
      expect(await exactState(world, feed), `round ${round}`).toEqual(expected);
      const chunks = expected.ledger.length;
      const of = (name: string) => counted.get(name) ?? 0;
      expect(of("plan_chunk: planned") + of("apply_chunk: applied")).toBe(chunks);
      expect(of("plan_chunk: replayed") + of("apply_chunk: replayed")).toBe(chunks * (CONNECTIONS - 1));
    }
  });
});

describe("one file from eight workers at once", () => {
  it("is written by the one that holds the lease; the others hear that it is busy or done", async () => {
    const expected = await cleanRun(world, [FIRST, SECOND]);
    const heard = new Set<string>();
    for (let round = 0; round < ROUNDS; round++) {
      const { feed, file } = await secondToCome(world);
      const ends = await Promise.all(sessions.map((session) => ended(applyOver(world, file, session))));
      const words = ends.map((end) => ("code" in end ? end.code : end.value.done));
      for (const word of words) heard.add(word);
      expect(words.filter((word) => word === "applied")).toHaveLength(1);
      expect(await exactState(world, feed), `round ${round}`).toEqual(expected);
    }
    expect([...heard].filter((word) => !["applied", "already", "feed-busy"].includes(word))).toEqual([]);
  });
});

/** Works through files with as many workers as there are, until none is left; one that is busy comes again. */
async function allDone(files: readonly Awaited<ReturnType<World["file"]>>[]): Promise<void> {
  const waiting = [...files];
  await Promise.all(
    sessions.map(async (session) => {
      for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
        const end = await ended(applyOver(world, file, session));
        if ("value" in end) continue;
        expect(end).toEqual({ code: "feed-busy" });
        waiting.push(file);
      }
    }),
  );
}

const UP = rowsOf([10, 11, 12, 13, 14, 15, 16, 17]);
const orders = [
  ["the same order of keys", UP, UP.map(({ key, value }) => row(key, value + 100))],
  ["opposite orders of keys", UP, UP.map(({ key, value }) => row(key, value + 100)).toReversed()],
] as const;

describe("overlapping keys from two files at once", () => {
  it.each(orders)("of one feed, in %s: one after the other, and the newer one stands", async (_, one, other) => {
    for (let round = 0; round < ROUNDS; round++) {
      const feed = await world.feed();
      await world.send(feed, 0, FIRST);
      const [newer, older] = [await world.file(feed, 2, other), await world.file(feed, 1, one)];
      await allDone(round % 2 === 0 ? [newer, older, newer] : [older, newer, older]);
      const state = await exactState(world, feed);
      const values = Object.fromEntries(state.records.map(({ key, value }) => [key, value]));
      expect(values).toMatchObject(Object.fromEntries(other.map(({ key, value }) => [key, value])));
      expect([...(await eitherFirst(one, other))], `round ${round}`).toContain(JSON.stringify(state));
    }
  });

  it.each(orders)("of two feeds, in %s: neither waits for the other nor sees it", async (_, one, other) => {
    const alone = await Promise.all([cleanRun(world, [FIRST, one]), cleanRun(world, [FIRST, other])]);
    for (let round = 0; round < ROUNDS; round++) {
      const feeds = [await world.feed(), await world.feed()];
      const files = [];
      for (const [i, feed] of feeds.entries()) {
        await world.send(feed, 0, FIRST);
        files.push(await world.file(feed, 1, [one, other][i]!));
      }
      const ends = await Promise.all(files.map((file, i) => ended(applyOver(world, file, sessions[i]!))));
      expect(ends).toEqual([{ value: { done: "applied" } }, { value: { done: "applied" } }]);
      for (const [i, feed] of feeds.entries()) expect(await exactState(world, feed)).toEqual(alone[i]);
    }
  });
});

const sequential = new Map<object, Promise<Set<string>>>();

/** What two files may come to: the older one first, or the newer one first and the older one stale behind it. */
function eitherFirst(older: typeof UP, newer: typeof UP): Promise<Set<string>> {
  const known = sequential.get(newer);
  if (known !== undefined) return known;
  const made = (async () => {
    const states = new Set<string>();
    for (const first of [older, newer]) {
      const feed = await world.feed();
      await world.send(feed, 0, FIRST);
      const files = new Map([
        [older, await world.file(feed, 1, older)],
        [newer, await world.file(feed, 2, newer)],
      ]);
      await world.apply(files.get(first)!);
      await world.apply(files.get(first === older ? newer : older)!);
      states.add(JSON.stringify(await exactState(world, feed)));
    }
    return states;
  })();
  sequential.set(newer, made);
  return made;
}
