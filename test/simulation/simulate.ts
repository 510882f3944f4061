/** One run: a workload and a weather from a seed, until everything has come to rest, then the model's judgement. */
import { hashToken } from "../../src/api/tokens.ts";
import { retiredBeside, writtenBehind } from "./behind.ts";
import { Deciders } from "./deciders.ts";
import { type Engine, underClock } from "./engine.ts";
import { FEEDS, NIGHTLY } from "./feeds.ts";
import { decisionFaults } from "./holds.ts";
import { type Violation, violationsOf } from "./model.ts";
import { Operator } from "./operator.ts";
import { type Chance, chanceOf } from "./random.ts";
import { Replayer } from "./replayer.ts";
import { Senders } from "./sender.ts";
import { isHeld, openIn, type Tables, tablesIn } from "./tables.ts";
import { Vandal } from "./vandal.ts";
import { type Climate, climateOf } from "./weather.ts";
import { type SentMail, type WorkloadOptions, workloadOf } from "./workload.ts";
import { OPERATOR_TOKEN, World } from "./world.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** When faults have stopped, everything comes to an end within this: the sweep lets a thing rest for a day at most, and so does a hold. */
const REST_MS = 28 * HOUR;
/** Nothing is judged before the sweep has looked for what was lost: it lets things be for 20 minutes. */
const SWEPT_MS = 45 * MINUTE;

/** How long an operator goes on looking after faults have stopped. */
const OPERATED_MS = HOUR;

/** From look to look at whether all is at rest. Prime to the crons, one of which would run at every look otherwise. */
const LOOK_MS = 577_000;

/** What a run is made of; a scripted one says it all, the others draw it. */
export interface Scenario {
  workload(chance: Chance, startMs: number): SentMail[];
  climate(chance: Chance, startMs: number): Climate;
  /** When somebody puts right what the database refuses, and sends again what died of it; absent: nobody does. */
  fixMs?(chance: Chance, startMs: number): number | undefined;
  /** Somebody decides about what the gate holds; absent: nobody does. */
  decides?(chance: Chance): boolean;
  /** Somebody has the archive read again. */
  replays?(chance: Chance): boolean;
  /** The run goes on until what nobody has decided about is over. */
  expires?(chance: Chance): boolean;
}

export interface RunResult {
  readonly seed: string;
  readonly violations: readonly Violation[];
  /** SHA-256 of all that happened. */
  readonly digest: string;
  readonly effects: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly virtualMs: number;
  readonly startMs: number;
  readonly workload: readonly SentMail[];
  readonly tables: Tables;
  readonly world: World;
}

const LONGEST_MS = 4 * HOUR;

/** The scenario of a bare seed. */
export const RANDOM: Scenario = {
  workload(chance, startMs) {
    const options: WorkloadOptions = {
      customers: chance.int(1, 3),
      files: { least: 1, most: 6 },
      fromMs: startMs,
      untilMs: startMs + chance.spread(MINUTE, LONGEST_MS),
      poison: chance.hits(0.5) ? 0.12 : 0,
      uploads: chance.hits(0.5),
      mishaps: chance.hits(0.6) ? 0.2 : 0,
      snapshots: chance.hits(0.5) ? 0.7 : 0,
    };
    return workloadOf(chance, options);
  },
  climate: (chance, startMs) => climateOf(chance, startMs, startMs + chance.spread(20 * MINUTE, LONGEST_MS + HOUR)),
  fixMs: (chance, startMs) => (chance.hits(0.6) ? startMs + chance.spread(10 * MINUTE, LONGEST_MS) : undefined),
  decides: (chance) => chance.hits(0.75),
  expires: (chance) => chance.hits(0.1),
  replays: (chance) => chance.hits(0.4),
};

/** At any time of a day: midnight comes in some runs. The same day for all, since the database's clock goes back between runs. */
const startOf = (chance: Chance): number => Date.UTC(2026, 0, 2) + chance.int(0, DAY - 1);

