/** What becomes of a file that the gate has seen: decided, overtaken, waited for, tried again; and what is told to whom. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readLink } from "../../src/gate/link.ts";
import { Died, FAULTS, faulty } from "../apply/faults.ts";
import { says, type TestFeed, type TestFile, type TestRow } from "../apply/world.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { forceIn } from "../support/force-state.ts";
import {
  article,
  articles,
  DAY,
  type GateWorld,
  gateWorldOn,
  LARGE_SIZES,
  NOW_MS,
  PUBLIC_URL,
  SECRET,
} from "./gate-world.ts";

let fresh: FreshDatabase;
let world: GateWorld;
beforeAll(async () => {
  fresh = await freshDatabase();
  world = gateWorldOn(fresh.connectionString);
});
afterAll(() => fresh.drop());

const KNOWN = 100;
const DAY_MS = 86_400_000;

async function known(mode: "full" | "delta" = "full"): Promise<TestFeed> {
  const feed = await world.feed(mode);
  await world.send(feed, 0, articles(KNOWN), world.worker({ mode }));
  return feed;
}

/** Half of the articles are gone. */
const HALF = articles(50);
/** More than half of them change. */
const MOST_CHANGE = articles(KNOWN, 90, { stock: 11 });

const apply = (
  file: TestFile,
  options: Parameters<GateWorld["worker"]>[0] = {},
  over?: Parameters<GateWorld["worker"]>[1],
) => world.apply(file, world.worker(options, over));

const stateOf = async (file: TestFile) => (await world.rowOf(file)).state;

describe("a held file", () => {
  it("is told to the operator and to the contact, each with the links that are theirs, and says until when", async () => {
    const file = await world.file(await known(), DAY, HALF);
    await apply(file, { contact: "stock@acme.example" });
    const [operator, contact] = await world.mailsOf(file);
    const [hold] = await world.holdsOf(file);
    expect([operator?.recipient, contact?.recipient]).toEqual(["operator", "contact"]);
    expect(operator?.key).toBe(`blast-radius of file ${file.id}, hold 1, to the operator`);
    const actions = (text = "") =>
      [...text.matchAll(new RegExp(`${PUBLIC_URL}/hold/(\\S+)`, "g"))].map(([, token]) =>
        readLink(token!, SECRET, NOW_MS),
      );
    const link = { fileId: file.id, nonce: hold?.nonce, expiresMs: NOW_MS + 7 * DAY_MS };
    expect(actions(operator?.body_text)).toEqual(
      ["release", "widen", "reject"].map((action) => ({
        is: "good",
        link: { ...link, recipient: "operator", action },
      })),
    );
    expect(actions(contact?.body_text)).toEqual([
      { is: "good", link: { ...link, recipient: "contact", action: "reject" } },
    ]);
    expect([hold?.expires_at, hold?.remind_at].map((at) => new Date(at!).getTime() - NOW_MS)).toEqual([
      7 * DAY_MS,
      DAY_MS,
    ]);
  });

  it("shows ten rows that tell what it would do, those that are gone among them", async () => {
    const file = await world.file(await known(), DAY, [...articles(50, 20, { stock: 500 }), article(900)]);
    await apply(file);
    const [hold] = await world.holdsOf(file);
    const kinds = hold?.telling.map(({ kind }) => kind) ?? [];
    expect([kinds.length, new Set(kinds)]).toEqual([10, new Set(["retired", "changed", "inserted"])]);
  });

  it("is held once more where it has come to do much more than was told when it was released", async () => {
    const feed = await known();
    const file = await world.file(feed, 9 * DAY, HALF);
    await apply(file);
    await world.decide(file, "release");
    // Meanwhile an older file brings more that this one lacks.
    await world.send(feed, 8 * DAY, articles(KNOWN + 40));
    expect(await apply(file)).toEqual({ done: "held" });
    const [first, second] = await world.holdsOf(file);
    expect([first?.facts.retired, second?.facts.retired]).toEqual([50, 90]);
    expect((await world.mailsOf(file)).map(({ key }) => key)).toEqual([
      `blast-radius of file ${file.id}, hold 1, to the operator`,
      `blast-radius of file ${file.id}, hold 2, to the operator`,
    ]);
  });

  it("that is widened lets the next of its kind go, and what goes beyond that is held again", async () => {
    const feed = await known();
    const file = await world.file(feed, DAY, articles(80));
    await apply(file);
    await world.decide(file, "widen");
    await apply(file);
    expect(await stateOf(file)).toBe("applied");
    const next = await world.file(feed, 2 * DAY, articles(62));
    await apply(next);
    expect(await world.rowOf(next)).toMatchObject({ state: "applied", retired: 18 });
    const beyond = await world.file(feed, 3 * DAY, articles(40));
    expect(await apply(beyond)).toEqual({ done: "held" });
  });

  it("that is rejected leaves no trace: an older file that comes later is applied, and not stale", async () => {
    const feed = await known("delta");
    // It confirms half of the records and changes the others.
    const newer = await world.file(feed, 9 * DAY, [...articles(40), ...articles(60, 60, { stock: 0 }, 40)]);
    expect(await apply(newer, { mode: "delta" })).toEqual({ done: "held" });
    await world.decide(newer, "reject");
    expect(await world.tracesOf(newer)).toEqual({ seen: 0, ledger: 0, records: 0, changes: 0 });
    const older = await world.file(feed, 5 * DAY, articles(40, 40, { stock: 9 }));
    await apply(older, { mode: "delta" });
    expect(await world.rowOf(older)).toMatchObject({ state: "applied", changed: 40, stale: 0 });
  });

  it("of a full feed that is rejected makes no older file late, and retires nothing", async () => {
    const feed = await known();
    const newer = await world.file(feed, 9 * DAY, HALF);
    await apply(newer);
    await world.decide(newer, "reject");
    const older = await world.file(feed, 5 * DAY, articles(95, 10, { stock: 9 }));
    await apply(older);
    expect(await world.rowOf(older)).toMatchObject({
      state: "applied",
      changed: 10,
      unchanged: 85,
      retired: 5,
      stale: 0,
    });
  });
});

