/** A short set of simulations for every change; thousands are run by command: see README.md. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MAX_ATTEMPTS } from "../../src/queues/consume.ts";
import { type Engine, openEngine, underClock } from "./engine.ts";
import { reportOf } from "./report.ts";
import { type Scenario, simulate } from "./simulate.ts";
import { NO_RATES } from "./weather.ts";
import { workloadOf } from "./workload.ts";

/** The scripted runs are long, and CI machines are shared. */
const PATIENCE_MS = 240_000;

/** Bare seeds of every run of the tests. */
const SEEDS = Array.from({ length: 24 }, (_, i) => String(i + 1));

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

const MINUTE = 60_000;

/** Ten customers who go on sending while the database is away for half an hour. */
const AWAY: Scenario = {
  workload: (chance, startMs) =>
    workloadOf(chance, {
      customers: 10,
      files: { least: 2, most: 4 },
      fromMs: startMs,
      untilMs: startMs + 40 * MINUTE,
      poison: 0,
      uploads: false,
      mishaps: 0,
      snapshots: 0,
    }),
  climate: (_, startMs) => ({
    rates: NO_RATES,
    spells: [{ of: "database", kind: "away", fromMs: startMs + 5 * MINUTE, untilMs: startMs + 35 * MINUTE }],
    calmFromMs: startMs + 35 * MINUTE,
  }),
};

describe("a database that is away for 30 minutes under load of 10 customers", () => {
  it(
    "makes no dead letter, loses nothing and uses up no attempts: all is applied afterwards",
    async () => {
      const result = await simulate("away", engine, AWAY);
      expect(reportOf(result) ?? "").toBe("");
      const { tables, world, workload } = result;
      expect(result.faults["database: away"]).toBeGreaterThan(100);
      expect(workload.length).toBeGreaterThan(30);
      expect(tables.deliveries).toHaveLength(workload.length);
      expect(tables.letters).toEqual([]);
      expect(tables.files.filter(({ state }) => state !== "applied" && state !== "duplicate")).toEqual([]);
      // Waiting spends none; what is counted here are messages that came twice.
      expect(world.queues.mostAttempts).toBeLessThan(MAX_ATTEMPTS.apply.passing);
    },
    PATIENCE_MS,
  );
});

/** Longer than a queue keeps a message. */
const GONE_MS = 100 * 60 * MINUTE;

const GONE: Scenario = {
  workload: (chance, startMs) =>
    workloadOf(chance, {
      customers: 1,
      files: { least: 2, most: 2 },
      fromMs: startMs,
      untilMs: startMs + 30 * MINUTE,
      poison: 0,
      uploads: false,
      mishaps: 0,
      snapshots: 0,
    }),
  climate: (_, startMs) => ({
    rates: NO_RATES,
    spells: [{ of: "database", kind: "away", fromMs: startMs, untilMs: startMs + GONE_MS }],
    calmFromMs: startMs + GONE_MS,
  }),
};

describe("a database that is away for longer than queues keep a message", () => {
  it(
    "makes no dead letter and loses nothing: the sweep brings everything back",
    async () => {
      const result = await simulate("gone", engine, GONE);
      expect(reportOf(result) ?? "").toBe("");
      expect(result.tables.deliveries).toHaveLength(result.workload.length);
      expect(result.tables.letters).toEqual([]);
    },
    PATIENCE_MS,
  );
});

const FIXED_AFTER_MS = 60 * MINUTE;

/** Half of all mails have something wrong with them, which is put right after an hour. The weather is fine. */
const POISON: Scenario = {
  workload: (chance, startMs) =>
    workloadOf(chance, {
      customers: 6,
      files: { least: 4, most: 4 },
      fromMs: startMs,
      untilMs: startMs + 20 * MINUTE,
      poison: 0.5,
      uploads: true,
      mishaps: 0,
      snapshots: 0,
    }),
  climate: (_, startMs) => ({ rates: NO_RATES, spells: [], calmFromMs: startMs }),
  fixMs: (_, startMs) => startMs + FIXED_AFTER_MS,
};

describe("a poison mail, a poison file and a poison row", () => {
  it(
    "are parked alone at the first attempt while the rest flows, and apply once when redriven after the fix",
    async () => {
      const result = await simulate("poison", engine, POISON);
      expect(reportOf(result) ?? "").toBe("");
      const { tables, workload, startMs } = result;
      const wrong = (...fates: string[]) => workload.filter(({ fate }) => fates.includes(fate)).length;
      expect(wrong("dead before its row")).toBeGreaterThanOrEqual(1);
      expect(wrong("dead at parse")).toBeGreaterThanOrEqual(1);
      expect(wrong("dead at apply")).toBeGreaterThanOrEqual(1);
      expect(tables.letters.map(({ attempts }) => attempts)).toEqual(tables.letters.map(() => 1));
      expect(tables.letters.filter(({ state }) => state !== "redriven")).toEqual([]);
      // Nobody waited for the fix but those that needed it: the sweep and a slow sender are long done by then.
      const late = tables.files.filter(({ applied_ms }) => (applied_ms ?? 0) > startMs + FIXED_AFTER_MS);
      expect(late.length).toBeLessThanOrEqual(
        2 * wrong("dead before its row", "dead at parse", "dead at apply", "quarantined"),
      );
    },
    PATIENCE_MS,
  );
});

/** Every third export is wrong, records are edited by hand, and somebody has everything read again. The weather is fine. */
const MISHAPS: Scenario = {
  workload: (chance, startMs) =>
    workloadOf(chance, {
      customers: 4,
      files: { least: 5, most: 8 },
      fromMs: startMs,
      untilMs: startMs + 180 * MINUTE,
      poison: 0,
      uploads: true,
      mishaps: 0.3,
      snapshots: 1,
    }),
  climate: (_, startMs) => ({ rates: NO_RATES, spells: [], calmFromMs: startMs }),
  decides: () => true,
  replays: () => true,
};

describe("lists that are wrong, records that were edited by hand, and an archive that is read again", () => {
  it(
    "are held and decided, found and healed, and change nothing",
    async () => {
      const result = await simulate("wrong-4", engine, MISHAPS);
      expect(reportOf(result) ?? "").toBe("");
      const { holds, files, reports, made, changes } = result.tables;
      expect(holds.map(({ decision }) => decision)).toEqual(expect.arrayContaining(["release", "widen", "reject"]));
      expect(files.filter(({ retired }) => (retired ?? 0) > 0).length).toBeGreaterThan(3);
      expect(changes.filter(({ kind }) => kind === "restored").length).toBeGreaterThan(0);
      expect(reports.map(({ state }) => state)).toEqual(expect.arrayContaining(["clean", "healed"]));
      const of = (cause: string, state: string) => made.filter((row) => row.cause === cause && row.state === state);
      expect(of("reconcile", "applied").length).toBeGreaterThan(0);
      expect(of("replay", "applied").length).toBeGreaterThan(5);
      expect(of("replay", "compared").length).toBeGreaterThan(5);
    },
    PATIENCE_MS,
  );
});

describe("the whole system", () => {
  it.each(SEEDS)(
    "keeps its promises in the weather of seed %s",
    async (seed) => {
      expect(reportOf(await simulate(seed, engine)) ?? "").toBe("");
    },
    PATIENCE_MS,
  );
});
