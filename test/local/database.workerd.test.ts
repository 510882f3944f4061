/** The tests' database from inside Cloudflare's runtime: the same helper, over HTTP alone. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";

let database: FreshDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.drop());

it("answers the driver in workerd, with every migration applied", async () => {
  const [row] =
    await database.sql`SELECT to_regclass('schema_migrations') IS NOT NULL AS migrated, 9007199254740993 AS big`;
  expect(row).toEqual({ migrated: true, big: "9007199254740993" });
});

it("keeps nothing of a batch that fails", async () => {
  const { sql } = database;
  await expect(sql.transaction([sql`CREATE TABLE a (n int)`, sql`SELECT 1/0`])).rejects.toMatchObject({
    code: "22012",
  });
  expect(await sql`SELECT to_regclass('a') AS a`).toEqual([{ a: null }]);
});
