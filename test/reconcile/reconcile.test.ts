/** A snapshot against the records of its feed: what was injected is found, no more and no less, and healing leaves none. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { comparisonOf } from "../../src/reconcile/comparison.ts";
import type { SnapshotFile } from "../../src/reconcile/deps.ts";
import { reconcileFile } from "../../src/reconcile/handler.ts";
import { decideDrift } from "../../src/reconcile/reports.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { column, type Feeds, howOf, type Row, STOCK, stock, stocks, WIDE, type World, worldOn } from "./world.ts";

let own: FreshDatabase;
let world: World;
beforeAll(async () => {
  own = await freshDatabase();
  world = worldOn(own.connectionString);
});
afterAll(() => own.drop());

const reconcile = (snapshot: SnapshotFile, how = howOf()) => reconcileFile(world.deps(), snapshot, how);

/** What somebody does to the records behind the back of the feeds. Each is one row of drift. */
const EDITS = {
  "row deleted here": { kind: "missing-here", sql: "DELETE FROM records WHERE feed_id = $1 AND natural_key = $2" },
  "row retired by hand": {
    kind: "missing-here",
    sql: "UPDATE records SET status = 'retired' WHERE feed_id = $1 AND natural_key = $2",
  },
  "row edited here": {
    kind: "differs",
    sql: `UPDATE records SET data = data || '{"name": "edited"}' WHERE feed_id = $1 AND natural_key = $2`,
  },
  "stale version": {
    kind: "differs",
    sql: `UPDATE records SET data = data || '{"price": "8.25"}', row_hash = md5(natural_key)::uuid, version = 1
          WHERE feed_id = $1 AND natural_key = $2`,
  },
  "field of another type": {
    kind: "differs",
    sql: `UPDATE records SET data = data || '{"quantity": "1"}' WHERE feed_id = $1 AND natural_key = $2`,
  },
  "field lost": {
    kind: "differs",
    sql: "UPDATE records SET data = data - 'active' WHERE feed_id = $1 AND natural_key = $2",
  },
  "key edited": {
    kind: "missing-here",
    sql: "UPDATE records SET natural_key = natural_key || '/moved' WHERE feed_id = $1 AND natural_key = $2",
    extra: "/moved",
  },
  "extra row": {
    kind: "missing-there",
    sql: `INSERT INTO records (order_key, row_hash, file_id, customer_id, feed_id, line, natural_key, data)
          SELECT order_key, md5('x')::uuid, file_id, customer_id, feed_id, line, natural_key || E'\\n"extra', data
          FROM records WHERE feed_id = $1 AND natural_key = $2`,
    extra: '\n"extra',
  },
} as const;
type EditName = keyof typeof EDITS;
const EDIT_NAMES = Object.keys(EDITS) as EditName[];

/** Injects and answers what must be found: "kind key". */
async function inject(feeds: Feeds, key: string, name: EditName): Promise<string[]> {
  const edit = EDITS[name];
  await world.sql.query(edit.sql, [feeds.feedId, key]);
  if (!("extra" in edit)) return [`${edit.kind} ${key}`];
  return edit.kind === "missing-here"
    ? [`missing-here ${key}`, `missing-there ${key}${edit.extra}`]
    : [`missing-there ${key}${edit.extra}`];
}

const foundIn = async (report: string): Promise<string[]> =>
  (await world.rows(report))
    .map((row) => `${row.kind} ${row.natural_key}${row.explanation ? ` (${row.explanation.reason})` : ""}`)
    .sort();

const expectedRecords = (rows: readonly Row[]) => Object.fromEntries(rows.map(({ key, record }) => [key, record]));

const anyText = fc
  .string({ unit: "binary", minLength: 1, maxLength: 30 })
  .map((text) => text.toWellFormed().replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, "␀"));
