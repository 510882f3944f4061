/** The pure half: what is compared with what, what a difference is, what explains it, what follows. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { orderKeyOf } from "../../src/domain/ids.ts";
import { type Context, compare, type Drift, type OurRecord, type TheirRow } from "../../src/reconcile/compare.ts";
import { comparisonFaults, comparisonOf } from "../../src/reconcile/comparison.ts";
import { keyTexts, rejectedRowsByKey } from "../../src/reconcile/evidence.ts";
import { healing } from "../../src/reconcile/healing.ts";
import { asOfMsIn } from "../../src/reconcile/order.ts";
import { DEFAULT_LIMITS, type DriftNumbers, marginMsOf, verdictOf } from "../../src/reconcile/verdict.ts";
import { driftSentence } from "../../src/reconcile/words.ts";
import { column, STOCK } from "./world.ts";

const AS_OF = Date.UTC(2026, 10, 20, 2);
const orderAt = (minutes: number): string =>
  orderKeyOf({
    asOfMs: AS_OF + minutes * 60_000,
    sequence: 0,
    receivedAtMs: AS_OF + minutes * 60_000,
    position: 0,
    deliveryId: "0".repeat(32),
  });

const context = (more: Partial<Context> = {}): Context => ({
  fields: ["a", "b"],
  platformFields: [],
  orderKey: orderAt(0),
  marginMs: 0,
  evidence: undefined,
  ...more,
});

const ours = (record: Record<string, unknown>, more: Partial<OurRecord> = {}): OurRecord => ({
  key: "k",
  id: "1",
  version: 3,
  status: "active",
  orderKey: orderAt(-60),
  fileId: "7",
  hash: "0".repeat(32),
  record,
  confirmed: false,
  retiredBy: undefined,
  ...more,
});

const theirs = (record: Record<string, unknown>): TheirRow => ({
  key: "k",
  line: 5,
  hash: "1".repeat(32),
  text: JSON.stringify(record),
  record,
});

describe("two sides of a record", () => {
  it("are the same where every compared field is, whatever else they hold, and a missing field is null", () => {
    expect(compare(ours({ a: 1, b: null, x: 1 }), theirs({ a: 1, y: 2 }), context())).toBeUndefined();
    expect(compare(ours({}, { status: "retired" }), undefined, context())).toBeUndefined();
  });

  it.each([
    ["a number and a text of the same digits", 5, "5"],
    ["nothing and the empty text", null, ""],
    ["false and nothing", false, null],
    ["texts that only look the same", "é", "e\u0301"],
    ["an object and a text", { x: 1 }, "[object Object]"],
  ])("differ in %s", (_, here, there) => {
    expect(compare(ours({ a: here }), theirs({ a: there }), context())).toMatchObject({
      kind: "differs",
      fields: [{ field: "a", ours: here, theirs: there }],
      explanation: undefined,
    });
  });

  it("are drift in exactly the fields in which they differ", () => {
    const value = fc.oneof(fc.integer(), fc.string(), fc.boolean(), fc.constant(null), fc.constant(undefined));
    const record = fc.record({ a: value, b: value });
    fc.assert(
      fc.property(record, record, (here, there) => {
        const expected = (["a", "b"] as const).filter((field) => (here[field] ?? null) !== (there[field] ?? null));
        const found = compare(ours(here), theirs(there), context())?.fields.map(({ field }) => field) ?? [];
        expect(found).toEqual(expected);
      }),
    );
  });
});

describe("an explanation", () => {
  const differing = (more: Partial<OurRecord>, rest: Partial<Context> = {}) =>
    compare(ours({ a: 1 }, more), theirs({ a: 2 }), context(rest))?.explanation;

  it("is a file behind the snapshot, to the last bit of its place, and none before it", () => {
    expect(differing({ orderKey: orderAt(0) })).toBeUndefined();
    const next = `${orderAt(0).slice(0, -1)}f`;
    expect(differing({ orderKey: next })).toEqual({ reason: "newer-file", asOfMs: AS_OF, fileId: "7" });
    expect(differing({ confirmed: true })).toMatchObject({ reason: "newer-file", confirmed: true });
  });

  it("is the shortness of time, only where the snapshot's as-of is that of a mail", () => {
    expect(differing({ orderKey: orderAt(-14) }, { marginMs: marginMsOf("mail-date") })).toMatchObject({
      reason: "too-close",
    });
    expect(differing({ orderKey: orderAt(-15) }, { marginMs: marginMsOf("arrival") })).toBeUndefined();
    expect(differing({ orderKey: orderAt(-1) }, { marginMs: marginMsOf("generated-at") })).toBeUndefined();
  });

  it("is a field of the platform, unless another field differs, too", () => {
    const platform = { platformFields: ["a"] };
    expect(differing({}, platform)).toEqual({ reason: "platform-field", fields: ["a"] });
    const both = compare(ours({ a: 1, b: 1 }), theirs({ a: 2, b: 2 }), context(platform));
    expect(both).toMatchObject({ explanation: undefined, fields: [{ field: "a", platform: true }, { field: "b" }] });
  });

  it("is a file that waits, or a rejected row that came after the last change", () => {
    const none = { openFile: () => undefined, rejectedRow: () => undefined };
    const held = { ...none, openFile: () => ({ fileId: "9", state: "held" as const }) };
    expect(differing({}, { evidence: held })).toEqual({ reason: "held-file", fileId: "9" });
    const reject = { fileId: "9", orderKey: orderAt(-30), line: 4, sentence: "No." };
    const evidence = { ...none, rejectedRow: () => reject };
    expect(differing({}, { evidence })).toEqual({ reason: "rejected-row", fileId: "9", line: 4, sentence: "No." });
    expect(differing({ orderKey: orderAt(-20) }, { evidence })).toBeUndefined();
  });

  it("and every kind of drift, is told in a sentence", () => {
    const sentences = [
      compare(undefined, theirs({ a: 1 }), context()),
      compare(ours({ a: 1 }), undefined, context()),
      compare(ours({ a: 1 }), theirs({ a: "\u0000‮" }), context({ platformFields: ["a"] })),
      compare(ours({ a: 1 }, { status: "retired", orderKey: orderAt(5), retiredBy: "8" }), theirs({ a: 1 }), context()),
    ].map((drift) => driftSentence(drift as Drift));
    expect(sentences).toEqual([
      "“k” is in the ERP's list and not here. Nothing explains it.",
      "“k” is here and not in the ERP's list. Nothing explains it; here it is version 3, last changed as of 2026-11-20 01:00 UTC.",
      "“k” differs: a is 1 here and “\\u0000\\u202e” in the ERP. The platform may differ in a.",
      "“k” is in the ERP's list and was retired here. A newer file (as of 2026-11-20 02:05 UTC) has retired it since.",
    ]);
  });

  it("is a row that could not be read, where apply has kept a record for that; never for one that is named", () => {
    const keeps = { keepsMissing: true };
    expect(compare(ours({ a: 1 }), undefined, context(keeps))?.explanation).toEqual({ reason: "unread-rows" });
    expect(compare(ours({ a: 1 }), theirs({ a: 2 }), context(keeps))?.explanation).toBeUndefined();
    expect(compare(undefined, theirs({ a: 2 }), context(keeps))?.explanation).toBeUndefined();
  });

  it("reads the as-of back from a place in order", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 45 }), (asOfMs) => {
        const order = { asOfMs, sequence: 7, receivedAtMs: asOfMs, position: 1, deliveryId: "a".repeat(32) };
        expect(asOfMsIn(orderKeyOf(order))).toBe(asOfMs);
      }),
    );
  });
});

describe("what can be compared", () => {
  it("are hashes only where columns are the same in the same order, and no statement leaves fields out", () => {
    expect(comparisonOf(STOCK, STOCK)).toMatchObject({ hashes: true, heals: "whole", notCompared: [] });
    const turned = { ...STOCK, columns: STOCK.columns.toReversed() };
    expect(comparisonOf(turned, STOCK)).toMatchObject({ hashes: false, heals: "fields" });
    const fewer = { ...STOCK, columns: STOCK.columns.slice(0, 2) };
    expect(comparisonOf(fewer, STOCK)).toMatchObject({ hashes: false, fields: ["sku", "name"] });
    expect(comparisonOf(STOCK, fewer)).toMatchObject({ hashes: false, fields: ["sku", "name"] });
    const keeps = {
      ...STOCK,
      columns: STOCK.columns.map((c) => (c.name === "name" ? { ...c, blank: "keep" as const } : c)),
    };
    expect(comparisonOf(STOCK, keeps).hashes).toBe(false);
    expect(comparisonOf(keeps, STOCK).notCompared).toEqual([{ field: "name", why: "the snapshot may leave it out" }]);
  });

  it("are values of one form: a decimal is not an integer, an identifier is a text", () => {
    const of = (type: "decimal" | "integer" | "text" | "identifier") => ({
      columns: [column("sku", "identifier"), column("x", type)],
      key: ["sku"],
    });
    expect(comparisonOf(of("text"), of("identifier"))).toMatchObject({ hashes: true });
    expect(comparisonOf(of("decimal"), of("integer"))).toMatchObject({
      fields: ["sku"],
      notCompared: [{ field: "x", why: "it is decimal in the snapshot and integer in the feed" }],
    });
  });

  it("is nothing where the keys are others", () => {
    expect(comparisonFaults(STOCK, STOCK)).toEqual([]);
    expect(comparisonFaults(STOCK, { ...STOCK, key: ["sku", "name"] })).toEqual([
      "the key is sku, that of the feed it is compared with sku, name",
    ]);
    const numbered = { ...STOCK, columns: [column("sku", "integer"), ...STOCK.columns.slice(1)] };
    expect(comparisonFaults(numbered, STOCK)).toEqual([
      '"sku" is of the key and of another type there, so no key would be found',
    ]);
  });
});

describe("the verdict", () => {
  const numbers = (more: Partial<DriftNumbers>): DriftNumbers => ({
    seal: "hash",
    snapshotRows: 1_000,
    records: 1_000,
    missingHere: 0,
    missingThere: 0,
    differs: 0,
    drift: 0,
    retire: 0,
    explained: {},
    ...more,
  });
  const stateOf = (more: Partial<DriftNumbers>, rejected = 0) =>
    verdictOf(numbers(more), DEFAULT_LIMITS, rejected).state;

  it("heals up to either limit and waits above it", () => {
    expect(stateOf({})).toBe("clean");
    expect(stateOf({ drift: 10 })).toBe("healing");
    expect(stateOf({ drift: 11 })).toBe("waiting");
    expect(stateOf({ drift: 500, records: 100_000 })).toBe("healing");
    expect(stateOf({ drift: 501, records: 100_000 })).toBe("waiting");
  });

  it("heals so few rows of a small feed that a share of it is none", () => {
    expect(stateOf({ drift: 3, records: 4, snapshotRows: 4 })).toBe("healing");
    expect(stateOf({ drift: 4, records: 4, snapshotRows: 4 })).toBe("waiting");
  });

  it("waits where the snapshot is empty, or rows of it could not be read and something is to be retired", () => {
    expect(stateOf({ drift: 1, records: 1, snapshotRows: 0 })).toBe("waiting");
    expect(stateOf({ drift: 1, retire: 1 }, 1)).toBe("waiting");
    expect(stateOf({ drift: 1, retire: 0 }, 1)).toBe("healing");
    expect(stateOf({ drift: 0 }, 1)).toBe("clean");
  });
});

describe("rejected rows", () => {
  it("name a key by its values, whatever stands in them", () => {
    expect(keyTexts("a|b")).toEqual(["a", "b"]);
    expect(keyTexts("a\\|b|c\\\\")).toEqual(["a|b", "c\\"]);
    const part = (text: string) => text.replace(/[\\|]/g, "\\$&");
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "binary" }), { minLength: 1, maxLength: 4 }), (parts) => {
        expect(keyTexts(parts.map(part).join("|"))).toEqual(parts);
      }),
    );
  });

  it.each([
    ["12", "12;Bolt", true],
    ["12", '"12","Bolt"', true],
    ["12", "Bolt\t12", true],
    ["12", "Bolt   12   7", true],
    ["12", "112;Bolt;12.50", false],
    ["ART-1", "ART-1-B;x", false],
    ["ART-1", "ART-1-B;ART-1", true],
    ["M6, long", "M6, long;x", true],
    ["é", "né;x", false],
    ["a|b", "b;a", true],
    ["a|b", "a;c", false],
    ["a\\|b", "x;y", false],
  ])("%s stands in %s: %s", (key, raw, expected) => {
    const find = rejectedRowsByKey([{ fileId: "1", orderKey: orderAt(0), line: 2, sentence: "No.", raw }]);
    expect(find(key) !== undefined).toBe(expected);
  });
});

describe("a rejected row whose key was read", () => {
  const row = (line: number, raw: string, key?: string) => ({
    fileId: "1",
    orderKey: orderAt(0),
    line,
    sentence: "No.",
    raw,
    key,
  });

  it("is of that record alone, whatever else stands in it, and the newest counts", () => {
    const find = rejectedRowsByKey([row(2, "12;Bolt;13", "12"), row(3, "13;Nut"), row(4, "12;old", "12")]);
    expect(find("12")?.line).toBe(2);
    expect(find("13")?.line).toBe(3);
    expect(rejectedRowsByKey([row(2, "12;Bolt;13", "12")])("13")).toBeUndefined();
    expect(rejectedRowsByKey([row(2, "13;x"), row(3, "y", "13")])("13")?.line).toBe(2);
  });
});

describe("healing", () => {
  const drift = (here: OurRecord | undefined, there: TheirRow | undefined, more: Partial<Context> = {}) =>
    compare(here, there, context(more)) as Drift;
  const whole = { ...comparisonOf(STOCK, STOCK), fields: ["a", "b"] };

  it("says the snapshot's rows in their order with their own hashes, retires what it lacks, leaves what is explained", () => {
    const late = { ...theirs({ a: 9 }), line: 2, key: "z" };
    const drifts = [
      drift(ours({ a: 1 }), theirs({ a: 2 })),
      drift(undefined, late),
      drift(ours({ a: 1 }, { key: "gone" }), undefined),
      drift(ours({ a: 1 }, { orderKey: orderAt(1) }), theirs({ a: 2 })),
    ];
    expect(healing(drifts, whole)).toEqual({
      rows: [
        { key: "z", line: 2, hash: "1".repeat(32), text: '{"a":9}' },
        { key: "k", line: 5, hash: "1".repeat(32), text: '{"a":2}' },
      ],
      retire: [{ key: "gone", id: "1", version: 3 }],
      broken: [],
    });
  });

  it("says only compared fields of a record that is known, the platform's only of one that is new", () => {
    const fields = { ...whole, fields: ["a", "b"], platformFields: ["b"], heals: "fields" as const };
    const platform = { platformFields: ["b"] };
    const there = theirs({ x: 0, a: 2, b: 2 });
    const { rows } = healing([drift(ours({ a: 1, b: 1 }), there, platform), drift(undefined, there, platform)], fields);
    expect(rows.map(({ text }) => text)).toEqual(['{"a":2}', '{"a":2,"b":2}']);
  });

  it("names the records whose hash would call them unchanged", () => {
    const same = ours({ a: 1 }, { hash: "1".repeat(32) });
    expect(healing([drift(same, theirs({ a: 2 }))], whole).broken).toEqual([["k", "1".repeat(32)]]);
    const retired = ours({ a: 1 }, { hash: "1".repeat(32), status: "retired" });
    expect(healing([drift(retired, theirs({ a: 2 }))], whole).broken).toEqual([]);
  });
});
