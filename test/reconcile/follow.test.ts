/** What follows from a report, through the statements of the product: every step may die, and be done twice at once. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Adapter, defineFeed } from "../../src/domain/adapter.ts";
import { failure } from "../../src/domain/failures.ts";
import type { ApplyFile } from "../../src/domain/messages.ts";
import { composeMessage } from "../../src/notify/compose.ts";
import { carryOn } from "../../src/reconcile/carry-on.ts";
import { checkFeed, compareSnapshot } from "../../src/reconcile/compare-file.ts";
import { checksDue } from "../../src/reconcile/compared.ts";
import type { DriftDeps } from "../../src/reconcile/deps.ts";
import { expire, follow } from "../../src/reconcile/follow.ts";
import { decideDrift, storedReport } from "../../src/reconcile/reports.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { type Feeds, STOCK, stocks, type World, worldOn } from "./world.ts";

let own: FreshDatabase;
let world: World;
beforeAll(async () => {
  own = await freshDatabase();
  world = worldOn(own.connectionString);
});
afterAll(() => own.drop());

/** A feed with these records, its snapshot feed and what is sent and raised about them. */
async function scene(count: number, limits: { maxRows: number; maxShare: number } = { maxRows: 5, maxShare: 1 }) {
  const feeds = await world.feeds();
  await world.send(feeds, 1, stocks(count));
  const [{ slug: customer }] = (await world.sql.query("SELECT slug FROM customers WHERE id = $1", [
    feeds.customerId,
  ])) as [{ slug: string }];
  const base = {
    customer,
    customerTitle: "Acme",
    title: "Stock",
    intake: { policy: "trust-address" as const, senders: ["@acme.example"] },
    file: { charset: "utf-8" as const, delimiter: ";", header: true },
    columns: [...STOCK.columns],
    key: [...STOCK.key],
  };
  const adapters: Adapter[] = [
    defineFeed({ ...base, feed: "stock", mode: "delta", contact: "stock@acme.example" }),
    defineFeed({ ...base, feed: "stock-now", mode: "snapshot", reconciles: { feed: "stock", ...limits } }),
  ];
  const sent: ApplyFile[] = [];
  const alerts = new Set<string>();
  const deps = (more: Partial<DriftDeps> = {}): DriftDeps => ({
    ...world.deps(),
    now: Date.now,
    feeds: adapters,
    putChunk: async (fileId, version, entry, bytes) => world.put(fileId, version, entry, bytes),
    enqueueApply: async (message) => void sent.push(message),
    compose: composeMessage,
    alarm: {
      raise: async ({ kind, subject }) => void alerts.add(`${kind} ${subject}`),
      clear: async (kind, subject) => void alerts.delete(`${kind} ${subject}`),
    },
    ...more,
  });
  const reportOf = async (file: string) =>
    await world.one<{ id: string; state: string; note: string | null }>(
      "SELECT id::text, state, note FROM drift_reports WHERE file_id = $1",
      [file],
    );
  const applySent = async () => {
    for (const { fileId, correlationId } of sent.splice(0)) await world.apply(fileId, correlationId);
  };
  const mails = () =>
    world.database.query<{ key: string; recipient: string }>(
      "SELECT key, recipient FROM notifications WHERE feed_id = $1 ORDER BY key",
      [feeds.feedId],
    );
  return { feeds, customer, sent, alerts, deps, reportOf, applySent, mails };
}

const lose = (feeds: Feeds, keys: readonly string[]) =>
  world.database.query("DELETE FROM records WHERE feed_id = $1 AND natural_key = ANY ($2::text[])", [
    feeds.feedId,
    keys,
  ]);

/** Dies at its `dieAt`th statement, before it or after it. */
function dying(deps: DriftDeps, dieAt: number, after: boolean): DriftDeps & { statements(): number } {
  let n = 0;
  return {
    ...deps,
    statements: () => n,
    database: {
      async query<Row>(text: string, params: readonly unknown[]) {
        const dies = ++n === dieAt;
        if (dies && !after) throw new Error("died");
        const rows = await deps.database.query<Row>(text, params);
        if (dies) throw new Error("died");
        return rows;
      },
    },
  };
}

