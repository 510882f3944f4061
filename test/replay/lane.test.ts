import { describe, expect, it } from "vitest";
import { type Adapter, defineFeed } from "../../src/domain/adapter.ts";
import { laneOf } from "../../src/replay/lane.ts";
import { remainingSeconds } from "../../src/replay/pace.ts";

const feed = (customer: string, name: string, over: object = {}, carries: readonly string[] = []): Adapter =>
  defineFeed({
    customer,
    customerTitle: customer,
    feed: name,
    title: name,
    mode: "delta",
    intake: { policy: "trust-address", senders: ["@x.example"], fileName: `^${name}`, carries: [...carries] },
    ...over,
  });

describe("the lane of a feed", () => {
  const feeds = [
    feed("acme", "stock", {}, ["prices"]),
    feed("acme", "prices"),
    feed("acme", "texts", {}, ["prices"]),
    feed("acme", "state", { mode: "snapshot", reconciles: { feed: "stock" } }),
    feed("acme", "orders"),
    feed("beta", "prices"),
  ];

  it.each([
    ["stock", "acme/prices"],
    ["prices", "acme/prices"],
    ["texts", "acme/prices"],
    ["state", "acme/state"],
    ["orders", "acme/orders"],
  ])("%s shares %s with all whose files may meet its own", (name, lane) => {
    expect(laneOf(feeds, "acme", name)).toBe(lane);
  });

  it("is never another customer's, and a feed that nobody knows has its own", () => {
    expect(laneOf(feeds, "beta", "prices")).toBe("beta/prices");
    expect(laneOf(feeds, "beta", "gone")).toBe("beta/gone");
  });
});

describe("the time that is left", () => {
  const of = (doneBytes: number, elapsedMs: number, beforeBytes = 0) =>
    remainingSeconds({ totalBytes: 1_000, doneBytes, beforeBytes, elapsedMs });

  it("is measured by the bytes done since it runs", () => {
    expect(of(250, 10_000)).toBe(30);
    expect(of(999, 10_000)).toBe(1);
    expect(of(750, 10_000, 500)).toBe(10);
  });

  it("is nothing at the end, and unknown while nothing is done or no time has passed", () => {
    expect(of(1_000, 0)).toBe(0);
    expect(of(0, 60_000)).toBeUndefined();
    expect(of(500, 60_000, 500)).toBeUndefined();
    expect(of(500, 10)).toBeUndefined();
  });
});
