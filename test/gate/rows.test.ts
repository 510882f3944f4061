/** The number of rows: habits of the week and of the day, growth, and what is too little to judge by. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bandOf, medianOf, spreadOf } from "../../src/gate/band.ts";
import type { FeedHistory, PastFile } from "../../src/gate/facts.ts";
import { DAY_MS, daily, HOUR_MS, judged, NOW_MS, past, trippedBy } from "./feed.ts";

const rows = (n: number, history: FeedHistory, change = {}): string[] =>
  trippedBy({ facts: { rows: n, accepted: n, ...change }, history, policy: { sheetLimit: "off" } });

/** As many files as days, each of the named number of rows. */
const counts = (values: readonly number[]): FeedHistory =>
  daily(values.length, (daysAgo) => ({ rows: values[daysAgo - 1]! }));

describe("the band of the last days", () => {
  it("needs as many files as the policy says, and tells that it had too few", () => {
    expect(judged({ facts: { rows: 9 }, history: daily(4) }).unjudged).toEqual(["rowCount"]);
    expect(rows(9, daily(5))).toEqual(["rowCount"]);
  });

  it("holds exactly what is outside of half as much again, where all files were alike", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 100, max: 900_000 }),
        fc.double({ min: 0, max: 4, noNaN: true }),
        (usual, times) => {
          const n = Math.round(usual * times);
          const held = rows(n, counts(Array(7).fill(usual)), { retired: 0 }).length > 0;
          const factor = (Math.max(n, usual) + 1) / (Math.min(n, usual) + 1);
          // Near the edge a logarithm may round either way.
          fc.pre(n > 0 && Math.abs(factor - 1.5) > 1e-9);
          expect(held).toBe(factor > 1.5 && Math.abs(n - usual) > 20);
        },
      ),
    );
  });

  it("is as wide as the feed is: what lies among the last files is never held", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 10, max: 5_000 }), { minLength: 7, maxLength: 7 }), (values) => {
        const middle = values.toSorted((a, b) => a - b)[3]!;
        expect(rows(middle, counts(values))).toEqual([]);
      }),
    );
  });

  it("one odd file among seven neither widens nor moves it", () => {
    expect(rows(3_000, counts([1_000, 1_010, 9_000, 990, 1_000, 1_005, 1_000]))).toEqual(["rowCount"]);
    expect(rows(1_020, counts([1_000, 1_010, 9_000, 990, 1_000, 1_005, 1_000]))).toEqual([]);
  });

  it("a small feed may have twenty rows more or less", () => {
    const small = counts(Array(7).fill(30));
    expect([rows(50, small), rows(10, small), rows(51, small), rows(9, small)]).toEqual([
      [],
      [],
      ["rowCount"],
      ["rowCount"],
    ]);
  });

  it("a delta with few rows only says that little happened; one with many is held", () => {
    const delta = { mode: "delta", retired: 0 } as const;
    expect(rows(1, daily(7), delta)).toEqual([]);
    expect(rows(0, daily(7), delta)).toEqual([]);
    expect(rows(1_501, daily(7), delta)).toEqual(["rowCount"]);
  });

  it("files of long ago say nothing: after a pause the feed is not judged by what it was", () => {
    const old: PastFile[] = daily(28).map((file) => ({ ...file, asOfMs: file.asOfMs - 90 * DAY_MS }));
    expect(judged({ facts: { rows: 9 }, history: old }).unjudged).toEqual(["rowCount"]);
  });
});

