/** When the ERP says a file is true. Pure. */
import type { Adapter } from "../domain/adapter.ts";
import type { DeliveryFacts } from "../domain/delivery.ts";
import type { Log } from "../observe/log.ts";

/** A sender's clock may run ahead of ours by this much before its Date is disbelieved. */
export const MAX_CLOCK_AHEAD_MINUTES = 10;

const MS_PER_MINUTE = 60_000;
const MS_PER_HOUR = 3_600_000;

export interface AsOf {
  readonly at: Date;
  /** Where the time comes from, for people: it is stored with the file. */
  readonly source: "file-name" | "generated-at" | "mail-date" | "arrival";
  /** What was read instead and lies outside the feed's bounds: shown with the file, so that nobody wonders at its place. */
  readonly disbelieved?: { readonly from: AsOf["source"]; readonly read: string };
}

/**
 * The as-of of a file by its feed's rule; what lies outside its bounds falls back to the arrival and is told, and so does
 * what only the file itself states, until it is read: see `asOfStated`.
 */
export function asOfFile(feed: Adapter, facts: DeliveryFacts, fileName: string): AsOf {
  const arrival = new Date(facts.receivedAt);
  const { asOf } = feed;
  if (asOf.from === "arrival" || asOf.from === "generated-at") return { at: arrival, source: "arrival" };
  const read = asOf.from === "file-name" ? timeInName(asOf.pattern, fileName) : facts.sentAt;
  if (read === undefined) return { at: arrival, source: "arrival" };
  return believed(read, asOf.from, asOf.maxAgeHours, arrival);
}

/** The as-of of a file that was read, where its feed goes by what the file states; undefined where it does not. */
export function asOfStated(feed: Adapter, facts: DeliveryFacts, generatedAt: string | null): AsOf | undefined {
  if (feed.asOf.from !== "generated-at" || generatedAt === null) return undefined;
  return believed(generatedAt, feed.asOf.from, feed.asOf.maxAgeHours, new Date(facts.receivedAt));
}

/** Years that the database can store. */
const FIRST_YEAR = 1;
const LAST_YEAR = 9_999;

/** The time that a file states, ISO, also where it is disbelieved; null where it states none, or one that is no time. */
export function statedTime({ at, source, disbelieved }: AsOf): string | null {
  if (source === "arrival" && disbelieved === undefined) return null;
  const stated = disbelieved === undefined ? at : new Date(disbelieved.read);
  const year = stated.getUTCFullYear();
  // Also false for what is no time at all.
  return year >= FIRST_YEAR && year <= LAST_YEAR ? stated.toISOString() : null;
}

/** Says that a file is ordered by its arrival though something else was read; nothing where all is well. */
export function tellDisbelieved({ disbelieved }: AsOf, { id, customer, feed }: DeliveryFacts, log: Log): void {
  if (disbelieved === undefined) return;
  log.warn("as-of-disbelieved", { correlationId: id, customer, feed, ...disbelieved });
}

/** A time of a later day would keep every file before it out, one of an early year would be behind all: neither is taken. */
function believed(read: string, from: AsOf["source"], maxAgeHours: number, arrival: Date): AsOf {
  const at = new Date(read);
  const aheadMs = at.getTime() - arrival.getTime();
  // Also false for what is no time at all.
  const sane = aheadMs >= -maxAgeHours * MS_PER_HOUR && aheadMs <= MAX_CLOCK_AHEAD_MINUTES * MS_PER_MINUTE;
  return sane ? { at, source: from } : { at: arrival, source: "arrival", disbelieved: { from, read } };
}

/** ISO text of the time in a file's name, whether there is such a time or not; undefined where the pattern does not fit. */
function timeInName(pattern: string, fileName: string): string | undefined {
  const groups = new RegExp(pattern, "u").exec(fileName)?.groups;
  if (groups === undefined) return undefined;
  const part = (name: string, otherwise: string) => (groups[name] ?? otherwise).padStart(2, "0");
  return `${groups.year}-${part("month", "")}-${part("day", "")}T${part("hour", "0")}:${part("minute", "0")}:${part("second", "0")}Z`;
}
