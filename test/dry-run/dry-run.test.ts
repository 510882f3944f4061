import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Effect } from "../../src/domain/effect.ts";
import { thinned } from "../../src/dry-run/dry-run.ts";
import { activeOf, historyOf } from "../apply/retire-world.ts";
import { row, rowsOf, says, type TestRow } from "../apply/world.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { forceIn } from "../support/force-state.ts";
import { type AskingWorld, askingWorldOn, NOW } from "./world.ts";

let database: FreshDatabase;
let world: AskingWorld;
beforeAll(async () => {
  database = await freshDatabase();
  world = askingWorldOn(database.connectionString);
});
afterAll(async () => {
  await database.drop();
});

const numbersOf = ({ accepted, inserted, changed, unchanged, stale, superseded, retired }: Effect) => ({
  accepted,
  inserted,
  changed,
  unchanged,
  stale,
  superseded,
  retired,
});
const booksOf = (fileId: string) =>
  world.one<ReturnType<typeof numbersOf>>(
    "SELECT accepted, inserted, changed, unchanged, stale, superseded, coalesce(retired, 0) AS retired FROM files WHERE id = $1",
    [fileId],
  );

/** Asks about a file, then applies the same rows for real; answers what was said and what was booked. */
async function askThenApply(before: readonly (readonly TestRow[])[], rows: readonly TestRow[], mode: "full" | "delta") {
  const feed = await world.feed(mode);
  for (const [place, earlier] of before.entries()) await world.send(feed, place, earlier);
  const kept = await world.kept();
  const question = await world.question(feed, before.length, rows);
  const effect = await world.ask(question);
  expect(await world.kept()).toBe(kept);
  const applied = await world.send(feed, before.length + 1, rows);
  return { feed, effect, books: await booksOf(applied.id) };
}

