/** What the decisions about held files need from outside. */
import type { FailureReport } from "../domain/failures.ts";
import type { GatePolicyInput } from "../domain/gate-policy.ts";
import type { ApplyFile } from "../domain/messages.ts";
import type { BlastRadiusNotice, Message } from "../domain/notice.ts";
import type { FileCause } from "../domain/plan.ts";
import type { FileState } from "../domain/states.ts";
import type { PlanFacts, TellingRow, Tripped } from "../gate/facts.ts";
import type { Log } from "../observe/log.ts";

export type HoldDecision = "release" | "widen" | "reject" | "expire" | "supersede";

/** A file that the gate has held, with what was decided on and what was decided. Times are ISO 8601 in UTC. */
export interface Hold {
  readonly id: string;
  /** Of its links. It proves who may decide: it is shown to nobody. */
  readonly nonce: string;
  readonly fileId: string;
  readonly customer: string;
  readonly customerTitle: string;
  readonly feed: string;
  readonly feedTitle: string;
  readonly deliveryId: string;
  readonly path: string;
  /** Of the file. */
  readonly cause: FileCause;
  readonly sender: string;
  readonly receivedAt: string;
  /** Of the file, now. */
  readonly state: FileState;
  readonly facts: PlanFacts;
  readonly tripped: readonly Tripped[];
  readonly telling: readonly TellingRow[];
  /** What "widen" lays over the feed's policy; empty where nothing of what it tripped can be widened. */
  readonly widening: GatePolicyInput;
  readonly later: BlastRadiusNotice["later"];
  /** Files of the feed that wait behind it. */
  readonly behind: number;
  readonly heldAt: string;
  /** Null: reminded, or never. */
  readonly remindAt: string | null;
  readonly expiresAt: string;
  readonly decision: HoldDecision | null;
  readonly decidedAt: string | null;
  readonly decidedBy: string | null;
}

/** Which holds; what is left out is not asked about. */
export interface HoldSelection {
  readonly customerId?: number | undefined;
  readonly feedId?: number | undefined;
  /** Those that wait for a decision, or those that have one. */
  readonly open: boolean;
  /** Only those made before this one. */
  readonly before?: string | undefined;
}

/** A mail with the key under which it is told once. */
export interface KeyedMessage extends Message {
  readonly key: string;
}

export interface HoldTables {
  /** The latest hold of a file; with a nonce the one that it is of. */
  of(fileId: string, nonce?: string): Promise<Hold | undefined>;
  /** The latest first. */
  list(selection: HoldSelection, limit: number): Promise<Hold[]>;
  /**
   * One transaction: the decision, the file, those that wait behind it, the feed's policy, the audit log. Once; later callers
   * change nothing. `wake`: files whose apply message is to be sent. `unknown`: there is nothing to decide.
   */
  decide(
    fileId: string,
    nonce: string | undefined,
    decision: HoldDecision,
    by: string,
    failure: FailureReport | null,
  ): Promise<{ readonly outcome: "decided" | "already" | "unknown"; readonly wake: readonly string[] }>;
  /** What the apply messages of these files say, in the order of their feeds. */
  messagesOf(fileIds: readonly string[]): Promise<Omit<ApplyFile, "v" | "type">[]>;
  /** Takes back what was laid over the feed's limits, and writes that down; answers what it was. */
  narrow(feedId: number, by: string): Promise<GatePolicyInput>;
  /** Open holds whose time is over, the oldest first. */
  expired(now: Date, limit: number): Promise<Hold[]>;
  /** Open holds about which is to be reminded, the oldest first. */
  toRemind(now: Date, limit: number): Promise<Hold[]>;
  /** One statement: it is reminded, and these mails wait to be sent. False: somebody has done it, or it is decided. */
  remind(holdId: string, mails: readonly KeyedMessage[]): Promise<boolean>;
}

export interface HoldsDeps {
  readonly tables: HoldTables;
  /** Rejects when the queue did not take the message. */
  enqueueApply(message: ApplyFile): Promise<void>;
  now(): Date;
  readonly log: Log;
}

/** What the timer needs beside that. */
export interface DueDeps extends HoldsDeps {
  compose(notice: BlastRadiusNotice): Message;
  /** The address of the feed's contact; undefined where the adapter names none. */
  contactOf(customer: string, feed: string): string | undefined;
  /** Where the web reaches this deployment; undefined: mails offer no links. */
  readonly publicUrl: string | undefined;
  /** Signs the links. */
  readonly secret: string;
}
