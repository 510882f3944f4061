/** The database of `npm start`: what it keeps, whom it refuses, and that it ends with whom it belongs to. */
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { neon, neonConfig } from "@neondatabase/serverless";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type DatabaseOptions, type LocalDatabase, startDatabase } from "../../cli/local/database.ts";
import { localFetchEndpoint } from "../../cli/local/neon-protocol.ts";
import { emptyDatabase } from "../support/database.ts";
import { isAlive, startOwner } from "./owner.ts";

/** A folder with an empty database in it: copying one is much faster than making one. */
let made: string;
let dataDir: string;
const open: LocalDatabase[] = [];
const start = async (options: DatabaseOptions = {}) => {
  neonConfig.fetchEndpoint = localFetchEndpoint;
  const database = await startDatabase({ dataDir, ...options });
  open.push(database);
  return { ...database, sql: neon(database.connectionString) };
};

beforeAll(async () => {
  made = await mkdtemp(join(tmpdir(), "mailfeed-test-"));
  await (await startDatabase({ dataDir: made })).stop();
});
afterAll(() => rm(made, { recursive: true }));
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "mailfeed-test-"));
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((database) => database.stop()));
  await rm(dataDir, { recursive: true });
});

describe("PGlite", () => {
  beforeEach(() => cp(made, dataDir, { recursive: true }));

  it("finds its data again after a stop", async () => {
    const first = await start();
    expect(first.kind).toBe("pglite");
    await first.sql`CREATE TABLE kept AS SELECT 42 AS n`;
    await first.stop();
    expect(existsSync(join(dataDir, "lock"))).toBe(false);
    const second = await start();
    expect(await second.sql`SELECT n FROM kept`).toEqual([{ n: 42 }]);
  });

  it("is the Postgres version its folder is checked for", async () => {
    const { sql, stop } = await start();
    const [row] = await sql`SELECT current_setting('server_version_num')::int / 10000 AS major`;
    await stop();
    expect(`${row?.major}`).toBe((await readFile(join(dataDir, "data/PG_VERSION"), "utf8")).trim());
    await start(); // would refuse the folder if the constant were wrong
  });

  it.each(["SIGINT", "SIGTERM", "SIGKILL"] as const)("ends with its owner and keeps its data: %s", async (signal) => {
    const owner = await startOwner<string>("pglite", dataDir);
    neonConfig.fetchEndpoint = localFetchEndpoint;
    await neon(owner.said)`CREATE TABLE kept AS SELECT 42 AS n`;
    const { pid } = JSON.parse(await readFile(join(dataDir, "lock"), "utf8")) as { pid: number };
    expect(isAlive(pid)).toBe(true);
    await owner.kill(signal);
    await expect.poll(() => isAlive(pid), { timeout: 20_000 }).toBe(false);
    const again = await start();
    expect(await again.sql`SELECT n FROM kept`).toEqual([{ n: 42 }]);
  });

  it("recovers when it is itself killed, and tells its owner", async () => {
    const lost = Promise.withResolvers<string>();
    const first = await start({ onLost: lost.resolve });
    await first.sql`CREATE TABLE kept AS SELECT 42 AS n`;
    const { pid } = JSON.parse(await readFile(join(dataDir, "lock"), "utf8")) as { pid: number };
    process.kill(pid, "SIGKILL");
    expect(await lost.promise).toBe("signal SIGKILL");
    await first.stop();
    const again = await start();
    expect(await again.sql`SELECT n FROM kept`).toEqual([{ n: 42 }]);
  });

  it("waits for an owner that is just stopping", async () => {
    const first = await start();
    await first.sql`CREATE TABLE kept AS SELECT 42 AS n`;
    const [second] = await Promise.all([start(), first.stop()]);
    expect(await second.sql`SELECT n FROM kept`).toEqual([{ n: 42 }]);
  });

  it("refuses a folder another one uses, naming the process", async () => {
    await start();
    const { pid } = JSON.parse(await readFile(join(dataDir, "lock"), "utf8")) as { pid: number };
    await expect(start({ lockWaitMs: 0 })).rejects.toThrow(
      `The folder ${dataDir} is in use by another process (pid ${pid}). Stop it, or give this one a folder of its own.`,
    );
  });

  it("refuses data of another version and leaves them alone", async () => {
    await writeFile(join(dataDir, "data/PG_VERSION"), "15\n");
    await expect(start()).rejects.toThrow(/was made by Postgres 15, and this version of the program needs 18/);
    expect(await readFile(join(dataDir, "data/PG_VERSION"), "utf8")).toBe("15\n");
    expect(existsSync(join(dataDir, "lock"))).toBe(false);
  });

  it("starts over where making the database was cut short", async () => {
    await rm(join(dataDir, "data"), { recursive: true });
    await mkdir(join(dataDir, "data.new"));
    await writeFile(join(dataDir, "data.new/PG_VERSION"), "18\n");
    const { sql } = await start();
    expect(await sql`SELECT 1 AS one`).toEqual([{ one: 1 }]);
  });

  it("says which port is taken, and frees its folder", async () => {
    const other = await start();
    const port = Number(new URL(other.endpointUrl).port);
    const elsewhere = join(dataDir, "elsewhere");
    await cp(made, elsewhere, { recursive: true });
    await expect(start({ dataDir: elsewhere, port })).rejects.toThrow(`Port ${port} on 127.0.0.1 is taken`);
    expect(existsSync(join(elsewhere, "lock"))).toBe(false);
  });
});

describe("a Postgres by URL", () => {
  it("is used as it is", async () => {
    const { directUrl, name, drop } = await emptyDatabase();
    const { sql, kind, stop } = await start({ url: directUrl });
    expect(kind).toBe("postgres");
    expect(await sql`SELECT current_database() AS name`).toEqual([{ name }]);
    await stop();
    open.pop();
    await drop();
  });

  it.each([
    [
      "nothing listens there",
      "postgres://u:p@127.0.0.1:1/db",
      /^The database at 127\.0\.0\.1:1 cannot be used: .*ECONNREFUSED/,
    ],
    ["it names no database", "postgres://u:p@127.0.0.1:1", /^The database URL must look like postgres:\/\//],
    ["it is no URL", "somewhere", /^The database URL must look like postgres:\/\//],
  ])("is refused with a sentence when %s", async (_, url, message) => {
    await expect(start({ url })).rejects.toThrow(message);
  });

  it("is refused without showing its password when that is wrong", async () => {
    const { directUrl, drop } = await emptyDatabase();
    const url = new URL(directUrl);
    url.password = "wrong-secret";
    const error = await start({ url: url.href }).catch((thrown: Error) => thrown);
    expect(error).toHaveProperty("message", expect.stringMatching(/password authentication failed/));
    expect(error).toHaveProperty("message", expect.not.stringContaining("wrong-secret"));
    await drop();
  });
});