describe("a dry run", () => {
  it("tells of a delta just what applying it comes to, and writes nothing", async () => {
    const { effect, books } = await askThenApply(
      [rowsOf([1, 2, 3, 4, 5, 6, 7, 8])],
      [row("k0", 1), row("k1", 20), row("new", 5), row("k2", 3), row("k2", 30)],
      "delta",
    );
    expect(numbersOf(effect)).toEqual(books);
    expect(books).toEqual({ accepted: 5, inserted: 1, changed: 2, unchanged: 1, stale: 0, superseded: 1, retired: 0 });
    expect(effect).toMatchObject({
      at: NOW.toISOString(),
      mode: "delta",
      records: 8,
      rows: 5,
      rejected: 0,
      kept: null,
      fields: { exact: true, counts: [{ field: "value", records: 2 }] },
      verdict: "apply",
      reasons: [],
    });
  });

  it("tells of a full file what it lacks, with some of it, and retires nothing", async () => {
    const { feed, effect, books } = await askThenApply([rowsOf([1, 2, 3, 4, 5])], rowsOf([1, 2, 33]), "full");
    expect(numbersOf(effect)).toEqual(books);
    expect(effect.retired).toBe(2);
    expect(effect.examples.filter(({ kind }) => kind === "retired").map(({ key }) => key)).toEqual(["k3", "k4"]);
    const history = await historyOf(world, feed.feedId);
    expect(history.get("k3")?.map(({ kind }) => kind)).toEqual(["inserted", "retired"]);
  });

  it("shows what stands in each record and what would", async () => {
    const { effect } = await askThenApply([[row("a", 1), row("b", 2)]], [row("a", 7), row("c", 3)], "full");
    expect(
      effect.examples.map(({ values, ...one }) => ({
        ...one,
        values: values.filter(({ field }) => field === "value"),
      })),
    ).toEqual([
      { kind: "changed", key: "a", line: 2, values: [{ field: "value", before: 1, after: 7 }], more: 0 },
      { kind: "inserted", key: "c", line: 3, values: [{ field: "value", before: null, after: 3 }], more: 0 },
      { kind: "retired", key: "b", values: [{ field: "value", before: 2, after: null }], more: 0 },
    ]);
    expect(effect.examples[0]?.values).toHaveLength(1);
  });

  it("tells a record that comes back from one that is new and one that changes", async () => {
    const { effect, books } = await askThenApply([rowsOf([1, 2, 3]), rowsOf([1, 2])], rowsOf([1, 2, 4]), "full");
    expect(numbersOf(effect)).toEqual(books);
    expect(effect.changed).toBe(1);
    expect(effect.examples.map(({ kind, key }) => [kind, key])).toEqual([["restored", "k2"]]);
    expect(effect.fields.counts).toEqual([]);
  });

  it("lays the words of a merging file over what is stored, and counts none that add nothing", async () => {
    const { effect, books } = await askThenApply(
      [[says("a", { price: 1, place: "x" }), says("b", { price: 2 }), says("c", { price: 3, place: "z" })]],
      [
        says("a", { place: "x" }),
        says("b", { place: "y" }),
        says("c", { price: 4 }),
        says("d", { price: 5 }),
        says("b", { price: 9 }),
      ],
      "delta",
    );
    expect(numbersOf(effect)).toEqual(books);
    expect(books).toMatchObject({ inserted: 1, changed: 2, unchanged: 1, superseded: 1 });
    expect(effect.fields.counts).toEqual([
      { field: "price", records: 2 },
      { field: "place", records: 1 },
    ]);
    const changed = Object.fromEntries(
      effect.examples.filter(({ kind }) => kind === "changed").map(({ key, values }) => [key, values]),
    );
    expect(changed.b).toEqual([
      { field: "price", before: 2, after: 9 },
      { field: "place", before: null, after: "y" },
    ]);
    expect(changed.c).toEqual([{ field: "price", before: 3, after: 4 }]);
  });

  it("calls all of it new where the feed has nothing yet", async () => {
    const { effect, books } = await askThenApply([], rowsOf([1, 2, 3, 4, 5, 6, 7]), "full");
    expect(numbersOf(effect)).toEqual(books);
    expect(effect).toMatchObject({ records: 0, inserted: 7, retired: 0 });
  });

  it("calls a full file late behind a newer one, and retires nothing by it", async () => {
    const feed = await world.feed("full");
    await world.send(feed, 5, rowsOf([1, 2, 3]));
    const effect = await world.ask(await world.question(feed, 1, rowsOf([9])));
    expect(effect).toMatchObject({ stale: 1, changed: 0, retired: 0, kept: null, records: 3 });
  });

  it("is no file to the others: none is late behind it, none repeats it, and it retires nothing from later ones", async () => {
    const feed = await world.feed("full");
    await world.send(feed, 1, rowsOf([1, 2, 3]));
    await world.ask(await world.question(feed, 9, rowsOf([5])));
    const older = await world.send(feed, 2, rowsOf([1, 2, 4]));
    expect(await world.books(older)).toMatchObject({ state: "applied", changed: 1, unchanged: 2, stale: 0 });
    expect(await activeOf(world, feed.feedId)).toEqual({ k0: 1, k1: 2, k2: 4 });
  });

  it("says of a snapshot that it is never applied, and calls nothing new", async () => {
    const feed = await world.feed();
    await world.database.query("UPDATE feeds SET mode = 'snapshot' WHERE id = $1", [feed.feedId]);
    const question = await world.question(feed, 1, rowsOf([1, 2]));
    expect(await world.ask(question)).toMatchObject({
      mode: "snapshot",
      accepted: 2,
      inserted: 0,
      verdict: "hold",
      reasons: [{ check: "snapshot" }],
    });
    expect(await world.ledgerOf(question)).toBe(0);
  });

  it("would wait behind an earlier file that is held, where later ones are to", async () => {
    const feed = await world.feed();
    await world.send(feed, 1, rowsOf([1]));
    const held = await world.file(feed, 2, rowsOf([2]));
    const hold = (later: string) =>
      world.database.query(
        `INSERT INTO holds (file_id, nonce, facts, tripped, telling, later, expires_at)
         VALUES ($1, md5(random()::text), '{}', '[]', '[]', $2, now() + interval '1 day')`,
        [held.id, later],
      );
    await forceIn(
      world.database,
      `UPDATE files SET state = 'held', failure = '{"code": "blast-radius"}' WHERE id = $1`,
      [held.id],
    );
    await hold("wait");
    const question = await world.question(feed, 3, rowsOf([3]));
    const effect = await world.ask(question);
    expect([effect.verdict, effect.reasons.map(({ check }) => check)]).toEqual(["hold", ["behind-held-file"]]);
    expect(effect.reasons[0]?.sentence).toContain(held.id);
    expect((await world.ask(await world.question(feed, 0, rowsOf([3])))).verdict).toBe("apply");
    await world.database.query("DELETE FROM holds WHERE file_id = $1", [held.id]);
    await hold("supersede");
    expect((await world.ask(question)).verdict).toBe("apply");
  });

  it("says the same of every random state and file as applying it does", { timeout: 120_000 }, async () => {
    const rows = fc.uniqueArray(fc.tuple(fc.nat(9), fc.nat(2)), { maxLength: 9, selector: ([key]) => key });
    const twice = fc.array(fc.tuple(fc.nat(9), fc.nat(2)), { minLength: 1, maxLength: 9 });
    const made = (list: readonly (readonly [number, number])[]) => list.map(([key, value]) => row(`k${key}`, value));
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          rows.filter((list) => list.length > 0),
          { maxLength: 3 },
        ),
        twice,
        fc.constantFrom("full" as const, "delta" as const),
        async (before, rows_, mode) => {
          const { effect, books } = await askThenApply(before.map(made), made(rows_), mode);
          expect(numbersOf(effect)).toEqual(books);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("says the same of every random merging file as applying it does", { timeout: 120_000 }, async () => {
    const said = fc.dictionary(fc.constantFrom("a", "b", "c"), fc.oneof(fc.nat(2), fc.constant(null)), { maxKeys: 3 });
    const list = fc.array(fc.tuple(fc.nat(5), said), { minLength: 1, maxLength: 8 });
    const made = (rows: readonly (readonly [number, Record<string, unknown>])[]) =>
      rows.map(([key, words]) => says(`k${key}`, words));
    await fc.assert(
      fc.asyncProperty(fc.array(list, { maxLength: 2 }), list, async (before, rows) => {
        const { effect, books } = await askThenApply(before.map(made), made(rows), "delta");
        expect(numbersOf(effect)).toEqual(books);
      }),
      { numRuns: 60 },
    );
  });
});

describe("a dry run that is disturbed", () => {
  it("forgets what an earlier attempt has noted and tells what is so now", async () => {
    const feed = await world.feed("full");
    await world.send(feed, 1, rowsOf([1, 2, 3]));
    const question = await world.question(feed, 3, rowsOf([1, 5]));
    const dying = world.asking({ judge: () => Promise.reject(new Error("the worker dies")) });
    await expect(world.ask(question, dying)).rejects.toThrow("the worker dies");
    expect(await world.ledgerOf(question)).toBeGreaterThan(0);
    await world.send(feed, 2, rowsOf([1, 5, 3]));
    expect(numbersOf(await world.ask(question))).toMatchObject({ unchanged: 2, changed: 0, retired: 1 });
  });

  it("tries again instead of calling records missing where another worker has just begun the same", async () => {
    const feed = await world.feed("full");
    await world.send(feed, 1, rowsOf([1, 2, 3]));
    const question = await world.question(feed, 2, rowsOf([1, 2, 4]));
    const { tables, ...deps } = world.asking();
    const disturbed = {
      ...deps,
      tables: {
        ...tables,
        async lacking(id: string) {
          await tables.forget(id);
          return tables.lacking(id);
        },
      },
    };
    await expect(world.ask(question, disturbed)).rejects.toMatchObject({ code: "database-conflict" });
    expect(numbersOf(await world.ask(question))).toMatchObject({ changed: 1, retired: 0 });
  });

  it("leaves two that ask at the same time both right", async () => {
    const feed = await world.feed("full");
    await world.send(feed, 1, rowsOf([1, 2, 3, 4]));
    const kept = await world.kept();
    const one = await world.question(feed, 2, rowsOf([1, 2, 3]));
    const other = await world.question(feed, 3, rowsOf([9]));
    const [a, b] = await Promise.all([world.ask(one), world.ask(other)]);
    expect(numbersOf(a)).toMatchObject({ unchanged: 3, retired: 1 });
    expect(numbersOf(b)).toMatchObject({ changed: 1, retired: 3 });
    expect(await world.kept()).toBe(kept);
  });

  it("ends once: compared, with nothing left of what planning noted", async () => {
    const feed = await world.feed("full");
    await world.send(feed, 1, rowsOf([1, 2]));
    const question = await world.question(feed, 2, rowsOf([1]));
    const effect = await world.ask(question);
    const { tables } = world.asking();
    await tables.end(question.id, effect, undefined, false);
    await tables.end(question.id, { ...effect, inserted: 99 }, undefined, false);
    expect(await world.ledgerOf(question)).toBe(0);
    expect(await world.one("SELECT state, comparison, inserted FROM files WHERE id = $1", [question.id])).toEqual({
      state: "compared",
      comparison: effect,
      inserted: null,
    });
  });
});

describe("a dry run of many changes", () => {
  const many = Array.from({ length: 40 }, (_, i) => i);

  it("looks at as many rows as it may, and tells the rest as an estimate", async () => {
    const feed = await world.feed();
    await world.send(feed, 1, rowsOf(many));
    const question = await world.question(feed, 2, rowsOf(many.map((n) => n + 100)));
    const effect = await world.ask(question, world.asking(), 10);
    expect(effect).toMatchObject({ changed: 40, fields: { exact: false, counts: [{ field: "value", records: 40 }] } });
    expect(effect.examples).toHaveLength(10);
    expect((await world.ask(question, world.asking(), 40)).fields.exact).toBe(true);
  });

  it("thins a plan to just so many lines, of each chunk its share, whatever it looks like", () => {
    const chunks = fc.array(fc.uniqueArray(fc.nat(1_000), { minLength: 1, maxLength: 30 }), { maxLength: 8 });
    fc.assert(
      fc.property(chunks, fc.integer({ min: 1, max: 60 }), (lists, max) => {
        const need = new Map(lists.map((lines, n) => [n, lines.toSorted((a, b) => a - b)] as const));
        const rows = lists.reduce((sum, lines) => sum + lines.length, 0);
        const base = {
          accepted: rows,
          superseded: 0,
          lastLines: new Map(),
          unchanged: 0,
          stale: 0,
          same: 0,
          folds: new Map(),
        };
        const thin = thinned({ ...base, mode: "diff", inserted: 0, changed: rows, need }, max);
        const left = [...thin.need.values()].reduce((sum, lines) => sum + lines.length, 0);
        expect(left).toBe(Math.min(rows, max));
        for (const [n, all] of need) {
          const taken = thin.need.get(n) ?? [];
          expect(all).toEqual(expect.arrayContaining([...taken]));
          expect(Math.abs(taken.length - all.length * Math.min(1, max / rows))).toBeLessThan(1 + 1e-9);
        }
      }),
    );
  });
});
