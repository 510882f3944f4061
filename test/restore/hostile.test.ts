/** What may come between: other files, death at any point, moments that cannot be asked for, other customers. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RestoreDeps } from "../../src/restore/deps.ts";
import { carryOut, previewRestore } from "../../src/restore/restore.ts";
import { row, says } from "../apply/world.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { active, justAfter, NEXT_YEAR, type World, worldOn } from "./world.ts";

let fresh: FreshDatabase;
let world: World;
beforeAll(async () => {
  fresh = await freshDatabase();
  world = worldOn(fresh.connectionString);
});
afterAll(() => fresh.drop());

const KEYS = ["a", "b", "c", "d", "e", "f", "g"];

/** Eight records; then half of them change, one goes and one comes. What it was before that is asked for. */
async function changedFeed() {
  const feed = await world.customer("full");
  await world.happened(
    feed,
    0,
    [...KEYS, "h"].map((key) => row(key, 1)),
  );
  const was = await world.records(feed);
  await world.happened(feed, 1, [...KEYS.map((key, i) => row(key, i % 2)), row("i", 1)]);
  const to = justAfter(0);
  return { feed, was, to, preview: await world.preview(feed.slug, to) };
}

const nothingWritten = async (feedId: number) =>
  expect(
    await world.one("SELECT count(*)::int AS files FROM files WHERE feed_id = $1 AND cause = 'restore'", [feedId]),
  ).toEqual({ files: 0 });

describe("a file that comes in between", () => {
  it("before the order: the digest is not that of what there is, and nothing is done", async () => {
    const { feed, to, preview } = await changedFeed();
    await world.send(feed, 5, [...KEYS.map((key) => row(key, 7)), row("i", 1)]);
    const now = await world.records(feed);
    expect(await world.carryOut(feed.slug, to, preview.digest)).toEqual({ kind: "moved", parts: [] });
    await nothingWritten(feed.feedId);
    expect(await world.records(feed)).toEqual(now);
  });

  it("before the order, and changed only what the restore would not touch: it is to be seen, too", async () => {
    const { feed, to, preview } = await changedFeed();
    await world.send(feed, 5, [...KEYS.map((key, i) => row(key, key === "b" ? 9 : i % 2)), row("i", 1)]);
    expect((await world.carryOut(feed.slug, to, preview.digest)).kind).toBe("moved");
  });

  it("between the order and the making of its parts: they are not made of what nobody has seen", async () => {
    const { feed, to, preview } = await changedFeed();
    const noStorage = { ...world.deps, putChunk: () => Promise.reject(new Error("it dies")) };
    await expect(world.carryOut(feed.slug, to, preview.digest, noStorage)).rejects.toThrow("it dies");
    await world.send(feed, 5, [...KEYS.map((key) => row(key, 7)), row("i", 1)]);
    expect((await world.carryOut(feed.slug, to, preview.digest)).kind).toBe("moved");
    await nothingWritten(feed.feedId);
  });

  it("after the order: the parts that do not stand are held without a trace, and what it said stays", async () => {
    const { feed, to, preview } = await changedFeed();
    expect((await world.carryOut(feed.slug, to, preview.digest)).kind).toBe("ordered");
    await world.send(feed, 5, [...KEYS.map((key) => row(key, 7)), row("i", 7)]);
    const now = await world.records(feed);
    expect(await world.applyAll()).toEqual(["held", "held"]);
    expect(await world.records(feed)).toEqual(now);
    const held = await world.database.query<{ code: string; traces: number }>(
      `SELECT failure->>'code' AS code, ((SELECT count(*) FROM ledger l WHERE l.file_id = f.id)
         + (SELECT count(*) FROM seen s WHERE s.file_id = f.id))::int AS traces FROM files f WHERE feed_id = $1 AND cause = 'restore'`,
      [feed.feedId],
    );
    expect(held).toEqual(Array.from(held, () => ({ code: "restore-outdated", traces: 0 })));
  });

  it("after the order, newer than it and confirming all: it is not undone half-heartedly, but held", async () => {
    const { feed, to, preview } = await changedFeed();
    await world.carryOut(feed.slug, to, preview.digest);
    await world.send(feed, NEXT_YEAR, [...KEYS.map((key, i) => row(key, i % 2)), row("i", 1)]);
    expect(await world.applyAll()).toEqual(["held", "held"]);
  });
});

