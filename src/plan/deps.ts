/** What plan needs from outside. */
import type { Waiting } from "../domain/attempt.ts";
import type { ChunkEntry } from "../domain/chunk.ts";
import type { DiffPlan, FileToApply, RowsText } from "../domain/plan.ts";

export interface PlanDatabase {
  /** Rows as objects: int as number, bigint as text, boolean as boolean. Throws Failures. */
  query<Row>(text: string, params: readonly unknown[]): Promise<Row[]>;
}

export interface ChunkHeads {
  /** Exactly the first `entry.headBytes` bytes of a chunk. Throws `chunk-missing` or `storage-unavailable`. */
  head(file: FileToApply, entry: ChunkEntry): Promise<Uint8Array>;
}

export interface PlanDeps extends Waiting {
  readonly database: PlanDatabase;
  readonly chunks: ChunkHeads;
  /**
   * The rows of `plan.need` as apply would send them, asked only of a merging file. Absent: each row that differs counts as
   * changed. Throws `chunk-missing` or `storage-unavailable`.
   */
  needed?(file: FileToApply, plan: DiffPlan): AsyncIterable<RowsText & { readonly records: string }>;
  /** Keys asked about in one statement; PLAN_MAX_ROWS where absent. */
  readonly maxRows?: number;
  /** Statements at once; LANES where absent. */
  readonly lanes?: number;
}