describe("later files of the feed", () => {
  it("of a delta wait in order behind the held one, and go on when it is decided", async () => {
    const feed = await known("delta");
    const held = await world.file(feed, DAY, MOST_CHANGE);
    const next = await world.file(feed, 2 * DAY, [article(1, { stock: 3 })]);
    const older = await world.file(feed, DAY / 2, [article(2, { stock: 3 })]);
    const delta = { mode: "delta" } as const;
    expect(await apply(held, delta)).toEqual({ done: "held" });
    expect(await apply(next, delta)).toEqual({ done: "held" });
    expect((await world.rowOf(next)).failure).toMatchObject({ code: "behind-held-file", evidence: { file: held.id } });
    expect(await apply(older, delta)).toEqual({ done: "applied" });
    expect(await world.decide(held, "release")).toEqual([held.id, next.id]);
    await apply(held, delta);
    await apply(next, delta);
    const { records } = await world.state(feed);
    expect(records.find(({ key }) => key === article(1).key)).toMatchObject({ version: 3 });
    expect([await stateOf(held), await stateOf(next)]).toEqual(["applied", "applied"]);
  });

  it("of a full feed go on, and one that is applied ends the held one", async () => {
    const feed = await known();
    const held = await world.file(feed, DAY, HALF);
    const next = await world.file(feed, 2 * DAY, articles(KNOWN, 3, { stock: 3 }));
    await apply(held);
    expect(await apply(next)).toEqual({ done: "applied" });
    const { state, failure } = await world.rowOf(held);
    expect([state, failure?.code, failure?.evidence]).toEqual(["rejected", "hold-superseded", { newer: next.id }]);
    expect((await world.holdsOf(held)).map(({ decision }) => decision)).toEqual(["supersede"]);
  });
});