describe("a newer file that was begun and not let go", () => {
  it("has said nothing yet: the restore stands", async () => {
    const { feed, to, preview } = await changedFeed();
    await world.carryOut(feed.slug, to, preview.digest);
    const newer = await world.file(feed, NEXT_YEAR, [row("i", 7)]);
    await world.database.query("SELECT outcome FROM acquire_lease($1, gen_random_uuid(), 60, 0)", [newer.id]);
    await world.expireLease(feed);
    expect(await world.applyAll()).toEqual(["applied", "applied"]);
  });
});

describe("a restore that dies", () => {
  it("anywhere while it is made is made by the next attempt, as if nothing had been", async () => {
    const clean = await changedFeed();
    const done = await world.carryOut(clean.feed.slug, clean.to, clean.preview.digest);
    const parts = done.kind === "ordered" ? done.parts.length : 0;
    await world.applyAll();
    const expected = await world.records(clean.feed);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 20 }), fc.boolean(), async (dies, before) => {
        const { feed, to, preview } = await changedFeed();
        const first = await world.carryOut(feed.slug, to, preview.digest, dying(world.deps, dies, before)).then(
          () => "lives",
          (thrown: Error) => thrown.message,
        );
        expect(["lives", "it dies"]).toContain(first);
        const second = await world.carryOut(feed.slug, to, preview.digest);
        expect(second).toMatchObject({
          kind: "ordered",
          parts: Array.from({ length: parts }, () => ({ state: "parsed" })),
        });
        await world.applyAll();
        expect(await world.records(feed)).toEqual(expected);
        expect(
          await world.one(
            "SELECT count(*)::int AS files, count(DISTINCT delivery_id)::int AS deliveries FROM files WHERE feed_id = $1 AND cause = 'restore'",
            [feed.feedId],
          ),
        ).toEqual({ files: parts, deliveries: parts });
      }),
      { numRuns: 25 },
    );
  });

  it("between what it sets and what it retires goes on, and is not taken for outdated by its own half", async () => {
    const { feed, was, to, preview } = await changedFeed();
    const clean = { ...world.deps, partRows: 100 };
    await world.carryOut(feed.slug, to, preview.digest, clean);
    const messages = [...world.messages];
    const cutOff = {
      query: async <T>(text: string, params: readonly unknown[] = []) => {
        if (text.includes("retire_listed")) throw new Error("it dies");
        return world.database.query<T>(text, params);
      },
    };
    await expect(world.applyAll(cutOff)).rejects.toThrow();
    expect(active(await world.records(feed))).not.toEqual(active(was));
    world.messages.push(...messages);
    expect(await world.applyAll()).toEqual(["applied"]);
    expect(active(await world.records(feed))).toEqual(active(was));
  });

  it("before it was noted, and is met by the sweep: its delivery is given up, and it is made under another", async () => {
    const { feed, was, to, preview } = await changedFeed();
    let first = true;
    const swept: RestoreDeps = {
      ...world.deps,
      async archive(key, bytes, facts) {
        await world.deps.archive(key, bytes, facts);
        if (!first) return;
        first = false;
        await world.database.query(
          `INSERT INTO deliveries (id, customer_id, feed_id, door, state, raw_key, raw_bytes, raw_sha256, sender, sender_proof, received_at, failure)
           VALUES ($1, $2, $3, 'restore', 'ignored', $4, $5, $6, 'ops', 'operator', $7, '{}')`,
          [facts.id, feed.customerId, feed.feedId, key, facts.bytes, facts.sha256, facts.receivedAt],
        );
      },
    };
    expect((await world.carryOut(feed.slug, to, preview.digest, swept)).kind).toBe("ordered");
    expect(new Set(await world.applyAll())).toEqual(new Set(["applied"]));
    expect(active(await world.records(feed))).toEqual(active(was));
  });
});