describe("drift within the limits", () => {
  it("is healed by a file of the feed with the snapshot's delivery and place, silent about all others", async () => {
    const { feeds, deps, reportOf, applySent } = await scene(9);
    await lose(feeds, ["k1", "k2"]);
    const snapshot = await world.snapshot(feeds, 2, stocks(9));
    await compareSnapshot(deps(), snapshot.id);
    const { id, state } = await reportOf(snapshot.id);
    expect(state).toBe("healing");
    await applySent();
    expect(await reportOf(snapshot.id)).toMatchObject({ state: "healed" });
    expect(Object.keys(await world.records(feeds))).toHaveLength(9);
    const [healing] = await world.database.query(
      `SELECT h.cause, h.complete, h.state, h.feed_id, h.delivery_id = s.delivery_id AS same_delivery, h.order_key = s.order_key AS same_place,
         h.inserted, h.accepted, h.lines FROM drift_reports d JOIN files h ON h.id = d.healing_file_id JOIN files s ON s.id = d.file_id
       WHERE d.id = $1`,
      [id],
    );
    expect(healing).toEqual({
      cause: "reconcile",
      complete: false,
      state: "applied",
      feed_id: feeds.feedId,
      same_delivery: true,
      same_place: true,
      inserted: 2,
      accepted: 2,
      lines: 2,
    });
  });

  it.each([false, true])("heals to the same end wherever it dies (after the statement: %s)", async (after) => {
    for (let at = 1; ; at++) {
      const { feeds, deps, reportOf, applySent } = await scene(6);
      await lose(feeds, ["k1"]);
      await world.database.query(
        "UPDATE records SET data = jsonb_set(data, '{quantity}', '9') WHERE feed_id = $1 AND natural_key = 'k2'",
        [feeds.feedId],
      );
      await world.database.query(
        `INSERT INTO records (customer_id, feed_id, natural_key, row_hash, data, order_key, line, file_id)
         SELECT customer_id, feed_id, 'extra', gen_random_uuid(), data, order_key, 1, file_id FROM records
         WHERE feed_id = $1 AND natural_key = 'k3'`,
        [feeds.feedId],
      );
      const snapshot = await world.snapshot(feeds, 2, stocks(6));
      const once = dying(deps(), at, after);
      const died = await compareSnapshot(once, snapshot.id).then(
        () => false,
        () => true,
      );
      await compareSnapshot(deps(), snapshot.id);
      await applySent();
      expect(await reportOf(snapshot.id), `died at ${at}`).toMatchObject({ state: "healed" });
      expect(Object.keys(await world.records(feeds)).sort()).toEqual(stocks(6).map(({ key }) => key));
      expect(await world.one("SELECT state FROM files WHERE id = $1", [snapshot.id])).toEqual({ state: "compared" });
      const files = await world.database.query("SELECT 1 FROM files WHERE feed_id = $1 AND cause = 'reconcile'", [
        feeds.feedId,
      ]);
      expect(files).toHaveLength(1);
      const again = await world.snapshot(feeds, 3, stocks(6));
      await compareSnapshot(deps(), again.id);
      expect(await reportOf(again.id)).toMatchObject({ state: "clean" });
      if (!died) return;
    }
  });

  it("two workers at once make one file, and no chunk of one is read with the list of the other", async () => {
    const { feeds, deps, reportOf, applySent, sent } = await scene(9);
    await lose(feeds, ["k1", "k2"]);
    const snapshot = await world.snapshot(feeds, 2, stocks(9));
    const chunks: number[] = [];
    const writing = deps({
      putChunk: async (file, version, entry, bytes) => {
        chunks.push(entry.n);
        world.put(file, version, entry, bytes);
      },
    });
    await Promise.all([compareSnapshot(writing, snapshot.id), compareSnapshot(writing, snapshot.id)]);
    const files = await world.database.query("SELECT 1 FROM files WHERE feed_id = $1 AND cause = 'reconcile'", [
      feeds.feedId,
    ]);
    expect(files).toHaveLength(1);
    expect(new Set(chunks).size).toBe(chunks.length);
    expect(sent.length).toBeGreaterThan(0);
    await applySent();
    expect(await reportOf(snapshot.id)).toMatchObject({ state: "healed" });
    expect(Object.keys(await world.records(feeds))).toHaveLength(9);
  });

  it("that is gone by the time it is released is healed by a file without rows", async () => {
    const { feeds, deps, reportOf, applySent } = await scene(9, { maxRows: 1, maxShare: 1 });
    await lose(feeds, ["k1", "k2"]);
    const snapshot = await world.snapshot(feeds, 2, stocks(9));
    await compareSnapshot(deps(), snapshot.id);
    await world.send(feeds, 3, stocks(9));
    const { id } = await reportOf(snapshot.id);
    await decideDrift(deps(), id, "released", "operator", null);
    await follow(deps(), id);
    await applySent();
    expect(await reportOf(snapshot.id)).toMatchObject({ state: "healed" });
  });

  it("that is more by the time it is healed than heals by itself is given up, and the next list is asked anew", async () => {
    const { feeds, deps, reportOf, sent } = await scene(9, { maxRows: 2, maxShare: 1 });
    await lose(feeds, ["k1"]);
    const snapshot = await world.snapshot(feeds, 2, stocks(9));
    const dead = deps({ putChunk: () => Promise.reject(failure("storage-unavailable", { reason: "test" })) });
    await expect(compareSnapshot(dead, snapshot.id)).rejects.toMatchObject({ code: "storage-unavailable" });
    const { id } = await reportOf(snapshot.id);
    await lose(
      feeds,
      stocks(9).map(({ key }) => key),
    );
    expect(await follow(deps(), id)).toBe("rejected");
    expect((await reportOf(snapshot.id)).note).toBe("more differs now than when it was compared: 9 rows, more than 2");
    expect([sent, await world.records(feeds)]).toEqual([[], {}]);
    const next = await world.snapshot(feeds, 3, stocks(9));
    await compareSnapshot(deps(), next.id);
    expect(await reportOf(next.id)).toMatchObject({ state: "waiting" });
  });

  it("that is more by the time it is healed than what was released is given up", async () => {
    const { feeds, deps, reportOf, sent } = await scene(9, { maxRows: 0, maxShare: 1 });
    await lose(feeds, ["k1"]);
    const snapshot = await world.snapshot(feeds, 2, stocks(9));
    await compareSnapshot(deps(), snapshot.id);
    const { id } = await reportOf(snapshot.id);
    await decideDrift(deps(), id, "released", "operator", null);
    await lose(feeds, ["k2", "k3", "k4"]);
    expect(await follow(deps(), id)).toBe("rejected");
    expect((await reportOf(snapshot.id)).note).toBe("more differs now (4, 0 to be retired) than what was released (1)");
    expect(sent).toEqual([]);
  });

  it("is given up, and said, where its file was refused, or the feed is described otherwise by then", async () => {
    const { feeds, deps, reportOf, sent } = await scene(9);
    await lose(feeds, ["k1"]);
    const snapshot = await world.snapshot(feeds, 2, stocks(9));
    await compareSnapshot(deps(), snapshot.id);
    const { fileId } = sent[0]!;
    await world.database.query("UPDATE files SET state = 'held', failure = '{}' WHERE id = $1", [fileId]);
    await world.database.query("UPDATE files SET state = 'rejected' WHERE id = $1", [fileId]);
    const { id } = await reportOf(snapshot.id);
    expect(await follow(deps(), id)).toBe("rejected");
    expect((await reportOf(snapshot.id)).note).toContain("refused");

    const other = await scene(9, { maxRows: 0, maxShare: 1 });
    await lose(other.feeds, ["k1"]);
    const waiting = await world.snapshot(other.feeds, 2, stocks(9));
    await compareSnapshot(other.deps(), waiting.id);
    const report = await other.reportOf(waiting.id);
    await decideDrift(other.deps(), report.id, "released", "operator", null);
    const dead = other.deps({ putChunk: () => Promise.reject(failure("storage-unavailable", { reason: "test" })) });
    await expect(follow(dead, report.id)).rejects.toMatchObject({ code: "storage-unavailable" });
    const narrower = other.deps().feeds.map((feed) => ({ ...feed, columns: feed.columns!.slice(0, 2) }));
    expect(await follow(other.deps({ feeds: narrower }), report.id)).toBe("rejected");
    expect((await other.reportOf(waiting.id)).note).toContain("described otherwise");
    expect(Object.keys(await world.records(other.feeds))).toHaveLength(8);
    expect(
      await world.one("SELECT state, failure->>'code' AS code FROM files WHERE feed_id = $1 AND cause = 'reconcile'", [
        other.feeds.feedId,
      ]),
    ).toEqual({ state: "rejected", code: "healing-given-up" });
  });
});

