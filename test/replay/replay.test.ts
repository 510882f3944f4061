/** Deliveries that have landed are read again from the archive, over the API and through the whole Worker. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { withVersion } from "../../src/domain/adapter.ts";
import { mappingSchema } from "../../src/domain/feed-version.ts";
import { force } from "../support/force-state.ts";
import { csv, feedsOf } from "./feeds.ts";
import { dataOf, day, dump, orders, replayed, reportOf, START, start, stock, threeDays } from "./scene.ts";
import { World } from "./world.ts";

let world: World;
const others: World[] = [];
beforeEach(async () => {
  world = await World.open(feedsOf("alder", "birch", "cedar"), START);
});
afterEach(async () => {
  for (const one of [world, ...others.splice(0)]) await one.close();
});

/** The same archive, and a database that knows nothing. */
async function withEmptyDatabase(): Promise<World> {
  const empty = await World.open(world.feeds, world.nowMs, world.bucket);
  others.push(empty);
  return empty;
}

/** The mapping of the orders with another name for a column. */
const RENAMED = {
  columns: [
    { name: "sku", source: { header: "sku" }, type: "identifier", blank: "reject" },
    { name: "qty", source: { header: "qty" }, type: "integer" },
    { name: "remark", source: { header: "note" }, type: "text" },
  ],
  key: ["sku"],
};

describe("a replay over what is there", () => {
  it("reads everything again and changes nothing", async () => {
    await threeDays(world);
    const before = await dump(world);
    const report = await replayed(world, { all: true });
    expect(report).toMatchObject({
      state: "done",
      progress: { deliveries: { total: 6, done: 6 }, remaining_seconds: null },
      totals: { files: 6, held: 0, rejected: 0, dead: 0, inserted: 0, changed: 0, retired: 0, accepted: 14 },
      left_out: [],
    });
    expect(await dump(world)).toEqual(before);
  });

  it("leaves deliveries and files that came as they are, and adds its own beside them, once", async () => {
    await threeDays(world);
    const rows = () =>
      world.rows(
        "SELECT d.state, d.updated_at, d.attempts, f.state AS file, f.updated_at AS touched FROM deliveries d JOIN files f ON f.delivery_id = d.id AND f.cause = 'delivery' ORDER BY d.id",
      );
    const before = await rows();
    world.doubles = true;
    const report = await replayed(world, { customer: "alder" });
    expect(await rows()).toEqual(before);
    expect(
      await world.rows(
        "SELECT state, count(*)::int AS n FROM files WHERE cause = 'replay' AND replay_id = $1 GROUP BY 1",
        [report.id],
      ),
    ).toEqual([{ state: "applied", n: 3 }]);
  });

  it("brings back what somebody broke by hand, as a version of the file that said it last", async () => {
    await threeDays(world);
    await world.rows("UPDATE records SET data = data || '{\"qty\": 99}' WHERE natural_key = 'x'");
    await world.rows("DELETE FROM records WHERE natural_key = 'y1'");
    const report = await replayed(world, { customer: "birch", feed: "orders" });
    expect(report.totals).toMatchObject({ inserted: 1, changed: 1 });
    expect(await dataOf(world, "birch")).toContainEqual({ key: "x", data: { sku: "x", qty: 2, note: null } });
  });

  it("is of what was asked for alone: a delivery, a feed since a day, a customer", async () => {
    await threeDays(world);
    const [first] = await world.rows<{ id: string }>("SELECT id FROM deliveries ORDER BY received_at, raw_key LIMIT 1");
    const feeds = async (body: object) => {
      const { feeds: touched, progress } = await replayed(world, body);
      return [touched.map(({ feed }) => feed), progress.deliveries.done];
    };
    expect(await feeds({ delivery: first!.id })).toEqual([["alder/stock"], 1]);
    expect(await feeds({ customer: "birch", feed: "orders", since: "2026-06-02" })).toEqual([["birch/orders"], 2]);
    expect(await feeds({ customer: "birch", since: "2026-06-03T08:00:00Z" })).toEqual([["birch/orders"], 1]);
    expect(await feeds({ customer: "alder" })).toEqual([["alder/stock"], 3]);
  });

  it("honours what was decided: what is refused, held, unproven or an automatic answer stays that", async () => {
    for (const n of [0, 1, 2]) {
      await stock(world, n, csv([["a", n]]));
      await world.drain();
    }
    const decided = (state: string, n: number) =>
      force(world.database.sql, "UPDATE files SET state = $1, failure = '{}', applied_at = NULL WHERE as_of = $2", [
        state,
        day(n).toISOString(),
      ]);
    await decided("held", 0);
    await decided("rejected", 1);
    await world.mail({
      customer: "alder",
      feed: "stock",
      name: "stock-3.csv",
      text: csv([["a", 3]]),
      at: day(3),
      from: "who@else.example",
    });
    await world.mail({
      customer: "alder",
      feed: "stock",
      name: "away.csv",
      text: "x",
      at: day(4),
      headers: { "Auto-Submitted": "auto-replied" },
    });
    await world.mail({ customer: "alder", feed: "stock", name: "other.txt", text: "no file of the feed", at: day(4) });
    await world.drain();
    const report = await replayed(world, { customer: "alder" });
    expect(report.progress.deliveries).toMatchObject({ total: 6, done: 3, skipped: 3 });
    expect(report.totals.files).toBe(1);
    expect(Object.fromEntries(report.left_out.map(({ reason, deliveries }) => [reason, deliveries]))).toEqual({
      "not-proven": 1,
      automatic: 1,
      rejected: 1,
    });
    expect((await dataOf(world, "alder"))[0]).toMatchObject({ data: { qty: 2 } });
  });
});

