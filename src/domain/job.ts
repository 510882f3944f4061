/**
 * A job: work that a timer begins and that must not be done twice at once. Its row holds the lease, how far it is and how it
 * ended; `platform/jobs.ts` keeps it.
 */

/** Longer than the longest step between two renewals (a batch of wakes or removals); a job whose worker died waits this long. */
export const JOB_LEASE_SECONDS = 300;

/** A job as it was left by the run before. */
export interface TakenJob {
  /** When the last run began that came to its end. */
  readonly lastOkAt: Date | undefined;
  /** Where an unfinished run goes on; undefined where none was left. */
  readonly progress: unknown;
}

export interface JobEnd {
  /** When the work that has now come to its end began; undefined where some is left. */
  readonly okAt: Date | undefined;
  /** Where the next run goes on; undefined where nothing is left. */
  readonly progress: unknown;
  readonly result: Readonly<Record<string, unknown>>;
}

export interface Jobs {
  /** Takes the lease; undefined while somebody else holds it. The same token again is answered the same. */
  take(name: string, token: string, now: Date): Promise<TakenJob | undefined>;
  /** Renews the lease. False: it is not ours any more, and the work is somebody else's. */
  keep(name: string, token: string, now: Date): Promise<boolean>;
  /** Writes how it ended and gives the lease back. Does nothing where the lease is lost. */
  end(name: string, token: string, end: JobEnd): Promise<void>;
  /** Says why it came to no end and gives the lease back; what was left over stays. */
  fail(name: string, token: string, error: string): Promise<void>;
}