describe("a list whose end may be missing, and that was let go", () => {
  it("heals what it says, and retires nothing for what it lacks", async () => {
    const { feeds, deps, reportOf, applySent } = await scene(9);
    await lose(feeds, ["k1"]);
    const snapshot = await world.snapshot(feeds, 2, stocks(7));
    await world.database.query("UPDATE files SET complete = false WHERE id = $1", [snapshot.id]);
    await compareSnapshot(deps(), snapshot.id);
    await applySent();
    const { id } = await reportOf(snapshot.id);
    expect(await world.report(id)).toMatchObject({ state: "healed", drift: 1, explained: { "unread-rows": 2 } });
    expect(Object.keys(await world.records(feeds))).toHaveLength(9);
  });
});

describe("a snapshot that is read again from the archive", () => {
  it("says nothing of today: it is not compared, and nobody is told", async () => {
    const { feeds, deps, mails, alerts } = await scene(9, { maxRows: 0, maxShare: 1 });
    await lose(feeds, ["k1"]);
    const snapshot = await world.snapshot(feeds, 2, stocks(9));
    await compareSnapshot(deps(), snapshot.id, true);
    expect(await world.one("SELECT state, comparison FROM files WHERE id = $1", [snapshot.id])).toEqual({
      state: "compared",
      comparison: { skipped: "replay" },
    });
    expect(await world.database.query("SELECT 1 FROM drift_reports WHERE file_id = $1", [snapshot.id])).toEqual([]);
    expect([await mails(), [...alerts]]).toEqual([[], []]);
  });
});

