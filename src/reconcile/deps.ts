/** What reconcile needs from outside. */
import type { Waiting } from "../domain/attempt.ts";
import type { ChunkEntry } from "../domain/chunk.ts";
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
  /** Rows that it refused. */
  readonly rejected: number;
}

/** What holds for the pair of feeds. */
export interface Reconciliation {
  readonly comparison: Comparison;
  readonly limits: Limits;
  /** A record changed so shortly before the snapshot's as-of may be newer than what the snapshot says; see `marginMsOf`. */
  readonly marginMs: number;
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
