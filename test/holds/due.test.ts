/** What time does to held files: reminded once, rejected when it is over, and what waits behind them goes on. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { StageMessage } from "../../src/domain/messages.ts";
import { readLink } from "../../src/gate/link.ts";
import { decideHold } from "../../src/holds/decide.ts";
import type { DueDeps } from "../../src/holds/deps.ts";
import { DUE_PER_RUN, holdsDue } from "../../src/holds/due.ts";
import { holdTables } from "../../src/holds/tables.ts";
import { composeMessage } from "../../src/notify/compose.ts";
import { postgres } from "../../src/platform/postgres.ts";
import { type Feed, seedBehind, seedFeed, seedHold } from "../api/seed.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { force } from "../support/force-state.ts";

const SECRET = "tests-only-address-secret";
/** The seeded hold is from 2026-11-20 06:00; it is reminded a day later and over after a week. */
const HELD = Date.parse("2026-11-20T06:00:00.000Z");
const DAY = 86_400_000;

let database: FreshDatabase;
let feed: Feed;
const messages: StageMessage[] = [];
const logged: string[] = [];
let nowMs = HELD;
beforeAll(async () => {
  database = await freshDatabase();
  feed = await seedFeed(database, "alpha");
});
afterAll(() => database.drop());
beforeEach(async () => {
  await database.sql.query("TRUNCATE holds, notifications, audit_log");
  await force(database.sql, "UPDATE files SET state = 'rejected' WHERE state = 'held'", []);
  messages.length = 0;
  logged.length = 0;
  nowMs = HELD;
});

const write = (event: string) => void logged.push(event);
const deps = (change: Partial<DueDeps> = {}): DueDeps => ({
  tables: holdTables(postgres(database.connectionString)),
  enqueueApply: async (message) => void messages.push(message),
  now: () => new Date(nowMs),
  log: { info: write, warn: write, error: write },
  compose: composeMessage,
  contactOf: () => "stock@alpha.example",
  publicUrl: "https://mailfeed.example",
  secret: SECRET,
  ...change,
});
const dueAfter = (days: number, change: Partial<DueDeps> = {}) => {
  nowMs = HELD + days * DAY;
  return holdsDue(deps(change));
};
const mails = () =>
  database.sql.query(
    "SELECT key, recipient, subject, body_text AS text, body_html AS html, file_id::text AS file FROM notifications ORDER BY id",
  );
const fileOf = async (id: string) =>
  (await database.sql.query("SELECT state, failure FROM files WHERE id = $1", [id]))[0] as {
    state: string;
    failure: { code: string; sentence: string } | null;
  };

describe("a reminder", () => {
  it("goes to operator and contact when a day is over, once, each with links of their own", async () => {
    const { fileId, holdId, nonce } = await seedHold(database, feed);
    expect(await dueAfter(0.99)).toEqual({ expired: 0, reminded: 0 });
    expect(await dueAfter(1)).toEqual({ expired: 0, reminded: 1 });
    for (const days of [1, 1.01, 3]) expect(await dueAfter(days)).toEqual({ expired: 0, reminded: 0 });
    const sent = await mails();
    expect(sent.map(({ key, recipient, file }) => [key, recipient, file])).toEqual([
      [`reminder of hold ${holdId} to operator`, "operator", fileId],
      [`reminder of hold ${holdId} to contact`, "contact", fileId],
    ]);
    expect(sent.map(({ subject }) => subject)).toEqual([
      "Reminder: alpha/stock: a file is held, it would change too much",
      "Reminder: please check your file for “alpha stock”: it is not loaded yet",
    ]);
    const offered = sent.map(({ text }) =>
      [...String(text).matchAll(/https:\/\/mailfeed\.example\/hold\/(\S+)/g)].map(([, token]) => {
        const read = readLink(token!, SECRET, nowMs);
        expect(read).toMatchObject({ is: "good", link: { fileId, nonce, expiresMs: HELD + 7 * DAY } });
        return "link" in read ? `${read.link.recipient} ${read.link.action}` : "";
      }),
    );
    expect(offered).toEqual([["operator release", "operator widen", "operator reject"], ["contact reject"]]);
  });

  it("goes once, however many timers look at the same moment", async () => {
    await seedHold(database, feed);
    const runs = await Promise.all(Array.from({ length: 5 }, () => dueAfter(1)));
    expect(runs.reduce((sum, { reminded }) => sum + reminded, 0)).toBe(1);
    expect(await mails()).toHaveLength(2);
  });

  it("goes to the operator alone where he has the file read again", async () => {
    const { fileId } = await seedHold(database, feed);
    await force(database.sql, "UPDATE files SET cause = 'replay', replay_id = id WHERE id = $1", [fileId]);
    await dueAfter(1);
    expect((await mails()).map(({ recipient }) => recipient)).toEqual(["operator"]);
  });

  it("goes to the operator alone where the adapter names no contact, and without links where the web does not reach us", async () => {
    await seedHold(database, feed);
    await dueAfter(1, { contactOf: () => undefined, publicUrl: undefined });
    const [mail, ...others] = await mails();
    expect([mail!.recipient, others]).toEqual(["operator", []]);
    expect(mail!.text).not.toContain("http");
  });

  it("does not come about a file that is decided, overtaken, or has gone on by another way", async () => {
    const decided = await seedHold(database, feed);
    await decideHold(deps(), decided.fileId, "reject", { is: "caller", name: "eve" });
    const moved = await seedHold(database, feed);
    await force(database.sql, "UPDATE files SET state = 'parsed', failure = NULL WHERE id = $1", [moved.fileId]);
    expect(await dueAfter(2)).toEqual({ expired: 0, reminded: 0 });
    expect(await dueAfter(9)).toEqual({ expired: 0, reminded: 0 });
    expect(await mails()).toEqual([]);
  });
});

