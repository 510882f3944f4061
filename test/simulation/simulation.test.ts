/** A short set of simulations for every change; thousands are run by command: see README.md. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Engine, openEngine, underClock } from "./engine.ts";
import { reportOf } from "./report.ts";
import { simulate } from "./simulate.ts";

/** Bare seeds of every run of the tests. */
const SEEDS = [1, 2, 3, 4, 6, 8, 9, 10, 11, 13].map(String);

let engine: Engine;
beforeAll(async () => {
  engine = await openEngine();
});
afterAll(() => engine.close());

describe("the simulator", () => {
  it("does the same for the same seed, whatever ran before it, and something else for another", async () => {
    const first = await simulate("1", engine);
    const other = await simulate("2", engine);
    const again = await simulate("1", engine);
    expect(again.digest).toBe(first.digest);
    expect(other.digest).not.toBe(first.digest);
    expect(again.tables).toEqual(first.tables);
  });

  it("makes leases in SQL expire by virtual time", async () => {
    await engine.reset();
    let nowMs = Date.UTC(2026, 0, 3);
    await underClock(
      () => nowMs,
      async () => {
        await engine.rows("SELECT * FROM register_feed('c1', 'C', 'stock', 'S', 'delta', 'v1')");
        await engine.rows(
          "UPDATE feeds SET active_file_id = 1, lease_token = $1, lease_until = now() + interval '60 s'",
          ["00000000-0000-4000-a000-000000000001"],
        );
        const expired = async () =>
          (await engine.rows<{ over: boolean }>("SELECT lease_until < clock_timestamp() AS over FROM feeds"))[0]?.over;
        nowMs += 59_000;
        expect(await expired()).toBe(false);
        nowMs += 2_000;
        expect(await expired()).toBe(true);
      },
    );
  });
});

describe("the whole system", () => {
  it.each(SEEDS)("keeps its promises in the weather of seed %s", async (seed) => {
    expect(reportOf(await simulate(seed, engine)) ?? "").toBe("");
  });
});
