/** What the parse stage needs from outside. */
import type { Feed } from "../domain/adapter.ts";
import type { ChunkEntry } from "../domain/chunk.ts";
import type { DeliveryFacts } from "../domain/delivery.ts";
import type { FailureReport } from "../domain/failures.ts";
import type { ApplyFile } from "../domain/messages.ts";
import type { Log } from "../observe/log.ts";
import type { ByteSource } from "./open/source.ts";
import type { ParsedFile, Reject } from "./table/parse-file.ts";

export type DeliveryState = "parsing" | "parsed" | "quarantined" | "ignored" | "rejected" | "dead";
export type FileState = "parsing" | "parsed" | "applying" | "applied" | "held" | "rejected" | "dead";

/** A payload found in a delivery, whether it was taken as a file of the feed or left alone. */
export interface FoundPayload {
  readonly path: string;
  readonly format: string;
  readonly role: string;
  readonly taken: boolean;
}

export interface NewFile {
  readonly position: number;
  readonly path: string;
  readonly contentType: string;
  readonly asOf: Date;
  readonly asOfSource: string;
  readonly orderKey: string;
}

/** The rows that parse writes. Every call may come again and then changes nothing. */
export interface ParseTables {
  /** Makes the delivery's row or finds it; answers the state it is in now. */
  beginDelivery(
    facts: DeliveryFacts,
    rawKey: string,
    feed: Feed,
    refusal: { state: "quarantined" | "ignored"; failure: FailureReport } | undefined,
  ): Promise<DeliveryState>;
  /** Makes the file's row or finds it. Rejects of another adapter version are removed. */
  beginFile(facts: DeliveryFacts, feed: Feed, file: NewFile): Promise<{ id: string; state: FileState }>;
  addRejects(fileId: string, rejects: readonly Reject[]): Promise<void>;
  /** `parsing` → `parsed`, or `held` where the parse found the whole file wanting. Answers the state it is in now. */
  finishFile(fileId: string, feed: Feed, parsed: ParsedFile): Promise<FileState>;
  /** `parsing` → `rejected` or `held`. */
  refuseFile(fileId: string, failure: FailureReport): Promise<void>;
  finishDelivery(id: string, payloads: readonly FoundPayload[], failure: FailureReport | undefined): Promise<void>;
}

export interface ParseDeps {
  readonly feeds: readonly Feed[];
  /** The archived object: its facts and its bytes by range. Throws `raw-missing`. */
  openRaw(key: string): Promise<{ facts: DeliveryFacts; source: ByteSource }>;
  readonly tables: ParseTables;
  putChunk(fileId: string, adapterVersion: string, entry: ChunkEntry, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  enqueueApply(message: ApplyFile): Promise<void>;
  readonly log: Log;
}
