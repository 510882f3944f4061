/** What reconcile needs from outside. */
import type { Adapter } from "../domain/adapter.ts";
import type { Waiting } from "../domain/attempt.ts";
import type { ChunkEntry } from "../domain/chunk.ts";
import type { ApplyFile } from "../domain/messages.ts";
import type { Message, Notice } from "../domain/notice.ts";
import type { Log } from "../observe/log.ts";
import type { Comparison } from "./comparison.ts";
import type { Limits } from "./verdict.ts";

export interface ReconcileDatabase {
  /** Rows as objects: int as number, bigint as text, boolean as boolean, jsonb parsed. Throws Failures. */
  query<Row>(text: string, params: readonly unknown[]): Promise<Row[]>;
}

/** A file whose chunks lie in storage. */
export interface ChunkedFile {
  /** `files.id`; a bigint, so text. */
  readonly id: string;
  readonly adapterVersion: string;
  readonly chunks: readonly ChunkEntry[];
}

export interface StoredChunks {
  /** Exactly the first `entry.headBytes` bytes of a chunk. Throws `chunk-missing` or `storage-unavailable`. */
  head(file: ChunkedFile, entry: ChunkEntry): Promise<Uint8Array>;
  /** All bytes of a chunk. Throws the same. */
  whole(file: ChunkedFile, entry: ChunkEntry): Promise<Uint8Array>;
}

/** A parsed file of a snapshot feed and the feed that it is about. */
export interface SnapshotFile extends ChunkedFile {
  readonly customerId: number;
  /** The feed whose records are compared. */
  readonly feedId: number;
  /** The snapshot's place among the files of that feed. */
  readonly orderKey: string;
  /** Rows that parse accepted. */
  readonly accepted: number;
  /** Rows that it refused and of which nobody knows whose they are. */
  readonly unread: number;
  /** How many times the file is compared with this one; 1 where absent. A snapshot is compared once. */
  readonly run?: number;
}

/** What holds for the pair of feeds. */
export interface Reconciliation {
  readonly comparison: Comparison;
  readonly limits: Limits;
  /** A record changed so shortly before the snapshot's as-of may be newer than what the snapshot says; see `marginMsOf`. */
  readonly marginMs: number;
  /**
   * A record that the file lacks may be one of its rows that were not read, and stays for that: apply has decided so already of
   * a full file; of a list whose end may be missing nobody can.
   */
  readonly keepsMissing?: boolean;
}

export interface ReconcileDeps extends Waiting {
  readonly database: ReconcileDatabase;
  readonly chunks: StoredChunks;
  /** Milliseconds since 1970. */
  now(): number;
  readonly log: Log;
  /** Rows of the database in memory at once; GROUP_MAX_ROWS where absent. */
  readonly groupRows?: number;
}

/** What follows from a comparison, besides: a file that heals, mails, an alert. */
export interface DriftDeps extends ReconcileDeps {
  /** Of the deployment. */
  readonly feeds: readonly Adapter[];
  putChunk(fileId: string, adapterVersion: string, entry: ChunkEntry, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Rejects when the queue did not take the message. */
  enqueueApply(message: ApplyFile): Promise<void>;
  compose(notice: Notice): Message;
  readonly alarm: {
    raise(alert: {
      readonly kind: string;
      readonly subject: string;
      readonly severity: "warning" | "critical";
      readonly detail: string;
    }): Promise<void>;
    clear(kind: string, subject: string): Promise<void>;
  };
}