const anyKey = fc.oneof(
  anyText,
  fc.constantFrom("|", "a|b", "\\|", "'", "{}", "NULL", "12", "e\u0301", "é", "x".repeat(400), "😀", "‮abc"),
);
const anyRow = fc
  .tuple(anyKey, anyText, fc.integer(), fc.boolean())
  .map(([key, name, quantity, active]) => stock(key, { name, quantity, active }));
const anyRows = fc.uniqueArray(anyRow, { selector: ({ key }) => key, minLength: 1, maxLength: 40 });

describe("a snapshot that says what stands here", () => {
  it("finds nothing, writes a clean report, and reads the heads of the chunks alone", async () => {
    const feeds = await world.feeds();
    const rows = stocks(50);
    await world.send(feeds, 1, rows);
    const snapshot = await world.snapshot(feeds, 2, rows.toReversed());
    world.reads.wholes = 0;
    const outcome = await reconcile(snapshot);
    expect(outcome).toMatchObject({ state: "clean", reasons: [] });
    expect(await world.report(outcome.report)).toEqual({
      state: "clean",
      seal: "hash",
      snapshot_rows: 50,
      records: 50,
      missing_here: 0,
      missing_there: 0,
      differs: 0,
      drift: 0,
      explained: {},
      reasons: [],
      rows: 0,
    });
    expect(world.reads.wholes).toBe(0);
  });

  it("counts the last of the lines that name a key", async () => {
    const feeds = await world.feeds();
    await world.send(feeds, 1, [stock("a", { quantity: 3 }), stock("b")]);
    const lines = [stock("a", { quantity: 1 }), stock("b"), stock("a", { quantity: 2 }), stock("a", { quantity: 3 })];
    expect((await reconcile(await world.snapshot(feeds, 2, lines))).numbers).toMatchObject({
      snapshotRows: 2,
      drift: 0,
    });
  });

  it("is clean where there is nothing on either side", async () => {
    const feeds = await world.feeds();
    expect(await reconcile(await world.snapshot(feeds, 1, []))).toMatchObject({ state: "clean" });
  });
});

