import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Answer,
  AWAY_FIRST_MS,
  AWAY_MAX_MS,
  COMPARED_PER_WRITTEN,
  configure,
  LATE_MS,
  LEASE_MS,
  look,
  MAX_PLACES,
  MAX_WAIT_MS,
  type Outcome,
  release,
  renew,
  reserve,
  SPREAD_MS,
} from "../../src/admission/admission.ts";
import { DEFAULT_LIMITS, type Limits } from "../../src/admission/limits.ts";
import { type AdmissionState, newState, PLACE_KEPT_MS } from "../../src/admission/state.ts";

const NOON = Date.UTC(2026, 10, 21, 12);
const wide: Limits = { filesAtOnce: 2, rowsPerSecond: 1_000, burstRows: 1_000_000 };

/** One customer's schedule with a clock of its own. Each step goes through JSON, as it does in storage. */
function scheduleOf(limits: Limits = wide, chance = 0) {
  let state = newState(NOON, limits);
  let nowMs = NOON;
  const keep = <A>(step: { state: AdmissionState; answer: A }): A => {
    state = JSON.parse(JSON.stringify(step.state)) as AdmissionState;
    return step.answer;
  };
  return {
    now: () => nowMs,
    pass(ms: number) {
      nowMs += ms;
    },
    reserve: (id: string, rows = 100) => keep(reserve(state, { id, rows }, nowMs, chance)),
    renew: (lease: string) => keep(renew(state, lease, nowMs)).held,
    release: (lease: string, outcome: Outcome = "done", written = Number.POSITIVE_INFINITY) =>
      keep(release(state, { lease, outcome, written }, nowMs, chance)).freed,
    configure(changed: Limits) {
      state = configure(state, changed, nowMs);
    },
    look: () => look(state, nowMs),
    state: () => state,
  };
}

const leaseOf = (answer: Answer): string => {
  if (!answer.admitted) throw new Error(`not admitted (${answer.because})`);
  return answer.lease;
};
const waitOf = (answer: Answer, nowMs: number): number => {
  if (answer.admitted) throw new Error("admitted");
  return answer.atMs - nowMs;
};

describe("slots", () => {
  it("lets in as many files as there are slots, and the next when one is given back", () => {
    const schedule = scheduleOf();
    const first = leaseOf(schedule.reserve("1"));
    schedule.reserve("2");
    expect(schedule.reserve("3")).toMatchObject({ admitted: false, because: "slots" });
    schedule.release(first);
    expect(schedule.reserve("3").admitted).toBe(true);
  });

  it("does not free two slots for a lease that is released twice", () => {
    const schedule = scheduleOf();
    const first = leaseOf(schedule.reserve("1"));
    schedule.reserve("2");
    expect(schedule.release(first)).toBe(true);
    expect(schedule.release(first)).toBe(false);
    expect(schedule.reserve("3").admitted).toBe(true);
    expect(schedule.reserve("4").admitted).toBe(false);
  });

  it("takes back the slot of a consumer that died, and its late release frees nobody else's", () => {
    const schedule = scheduleOf();
    const dead = leaseOf(schedule.reserve("1"));
    schedule.reserve("2");
    schedule.pass(LEASE_MS);
    schedule.reserve("3");
    schedule.reserve("4");
    expect(schedule.release(dead)).toBe(false);
    expect(schedule.renew(dead)).toBe(false);
    expect(schedule.reserve("5").admitted).toBe(false);
  });

  it("keeps the slot of a long file that renews", () => {
    const schedule = scheduleOf({ ...wide, filesAtOnce: 1 });
    const lease = leaseOf(schedule.reserve("1"));
    for (let i = 0; i < 10; i++) {
      schedule.pass(LEASE_MS - 1);
      expect(schedule.renew(lease)).toBe(true);
    }
    expect(schedule.reserve("2").admitted).toBe(false);
  });

  it("does not let in a file twice at once, and tells its second message to come when the lease has ended", () => {
    const schedule = scheduleOf();
    schedule.reserve("1");
    const second = schedule.reserve("1");
    expect(second).toMatchObject({ admitted: false, because: "under-way" });
    expect(waitOf(second, schedule.now())).toBe(LEASE_MS);
    expect(schedule.look().waiting.files).toBe(0);
  });

  it("does not let a newcomer pass those who wait", () => {
    const schedule = scheduleOf({ ...wide, filesAtOnce: 1 });
    const lease = leaseOf(schedule.reserve("1"));
    schedule.reserve("2");
    schedule.release(lease);
    expect(schedule.reserve("3").admitted).toBe(false);
    expect(schedule.reserve("2").admitted).toBe(true);
  });

  it("lets a newcomer in beside those who wait only where a slot is left for each of them", () => {
    const schedule = scheduleOf({ ...wide, filesAtOnce: 3 });
    const leases = ["1", "2", "3"].map((id) => leaseOf(schedule.reserve(id)));
    schedule.reserve("4");
    schedule.reserve("5");
    for (const lease of leases.slice(1)) schedule.release(lease);
    expect(schedule.reserve("6").admitted).toBe(false);
    schedule.release(leases[0]!);
    expect(schedule.reserve("7").admitted).toBe(false);
    expect(schedule.reserve("5").admitted).toBe(true);
    expect(schedule.reserve("4").admitted).toBe(true);
  });

  it("does not wait for ever for the first in line, and keeps its place all the same", () => {
    const schedule = scheduleOf({ ...wide, filesAtOnce: 1 });
    const lease = leaseOf(schedule.reserve("1"));
    const told = waitOf(schedule.reserve("2"), schedule.now());
    schedule.release(lease);
    schedule.pass(told + LATE_MS + 1);
    const third = leaseOf(schedule.reserve("3"));
    schedule.reserve("4");
    schedule.release(third);
    expect(schedule.reserve("2").admitted).toBe(true);
  });
});

