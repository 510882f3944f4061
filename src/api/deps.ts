/** What the API needs from outside, and what its handlers are given. */
import type { NeonHttpDatabase } from "drizzle-orm/neon-http";
import type { Context } from "hono";
import type { AdmissionDoor } from "../admission/keeper.ts";
import type { Adapter } from "../domain/adapter.ts";
import type { DeliveryFacts } from "../domain/delivery.ts";
import type { FormatProfile, Proposed, StoredVersion } from "../domain/feed-version.ts";
import type { ApplyFile, ParseDelivery } from "../domain/messages.ts";
import type { ReadLink } from "../gate/link.ts";
import type { HoldsDeps } from "../holds/deps.ts";
import type { OldFile } from "../intake/backfill.ts";
import type { Log } from "../observe/log.ts";
import type { Payload } from "../parse/open/open.ts";
import type { StoredPayload } from "../parse/stored-payload.ts";
import type { RedriveDeps } from "../redrive/deps.ts";
import type { ReplayDeps } from "../replay/deps.ts";
import type { RestoreDeps } from "../restore/deps.ts";
import type { Caller } from "./auth/caller.ts";
import type { DriftDoor } from "./routes/drift-decisions.ts";

export type ApiDatabase = NeonHttpDatabase<Record<string, never>>;

export interface Upload {
  readonly customer: string;
  readonly feed: string;
  /** Bare file name: no path, no control characters, 1 to 255 characters. */
  readonly name: string;
  readonly contentType: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Name of the API token that brought it: the sender of the delivery. */
  readonly tokenName: string;
  /** The client's Idempotency-Key: under the same one the same bytes are the same delivery. Without one each is new. */
  readonly idempotencyKey: string | undefined;
  /** It is to be compared and told of, and never applied. */
  readonly dryRun: boolean;
}

/** A file that waits for its format to be accepted. */
export interface WaitingFile extends StoredPayload {
  readonly customer: string;
  readonly feed: string;
  readonly active: readonly StoredVersion[];
  /** What is stored with a file that drifted; null where the feed has no format yet. */
  readonly driftReport: unknown;
}

/** The door for old mails and files: archived with the facts of then, and read by a replay. */
export interface BackfillDoor {
  facts(old: Omit<OldFile, "namedAt">): DeliveryFacts;
  /** Write-once; answers the key. */
  archive(facts: DeliveryFacts, bytes: Uint8Array<ArrayBuffer>): Promise<string>;
}

export interface ApiDeps {
  /** `drizzle(neonSql(connectionString))`. */
  readonly db: ApiDatabase;
  readonly now: () => Date;
  readonly log: Log;
  /** Rejects when the queue did not take the message. */
  readonly enqueueParse: (message: ParseDelivery) => Promise<void>;
  /** Rejects when the queue did not take the message. */
  readonly enqueueApply: (message: ApplyFile) => Promise<void>;
  /** The schedule of a customer's files. */
  readonly admission: (customer: string) => AdmissionDoor;
  /** What the adapter's folder says of the feed; undefined where there is none. */
  readonly adapterOf: (customer: string, feed: string) => Adapter | undefined;
  /**
   * Proposes once more for a file that waits, with these answers beside those kept. Throws what detection throws: an answer
   * may make the file unreadable.
   */
  readonly propose: (waiting: WaitingFile, answers: FormatProfile["answers"]) => Promise<Proposed>;
  /** A payload in the archive, once more. Throws `raw-missing`. */
  readonly openPayload: (place: StoredPayload) => Promise<Payload>;
  /** The bytes of a delivery as they came, and how many. Throws `raw-missing`. */
  readonly openRaw: (
    key: string,
  ) => Promise<{ readonly bytes: number; readonly blocks: AsyncGenerator<Uint8Array, void> }>;
  readonly redrive: RedriveDeps;
  readonly replay: ReplayDeps;
  readonly backfill: BackfillDoor;
  readonly drift: DriftDoor;
  readonly restore: RestoreDeps;
  readonly holds: HoldsDeps;
  /** What the token of a link in a hold mail says, now. */
  readonly readHoldLink: (token: string) => ReadLink;
  /** Archives and enqueues an uploaded file. `duplicate`: the same upload had come before. */
  readonly intakeUpload: (upload: Upload) => Promise<{ readonly deliveryId: string; readonly duplicate: boolean }>;
  /** The deployed version, shown by the health route. */
  readonly version: string;
}

export interface ApiEnv {
  Variables: { requestId: string; route: string | undefined; caller: Caller | undefined };
}

/** A request on its way to a handler that is open to all. */
export interface OpenCall {
  readonly c: Context<ApiEnv>;
  readonly deps: ApiDeps;
}

/** A request whose caller is known. */
export interface Call extends OpenCall {
  readonly caller: Caller;
}
