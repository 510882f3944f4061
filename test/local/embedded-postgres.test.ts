import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../cli/local/embedded-postgres.ts";
import { postgresBinaries } from "../../cli/local/postgres-binaries.ts";
import { isAlive, startOwner } from "./owner.ts";

const ask = async (url: string, text: string) => {
  const client = new pg.Client(url);
  await client.connect();
  const { rows } = await client.query(text);
  await client.end();
  return rows;
};

describe("an embedded server", () => {
  beforeEach(() => {
    vi.stubEnv("TEST_DATABASE_URL", "");
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  it("has what tests and the bench need, and leaves nothing behind", async () => {
    const server = await startEmbeddedPostgres({ settings: { work_mem: "5MB" } });
    const [row] = await ask(
      server.url,
      `SELECT current_setting('server_version_num')::int / 10000 AS major, current_setting('max_connections') AS connections,
         current_setting('work_mem') AS memory, current_setting('fsync') AS fsync, current_setting('full_page_writes') AS pages,
         current_setting('unix_socket_directories') AS sockets, current_setting('data_directory') AS data,
         (SELECT datlocale FROM pg_database WHERE datname = current_database()) AS locale`,
    );
    const { data, ...rest } = row;
    expect(rest).toEqual({
      major: 18,
      connections: "100",
      memory: "5MB",
      fsync: "off",
      pages: "on",
      sockets: "",
      locale: "C.UTF-8",
    });
    await ask(server.url, "CREATE EXTENSION pg_stat_statements");
    expect(await ask(server.url, "SELECT count(*) > 0 AS counts FROM pg_stat_statements")).toEqual([{ counts: true }]);
    await server.stop();
    expect(isAlive(server.pid ?? -1)).toBe(false);
    expect(existsSync(data)).toBe(false);
  });

  it("lets nobody in without its password", async () => {
    const server = await startEmbeddedPostgres();
    const url = new URL(server.url);
    url.password = "guess";
    await expect(ask(url.href, "SELECT 1")).rejects.toThrow("password authentication failed");
    await server.stop();
  });

  it.each(["SIGINT", "SIGKILL"] as const)("ends with the process that started it: %s", async (signal) => {
    const owner = await startOwner<EmbeddedPostgres>("postgres", "");
    const [row] = await ask(owner.said.url, "SELECT current_setting('data_directory') AS data");
    await owner.kill(signal);
    await expect.poll(() => isAlive(owner.said.pid ?? -1), { timeout: 20_000 }).toBe(false);
    await expect.poll(() => existsSync(row.data), { timeout: 20_000 }).toBe(false);
  });

  it("ends when its supervisor is killed, as long as the one who started it lives", {
    skip: !existsSync("/proc/self/stat"),
  }, async () => {
    const told = vi.spyOn(console, "error").mockReturnValue();
    const server = await startEmbeddedPostgres();
    const [row] = await ask(server.url, "SELECT current_setting('data_directory') AS data");
    const stat = await readFile(`/proc/${server.pid}/stat`, "utf8");
    process.kill(Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]), "SIGKILL");
    await expect.poll(() => isAlive(server.pid ?? -1), { timeout: 20_000 }).toBe(false);
    expect(told).toHaveBeenCalledWith(expect.stringContaining("signal SIGKILL"));
    await server.stop();
    await rm(join(row.data, ".."), { recursive: true });
    told.mockRestore();
  });

  it("says why it does not start", async () => {
    await expect(startEmbeddedPostgres({ settings: { work_mem: "lots" } })).rejects.toThrow(
      /Postgres did not start: .*invalid value for parameter "work_mem": "lots"/s,
    );
  });

  it("stands aside for the server that TEST_DATABASE_URL names", async () => {
    vi.stubEnv("TEST_DATABASE_URL", "postgres://elsewhere/db");
    const server = await startEmbeddedPostgres();
    expect(server.url).toBe("postgres://elsewhere/db");
    await server.stop();
  });
});

describe("the binaries", () => {
  let packageFolder: string;
  beforeEach(async () => {
    packageFolder = await mkdtemp(join(tmpdir(), "mailfeed-test-"));
    const native = join(packageFolder, "native");
    await mkdir(join(native, "lib"), { recursive: true });
    await mkdir(join(native, "bin"));
    await writeFile(join(packageFolder, "package.json"), `{"version": "0.0.0-${packageFolder.split("-").at(-1)}"}`);
    await writeFile(join(native, "lib/libpq.so.5.18"), "library");
    await writeFile(
      join(native, "pg-symlinks.json"),
      JSON.stringify([{ source: "native/lib/libpq.so.5.18", target: "native/lib/libpq.so.5" }]),
    );
    for (const name of ["initdb", "postgres"]) await writeFile(join(native, "bin", name), "#!", { mode: 0o644 });
  });
  afterEach(() => rm(packageFolder, { recursive: true }));

  it("are completed where the install script did not run", { skip: process.platform === "win32" }, async () => {
    await chmod(packageFolder, 0o755);
    const native = join(packageFolder, "native");
    const { postgres, initdb } = await postgresBinaries(native);
    expect([postgres, initdb]).toEqual([join(native, "bin/postgres"), join(native, "bin/initdb")]);
    expect(await readlink(join(native, "lib/libpq.so.5"))).toBe("libpq.so.5.18");
    expect(await readFile(join(native, "lib/libpq.so.5"), "utf8")).toBe("library");
    await postgresBinaries(native); // a second time changes nothing
  });

  it("are copied, once, where nobody could not reach them", { skip: process.getuid?.() !== 0 }, async () => {
    await chmod(packageFolder, 0o700);
    const native = join(packageFolder, "native");
    const { postgres } = await postgresBinaries(native);
    expect(postgres.startsWith(packageFolder)).toBe(false);
    const home = join(postgres, "../../..");
    expect(await readdir(join(home, "native/lib"))).toEqual(["libpq.so.5", "libpq.so.5.18"]);
    expect(await readlink(join(home, "native/lib/libpq.so.5"))).toBe("libpq.so.5.18");
    expect((await postgresBinaries(native)).postgres).toBe(postgres);
    await rm(home, { recursive: true });
  });
});