describe("a file that was let go", () => {
  it("is not judged again by a second attempt, which finds half of it applied", async () => {
    const feed = await known();
    const file = await world.file(feed, DAY, [...articles(92, 60, { stock: 11 }), article(900)]);
    // Lease, plan, forecast, facts, verdict, one batch; then the end of the process.
    const policy = { changed: "off" } as const;
    const last = 7;
    await expect(apply(file, { policy }, faulty(world.database, last, "dies-after"))).rejects.toThrow(
      `statement ${last}`,
    );
    expect(await world.rowOf(file)).toMatchObject({ state: "applying", gate: { allowed: 8 }, records_before: 100 });
    await world.expireLease(feed);
    // A policy of today under which it would be held.
    expect(await apply(file, { policy: { retired: { share: 0, minRecords: 0 } } })).toEqual({ done: "applied" });
    const books = await world.rowOf(file);
    expect(books).toMatchObject({ inserted: 1, changed: 60, unchanged: 32, retired: 8 });
    expect(books.plan).toMatchObject({ inserted: 1, changed: 60, unchanged: 32, retired: 8 });
  });

  it("has the same numbers in a second attempt, also of a file that says in part what is known already", async () => {
    const feed = await world.feed("delta");
    const all = articles(60).map(({ key, record }) => says(key, record!));
    await world.send(feed, 0, all, world.worker({ mode: "delta" }));
    const said = all.map(({ key }, i) => says(key, { stock: i < 20 ? 11 : 10 }));
    const file = await world.file(feed, DAY, said);
    const dies = {
      query: <T>(text: string, params: readonly unknown[]) =>
        text.includes("close_file") ? Promise.reject(new Died("died")) : world.database.query<T>(text, params),
    };
    await expect(apply(file, { mode: "delta" }, dies)).rejects.toThrow("died");
    expect((await world.rowOf(file)).gate).toEqual({ allowed: 0, same: 40 });
    await world.expireLease(feed);
    await apply(file, { mode: "delta" });
    const numbers = { changed: 20, unchanged: 40 };
    expect(await world.rowOf(file)).toMatchObject({ ...numbers, plan: numbers });
  });

  it("retires nothing where it would be more than it was let go for, and says so; released, it retires as many as it said", async () => {
    const feed = await known();
    const file = await world.file(feed, 9 * DAY, articles(95));
    const dies = {
      query: <T>(text: string, params: readonly unknown[]) =>
        text.includes("retire_missing") ? Promise.reject(new Died("died")) : world.database.query<T>(text, params),
    };
    await expect(apply(file, {}, dies)).rejects.toThrow("died");
    await world.expireLease(feed);
    // Before it is taken up again an older file brings more that it lacks.
    await world.send(feed, 8 * DAY, articles(110));
    expect(await apply(file)).toEqual({ done: "held" });
    expect(await world.rowOf(file)).toMatchObject({
      failure: { code: "retires-more-than-planned", evidence: { planned: 5, missing: 15 } },
    });
    await forceIn(world.database, "UPDATE files SET state = 'parsed', failure = NULL WHERE id = $1", [file.id]);
    expect(await apply(file)).toEqual({ done: "applied" });
    expect(await world.rowOf(file)).toMatchObject({ retired: 15, plan: { retired: 15 } });
  });

  it("keeps what it lacks where rows of it could not be read, and says how many", async () => {
    const feed = await known();
    const file = await world.file(feed, DAY, articles(95), { rejected: [null, article(99).key] });
    expect(await apply(file)).toEqual({ done: "applied" });
    expect(await world.rowOf(file)).toMatchObject({ unchanged: 95, retired: 0, plan: { retired: 0, kept: 4 } });
    expect(world.told.at(-1)).toBe(4);
    await world.send(feed, 2 * DAY, articles(95));
    expect(world.told.at(-1)).toBe(0);
  });
});

