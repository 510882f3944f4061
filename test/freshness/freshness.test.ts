/** What should have come and did not: habits, days of rest, declared cadences, numbers that are missing. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { silenceOf } from "../../src/freshness/cadence.ts";
import type { FeedArrivals, FreshnessDeps, OpenAlert } from "../../src/freshness/deps.ts";
import { freshness, missingOf } from "../../src/freshness/freshness.ts";
import { namedNumbers, openGaps } from "../../src/freshness/numbers.ts";
import { testFeeds } from "../support/test-feeds.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** A Monday, 02:00 UTC. */
const MONDAY = Date.UTC(2026, 9, 5, 2);

/** At 02:00 from Monday to Friday, for so many weeks. */
const workdays = (weeks: number): number[] =>
  Array.from({ length: weeks * 7 }, (_, i) => MONDAY + i * DAY).filter(
    (at) => ![0, 6].includes(new Date(at).getUTCDay()),
  );

describe("a habit that was learned", () => {
  const four = workdays(4);
  /** The Friday of the fourth week. */
  const friday = four.at(-1)!;

  it("rests on weekends, and is missed on the Monday after, half a day late", () => {
    expect(silenceOf({ atMs: four }, friday + 2 * DAY)).toBeUndefined();
    expect(silenceOf({ atMs: four }, friday + 3 * DAY + 11 * HOUR)).toBeUndefined();
    expect(silenceOf({ atMs: four }, friday + 3 * DAY + 13 * HOUR)).toEqual({
      sinceMs: friday,
      usualHours: 24,
      by: "learned",
    });
  });

  it("is missed on a Tuesday too, after two days and not after one", () => {
    const monday = [...four, friday + 3 * DAY];
    expect(silenceOf({ atMs: monday }, friday + 4 * DAY + 20 * HOUR)).toBeUndefined();
    expect(silenceOf({ atMs: monday }, friday + 5 * DAY + HOUR)).toBeDefined();
  });

  it("of a few days alone knows no weekend, so it is more patient than the longest gap", () => {
    const two = workdays(2);
    expect(silenceOf({ atMs: two }, two.at(-1)! + 3 * DAY + 17 * HOUR)).toBeUndefined();
    expect(silenceOf({ atMs: two }, two.at(-1)! + 4 * DAY)).toBeDefined();
  });

  it.each([
    ["every ten minutes", 10 / 60, 3],
    ["every hour", 1, 4],
    ["every week", 168, 168 * 3.1],
    ["every 30 days", 720, 720 * 3.1],
  ])("%s is missed in its own measure", (_, hours, late) => {
    const at = Array.from({ length: 12 }, (_, i) => MONDAY + i * hours * HOUR);
    // What comes within an hour is one arrival: a feed of ten minutes has no habit of its own.
    const last = at.at(-1)!;
    expect(silenceOf({ atMs: at }, last + hours * HOUR)).toBeUndefined();
    if (hours >= 1) expect(silenceOf({ atMs: at }, last + late * HOUR)).toBeDefined();
  });

  it("is not told from a few files, nor from one mail that was sent ten times", () => {
    expect(silenceOf({ atMs: [] }, MONDAY)).toBeUndefined();
    expect(silenceOf({ atMs: four.slice(0, 5) }, friday + 90 * DAY)).toBeUndefined();
    expect(silenceOf({ atMs: Array.from({ length: 10 }, (_, i) => MONDAY + i * 60_000) }, friday)).toBeUndefined();
  });

  it("never misses what has just come, whatever came before", () => {
    const at = fc.array(fc.integer({ min: 0, max: 60 * 24 }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(at, fc.integer({ min: 0, max: 119 }), (hours, minutes) => {
        const arrivals = hours.map((n) => MONDAY + n * HOUR);
        expect(silenceOf({ atMs: arrivals }, Math.max(...arrivals) + minutes * 60_000)).toBeUndefined();
      }),
    );
  });
});

describe("a cadence that is declared", () => {
  it("holds to the hour, from the last arrival, or from when the customer was known", () => {
    expect(silenceOf({ atMs: [MONDAY], everyHours: 26 }, MONDAY + 26 * HOUR)).toBeUndefined();
    expect(silenceOf({ atMs: [MONDAY], everyHours: 26 }, MONDAY + 26 * HOUR + 1)).toEqual({
      sinceMs: MONDAY,
      usualHours: 26,
      by: "declared",
    });
    expect(silenceOf({ atMs: [], everyHours: 26, awaitedSinceMs: MONDAY }, MONDAY + 27 * HOUR)).toBeDefined();
  });
});

describe("numbers of files", () => {
  const files = (...numbers: number[]) => numbers.map((sequence, i) => ({ sequence, receivedAtMs: MONDAY + i * HOUR }));

  it("that did not come are missing, once a later one has been here for six hours", () => {
    expect(openGaps(files(1, 2, 5), MONDAY + 8 * HOUR - 1)).toEqual([]);
    expect(openGaps(files(1, 2, 5), MONDAY + 8 * HOUR)).toEqual([3, 4]);
    expect(openGaps(files(1, 2, 5, 3), MONDAY + 90 * HOUR)).toEqual([4]);
  });

  it("that begin anew, wrap around or leap are another series", () => {
    expect(openGaps(files(998, 999, 1, 2, 5_000), MONDAY + 90 * HOUR)).toEqual([]);
    expect(openGaps(files(7, 7, 8), MONDAY + 90 * HOUR)).toEqual([]);
  });

  it("are none where all came, in whatever order the mails did", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([1, 2, 3, 4, 5, 6, 7, 8], { minLength: 8 }), (numbers) => {
        expect(openGaps(files(...numbers), MONDAY + 90 * HOUR)).toEqual([]);
      }),
    );
  });

  it("are named as far as anybody reads", () => {
    expect(namedNumbers([1, 2])).toBe("1, 2");
    expect(namedNumbers([1, 2, 3, 4, 5, 6, 7])).toBe("1, 2, 3, 4, 5 and 2 more");
  });
});

