/** What the decisions about dead letters need from outside. */
import type { FailureCode, FailureReport } from "../domain/failures.ts";
import type { StageMessage } from "../domain/messages.ts";
import type { DeadLetterState } from "../domain/states.ts";
import type { Log } from "../observe/log.ts";

/** A dead letter, as far as it matters for sending it again. */
export interface Letter {
  readonly id: string;
  readonly stage: "parse" | "apply";
  readonly state: DeadLetterState;
  readonly code: FailureCode;
  /** False while it is redriven and its message not known to be in a queue. */
  readonly sent: boolean;
  /** Whatever the queue held. */
  readonly message: unknown;
  /** The letter of its first life; null where this is the first. */
  readonly redriveOf: string | null;
  /** When it died, to the microsecond: the place of a letter in its cause. */
  readonly diedAt: string;
  /** Where the bytes lie that its file was read from; null where no row knows. */
  readonly archived: Archived | null;
}

export interface Archived {
  readonly deliveryId: string;
  readonly feed: string;
  readonly rawKey: string;
  /** The replay that has read the file again: it is read for that one once more. */
  readonly replay?: string;
}

/** Open letters of a cause, of one customer or of all. */
export interface OfCause {
  readonly cause: string;
  readonly customer?: string | undefined;
  /** Only those that died before. ISO time. */
  readonly diedBefore?: string | undefined;
}

/** The place of a letter among those of its cause. */
export type Place = Pick<Letter, "id" | "diedAt">;

/** A letter that is decided to be sent again. */
export interface Taking {
  readonly id: string;
  /** Its file is read from the archive again, instead of being applied from chunks that are gone. */
  readonly rereads: boolean;
}

export interface FixedCause {
  readonly cause: string;
  /** ISO time. */
  readonly markedAt: string;
  readonly markedBy: string;
}

export interface RedriveTables {
  /** Letters by id, in any state. */
  letters(ids: readonly string[]): Promise<Letter[]>;
  /** Open letters of a cause, the longest dead first, behind a place. */
  openOf(selection: OfCause, after: Place | undefined, limit: number): Promise<Letter[]>;
  /** How many open ones there are behind a place. */
  countOpenOf(selection: OfCause, after: Place | undefined): Promise<number>;
  /**
   * In one transaction: open → redriven and not yet sent, what they are about back to where it can go on, a line in the
   * audit log. Answers the ids that were open; another caller has the others.
   */
  take(letters: readonly Taking[], by: string, why: string | null): Promise<ReadonlySet<string>>;
  /** The queue has the messages of these. */
  sent(ids: readonly string[]): Promise<void>;
  /** Letters that were taken before `since` and are not known to be sent, once each for a while. */
  unsent(since: Date, limit: number): Promise<Letter[]>;
  /** In one transaction: open → discarded, what it is about says so, a line in the audit log. */
  discard(id: string, by: string, reason: string, failure: FailureReport): Promise<void>;
  /** Marks a cause as fixed from now on; undefined where no letter ever had it. */
  markFixed(cause: string, by: string, note: string | null): Promise<FixedCause | undefined>;
  /** Causes that are marked and have open letters from before. */
  fixedCauses(): Promise<FixedCause[]>;
}

export interface RedriveDeps {
  readonly tables: RedriveTables;
  /** Whether this deployment has the feed; `undefined` asks for the customer alone. */
  knows(customer: string, feed: string | undefined): boolean;
  /** Puts a message on its stage's queue. Throws when the queue did not take it. */
  enqueue(message: StageMessage): Promise<void>;
  /** Called after letters were decided: what watches their number looks again. */
  decided(): Promise<void>;
  readonly log: Log;
}