describe("injected drift", () => {
  it("of any kind, in any records, is found, no more and no less; healed, a second snapshot finds none", async () => {
    const anyEdits = fc.array(fc.tuple(fc.nat(), fc.constantFrom(...EDIT_NAMES)), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(anyRows, anyEdits, fc.boolean(), async (rows, edits, thorough) => {
        const feeds = await world.feeds("full");
        await world.send(feeds, 1, rows);
        const expected: string[] = [];
        for (const [at, name] of new Map(edits.map(([n, name]) => [n % rows.length, name]))) {
          expected.push(...(await inject(feeds, rows[at]!.key, name)));
        }
        const comparison = { ...comparisonOf(STOCK, STOCK), ...(thorough ? { hashes: false } : {}) };
        const how = howOf({ comparison });
        const snapshot = await world.snapshot(feeds, 2, rows);
        const outcome = await reconcile(snapshot, how);
        expect(await foundIn(outcome.report)).toEqual(expected.sort());
        expect(outcome).toMatchObject({
          state: expected.length === 0 ? "clean" : "healing",
          numbers: { drift: expected.length, seal: thorough ? "fields" : "hash" },
        });

        await world.heal(feeds, snapshot, how);
        expect(await world.records(feeds)).toEqual(expectedRecords(rows));
        expect(await reconcile(await world.snapshot(feeds, 3, rows), how)).toMatchObject({ state: "clean" });
      }),
      { numRuns: 40, endOnFailure: true },
    );
  });

  it.each(EDIT_NAMES)("%s: is told in a sentence, healed, and heals with one change", async (name) => {
    const feeds = await world.feeds();
    await world.send(feeds, 1, stocks(30));
    const expected = await inject(feeds, "k7", name);
    const snapshot = await world.snapshot(feeds, 2, stocks(30));
    const { report, state } = await reconcile(snapshot);
    expect(state).toBe("healing");
    expect(await foundIn(report)).toEqual(expected.sort());
    for (const { sentence } of await world.rows(report)) expect(sentence).toMatch(/^“k7.*explains it/);
    const healed = await world.heal(feeds, snapshot, howOf());
    const retired = expected.filter((row) => row.startsWith("missing-there")).length;
    expect(healed).toMatchObject({
      cause: "reconcile",
      merges: false,
      orderKey: snapshot.orderKey,
      accepted: expected.length - retired,
      retired,
    });
    const { events } = await world.one<{ events: number }>(
      "SELECT count(*)::int AS events FROM changes WHERE feed_id = $1 AND version > 1 OR feed_id = $1 AND file_id <> (SELECT min(id) FROM files WHERE feed_id = $1)",
      [feeds.feedId],
    );
    expect(events).toBe(expected.length);
    expect(await world.records(feeds)).toEqual(expectedRecords(stocks(30)));
  });

  it("that was there before hand edits cost a record its hash is found by values, and healed", async () => {
    const feeds = await world.feeds();
    await world.send(feeds, 1, stocks(10));
    await world.sql.query("ALTER TABLE records DISABLE TRIGGER records_seal");
    await inject(feeds, "k3", "row edited here");
    await world.sql.query("ALTER TABLE records ENABLE TRIGGER records_seal");
    const how = howOf({ comparison: { ...comparisonOf(STOCK, STOCK), hashes: false } });
    const snapshot = await world.snapshot(feeds, 2, stocks(10));
    expect(await reconcile(snapshot, how)).toMatchObject({ state: "healing", numbers: { differs: 1 } });
    await world.heal(feeds, snapshot, how);
    expect(await world.records(feeds)).toEqual(expectedRecords(stocks(10)));
  });

  it("is shown field by field, with the version of the record and the line of the snapshot", async () => {
    const feeds = await world.feeds();
    await world.send(feeds, 1, stocks(3));
    await world.send(feeds, 2, [stock("k1", { quantity: 5 })]);
    const snapshot = await world.snapshot(feeds, 3, [
      stock("k0"),
      stock("k1", { quantity: 6, price: null }),
      stock("k2"),
    ]);
    const { report } = await reconcile(snapshot);
    expect(await world.rows(report)).toMatchObject([
      {
        kind: "differs",
        natural_key: "k1",
        line: 3,
        version: 2,
        fields: [
          { field: "quantity", ours: 5, theirs: 6 },
          { field: "price", ours: "9.5", theirs: null },
        ],
        sentence:
          "“k1” differs: quantity is 5 here and 6 in the ERP; price is “9.5” here and empty in the ERP. Nothing explains it; here it is version 2, last changed as of 2026-01-01 00:02 UTC.",
      },
    ]);
  });

  it("in values that no database holds, or that are very long, is stored all the same", async () => {
    const feeds = await world.feeds();
    await world.send(feeds, 1, stocks(3));
    const name = `${"x".repeat(39)}😀\u0000\ud800`;
    const rows = [
      stock("k0", { name }),
      stock("k1", { name: `${"y".repeat(199)}😀` }),
      stock("k2", { name: "\ud800" }),
    ];
    const { report, numbers } = await reconcile(await world.snapshot(feeds, 2, rows));
    expect(numbers).toMatchObject({ differs: 3 });
    const stored = await world.rows(report);
    expect(stored.map(({ fields }) => fields[0]!.theirs)).toEqual([
      `${"x".repeat(39)}😀\\u0000\ufffd`,
      `${"y".repeat(199)}\ufffd…`,
      "\ufffd",
    ]);
    expect(stored[0]!.sentence).toContain(`${"x".repeat(39)}\ufffd…”`);
  });
});

