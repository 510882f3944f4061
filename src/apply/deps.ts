/** What apply needs from outside. */
import type { Waiting } from "../domain/attempt.ts";
import type { ChunkEntry } from "../domain/chunk.ts";
import type { FailureReport } from "../domain/failures.ts";
import type { FileToApply, Plan } from "../domain/plan.ts";
import type { Log } from "../observe/log.ts";

export interface ApplyDatabase {
  /** Rows as objects: int as number, bigint as text, boolean as boolean, jsonb parsed. Throws Failures. */
  query<Row>(text: string, params: readonly unknown[]): Promise<Row[]>;
}

export interface WholeChunks {
  /** All bytes of a chunk. Throws `chunk-missing` or `storage-unavailable`. */
  whole(file: FileToApply, entry: ChunkEntry): Promise<Uint8Array>;
}

/** The lease under which a plan is recorded, and what keeps it. */
export interface HeldLease {
  /** A UUID nobody else uses: it fences off a worker whose lease was taken over. */
  readonly token: string;
  /** Renews the lease when it is due. Throws `lease-lost`. */
  readonly beat: () => Promise<void>;
}

export interface ApplyDeps extends Waiting {
  readonly database: ApplyDatabase;
  readonly chunks: WholeChunks;
  /** `planFile` of the plan stage, recording. */
  plan(file: FileToApply, lease: HeldLease): Promise<Plan>;
  /** Looks at a plan before anything of it is applied. */
  gate(plan: Plan, file: FileToApply): Verdict;
  /** A new UUID. */
  token(): string;
  /** Told whenever the lease was renewed: the file is still being applied, and the database has just answered. */
  stillHere?(): Promise<void>;
  /** Waits until so many rows may be sent to the database. */
  pace?(rows: number): Promise<void>;
  /** Milliseconds since 1970. */
  now(): number;
  readonly log: Log;
  /** How long a file waits for an earlier one of its feed; see `EARLIER_FIRST_SECONDS`, the default. */
  readonly earlierFirstSeconds?: number;
  /** Rows written by one statement in diff mode; CHUNK_MAX_ROWS where absent. */
  readonly maxRows?: number;
  /** Statements at once; LANES where absent. */
  readonly lanes?: number;
}

/** Nothing of a file that is held is applied. */
export type Verdict = "go" | { readonly hold: FailureReport };
