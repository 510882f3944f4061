/** What tests of replays do again and again. */
import { expect } from "vitest";
import { csv } from "./feeds.ts";
import type { World } from "./world.ts";

const DAY = 86_400_000;
export const START = Date.UTC(2026, 5, 1, 8);
export const day = (n: number) => new Date(START + n * DAY);

export interface Report {
  readonly id: string;
  readonly state: string;
  readonly progress: { readonly deliveries: Record<string, number>; readonly remaining_seconds: number | null };
  readonly totals: Record<string, number>;
  readonly feeds: readonly { readonly feed: string; readonly inserted: number }[];
  readonly left_out: readonly {
    readonly reason: string;
    readonly deliveries: number;
    readonly state: string;
    readonly examples: readonly string[];
  }[];
}

export const stock = (world: World, n: number, text: string) =>
  world.mail({ customer: "alder", feed: "stock", name: `stock-${n}.csv`, text, at: day(n) });

export const orders = (world: World, n: number, text: string) => {
  const name = `orders-${day(n).toISOString().slice(0, 10).replaceAll("-", "")}.csv`;
  return world.mail({ customer: "birch", feed: "orders", name, text, at: day(n) });
};

export async function start(world: World, body: object): Promise<Report> {
  const answer = await world.http<{ replay: Report }>("POST", "/v1/replays", body);
  expect(answer).toMatchObject({ status: 202 });
  return answer.body.replay;
}

export const reportOf = async (world: World, id: string) => (await world.http<Report>("GET", `/v1/replays/${id}`)).body;

/** Starts it and lets all messages come to their end. */
export async function replayed(world: World, body: object): Promise<Report> {
  const { id } = await start(world, body);
  await world.drain();
  return reportOf(world, id);
}

/** Three days of a full and of a delta feed, of two customers. */
export async function threeDays(world: World): Promise<void> {
  for (let n = 0; n < 3; n++) {
    await stock(world, n, csv([["a", n], ["b", 1], ...(n === 2 ? [] : [["c", 1] as const])]));
    await world.drain();
    await orders(
      world,
      n,
      csv([
        ["x", n],
        [`y${n}`, 1],
      ]),
    );
    await world.drain();
  }
}

export const dump = async (of: World) => ({ records: await of.records(), changes: await of.changes() });

export const dataOf = (of: World, customer: string) =>
  of.rows<{ key: string; data: unknown }>(
    `SELECT r.natural_key AS key, r.data FROM records r JOIN customers c ON c.id = r.customer_id
     WHERE c.slug = $1 AND r.status = 'active' ORDER BY 1`,
    [customer],
  );
