/** What a dry run needs from outside. */
import type { Waiting } from "../domain/attempt.ts";
import type { Effect, HoldReason } from "../domain/effect.ts";
import type { FailureReport } from "../domain/failures.ts";
import type { Message, Notice } from "../domain/notice.ts";
import type { DiffPlan, FileToApply, Plan, RowsText } from "../domain/plan.ts";
import type { Forecast } from "../domain/retirement.ts";
import type { DeliveryState, FileState } from "../domain/states.ts";

/** What a file lacks, and what was noted for that while it was planned. */
export interface Lacking extends Forecast {
  /** Rows of the file that were compared: fewer or more than its own, where another worker compares it at the same time. */
  readonly planned: number;
  /** An earlier file of the feed that is held, and that later ones are to wait for. */
  readonly behind: string | null;
}

/** A record as it stands. */
export interface StoredRecord {
  readonly key: string;
  readonly active: boolean;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What the gate would say. */
export interface Judged {
  readonly reasons: readonly HoldReason[];
  readonly unjudged: readonly string[];
}

/** Facts of the file that the plan does not tell. */
export interface ReadLines {
  /** Rows that parse refused. */
  readonly rejected: number;
  /** It is never applied. */
  readonly compareOnly: boolean;
}

/** A file of a delivery that asked, and what became of it. */
export interface AskedFile {
  readonly id: string;
  readonly path: string;
  readonly feedTitle: string;
  readonly state: FileState;
  readonly failure: FailureReport | null;
  readonly effect: Effect | null;
  /** Rows that were refused, as far as it was read. */
  readonly rejected: number;
  /** The first of them, in the order of the file. */
  readonly rejects: readonly {
    readonly line: number;
    readonly column: string | null;
    readonly value: string | null;
    readonly sentence: string;
    readonly hint: string;
  }[];
}

/** A delivery that asked. */
export interface Asked {
  readonly id: string;
  readonly customer: string;
  readonly customerTitle: string;
  readonly feed: string;
  readonly feedTitle: string;
  readonly door: "mail" | "upload";
  readonly sender: string;
  /** How the sender was proven, or why not. */
  readonly senderProof: string;
  readonly subject: string | null;
  /** ISO. */
  readonly receivedAt: string;
  readonly state: DeliveryState;
  readonly failure: FailureReport | null;
  readonly files: readonly AskedFile[];
}

/** A mail with the key under which it is written once. */
export interface Answer {
  readonly key: string;
  readonly message: Message;
  readonly address: string;
}

/** Every call may come again. All throw the database's failures. */
export interface DryRunTables {
  /** What an earlier comparison of the file has noted. */
  forget(fileId: string): Promise<void>;
  /** Undefined where there is no such file, or it was not read to its end. */
  lines(fileId: string): Promise<ReadLines | undefined>;
  lacking(fileId: string): Promise<Lacking>;
  /** Those of the keys that there are, retired ones too. */
  stored(file: FileToApply, keys: readonly string[]): Promise<readonly StoredRecord[]>;
  /** The delivery of a file that asked; undefined where the file did not come to ask. */
  askedBy(fileId: string): Promise<Asked | undefined>;
  asked(deliveryId: string): Promise<Asked | undefined>;
  /** `parsed` → `compared`, with the answer; false where `whileOthers` and nothing else of the delivery is open any more. */
  end(fileId: string, effect: Effect, answer: Answer | undefined, whileOthers: boolean): Promise<boolean>;
  /** The answer alone, of a delivery whose files are all at an end. */
  answer(deliveryId: string, answer: Answer): Promise<void>;
}

export interface DryRunDeps extends Waiting {
  readonly tables: DryRunTables;
  /** Throws `file-missing`. */
  readFile(fileId: string): Promise<FileToApply>;
  /** The plan, written nowhere but in the ledger of the file itself. */
  plan(file: FileToApply): Promise<Plan>;
  /** The rows of `plan.need` with what they say: JSON texts joined by newline, an array where several rows say one record. */
  rows(file: FileToApply, plan: DiffPlan, maxRows: number): AsyncIterable<RowsText & { readonly records: string }>;
  judge(file: FileToApply, plan: Plan, forecast: Forecast): Promise<Judged>;
  now(): Date;
}

export interface AnswerDeps {
  readonly tables: Pick<DryRunTables, "asked" | "askedBy" | "end" | "answer">;
  compose(notice: Notice): Message;
  /** Domain of the feeds' own addresses: mails to those are never answered. */
  readonly mailDomain: string;
}
