import { describe, expect, it } from "vitest";
import type { ApplyFile, ParseDelivery } from "../../src/domain/messages.ts";
import { jsonLog } from "../../src/observe/log.ts";
import type { RawObject, SweepDeps } from "../../src/sweep/deps.ts";
import { STUCK_AFTER_MINUTES, SWEPT_DAYS, sweep } from "../../src/sweep/sweep.ts";

const now = new Date("2026-11-02T12:00:00Z");
const minutesAgo = (minutes: number) => new Date(now.getTime() - minutes * 60_000);
const id = (digit: string) => digit.repeat(32);
const key = (digit: string, day = "2026/11/02") => `raw/acme/${day}/${id(digit)}.eml`;

function world(objects: RawObject[], known: string[] = [], over: Partial<SweepDeps> = {}) {
  const sent: (ParseDelivery | ApplyFile)[] = [];
  const asked: Date[] = [];
  const deps: SweepDeps = {
    customers: ["acme"],
    tables: {
      stuckDeliveries: async (since) => {
        asked.push(since);
        return [];
      },
      stuckFiles: async (since) => {
        asked.push(since);
        return [];
      },
      known: async (ids) => new Set(ids.filter((one) => known.includes(one))),
    },
    async *listRaw(prefix) {
      const found = objects.filter((o) => o.key.startsWith(prefix));
      if (found.length > 0) yield found;
    },
    feedOf: async () => "inventory",
    enqueueParse: async (message) => {
      sent.push(message);
    },
    enqueueApply: async (message) => {
      sent.push(message);
    },
    log: jsonLog(
      () => now,
      () => undefined,
    ),
    ...over,
  };
  return { deps, sent, asked };
}

describe("the sweep", () => {
  it("wakes an archived delivery that has no row", async () => {
    const { deps, sent } = world([{ key: key("a"), uploadedAt: minutesAgo(STUCK_AFTER_MINUTES + 1) }]);
    expect(await sweep(now, deps)).toEqual({ deliveries: 0, files: 0, unseen: 1 });
    expect(sent).toEqual([
      { v: 2, type: "parse-delivery", customer: "acme", feed: "inventory", correlationId: id("a"), rawKey: key("a") },
    ]);
  });

  it("leaves alone what has a row, and what may still be under way", async () => {
    const { deps, sent } = world(
      [
        { key: key("a"), uploadedAt: minutesAgo(60) },
        { key: key("b"), uploadedAt: minutesAgo(STUCK_AFTER_MINUTES - 1) },
      ],
      [id("a")],
    );
    await sweep(now, deps);
    expect(sent).toEqual([]);
  });

  it("looks back over the days for which a queue keeps a message, across a month's end", async () => {
    const { deps, sent } = world([
      { key: key("a", "2026/10/30"), uploadedAt: new Date("2026-10-30T01:00:00Z") },
      { key: key("b", "2026/10/28"), uploadedAt: new Date("2026-10-28T01:00:00Z") },
    ]);
    await sweep(now, deps);
    expect(SWEPT_DAYS).toBe(5);
    expect(sent.map((m) => m.correlationId)).toEqual([id("a")]);
  });

  it("wakes a delivery that was begun and a file that waits, and asks only for what has not moved", async () => {
    const { deps, sent, asked } = world([]);
    const stuck = {
      ...deps,
      tables: {
        ...deps.tables,
        stuckDeliveries: async (since: Date) => {
          asked.push(since);
          return [{ id: id("c"), customer: "acme", feed: "inventory", raw_key: key("c") }];
        },
        stuckFiles: async () => [{ id: "7", delivery_id: id("d"), customer: "acme", feed: "inventory" }],
      },
    };
    await sweep(now, stuck);
    expect(sent.map((m) => [m.type, m.correlationId])).toEqual([
      ["parse-delivery", id("c")],
      ["apply-file", id("d")],
    ]);
    expect(asked[0]).toEqual(minutesAgo(STUCK_AFTER_MINUTES));
  });

  it("fails aloud when a queue does not take the message: the next sweep tries again", async () => {
    const { deps } = world([{ key: key("a"), uploadedAt: minutesAgo(60) }], [], {
      enqueueParse: async () => Promise.reject(new Error("queue down")),
    });
    await expect(sweep(now, deps)).rejects.toThrow("queue down");
  });
});
