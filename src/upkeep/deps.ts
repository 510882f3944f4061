/** What upkeep needs from outside. */
import type { Jobs } from "../domain/job.ts";
import type { Log } from "../observe/log.ts";

export interface OldRaw {
  readonly deliveryId: string;
  readonly key: string;
}

/** How a job was left by its last run. */
export interface JobState {
  readonly name: string;
  readonly lastOkAt: Date | undefined;
  /** Its last run stopped at its bound, or failed. */
  readonly unfinished: boolean;
}

/** Every call that removes answers how many rows it removed, at most `limit`. */
export interface UpkeepTables {
  jobs(): Promise<JobState[]>;
  /** Makes the partitions of `changes` from this day on; answers how many are new. */
  makePartitions(from: string, days: number): Promise<number>;
  /** Days (UTC) since `before` of which rows are in the default partition. */
  daysInDefault(before: Date, limit: number): Promise<string[]>;
  /** Drops the oldest partition of a day before this one; undefined where there is none. */
  dropPartition(before: string): Promise<string | undefined>;
  removeFromDefault(before: Date, limit: number): Promise<number>;
  removeLedger(before: Date, limit: number): Promise<number>;
  removeSeen(before: Date, limit: number): Promise<number>;
  removeNotifications(before: Date, limit: number): Promise<number>;
  removeDeadLetters(before: Date, limit: number): Promise<number>;
  removeAlerts(before: Date, limit: number): Promise<number>;
  removeDriftRows(before: Date, limit: number): Promise<number>;
  removeDriftReports(before: Date, limit: number): Promise<number>;
  /** Of holds: the rows that were shown with the decision. */
  forgetTelling(before: Date, limit: number): Promise<number>;
  removeReplayItems(before: Date, limit: number): Promise<number>;
  /** Ended files with chunks, the oldest end first. `duplicatesBefore`: for those that may open again. */
  filesWithChunks(before: Date, duplicatesBefore: Date, limit: number): Promise<string[]>;
  /** Their chunks are gone. */
  chunksRemoved(fileIds: readonly string[], now: Date): Promise<void>;
  filesWithRejects(before: Date, limit: number): Promise<string[]>;
  removeRejects(fileIds: readonly string[], limit: number): Promise<number>;
  /** Their rejects are gone; their reports of drift go with this. */
  rejectsRemoved(fileIds: readonly string[], now: Date): Promise<void>;
  deliveriesWithRaw(before: Date, limit: number): Promise<OldRaw[]>;
  /** Their raw bytes are gone. */
  rawRemoved(deliveryIds: readonly string[], now: Date): Promise<void>;
}

export interface UpkeepDeps {
  readonly jobs: Jobs;
  readonly tables: UpkeepTables;
  /** Removes all chunks of a file, of every parse of it. Once more does no harm. */
  removeChunks(fileId: string): Promise<void>;
  /** Removes archived objects, 1,000 at most. One that is gone does no harm. */
  removeRaw(keys: readonly string[]): Promise<void>;
  /** The time of the moment, for leases. */
  now(): Date;
  /** A new UUID. */
  token(): string;
  readonly log: Log;
}
