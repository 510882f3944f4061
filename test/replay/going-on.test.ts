/** A replay goes on: after any death, after lost messages, when it is paused and resumed; and past what does not move. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { factsFromMetadata, factsToMetadata } from "../../src/domain/delivery.ts";
import { csv, feedsOf } from "./feeds.ts";
import { dump, replayed, reportOf, START, start, stock, threeDays } from "./scene.ts";
import { World } from "./world.ts";

let world: World;
const others: World[] = [];
beforeEach(async () => {
  world = await World.open(feedsOf("alder", "birch"), START);
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

/** As long as crons come, everything comes to its end. */
async function untilDone(of: World, id: string): Promise<void> {
  for (let n = 0; n < 20 && (await reportOf(of, id)).state !== "done"; n++) {
    await of.cron(30);
    await of.drain();
  }
  expect(await reportOf(of, id)).toMatchObject({ state: "done", progress: { deliveries: { failed: 0 } } });
}

describe("killed anywhere", () => {
  it("it goes on, and its result is that of a life without death", async () => {
    await threeDays(world);
    const wanted = await dump(world);
    const empty = await withEmptyDatabase();
    const { id } = await start(empty, { all: true });
    // A worker dies before its first effect, the next one two effects later, the next one three …
    empty.kills = Array.from({ length: 40 }, (_, n) => n + 1);
    empty.killIn = 0;
    const deaths = await empty.drain();
    empty.killIn = undefined;
    await untilDone(empty, id);
    expect(await dump(empty)).toEqual(wanted);
    expect(deaths).toBeGreaterThan(10);
  });

  it("over what is there nothing changes, however often the cron and its workers die", async () => {
    await threeDays(world);
    const before = await dump(world);
    const { id } = await start(world, { all: true });
    world.kills = Array.from({ length: 40 }, (_, n) => 3 * n);
    world.killIn = 0;
    let deaths = 0;
    for (let n = 0; n < 4; n++) {
      deaths += await world.drain();
      if (!(await world.cron(30))) deaths++;
    }
    world.killIn = undefined;
    await untilDone(world, id);
    expect(await dump(world)).toEqual(before);
    expect(deaths).toBeGreaterThan(10);
  });

  it("while it looks through the archive, it goes on where it was, and finds each delivery once", async () => {
    for (let n = 0; n < 120; n++) copyObject(n);
    const { id } = await start(world, { customer: "alder", shadow: true });
    await world.rows("TRUNCATE replay_items");
    const [{ id: second } = { id: "" }] = await world.rows<{ id: string }>(
      "INSERT INTO replays (customer, shadow, gate, created_by) VALUES ('alder', true, 'judge', 'ops') RETURNING id::text AS id",
    );
    for (let effects = 1; effects < 60; effects++) {
      world.killIn = effects;
      await world.cron(10);
    }
    world.killIn = undefined;
    await world.cron(10);
    expect(await reportOf(world, second)).toMatchObject({
      state: "done",
      progress: { deliveries: { total: 120, skipped: 120 } },
    });
    expect((await reportOf(world, id)).progress.deliveries.total).toBe(0);
  });
});

/** An object of the archive that was made by hand. */
function copyObject(n: number, customer = "alder", underKeyOf = customer): string {
  const id = n.toString(16).padStart(32, "0");
  const facts = {
    v: 1,
    id,
    customer,
    feed: customer === "birch" ? "orders" : "stock",
    door: "mail",
    sender: `erp@${customer}.example`,
    verdict: { kind: "proven", proof: "dkim=pass" },
    receivedAt: new Date(START).toISOString(),
    bytes: 1,
    sha256: "0".repeat(64),
  } as const;
  const key = `raw/${underKeyOf}/2026/06/01/${id}.eml`;
  world.bucket.objects.set(key, { bytes: new Uint8Array(1), metadata: factsToMetadata(facts), uploaded: new Date() });
  return key;
}