describe("weekdays", () => {
  const SATURDAY_MS = NOW_MS + DAY_MS;
  const isWeekend = (ms: number) => [0, 6].includes(new Date(ms).getUTCDay());
  const week = (days: number) => daily(days, (_, asOfMs) => ({ rows: isWeekend(asOfMs) ? 100 : 1_000 }));
  const saturday = { asOfMs: SATURDAY_MS, statedMs: SATURDAY_MS, receivedMs: SATURDAY_MS };

  it("the small file of a weekend is held until it has been a habit for two weeks", () => {
    expect(rows(100, week(5), saturday)).toEqual(["rowCount"]);
    expect(rows(100, week(8), saturday)).toEqual(["rowCount"]);
    expect(rows(100, week(15), saturday)).toEqual([]);
    expect(rows(100, week(40), saturday)).toEqual([]);
  });

  it("the same small file on a working day is held", () => {
    expect(rows(100, week(40))).toEqual(["rowCount"]);
  });

  it("a file of a working day that comes on a Saturday goes: the last days know it", () => {
    expect(rows(1_000, week(40), saturday)).toEqual([]);
  });

  it("the first working day after a long weekend goes", () => {
    const holidays = daily(40, (daysAgo, asOfMs) => ({ rows: daysAgo <= 6 || isWeekend(asOfMs) ? 100 : 1_000 }));
    expect(rows(1_000, holidays)).toEqual([]);
  });
});

describe("times of the day", () => {
  it("one big list each night among small ones by the hour is a habit after a working week", () => {
    const hourly = Array.from({ length: 24 * 7 }, (_, i) => {
      const asOfMs = NOW_MS - (i + 1) * HOUR_MS;
      return past({ asOfMs, rows: new Date(asOfMs).getUTCHours() === 4 ? 50_000 : 40 });
    });
    const delta = { mode: "delta", retired: 0 } as const;
    expect(rows(50_000, hourly, delta)).toEqual([]);
    const noon = { asOfMs: NOW_MS + 8 * HOUR_MS, statedMs: NOW_MS + 8 * HOUR_MS };
    expect(rows(50_000, hourly, { ...delta, ...noon })).toEqual(["rowCount"]);
  });
});

describe("around midnight", () => {
  it("ten minutes before and after it are the same time of day", () => {
    const tenMinutesMs = HOUR_MS / 6;
    const beforeMs = NOW_MS - 4 * HOUR_MS - tenMinutesMs;
    const history = daily(7).flatMap(({ asOfMs }) => [
      past({ asOfMs: asOfMs - 4 * HOUR_MS + tenMinutesMs, rows: 9_000 }),
      past({ asOfMs, rows: 100 }),
      past({ asOfMs: asOfMs + HOUR_MS, rows: 100 }),
    ]);
    const at = { asOfMs: beforeMs, statedMs: beforeMs, mode: "delta", retired: 0 } as const;
    expect(rows(9_000, history, at)).toEqual([]);
    expect(rows(9_000, history, { ...at, asOfMs: beforeMs + 2 * HOUR_MS })).toEqual(["rowCount"]);
  });
});

describe("growth", () => {
  it("a feed that grows by four in a hundred each day is never held", () => {
    const grows = (daysAgo: number) => Math.round(1_000 * 1.04 ** (60 - daysAgo));
    for (let today = 55; today >= 0; today--) {
      const before = daily(56, (daysAgo) => ({ rows: grows(today + daysAgo) }));
      expect(rows(grows(today), before)).toEqual([]);
    }
  });

  it("one that doubles at once is, and its new size is usual after some days", () => {
    expect(rows(2_000, daily(28))).toEqual(["rowCount"]);
    const since = (days: number) => daily(28, (daysAgo) => ({ rows: daysAgo <= days ? 2_000 : 1_000 }));
    expect(rows(2_000, since(4))).toEqual([]);
  });
});

describe("the middle and the spread", () => {
  it("stay between the smallest and the largest value", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 1_000_000 }), { minLength: 1 }), (values) => {
        expect(medianOf(values)).toBeGreaterThanOrEqual(Math.min(...values));
        expect(medianOf(values)).toBeLessThanOrEqual(Math.max(...values));
        expect(spreadOf(values)).toBeGreaterThanOrEqual(0);
        const { low, middle, high } = bandOf(values, 4, 1.5);
        expect(low <= middle && middle <= high).toBe(true);
      }),
    );
  });

  it("do not depend on the order of the files", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 9_999 }), { minLength: 7, maxLength: 7 }), (values) => {
        expect(bandOf(values, 4, 1.5)).toEqual(bandOf(values.toReversed(), 4, 1.5));
      }),
    );
  });
});
