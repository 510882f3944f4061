/** Which database trouble is worth another try at once, and how long to wait before it. */
import { asFailure, type Failure, failure } from "./failures.ts";

/** Tries of one statement before the whole message is put off. */
export const STATEMENT_TRIES = 5;
/** The first wait is up to this long; it doubles from try to try. */
export const FIRST_WAIT_MS = 50;
/** Longest wait between two tries: five tries stay well inside a lease. */
export const MAX_WAIT_MS = 2_000;

export interface Waiting {
  sleep(ms: number): Promise<void>;
  /** Uniform in [0, 1). */
  random(): number;
}

/** The driver has told what may succeed a moment later from what was refused (`classify` in platform/postgres.ts). */
const passes = (failed: Failure): boolean =>
  failed.code === "database-unavailable" || failed.code === "database-conflict";

/** Full jitter: workers that failed together do not come back together. */
export const waitMs = (tried: number, random: number): number =>
  random * Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** (tried - 1));

/**
 * Runs a statement that may be run again, that is, one for which "committed but the answer was lost" and "not committed"
 * need not be told apart. Throws the last failure when the tries are used up, any other failure at once.
 */
export async function attempt<T>(waiting: Waiting, statement: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await statement();
    } catch (thrown) {
      const failed = asFailure(thrown);
      if (tried >= STATEMENT_TRIES || !passes(failed)) throw failed;
      await waiting.sleep(waitMs(tried, waiting.random()));
    }
  }
}

/** The one row of an answer; none is trouble that passes (SQLSTATE 02000, no data). */
export function oneRow<Row>(rows: readonly Row[]): Row {
  const row = rows[0];
  if (row === undefined) throw failure("database-conflict", { sqlstate: "02000" });
  return row;
}