/** The same effects, of which the one of that number dies: before it is done, or after. */
function dying(deps: RestoreDeps, dies: number, before: boolean): RestoreDeps {
  let left = dies;
  const mortal =
    <A extends unknown[], R>(effect: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      const now = left-- === 0;
      if (now && before) throw new Error("it dies");
      const done = await effect(...args);
      if (now) throw new Error("it dies");
      return done;
    };
  const { tables } = deps;
  return {
    ...deps,
    archive: mortal(deps.archive),
    putChunk: mortal(deps.putChunk),
    enqueueApply: mortal(deps.enqueueApply),
    tables: { ...tables, order: mortal(tables.order), rows: mortal(tables.rows), make: mortal(tables.make) },
  };
}

describe("two who order the same", () => {
  it("at once make one restore, and none of its parts twice", async () => {
    const { feed, was, to, preview } = await changedFeed();
    const both = await Promise.all([1, 2].map(() => world.carryOut(feed.slug, to, preview.digest)));
    expect(both[1]).toEqual(both[0]);
    expect(
      await world.one("SELECT count(*)::int AS files FROM files WHERE feed_id = $1 AND cause = 'restore'", [
        feed.feedId,
      ]),
    ).toEqual({ files: both[0]!.kind === "ordered" ? both[0]!.parts.length : 0 });
    await world.applyAll();
    expect(active(await world.records(feed))).toEqual(active(was));
  });
});

describe("a record whose hash says nothing", () => {
  it("since the same statement made something else of it, is brought back all the same", async () => {
    const feed = await world.customer("delta");
    await world.happened(feed, 0, [says("k", { a: 1 })]);
    await world.happened(feed, 1, [says("k", { a: 2, b: 1 })]);
    await world.happened(feed, 2, [says("k", { a: 1 })]);
    expect(active(await world.records(feed))).toEqual({ k: { a: 1, b: 1 } });
    const { digest } = await world.preview(feed.slug, justAfter(0));
    await world.carryOut(feed.slug, justAfter(0), digest);
    expect(await world.applyAll()).toEqual(["applied"]);
    expect(active(await world.records(feed))).toEqual({ k: { a: 1 } });
  });
});

describe("an ERP that has dated a file in the future", () => {
  it("does not keep a restore from going over it, nor the file that comes behind that", async () => {
    const feed = await world.customer("full");
    await world.happened(feed, 0, [row("a", 1), row("b", 1)]);
    await world.happened(feed, 1, [row("a", 2)], NEXT_YEAR);
    const { digest } = await world.preview(feed.slug, justAfter(0));
    await world.carryOut(feed.slug, justAfter(0), digest);
    expect(await world.applyAll()).toEqual(["applied"]);
    expect(Object.keys(active(await world.records(feed)))).toEqual(["a", "b"]);
    await world.send(feed, NEXT_YEAR + 1, [row("c", 3)]);
    expect(Object.keys(active(await world.records(feed)))).toEqual(["c"]);
  });
});

describe("parts", () => {
  it("make up the whole, however it is cut", async () => {
    const { feed, to } = await changedFeed();
    const whole = await world.tables.differences(feed.feedId, to, "", 1_000, 1_000_000);
    expect(whole.upto).toBeNull();
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 300 }), async (rows, bytes) => {
        let sum = 0n;
        let count = 0;
        for (let after: string | null = ""; after !== null; ) {
          const part = await world.tables.differences(feed.feedId, to, after, rows, bytes);
          sum ^= BigInt(`0b${part.sum}`);
          count += part.changes + part.restores + part.retirements;
          after = part.upto;
        }
        expect([sum, count]).toEqual([BigInt(`0b${whole.sum}`), whole.changes + whole.restores + whole.retirements]);
      }),
      { numRuns: 20 },
    );
  });
});