describe("the rate", () => {
  const slow: Limits = { filesAtOnce: 100, rowsPerSecond: 1_000, burstRows: 5_000 };

  it("lets in the burst and one file at once, then tells the time at which the rows are worked off", () => {
    const schedule = scheduleOf(slow);
    schedule.reserve("1", 5_000);
    schedule.reserve("2", 3_000);
    const third = schedule.reserve("3", 10_000);
    expect(third).toMatchObject({ because: "rate" });
    expect(waitOf(third, schedule.now())).toBe(3_000);
    schedule.pass(3_000);
    expect(schedule.reserve("3", 10_000).admitted).toBe(true);
  });

  it("counts those ahead in line, so that each time told is the right one", () => {
    const schedule = scheduleOf(slow);
    schedule.reserve("1", 10_000);
    expect(waitOf(schedule.reserve("2", 2_000), schedule.now())).toBe(5_000);
    expect(waitOf(schedule.reserve("3", 4_000), schedule.now())).toBeGreaterThanOrEqual(7_000);
    expect(waitOf(schedule.reserve("4", 1), schedule.now())).toBeGreaterThanOrEqual(11_000);
  });

  it("charges a file once, however often it comes back unfinished", () => {
    const schedule = scheduleOf(slow);
    for (let i = 0; i < 5; i++) schedule.release(leaseOf(schedule.reserve("1", 5_000)), "again");
    expect(schedule.look().rowsLeft).toBe(0);
    schedule.release(leaseOf(schedule.reserve("1", 5_000)), "done");
    schedule.reserve("1", 5_000);
    expect(schedule.look().rowsLeft).toBe(-5_000);
  });

  it("gives back what a file did not have to write, but for the cost of comparing it", () => {
    const schedule = scheduleOf(slow);
    schedule.release(leaseOf(schedule.reserve("1", 5_000)), "done", 1_000);
    expect(schedule.look().rowsLeft).toBe(5_000 - 1_000 - 4_000 / COMPARED_PER_WRITTEN);
    schedule.release(leaseOf(schedule.reserve("2", 20_000)), "done", 0);
    expect(schedule.reserve("3", 1).admitted).toBe(true);
  });

  it("gives nothing back before a file has ended, and no more than it was charged", () => {
    const schedule = scheduleOf(slow);
    schedule.release(leaseOf(schedule.reserve("1", 5_000)), "again", 0);
    schedule.release(leaseOf(schedule.reserve("1", 5_000)), "away", 0);
    expect(schedule.look().rowsLeft).toBe(0);
    schedule.pass(60_000);
    schedule.release(leaseOf(schedule.reserve("1", 5_000)), "done", 0);
    expect(schedule.look().rowsLeft).toBe(5_000);
    expect(schedule.reserve("2", 6_000).admitted).toBe(true);
    expect(schedule.look().rowsLeft).toBe(-1_000);
  });

  it("is worked off in the same time when the clock is set back", () => {
    const schedule = scheduleOf(slow);
    schedule.reserve("1", 8_000);
    schedule.pass(-86_400_000);
    expect(waitOf(schedule.reserve("2"), schedule.now())).toBe(3_000);
  });

  it("tells nobody to come later than the longest wait, whatever is ahead", () => {
    const schedule = scheduleOf(slow);
    schedule.reserve("1", 100_000_000);
    expect(waitOf(schedule.reserve("2"), schedule.now())).toBe(MAX_WAIT_MS);
  });

  it("works off at the new rate what was let in before the limits changed", () => {
    const schedule = scheduleOf(slow);
    schedule.reserve("1", 11_000);
    schedule.configure({ ...slow, rowsPerSecond: 6_000 });
    expect(waitOf(schedule.reserve("2"), schedule.now())).toBe(1_000);
  });
});

