/** What upkeep may forget without anybody being able to tell: the order of files, and whatever a retry could still need. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ApplyDeps } from "../../src/apply/deps.ts";
import { applyHandler } from "../../src/apply/handler.ts";
import type { ChunkEntry } from "../../src/domain/chunk.ts";
import { failure } from "../../src/domain/failures.ts";
import type { FileToApply } from "../../src/domain/plan.ts";
import { planFile } from "../../src/plan/plan-file.ts";
import { CHUNK_DAYS, HISTORY_DAYS } from "../../src/upkeep/retention.ts";
import { faulty } from "../apply/faults.ts";
import { row, type TestFeed, type TestFile, type TestRow, valuesOf, type World, worldOn } from "../apply/world.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { forceIn } from "../support/force-state.ts";
import { type UpkeepWorld, upkeepWorldOn } from "./world.ts";

const DAY = 86_400_000;
const OLD = HISTORY_DAYS + 1;

let fresh: FreshDatabase;
let world: World;
let keeping: UpkeepWorld;
beforeAll(async () => {
  fresh = await freshDatabase();
  world = worldOn(fresh.connectionString);
  keeping = upkeepWorldOn(fresh.connectionString);
});
afterAll(() => fresh.drop());

/** All that is known of a file happened that many days ago. */
async function age(file: TestFile, days: number): Promise<void> {
  const at = new Date(Date.now() - days * DAY).toISOString();
  await forceIn(world.database, "UPDATE files SET updated_at = $2, parsed_at = $2 WHERE id = $1", [file.id, at]);
  await forceIn(world.database, "UPDATE ledger SET settled_at = $2 WHERE file_id = $1", [file.id, at]);
  await forceIn(world.database, "UPDATE seen SET seen_at = $2 WHERE file_id = $1", [file.id, at]);
}

const forget = (over: Parameters<UpkeepWorld["upkeep"]>[0] = {}) => keeping.upkeep(over, new Date());

/** A record that one file has set and a newer one has confirmed without a write; both are old. Between them is place 1. */
async function confirmed(mode: "full" | "delta"): Promise<TestFeed> {
  const feed = await world.feed(mode);
  await age(await world.send(feed, 0, [row("k", 1), row("x", 1)]), OLD);
  await age(await world.send(feed, 2, [row("k", 1), row("y", 1)]), OLD);
  return feed;
}

describe("a file that comes after what newer ones have confirmed is forgotten", () => {
  it("changes nothing as long as it is remembered: its row is stale", async () => {
    const feed = await confirmed("delta");
    await world.send(feed, 1, [row("k", 5), row("new", 1)]);
    expect(valuesOf(await world.state(feed))).toEqual({ k: 1, x: 1, y: 1, new: 1 });
  });

  it("is held when it is forgotten, and nothing of it is applied", async () => {
    const feed = await confirmed("delta");
    await forget();
    const late = await world.send(feed, 1, [row("k", 5), row("new", 1)]);
    expect(valuesOf(await world.state(feed))).toEqual({ k: 1, x: 1, y: 1 });
    expect(await world.one("SELECT state, failure->>'code' AS code FROM files WHERE id = $1", [late.id])).toEqual({
      state: "held",
      code: "file-too-old",
    });
  });

  it("is booked as stale where it is read again: what it says was said when it came", async () => {
    const feed = await confirmed("delta");
    await forget();
    const late = await world.file(feed, 1, [row("k", 5), row("new", 1)]);
    await forceIn(world.database, "UPDATE files SET cause = 'replay', replay_id = 1 WHERE id = $1", [late.id]);
    await world.apply(late);
    expect(await world.books(late)).toMatchObject({ state: "applied", stale: 2, inserted: 0, changed: 0 });
    expect(valuesOf(await world.state(feed))).toEqual({ k: 1, x: 1, y: 1 });
  });

  it("is booked as stale where it is a full file: the newer one has said everything", async () => {
    const feed = await confirmed("full");
    await forget();
    const late = await world.send(feed, 1, [row("k", 5)]);
    expect(await world.books(late)).toMatchObject({ state: "applied", stale: 1, inserted: 0, changed: 0 });
    expect(valuesOf(await world.state(feed))).toEqual({ k: 1, x: 1, y: 1 });
  });

  it("does not hold a file that is newer than everything forgotten, however long it was on its way", async () => {
    const feed = await confirmed("delta");
    await forget();
    const file = await world.send(feed, 3, [row("k", 7)]);
    expect(await world.books(file)).toMatchObject({ state: "applied", changed: 1 });
  });

  it("is never forgotten under a file that is being applied: it was found to be in time", async () => {
    const feed = await confirmed("delta");
    const late = await world.file(feed, 1, [row("k", 5)]);
    const forgets: ApplyDeps = {
      ...world.deps(),
      gate(plan, file, lease) {
        expect(plan.mode).not.toBe("late");
        return world.deps().gate(plan, file, lease);
      },
      async plan(file, lease) {
        // The lease is taken, nothing is planned yet.
        await forget();
        return world.deps().plan(file, lease);
      },
    };
    await world.apply(late, forgets);
    expect(valuesOf(await world.state(feed)).k).toBe(1);
    expect(await world.books(late)).toMatchObject({ state: "applied", stale: 1 });
  });
});

