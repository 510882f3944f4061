/** What freshness needs from outside. */
import type { Adapter } from "../domain/adapter.ts";
import type { Log } from "../observe/log.ts";
import type { NumberedFile } from "./numbers.ts";

/** What has come of a feed. */
export interface FeedArrivals {
  readonly customer: string;
  readonly feed: string;
  /** Milliseconds since 1970: since when the customer is known here. */
  readonly knownSinceMs: number;
  /** Milliseconds since 1970, in any order. Only of what could be taken as a file. */
  readonly atMs: readonly number[];
  /** In the order of the feed. */
  readonly numbered: readonly NumberedFile[];
}

export interface OpenAlert {
  readonly kind: string;
  readonly subject: string;
}

export interface FreshnessTables {
  /** Of files whose as-of is not before `since`, of feeds whose customer has ever sent anything; the others are left out. */
  arrivals(
    feeds: readonly { readonly customer: string; readonly feed: string }[],
    since: Date,
  ): Promise<FeedArrivals[]>;
  /** Alerts of these kinds that are open. */
  openAlerts(kinds: readonly string[]): Promise<OpenAlert[]>;
}

export interface FreshnessDeps {
  readonly feeds: readonly Adapter[];
  readonly tables: FreshnessTables;
  readonly alarm: {
    raise(alert: OpenAlert & { readonly severity: "warning" | "critical"; readonly detail: string }): Promise<void>;
    clear(kind: string, subject: string): Promise<void>;
  };
  readonly log: Log;
}