describe("the breaker", () => {
  const away = (schedule: ReturnType<typeof scheduleOf>, id: string) =>
    schedule.release(leaseOf(schedule.reserve(id)), "away");
  const pausesOf = (schedule: ReturnType<typeof scheduleOf>, probes: number) =>
    Array.from({ length: probes }, () => {
      away(schedule, "1");
      const pause = waitOf(schedule.reserve("1"), schedule.now());
      schedule.pass(pause);
      return pause;
    });

  it("lets nobody in while the database is away, for a time that doubles up to its ceiling", () => {
    const half = AWAY_FIRST_MS / 2;
    expect(pausesOf(scheduleOf(), 8)).toEqual([
      ...[1, 2, 4, 8, 16].map((n) => n * half),
      AWAY_MAX_MS / 2,
      AWAY_MAX_MS / 2,
      AWAY_MAX_MS / 2,
    ]);
  });

  it("spreads the pauses of customers over their second half", () => {
    const early = pausesOf(scheduleOf(wide, 0), 1)[0]!;
    const late = pausesOf(scheduleOf(wide, 0.999), 1)[0]!;
    expect(early).toBe(AWAY_FIRST_MS / 2);
    expect(late).toBeGreaterThan(AWAY_FIRST_MS * 0.9);
  });

  it("sends one probe at a time, whoever comes first, and lets all in when it ends well", () => {
    const schedule = scheduleOf();
    away(schedule, "1");
    schedule.reserve("1");
    schedule.reserve("2");
    schedule.pass(AWAY_FIRST_MS);
    const probe = leaseOf(schedule.reserve("2"));
    expect(schedule.reserve("1")).toMatchObject({ admitted: false, because: "away" });
    expect(schedule.look().database.is).toBe("probing");
    schedule.release(probe, "done");
    expect(schedule.reserve("1").admitted).toBe(true);
    expect(schedule.reserve("3").admitted).toBe(true);
  });

  it("sends another probe when one has died", () => {
    const schedule = scheduleOf();
    away(schedule, "1");
    schedule.pass(AWAY_FIRST_MS);
    schedule.reserve("1");
    schedule.pass(LEASE_MS);
    expect(schedule.reserve("2").admitted).toBe(true);
  });

  it("takes a probe that is renewed for a database that answers", () => {
    const schedule = scheduleOf();
    away(schedule, "1");
    schedule.pass(AWAY_FIRST_MS);
    schedule.renew(leaseOf(schedule.reserve("1", 1_000)));
    expect(schedule.look().database.is).toBe("well");
    expect(schedule.reserve("2").admitted).toBe(true);
  });

  it("counts one outage once, however many were under way when it came", () => {
    const schedule = scheduleOf({ ...wide, filesAtOnce: 10 });
    const leases = Array.from({ length: 10 }, (_, i) => leaseOf(schedule.reserve(String(i))));
    for (const lease of leases) schedule.release(lease, "away");
    expect(schedule.state().away?.times).toBe(1);
  });

  it("hears that the database is away from a consumer whose lease ended while it waited for the answer", () => {
    const schedule = scheduleOf();
    const lease = leaseOf(schedule.reserve("1"));
    schedule.pass(LEASE_MS * 2);
    expect(schedule.release(lease, "away")).toBe(false);
    expect(schedule.reserve("2")).toMatchObject({ because: "away" });
  });

  it("halves the slots after a slow file, to one at least, until a good one", () => {
    const schedule = scheduleOf({ ...wide, filesAtOnce: 4 });
    schedule.release(leaseOf(schedule.reserve("1")), "slow");
    expect(schedule.look()).toMatchObject({ slots: { of: 2 }, database: { is: "slow" } });
    schedule.configure({ ...wide, filesAtOnce: 1 });
    expect(schedule.look().slots.of).toBe(1);
    schedule.release(leaseOf(schedule.reserve("2")), "done");
    schedule.configure({ ...wide, filesAtOnce: 4 });
    expect(schedule.look().slots.of).toBe(4);
  });
});

