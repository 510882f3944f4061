/** When the ERP says a file is true. Pure. */
import type { Adapter } from "../domain/adapter.ts";
import type { DeliveryFacts } from "../domain/delivery.ts";

/** A sender's clock may run ahead of ours by this much before its Date is disbelieved. */
export const MAX_CLOCK_AHEAD_MINUTES = 10;

export interface AsOf {
  readonly at: Date;
  /** Where the time comes from, for people: it is stored with the file. */
  readonly source: "file-name" | "generated-at" | "mail-date" | "arrival";
}

/**
 * The as-of of a file by its feed's rule; what lies outside sane bounds falls back to the arrival, and so does what only
 * the file itself states, until it is read: see `asOfStated`.
 */
export function asOfFile(feed: Adapter, facts: DeliveryFacts, fileName: string): AsOf {
  const arrival: AsOf = { at: new Date(facts.receivedAt), source: "arrival" };
  if (feed.asOf.from === "arrival" || feed.asOf.from === "generated-at") return arrival;
  const latestMs = latestOf(arrival.at);
  if (feed.asOf.from === "file-name") {
    const groups = new RegExp(feed.asOf.pattern, "u").exec(fileName)?.groups ?? {};
    const part = (name: string, otherwise: string) => (groups[name] ?? otherwise).padStart(2, "0");
    const text = `${groups.year}-${part("month", "")}-${part("day", "")}T${part("hour", "0")}:${part("minute", "0")}:${part("second", "0")}Z`;
    const at = new Date(text);
    const sane = !Number.isNaN(at.getTime()) && at.getTime() <= latestMs;
    return sane ? { at, source: "file-name" } : arrival;
  }
  const sentMs = Date.parse(facts.sentAt ?? "");
  const earliestMs = arrival.at.getTime() - feed.asOf.maxAgeHours * 3_600_000;
  return sentMs >= earliestMs && sentMs <= latestMs ? { at: new Date(sentMs), source: "mail-date" } : arrival;
}

/** The as-of of a file that was read, where its feed goes by what the file states; undefined where it does not. */
export function asOfStated(feed: Adapter, facts: DeliveryFacts, generatedAt: string | null): AsOf | undefined {
  if (feed.asOf.from !== "generated-at" || generatedAt === null) return undefined;
  const at = new Date(generatedAt);
  return at.getTime() <= latestOf(new Date(facts.receivedAt)) ? { at, source: "generated-at" } : undefined;
}

const latestOf = (arrival: Date): number => arrival.getTime() + MAX_CLOCK_AHEAD_MINUTES * 60_000;