describe("what can be explained is no drift", () => {
  const explained = async (feeds: Feeds, snapshot: SnapshotFile, how = howOf()) => {
    const { report, numbers, state } = await reconcile(snapshot, how);
    expect(numbers).toMatchObject({ drift: 0 });
    expect(state).toBe("clean");
    const before = await world.records(feeds);
    expect(await world.heal(feeds, snapshot, how)).toBeUndefined();
    expect(await world.records(feeds)).toEqual(before);
    return foundIn(report);
  };

  it("a newer file has changed or made the record", async () => {
    const feeds = await world.feeds();
    await world.send(feeds, 1, stocks(5));
    await world.send(feeds, 4, [stock("k1", { quantity: 7 }), stock("new")]);
    const snapshot = await world.snapshot(feeds, 3, stocks(5));
    expect(await explained(feeds, snapshot)).toEqual(["differs k1 (newer-file)", "missing-there new (newer-file)"]);
  });

  it("a newer file has said the record as it is, without a change", async () => {
    const feeds = await world.feeds();
    await world.send(feeds, 1, stocks(5));
    await world.send(feeds, 4, [stock("k1")]);
    const snapshot = await world.snapshot(feeds, 3, [stock("k0"), stock("k1", { quantity: 7 }), ...stocks(5).slice(2)]);
    expect(await explained(feeds, snapshot)).toEqual(["differs k1 (newer-file)"]);
  });

  it("a newer file has retired it", async () => {
    const feeds = await world.feeds("full");
    await world.send(feeds, 1, stocks(5));
    const gone = await world.snapshot(feeds, 4, stocks(5).slice(1));
    await reconcile(gone);
    await world.heal(feeds, gone, howOf());
    await world.sql.query("DELETE FROM drift_reports WHERE feed_id = $1", [feeds.feedId]);
    const snapshot = await world.snapshot(feeds, 3, stocks(5));
    expect(await explained(feeds, snapshot)).toEqual(["missing-here k0 (retired-here)"]);
  });

  it("but not where an older file has retired it: the snapshot knows better, and the file is named", async () => {
    const feeds = await world.feeds("full");
    await world.send(feeds, 1, stocks(5));
    const gone = await world.snapshot(feeds, 2, stocks(5).slice(1));
    await reconcile(gone);
    await world.heal(feeds, gone, howOf());
    const outcome = await reconcile(await world.snapshot(feeds, 3, stocks(5)));
    expect(outcome).toMatchObject({ state: "healing", numbers: { missingHere: 1, drift: 1 } });
    expect((await world.rows(outcome.report))[0]!.sentence).toMatch(
      /^“k0” is in the ERP's list and was retired here\. File \d+ \(as of 2026-01-01 00:02 UTC\) retired it, and the ERP's list is newer\.$/,
    );
  });

  it("it was changed too shortly before a snapshot whose time is that of a mail", async () => {
    const feeds = await world.feeds();
    await world.send(feeds, 1, stocks(5));
    await world.send(feeds, 58, [stock("k1", { quantity: 7 })]);
    const how = howOf({ marginMs: 5 * 60_000 });
    expect(await explained(feeds, await world.snapshot(feeds, 60, stocks(5)), how)).toEqual(["differs k1 (too-close)"]);
    expect((await reconcile(await world.snapshot(feeds, 64, stocks(5)), how)).numbers).toMatchObject({ drift: 1 });
  });

  it("the key is in a file that is held, or on its way", async () => {
    const feeds = await world.feeds();
    await world.send(feeds, 1, stocks(5));
    await world.file(feeds, feeds.feedId, 2, [stock("k1", { quantity: 7 })], { state: "held" });
    await world.file(feeds, feeds.feedId, 2, [stock("new")]);
    const rows = [stock("k0"), stock("k1", { quantity: 7 }), ...stocks(5).slice(2), stock("new")];
    expect(await explained(feeds, await world.snapshot(feeds, 3, rows))).toEqual([
      "differs k1 (held-file)",
      "missing-here new (file-under-way)",
    ]);
  });

  it("a row with the key was rejected lately, in a file of the feed or in the snapshot", async () => {
    const feeds = await world.feeds();
    await world.send(feeds, 1, stocks(5));
    await world.send(feeds, 2, [stock("k0")], { rejected: [{ line: 3, raw: "k1;Bolt;seven;9.5" }] });
    const rows = [stock("k0"), stock("k1", { quantity: 7 }), stock("k3"), stock("k4")];
    const snapshot = await world.snapshot(feeds, 3, rows, { rejected: [{ line: 9, raw: '"k2",Bolt,x' }] });
    expect(await explained(feeds, snapshot)).toEqual(["differs k1 (rejected-row)", "missing-there k2 (rejected-row)"]);
  });

  it("but not where the rejected row names a longer key, or the record has changed since", async () => {
    const feeds = await world.feeds();
    await world.send(feeds, 1, stocks(5), { rejected: [{ line: 3, raw: "k1;Bolt" }] });
    await world.send(feeds, 2, [stock("k1", { quantity: 3 })], { rejected: [{ line: 3, raw: "k22;k2-9;k2.5" }] });
    const rows = [stock("k0"), stock("k1", { quantity: 7 }), stock("k2", { quantity: 7 }), ...stocks(5).slice(3)];
    expect((await reconcile(await world.snapshot(feeds, 3, rows))).numbers).toMatchObject({ drift: 2, explained: {} });
  });

  it("the platform may differ in a field; what else differs in the record is healed without it", async () => {
    const feeds = await world.feeds();
    const how = howOf({ comparison: comparisonOf(STOCK, STOCK, ["name"]) });
    await world.send(feeds, 1, stocks(5));
    await world.sql.query(
      `UPDATE records SET data = data || '{"name": "ours"}' WHERE feed_id = $1 AND natural_key IN ('k1', 'k2')`,
      [feeds.feedId],
    );
    await inject(feeds, "k2", "field of another type");
    await inject(feeds, "k3", "row deleted here");
    const snapshot = await world.snapshot(feeds, 2, stocks(5));
    const { report, numbers } = await reconcile(snapshot, how);
    expect(numbers).toMatchObject({ drift: 2, explained: { "platform-field": 1 } });
    expect(await foundIn(report)).toEqual(["differs k1 (platform-field)", "differs k2", "missing-here k3"]);
    expect(await world.heal(feeds, snapshot, how)).toMatchObject({ merges: true, accepted: 2 });
    const records = await world.records(feeds);
    expect(records.k2).toEqual({ ...stock("k2").record, name: "ours" });
    expect(records.k3).toEqual(stock("k3").record);
    const again = await reconcile(await world.snapshot(feeds, 3, stocks(5)), how);
    expect(again).toMatchObject({ state: "clean", numbers: { explained: { "platform-field": 2 } } });
  });
});

