/** What the gate needs from outside. */
import type { FieldNumbers } from "../domain/field-numbers.ts";
import type { GatePolicy, GatePolicyInput } from "../domain/gate-policy.ts";
import type { BlastRadiusNotice, Message, Recipient } from "../domain/notice.ts";
import type { DiffPlan, FileToApply } from "../domain/plan.ts";
import type { Allowance, Forecast } from "../domain/retirement.ts";
import type { Log } from "../observe/log.ts";
import type { Answered, FeedHistory } from "./facts.ts";
import type { LinkedHold } from "./links.ts";

/** A file between plan and apply, as its row and those beside it say. */
export interface GatedFile {
  readonly customer: string;
  readonly customerTitle: string;
  readonly feed: string;
  readonly feedTitle: string;
  readonly path: string;
  readonly deliveryId: string;
  readonly sender: string;
  /** ISO. */
  readonly receivedAt: string;
  readonly accepted: number;
  readonly rejected: number;
  /** Lines above and below its data rows. */
  readonly otherLines: number;
  /** Milliseconds since 1970, as are the next two. */
  readonly asOfMs: number;
  readonly receivedMs: number;
  /** Null where it says nothing of its time. */
  readonly statedMs: number | null;
  /** By the name of the field; null where parse did not count. */
  readonly fieldNumbers: Readonly<Record<string, FieldNumbers>> | null;
  /** What was laid over the feed's policy by those who released earlier files. */
  readonly widening: GatePolicyInput;
  /** Whoever ordered the replay that it belongs to wants nothing of it held. */
  readonly passed?: boolean;
  /** How often it was held by the gate before. */
  readonly holds: number;
  /** What it was released from. */
  readonly answered: readonly Answered[];
  readonly history: FeedHistory;
}

export interface SampledRow {
  readonly key: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A hold as it is stored. Times in ISO. */
export interface NewHold {
  readonly nonce: string;
  readonly facts: unknown;
  readonly tripped: unknown;
  readonly telling: unknown;
  readonly widening: GatePolicyInput;
  readonly later: "wait" | "supersede";
  readonly remindAt: string;
  readonly expiresAt: string;
}

/** Every statement may come again. */
export interface GateTables {
  /** Undefined where there is no such file. */
  file(fileId: string): Promise<GatedFile | undefined>;
  /** Active records of a feed, counted up to so many. */
  records(feed: Pick<FileToApply, "customerId" | "feedId">, upTo?: number): Promise<number>;
  /** The active records of these keys as they are now. */
  known(feed: Pick<FileToApply, "customerId" | "feedId">, keys: readonly string[]): Promise<SampledRow[]>;
  /** How many records a file of ours names to be retired. */
  listed(fileId: string): Promise<number>;
  /** What was recorded first; undefined where the lease is not ours any more. `records`: all active ones, where they are counted. */
  pass(fileId: string, token: string, allowance: Allowance, records?: number): Promise<Allowance | undefined>;
  /** False: the file is not held, since the lease is not ours any more. */
  hold(
    fileId: string,
    token: string,
    failure: unknown,
    plan: unknown,
    hold: NewHold,
    mails: readonly (Message & { readonly key: string })[],
  ): Promise<boolean>;
}

/** What judging needs, which writes nothing. */
export interface JudgeDeps {
  readonly tables: Pick<GateTables, "file" | "known">;
  /** What the feed's adapter says. Throws `unknown-feed`. */
  policy(customer: string, feed: string): GatePolicy;
  /** The rows on the given lines of some chunks, as apply would write them. Throws `chunk-missing`, `storage-unavailable`. */
  rows(file: FileToApply, plan: DiffPlan, need: DiffPlan["need"]): AsyncIterable<readonly SampledRow[]>;
}

export interface GateDeps extends JudgeDeps {
  readonly tables: GateTables;
  /** What a full file would retire (`forecastRetirement` of apply). */
  forecast(fileId: string): Promise<Forecast>;
  /** Who is told of a hold. Throws `unknown-feed`. */
  recipients(customer: string, feed: string): readonly Recipient[];
  compose(notice: BlastRadiusNotice): Message;
  /** What the mail of a hold offers (`holdLinks`). */
  links(hold: LinkedHold, recipient: Recipient): BlastRadiusNotice["links"];
  /** 16 to 64 letters or digits that nobody can guess. */
  nonce(): string;
  readonly log: Log;
}

/** The right to write, and what keeps it. */
export interface Lease {
  readonly token: string;
  /** Renews it when that is due. Throws `lease-lost`. */
  readonly beat: () => Promise<void>;
}
