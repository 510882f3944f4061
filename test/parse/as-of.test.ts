/** When the ERP says a file is true. */
import { describe, expect, it } from "vitest";
import type { Feed } from "../../src/domain/adapter.ts";
import type { DeliveryFacts } from "../../src/domain/delivery.ts";
import { asOfFile, asOfStated } from "../../src/parse/as-of.ts";
import { tableFeed } from "./table/support.ts";

const facts = { receivedAt: "2026-03-05T12:00:00Z", sentAt: "2026-03-05T11:59:00Z" } as DeliveryFacts;
const feed = (asOf: Feed["asOf"]): Feed => ({ ...tableFeed(), asOf });
const BOUNDS = { maxAgeHours: 4_380 };
const stated = feed({ from: "generated-at", ...BOUNDS });

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
    expect(asOfStated(stated, facts, "2026-03-05T12:10:01Z")).toMatchObject({ source: "arrival" });
  });

  it("is what the feed says, whatever the file states", () => {
    const mailed = feed({ from: "mail-date", maxAgeHours: 1 });
    expect(asOfStated(mailed, facts, "2026-03-05T07:15:00Z")).toBeUndefined();
    expect(asOfFile(mailed, facts, "x.csv")).toEqual({ at: new Date("2026-03-05T11:59:00Z"), source: "mail-date" });
    const named = feed({ from: "file-name", pattern: "(?<year>\\d{4})(?<month>\\d\\d)(?<day>\\d\\d)", ...BOUNDS });
    expect(asOfFile(named, facts, "x_20260304.csv")).toEqual({ at: new Date("2026-03-04"), source: "file-name" });
    expect(asOfFile(named, facts, "x_20260306.csv").source).toBe("arrival");
  });
});

describe("a time that cannot be believed", () => {
  const named = feed({ from: "file-name", pattern: "(?<year>\\d{4})(?<month>\\d\\d)(?<day>\\d\\d)", ...BOUNDS });
  const arrival = { at: new Date(facts.receivedAt), source: "arrival" };

  it.each([
    ["of a year that somebody mistyped", "x_20160305.csv", "2016-03-05T00:00:00Z"],
    ["of the year before", "x_20250305.csv", "2025-03-05T00:00:00Z"],
    ["that is still to come", "x_20270305.csv", "2027-03-05T00:00:00Z"],
    ["that there is not", "x_20261340.csv", "2026-13-40T00:00:00Z"],
  ])("%s leaves the arrival, and says what was read", (_what, name, read) => {
    expect(asOfFile(named, facts, name)).toEqual({ ...arrival, disbelieved: { from: "file-name", read } });
  });

  it("says nothing where nothing was read", () => {
    expect(asOfFile(named, facts, "stock.csv")).toEqual(arrival);
    const { sentAt: _, ...undated } = facts;
    expect(asOfFile(feed({ from: "mail-date", maxAgeHours: 1 }), undated, "x")).toEqual(arrival);
  });

  it("is told of a mail's Date and of what the file states, too", () => {
    const mailed = feed({ from: "mail-date", maxAgeHours: 1 });
    const late = { ...facts, sentAt: "2026-03-05T10:59:59Z" };
    expect(asOfFile(mailed, late, "x")).toEqual({ ...arrival, disbelieved: { from: "mail-date", read: late.sentAt } });
    const read = "2016-03-05T07:15:00+01:00";
    expect(asOfStated(stated, facts, read)).toEqual({ ...arrival, disbelieved: { from: "generated-at", read } });
  });

  it("is believed as far as the feed says: half a year, unless it says more", () => {
    expect(asOfFile(named, facts, "x_20250905.csv")).toMatchObject({ source: "file-name" });
    expect(asOfFile(named, facts, "x_20250901.csv")).toMatchObject({ source: "arrival" });
    const patient = feed({ ...(named.asOf as { from: "file-name"; pattern: string }), maxAgeHours: 100_000 });
    expect(asOfFile(patient, facts, "x_20160305.csv")).toMatchObject({ source: "file-name" });
  });
});

it("an adapter cannot go by what its files do not state", () => {
  expect(() => tableFeed({ asOf: { from: "generated-at" } })).toThrow("needs controls.generatedAt");
});