describe("a snapshot with other columns than the feed", () => {
  const SOME = { columns: [column("quantity", "integer"), column("sku", "identifier"), column("bin")], key: ["sku"] };
  const some = (key: string, quantity: number): Row => ({ key, record: { quantity, sku: key, bin: "B1" } });

  it("is compared by the fields that both have, and heals them alone", async () => {
    const feeds = await world.feeds();
    await world.send(feeds, 1, stocks(12));
    await inject(feeds, "k4", "field of another type");
    await inject(feeds, "k5", "row edited here");
    const comparison = comparisonOf(SOME, STOCK);
    expect(comparison).toMatchObject({ hashes: false, fields: ["sku", "quantity"], heals: "fields" });
    const how = howOf({ comparison });
    const rows = stocks(12).map(({ key }) => some(key, 1));
    const snapshot = await world.snapshot(feeds, 2, rows);
    const { report } = await reconcile(snapshot, how);
    expect(await foundIn(report)).toEqual(["differs k4"]);
    expect(await world.heal(feeds, snapshot, how)).toMatchObject({ merges: true, accepted: 1 });
    expect((await world.records(feeds)).k4).toEqual(stock("k4").record);
    expect(await reconcile(await world.snapshot(feeds, 3, rows), how)).toMatchObject({ state: "clean" });
  });

  it("that says all fields of a record leaves it with the hash of its row: the ERP's next file finds it unchanged", async () => {
    const feeds = await world.feeds();
    await world.send(feeds, 1, stocks(12));
    for (const key of ["k4", "k5"]) await inject(feeds, key, "row edited here");
    await inject(feeds, "k6", "row deleted here");
    const turned = { columns: STOCK.columns.toReversed(), key: STOCK.key };
    const how = howOf({ comparison: comparisonOf(turned, STOCK) });
    expect(how.comparison).toMatchObject({ hashes: false, heals: "fields", notCompared: [] });
    const rows = stocks(12).map(({ key, record }) => ({
      key,
      record: Object.fromEntries(Object.entries(record).toReversed()),
    }));
    const snapshot = await world.snapshot(feeds, 2, rows);
    await reconcile(snapshot, how);
    expect(await world.heal(feeds, snapshot, how)).toMatchObject({ accepted: 3 });
    const next = await world.send(feeds, 3, stocks(12));
    expect(await world.one("SELECT inserted, changed, unchanged FROM files WHERE id = $1", [next])).toEqual({
      inserted: 0,
      changed: 0,
      unchanged: 12,
    });
  });

  it("of a feed whose files leave fields out, is compared by values: a record's hash is that of its last statement", async () => {
    const feeds = await world.feeds();
    await world.send(feeds, 1, stocks(4), { merges: true });
    await world.send(feeds, 2, [{ key: "k1", record: { sku: "k1", quantity: 9 } }], { merges: true });
    const target = { ...STOCK, columns: STOCK.columns.map((c) => ({ ...c, blank: "keep" as const })) };
    const comparison = comparisonOf(STOCK, target);
    expect(comparison.hashes).toBe(false);
    const rows = [stock("k0"), stock("k1", { quantity: 9 }), stock("k2"), stock("k3")];
    expect(await reconcile(await world.snapshot(feeds, 3, rows), howOf({ comparison }))).toMatchObject({
      state: "clean",
    });
  });

  it("records from before a column was added are not drift: what is not there is null", async () => {
    const feeds = await world.feeds();
    await world.send(feeds, 1, stocks(6));
    const wider = { ...STOCK, columns: [...STOCK.columns, column("bin")] };
    const how = howOf({ comparison: comparisonOf(wider, wider) });
    const rows = stocks(6).map(({ key }, i) => stock(key, { bin: i === 2 ? "B1" : null }));
    const { report, numbers } = await reconcile(await world.snapshot(feeds, 2, rows), how);
    expect(numbers).toMatchObject({ seal: "hash", drift: 1 });
    expect(await foundIn(report)).toEqual(["differs k2"]);
  });
});

