/** What a restore needs from outside. */
import type { ChunkEntry } from "../domain/chunk.ts";
import type { DeliveryFacts } from "../domain/delivery.ts";
import type { ApplyFile } from "../domain/messages.ts";
import type { Log } from "../observe/log.ts";

/** `change`: it says something else. `restore`: it is retired, and was there. `retire`: it is there, and was not. */
export type Does = "change" | "restore" | "retire";

export type Values = Readonly<Record<string, unknown>>;

export interface RestoredFeed {
  readonly customerId: number;
  readonly feedId: number;
  readonly customer: string;
  readonly feed: string;
  readonly adapterVersion: string;
  /** From when on its history is whole, ISO. */
  readonly historyFrom: string;
  /** The moment lies before that. */
  readonly tooEarly: boolean;
  /** The moment has not come yet. */
  readonly ahead: boolean;
  /** Files that have come and are not at their end. */
  readonly underWay: number;
}

/** One record as it is and as it was; `was` is null where it was not there. */
export interface Difference {
  readonly does: Does;
  readonly key: string;
  readonly now: Values;
  readonly was: Values | null;
  /** The smaller, the sooner it is shown: chance, and always the same. */
  readonly order: string;
}

/** Some of what differs, as numbers: as much as makes one part. */
export interface Differences {
  readonly changes: number;
  readonly restores: number;
  readonly retirements: number;
  /** 128 binary digits; the sums of parts make that of the whole by XOR. */
  readonly sum: string;
  /** The last key that was looked at; null: there are no more. */
  readonly upto: string | null;
  /** How many records change in which field. */
  readonly fields: Readonly<Record<string, number>>;
  readonly samples: readonly Difference[];
}

/** A record as it is to be set, or to be retired (`hash` and `text` are null). */
export interface RowToRestore {
  readonly key: string;
  /** `records.id`; a bigint, so text. */
  readonly id: string;
  /** As it is now. */
  readonly version: number;
  /** 32 hex digits. */
  readonly hash: string | null;
  /** JSON text. */
  readonly text: string | null;
  /** What it adds to the sum: 32 hex digits. */
  readonly mark: string;
}

/** A part as it is planned. */
export interface PlannedPart {
  readonly n: number;
  /** It holds the differences of the keys behind this one. */
  readonly after: string;
  /** The last of its keys; null: to the end. */
  readonly upto: string | null;
  readonly sum: string;
  readonly rows: number;
}

/** A part of a restore that was ordered. */
export interface OrderedPart extends PlannedPart {
  readonly restoreId: string;
  readonly customer: string;
  readonly feed: string;
  readonly feedId: number;
  readonly adapterVersion: string;
  readonly request: string;
  /** ISO, as are the next two. */
  readonly to: string;
  readonly saidAt: string;
  readonly asOf: string;
  readonly askedBy: string;
  /** Parts of the restore of this feed. */
  readonly parts: number;
  readonly fileId: string;
  /** State of its file; null: it is not made yet. */
  readonly state: string | null;
  readonly deliveryId: string | null;
  /** Records that its file sets. */
  readonly accepted: number | null;
}

/** What is written down of a part whose bytes and chunks are stored. */
export interface MadePart {
  readonly delivery: {
    readonly id: string;
    readonly rawKey: string;
    readonly bytes: number;
    readonly sha256: string;
    readonly subject: string;
  };
  readonly file: {
    readonly path: string;
    readonly orderKey: string;
    readonly adapterVersion: string;
    readonly accepted: number;
    readonly chunks: readonly ChunkEntry[];
  };
  readonly retirements: readonly Pick<RowToRestore, "key" | "id" | "version">[];
}

export interface Order {
  readonly request: string;
  readonly to: string;
  readonly by: string;
  readonly now: string;
  /** Of the line in the audit log. */
  readonly subject: string;
  readonly detail: unknown;
  readonly feeds: readonly { readonly feedId: number; readonly parts: readonly PlannedPart[] }[];
}

/** Every statement may come again. Times are ISO. */
export interface RestoreTables {
  /** The feeds of a customer that hold records, or the one named, and how a moment stands to each. */
  feeds(customer: string, feed: string | undefined, to: string): Promise<RestoredFeed[]>;
  /** What differs behind a key: at most so many rows, and no more than make so many bytes. */
  differences(feedId: number, to: string, after: string, rows: number, bytes: number): Promise<Differences>;
  /** Writes an order down, once, with its line of the audit log. */
  order(order: Order): Promise<void>;
  /** All parts that were ordered of a customer under a digest. */
  ordered(customer: string, request: string): Promise<OrderedPart[]>;
  rows(part: OrderedPart): Promise<RowToRestore[]>;
  /** `already`: somebody else was quicker; `again`: its delivery was given up meanwhile, and it has another file now. */
  make(part: OrderedPart, made: MadePart): Promise<"made" | "already" | "again">;
  /** Whether the records are still as they were looked at; undefined where the file is no part of a restore. */
  stands(fileId: string): Promise<{ readonly stands: boolean; readonly to: string } | undefined>;
  /** Holds it for good. False: the lease is not ours any more. */
  hold(fileId: string, token: string, failure: unknown): Promise<boolean>;
}

export interface RestoreDeps {
  readonly tables: RestoreTables;
  /** Puts raw bytes under a key that is written once. */
  archive(key: string, bytes: Uint8Array<ArrayBuffer>, facts: DeliveryFacts): Promise<unknown>;
  putChunk(fileId: string, adapterVersion: string, entry: ChunkEntry, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  enqueueApply(message: ApplyFile): Promise<void>;
  now(): Date;
  readonly log: Log;
  /** Rows of a part, at most; PART_MAX_ROWS where absent. */
  readonly partRows?: number;
}