describe("drift that is released", () => {
  it("while a newer list is compared is given up: what the newer one found to be right is not undone", async () => {
    const { feeds, deps, reportOf } = await scene(9, { maxRows: 0, maxShare: 1 });
    const [first, ...others] = stocks(9);
    const old = await world.snapshot(feeds, 2, [{ ...first!, record: { ...first!.record, quantity: 7 } }, ...others]);
    await compareSnapshot(deps(), old.id);
    const { id } = await reportOf(old.id);
    await decideDrift(deps(), id, "released", "operator", null);
    const newer = await world.snapshot(feeds, 3, stocks(9));
    await compareSnapshot(deps(), newer.id);
    expect(await reportOf(newer.id)).toMatchObject({ state: "clean" });
    expect(await follow(deps(), id)).toBe("rejected");
    expect((await reportOf(old.id)).note).toContain("a newer list was compared");
    expect((await world.records(feeds)).k0).toMatchObject({ quantity: 1 });
  });

  it("and found by a newer one at the same moment is decided once", async () => {
    const { feeds, deps, reportOf, alerts, customer } = await scene(9, { maxRows: 0, maxShare: 1 });
    await lose(feeds, ["k1"]);
    const old = await world.snapshot(feeds, 2, stocks(9));
    await compareSnapshot(deps(), old.id);
    const { id } = await reportOf(old.id);
    const newer = await world.snapshot(feeds, 3, stocks(9));
    await Promise.all([decideDrift(deps(), id, "released", "operator", null), compareSnapshot(deps(), newer.id)]);
    const audited = await world.database.query("SELECT 1 FROM audit_log WHERE subject = $1", [`drift report ${id}`]);
    expect(audited).toHaveLength(1);
    expect(await reportOf(newer.id)).toMatchObject({ state: "waiting" });
    await follow(deps(), id);
    expect(await reportOf(old.id)).toMatchObject({ state: "rejected" });
    expect([...alerts], "the newer one still waits").toEqual([`drift-waits ${customer}/stock`]);
  });
});