describe("when its time is over", () => {
  it("a file is rejected with a clear failure, and those that waited behind it go on", async () => {
    const { fileId } = await seedHold(database, feed);
    const behind = await seedBehind(database, feed, fileId);
    expect(await dueAfter(6.99)).toEqual({ expired: 0, reminded: 1 });
    expect(await dueAfter(7)).toEqual({ expired: 1, reminded: 0 });
    expect(await fileOf(fileId)).toMatchObject({ state: "rejected", failure: { code: "hold-expired" } });
    expect((await fileOf(fileId)).failure!.sentence).toContain("nobody has decided within 7 days");
    expect(await fileOf(behind)).toEqual({ state: "parsed", failure: null });
    expect(messages).toMatchObject([{ type: "apply-file", fileId: behind, customer: "alpha", feed: "stock" }]);
    expect(await database.sql.query("SELECT actor, action, subject FROM audit_log")).toEqual([
      { actor: "mailfeed", action: "expire", subject: `file ${fileId}` },
    ]);
    expect(await dueAfter(8)).toEqual({ expired: 0, reminded: 0 });
  });

  it("a file that nobody was reminded of in time is rejected and nobody is reminded any more", async () => {
    await seedHold(database, feed);
    expect(await dueAfter(7)).toEqual({ expired: 1, reminded: 0 });
    expect(await mails()).toEqual([]);
  });

  it("it is not released any more, also between two runs of the timer; a race with the timer has one winner", async () => {
    const { fileId } = await seedHold(database, feed);
    nowMs = HELD + 7 * DAY;
    const late = await decideHold(deps(), fileId, "release", { is: "caller", name: "eve" });
    expect(late.is).toBe("over");
    const [expired, rejected] = await Promise.all([
      holdsDue(deps()),
      decideHold(deps(), fileId, "reject", { is: "caller", name: "eve" }),
    ]);
    expect([expired.expired, rejected.is]).toSatisfy(([n, is]) => (n === 1) === (is === "already"));
    expect(await database.sql.query("SELECT action FROM audit_log")).toHaveLength(1);
  });

  it("stands although the queue is away: what waited says that it waits for apply, and the sweep sends it", async () => {
    const { fileId } = await seedHold(database, feed);
    const behind = await seedBehind(database, feed, fileId);
    const away = { enqueueApply: () => Promise.reject(new Error("queue away")) };
    expect(await dueAfter(7, away)).toEqual({ expired: 1, reminded: 0 });
    expect((await fileOf(behind)).state).toBe("parsed");
    expect(logged).toContain("held-files-not-woken");
  });
});

describe("one hold's trouble", () => {
  it("stops no other, and is told when all had their turn", async () => {
    const first = await seedHold(database, feed);
    const second = await seedHold(database, feed);
    const { tables } = deps();
    const failing: DueDeps["tables"] = {
      ...tables,
      decide: (id, ...rest) =>
        id === first.fileId ? Promise.reject(new Error("not this one")) : tables.decide(id, ...rest),
    };
    await expect(dueAfter(7, { tables: failing })).rejects.toThrow("not this one");
    expect((await fileOf(second.fileId)).state).toBe("rejected");
    expect((await fileOf(first.fileId)).state).toBe("held");
    expect(await dueAfter(7)).toEqual({ expired: 1, reminded: 0 });
  });

  it("more than fit into one run are worked off by the next ones, the oldest first", async () => {
    const { holdId } = await seedHold(database, feed, { held_at: "2026-11-19T06:00:00Z" });
    expect(DUE_PER_RUN).toBeGreaterThanOrEqual(100);
    const { tables } = deps();
    const some = await tables.expired(new Date(HELD + 30 * DAY), 1);
    expect(some.map(({ id }) => id)).toEqual([holdId]);
  });
});
