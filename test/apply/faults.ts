/** Databases that fail on purpose. */
import { failure } from "../../src/domain/failures.ts";
import type { Database } from "../../src/platform/postgres.ts";

/**
 * - `dies-before`: the process ends before the statement reaches the database
 * - `dies-after`: … after it was carried out and before the answer is read
 * - `answer-lost`: it was carried out, the connection broke; the process lives on
 * - `not-sent`: it was not carried out, the connection broke; the process lives on
 */
export const FAULTS = ["dies-before", "dies-after", "answer-lost", "not-sent"] as const;
export type Fault = (typeof FAULTS)[number];

/** The end of a process. No failure of ours, and no code that could run after it may reach the database. */
export class Died extends Error {}

type Queries = Pick<Database, "query">;

/** Fails at the `at`-th statement, from 1. `calls()` says how many were sent. */
export function faulty(database: Queries, at: number, fault: Fault): Queries & { calls(): number } {
  let calls = 0;
  let dead = false;
  return {
    calls: () => calls,
    async query<T>(text: string, params?: readonly unknown[]): Promise<T[]> {
      calls++;
      if (dead) throw new Died("dead");
      if (calls !== at) return database.query<T>(text, params);
      dead = fault === "dies-before" || fault === "dies-after";
      if (fault === "dies-after" || fault === "answer-lost") await database.query<T>(text, params);
      throw dead
        ? new Died(`died at statement ${at}`)
        : failure("database-unavailable", { reason: "connection reset" });
    },
  };
}

/** Holds every statement that matches back until it is let go; `reached` resolves when the first one waits. */
export function held(database: Queries, matches: RegExp) {
  let open: () => void = () => undefined;
  let arrive: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const reached = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  return {
    reached,
    letGo: () => open(),
    async query<T>(text: string, params?: readonly unknown[]): Promise<T[]> {
      if (matches.test(text)) {
        arrive();
        await gate;
      }
      return database.query<T>(text, params);
    },
  };
}