describe("drift above the limits", () => {
  it("is told once to the operator and once to the contact, wherever the telling dies", async () => {
    for (let at = 1; ; at++) {
      const { feeds, deps, reportOf, mails, alerts, customer, sent } = await scene(8, { maxRows: 1, maxShare: 1 });
      await lose(feeds, ["k1", "k2"]);
      const snapshot = await world.snapshot(feeds, 2, stocks(8));
      const died = await compareSnapshot(dying(deps(), at, true), snapshot.id).then(
        () => false,
        () => true,
      );
      await compareSnapshot(deps(), snapshot.id);
      const { id, state } = await reportOf(snapshot.id);
      expect([state, (await mails()).map(({ key }) => key)]).toEqual([
        "waiting",
        [`drift report ${id}, contact`, `drift report ${id}, operator`],
      ]);
      expect([...alerts]).toEqual([`drift-waits ${customer}/stock`]);
      expect(sent).toEqual([]);
      if (!died) return;
    }
  });

  it("that expires stays as it is, and both are told that nobody decided", async () => {
    const { feeds, deps, reportOf, mails, alerts } = await scene(8, { maxRows: 1, maxShare: 1 });
    await lose(feeds, ["k1", "k2"]);
    const snapshot = await world.snapshot(feeds, 2, stocks(8));
    await compareSnapshot(deps(), snapshot.id);
    const { id } = await reportOf(snapshot.id);
    await expire(deps(), (await storedReport(deps(), id))!);
    expect(await reportOf(snapshot.id)).toMatchObject({ state: "rejected", note: "nobody decided in 7 days" });
    expect((await mails()).filter(({ key }) => key.includes("expired"))).toHaveLength(2);
    expect([...alerts]).toEqual([]);
    expect(Object.keys(await world.records(feeds))).toHaveLength(6);
  });
});

