/** What a replay needs from outside. */
import type { Adapter } from "../domain/adapter.ts";
import type { DeliveryFacts } from "../domain/delivery.ts";
import type { FailureReport } from "../domain/failures.ts";
import type { ParseDelivery } from "../domain/messages.ts";
import type { StateOf } from "../domain/states.ts";
import type { Log } from "../observe/log.ts";

export type ReplayState = StateOf<"replay">;

/** What is read again, and how. Nothing named: everything. */
export interface ReplayScope {
  readonly customer?: string | undefined;
  /** Deliveries to this feed, with the files of other feeds that they carry. */
  readonly feed?: string | undefined;
  /** Deliveries that arrived before are left out. ISO 8601. */
  readonly since?: string | undefined;
  /** Exactly these objects of the archive. */
  readonly rawKeys?: readonly string[] | undefined;
  /** All is planned and told, nothing applied. */
  readonly shadow: boolean;
  /** The version of the feed's format by which its files are read, instead of the active one. */
  readonly profile?: number | undefined;
  readonly mapping?: number | undefined;
  /** `pass`: the blast-radius gate lets everything go. */
  readonly gate: "judge" | "pass";
}

/** How far the archive was looked through. */
export type Collected =
  /** The customer whose objects come next, and the last key of theirs that was looked at. */
  | { readonly customer: string; readonly after: string }
  /** So many of the named keys. */
  | { readonly keys: number };

export interface Replay extends ReplayScope {
  readonly id: string;
  readonly state: ReplayState;
  readonly collected: Collected | undefined;
}

/** An object of the archive as it is listed. */
export interface ArchivedObject {
  readonly key: string;
  readonly bytes: number;
  /** What was written beside its bytes; undefined where that cannot be read. */
  readonly facts: DeliveryFacts | undefined;
}

/** A delivery that is to be read again. */
export interface FoundItem {
  readonly deliveryId: string;
  readonly customer: string;
  readonly feed: string;
  /** Of a lane one delivery goes on at a time. */
  readonly lane: string;
  /** Its place: as-of, arrival, id. ISO 8601. */
  readonly asOf: string;
  readonly receivedAt: string;
  readonly rawKey: string;
  readonly bytes: number;
  readonly skip?: SkipReason | undefined;
}

/** Why a delivery is left out. */
export const SKIP_REASONS = {
  "unknown-feed": "Its feed is not part of this deployment.",
  "dry-run": "It only asked what its file would do.",
  restore: "It is what a restore has set, and no word of the ERP.",
  "not-proven": "Its sender is not proven, and nobody has released it.",
  automatic: "It is an automatic answer.",
  rejected: "Nothing in it could be read, or the operator refused it.",
  "not-ended": "It is still on its way by itself, or waits for somebody to mend what it died of.",
  snapshot: "A snapshot says what was true then; it is not compared with what is true now.",
  "not-here": "It is not in the database, so a shadow has nothing to hang it on. A real replay reads it.",
  cancelled: "The replay was cancelled before its turn.",
} as const;
export type SkipReason = keyof typeof SKIP_REASONS;

/** Why a delivery did not come to its end; besides these the code of the failure that it died of. */
export const FAIL_REASONS = {
  "does-not-move": "Its message was sent again and again, and nothing came of it.",
} as const;

/** A delivery whose turn has come. */
export interface DueItem {
  readonly deliveryId: string;
  readonly customer: string;
  readonly feed: string;
  readonly rawKey: string;
}

export interface Step {
  /** What is to be read now: their turn has come, or their message was lost. */
  readonly send: readonly DueItem[];
  /** Some were left out when their turn came: the next may go. */
  readonly again: boolean;
  /** With this step the replay has come to its end; `failed`: deliveries that have not. */
  readonly ended: { readonly failed: number } | undefined;
}

/** How the parse stage is to read a delivery of a replay. */
export interface ReadingOrder {
  /** It had no row: it is read as one that has just arrived. */
  readonly fresh: boolean;
  readonly shadow: boolean;
  readonly profile: number | undefined;
  readonly mapping: number | undefined;
}

/** The rows of replays. Every call may come again and then changes nothing. */
export interface ReplayTables {
  create(scope: ReplayScope, by: string): Promise<string>;
  replay(id: string): Promise<Replay | undefined>;
  /** Those that are not at their end, the oldest first. */
  open(): Promise<string[]>;
  /**
   * Keeps what was found from `before` on, and that it was looked through as far as `after`; undefined: to the end, and it
   * runs. False: somebody else is further.
   */
  keep(
    id: string,
    before: Collected | undefined,
    found: readonly FoundItem[],
    after: Collected | undefined,
    now: Date,
  ): Promise<boolean>;
  fail(id: string, failure: FailureReport, now: Date): Promise<void>;
  /** Ends files that were begun for a replay, and that nobody reads any more: it gave them up, or was cancelled long ago. */
  endLeftFiles(failure: FailureReport, now: Date): Promise<void>;
  /** Settles what has come to rest, takes up what is due, and ends the replay where nothing is left. */
  step(id: string, now: Date): Promise<Step>;
  /** Undefined: it is not to be read any more. */
  orderOf(id: string, deliveryId: string): Promise<ReadingOrder | undefined>;
  /** All of a delivery was read. */
  read(id: string, deliveryId: string, now: Date): Promise<void>;
  /** Pauses, resumes or cancels; answers the state it is in now, undefined where there is no such replay. */
  decide(id: string, decision: Decision, by: string, now: Date): Promise<ReplayState | undefined>;
}

export type Decision = "pause" | "resume" | "cancel";

export interface ReplayDeps {
  readonly feeds: readonly Adapter[];
  readonly tables: ReplayTables;
  /** Objects of a prefix whose keys come after `after`, in the order of their keys. */
  listRaw(prefix: string, after: string): Promise<{ objects: readonly ArchivedObject[]; more: boolean }>;
  /** One object; undefined where there is none. */
  headRaw(key: string): Promise<ArchivedObject | undefined>;
  /** When the ERP says the delivery is true, as parse would take it, as far as its facts say. */
  asOf(facts: DeliveryFacts, feed: Adapter): Date;
  enqueueParse(message: ParseDelivery): Promise<void>;
  now(): Date;
  readonly log: Log;
}