describe("many records", () => {
  /** As they stand after a file of other columns: data as in the snapshot, hashes of another time. */
  const stored = (feeds: Feeds, rows: readonly Row[]) =>
    world.sql.query(
      `INSERT INTO records (order_key, row_hash, file_id, customer_id, feed_id, line, natural_key, data)
       SELECT '00000000-0000-0000-0000-000000000001', md5(random()::text)::uuid, 0, $1, $2, 1, e->>'key', e->'record'
       FROM jsonb_array_elements($3::jsonb) e`,
      [feeds.customerId, feeds.feedId, JSON.stringify(rows)],
    );

  it("whose hashes are all of another time are compared by values, without asking for all of them", async () => {
    const feeds = await world.feeds();
    const many = stocks(11_000);
    await stored(feeds, many);
    await inject(feeds, "k77", "row edited here");
    let answered = 0;
    const counting = {
      query: async <Row>(text: string, params: readonly unknown[]): Promise<Row[]> => {
        const rows = await world.database.query<Row>(text, params);
        answered += JSON.stringify(rows).length;
        return rows;
      },
    };
    const outcome = await reconcileFile(world.deps(counting as never), await world.snapshot(feeds, 2, many), howOf());
    expect(outcome).toMatchObject({ state: "healing", numbers: { seal: "fields", drift: 1 } });
    expect(await foundIn(outcome.report)).toEqual(["differs k77"]);
    expect(answered).toBeLessThan(30_000);
  });

  it("that differ are looked at group by group, each one once", async () => {
    const feeds = await world.feeds();
    const many = stocks(2_500);
    await stored(feeds, many.slice(0, 1_500));
    await world.sql.query("DELETE FROM records WHERE feed_id = $1 AND natural_key IN ('k1', 'k2')", [feeds.feedId]);
    const snapshot = await world.snapshot(feeds, 2, many.slice(500));
    const { numbers } = await reconcileFile(world.deps(world.database, { groupRows: 60 }), snapshot, howOf());
    expect(numbers).toMatchObject({ records: 1_498, missingHere: 1_000, missingThere: 498, differs: 0, drift: 1_498 });
  });
});