describe("the cron", () => {
  const age = () => world.database.query("UPDATE drift_reports SET touched_at = touched_at - interval '21 minutes'");

  it("goes on with what a worker left: a report that heals, and one that nobody was told of", async () => {
    const { feeds, deps, reportOf, applySent } = await scene(8);
    await lose(feeds, ["k1"]);
    const snapshot = await world.snapshot(feeds, 2, stocks(8));
    const away = deps({ enqueueApply: () => Promise.reject(failure("queue-unavailable", { reason: "test" })) });
    await expect(compareSnapshot(away, snapshot.id)).rejects.toMatchObject({ code: "queue-unavailable" });
    // Its file is parsed: from there on the sweep wakes it as it wakes any file.
    expect(
      await world.one("SELECT state FROM files WHERE feed_id = $1 AND cause = 'reconcile'", [feeds.feedId]),
    ).toEqual({
      state: "parsed",
    });

    const lost = await scene(8);
    await lose(lost.feeds, ["k1"]);
    const second = await world.snapshot(lost.feeds, 2, stocks(8));
    const noStore = lost.deps({ putChunk: () => Promise.reject(failure("storage-unavailable", { reason: "test" })) });
    await expect(compareSnapshot(noStore, second.id)).rejects.toMatchObject({ code: "storage-unavailable" });
    await carryOn(lost.deps());
    expect(await lost.reportOf(second.id)).toMatchObject({ state: "healing" });
    expect(lost.sent).toEqual([]);
    await age();
    await carryOn(lost.deps());
    await lost.applySent();
    expect(await lost.reportOf(second.id)).toMatchObject({ state: "healed" });
    await applySent();
    expect(await reportOf(snapshot.id)).toMatchObject({ state: "healing" });
  });

  it("does its other duties where one report cannot be carried on, and says the trouble at the end", async () => {
    const broken = await scene(8);
    await lose(broken.feeds, ["k1"]);
    const snapshot = await world.snapshot(broken.feeds, 2, stocks(8));
    const noStore = broken.deps({ putChunk: () => Promise.reject(failure("storage-unavailable", { reason: "test" })) });
    await expect(compareSnapshot(noStore, snapshot.id)).rejects.toMatchObject({ code: "storage-unavailable" });
    const late = await scene(8, { maxRows: 1, maxShare: 1 });
    await lose(late.feeds, ["k1", "k2"]);
    const waiting = await world.snapshot(late.feeds, 2, stocks(8));
    await compareSnapshot(late.deps(), waiting.id);
    await age();
    await world.database.query(
      "UPDATE drift_reports SET compared_at = compared_at - interval '8 days' WHERE file_id = $1",
      [waiting.id],
    );
    await expect(carryOn({ ...noStore, feeds: [...noStore.feeds, ...late.deps().feeds] })).rejects.toMatchObject({
      code: "storage-unavailable",
    });
    expect(await late.reportOf(waiting.id)).toMatchObject({ state: "rejected" });
  });

  it("checks a feed anew of which a healing was given up, and leaves one alone of which somebody has decided", async () => {
    const { feeds, customer, deps } = await scene(1);
    await world.database.query("UPDATE feeds SET mode = 'full' WHERE id = $1", [feeds.feedId]);
    const full = deps().feeds.map((feed) => (feed.feed === "stock" ? { ...feed, mode: "full" as const } : feed));
    await world.send(feeds, 2, stocks(900));
    const noStore = () => Promise.reject(failure("storage-unavailable", { reason: "test" }));
    await lose(feeds, ["k1"]);
    await expect(checkFeed(deps({ feeds: full, putChunk: noStore }), customer, "stock")).rejects.toThrow();
    await world.database.query("DELETE FROM records WHERE feed_id = $1", [feeds.feedId]);
    const { id } = await world.one<{ id: string }>("SELECT id::text FROM drift_reports WHERE feed_id = $1", [
      feeds.feedId,
    ]);
    expect(await follow(deps({ feeds: full }), id)).toBe("rejected");
    const yesterday = () =>
      world.database.query(
        "UPDATE drift_reports SET created_at = created_at - interval '25 hours' WHERE feed_id = $1",
        [feeds.feedId],
      );
    const due = () => checksDue(deps(), [{ customer, feed: "stock" }], new Date(Date.now() - 86_400_000), 9);
    await yesterday();
    expect(await due()).toEqual([{ customer, feed: "stock" }]);
    await checkFeed(deps({ feeds: full }), customer, "stock");
    const waiting = await world.one<{ id: string; state: string }>(
      "SELECT id::text, state FROM drift_reports WHERE feed_id = $1 ORDER BY run DESC LIMIT 1",
      [feeds.feedId],
    );
    expect(waiting.state).toBe("waiting");
    await decideDrift(deps(), waiting.id, "rejected", "operator", null);
    await yesterday();
    expect(await due()).toEqual([]);
  });

  it("ends a check that died, forgets one whose rows are gone, and the report of a snapshot that was given up", async () => {
    const { feeds, customer, deps } = await scene(1);
    await world.database.query("UPDATE feeds SET mode = 'full' WHERE id = $1", [feeds.feedId]);
    const full = deps().feeds.map((feed) => (feed.feed === "stock" ? { ...feed, mode: "full" as const } : feed));
    const rows = stocks(8);
    const file = await world.send(feeds, 2, rows);
    await lose(feeds, ["k1"]);
    const check = (more: Partial<DriftDeps> = {}) => checkFeed(deps({ feeds: full, ...more }), customer, "stock");
    const states = async () =>
      (
        await world.database.query<{ state: string }>(
          "SELECT state FROM drift_reports WHERE feed_id = $1 ORDER BY run",
          [feeds.feedId],
        )
      ).map(({ state }) => state);

    await expect(checkFeed(dying(deps({ feeds: full }), 6, true), customer, "stock")).rejects.toThrow("died");
    expect(await states()).toEqual(["open"]);
    await carryOn(deps({ feeds: full }));
    expect(await states(), "it may still be under way").toEqual(["open"]);
    await age();
    await carryOn(deps({ feeds: full }));
    expect(await states()).toEqual(["healing"]);

    const gone = { ...world.deps().chunks, head: () => Promise.reject(failure("chunk-missing", { key: file })) };
    await world.database.query("UPDATE drift_reports SET state = 'healed', healed_at = now() WHERE feed_id = $1", [
      feeds.feedId,
    ]);
    await expect(check({ chunks: gone })).rejects.toMatchObject({ code: "chunk-missing" });
    expect(await states()).toEqual(["healed", "open"]);
    await age();
    await carryOn(deps({ feeds: full, chunks: gone }));
    expect(await states()).toEqual(["healed"]);

    const snapshot = await world.snapshot(feeds, 3, rows);
    await expect(compareSnapshot(dying(deps(), 4, true), snapshot.id)).rejects.toThrow("died");
    await world.database.query("UPDATE files SET state = 'held', failure = '{}' WHERE id = $1", [snapshot.id]);
    await world.database.query("UPDATE files SET state = 'rejected' WHERE id = $1", [snapshot.id]);
    await age();
    await carryOn(deps());
    expect(await states()).toEqual(["healed"]);
  });
});
