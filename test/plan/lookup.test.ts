/** How plan_chunk finds a chunk's keys: by a walk along the index where that is cheaper, by probes for what is left. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rowsOf, type World, worldOn } from "../apply/world.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { openPool } from "../support/database-pool.ts";
import { STATISTICS, scansOf } from "../support/scans.ts";

let own: FreshDatabase;
let there: World;
let pool: pg.Pool;
beforeAll(async () => {
  own = await freshDatabase();
  there = worldOn(own.connectionString);
  pool = openPool(own);
});
afterAll(async () => {
  await pool.end();
  await own.drop();
});

const hashOf = (text: string): string => createHash("md5").update(text).digest("hex");

/** Stored records of a feed, as written by a file of the given place in order. */
async function store(feedId: number, customerId: number, keys: readonly string[], orderKey: string, hash = hashOf) {
  await pool.query(
    `INSERT INTO records (order_key, row_hash, file_id, customer_id, feed_id, line, natural_key, data)
     SELECT $3, i.h::uuid, 0, $1, $2, i.n, i.k, '{}' FROM unnest($4::text[], $5::text[]) WITH ORDINALITY AS i(k, h, n)`,
    [customerId, feedId, orderKey, keys, keys.map(hash)],
  );
}

const OLDER = "00000000-0000-0000-0000-000000000001";
const NEWER = "ffffffff-0000-0000-0000-000000000000";

interface Chunk {
  readonly keys: readonly string[];
  readonly hashes: readonly string[];
}

const PLAN = "SELECT * FROM plan_chunk($1, NULL, $2, $3, $4)";
const paramsOf = (fileId: string, { keys, hashes }: Chunk) => [
  fileId,
  keys.join("\n"),
  `{${keys.map((_, i) => i + 2).join(",")}}`,
  hashes.join(","),
];

const WALKS = {
  never: "RETURN;",
  always: "low := p_keys[1]; high := p_keys[cardinality(p_keys)];",
} as const;

/** The same question as the function decides, by probes alone, and by a walk wherever it leads; nothing is kept. */
async function answers(fileId: string, chunk: Chunk): Promise<unknown[]> {
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    const found = [(await client.query(PLAN, paramsOf(fileId, chunk))).rows[0]];
    for (const body of Object.values(WALKS)) {
      await client.query(
        `CREATE OR REPLACE FUNCTION chunk_walk(p_customer int, p_feed int, p_keys text[], OUT low text, OUT high text)
         LANGUAGE plpgsql STABLE AS $fn$ BEGIN ${body} END $fn$`,
      );
      found.push((await client.query(PLAN, paramsOf(fileId, chunk))).rows[0]);
    }
    return found;
  } finally {
    await client.query("ROLLBACK");
    client.release();
  }
}

/** Order of bytes, upper before lower case, accents behind both, beyond the BMP behind everything, quotes and blanks. */
const EDGE_KEYS = [
  "A",
  "Z",
  "a",
  "a ",
  "a b",
  "ab",
  "z",
  "Ä",
  "ä",
  "é",
  "ﬀ",
  "😀",
  '"',
  "\\",
  "{",
  "}",
  ",",
  "0",
  "00",
  "10",
  "9",
  "NULL",
];
const anyKey = fc.oneof(
  fc.constantFrom(...EDGE_KEYS),
  fc.integer({ min: 0, max: 60 }).map((i) => `k${String(i).padStart(3, "0")}`),
);
const inBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

const anyCase = fc.record({
  stored: fc.uniqueArray(anyKey, { maxLength: 60 }),
  newer: fc.uniqueArray(anyKey, { maxLength: 6 }),
  chunk: fc
    .tuple(fc.uniqueArray(anyKey, { minLength: 1, maxLength: 40 }), fc.boolean())
    .map(([keys, inOrder]) => (inOrder ? keys.toSorted(inBytes) : keys)),
  /** Every n-th row of the chunk says something else than what is stored. */
  differs: fc.integer({ min: 1, max: 5 }),
});