describe("drift above the limits", () => {
  it("waits, with the reasons, and heals only after its release", async () => {
    const feeds = await world.feeds();
    await world.send(feeds, 1, stocks(20));
    for (const key of ["k1", "k2", "k3", "k4", "k5"]) await inject(feeds, key, "row edited here");
    const how = howOf({ limits: { maxRows: 4, maxShare: 0.2 } });
    const snapshot = await world.snapshot(feeds, 2, stocks(20));
    const outcome = await reconcile(snapshot, how);
    expect(outcome).toMatchObject({
      state: "waiting",
      reasons: ["5 rows, more than 4", "25 % of 20 records, more than 20 %"],
    });
    expect(await world.heal(feeds, snapshot, how)).toBeUndefined();
    const decide = (to: "released" | "rejected") => decideDrift(world.deps(), outcome.report, to, "op", null);
    expect(await decide("released")).toBe("released");
    expect(await world.heal(feeds, snapshot, how)).toMatchObject({ accepted: 5 });
    expect(await decide("rejected")).toBe("healed");
    expect(await world.records(feeds)).toEqual(expectedRecords(stocks(20)));
  });

  it("a snapshot without rows waits, whatever the limits say", async () => {
    const feeds = await world.feeds();
    await world.send(feeds, 1, stocks(2));
    expect(await reconcile(await world.snapshot(feeds, 2, []))).toMatchObject({
      state: "waiting",
      reasons: ["the snapshot has no rows, and the feed 2 records"],
    });
  });

  it("nothing is retired by itself where rows of the snapshot could not be read", async () => {
    const feeds = await world.feeds();
    await world.send(feeds, 1, stocks(8));
    const snapshot = await world.snapshot(feeds, 2, stocks(7), { rejected: [{ line: 9, raw: ";;broken" }] });
    expect(await reconcile(snapshot)).toMatchObject({
      state: "waiting",
      reasons: ["1 of its rows could not be read, and what it lacks (1) may be among them"],
    });
  });

  it("is counted in full, and stored as far as people read", async () => {
    const feeds = await world.feeds();
    const many = stocks(1_300);
    const { report, numbers } = await reconcile(
      await world.snapshot(feeds, 2, many),
      howOf({ limits: { ...WIDE, maxRows: 9 } }),
    );
    expect(numbers).toMatchObject({ missingHere: 1_300, drift: 1_300 });
    expect(await world.report(report)).toMatchObject({ state: "waiting", missing_here: 1_300, rows: 1_000 });
  });
});

