import { getTableColumns, is } from "drizzle-orm";
import { getTableConfig, PgTable } from "drizzle-orm/pg-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as schema from "../../src/platform/schema.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";

const tables = Object.values(schema).filter((value) => is(value, PgTable));

let database: FreshDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(async () => {
  await database.drop();
});

const columnsInDatabase = async (table: string) =>
  (await database.sql.query(
    `SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS required,
            a.attidentity <> '' OR a.atthasdef AS filled
     FROM pg_attribute a WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attname`,
    [table],
  )) as { name: string; type: string; required: boolean; filled: boolean }[];

describe("the Drizzle schema", () => {
  it("knows every table of the migrations and no other", async () => {
    const rows = await database.sql.query(
      `SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1`,
    );
    const inDatabase = rows.map((row) => String(row.name)).filter((name) => !/migration/.test(name));
    expect(tables.map((table) => getTableConfig(table).name).sort()).toEqual(inDatabase);
  });

  it.each(tables.map((table) => [getTableConfig(table).name, table] as const))(
    "agrees with the table %s in every column's name, type, nullability and default",
    async (name, table) => {
      const inDrizzle = Object.values(getTableColumns(table))
        .map((column) => ({
          name: column.name,
          type: column.getSQLType(),
          required: column.notNull,
          filled: column.hasDefault,
        }))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
      const inDatabase = await columnsInDatabase(name);
      expect(inDrizzle).toEqual(inDatabase.sort((a, b) => (a.name < b.name ? -1 : 1)));
    },
  );
});
