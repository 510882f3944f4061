/**
 * Freshness: what should have come and did not. A mail that is lost says nothing, so its absence is looked for: a feed that
 * is silent for too long, a snapshot that did not come, a number that is missing. Alerts are raised here, and cleared when
 * what was missed has come.
 */
import { type Adapter, feedName } from "../domain/adapter.ts";
import { type Silence, silenceOf } from "./cadence.ts";
import type { FeedArrivals, FreshnessDeps } from "./deps.ts";
import { namedNumbers, openGaps } from "./numbers.ts";

/** The subject of all of them is the feed. */
export const FRESHNESS_ALERTS = ["arrivals-missing", "snapshot-missing", "numbers-missing"] as const;
export type FreshnessAlert = (typeof FRESHNESS_ALERTS)[number];

/** How far back habits are learned and numbers are looked at. */
export const LOOKED_BACK_DAYS = 60;
const MS_PER_DAY = 86_400_000;
const MS_PER_HOUR = 3_600_000;

export interface Missing {
  readonly kind: FreshnessAlert;
  readonly subject: string;
  readonly severity: "warning" | "critical";
  readonly detail: string;
}

/** What is missing of a feed. Pure. */
export function missingOf(adapter: Adapter, arrivals: FeedArrivals, nowMs: number): Missing[] {
  const subject = feedName(adapter);
  const missing: Missing[] = [];
  const silence = silenceOf(
    {
      atMs: arrivals.atMs,
      everyHours: adapter.cadence?.everyHours,
      awaitedSinceMs: adapter.cadence === undefined ? undefined : arrivals.knownSinceMs,
    },
    nowMs,
  );
  if (silence !== undefined) {
    const snapshot = adapter.mode === "snapshot";
    missing.push({
      kind: snapshot ? "snapshot-missing" : "arrivals-missing",
      subject,
      severity: "warning",
      detail: `${silenceSentence(silence, arrivals.atMs.length > 0, nowMs)}${
        snapshot
          ? ` Until one comes nobody knows whether ${adapter.reconciles?.feed ?? "its feed"} is what the ERP says.`
          : ""
      }`,
    });
  }
  const gaps = openGaps(arrivals.numbered, nowMs);
  if (gaps.length > 0) {
    missing.push({
      kind: "numbers-missing",
      subject,
      severity: "warning",
      detail: `File${gaps.length === 1 ? "" : "s"} number ${namedNumbers(gaps)} did not come, and later ones did: mails were lost, or never sent.`,
    });
  }
  return missing;
}

function silenceSentence({ sinceMs, usualHours, by }: Silence, came: boolean, nowMs: number): string {
  const every =
    by === "declared" ? `one is due every ${duration(usualHours)}` : `one usually comes every ${duration(usualHours)}`;
  const since = new Date(sinceMs).toISOString().slice(0, 16).replace("T", " ");
  const hours = (nowMs - sinceMs) / MS_PER_HOUR;
  return came
    ? `No file for ${duration(hours)}: the last one came ${since} UTC, and ${every}.`
    : `No file has ever come, and ${every}.`;
}

/** “90 minutes”, “36 hours”, “4 days”. */
function duration(hours: number): string {
  if (hours < 2) return `${Math.round(hours * 60)} minutes`;
  return hours < 72 ? `${Math.round(hours)} hours` : `${Math.round(hours / 24)} days`;
}

/** Answers how many things are missing. Throws the database's failures. */
export async function freshness(now: Date, deps: FreshnessDeps): Promise<number> {
  const since = new Date(now.getTime() - LOOKED_BACK_DAYS * MS_PER_DAY);
  const [all, open] = await Promise.all([
    deps.tables.arrivals(
      deps.feeds.map(({ customer, feed }) => ({ customer, feed })),
      since,
    ),
    deps.tables.openAlerts(FRESHNESS_ALERTS),
  ]);
  const missing = all.flatMap((arrivals) => {
    const adapter = deps.feeds.find(({ customer, feed }) => customer === arrivals.customer && feed === arrivals.feed);
    return adapter === undefined ? [] : missingOf(adapter, arrivals, now.getTime());
  });
  for (const alert of missing) await deps.alarm.raise(alert);
  for (const { kind, subject } of open) {
    if (!missing.some((alert) => alert.kind === kind && alert.subject === subject))
      await deps.alarm.clear(kind, subject);
  }
  if (missing.length > 0) deps.log.warn("files-missing", { feeds: missing.map(({ subject }) => subject).join(", ") });
  return missing.length;
}
