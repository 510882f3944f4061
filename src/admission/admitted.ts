/** Work under admission: asks, works, keeps the lease, gives it back with what was learned of the database. */
import { asFailure, failure } from "../domain/failures.ts";
import type { Log } from "../observe/log.ts";
import type { Because, Outcome, Request } from "./admission.ts";
import type { AdmissionDoor } from "./keeper.ts";

/** Many times what a statement takes where it was measured: a database that needs longer has too much to do. */
export const SLOW_STATEMENT_MS = 10_000;

const WORDS: Readonly<Record<Because, string>> = {
  slots: "as many files of the customer are under way as its limits allow",
  rate: "the rows that were let in before have to be worked off",
  away: "the database is away",
  "under-way": "it is being applied already",
};

export interface AdmittedDeps {
  readonly door: AdmissionDoor;
  /** The longest statement of the work so far. */
  slowestMs(): number;
  readonly log: Log;
}

/**
 * Runs `work` when the file is let in. Throws `not-admitted-yet` with the time to come again, and `admission-unavailable`
 * where nobody can be asked; neither has begun anything. `work` gets what it should call now and then when the database has
 * just answered; that never fails, since nothing but the limits depends on it.
 */
export async function admitted<T>(
  deps: AdmittedDeps,
  request: Request,
  work: (stillHere: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const { door, log } = deps;
  const answer = await asked(() => door.reserve(request));
  if (!answer.admitted) {
    throw failure("not-admitted-yet", { file: request.id, atMs: answer.atMs, because: WORDS[answer.because] });
  }
  const { lease } = answer;
  let outcome: Outcome = "again";
  const calmly = async (what: string, call: () => Promise<unknown>) => {
    try {
      await call();
    } catch (thrown) {
      log.warn(what, { fileId: request.id, message: asFailure(thrown).message });
    }
  };
  try {
    const result = await work(() => calmly("admission-not-renewed", () => door.renew(lease)));
    outcome = deps.slowestMs() > SLOW_STATEMENT_MS ? "slow" : "done";
    return result;
  } catch (thrown) {
    if (asFailure(thrown).code === "database-unavailable") outcome = "away";
    throw thrown;
  } finally {
    // The lease ends by itself where this fails.
    await calmly("admission-not-released", () => door.release({ lease, outcome }));
  }
}

/** Throws `admission-unavailable` for whatever goes wrong on the way to the schedule. */
export async function asked<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (thrown) {
    throw failure("admission-unavailable", { reason: asFailure(thrown).message }, thrown);
  }
}