describe("the answer", () => {
  it("is the same by walk and by probe, and what the keys and hashes say", async () => {
    await fc.assert(
      fc.asyncProperty(anyCase, async ({ stored, newer, chunk: keys, differs }) => {
        const feed = await there.feed("delta");
        const file = await there.file(feed, 1, rowsOf([1]));
        const older = stored.filter((key) => !newer.includes(key));
        await store(feed.feedId, feed.customerId, older, OLDER);
        await store(feed.feedId, feed.customerId, newer, NEWER);
        const hashes = keys.map((key, i) => hashOf(i % differs === 0 ? `${key} changed` : key));
        const verdicts = keys.map((key, i) => {
          if (!stored.includes(key) && !newer.includes(key)) return "inserted";
          if (hashes[i] === hashOf(key)) return "unchanged";
          return newer.includes(key) ? "stale" : "changed";
        });
        const count = (verdict: string) => verdicts.filter((v) => v === verdict).length;
        const expected = {
          outcome: "planned",
          inserted: count("inserted"),
          changed: count("changed"),
          unchanged: count("unchanged"),
          stale: count("stale"),
          need: verdicts.flatMap((v, i) => (v === "inserted" || v === "changed" ? [i + 2] : [])),
        };
        expect(await answers(file.id, { keys, hashes })).toEqual([expected, expected, expected]);
      }),
      { numRuns: 150 },
    );
  });

  it("is the same to a Worker of the version before, which puts braces around the hashes", async () => {
    const feed = await there.feed("delta");
    const file = await there.file(feed, 1, rowsOf([1]));
    await store(feed.feedId, feed.customerId, ["a", "b"], OLDER);
    const [id, keys, lines, hashes] = paramsOf(file.id, { keys: ["a", "b"], hashes: ["a", "c"].map(hashOf) });
    const { rows } = await pool.query(PLAN, [id, keys, lines, `{${hashes}}`]);
    expect(rows).toEqual([{ outcome: "planned", inserted: 0, changed: 1, unchanged: 1, stale: 0, need: [3] }]);
  });

  it("is the same for a key that stands twice in a chunk", async () => {
    const feed = await there.feed("delta");
    const file = await there.file(feed, 1, rowsOf([1]));
    await store(feed.feedId, feed.customerId, ["a", "b"], OLDER);
    const keys = ["a", "a", "b", "new", "new"];
    const found = await answers(file.id, { keys, hashes: keys.map(hashOf) });
    const expected = { outcome: "planned", inserted: 2, changed: 0, unchanged: 3, stale: 0, need: [5, 6] };
    expect(found).toEqual([expected, expected, expected]);
  });

  it("does not reach into the feeds and customers beside it", async () => {
    const [feed, other] = [await there.feed("delta"), await there.feed("delta")];
    const file = await there.file(feed, 1, rowsOf([1]));
    await store(other.feedId, other.customerId, ["a", "b", "c"], OLDER);
    await store(other.feedId, feed.customerId, ["a", "b", "c"], OLDER);
    const found = await answers(file.id, { keys: ["a", "b", "c"], hashes: ["a", "b", "c"].map(hashOf) });
    const expected = { outcome: "planned", inserted: 3, changed: 0, unchanged: 0, stale: 0, need: [2, 3, 4] };
    expect(found).toEqual([expected, expected, expected]);
  });
});

describe("a chunk whose lists do not fit together is refused", () => {
  const hash = hashOf("a");
  it.each([
    ["one hash too few", "a\nb", "{2,3}", hash],
    ["one line too few", "a\nb", "{2}", `${hash},${hash}`],
    ["a hash that is too short", "a", "{2}", hash.slice(1)],
    ["a hash that is none", "a", "{2}", "x".repeat(32)],
  ])("%s", async (_, keys, lines, hashes) => {
    const file = await there.file(await there.feed("delta"), 1, rowsOf([1]));
    await expect(pool.query(PLAN, [file.id, keys, lines, hashes])).rejects.toThrow(/chunk of|hexadecimal/);
  });
});

describe("with 40,000 records", () => {
  const ROWS = 40_000;
  const PER_STATEMENT = 10_000;
  let fileId: string;

  const keyOf = (i: number) => `ART-${String(i).padStart(10, "0")}`;
  const chunkOf = (numbers: readonly number[]): Chunk => ({
    keys: numbers.map(keyOf),
    hashes: numbers.map((i) => hashOf(keyOf(i))),
  });
  const from = (first: number, step = 1, count = PER_STATEMENT) =>
    chunkOf(Array.from({ length: count }, (_, i) => first + i * step));

  beforeAll(async () => {
    const feed = await there.feed("full");
    await store(feed.feedId, feed.customerId, from(1, 1, ROWS).keys, OLDER);
    fileId = (await there.file(feed, 1, rowsOf([1]))).id;
  });

  it("an unchanged file writes less than 8 bytes of WAL per row", async () => {
    await pool.query("VACUUM (ANALYZE) records");
    const token = "00000000-0000-0000-0000-000000000001";
    await pool.query("SELECT * FROM acquire_lease($1, $2, 60, 0)", [fileId, token]);
    const lsn = async () => (await pool.query("SELECT pg_current_wal_insert_lsn() - '0/0' AS lsn")).rows[0].lsn;
    const before = await lsn();
    for (let first = 1; first <= ROWS; first += PER_STATEMENT) {
      const [id, ...rest] = paramsOf(fileId, from(first));
      const { rows } = await pool.query("SELECT * FROM plan_chunk($1, $2, $3, $4, $5)", [id, token, ...rest]);
      expect(rows[0]).toMatchObject({ outcome: "planned", unchanged: PER_STATEMENT, need: [] });
    }
    expect(Number(await lsn()) - Number(before)).toBeLessThan(8 * ROWS);
  });

  const shuffled = from(1).keys.map((_, i) => 1 + ((i * 7_919) % PER_STATEMENT));
  it.each([
    ["in order: one walk", from(1), { walk: PER_STATEMENT, probes: 0 }],
    ["in order, three records to a key: one walk", from(1, 3), { walk: 3 * PER_STATEMENT - 2, probes: 0 }],
    ["in order, but sparse: one probe per key", from(1, 8, 5_000), { walk: 0, probes: 5_000 }],
    ["in no order: one probe per key", chunkOf(shuffled), { walk: 0, probes: PER_STATEMENT }],
    [
      "in order, half of them new: one walk, and a probe for each new one",
      from(ROWS - 4_999),
      { walk: 5_000, probes: 5_000 },
    ],
  ])("keys %s; without heap fetches and JIT, whatever statistics say", async (_, chunk, expected) => {
    for (const statistics of STATISTICS) {
      await pool.query("VACUUM records");
      const scans = await scansOf(pool, statistics, PLAN, paramsOf(fileId, chunk), "uuid_send");
      expect(scans.every((scan) => scan["Node Type"] === "Index Only Scan" && scan["Heap Fetches"] === 0)).toBe(true);
      const walk = scans.find((scan) => scan.above.includes("r"));
      const probes = scans.find((scan) => scan !== walk);
      expect({ walk: Number(walk?.["Actual Rows"] ?? 0), probes: probes?.["Actual Loops"] ?? 0 }).toEqual(expected);
    }
  });
});