describe("messages that are lost", () => {
  it("are sent again after a while", async () => {
    await threeDays(world);
    const { id } = await start(world, { all: true });
    expect(world.queue.length).toBe(2);
    world.queue = [];
    await world.cron(10);
    expect(world.queue).toEqual([]);
    await untilDone(world, id);
  });

  it("again and again make the delivery fail, and the replay goes on and tells of it", async () => {
    await threeDays(world);
    const { id } = await start(world, { customer: "alder" });
    const stuck = world.queue[0]!.body.correlationId;
    for (let n = 0; n < 16; n++) {
      world.queue = world.queue.filter(({ body }) => body.correlationId !== stuck);
      await world.cron(24 * 60);
    }
    await world.drain();
    const report = await reportOf(world, id);
    expect(report).toMatchObject({ state: "done", progress: { deliveries: { done: 2, failed: 1 } } });
    expect(report.left_out).toMatchObject([{ state: "failed", reason: "does-not-move", examples: [stuck] }]);
  });

  it("end the file that was begun with the replay, given up or cancelled: nobody would read it to its end", async () => {
    await threeDays(world);
    const begunFile = async (replay: string, delivery: string) => {
      await world.rows(
        `INSERT INTO files (delivery_id, position, customer_id, feed_id, path, content_type, state, adapter_version, as_of, as_of_source,
           order_key, received_at, cause, replay_id)
         SELECT delivery_id, position, customer_id, feed_id, path, content_type, 'parsing', adapter_version, as_of, as_of_source, order_key,
           received_at, 'replay', $1::bigint FROM files WHERE delivery_id = $2 AND cause = 'delivery'`,
        [replay, delivery],
      );
      return async () =>
        (
          await world.rows<{ state: string; code: string | null }>(
            "SELECT state, failure->>'code' AS code FROM files WHERE replay_id = $1::bigint AND delivery_id = $2",
            [replay, delivery],
          )
        ).map(({ state, code }) => [state, code]);
    };
    const first = await start(world, { customer: "alder" });
    const stuck = world.queue[0]!.body.correlationId;
    const stateOfStuck = await begunFile(first.id, stuck);
    for (let n = 0; n < 16; n++) {
      world.queue = world.queue.filter(({ body }) => body.correlationId !== stuck);
      await world.cron(24 * 60);
    }
    expect(await stateOfStuck()).toEqual([["rejected", "reading-given-up"]]);

    const second = await start(world, { customer: "birch" });
    const left = world.queue.at(-1)!.body.correlationId;
    const stateOfLeft = await begunFile(second.id, left);
    world.queue = [];
    await world.http("POST", `/v1/replays/${second.id}/cancel`);
    await world.cron(24 * 60);
    expect(await stateOfLeft(), "its message may still come").toEqual([["parsing", null]]);
    await world.cron(7 * 24 * 60);
    expect(await stateOfLeft()).toEqual([["rejected", "reading-given-up"]]);
  });

  it("a delivery whose bytes are gone fails with the code of its letter", async () => {
    await threeDays(world);
    const [{ key, id: delivery } = { key: "", id: "" }] = await world.rows<{ key: string; id: string }>(
      "SELECT raw_key AS key, id FROM deliveries WHERE raw_key LIKE 'raw/alder/2026/06/02/%'",
    );
    const { id } = await start(world, { customer: "alder" });
    world.bucket.objects.delete(key);
    await untilDoneOrFailed(world, id);
    expect(await reportOf(world, id)).toMatchObject({
      state: "done",
      progress: { deliveries: { done: 2, failed: 1 } },
      left_out: [{ reason: "raw-missing", examples: [delivery] }],
    });
  });
});

async function untilDoneOrFailed(of: World, id: string): Promise<void> {
  for (let n = 0; n < 20 && (await reportOf(of, id)).state !== "done"; n++) {
    await of.drain();
    await of.cron(30);
  }
}

describe("an archive that cannot be listed", () => {
  it("for now: the replay waits for it; for good: it has failed, and says why", async () => {
    await threeDays(world);
    const list = world.bucket.list;
    const refusing = (words: string) => {
      world.bucket.list = () => {
        throw new Error(words);
      };
    };
    refusing("we encountered an internal error. Please try again. (10001)");
    const { id, state } = await start(world, { all: true });
    expect(state).toBe("collecting");
    await expect(world.cron()).rejects.toThrow("internal error");
    expect((await reportOf(world, id)).state).toBe("collecting");
    refusing("the prefix is not valid (10020)");
    await expect(world.cron()).rejects.toThrow("not valid");
    expect(await reportOf(world, id)).toMatchObject({ state: "failed", failure: { code: "storage-refused" } });
    world.bucket.list = list;
    expect(await replayed(world, { all: true })).toMatchObject({ state: "done" });
  });
});

