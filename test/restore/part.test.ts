/** A part of a restore as what is stored of it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CHUNK_MAX_ROWS, decodeChunk } from "../../src/domain/chunk.ts";
import { factsFromMetadata, factsToMetadata } from "../../src/domain/delivery.ts";
import { refusalOf } from "../../src/parse/handler.ts";
import type { OrderedPart, RowToRestore } from "../../src/restore/deps.ts";
import { digestOf, NOTHING, sumOf, together } from "../../src/restore/digest.ts";
import { PART_MAX_ROWS, partOf, partRows } from "../../src/restore/part.ts";

const ORDERED: OrderedPart = {
  restoreId: "1",
  customer: "acme",
  feed: "inventory",
  feedId: 1,
  adapterVersion: "v1",
  request: "a".repeat(64),
  to: "2026-11-19T08:00:00.000Z",
  saidAt: "2026-11-20T08:00:00.000Z",
  asOf: "2026-11-20T08:00:00.000Z",
  askedBy: "ops “Zoë”",
  parts: 2,
  n: 1,
  after: "",
  upto: null,
  sum: NOTHING,
  rows: 3,
  fileId: "7",
  state: null,
  deliveryId: null,
  accepted: null,
};

const set = (key: string, record: object): RowToRestore => ({
  key,
  id: "1",
  version: 2,
  hash: "b".repeat(32),
  text: JSON.stringify(record),
  mark: "c".repeat(32),
});
const retired = (key: string): RowToRestore => ({ ...set(key, {}), hash: null, text: null });
const linesOf = (raw: Uint8Array): Record<string, unknown>[] =>
  new TextDecoder()
    .decode(raw)
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe("a part", () => {
  it("says in its raw bytes all that it sets, and its chunks say the same, whatever stands in keys and values", () => {
    const text = fc.string({ unit: "binary", minLength: 1, maxLength: 20 }).filter((key) => key.isWellFormed());
    const row = fc.record({ key: text, value: fc.oneof(text, fc.integer(), fc.constant(null)), gone: fc.boolean() });
    fc.assert(
      fc.property(fc.uniqueArray(row, { selector: ({ key }) => key, maxLength: 30 }), (rows) => {
        // As parse refuses control characters in keys, so do these.
        const said = rows.filter(({ key }) => !/\p{Cc}/u.test(key));
        const part = partOf(
          ORDERED,
          said.map(({ key, value, gone }) => (gone ? retired(key) : set(key, { value }))),
        );
        const [header, ...lines] = linesOf(part.raw);
        expect(header).toMatchObject({ restore: { customer: "acme", feed: "inventory", part: 1, parts: 2 } });
        const sets = said.filter(({ gone }) => !gone);
        expect(lines).toEqual([
          ...sets.map(({ key, value }) => ({ key, hash: "b".repeat(32), set: { value } })),
          ...said.filter(({ gone }) => gone).map(({ key }) => ({ key, retire: 2 })),
        ]);
        const chunks = part.chunks.map(({ bytes, entry }) => decodeChunk(bytes, entry.headBytes));
        expect(chunks.flatMap(({ keys }) => keys)).toEqual(sets.map(({ key }) => key));
        expect(chunks.flatMap(({ records }) => records)).toEqual(sets.map(({ value }) => JSON.stringify({ value })));
        // The line that a record names is the one in which it stands.
        for (const [i, line] of chunks.flatMap(({ lines }) => lines).entries())
          expect(lines[line - 2]!.key).toBe(sets[i]!.key);
        expect(part.file.accepted).toBe(sets.length);
      }),
    );
  });

  it("is cut into chunks as parse cuts them", () => {
    const rows = Array.from({ length: CHUNK_MAX_ROWS + 1 }, (_, i) => set(`k${i}`, { i }));
    expect(partOf(ORDERED, rows).file.chunks.map((entry) => entry.rows)).toEqual([CHUNK_MAX_ROWS, 1]);
    const wide = Array.from({ length: 3 }, (_, i) => set(`k${i}`, { text: "x".repeat(1_500_000) }));
    expect(partOf(ORDERED, wide).file.chunks.map((entry) => entry.rows)).toEqual([1, 1, 1]);
  });

  it("has facts that the archive keeps, and an id that no other part, file or content shares", () => {
    const rows = [set("a", { x: 1 }), retired("b")];
    const { facts, delivery } = partOf(ORDERED, rows);
    expect(factsFromMetadata(factsToMetadata(facts))).toEqual(facts);
    expect(delivery.rawKey).toBe(`raw/acme/2026/11/20/${delivery.id}.ndjson`);
    const ids = [
      delivery.id,
      partOf({ ...ORDERED, n: 2 }, rows).delivery.id,
      partOf({ ...ORDERED, fileId: "8" }, rows).delivery.id,
      partOf({ ...ORDERED, request: "b".repeat(64) }, rows).delivery.id,
      partOf(ORDERED, rows.slice(1)).delivery.id,
    ];
    expect(new Set(ids).size).toBe(ids.length);
    expect(partOf(ORDERED, rows).delivery.id).toBe(delivery.id);
  });

  it("is never read by parse, which gives it up where nobody knows of it", () => {
    expect(refusalOf(partOf(ORDERED, [set("a", {})]).facts)).toMatchObject({
      state: "ignored",
      failure: { code: "restore-unfinished", disposition: "reject" },
    });
  });
});

describe("sums", () => {
  it("of parts make that of the whole, in any order", () => {
    const marks = fc.array(fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 32, maxLength: 32 }));
    fc.assert(
      fc.property(marks, marks, (some, others) => {
        expect(together(sumOf(some), sumOf(others))).toBe(sumOf([...others, ...some]));
      }),
    );
    expect(sumOf([])).toBe(NOTHING);
  });

  it("and the digest over them, are of one customer, one moment, one difference", () => {
    const feed = { feed: "inventory", sum: `${"0".repeat(127)}1`, rows: 1 };
    const base = digestOf("acme", "2026-11-19T08:00:00.000Z", [feed]);
    expect(base).toMatch(/^[0-9a-f]{64}$/);
    expect(digestOf("acme", "2026-11-19T08:00:00.000Z", [feed, { feed: "prices", sum: NOTHING, rows: 0 }])).toBe(base);
    for (const other of [
      digestOf("kontor", "2026-11-19T08:00:00.000Z", [feed]),
      digestOf("acme", "2026-11-19T08:00:00.001Z", [feed]),
      digestOf("acme", "2026-11-19T08:00:00.000Z", [{ ...feed, feed: "prices" }]),
      digestOf("acme", "2026-11-19T08:00:00.000Z", [{ ...feed, sum: NOTHING }]),
    ]) {
      expect(other).not.toBe(base);
    }
  });
});

describe("how much of a restore is looked at at once", () => {
  const now = new Date("2026-11-20T08:00:00Z");
  const ago = (days: number) => partRows(new Date(now.getTime() - days * 86_400_000).toISOString(), now);

  it("is less the longer ago the moment is: no look asks more days of more records than one that is measured", () => {
    expect([0, 1, 100].map(ago)).toEqual([PART_MAX_ROWS, PART_MAX_ROWS, PART_MAX_ROWS]);
    expect(ago(400)).toBe(PART_MAX_ROWS / 4);
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 4_000 }), (days) => ago(days) * days <= PART_MAX_ROWS * 100 + days),
    );
  });
});