describe.each(FAULTS)("a worker that fails at any statement (%s)", (fault) => {
  const CONTACT = { contact: "stock@acme.example" };

  /** Fails at one statement after the other, each time with a feed of its own, and goes on until the file is at its end. */
  async function atEach(rows: readonly TestRow[], check: (file: TestFile, feed: TestFeed) => Promise<void>) {
    for (let at = 1, reached = true; reached; at++) {
      const feed = await known();
      const file = await world.file(feed, DAY, rows);
      const database = faulty(world.database, at, fault);
      await apply(file, CONTACT, database).catch(() => undefined);
      reached = database.calls() >= at;
      await world.expireLease(feed);
      await apply(file, CONTACT);
      await check(file, feed);
      if (reached) continue;
      // Lease, plan, forecast, facts, verdict: it came through all of them at least once.
      expect(at).toBeGreaterThan(5);
    }
  }

  it("holds a file once, with one mail to each, and leaves nothing of it", async () => {
    await atEach(HALF, async (file) => {
      expect(await stateOf(file)).toBe("held");
      expect(await world.holdsOf(file)).toHaveLength(1);
      expect((await world.mailsOf(file)).map(({ recipient }) => recipient)).toEqual(["operator", "contact"]);
      expect(await world.tracesOf(file)).toEqual({ seen: 0, ledger: 0, records: 0, changes: 0 });
    });
  });

  it("lets a file go once, and its plan is what it did", async () => {
    const numbers = { inserted: 1, changed: 40, unchanged: 55, stale: 0, superseded: 0, retired: 5 };
    await atEach([...articles(95, 40, { stock: 11 }), article(900)], async (file) => {
      expect(await world.rowOf(file)).toMatchObject({
        state: "applied",
        ...numbers,
        plan: numbers,
        gate: { allowed: 5 },
      });
    });
  });
});

describe("a small delta of a large feed", () => {
  it("is judged by all records where it would not go by those that are counted for it", async () => {
    const large = gateWorldOn(fresh.connectionString, LARGE_SIZES);
    const policy = { changed: { share: 0.005, minRecords: 1 } };
    const feed = await large.feed("delta");
    await large.send(feed, 0, articles(10_500), large.worker({ mode: "delta" }));
    const worker = large.worker({ mode: "delta", policy });
    const send = async (day: number, changes: number) => {
      const file = await large.file(feed, day * DAY, articles(changes, changes, { stock: 10 + day }));
      await large.apply(file, worker);
      return large.rowOf(file);
    };
    expect(await send(1, 50)).toMatchObject({ state: "applied", changed: 50, records_before: null });
    expect(await send(2, 52)).toMatchObject({ state: "applied", changed: 52, records_before: 10_500 });
    expect((await send(3, 53)).failure?.sentence).toContain("53 of 10,500 records (0.5 %) would change.");
  });
});

describe("what is asked of the feed's history", () => {
  it("is what had come before the file: a file that comes late is held for its age", async () => {
    const feed = await known("delta");
    await world.send(feed, 10 * DAY, [article(0, { stock: 9 })], world.worker({ mode: "delta" }));
    const late = await world.file(feed, 5 * DAY, [article(1, { stock: 9 })], { arrivedAfter: 6 * DAY });
    expect(await apply(late, { mode: "delta" })).toEqual({ done: "held" });
    expect((await world.holdsOf(late))[0]?.tripped).toMatchObject([{ check: "asOfOld" }]);
    // The same file in its time, looked at when the newer one is there.
    const intime = await world.file(feed, 5 * DAY + 1, [article(1, { stock: 8 })]);
    await world.decide(late, "reject");
    expect(await apply(intime, { mode: "delta" })).toEqual({ done: "applied" });
  });

  it("leaves out what was read again or made by us", async () => {
    const feed = await known();
    for (const day of [1, 2, 3, 4, 5]) {
      const file = await world.send(feed, day * DAY, articles(KNOWN));
      if (day > 1) await madeBy(file, "reconcile");
    }
    const file = await world.file(feed, 6 * DAY, articles(170));
    expect(await apply(file)).toEqual({ done: "applied" });
  });
});

const madeBy = (file: TestFile, cause: "replay" | "reconcile") =>
  forceIn(
    world.database,
    "UPDATE files SET cause = $2, complete = $2 = 'replay', replay_id = CASE WHEN $2 = 'replay' THEN id END WHERE id = $1",
    [file.id, cause],
  );

