import { createHash } from "node:crypto";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Hash64 } from "../../src/reconcile/hash64.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";

let own: FreshDatabase;
beforeAll(async () => {
  own = await freshDatabase();
});
afterAll(() => own.drop());

const inPostgres = async (texts: readonly string[]): Promise<string[]> => {
  const rows = await own.sql.query(
    `SELECT encode(int8send(hashtextextended(e #>> '{}' COLLATE "C", 0)), 'hex') AS bare,
       encode(int8send(hashtextextended(e #>> '{}' COLLATE "C", -5)), 'hex') AS seeded,
       encode(int8send(uuid_hash_extended(md5(e #>> '{}')::uuid, 81985529216486895)), 'hex') AS uuid
     FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS t(e, n) ORDER BY n`,
    [JSON.stringify(texts)],
  );
  return rows.map(({ bare, seeded, uuid }) => `${bare} ${seeded} ${uuid}`);
};

const hash = new Hash64();
const here = (text: string): string => {
  hash.text(text);
  const bare = hash.hex();
  hash.text(text, -1, -5);
  const seeded = hash.hex();
  hash.uuid(createHash("md5").update(text).digest("hex"), 0x01234567, 0x89abcdef | 0);
  return `${bare} ${seeded} ${hash.hex()}`;
};

describe("the 64-bit hash", () => {
  it("is that of Postgres for every length around its words, long ones before short ones", async () => {
    const texts = Array.from({ length: 60 }, (_, length) => "z".repeat(length));
    texts.unshift("x".repeat(5_000), "é".repeat(4_000), "");
    expect(texts.map(here)).toEqual(await inPostgres(texts));
  });

  it("is that of Postgres for any text", async () => {
    const text = fc.string({ unit: "binary", maxLength: 60 }).map((any) => any.toWellFormed().replaceAll("\0", "␀"));
    await fc.assert(
      fc.asyncProperty(fc.array(text, { maxLength: 100 }), async (texts) => {
        expect(texts.map(here)).toEqual(await inPostgres(texts));
      }),
      { numRuns: 50, endOnFailure: true },
    );
  });
});
