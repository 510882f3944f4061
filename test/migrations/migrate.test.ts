import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MigrationError, migrate, parseMigration, readMigrations } from "../../cli/migrate.ts";
import { emptyDatabase, type FreshDatabase } from "../support/database.ts";

let folder: string;
let database: FreshDatabase;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "mailfeed-test-"));
  database = await emptyDatabase();
});
afterEach(async () => {
  await database.drop();
  await rm(folder, { recursive: true });
});

/** Writes files into the folder; several statements are joined as in a real file. */
const write = async (files: Record<string, string | string[]>): Promise<void> => {
  for (const [name, text] of Object.entries(files)) {
    const content = typeof text === "string" ? text : text.join("\n--> statement-breakpoint\n");
    await writeFile(join(folder, name), content);
  }
};

const run = () => migrate(database.sql, { folder });

const journal = async () =>
  (await database.sql`SELECT name FROM schema_migrations ORDER BY name`).map((row) => row.name);

const failureOf = async (work: Promise<unknown>): Promise<MigrationError> => {
  const thrown = await work.then(
    () => expect.fail("it should have failed"),
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(MigrationError);
  return thrown as MigrationError;
};

const TWO_FILES = {
  "0001_first.sql": ["-- Why: a test.\nCREATE TABLE a (n int)", "INSERT INTO a VALUES (1)"],
  "0002_second.sql": ["CREATE TABLE b (n int);", "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1; $$;"],
};

describe("migrate", () => {
  it("applies the files in order, once", async () => {
    await write({ ...TWO_FILES, "README.md": "not a migration" });
    const heard: string[] = [];
    const { applied } = await migrate(database.sql, { folder, onApplied: (name) => heard.push(name) });
    expect(applied).toEqual(["0001_first.sql", "0002_second.sql"]);
    expect(heard).toEqual(applied);
    expect(await run()).toEqual({ applied: [] });
    expect(await database.sql`SELECT n, f() AS f FROM a`).toEqual([{ n: 1, f: 1 }]);
    const rows = await database.sql`SELECT name, sha256, applied_at FROM schema_migrations ORDER BY name`;
    expect(rows).toEqual(
      (await readMigrations(folder)).map(({ name, sha256 }) => ({ name, sha256, applied_at: expect.any(Date) })),
    );
  });

  it("applies only what is new", async () => {
    await write(TWO_FILES);
    await run();
    await write({ "0003_third.sql": "ALTER TABLE a ADD m int" });
    expect(await run()).toEqual({ applied: ["0003_third.sql"] });
  });

  it("leaves nothing of a file that fails, keeps the files before it and goes on when it is mended", async () => {
    await write({
      ...TWO_FILES,
      "0003_third.sql": ["CREATE TABLE c (n int)", "INSERT INTO c VALUES (1)", "SELECT 1/0"],
    });
    const error = await failureOf(run());
    expect(error.message).toBe("0003_third.sql failed (SQLSTATE 22012): division by zero. Nothing of it was applied.");
    expect(error.code).toBe("22012");
    expect(await journal()).toEqual(["0001_first.sql", "0002_second.sql"]);
    expect(await database.sql`SELECT to_regclass('c') AS c`).toEqual([{ c: null }]);

    await write({ "0003_third.sql": "CREATE TABLE c (n int)" });
    expect(await run()).toEqual({ applied: ["0003_third.sql"] });
  });

  it("leaves nothing of a file whose connection is lost", async () => {
    await write({ "0001_first.sql": ["CREATE TABLE a (n int)", "SELECT pg_terminate_backend(pg_backend_pid())"] });
    await expect(run()).rejects.toThrow("HTTP status 503");
    expect(await journal()).toEqual([]);
    expect(await database.sql`SELECT to_regclass('a') AS a`).toEqual([{ a: null }]);
  });

  it("says which commands belong apart when a breakpoint is forgotten", async () => {
    await write({ "0001_first.sql": "CREATE TABLE a (n int); CREATE TABLE b (n int);" });
    expect((await failureOf(run())).message).toMatch(
      /0001_first\.sql failed \(SQLSTATE 42601\): cannot insert multiple/,
    );
  });

  it("is not confused by a file that writes a duplicate of its own", async () => {
    await write({ "0001_first.sql": ["CREATE TABLE a (n int PRIMARY KEY)", "INSERT INTO a VALUES (1), (1)"] });
    expect((await failureOf(run())).code).toBe("23505");
    expect(await journal()).toEqual([]);
  });
});

describe("several runners at once", () => {
  it.each([2, 3, 4])("apply every file exactly once: %i", async (runners) => {
    const files = Array.from({ length: 6 }, (_, i) => [
      `000${i + 1}_step.sql`,
      // Nothing here may run twice, and each needs the one before.
      i === 0
        ? ["CREATE TABLE log (step int)", "INSERT INTO log VALUES (1)"]
        : [`CREATE TABLE t${i} (n int)`, `INSERT INTO log SELECT max(step) + 1 FROM log`],
    ]);
    await write(Object.fromEntries(files));
    const results = await Promise.all(Array.from({ length: runners }, run));
    expect(results.flatMap((result) => result.applied).sort()).toEqual(files.map(([name]) => name));
    expect(await database.sql`SELECT step FROM log ORDER BY step`).toEqual(
      [1, 2, 3, 4, 5, 6].map((step) => ({ step })),
    );
  });

  it("wait for each other's statement outside a transaction", async () => {
    await write({
      "0001_table.sql": ["CREATE TABLE a (n int)", "INSERT INTO a SELECT generate_series(1, 1000)"],
      "0002_index.sql": "-- mailfeed: no-transaction\nCREATE INDEX CONCURRENTLY a_n ON a (n)",
      "0003_after.sql": "ALTER TABLE a ADD m int",
    });
    const results = await Promise.all([run(), run(), run()]);
    expect(results.flatMap((result) => result.applied).sort()).toEqual([
      "0001_table.sql",
      "0002_index.sql",
      "0003_after.sql",
    ]);
    expect(await database.sql`SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_n'::regclass`).toEqual([
      { indisvalid: true },
    ]);
  });

  it("notice when another one applied a file of the same name with another text", async () => {
    await write({ "0001_first.sql": "CREATE TABLE a (n int)" });
    await run();
    await database.sql`DELETE FROM schema_migrations`;
    await database.sql`DROP TABLE a`;
    // The other runner's commit falls between this one's look at the journal and its batch.
    let meddled = false;
    const sql = new Proxy(database.sql, {
      get(target, name, receiver) {
        if (name !== "transaction") return Reflect.get(target, name, receiver);
        return async (...args: Parameters<typeof target.transaction>) => {
          const begins = args[1]?.isolationLevel === "ReadCommitted";
          if (begins && !meddled) {
            meddled = true;
            await target`INSERT INTO schema_migrations VALUES ('0001_first.sql', 'another text', now())`;
          }
          return target.transaction(...args);
        };
      },
    });
    const error = await failureOf(migrate(sql, { folder }));
    expect(error.message).toContain("0001_first.sql was changed after it was applied");
    expect(await database.sql`SELECT to_regclass('a') AS a`).toEqual([{ a: null }]);
  });
});

describe("a statement outside a transaction", () => {
  const INDEX = "-- mailfeed: no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY a_n ON a (n)";

  it("is recorded when it is done", async () => {
    await write({ "0001_table.sql": "CREATE TABLE a (n int)", "0002_index.sql": INDEX });
    await run();
    expect(await run()).toEqual({ applied: [] });
    expect(await database.sql`SELECT applied_at IS NOT NULL AS done FROM schema_migrations`).toEqual([
      { done: true },
      { done: true },
    ]);
  });

  it("is not recorded when it fails, and the error says what may be left", async () => {
    await write({
      "0001_table.sql": ["CREATE TABLE a (n int)", "INSERT INTO a VALUES (1), (1)"],
      "0002_index.sql": INDEX,
    });
    const error = await failureOf(run());
    expect(error.message).toMatch(/0002_index\.sql failed \(SQLSTATE 23505\).*look for an invalid index and drop it/);
    expect(await journal()).toEqual(["0001_table.sql"]);
    await database.sql`DROP INDEX a_n`;
    await database.sql`DELETE FROM a`;
    expect(await run()).toEqual({ applied: ["0002_index.sql"] });
  });

  it("stops the next run when it was begun and never finished", async () => {
    await write({ "0001_table.sql": "CREATE TABLE a (n int)" });
    await run();
    await write({ "0002_index.sql": INDEX });
    const [, index] = await readMigrations(folder);
    await database.sql`INSERT INTO schema_migrations (name, sha256) VALUES (${index?.name}, ${index?.sha256})`;
    const error = await failureOf(migrate(database.sql, { folder, claimWaitMs: 0 }));
    expect(error.message).toContain("0002_index.sql was begun by another run and not finished");
  });

  it("keeps its claim when the connection is lost, since it may still be running", async () => {
    await write({ "0001_kill.sql": "-- mailfeed: no-transaction\nSELECT pg_terminate_backend(pg_backend_pid())" });
    await expect(run()).rejects.toThrow("HTTP status 503");
    expect(await database.sql`SELECT applied_at FROM schema_migrations`).toEqual([{ applied_at: null }]);
  });

  it("stands alone in its file", async () => {
    await write({ "0001_two.sql": ["-- mailfeed: no-transaction\nVACUUM", "ANALYZE"] });
    expect((await failureOf(run())).message).toContain("0001_two.sql is marked no-transaction and holds 2 statements");
  });
});

describe("a folder that is not in order", () => {
  it.each<[string, Record<string, string>, RegExp]>([
    ["a gap", { "0001_a.sql": "SELECT 1", "0003_c.sql": "SELECT 1" }, /^0003_c\.sql: number 0002 is missing/],
    ["a first number that is not 1", { "0000_a.sql": "SELECT 1" }, /^0000_a\.sql: number 0001 is missing/],
    [
      "a number twice",
      { "0001_a.sql": "SELECT 1", "0001_b.sql": "SELECT 1" },
      /^0001_b\.sql and 0001_a\.sql have the same/,
    ],
    ["a name of another form", { "1_a.sql": "SELECT 1" }, /^1_a\.sql: a migration is named NNNN_/],
    ["a name that could break out of SQL", { "0001_a'b.sql": "SELECT 1" }, /a migration is named NNNN_/],
    ["a file of comments", { "0001_a.sql": "-- nothing\n/* here\n */" }, /^0001_a\.sql holds no statement/],
  ])("is refused before anything is applied: %s", async (_, files, message) => {
    await write(files);
    expect((await failureOf(run())).message).toMatch(message);
    expect(await database.sql`SELECT to_regclass('schema_migrations') AS journal`).toEqual([{ journal: null }]);
  });

  it("is refused when an applied file has changed", async () => {
    await write(TWO_FILES);
    await run();
    await write({ "0001_first.sql": "CREATE TABLE a (n bigint)", "0003_third.sql": "CREATE TABLE c (n int)" });
    expect((await failureOf(run())).message).toMatch(/^0001_first\.sql was changed after it was applied/);
    expect(await journal()).toHaveLength(2);
  });

  it("is refused when an applied file is gone", async () => {
    await write(TWO_FILES);
    await run();
    await rm(join(folder, "0002_second.sql"));
    expect((await failureOf(run())).message).toMatch(
      /^0002_second\.sql is applied to the database but is not in the folder/,
    );
  });

  it("is refused when a file stands before one that is applied", async () => {
    await write(TWO_FILES);
    await run();
    await database.sql`DELETE FROM schema_migrations WHERE name = '0001_first.sql'`;
    expect((await failureOf(run())).message).toMatch(/^0001_first\.sql comes before 0002_second\.sql/);
  });
});

describe("a file's text", () => {
  it("is split at the breakpoints alone", () => {
    const text =
      "SELECT ';';\n--> statement-breakpoint\n\n--> statement-breakpoint\n-- only words\n--> statement-breakpoint\nSELECT 2";
    expect(parseMigration("0001_a.sql", text).statements).toEqual(["SELECT ';';", "SELECT 2"]);
  });

  it("has the same hash with the line ends of Windows, and another one for any other change", () => {
    const hash = (text: string) => parseMigration("0001_a.sql", text).sha256;
    expect(hash("SELECT 1,\r\n2")).toBe(hash("SELECT 1,\n2"));
    expect(hash("SELECT 1,\n 2")).not.toBe(hash("SELECT 1,\n2"));
  });
});