describe("while a replay goes on", () => {
  it("mail lands as ever, and what it says stands; what came meanwhile is left to itself", async () => {
    await threeDays(world);
    const { id } = await start(world, { all: true });
    await stock(
      world,
      5,
      csv([
        ["a", 5],
        ["d", 1],
      ]),
    );
    await orders(world, 5, csv([["x", 5]]));
    const late = await start(world, { customer: "birch" });
    world.pick = (count) => count - 1;
    await world.drain();
    await world.cron(30);
    await world.drain();
    await world.cron(30);
    expect(await reportOf(world, id)).toMatchObject({ state: "done", totals: { inserted: 0, changed: 0, retired: 0 } });
    expect(await reportOf(world, late.id)).toMatchObject({ state: "done", totals: { inserted: 0, changed: 0 } });
    expect(await dataOf(world, "alder")).toMatchObject([{ key: "a", data: { qty: 5 } }, { key: "d" }]);
    expect(await dataOf(world, "birch")).toContainEqual({ key: "x", data: { sku: "x", qty: 5, note: null } });
  });
});

describe("a replay into an empty database", () => {
  it("makes the same records, and the sweep does not get in its way", async () => {
    await threeDays(world);
    const empty = await withEmptyDatabase();
    const { id } = await start(empty, { all: true });
    await empty.cron(60);
    expect(await empty.rows("SELECT count(*)::int AS n FROM strays")).toEqual([{ n: 6 }]);
    expect(empty.queue.filter(({ body }) => body.replay !== id)).toEqual([]);
    await empty.drain();
    await empty.cron(60);
    expect(await reportOf(empty, id)).toMatchObject({ state: "done", progress: { deliveries: { done: 6 } } });
    expect(await dump(empty)).toEqual(await dump(world));
    expect(await empty.rows("SELECT raw_key FROM strays")).toEqual([]);
  });

  it("goes in the order of their mails' dates where only the names of files say more", async () => {
    const mail = (n: number, arrivedAt: Date) => {
      const name = `orders-${day(n).toISOString().slice(0, 10).replaceAll("-", "")}.csv`;
      return world.mail({ customer: "birch", feed: "orders", name, text: csv([["x", n]]), at: day(n), arrivedAt });
    };
    for (const [n, arrived] of [
      [2, 3],
      [0, 4],
      [1, 5],
    ] as const)
      await mail(n, day(arrived));
    const empty = await withEmptyDatabase();
    await replayed(empty, { all: true });
    expect(await empty.rows("SELECT version, data->'qty' AS qty FROM records")).toEqual([{ version: 3, qty: 2 }]);
  });

  it("goes in the order of as-of, not of arrival", async () => {
    await stock(world, 5, csv([["a", 5]]));
    await world.mail({
      customer: "alder",
      feed: "stock",
      name: "stock-4.csv",
      text: csv([["a", 4]]),
      at: day(4),
      arrivedAt: day(6),
    });
    const empty = await withEmptyDatabase();
    await replayed(empty, { all: true });
    expect(await empty.rows("SELECT version, data->'qty' AS qty FROM records")).toEqual([{ version: 2, qty: 5 }]);
  });
});

describe("what a replay finds unproven in an empty database", () => {
  it("is kept, not read, and told of", async () => {
    await world.mail({
      customer: "alder",
      feed: "stock",
      name: "stock-1.csv",
      text: csv([["a", 1]]),
      at: day(1),
      from: "who@else.example",
    });
    await world.mail({ customer: "alder", feed: "stock", name: "other.txt", text: "no file of the feed", at: day(2) });
    const empty = await withEmptyDatabase();
    const report = await replayed(empty, { all: true });
    expect(report).toMatchObject({ state: "done", progress: { deliveries: { done: 0, skipped: 2 } } });
    expect(report.left_out.map(({ reason }) => reason).sort()).toEqual(["not-proven", "rejected"]);
    expect(await empty.rows("SELECT state FROM deliveries ORDER BY 1")).toEqual([
      { state: "quarantined" },
      { state: "rejected" },
    ]);
  });
});

