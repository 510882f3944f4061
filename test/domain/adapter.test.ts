/** The policies of a feed beside how its files are read: who is told, what is held, what a snapshot is compared with. */
import { describe, expect, it } from "vitest";
import { feeds } from "../../adapters/index.ts";
import { type Adapter, defineFeed, feedName } from "../../src/domain/adapter.ts";
import { gatePolicy } from "../../src/domain/gate-policy.ts";
import { pairFaults, targetOf } from "../../src/reconcile/pairs.ts";

type Definition = Parameters<typeof defineFeed>[0];

const stock: Definition = {
  customer: "acme",
  customerTitle: "Acme Tools",
  feed: "stock",
  title: "Stock",
  mode: "full",
  intake: { policy: "trust-address", senders: ["@acme.example"] },
  file: { charset: "utf-8", delimiter: ";", header: true },
  columns: [
    { name: "sku", source: { header: "SKU" }, type: "identifier" },
    { name: "quantity", source: { header: "Quantity" }, type: "decimal", scale: 3 },
    { name: "bin", source: { header: "Bin" }, type: "text" },
  ],
  key: ["sku"],
};
const nightly: Definition = { ...stock, feed: "stock-now", mode: "snapshot", reconciles: { feed: "stock" } };

const full = (policies: Partial<Definition> = {}): Adapter => defineFeed({ ...stock, ...policies });
const snapshot = (policies: Partial<Definition> = {}): Adapter => defineFeed({ ...nightly, ...policies });

describe("what a feed's adapter says besides how its files are read", () => {
  it("is sensible where it is left out: the gate judges, nobody is waited for, the platform owns no field", () => {
    const feed = full();
    expect(feed.gate).toEqual(gatePolicy());
    expect(feed).toMatchObject({ platformFields: [] });
    expect(feed.contact).toBeUndefined();
    expect(feed.cadence).toBeUndefined();
    expect(snapshot().reconciles).toEqual({ feed: "stock", maxRows: 500, maxShare: 0.01 });
  });

  it("leaves the version alone: no file is read again because a policy changed", () => {
    const policies: Partial<Definition> = {
      contact: "stock@acme.example",
      cadence: { everyHours: 26 },
      gate: { changed: "off", setToZero: { except: ["quantity"] } },
      platformFields: ["bin"],
    };
    expect(full(policies).version).toBe(full().version);
    expect(snapshot({ reconciles: { feed: "stock", maxRows: 5 } }).version).toBe(snapshot().version);
  });

  const faults: [string, () => Adapter, string][] = [
    ["a contact that is no address", () => full({ contact: "stock at acme" }), "is not a mail address"],
    [
      "a contact with a line behind it, which could become a header",
      () => full({ contact: "a@b.example\r\nBcc: x@y.example" }),
      "is not a mail address",
    ],
    ["a cadence that never ends", () => full({ cadence: { everyHours: 0 } }), "cadence"],
    ["a check that there is not", () => full({ gate: { color: "off" } as never }), "color"],
    ["a check of a column that there is not", () => full({ gate: { total: { except: ["prize"] } } }), '"prize" is no'],
    ["the same column twice", () => full({ gate: { median: { except: ["bin", "bin"] } } }), "stands twice"],
    ["a platform field that is no column", () => full({ platformFields: ["shelf"] }), '"shelf" is no column'],
    ["a platform field of the key, which both must know", () => full({ platformFields: ["sku"] }), "is of the key"],
    ["a snapshot of nothing", () => snapshot({ reconciles: undefined }), "name the feed"],
    ["a snapshot of itself", () => snapshot({ reconciles: { feed: "stock-now" } }), "names the feed itself"],
    ["a snapshot's own platform fields", () => snapshot({ platformFields: ["bin"] }), "of the feed that the snapshot"],
    ["limits of drift on a feed that has records", () => full({ reconciles: { feed: "other" } }), "only of a snapshot"],
  ];
  it.each(faults)("may not be %s", (_, define, said) => {
    expect(define).toThrow(said);
  });

  it("may name columns before they are known, where detection is to find them", () => {
    const unknown = { columns: undefined, key: undefined };
    expect(full({ ...unknown, platformFields: ["bin"] }).platformFields).toEqual(["bin"]);
  });
});

describe("snapshots and what they are compared with", () => {
  it("are, in adapters/, pairs that can be compared", () => {
    expect(feeds.flatMap((feed) => pairFaults(feed, feeds).map((fault) => `${feedName(feed)}: ${fault}`))).toEqual([]);
  });

  it("are a pair of one customer", () => {
    const pair = [full(), snapshot()];
    expect(pair.flatMap((feed) => pairFaults(feed, pair))).toEqual([]);
    expect(targetOf(pair[1]!, pair)).toBe(pair[0]);
    expect(pairFaults(snapshot(), [full({ customer: "kontor" }), snapshot()])).toEqual(["there is no feed stock"]);
  });

  it("have a feed with records on the other side", () => {
    const other = snapshot({ feed: "other", reconciles: { feed: "stock-now" } });
    expect(pairFaults(other, [full(), snapshot(), other])).toEqual([expect.stringContaining("has no records")]);
  });

  it("have one key, and say so in the words of the feeds", () => {
    const other = snapshot({ key: ["sku", "bin"] });
    expect(pairFaults(other, [full(), other])).toEqual([
      "the key is sku, bin, that of the feed it is compared with sku",
    ]);
  });

  it("are judged by the comparison itself where detection is to find the columns", () => {
    expect(pairFaults(snapshot({ columns: undefined, key: undefined }), [full()])).toEqual([]);
  });
});
