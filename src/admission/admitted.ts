/** Work under admission: asks, works, keeps the lease, gives it back with what was learned of the database. */
import { asFailure, failure } from "../domain/failures.ts";
import type { Log } from "../observe/log.ts";
import type { Because, Outcome, Request } from "./admission.ts";
import type { AdmissionDoor } from "./keeper.ts";
import { pacer } from "./pace.ts";

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
  /** Milliseconds since 1970. */
  nowMs(): number;
  sleep(ms: number): Promise<void>;
  readonly log: Log;
}

/** What work under admission calls as it goes on. */
export interface UnderWay {
  /** Now and then, when the database has just answered. Never fails: nothing but the limits depends on it. */
  stillHere(): Promise<void>;
  /** Before so many rows are sent to the database: waits until they may go. */
  pace(rows: number): Promise<void>;
}

/**
 * Runs `work` when the file is let in. Throws `not-admitted-yet` with the time to come again, and `admission-unavailable`
 * where nobody can be asked; neither has begun anything.
 */
export async function admitted<T>(
  deps: AdmittedDeps,
  request: Request,
  work: (underWay: UnderWay) => Promise<T>,
): Promise<T> {
  const { door, log } = deps;
  const answer = await asked(() => door.reserve(request));
  if (!answer.admitted) {
    throw failure("not-admitted-yet", { file: request.id, atMs: answer.atMs, because: WORDS[answer.because] });
  }
  const { lease } = answer;
  const paced = pacer(answer.pace, deps);
  let outcome: Outcome = "again";
  let written = 0;
  const calmly = async (what: string, call: () => Promise<unknown>) => {
    try {
      await call();
    } catch (thrown) {
      log.warn(what, { fileId: request.id, message: asFailure(thrown).message });
    }
  };
  try {
    const result = await work({
      stillHere: () => calmly("admission-not-renewed", () => door.renew(lease)),
      pace(rows) {
        written += rows;
        return paced(rows);
      },
    });
    outcome = deps.slowestMs() > SLOW_STATEMENT_MS ? "slow" : "done";
    return result;
  } catch (thrown) {
    if (asFailure(thrown).code === "database-unavailable") outcome = "away";
    throw thrown;
  } finally {
    // The lease ends by itself where this fails.
    await calmly("admission-not-released", () => door.release({ lease, outcome, written }));
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