describe("an alert", () => {
  const adapter = (feed: string, everyHours?: number) => ({
    ...testFeeds.find((one) => one.feed === feed)!,
    ...(everyHours === undefined ? {} : { cadence: { everyHours } }),
  });
  const arrivals = (feed: string, more: Partial<FeedArrivals> = {}): FeedArrivals => ({
    customer: "acme",
    feed,
    knownSinceMs: MONDAY,
    atMs: [MONDAY],
    numbered: [],
    ...more,
  });

  it("says in words what did not come, of a snapshot what that means", () => {
    const now = MONDAY + 50 * HOUR;
    expect(missingOf(adapter("goods", 26), arrivals("goods"), now)).toMatchObject([
      {
        kind: "arrivals-missing",
        subject: "acme/goods",
        detail: "No file for 50 hours: the last one came 2026-10-05 02:00 UTC, and one is due every 26 hours.",
      },
    ]);
    expect(missingOf(adapter("goods-now", 26), arrivals("goods-now", { atMs: [] }), now)).toMatchObject([
      {
        kind: "snapshot-missing",
        detail:
          "No file has ever come, and one is due every 26 hours. Until one comes nobody knows whether goods is what the ERP says.",
      },
    ]);
    const numbered = [1, 3].map((sequence) => ({ sequence, receivedAtMs: MONDAY }));
    expect(missingOf(adapter("batches"), arrivals("batches", { numbered }), now)).toMatchObject([
      { kind: "numbers-missing", detail: expect.stringContaining("File number 2 did not come") },
    ]);
  });

  it("is raised while something is missing, and cleared when it has come; others are left alone", async () => {
    const raised: string[] = [];
    const cleared: string[] = [];
    const open: OpenAlert[] = [{ kind: "arrivals-missing", subject: "acme/stock" }];
    const deps: FreshnessDeps = {
      feeds: [adapter("goods", 1), adapter("stock", 100)],
      tables: { arrivals: async () => [arrivals("goods"), arrivals("stock")], openAlerts: async () => open },
      alarm: {
        raise: async ({ kind, subject }) => void raised.push(`${kind} ${subject}`),
        clear: async (kind, subject) => void cleared.push(`${kind} ${subject}`),
      },
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    };
    expect(await freshness(new Date(MONDAY + 2 * HOUR), deps)).toBe(1);
    expect([raised, cleared]).toEqual([["arrivals-missing acme/goods"], ["arrivals-missing acme/stock"]]);
  });
});
