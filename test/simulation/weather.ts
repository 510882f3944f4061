/** What goes wrong, when, and how often: drawn from the seed once, then asked for every effect. */
import type { Chance } from "./random.ts";
import type { Fate } from "./scheduler.ts";
import type { Trace } from "./trace.ts";

export type Subsystem = "database" | "storage" | "queue" | "object";

/** A time in which a subsystem does not answer, or answers badly. */
export interface Spell {
  readonly of: Subsystem;
  readonly kind: "away" | "conflicts" | "slow";
  readonly fromMs: number;
  readonly untilMs: number;
}

/** Chances per effect. */
export interface Rates {
  /** The actor dies around an effect: before it, after it, or while it is on its way. */
  readonly kill: number;
  /** An error, and nothing was done. */
  readonly notDone: number;
  /** An error, and all was done. */
  readonly answerLost: number;
  /** No answer within the caller's patience, and done later. */
  readonly timeout: number;
  readonly slow: number;
  /** The worker sleeps before it goes on. */
  readonly stall: number;
  /** A message comes twice though it was acked, or from the beginning; not while it waits for days: that would be a flood. */
  readonly duplicate: number;
  /** A serialization failure or a deadlock, of database statements. */
  readonly conflict: number;
}

export interface Climate {
  readonly rates: Rates;
  readonly spells: readonly Spell[];
  /** From then on nothing goes wrong any more. */
  readonly calmFromMs: number;
}

export const NO_RATES: Rates = {
  kill: 0,
  notDone: 0,
  answerLost: 0,
  timeout: 0,
  slow: 0,
  stall: 0,
  duplicate: 0,
  conflict: 0,
};

const MINUTE = 60_000;

/** Usual answers take this long at most. */
const QUICK_MS = 30;
const SLOW_MS = 20_000;
/** The patience of the database's driver; see STATEMENT_TIMEOUT_MS. */
const TIMEOUT_MS = 30_000;
/** A worker may be put to sleep between two steps, for longer than any lease, and go on as if nothing had been. */
const STALL_MS = 180_000;
/** What is on its way arrives within this, whoever sent it has died meanwhile. */
const UNDERWAY_MS = 60_000;

/** A climate of random harshness for a run of that length. */
export function climateOf(chance: Chance, fromMs: number, calmFromMs: number): Climate {
  const harshness = chance.pick([0, 0.3, 1, 1, 2]);
  const rate = (most: number) => (harshness === 0 || chance.hits(0.3) ? 0 : chance.next() * most * harshness);
  const rates: Rates = {
    kill: rate(0.03),
    notDone: rate(0.04),
    answerLost: rate(0.04),
    timeout: rate(0.01),
    slow: rate(0.03),
    stall: rate(0.01),
    duplicate: rate(0.06),
    conflict: rate(0.06),
  };
  const spells: Spell[] = [];
  const spell = (of: Subsystem, kind: Spell["kind"], lowMs: number, highMs: number) => {
    const begins = chance.int(fromMs, calmFromMs);
    spells.push({ of, kind, fromMs: begins, untilMs: Math.min(calmFromMs, begins + chance.spread(lowMs, highMs)) });
  };
  if (harshness > 0) {
    if (chance.hits(0.6)) spell("database", "away", MINUTE / 2, 90 * MINUTE);
    if (chance.hits(0.3)) spell("database", "away", MINUTE / 2, 10 * MINUTE);
    if (chance.hits(0.4)) spell("database", "conflicts", MINUTE / 2, 20 * MINUTE);
    if (chance.hits(0.3)) spell("database", "slow", MINUTE, 20 * MINUTE);
    if (chance.hits(0.4)) spell("storage", "away", MINUTE / 2, 40 * MINUTE);
    if (chance.hits(0.4)) spell("queue", "away", MINUTE / 2, 30 * MINUTE);
    if (chance.hits(0.3)) spell("object", "away", MINUTE / 2, 20 * MINUTE);
  }
  return { rates, spells, calmFromMs };
}

/** What happens to an effect, before its subsystem puts an error to it. */
export type Trouble = "none" | "slow" | "not-done" | "answer-lost" | "timeout" | "away" | "conflict" | "killed";

export interface Judgement extends Omit<Fate, "error"> {
  readonly trouble: Trouble;
}