describe("a late file of a full feed", () => {
  it("goes, however odd it is, and does nothing", async () => {
    const feed = await known();
    await world.send(feed, 9 * DAY, articles(KNOWN));
    const late = await world.file(feed, 5 * DAY, [...HALF, ...articles(500, 0, {}, 1_000)], { statedAfterHours: 90 });
    expect(await apply(late)).toEqual({ done: "applied" });
    expect(await world.rowOf(late)).toMatchObject({ stale: 550, retired: 0, gate: { allowed: 0 } });
  });
});

describe("a file of another cause", () => {
  it("that is read again passes what the original has passed, and is held for what it would do today", async () => {
    const feed = await known();
    for (const day of [1, 2, 3, 4, 5, 6]) await world.send(feed, day * DAY, articles(KNOWN));
    const many = await world.file(feed, 7 * DAY, articles(190));
    await madeBy(many, "replay");
    expect(await apply(many)).toEqual({ done: "applied" });
    const few = await world.file(feed, 8 * DAY, articles(90));
    await madeBy(few, "replay");
    expect(await apply(few)).toEqual({ done: "held" });
    expect((await world.holdsOf(few))[0]?.tripped).toMatchObject([{ check: "retired" }]);
    const mails = await world.database.query("SELECT recipient FROM notifications WHERE file_id = $1", [few.id]);
    expect(mails).toEqual([{ recipient: "operator" }]);
  });

  it("that heals is not judged, and retires exactly what it names", async () => {
    const feed = await known();
    const healing = await world.file(feed, DAY, articles(60, 60, { stock: 11 }));
    await madeBy(healing, "reconcile");
    await world.database.query(
      `INSERT INTO listed_retirements (file_id, n, natural_key, record_id, version)
       SELECT $1, row_number() OVER (ORDER BY natural_key), natural_key, id, version FROM records WHERE feed_id = $2 AND natural_key >= $3`,
      [healing.id, feed.feedId, article(95).key],
    );
    expect(await apply(healing)).toEqual({ done: "applied" });
    expect(await world.rowOf(healing)).toMatchObject({
      changed: 60,
      retired: 5,
      gate: { allowed: 5 },
      plan: { retired: 5 },
    });
    expect(await world.holdsOf(healing)).toEqual([]);
    const { records } = await world.state(feed);
    expect(records.filter(({ status }) => status === "retired").map(({ key }) => key)).toEqual(
      articles(5, 0, {}, 95).map(({ key }) => key),
    );
  });

  it("that is only compared needs no lease, and goes to who compares", async () => {
    const feed = await known();
    const file = await world.file(feed, DAY, HALF);
    await forceIn(world.database, "UPDATE files SET cause = 'dry-run', compare_only = true WHERE id = $1", [file.id]);
    const compared: string[] = [];
    const worker = { ...world.worker(), compare: async ({ fileId }: { fileId: string }) => void compared.push(fileId) };
    expect(await world.apply(file, worker)).toEqual({ done: "compared" });
    expect(compared).toEqual([file.id]);
    expect(await stateOf(file)).toBe("parsed");
  });
});

describe("a file of a feed whose records it changes in part", () => {
  it("is shown as it would be: the stored record with what the file says, all rows of one key together", async () => {
    const feed = await world.feed("delta");
    const all = articles(60).map(({ key, record }) => says(key, record!));
    await world.send(feed, 0, all, world.worker({ mode: "delta" }));
    const said = all.flatMap(({ key }) => [says(key, { stock: 0 }), says(key, { note: "x" })]);
    const file = await world.file(feed, DAY, said);
    expect(await apply(file, { mode: "delta" })).toEqual({ done: "held" });
    const [hold] = await world.holdsOf(file);
    expect(hold?.tripped.map(({ check }) => check)).toEqual(["setToZero", "total", "changed"]);
    expect(hold?.telling[0]).toEqual({ kind: "changed", key: "A-00000", field: "stock", before: "10", after: "0" });
    await world.decide(file, "release");
    await apply(file, { mode: "delta" });
    expect(await world.rowOf(file)).toMatchObject({ changed: 60, superseded: 60 });
  });
});
