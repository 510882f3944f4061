/** What apply needs from outside. */
import type { Waiting } from "../domain/attempt.ts";
import type { ChunkEntry } from "../domain/chunk.ts";
import type { ApplyFile } from "../domain/messages.ts";
import type { FileToApply, Plan } from "../domain/plan.ts";
import type { Allowance } from "../domain/retirement.ts";
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
  /** `planFile` of the plan stage, recording. `same`: what it has found before the gate let the file go. */
  plan(file: FileToApply, lease: HeldLease & { readonly same?: number }): Promise<Plan>;
  /**
   * Looks at a plan before anything of it is applied, once: a file that was let go is not judged again. It has recorded its
   * verdict, and held the file, when it answers. Throws `lease-lost`.
   */
  gate(plan: Plan, file: FileToApply, lease: HeldLease): Promise<Verdict>;
  /** Compares a file that is not to be applied: a dry run, a snapshot. */
  compare(message: ApplyFile): Promise<void>;
  /** Told of every full file before it is closed: so many records that it lacks stay, since rows of it could not be read. */
  kept(message: ApplyFile, records: number): Promise<void>;
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

/** `held`: the checks that hold the file; nothing of it is applied. */
export type Verdict = { readonly go: Allowance } | { readonly held: readonly string[] };