describe("a thousand files that wait", () => {
  const toldBy = (schedule: ReturnType<typeof scheduleOf>) =>
    Array.from({ length: 1_000 }, (_, i) => waitOf(schedule.reserve(`w${i}`), schedule.now()));

  it("are told times that lie apart, in order, also when the database is away", () => {
    const schedule = scheduleOf();
    const lease = leaseOf(schedule.reserve("a"));
    schedule.release(lease, "away");
    const told = toldBy(schedule);
    expect(new Set(told).size).toBe(1_000);
    expect(told).toEqual(told.toSorted((a, b) => a - b));
  });

  it("ask again within the longest wait and their spread", () => {
    const schedule = scheduleOf();
    schedule.reserve("a");
    schedule.reserve("b");
    expect(Math.max(...toldBy(schedule))).toBeLessThanOrEqual(MAX_WAIT_MS + 1_000 * 20 + SPREAD_MS);
  });

  it("leave the state bounded, however many come", () => {
    const schedule = scheduleOf({ ...wide, filesAtOnce: 1 });
    let state = schedule.state();
    for (let i = 0; i < MAX_PLACES + 10; i++) state = reserve(state, { id: String(i), rows: 1 }, NOON, 0).state;
    expect(state.line).toHaveLength(MAX_PLACES);
    expect(JSON.stringify(state).length).toBeLessThan(1_000_000);
  });
});

// ── properties ─────────────────────────────────────────────────────────────────────────────────────────────────────

const limits = fc.record({
  filesAtOnce: fc.integer({ min: 1, max: 5 }),
  rowsPerSecond: fc.integer({ min: 10, max: 20_000 }),
  burstRows: fc.integer({ min: 0, max: 50_000 }),
});
const outcome = fc.constantFrom<Outcome>("done", "slow", "away", "again");
const chance = fc.double({ min: 0, max: 0.999, noNaN: true });

const action = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant("reserve" as const), id: fc.nat(12), rows: fc.nat(20_000) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("release" as const), nth: fc.nat(30), outcome }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("renew" as const), nth: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("configure" as const), limits }) },
);
const event = fc.record({ action, chance, afterMs: fc.oneof(fc.nat(2_000), fc.nat(100_000)) });
type Event = typeof event extends fc.Arbitrary<infer E> ? E : never;