describe("an operator", () => {
  it("pauses it: nothing further is begun; resumes it: it comes to its end", async () => {
    await threeDays(world);
    const { id } = await start(world, { all: true });
    expect(await world.http("POST", `/v1/replays/${id}/pause`)).toMatchObject({
      status: 200,
      body: { replay: { state: "paused" } },
    });
    await world.drain();
    await world.cron(60);
    await world.drain();
    expect(await reportOf(world, id)).toMatchObject({
      state: "paused",
      progress: { deliveries: { done: 2, waiting: 4, sent: 0 } },
    });
    expect(await world.http("POST", `/v1/replays/${id}/resume`)).toMatchObject({ status: 200 });
    await world.drain();
    expect(await reportOf(world, id)).toMatchObject({ state: "done", progress: { deliveries: { done: 6 } } });
    expect(
      (
        await world.rows<{ action: string }>("SELECT action FROM audit_log WHERE subject = $1 ORDER BY id", [
          `replay ${id}`,
        ])
      ).map(({ action }) => action),
    ).toEqual(["replay", "pause-replay", "resume-replay"]);
  });

  it("cancels it: what waits is left out, what is on its way does nothing, and another may have its turn", async () => {
    await threeDays(world);
    const { id } = await start(world, { all: true });
    expect(await world.http("POST", `/v1/replays/${id}/cancel`)).toMatchObject({
      status: 200,
      body: { replay: { state: "cancelled" } },
    });
    await world.drain();
    expect(await reportOf(world, id)).toMatchObject({
      left_out: [{ reason: "cancelled", deliveries: 6 }],
      totals: { files: 0 },
    });
    expect(await world.rows("SELECT id FROM files WHERE replay_id IS NOT NULL")).toEqual([]);
    expect(await world.http("POST", `/v1/replays/${id}/resume`)).toMatchObject({ status: 409 });
    expect(await replayed(world, { all: true })).toMatchObject({
      state: "done",
      progress: { deliveries: { done: 6 } },
    });
  });

  it("who starts two at once gets both done, and of a feed one delivery at a time", async () => {
    await threeDays(world);
    const before = await dump(world);
    const first = await start(world, { all: true });
    const second = await start(world, { customer: "alder" });
    const [{ n } = { n: 0 }] = await world.rows<{ n: number }>(
      "SELECT count(*)::int AS n FROM replay_items WHERE state = 'sent'",
    );
    expect(n).toBe(2);
    await untilDone(world, first.id);
    await untilDone(world, second.id);
    expect(await dump(world)).toEqual(before);
  });
});

describe("a replay of one customer", () => {
  it("never touches another's, whatever stands beside the bytes", async () => {
    await threeDays(world);
    copyObject(1, "birch", "alder");
    copyObject(2, "alder", "birch");
    const report = await replayed(world, { customer: "alder" });
    expect(report.feeds.map(({ feed }) => feed)).toEqual(["alder/stock"]);
    expect(report.progress.deliveries.total).toBe(3);
    const files = await world.rows(
      "SELECT DISTINCT c.slug FROM files f JOIN customers c ON c.id = f.customer_id WHERE f.replay_id IS NOT NULL",
    );
    expect(files).toEqual([{ slug: "alder" }]);
    expect((await replayed(world, { all: true })).progress.deliveries.total).toBe(6);
    const foreign = await world.http("POST", "/v1/replays", {
      customer: "alder",
      feed: "stock",
      raw_keys: [`raw/birch/2026/06/01/${"0".repeat(32)}.eml`],
    });
    expect(foreign).toMatchObject({ status: 400, body: { faults: [{ path: "raw_keys" }] } });
  });

  it("leaves out what was not archived by us, and a delivery of a feed that is not deployed any more", async () => {
    await stock(world, 0, csv([["a", 1]]));
    await world.drain();
    world.bucket.objects.set("raw/alder/2026/06/01/notes.txt", {
      bytes: new Uint8Array(1),
      metadata: {},
      uploaded: new Date(),
    });
    const [[key, object] = ["", undefined]] = [...world.bucket.objects].filter(([name]) => name.endsWith(".eml"));
    const facts = { ...factsFromMetadata(object!.metadata), feed: "gone", id: "f".repeat(32) };
    world.bucket.objects.set(key.replace(/[0-9a-f]{32}/, facts.id), { ...object!, metadata: factsToMetadata(facts) });
    const report = await replayed(world, { customer: "alder" });
    expect(report).toMatchObject({ state: "done", progress: { deliveries: { total: 2, done: 1, skipped: 1 } } });
    expect(report.left_out).toMatchObject([{ reason: "unknown-feed" }]);
  });
});
