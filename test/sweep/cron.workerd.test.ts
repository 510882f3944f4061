/** The timers' work with the real archive of Cloudflare's runtime and a real database. */
import { env, reset } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CronDeps, DAILY, onCron } from "../../src/cron.ts";
import { failure } from "../../src/domain/failures.ts";
import type { ParseDelivery } from "../../src/domain/messages.ts";
import { postgres } from "../../src/platform/postgres.ts";
import { listAfter, removeUnder } from "../../src/platform/r2.ts";
import { HISTORY_DAYS } from "../../src/upkeep/retention.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { upkeepWorldOn } from "../upkeep/world.ts";
import { DAY, HOUR, idOf, keyOf, NOW } from "./world.ts";

const { STORE } = env as unknown as { STORE: R2Bucket };
const EVERY_TEN_MINUTES = "*/10 * * * *";

let fresh: FreshDatabase;
const sent: ParseDelivery[] = [];
const said: string[] = [];
beforeEach(async () => {
  fresh = await freshDatabase();
  sent.length = 0;
  said.length = 0;
});
afterEach(async () => {
  await reset();
  await fresh.drop();
});

const say = (event: string) => void said.push(event);
const deps = (over: Partial<CronDeps> = {}): CronDeps => ({
  customers: ["acme"],
  database: postgres(fresh.connectionString),
  store: STORE,
  feedOf: async () => "inventory",
  enqueueParse: async (message) => void sent.push(message),
  enqueueApply: async () => undefined,
  redriveFixed: async () => say("redriven"),
  holdsDue: async () => say("holds"),
  feeds: [],
  carryOnDrift: async () => say("drift"),
  goOnWithReplays: async () => say("replays"),
  tellPeople: async () => say("told"),
  now: () => new Date(),
  uuid: () => crypto.randomUUID(),
  log: { info: say, warn: say, error: say },
  ...over,
});

/** The objects of this run are as old as they need to be when the cron comes an hour later. */
const inAnHour = () => new Date(Date.now() + HOUR);

describe("every ten minutes", () => {
  it("finds what was archived without a row, in the order of the keys, and knows strangers", async () => {
    const today = new Date();
    for (const key of [keyOf(1, today), keyOf(2, new Date(today.getTime() - 40 * DAY)), keyOf(3, today, "stranger")]) {
      await STORE.put(key, "x");
    }
    await onCron(EVERY_TEN_MINUTES, inAnHour(), deps());
    expect(sent.map(({ correlationId }) => correlationId).sort()).toEqual([idOf(1), idOf(2)]);
    expect(said).toContain("archive-of-unknown-customer");
    expect(said.slice(-1)).toEqual(["upkeep"]);
  });

  it("one duty's trouble stops no other and is thrown when all had their turn", async () => {
    const away = async () => {
      throw failure("queue-unavailable", { reason: "test" });
    };
    await STORE.put(keyOf(1, new Date()), "x");
    await expect(onCron(EVERY_TEN_MINUTES, inAnHour(), deps({ enqueueParse: away }))).rejects.toThrow();
    expect(said).toEqual(expect.arrayContaining(["not-woken", "duty-failed", "redriven", "told", "upkeep"]));
  });
});

describe("once a day", () => {
  it("removes the chunks of ended files of every parse, and no other file's", async () => {
    const world = upkeepWorldOn(fresh.connectionString);
    const ended = await world.oldFile("applied", HISTORY_DAYS + 1);
    const held = await world.oldFile("held", HISTORY_DAYS + 1);
    for (const key of [
      `chunks/${ended}/v1/0`,
      `chunks/${ended}/v1/10`,
      `chunks/${ended}/v2/0`,
      `chunks/${ended}9/v1/0`,
    ]) {
      await STORE.put(key, "x");
    }
    await STORE.put(`chunks/${held}/v1/0`, "x");
    await onCron(DAILY, NOW, deps({ now: () => NOW }));
    const left = (await STORE.list({ prefix: "chunks/" })).objects.map(({ key }) => key);
    expect(left.sort()).toEqual([`chunks/${ended}9/v1/0`, `chunks/${held}/v1/0`].sort());
  });
});

describe("the archive page by page", () => {
  it("goes on behind a key, and everything under a prefix goes, however much it is", async () => {
    await Promise.all(Array.from({ length: 1_005 }, (_, n) => STORE.put(keyOf(n, new Date("2026-01-01")), "")));
    const first = await listAfter(STORE, "raw/acme/", "raw/acme/");
    expect([first.objects.length, first.more]).toEqual([1_000, true]);
    const second = await listAfter(STORE, "raw/acme/", first.objects.at(-1)!.key);
    expect([second.objects.length, second.more]).toEqual([5, false]);
    await removeUnder(STORE, "raw/acme/");
    expect((await STORE.list({ prefix: "raw/" })).objects).toEqual([]);
  });
});
