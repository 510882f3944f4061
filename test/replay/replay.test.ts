/** Deliveries that have landed are read again from the archive, over the API and through the whole Worker. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { csv, feedsOf } from "./feeds.ts";
import { World } from "./world.ts";

const DAY = 86_400_000;
const START = Date.UTC(2026, 5, 1, 8);
const day = (n: number) => new Date(START + n * DAY);

interface Report {
  readonly id: string;
  readonly state: string;
  readonly progress: { readonly deliveries: Record<string, number>; readonly remaining_seconds: number | null };
  readonly totals: Record<string, number>;
  readonly feeds: readonly { readonly feed: string; readonly inserted: number }[];
  readonly left_out: readonly { readonly reason: string; readonly deliveries: number; readonly state: string }[];
}

let world: World;
beforeEach(async () => {
  world = await World.open(feedsOf("alder", "birch", "cedar"), START);
});
afterEach(() => world.close());

const stock = (n: number, text: string) =>
  world.mail({ customer: "alder", feed: "stock", name: `stock-${n}.csv`, text, at: day(n) });
const orders = (n: number, text: string) =>
  world.mail({
    customer: "birch",
    feed: "orders",
    name: `orders-${day(n).toISOString().slice(0, 10).replaceAll("-", "")}.csv`,
    text,
    at: day(n),
  });

async function start(body: object, in_ = world): Promise<Report> {
  const answer = await in_.http<{ replay: Report }>("POST", "/v1/replays", body);
  expect(answer).toMatchObject({ status: 202 });
  return answer.body.replay;
}
async function replayed(body: object, in_ = world): Promise<Report> {
  const { id } = await start(body, in_);
  await in_.drain();
  return (await in_.http<Report>("GET", `/v1/replays/${id}`)).body;
}

/** Three days of two customers. */
async function threeDays(): Promise<void> {
  for (let n = 0; n < 3; n++) {
    await stock(n, csv([["a", n], ["b", 1], ...(n === 2 ? [] : [["c", 1] as const])]));
    await world.drain();
    await orders(
      n,
      csv([
        ["x", n],
        [`y${n}`, 1],
      ]),
    );
    await world.drain();
  }
}

describe("a replay over what is there", () => {
  it("reads everything again and changes nothing", async () => {
    await threeDays();
    const [records, changes] = [await world.records(), await world.changes()];
    const report = await replayed({ all: true });
    expect(report).toMatchObject({
      state: "done",
      progress: { deliveries: { total: 6, done: 6 } },
      totals: { files: 6, held: 0, rejected: 0, dead: 0, inserted: 0, changed: 0, retired: 0, accepted: 14 },
      left_out: [],
    });
    expect(await world.records()).toBe(records);
    expect(await world.changes()).toBe(changes);
  });
});
