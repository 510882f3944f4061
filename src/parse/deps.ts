/** What the parse stage needs from outside. */
import type { Adapter, Feed } from "../domain/adapter.ts";
import type { ChunkEntry } from "../domain/chunk.ts";
import type { DeliveryFacts } from "../domain/delivery.ts";
import type { FailureReport } from "../domain/failures.ts";
import type { StoredVersion, VersionKind } from "../domain/feed-version.ts";
import type { ApplyFile } from "../domain/messages.ts";
import type { Message, Notice } from "../domain/notice.ts";
import type { DeliveryState, FileState } from "../domain/states.ts";
import type { Log } from "../observe/log.ts";
import type { AsOf } from "./as-of.ts";
import type { DriftReport } from "./drift-report.ts";
import type { ByteSource } from "./open/source.ts";
import type { Reading, Replay } from "./reading.ts";
import type { ParsedFile, Reject } from "./table/parse-file.ts";

/** A payload found in a delivery, whether it was taken as a file of the feed or left alone. */
export interface FoundPayload {
  readonly path: string;
  readonly format: string;
  readonly role: string;
  readonly taken: boolean;
}

export interface NewFile {
  /** Of the feed with all that is pinned. */
  readonly adapterVersion: string;
  readonly position: number;
  readonly path: string;
  readonly contentType: string;
  readonly asOf: AsOf;
  readonly orderKey: string;
  readonly reading: Reading;
}

/** A file's row. `original`: of a file that is read again, the state of the one that came; absent where there is none. */
export interface BegunFile {
  readonly id: string;
  readonly state: FileState;
  readonly original?: FileState;
}

/** The versions of a feed that matter to a file that comes. */
export interface FeedVersions {
  readonly active: readonly StoredVersion[];
  /** Detection has proposed versions already, and nobody has answered yet. */
  readonly asked: boolean;
  /** What the files that landed last have in common. */
  readonly expect?: { readonly endsWithNewline: boolean };
  /** Those that were asked for by number. */
  readonly named?: readonly StoredVersion[];
}

/** A version that is to be proposed or pinned. */
export interface NewVersion {
  readonly kind: VersionKind;
  readonly base: string;
  readonly data: unknown;
  /** What detection saw and asks. */
  readonly evidence?: unknown;
}

/** Why a file is not to go on, and what is stored beside that, all or nothing. */
export interface Refusal {
  readonly failure: FailureReport;
  /** Nobody is asked: the file is rejected where it would be held. */
  readonly final?: true;
  readonly driftReport?: DriftReport;
  /** Made only where no question of detection is open. */
  readonly proposals?: readonly NewVersion[];
  readonly message?: Message;
}

/**
 * What a reading of a file stands on. It counts only as long as this holds: another consumer may have begun to read the
 * file under another adapter, and somebody may have accepted another format for the feed.
 */
export interface JudgedBy {
  /** The version that `beginFile` wrote. */
  readonly adapterVersion: string;
  /** The active versions of the feed, as `activeText` writes them. */
  readonly active: string;
}

/** The rows that parse writes. Every call may come again and then changes nothing. */
export interface ParseTables {
  /** Makes the delivery's row or finds it; answers the state it is in now. */
  beginDelivery(
    facts: DeliveryFacts,
    rawKey: string,
    feed: Adapter,
    refusal: { state: "quarantined" | "ignored"; failure: FailureReport } | undefined,
  ): Promise<DeliveryState>;
  /** The state of a delivery that came; undefined where it has no row. */
  deliveryState(id: string): Promise<DeliveryState | undefined>;
  /** Throws `version-unreadable` where there is no version of a number that is asked for. */
  versions(
    feed: { readonly customer: string; readonly feed: string },
    named?: Replay["versions"],
  ): Promise<FeedVersions>;
  /**
   * Makes the file's row or finds it. Rejects of another adapter version are removed. Undefined where it is not to be read
   * again: see `REPLAYED`.
   */
  beginFile(facts: DeliveryFacts, feed: Adapter, file: NewFile): Promise<BegunFile | undefined>;
  /** Writes nothing when the file is not being read under this adapter version any more. */
  addRejects(fileId: string, rejects: readonly Reject[], adapterVersion: string): Promise<void>;
  /**
   * `parsing` → `parsed`, or `held` (of what asks nobody: `rejected`) where the whole file was found wanting; or `duplicate`, where the file next to it says the
   * same, within the feed's window or with the same number. Answers the state it is in now, and throws like `refuseFile`.
   */
  finishFile(
    fileId: string,
    feed: Feed,
    parsed: ParsedFile & { readonly orderKey: string; readonly asOf?: AsOf | undefined },
    refusal: Refusal | undefined,
    judgedBy: JudgedBy,
  ): Promise<FileState>;
  /** The number of the feed's last file that goes on, and an earlier file that is being read at the moment. */
  sequenceBefore(fileId: string): Promise<{ previous: number | null; beingRead: string | null }>;
  /**
   * `parsing` → `rejected` or `held`. Answers the state it is in now. Throws `database-conflict` where it is to be held for
   * versions that are not the feed's any more: it must be read again.
   */
  refuseFile(fileId: string, refusal: Refusal, judgedBy: JudgedBy): Promise<FileState>;
  /** What the adapter's folder says, with what its first file showed, is the active version of now. */
  pin(fileId: string, versions: readonly NewVersion[]): Promise<void>;
  /** The active version of that number gets to know its columns. */
  complete(fileId: string, version: StoredVersion, data: unknown): Promise<void>;
  /** `parsing` → `parsed` or `rejected`, unless a file of it is still to be read: another consumer reads it, or will. */
  finishDelivery(id: string, payloads: readonly FoundPayload[], failure: FailureReport | undefined): Promise<void>;
}

export interface ParseDeps {
  readonly feeds: readonly Adapter[];
  /** The archived object: its facts and its bytes by range. Throws `raw-missing`. */
  openRaw(key: string): Promise<{ facts: DeliveryFacts; source: ByteSource }>;
  /** Opens the archives of a feed; undefined where none is stored. */
  archivePassword(customer: string, feed: string): string | undefined;
  readonly tables: ParseTables;
  putChunk(fileId: string, adapterVersion: string, entry: ChunkEntry, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  enqueueApply(message: ApplyFile): Promise<void>;
  /** The mail about a held file. It is stored with the hold and sent afterwards. Pure. */
  compose(notice: Notice): Message;
  readonly log: Log;
}
