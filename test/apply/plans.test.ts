/** That apply_chunk finds its records by key alone, whatever the statistics say: the other plans took minutes. */
import { createHash, randomUUID } from "node:crypto";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { openPool } from "../support/database-pool.ts";
import { STATISTICS, scansOf } from "../support/scans.ts";
import { rowsOf, says, type TestFile, type World, worldOn } from "./world.ts";

const STORED = 20_000;
const BATCH = 2_000;

let own: FreshDatabase;
let world: World;
let pool: pg.Pool;
const token = randomUUID();
let plain: TestFile;
let merging: TestFile;

const keyOf = (i: number) => `K${String(i).padStart(8, "0")}`;
const hashOf = (text: string) => createHash("md5").update(text).digest("hex");

/** Records of every second number from 2 on, in a feed of their own, and a file of it whose lease is held. */
async function feedWith(rows: Parameters<World["file"]>[2]): Promise<TestFile> {
  const feed = await world.feed();
  await pool.query(
    `INSERT INTO records (order_key, row_hash, file_id, customer_id, feed_id, line, natural_key, data)
     SELECT '00000000-0000-0000-0000-000000000001', md5('K' || lpad((2 * i)::text, 8, '0'))::uuid, 0, $1, $2, i, 'K' || lpad((2 * i)::text, 8, '0'), '{"a": 1}'
     FROM generate_series(1, $3::int) i`,
    [feed.customerId, feed.feedId, STORED],
  );
  const file = await world.file(feed, 1, rows);
  await pool.query("SELECT * FROM acquire_lease($1, $2, 3600, 0)", [file.id, token]);
  return file;
}

beforeAll(async () => {
  own = await freshDatabase();
  world = worldOn(own.connectionString);
  pool = openPool(own);
  plain = await feedWith(rowsOf([1]));
  merging = await feedWith([says("k", { a: 1 })]);
});
afterAll(async () => {
  await pool.end();
  await own.drop();
});

const APPLY = "SELECT * FROM apply_chunk($1, $2, $3, $4, $5, $6)";
const paramsOf = (file: TestFile, keys: readonly string[], said: string, record: string) => [
  file.id,
  token,
  keys.join("\n"),
  `{${keys.map((_, i) => i + 2).join(",")}}`,
  keys.map((key) => hashOf(key + said)).join(","),
  keys.map(() => record).join("\n"),
];
const batch = (first: number, step: number) => Array.from({ length: BATCH }, (_, i) => keyOf(first + i * step));

describe("apply_chunk", () => {
  it.each([
    ["changed", "says something else", batch(2, 8), " changed", { probes: BATCH, locks: BATCH }],
    ["unchanged", "says the same", batch(2, 8), "", { probes: BATCH, locks: 0 }],
    ["new, between others", "is not known", batch(3, 2), "", { probes: BATCH, locks: 0 }],
    ["new, beyond all others", "is not even looked for", batch(90_000_000, 1), "", { probes: 0, locks: 0 }],
  ])("rows that are %s: one probe each at most, for a record that %s", async (_, __, keys, said, expected) => {
    for (const statistics of STATISTICS) {
      await pool.query("VACUUM records");
      const scans = await scansOf(
        pool,
        statistics,
        APPLY,
        paramsOf(plain, keys, said, '{"a": 2}'),
        "newer AS MATERIALIZED",
      );
      expect(scans.every((scan) => /^Index/.test(String(scan["Node Type"])))).toBe(true);
      const loops = (part: string) =>
        scans.filter((scan) => scan.above.includes(`CTE ${part}`)).map((scan) => Number(scan["Actual Loops"]));
      const [probes] = loops("cur").sort((a, b) => b - a);
      // What is asked once is whether there is anything between the first key and the last.
      expect({ probes: probes === 1 ? 0 : probes, locks: loops("old")[0] }).toEqual(expected);
      expect(loops("kept").every((times) => times === 0)).toBe(true);
    }
  });

  it("of a merging file looks at what is stored once more, and locks only what it changes", async () => {
    for (const statistics of STATISTICS) {
      const keys = batch(2, 8);
      const scans = await scansOf(
        pool,
        statistics,
        APPLY,
        paramsOf(merging, keys, " again", '{"a": 1}'),
        "newer AS MATERIALIZED",
      );
      expect(scans.every((scan) => /^Index/.test(String(scan["Node Type"])))).toBe(true);
      const loops = (part: string) =>
        scans.filter((scan) => scan.above.includes(`CTE ${part}`)).map((scan) => scan["Actual Loops"]);
      expect({ kept: loops("kept"), locks: loops("old") }).toEqual({ kept: [BATCH], locks: [0] });
    }
  });
});
