/** When the ERP says a file is true. */
import { describe, expect, it } from "vitest";
import type { Feed } from "../../src/domain/adapter.ts";
import type { DeliveryFacts } from "../../src/domain/delivery.ts";
import { asOfFile, asOfStated } from "../../src/parse/as-of.ts";
import { tableFeed } from "./table/support.ts";

const facts = { receivedAt: "2026-03-05T12:00:00Z", sentAt: "2026-03-05T11:59:00Z" } as DeliveryFacts;
const feed = (asOf: Feed["asOf"]): Feed => ({ ...tableFeed(), asOf });
const stated = feed({ from: "generated-at" });

describe("the as-of of a file", () => {
  it("is what the file states, once it is read", () => {
    expect(asOfFile(stated, facts, "x.csv")).toEqual({ at: new Date(facts.receivedAt), source: "arrival" });
    expect(asOfStated(stated, facts, "2026-03-05T07:15:00+01:00")).toEqual({
      at: new Date("2026-03-05T06:15:00Z"),
      source: "generated-at",
    });
  });

  it("is the arrival where the file states nothing, or a time that is still to come", () => {
    expect(asOfStated(stated, facts, null)).toBeUndefined();
    expect(asOfStated(stated, facts, "2026-03-05T12:10:00Z")).toBeDefined();
    expect(asOfStated(stated, facts, "2026-03-05T12:10:01Z")).toBeUndefined();
  });

  it("is what the feed says, whatever the file states", () => {
    const mailed = feed({ from: "mail-date", maxAgeHours: 1 });
    expect(asOfStated(mailed, facts, "2026-03-05T07:15:00Z")).toBeUndefined();
    expect(asOfFile(mailed, facts, "x.csv")).toEqual({ at: new Date("2026-03-05T11:59:00Z"), source: "mail-date" });
    const named = feed({ from: "file-name", pattern: "(?<year>\\d{4})(?<month>\\d\\d)(?<day>\\d\\d)" });
    expect(asOfFile(named, facts, "x_20260304.csv")).toEqual({ at: new Date("2026-03-04"), source: "file-name" });
    expect(asOfFile(named, facts, "x_20260306.csv").source).toBe("arrival");
  });
});

it("an adapter cannot go by what its files do not state", () => {
  expect(() => tableFeed({ asOf: { from: "generated-at" } })).toThrow("needs controls.generatedAt");
});