/** A worker whose chunks are gone where upkeep has removed them. */
function workerWithout(removed: ReadonlySet<string>, database: Pick<typeof world.database, "query"> = world.database) {
  const present = (file: FileToApply) => {
    if (removed.has(file.id)) throw failure("chunk-missing", { key: file.id });
  };
  const chunks = {
    head: async (file: FileToApply, entry: ChunkEntry) => {
      present(file);
      return world.chunks.head(file, entry);
    },
    whole: async (file: FileToApply, entry: ChunkEntry) => {
      present(file);
      return world.chunks.whole(file, entry);
    },
  };
  const base = world.deps(database, { chunks });
  return {
    ...base,
    plan: (file, lease) => planFile({ ...base, database, chunks, maxRows: 6 }, file, { record: true, ...lease }),
  } satisfies ApplyDeps;
}

type Fate = "applied" | "waiting" | "died" | "held" | "dead";
interface Step {
  readonly place: number;
  readonly rows: readonly TestRow[];
  readonly fate: Fate;
  readonly diesAt: number;
  readonly days: number;
  readonly upkeep: boolean;
}

const step: fc.Arbitrary<Step> = fc.record({
  place: fc.nat({ max: 1_000 }),
  rows: fc.uniqueArray(fc.record({ key: fc.constantFrom(..."abcdefghij"), value: fc.nat({ max: 3 }) }), {
    selector: ({ key }) => key,
    minLength: 1,
  }),
  fate: fc.constantFrom<Fate>("applied", "applied", "waiting", "died", "held", "dead"),
  diesAt: fc.integer({ min: 2, max: 9 }),
  days: fc.constantFrom(0, CHUNK_DAYS + 1, HISTORY_DAYS + 1),
  upkeep: fc.boolean(),
});

it("whatever happened and whenever upkeep ran: what had not ended can be brought to its end, and older never wins", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(step, { selector: ({ place }) => place, minLength: 2, maxLength: 6 }),
      fc.infiniteStream(fc.nat()),
      async (steps, draws) => {
        const feed = await world.feed("delta");
        const removed = new Set<string>();
        const run = () => forget({ removeChunks: async (id) => void removed.add(id) });
        const files: (Step & { readonly file: TestFile })[] = [];
        for (const one of steps) {
          const file = await world.file(feed, one.place, one.rows);
          if (one.fate === "applied") await world.apply(file, workerWithout(removed));
          if (one.fate === "died" || one.fate === "dead") {
            const dies = faulty(world.database, one.diesAt, "dies-after");
            await world.apply(file, workerWithout(removed, dies)).catch(() => undefined);
            await world.expireLease(feed);
          }
          if (one.fate === "dead" || one.fate === "held") {
            await forceIn(
              world.database,
              `UPDATE files SET state = $2, failure = '{"code":"internal-error"}' WHERE id = $1 AND state <> 'applied'`,
              [file.id, one.fate],
            );
          }
          await age(file, one.days);
          files.push({ ...one, file });
          if (one.upkeep) await run();
        }
        await run();

        // Redriven, released or woken, in any order.
        const open = files.filter(({ fate }) => fate !== "applied");
        for (const { file } of open.toSorted(() => (draws.next().value % 2 === 0 ? 1 : -1))) {
          await forceIn(
            world.database,
            "UPDATE files SET state = 'parsed', failure = NULL WHERE id = $1 AND state IN ('held', 'dead')",
            [file.id],
          );
          await applyHandler(file.message, workerWithout(removed));
        }

        const ends = await Promise.all(
          files.map(async ({ file, ...one }) => ({
            ...one,
            ...(await world.one<{ state: string; code: string | null }>(
              "SELECT state, failure->>'code' AS code FROM files WHERE id = $1",
              [file.id],
            )),
          })),
        );
        for (const { state, code } of ends)
          expect([state, code]).toEqual(state === "applied" ? ["applied", null] : ["held", "file-too-old"]);

        const values = valuesOf(await world.state(feed));
        const inOrder = ends.toSorted((a, b) => a.place - b.place);
        for (const key of "abcdefghij") {
          const says = ({ rows }: Step) => rows.find((said) => said.key === key)?.value;
          const applied = inOrder.filter((end) => end.state === "applied" && says(end) !== undefined).at(-1);
          // A file that died half-way may have been too old by the time it was taken up again; what it wrote stands.
          const partly = inOrder.filter((end) => end.state !== "applied" && end.place > (applied?.place ?? -1));
          expect([applied && says(applied), ...partly.map(says)], key).toContain(values[key]);
        }
      },
    ),
    { numRuns: 60 },
  );
});
