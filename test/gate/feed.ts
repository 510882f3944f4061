/** One feed of 1,000 records with a month behind it, and files of it: one usual file and one change per test. */
import { type GatePolicyInput, gatePolicy } from "../../src/domain/gate-policy.ts";
import type { FeedHistory, PastFile, PlanFacts, Sample } from "../../src/gate/facts.ts";
import { judge } from "../../src/gate/judge.ts";

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/** A Friday, 04:00 UTC. */
export const NOW_MS = Date.UTC(2026, 10, 20, 4);

export const past = (change: Partial<PastFile> & Pick<PastFile, "asOfMs">): PastFile => ({
  rows: 1_000,
  rejected: 0,
  inserted: 2,
  changed: 50,
  retired: 1,
  named: 1_000,
  records: 1_000,
  ...change,
});

/** A file a day, at this time, the newest yesterday's; `of` answers what is special of the one so many days ago. */
export const daily = (
  days: number,
  of: (daysAgo: number, asOfMs: number) => Partial<PastFile> = () => ({}),
): FeedHistory =>
  Array.from({ length: days }, (_, i) => {
    const asOfMs = NOW_MS - (i + 1) * DAY_MS;
    return past({ asOfMs, ...of(i + 1, asOfMs) });
  });

const STOCK = { values: 1_000, blanks: 0, zeros: 0, total: 10_000, median: 10 };

/** A usual file: 1,000 rows, 50 of them changed. */
export const facts = (change: Partial<PlanFacts> = {}): PlanFacts => ({
  mode: "full",
  records: 1_000,
  rows: 1_000,
  accepted: 1_000,
  rejected: 0,
  otherLines: 1,
  superseded: 0,
  inserted: 2,
  changed: 50,
  unchanged: 948,
  stale: 0,
  retired: 2,
  numeric: ["stock"],
  fields: [{ field: "stock", before: STOCK, after: STOCK }],
  asOfMs: NOW_MS,
  statedMs: NOW_MS,
  receivedMs: NOW_MS,
  ...change,
});

export const article = (stock: number | null, text: string | null = "Hammer") => ({ stock, text });

/** As many changed rows: of the first `hit` the stock becomes `to`, of the others it goes down by one. */
export const changed = (rows: number, hit: number, to: number | null): Sample[] =>
  Array.from({ length: rows }, (_, i) => ({
    kind: "changed",
    key: `A-${String(i).padStart(5, "0")}`,
    before: article(i + 10),
    after: article(i < hit ? to : i + 9),
  }));

export const retired = (rows: number): Sample[] =>
  Array.from({ length: rows }, (_, i) => ({ kind: "retired", key: `R-${i}`, before: article(i + 1) }));

export const inserted = (rows: number): Sample[] =>
  Array.from({ length: rows }, (_, i) => ({ kind: "inserted", key: `N-${i}`, after: article(i + 1) }));

export interface Case {
  readonly facts?: Partial<PlanFacts>;
  readonly history?: FeedHistory;
  readonly samples?: readonly Sample[];
  readonly policy?: GatePolicyInput;
}

export const judged = (of: Case = {}) =>
  judge(facts(of.facts), of.history ?? daily(28), of.samples ?? changed(50, 0, 0), gatePolicy(of.policy));

/** Names of the checks that held it. */
export const trippedBy = (of: Case = {}): string[] => judged(of).tripped.map((one) => one.check);