/** Runs anything after anything; `check` sees each state with the time and the answer that led to it. */
function play(
  first: Limits,
  events: readonly Event[],
  check: (state: AdmissionState, nowMs: number, answer: unknown) => void,
): AdmissionState {
  let nowMs = NOON;
  let state = newState(nowMs, first);
  const given: string[] = [];
  for (const { action: what, chance: luck, afterMs } of events) {
    nowMs += afterMs;
    let answer: unknown;
    const lease = () => ("nth" in what ? (given[what.nth % Math.max(1, given.length)] ?? "none") : "none");
    if (what.do === "reserve") {
      const step = reserve(state, { id: String(what.id), rows: what.rows }, nowMs, luck);
      if (step.answer.admitted) given.push(step.answer.lease);
      ({ state, answer } = step);
    } else if (what.do === "release") {
      ({ state, answer } = release(
        state,
        { lease: lease(), outcome: what.outcome, written: Math.floor(luck * 100) },
        nowMs,
        luck,
      ));
    } else if (what.do === "renew") {
      ({ state, answer } = renew(state, lease(), nowMs));
    } else {
      state = configure(state, what.limits, nowMs);
    }
    check(state, nowMs, answer);
  }
  return state;
}

describe("whatever happens", () => {
  it("no file is let in while all slots are taken, and none twice at once", () => {
    fc.assert(
      fc.property(limits, fc.array(event, { maxLength: 80, size: "max" }), (first, events) => {
        let inUse = 0;
        play(first, events, (state, _, answer) => {
          const ids = state.leases.map(({ id }) => id);
          expect(new Set(ids).size).toBe(ids.length);
          if ((answer as Answer | undefined)?.admitted)
            expect(ids.length).toBeLessThanOrEqual(state.limits.filesAtOnce);
          else expect(ids.length).toBeLessThanOrEqual(inUse);
          inUse = ids.length;
        });
      }),
    );
  });

  it("the state can be put down as JSON at any moment and be taken up again", () => {
    fc.assert(
      fc.property(limits, fc.array(event, { maxLength: 60, size: "max" }), (first, events) => {
        play(first, events, (state) => expect(JSON.parse(JSON.stringify(state))).toEqual(state));
      }),
    );
  });

  it("every wait that is told is in the future and bounded", () => {
    fc.assert(
      fc.property(limits, fc.array(event, { maxLength: 80, size: "max" }), (first, events) => {
        play(first, events, (_, nowMs, answer) => {
          const told = answer as Answer | undefined;
          if (told?.admitted !== false) return;
          expect(told.atMs).toBeGreaterThanOrEqual(nowMs);
          expect(told.atMs - nowMs).toBeLessThanOrEqual(MAX_WAIT_MS + 20 * 20 + SPREAD_MS + 1);
        });
      }),
    );
  });

  it("all heals by itself: when nobody renews or releases any more, everything is free again after a while", () => {
    fc.assert(
      fc.property(
        limits,
        fc.array(event, { maxLength: 60, size: "max" }),
        fc.integer({ min: -1e9, max: 0 }),
        (first, events, setBackMs) => {
          let lastMs = NOON;
          const state = play(first, events, (_, nowMs) => {
            lastMs = nowMs;
          });
          // The clock may have been set back by days: what is held lasts no longer for that.
          const setBack = renew(state, "none", lastMs + setBackMs).state;
          const after = look(setBack, lastMs + setBackMs + PLACE_KEPT_MS + MAX_WAIT_MS + SPREAD_MS + 1_000);
          expect(after.slots.files).toEqual([]);
          expect(after.waiting.files).toBe(0);
          expect(["well", "slow", "probing"]).toContain(after.database.is);
        },
      ),
    );
  });

  it("over any window the rows let in are at most rate × window + burst + one file", () => {
    const arrival = fc.record({ afterMs: fc.nat(1_500), rows: fc.nat(20_000), endsWith: outcome });
    fc.assert(
      fc.property(limits, fc.array(arrival, { minLength: 1, maxLength: 60, size: "max" }), (given, arrivals) => {
        let nowMs = NOON;
        let state = newState(nowMs, given);
        const admitted: { atMs: number; rows: number }[] = [];
        for (const [i, { afterMs, rows, endsWith }] of arrivals.entries()) {
          nowMs += afterMs;
          const { answer, ...step } = reserve(state, { id: String(i), rows }, nowMs, 0.5);
          state = step.state;
          if (!answer.admitted) continue;
          admitted.push({ atMs: nowMs, rows });
          state = release(state, { lease: answer.lease, outcome: endsWith, written: rows }, nowMs, 0.5).state;
        }
        for (let from = 0; from < admitted.length; from++) {
          let sum = 0;
          for (const { atMs, rows } of admitted.slice(from)) {
            const windowSeconds = (atMs - admitted[from]!.atMs) / 1_000;
            expect(sum).toBeLessThanOrEqual(given.rowsPerSecond * windowSeconds + given.burstRows + 1e-3);
            sum += rows;
          }
        }
      }),
    );
  });

  it("everyone who comes at the time told is let in, whoever dies, is lost, comes late or finds the database away", () => {
    const file = fc.record({
      arrivesMs: fc.nat(20_000),
      rows: fc.nat(2_000),
      takesMs: fc.nat(5_000),
      lateMs: fc.nat(4_000),
      fate: fc.constantFrom("ends", "ends", "ends", "slow", "away", "dies", "is lost"),
    });
    const fair = limits.map((given) => ({ ...given, rowsPerSecond: Math.max(1_000, given.rowsPerSecond) }));
    fc.assert(
      fc.property(fair, fc.array(file, { minLength: 1, maxLength: 40, size: "max" }), (given, files) => {
        const waiting = new Set(files.keys());
        for (const [i, { fate }] of files.entries()) if (fate === "is lost") waiting.delete(i);
        let state = newState(NOON, given);
        const agenda: { atMs: number; run(nowMs: number): void }[] = [];
        const plan = (atMs: number, run: (nowMs: number) => void) => agenda.push({ atMs, run });
        const ask = (i: number) => (nowMs: number) => {
          const one = files[i]!;
          const step = reserve(state, { id: String(i), rows: one.rows }, nowMs, (i % 10) / 10);
          state = step.state;
          const { answer } = step;
          if (answer.admitted) {
            waiting.delete(i);
            if (one.fate === "dies") return;
            const end = one.fate === "away" || one.fate === "slow" ? one.fate : "done";
            plan(nowMs + one.takesMs, (endMs) => {
              state = release(state, { lease: answer.lease, outcome: end, written: 1 }, endMs, 0.5).state;
            });
          } else if (one.fate !== "is lost") {
            // Delays of queues are whole seconds, and copies come late.
            plan(nowMs + Math.ceil((answer.atMs - nowMs) / 1_000) * 1_000 + one.lateMs, ask(i));
          }
        };
        for (const [i, { arrivesMs }] of files.entries()) plan(NOON + arrivesMs, ask(i));
        const deadline = NOON + 3_600_000;
        while (agenda.length > 0) {
          agenda.sort((a, b) => b.atMs - a.atMs);
          const next = agenda.pop()!;
          if (next.atMs > deadline) break;
          next.run(next.atMs);
        }
        expect([...waiting]).toEqual([]);
      }),
    );
  });

  it("with one slot and nobody late, files come in by the order of their arrival", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(3_000), { minLength: 2, maxLength: 20, size: "max" }), chance, (times, luck) => {
        let state = newState(NOON, { ...DEFAULT_LIMITS, filesAtOnce: 1 });
        const order: string[] = [];
        const holder = reserve(state, { id: "holder", rows: 1 }, NOON, luck);
        state = holder.state;
        const told = times.map((_, i) => {
          const step = reserve(state, { id: String(i), rows: 1 }, NOON + i, luck);
          state = step.state;
          return { i, atMs: step.answer.admitted ? 0 : step.answer.atMs };
        });
        state = release(state, { lease: leaseOf(holder.answer), outcome: "done", written: 1 }, NOON + 100, luck).state;
        while (told.length > 0) {
          told.sort((a, b) => b.atMs - a.atMs);
          const { i, atMs } = told.pop()!;
          const step = reserve(state, { id: String(i), rows: 1 }, atMs, luck);
          state = step.state;
          if (step.answer.admitted) {
            order.push(String(i));
            const lease = step.answer.lease;
            state = release(state, { lease, outcome: "done", written: 1 }, atMs, luck).state;
          } else told.push({ i, atMs: step.answer.atMs });
        }
        expect(order).toEqual(times.map((_, i) => String(i)));
      }),
    );
  });
});
