/** What the sweep needs from outside. */
import type { FailureReport } from "../domain/failures.ts";
import type { Jobs } from "../domain/job.ts";
import type { ApplyFile, ParseDelivery } from "../domain/messages.ts";
import type { Log } from "../observe/log.ts";

/** An archived object by its key. */
export interface RawObject {
  readonly key: string;
  readonly uploadedAt: Date;
}

export interface RawPage {
  readonly objects: readonly RawObject[];
  /** There are more after the last one. */
  readonly more: boolean;
}

/** An archived object without a delivery. */
export interface Stray {
  readonly rawKey: string;
  readonly deliveryId: string;
  readonly customer: string;
}

/**
 * What can stop moving, and what wakes it:
 * - `stray`: archived, no delivery, and no replay that has its turn for it; a message to parse
 * - `delivery`: in `parsing`; a message to parse
 * - `unread`: a file in `parsing` whose delivery is `parsed`: it was opened again while the delivery was being read. The
 *   delivery is opened, too; a message to parse. One that a replay reads is the replay's
 * - `file`: `parsed`, or `applying` and nobody holds the lease; a message to apply, which goes on from the ledger
 */
export const STUCK_KINDS = ["stray", "delivery", "unread", "file"] as const;
export type StuckKind = (typeof STUCK_KINDS)[number];

export interface Stuck {
  readonly kind: StuckKind;
  /** Of a stray its key, of a delivery its id, of the others the file's. */
  readonly id: string;
  readonly customer: string;
  /** Undefined of a stray: that stands in the archive. */
  readonly feed?: string | undefined;
  readonly deliveryId: string;
  readonly rawKey: string;
  /** Accepted rows of a file that was read. */
  readonly rows?: number | undefined;
  /** Messages sent for it since it last moved. */
  readonly wakes: number;
}

export interface StuckCount {
  readonly kind: StuckKind;
  readonly count: number;
}

export interface SweepTables {
  /** Writes down those of the objects that have neither a delivery nor a dead letter; answers how many are new. */
  keepStrays(found: readonly Stray[], now: Date): Promise<number>;
  /** Forgets strays that have a delivery or a dead letter by now, and finds those whose redriven letter came to nothing. */
  settleStrays(since: Date, now: Date): Promise<void>;
  /** Files in `parsing` of a delivery that was rejected end with it; answers how many. */
  endWithDelivery(since: Date): Promise<number>;
  /**
   * Takes up what has not moved since, the longest first, and writes down when: what was taken up goes behind what was not,
   * and waits longer from wake to wake. Two sweeps at once get different ones. `now`: when the sweep was due; `at`: the time
   * of the moment.
   */
  takeUp(kind: StuckKind, now: Date, since: Date, limit: number, at: Date): Promise<Stuck[]>;
  /** Their messages are in the queue. Those that say that they wait for something outside are not counted. */
  woken(kind: StuckKind, ids: readonly string[]): Promise<void>;
  /** What was woken in vain becomes a dead letter, and its row is dead. False: it has moved, and nothing was written. */
  giveUp(stuck: Stuck, message: unknown, failure: FailureReport): Promise<boolean>;
  /** How much of each kind was woken at least so often without moving. */
  wokenOften(wakes: number): Promise<StuckCount[]>;
}

/** `raiseAlert` and `clearAlert`. */
export interface Alarm {
  raise(alert: { kind: string; subject: string; severity: "warning" | "critical"; detail: string }): Promise<void>;
  clear(kind: string, subject: string): Promise<void>;
}

export interface SweepDeps {
  /** Customers with an adapter and a parse queue. */
  readonly customers: readonly string[];
  readonly jobs: Jobs;
  readonly tables: SweepTables;
  /** The customers under whose name the archive holds anything at all. */
  archivedCustomers(): Promise<readonly string[]>;
  /** Raw objects of a prefix whose keys come after `after`, in the order of their keys. */
  listRaw(prefix: string, after: string): Promise<RawPage>;
  /** The feed that an archived object is for, from its facts. Throws `raw-missing`, and what facts that cannot be read throw. */
  feedOf(key: string): Promise<string>;
  enqueueParse(message: ParseDelivery): Promise<void>;
  enqueueApply(message: ApplyFile): Promise<void>;
  readonly alarm: Alarm;
  /** The time of the moment, for all that is written down. */
  now(): Date;
  /** A new UUID. */
  token(): string;
  readonly log: Log;
}
