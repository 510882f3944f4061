/** Old mails and files, brought in over the API and read by a replay, in the order of then. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { csv, feedsOf } from "./feeds.ts";
import { dataOf, day, dump, orders, replayed, START } from "./scene.ts";
import { World } from "./world.ts";

let world: World;
beforeEach(async () => {
  world = await World.open(feedsOf("alder", "birch"), START + 60 * 86_400_000);
});
afterEach(() => world.close());

interface Brought {
  readonly delivery: { readonly id: string; readonly state: string | null };
  readonly raw_key: string;
  readonly received_at: string;
}

async function bring(name: string, text: string, modifiedAt = day(0)): Promise<Brought & { readonly status: number }> {
  const query = new URLSearchParams({ name, modified_at: modifiedAt.toISOString() });
  const path = `/v1/feeds/birch/orders/backfill?${query}`;
  const { status, body } = await world.http<Brought>("POST", path, new TextEncoder().encode(text));
  return { status, ...body };
}

const read = (brought: readonly Brought[], gate = "pass") =>
  replayed(world, { customer: "birch", feed: "orders", raw_keys: brought.map(({ raw_key }) => raw_key), gate });

describe("old files", () => {
  it("land in the order of their times, whatever order they are brought in; again they change nothing", async () => {
    const files = [2, 0, 1].map(
      (n) =>
        [
          `orders-2026060${n + 1}.csv`,
          csv([
            ["x", n],
            [`y${n}`, 1],
          ]),
        ] as const,
    );
    const brought = [];
    for (const [name, text] of files) brought.push(await bring(name, text));
    expect(brought.map(({ status, received_at: at }) => [status, at.slice(0, 10)])).toEqual([
      [201, "2026-06-03"],
      [201, "2026-06-01"],
      [201, "2026-06-02"],
    ]);
    expect(world.queue).toEqual([]);
    expect(await read(brought)).toMatchObject({
      state: "done",
      totals: { files: 3, inserted: 4, changed: 2, held: 0 },
    });
    expect(await world.rows("SELECT version, data->'qty' AS qty FROM records WHERE natural_key = 'x'")).toEqual([
      { version: 3, qty: 2 },
    ]);

    const before = await dump(world);
    const objects = world.bucket.objects.size;
    const again = [];
    for (const [name, text] of files) again.push(await bring(name, text, day(30)));
    expect(again.map(({ status, delivery }) => [status, delivery.state])).toEqual([
      [200, "parsed"],
      [200, "parsed"],
      [200, "parsed"],
    ]);
    expect(again.map(({ raw_key }) => raw_key)).toEqual(brought.map(({ raw_key }) => raw_key));
    expect(await read(again)).toMatchObject({ totals: { inserted: 0, changed: 0 } });
    expect(await dump(world)).toEqual(before);
    expect([...world.bucket.objects.keys()].filter((key) => key.startsWith("raw/")).length).toBe(3);
    expect(objects).toBeGreaterThan(0);
  });

  it("never win over what came since", async () => {
    await orders(world, 40, csv([["x", 40]]));
    await world.drain();
    const report = await read([
      await bring(
        "orders-20260601.csv",
        csv([
          ["x", 1],
          ["z", 1],
        ]),
      ),
    ]);
    expect(report.totals).toMatchObject({ inserted: 1, stale: 1, changed: 0 });
    expect(await dataOf(world, "birch")).toMatchObject([{ key: "x", data: { qty: 40 } }, { key: "z" }]);
  });

  it("a mail that has come is known, and one that has not lands", async () => {
    await orders(world, 5, csv([["x", 5]]));
    await world.drain();
    const [[key, object] = ["", undefined]] = [...world.bucket.objects].filter(([name]) => name.startsWith("raw/"));
    const mail = new TextDecoder().decode(object!.bytes);
    const known = await bring("kept.eml", `Received: from erp by us; Sat, 06 Jun 2026 08:00:09 +0000\r\n${mail}`);
    expect([known.status, known.raw_key, known.delivery.state]).toEqual([200, key, "parsed"]);
    const other = await bring(
      "other.eml",
      mail.replace(/^Message-ID: .*$/m, "Message-ID: <other@birch.example>").replace("x,5", "w,5"),
    );
    expect(other.status).toBe(201);
    expect(await read([other])).toMatchObject({ totals: { files: 1 } });
  });

  it("are written down with who brought them; nobody but an operator may", async () => {
    const { delivery } = await bring("orders-20260601.csv", csv([["x", 1]]));
    expect(await world.rows("SELECT actor, action, subject, detail->>'name' AS name FROM audit_log")).toEqual([
      { actor: "ops", action: "backfill", subject: `delivery ${delivery.id}`, name: "orders-20260601.csv" },
    ]);
    const unknown = await world.http("POST", "/v1/feeds/birch/none/backfill?name=a.csv", new TextEncoder().encode("x"));
    expect(unknown.status).toBe(404);
    const when = await world.http(
      "POST",
      "/v1/feeds/birch/orders/backfill?name=a.csv&modified_at=yesterday",
      new TextEncoder().encode("x"),
    );
    expect(when).toMatchObject({ status: 400, body: { parameter: "modified_at" } });
    const empty = await world.http("POST", "/v1/feeds/birch/orders/backfill?name=a.csv", new Uint8Array());
    expect(empty.status).toBe(400);
  });
});