describe("a feed without a snapshot", () => {
  it("is held against its own last full file: what was done to its records since is found and healed", async () => {
    const feeds = await world.feeds("full");
    const own = { ...feeds, snapshotFeedId: feeds.feedId };
    const full = await world.snapshot(own, 1, stocks(30));
    const { delivery } = await world.one<{ delivery: string }>(
      "SELECT delivery_id AS delivery FROM files WHERE id = $1",
      [full.id],
    );
    await world.apply(full.id, delivery);
    const expected = [
      ...(await inject(feeds, "k3", "row edited here")),
      ...(await inject(feeds, "k4", "row deleted here")),
      ...(await inject(feeds, "k5", "extra row")),
    ];
    const { report, state } = await reconcile(full);
    expect(state).toBe("healing");
    expect(await foundIn(report)).toEqual(expected.sort());
    await world.heal(feeds, full, howOf());
    expect(await world.records(feeds)).toEqual(expectedRecords(stocks(30)));
  });
});

describe("the same snapshot again", () => {
  it("finds the report of the first time, whatever has happened since", async () => {
    const feeds = await world.feeds();
    await world.send(feeds, 1, stocks(6));
    await inject(feeds, "k1", "row deleted here");
    const snapshot = await world.snapshot(feeds, 2, stocks(6));
    const first = await reconcile(snapshot);
    await inject(feeds, "k2", "row deleted here");
    expect(await reconcile(snapshot)).toEqual({
      report: first.report,
      state: "healing",
      numbers: undefined,
      reasons: [],
    });
    expect(await foundIn(first.report)).toEqual(["missing-here k1"]);
  });

  it("run by two workers at once makes one report", async () => {
    const feeds = await world.feeds();
    await world.send(feeds, 1, stocks(6));
    await inject(feeds, "k1", "row deleted here");
    const snapshot = await world.snapshot(feeds, 2, stocks(6));
    const [a, b] = await Promise.all([reconcile(snapshot), reconcile(snapshot)]);
    expect(a!.report).toBe(b!.report);
    expect([a!.state, b!.state]).toEqual(["healing", "healing"]);
    expect(await foundIn(a!.report)).toEqual(["missing-here k1"]);
  });

  it("after a death at any statement goes on to the same report", async () => {
    const feeds = await world.feeds();
    await world.send(feeds, 1, stocks(12));
    for (const [i, name] of EDIT_NAMES.entries()) await inject(feeds, `k${i}`, name);
    const count = async (dieAt: number, snapshot: SnapshotFile) => {
      let statements = 0;
      const dying = {
        query: async <Row>(text: string, params: readonly unknown[]): Promise<Row[]> => {
          if (++statements === dieAt) throw new Error("died");
          return world.database.query<Row>(text, params);
        },
      };
      const outcome = await reconcileFile(world.deps(dying as never), snapshot, howOf()).catch(() => undefined);
      return { statements, outcome };
    };
    const { statements, outcome } = await count(0, await world.snapshot(feeds, 2, stocks(12)));
    const whole = await foundIn(outcome!.report);
    expect(whole.length).toBe(9);
    for (let at = 1; at <= statements; at++) {
      const snapshot = await world.snapshot(feeds, 2 + at, stocks(12));
      expect((await count(at, snapshot)).outcome).toBeUndefined();
      const { report } = await reconcile(snapshot);
      expect(await foundIn(report)).toEqual(whole);
      const { reports } = await world.one<{ reports: number }>(
        "SELECT count(*)::int AS reports FROM drift_reports WHERE file_id = $1",
        [snapshot.id],
      );
      expect(reports).toBe(1);
    }
  });

  it("behind a newer one that was compared is late: it says nothing of today", async () => {
    const feeds = await world.feeds();
    await world.send(feeds, 1, stocks(3));
    const old = await world.snapshot(feeds, 2, []);
    expect(await reconcile(await world.snapshot(feeds, 3, stocks(3)))).toMatchObject({ state: "clean" });
    expect(await reconcile(old)).toMatchObject({ state: "late", numbers: undefined });
  });

  it("of one customer is not compared with a feed of another", async () => {
    const feeds = await world.feeds();
    const other = await world.feeds();
    const snapshot = await world.snapshot(feeds, 1, stocks(1));
    await expect(reconcile({ ...snapshot, feedId: other.feedId })).rejects.toMatchObject({ code: "file-missing" });
  });
});
