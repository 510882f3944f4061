/** What the sweep needs from outside. */
import type { ApplyFile, ParseDelivery } from "../domain/messages.ts";
import type { Log } from "../observe/log.ts";

/** An archived object by its key. */
export interface RawObject {
  readonly key: string;
  readonly uploadedAt: Date;
}

export interface StuckDelivery {
  readonly id: string;
  readonly customer: string;
  readonly feed: string;
  readonly raw_key: string;
}

export interface StuckFile {
  readonly id: string;
  readonly delivery_id: string;
  readonly customer: string;
  readonly feed: string;
}

export interface SweepTables {
  /** Deliveries in `parsing` that nothing has touched since; touches them, so that two sweeps do not take the same ones. */
  stuckDeliveries(since: Date): Promise<StuckDelivery[]>;
  /** Files that wait to be applied, or whose worker died, untouched since; touches them. */
  stuckFiles(since: Date): Promise<StuckFile[]>;
  /** Which of these deliveries have a row. */
  known(ids: readonly string[]): Promise<ReadonlySet<string>>;
}

export interface SweepDeps {
  readonly customers: readonly string[];
  readonly tables: SweepTables;
  /** Raw objects under a prefix, page by page. */
  listRaw(prefix: string): AsyncIterable<readonly RawObject[]>;
  /** The feed that an archived object is for, from its facts. */
  feedOf(key: string): Promise<string>;
  enqueueParse(message: ParseDelivery): Promise<void>;
  enqueueApply(message: ApplyFile): Promise<void>;
  readonly log: Log;
}