describe("a moment that cannot be gone back to", () => {
  it("has not come yet, or lies before the history, which a dropped day cuts off", async () => {
    const { feed } = await changedFeed();
    const at = (to: string) => previewRestore(world.deps, { customer: feed.slug, to });
    expect(await at(new Date(Date.now() + 60_000).toISOString())).toEqual({ kind: "ahead" });
    expect(await at(justAfter(-10))).toMatchObject({ kind: "too-early", left: [{ feed: "stock" }] });
    expect((await at(justAfter(0))).kind).toBe("preview");

    const day = justAfter(0).slice(0, 10);
    const next = new Date(Date.parse(day) + 86_400_000).toISOString();
    await world.database.query("SELECT ensure_change_partitions($1::date, 1)", [day]);
    await world.database.query("SELECT drop_change_partition($1::date)", [next.slice(0, 10)]);
    expect(await at(justAfter(0))).toEqual({ kind: "too-early", left: [{ feed: "stock", historyFrom: next }] });
    expect((await at(next)).kind).toBe("preview");
    await world.database.query("DELETE FROM forgotten");
  });

  it("is of nobody's customer", async () => {
    expect(await previewRestore(world.deps, { customer: "nobody", to: justAfter(0) })).toEqual({ kind: "unknown" });
    const { feed } = await changedFeed();
    const other = { customer: feed.slug, feed: "prices", to: justAfter(0) };
    expect(await previewRestore(world.deps, other)).toEqual({ kind: "unknown" });
  });
});

describe("a customer with two feeds", () => {
  /** Beside the feed of `changedFeed` another one, which lost a record when that changed. */
  async function twoFeeds() {
    const one = await changedFeed();
    const { feed_id: feedId } = await world.one<{ feed_id: number }>(
      "SELECT feed_id FROM register_feed($1, 'Acme', 'prices', 'Prices', 'full', 'v1')",
      [one.feed.slug],
    );
    await world.database.query("UPDATE feeds SET created_at = $2::timestamptz WHERE id = $1", [feedId, justAfter(-1)]);
    const other = { customerId: one.feed.customerId, feedId };
    await world.happened(other, 0, [row("p", 1), row("q", 1)]);
    await world.happened(other, 1, [row("p", 1)]);
    return { ...one, other };
  }

  it("goes back as a whole", async () => {
    const { feed, was, other, to } = await twoFeeds();
    const { digest, feeds } = await world.preview(feed.slug, to);
    expect(feeds.map((one) => one.feed)).toEqual(["prices", "stock"]);
    await world.carryOut(feed.slug, to, digest);
    await world.applyAll();
    expect(active(await world.records(feed))).toEqual(active(was));
    expect(Object.keys(active(await world.records(other)))).toEqual(["p", "q"]);
  });

  it("goes back in one of them, and a digest of both is none of one", async () => {
    const { feed, was, other, to, preview } = await twoFeeds();
    const both = await world.preview(feed.slug, to);
    const alone = { customer: feed.slug, feed: "stock", to, by: "ops" };
    expect((await carryOut(world.deps, { ...alone, digest: both.digest })).kind).toBe("moved");
    expect((await carryOut(world.deps, { ...alone, digest: preview.digest })).kind).toBe("ordered");
    await world.applyAll();
    expect(active(await world.records(feed))).toEqual(active(was));
    expect(Object.keys(active(await world.records(other)))).toEqual(["p"]);
  });
});

describe("two customers", () => {
  it("with the same keys: one goes back, the other does not notice; and no digest of one is one of the other", async () => {
    const one = await changedFeed();
    const other = await changedFeed();
    const before = await world.records(other.feed);
    expect((await world.carryOut(other.feed.slug, one.to, one.preview.digest)).kind).toBe("moved");
    await world.carryOut(one.feed.slug, one.to, one.preview.digest);
    await world.applyAll();
    expect(active(await world.records(one.feed))).toEqual(active(one.was));
    expect(await world.records(other.feed)).toEqual(before);
  });
});