export async function simulate(seed: string, engine: Engine, scenario: Scenario = RANDOM): Promise<RunResult> {
  await engine.reset();
  const chance = chanceOf(seed);
  const startMs = startOf(chance);
  const mails = scenario.workload(chance.fork("workload"), startMs);
  const customers = new Set(mails.map(({ customer }) => customer));
  const world = new World({
    seed,
    engine,
    feeds: FEEDS.filter(({ customer }) => customers.has(customer)),
    startMs,
    climateOf: (of) => scenario.climate(of, startMs),
  });
  const { scheduler } = world;
  const calmMs = world.weather.climate.calmFromMs;
  const fixMs = scenario.fixMs?.(chance.fork("fix"), startMs);
  const lastMailMs = Math.max(...mails.map((mail) => mail.submitMs));
  // An operator looks twice more when faults have stopped and all has come.
  const lastLookMs = fixMs === undefined ? 0 : Math.max(calmMs, fixMs, lastMailMs) + OPERATED_MS;
  const lastMs = Math.max(lastLookMs, calmMs, lastMailMs);
  const endMs = lastMs + REST_MS;
  return underClock(
    () => scheduler.nowMs,
    async () => {
      for (const { poison } of mails) if (poison !== undefined) world.database.refused.add(poison);
      await engine.rows("INSERT INTO api_tokens (name, sha256, role) VALUES ('operator', $1, 'operator')", [
        hashToken(OPERATOR_TOKEN),
      ]);
      const senders = new Senders(world, mails);
      if (fixMs !== undefined) new Operator(world, fixMs, lastLookMs);
      const decides = scenario.decides?.(chance.fork("decides")) ?? false;
      const deciders = decides ? new Deciders(world, engine, Math.max(calmMs, lastMailMs) + OPERATED_MS) : undefined;
      const replays = scenario.replays?.(chance.fork("replays")) ?? false;
      if (replays) new Replayer(world, mails, Math.max(calmMs, lastMailMs) + OPERATED_MS);
      const lists = mails.filter(({ kind }) => kind === NIGHTLY);
      const vandal = lists.length > 0 ? new Vandal(world, engine, lists) : undefined;
      const expires = scenario.expires?.(chance.fork("expires")) ?? false;
      world.startCrons(endMs);
      const atRest = () => senders.open === 0 && world.queues.busy === 0 && world.running === 0;
      let open: string[] = [];
      for (let untilMs = lastMs + SWEPT_MS; untilMs <= endMs; untilMs += LOOK_MS) {
        await scheduler.run(untilMs);
        if (!atRest()) continue;
        open = await openIn(engine);
        if (expires && (await isHeld(engine))) continue;
        if (open.length === 0) break;
      }
      const tables = await tablesIn(engine, world.storage);
      const violations = [
        ...unrest(world, senders, open),
        ...violationsOf(
          mails,
          senders.told,
          tables,
          fixMs !== undefined,
          scheduler.nowMs - SWEPT_MS,
          vandal?.deeds ?? [],
        ),
        ...decisionFaults(tables, deciders?.told ?? []),
        ...writtenBehind(tables),
        ...retiredBeside(tables),
      ];
      return {
        seed,
        violations,
        digest: world.trace.digest(),
        effects: world.trace.effects,
        faults: world.trace.faults(),
        virtualMs: scheduler.nowMs - startMs,
        startMs,
        workload: mails,
        tables,
        world,
      };
    },
  );
}

/** What has not come to rest in time. */
function unrest(world: World, senders: Senders, open: readonly string[]): Violation[] {
  const violations: Violation[] = open.map((what) => ({
    rule: "when faults stop, everything comes to an end",
    subject: what,
    about: [/[0-9a-f]{32}/.exec(what)?.[0].slice(0, 8) ?? what],
    expected: "an end state",
    found: what,
  }));
  for (const { actor, line } of world.trouble.slice(0, 5)) {
    const rule = "when faults stop, nothing fails";
    violations.push({ rule, subject: actor, about: [actor], expected: "no error in the log", found: line });
  }
  const { busy, lost } = world.queues;
  if (senders.open + busy + world.running > 0) {
    violations.push({
      rule: "when faults stop, everything comes to rest",
      subject: "the whole system",
      about: [],
      expected: "no message, no invocation, no mail under way",
      found: `${busy} messages, ${world.running} invocations, ${senders.open} mails`,
    });
  }
  for (const { queue, body, why } of lost) {
    violations.push({
      rule: "queues lose nothing",
      subject: queue,
      about: [],
      expected: "nothing lost",
      found: `${why}: ${body}`,
    });
  }
  return violations;
}