export class Weather {
  readonly climate: Climate;
  /** So many copies of messages are under way that more would only be more of them: nothing but spells goes wrong. */
  isFlooded = false;
  readonly #chance: Chance;
  readonly #trace: Trace;

  constructor(climate: Climate, chance: Chance, trace: Trace) {
    this.climate = climate;
    this.#chance = chance;
    this.#trace = trace;
  }

  isCalm(nowMs: number): boolean {
    return nowMs >= this.climate.calmFromMs;
  }

  /** True with this chance, while the weather is bad. Counted as a fault of that kind. */
  strikes(nowMs: number, kind: string, probability: number): boolean {
    if (this.isCalm(nowMs) || this.isFlooded || !this.#chance.hits(probability)) return false;
    this.#trace.fault(kind);
    return true;
  }

  #spell(of: Subsystem, kind: Spell["kind"], nowMs: number): boolean {
    return this.climate.spells.some((s) => s.of === of && s.kind === kind && s.fromMs <= nowMs && nowMs < s.untilMs);
  }

  /** The fate of one effect. */
  judge(of: Subsystem, nowMs: number): Judgement {
    const chance = this.#chance;
    const there = chance.int(1, QUICK_MS);
    const back = there + chance.int(0, QUICK_MS);
    const fine = { doneAfterMs: there, answerAfterMs: back, trouble: "none" } as const;
    if (this.isCalm(nowMs)) return fine;
    const { rates } = this.climate;
    const struck = (kind: string) => {
      this.#trace.fault(`${of}: ${kind}`);
      return kind;
    };

    if (this.#spell(of, "away", nowMs)) {
      const waits = chance.hits(0.2) ? TIMEOUT_MS : back;
      return { answerAfterMs: waits, trouble: "away", label: struck("away") };
    }
    if (this.isFlooded) return fine;
    if (chance.hits(rates.kill)) {
      const killAfterMs = there;
      const how = chance.pick(["before", "after", "underway"] as const);
      const label = struck(`killed ${how}`);
      if (how === "before") return { killAfterMs, answerAfterMs: back, trouble: "killed", label };
      if (how === "after") {
        return { doneAfterMs: there, killAfterMs: there + 1, answerAfterMs: there + 2, trouble: "killed", label };
      }
      const doneAfterMs = there + chance.spread(1, UNDERWAY_MS);
      return { doneAfterMs, killAfterMs, answerAfterMs: doneAfterMs + 1, trouble: "killed", label };
    }
    if (of === "database" && chance.hits(this.#spell(of, "conflicts", nowMs) ? 0.35 : rates.conflict)) {
      return { answerAfterMs: back, trouble: "conflict", label: struck("conflict") };
    }
    if (chance.hits(rates.notDone)) return { answerAfterMs: back, trouble: "not-done", label: struck("not done") };
    // A deferred copy that was sent, and whose sender thinks it was not, becomes two: often, that would be a flood.
    if (chance.hits(of === "queue" ? rates.answerLost / 5 : rates.answerLost)) {
      return { doneAfterMs: there, answerAfterMs: back, trouble: "answer-lost", label: struck("answer lost") };
    }
    if (chance.hits(rates.timeout)) {
      const doneAfterMs = chance.int(1, UNDERWAY_MS);
      return { doneAfterMs, answerAfterMs: TIMEOUT_MS, trouble: "timeout", label: struck("timeout") };
    }
    if (chance.hits(rates.slow) || (this.#spell(of, "slow", nowMs) && chance.hits(0.5))) {
      const doneAfterMs = there + chance.spread(100, SLOW_MS);
      return { doneAfterMs, answerAfterMs: doneAfterMs + back, trouble: "slow", label: struck("slow") };
    }
    if (chance.hits(rates.stall)) {
      const doneAfterMs = there + chance.spread(1_000, STALL_MS);
      return { doneAfterMs, answerAfterMs: doneAfterMs + back, trouble: "slow", label: struck("stalled") };
    }
    return fine;
  }

  /** Makes of a judgement a fate, with the subsystem's own error where there is one. */
  fate(judgement: Judgement, error: () => Error): Fate {
    const { trouble, ...fate } = judgement;
    const isError = trouble !== "none" && trouble !== "slow" && trouble !== "killed";
    return isError ? { ...fate, error: error() } : fate;
  }
}