describe("a shadow", () => {
  it("changes nothing and says the very numbers that the real one then does", async () => {
    await threeDays(world);
    await world.rows("UPDATE records SET data = data || '{\"qty\": 99}' WHERE natural_key IN ('x', 'b')");
    await world.rows("DELETE FROM records WHERE natural_key = 'y1'");
    const before = await dump(world);
    const told = await replayed(world, { all: true, shadow: true });
    expect(await dump(world)).toEqual(before);
    expect(told.totals).toMatchObject({ files: 6, inserted: 1, changed: 2, retired: 0 });
    const done = await replayed(world, { all: true });
    expect(done.totals).toEqual(told.totals);
    expect(done.feeds).toEqual(told.feeds);
  });

  it("says nothing of what the database does not know, and says so", async () => {
    await threeDays(world);
    const empty = await withEmptyDatabase();
    const told = await replayed(empty, { all: true, shadow: true });
    expect(told).toMatchObject({
      state: "done",
      totals: { files: 0 },
      left_out: [{ reason: "not-here", deliveries: 6 }],
    });
    expect(await empty.rows("SELECT id FROM deliveries")).toEqual([]);
  });
});

describe("a replay under a named mapping", () => {
  const drafted = async (): Promise<number> => {
    const { status, body } = await world.http<{ version: number }>("POST", "/v1/feeds/birch/orders/mapping/drafts", {
      mapping: RENAMED,
    });
    expect({ status, body }).toMatchObject({ status: 201 });
    return body.version;
  };

  it("makes what a fresh load under it makes; a shadow has said how much, and the active version stays", async () => {
    await threeDays(world);
    const mapping = await drafted();
    const told = await replayed(world, { customer: "birch", feed: "orders", mapping, shadow: true });
    const done = await replayed(world, { customer: "birch", feed: "orders", mapping });
    expect(told.totals).toMatchObject({ changed: 4, inserted: 0, rejected: 0, held: 0 });
    expect(done.totals).toEqual(told.totals);
    const fresh = await World.open(
      feedsOf("birch").map((feed) => withVersion({ ...feed, columns: mappingSchema.parse(RENAMED).columns })),
      world.nowMs,
      world.bucket,
    );
    others.push(fresh);
    await replayed(fresh, { all: true });
    expect(await dataOf(world, "birch")).toEqual(await dataOf(fresh, "birch"));
    expect((await dataOf(world, "birch"))[0]!.data).toHaveProperty("remark");
    expect(
      await world.rows(
        "SELECT version FROM feed_versions WHERE kind = 'mapping' AND state = 'active' AND feed_id = (SELECT id FROM feeds WHERE slug = 'orders')",
      ),
    ).toEqual([{ version: 1 }]);
  });

  it("of a full feed makes what a fresh load under it makes, what it had retired included", async () => {
    await threeDays(world);
    const key = {
      ...RENAMED,
      columns: RENAMED.columns.map((column) =>
        column.name === "sku" ? { ...column, source: { header: "sku" }, name: "article" } : column,
      ),
      key: ["article"],
    };
    const drafted = await world.http<{ version: number }>("POST", "/v1/feeds/alder/stock/mapping/drafts", {
      mapping: key,
    });
    expect(drafted.status).toBe(201);
    const scope = { customer: "alder", feed: "stock", mapping: drafted.body.version };
    const told = await replayed(world, { ...scope, shadow: true });
    const done = await replayed(world, scope);
    // Only what the last list says is read by it: the lists before it are late.
    expect(told.totals).toMatchObject({ changed: 2, stale: 6, retired: 0, held: 0 });
    expect(done.totals).toEqual(told.totals);
    const fresh = await World.open(
      feedsOf("alder").map((feed) => withVersion({ ...feed, ...mappingSchema.parse(key) })),
      world.nowMs,
      world.bucket,
    );
    others.push(fresh);
    await replayed(fresh, { all: true });
    expect(await dataOf(world, "alder")).toEqual(await dataOf(fresh, "alder"));
  });

  it("or format that is the active one changes nothing", async () => {
    await threeDays(world);
    const before = await dump(world);
    const report = await replayed(world, { customer: "birch", feed: "orders", profile: 1, mapping: 1 });
    expect(report.totals).toMatchObject({ files: 3, changed: 0, rejected: 0, held: 0 });
    expect(await dump(world)).toEqual(before);
  });

  it("that does not exist, or without a feed, is refused before anything is done", async () => {
    await threeDays(world);
    const missing = await world.http<{ detail: string }>("POST", "/v1/replays", {
      customer: "birch",
      feed: "orders",
      mapping: 7,
    });
    expect(missing).toMatchObject({
      status: 422,
      body: { detail: "The feed birch/orders has no version 7 of its mapping." },
    });
    const everywhere = await world.http<{ faults: object[] }>("POST", "/v1/replays", { all: true, mapping: 1 });
    expect(everywhere).toMatchObject({ status: 400, body: { faults: [{ path: "mapping" }] } });
    expect(await world.rows("SELECT id FROM replays")).toEqual([]);
  });
});
