/** What freshness reads of a real database. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freshnessTables } from "../../src/freshness/tables.ts";
import { raiseAlert } from "../../src/observe/alerts.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { ago, DAY, NOW } from "../sweep/world.ts";
import { type UpkeepWorld, upkeepWorldOn } from "../upkeep/world.ts";

let own: FreshDatabase;
let world: UpkeepWorld;
beforeAll(async () => {
  own = await freshDatabase();
  world = upkeepWorldOn(own.connectionString);
});
afterAll(() => own.drop());

const SINCE = ago(60 * DAY);
const acme = [
  { customer: "acme", feed: "inventory" },
  { customer: "acme", feed: "never" },
  { customer: "nobody", feed: "inventory" },
];
const change = (id: string, what: string) => world.database.query(`UPDATE files SET ${what} WHERE id = $1`, [id]);

describe("the arrivals of a feed", () => {
  it("are files that came lately and were not refused; a feed of a known customer without any is there, a stranger is not", async () => {
    const ids: string[] = [];
    for (const days of [1, 2, 3, 4, 90]) ids.push(await world.oldFile("applied", days));
    const [, healing, seventh, ninth] = ids as [string, string, string, string];
    await world.oldFile("rejected", 1);
    await change(healing, "cause = 'reconcile'");
    await change(seventh, "sequence = 7");
    await change(ninth, "sequence = 9");
    await world.database.query(
      `UPDATE files SET order_key = (lpad(to_hex((extract(epoch FROM as_of) * 1000)::bigint), 12, '0') || lpad(id::text, 20, '0'))::uuid`,
    );
    const [inventory, never, ...others] = (await freshnessTables(world.database).arrivals(acme, SINCE)).toSorted(
      (x, y) => (x.feed < y.feed ? -1 : 1),
    );
    expect([...inventory!.atMs].sort()).toEqual([4, 3, 1].map((days) => NOW.getTime() - days * DAY));
    expect(inventory!.numbered.map(({ sequence }) => sequence).sort()).toEqual([7, 9]);
    expect(never).toMatchObject({ customer: "acme", feed: "never", atMs: [], numbered: [] });
    expect(never!.knownSinceMs).toBeGreaterThan(0);
    expect(others).toEqual([]);
  });

  it("are told apart from alerts of others", async () => {
    const deps = {
      database: world.database,
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    };
    await raiseAlert(deps, { kind: "snapshot-missing", subject: "acme/a", severity: "warning", detail: "d" });
    await raiseAlert(deps, { kind: "other", subject: "acme/b", severity: "warning", detail: "d" });
    expect(await freshnessTables(world.database).openAlerts(["snapshot-missing", "arrivals-missing"])).toEqual([
      { kind: "snapshot-missing", subject: "acme/a" },
    ]);
  });
});
