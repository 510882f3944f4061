/** The process that owns a real Postgres server: it starts it, waits until it accepts connections, and never outlives its parent. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Running, runAsChild } from "./child-process.ts";
import {
  type PostgresBinaries,
  postgresBinaries,
  postgresUser,
  type RunAs,
  traversableByOthers,
} from "./postgres-binaries.ts";

export interface PostgresProcessConfig {
  /** Kept and used again if given; else a temporary folder, removed at the end. */
  readonly dataDir: string | undefined;
  readonly port: number | undefined;
  readonly settings: Readonly<Record<string, string>>;
  /** Folder of an installed server's programs; the npm package's where undefined. */
  readonly programs?: string | undefined;
}

export interface PostgresProcessReady {
  readonly url: string;
  readonly pid: number;
}

/** A free port is found by asking and letting go: another program may be faster, so it is asked again. */
const PORT_ATTEMPTS = 5;
/** Below the patience of the parent, which would kill this process and leave the server an orphan. */
const FAST_SHUTDOWN_MS = 10_000;
const USER = "postgres";
/** How much of the server's log is kept for an error message. */
const LOG_TAIL_CHARS = 4_000;

async function start(config: PostgresProcessConfig): Promise<Running<PostgresProcessReady>> {
  const { programs } = config;
  const binaries =
    programs === undefined
      ? await postgresBinaries()
      : { initdb: join(programs, "initdb"), postgres: join(programs, "postgres") };
  const runAs = postgresUser();
  const folder = await dataFolder(config.dataDir, runAs);
  const remove = async () => {
    if (config.dataDir === undefined) await rm(folder, { recursive: true, force: true });
  };
  try {
    // The server listens on a port of a machine that others may share: only who can read its folder knows the password.
    const password = await initialise(binaries, folder, runAs, programs === undefined ? EMBEDDED_ONLY : ANY_VERSION);
    const server = await startOnFreePort(binaries, folder, runAs, config);
    const url = `postgres://${USER}:${password}@127.0.0.1:${server.port}/postgres`;
    return {
      ready: { url, pid: server.process.pid ?? -1 },
      ended: server.exited,
      async stop() {
        // What is thrown away need not be written down (immediate shutdown); what is kept is (fast shutdown), but not for
        // ever: a server that does not get there recovers from its log at the next start.
        server.process.kill(config.dataDir === undefined ? "SIGQUIT" : "SIGINT");
        const impatient = setTimeout(() => server.process.kill("SIGQUIT"), FAST_SHUTDOWN_MS);
        await server.exited;
        clearTimeout(impatient);
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function dataFolder(given: string | undefined, runAs: RunAs): Promise<string> {
  if (given !== undefined) await mkdir(given, { recursive: true });
  const folder = given ?? (await mkdtemp(join(tmpdir(), "mailfeed-postgres-data-")));
  if (runAs.uid !== undefined) {
    if (!traversableByOthers(join(folder, ".."))) {
      throw new Error(`Root runs Postgres as nobody, who cannot enter ${folder}: set TMPDIR to a folder open to all.`);
    }
    await chown(folder, runAs.uid, runAs.gid ?? runAs.uid);
  }
  await chmod(folder, 0o700);
  return folder;
}

const EMBEDDED_ONLY = [
  // The same collation on every operating system; Neon's default is C.UTF-8, too.
  "--locale-provider=builtin",
  "--builtin-locale=C.UTF-8",
  "--locale=C",
  // The costly hash protects passwords people chose; this one is random, and tests connect often.
  "--set=scram_iterations=1",
];
/** Servers before 17 know neither. */
const ANY_VERSION = ["--locale=C.UTF-8"];

/** Makes the cluster if there is none and answers the superuser's password. */
async function initialise(
  { initdb }: PostgresBinaries,
  folder: string,
  runAs: RunAs,
  options: readonly string[],
): Promise<string> {
  const cluster = join(folder, "cluster");
  const passwordFile = join(folder, "password");
  if (existsSync(join(cluster, "PG_VERSION"))) return readFile(passwordFile, "utf8");
  const password = randomBytes(18).toString("base64url");
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (runAs.uid !== undefined) await chown(passwordFile, runAs.uid, runAs.gid ?? runAs.uid);
  const args = [
    `--pgdata=${cluster}`,
    `--username=${USER}`,
    `--pwfile=${passwordFile}`,
    "--auth=password",
    "--encoding=UTF8",
    "--no-sync",
    "--no-instructions",
    ...options,
  ];
  await run(initdb, args, runAs, folder);
  return password;
}

interface Server {
  readonly process: ChildProcess;
  readonly port: number;
  readonly exited: Promise<string>;
}

async function startOnFreePort(
  binaries: PostgresBinaries,
  folder: string,
  runAs: RunAs,
  config: PostgresProcessConfig,
): Promise<Server> {
  for (let attempt = 1; ; attempt++) {
    const port = config.port ?? (await freePort());
    const started = await startServer(binaries, folder, runAs, port, config.settings);
    if (typeof started !== "string") return started;
    if (config.port !== undefined || attempt === PORT_ATTEMPTS || !started.includes("could not bind")) {
      throw new Error(`Postgres did not start: ${started}`);
    }
  }
}

/** The running server, or the end of its log if it did not start. */
async function startServer(
  { postgres }: PostgresBinaries,
  folder: string,
  runAs: RunAs,
  port: number,
  settings: Readonly<Record<string, string>>,
): Promise<Server | string> {
  const all = { listen_addresses: "127.0.0.1", port: String(port), unix_socket_directories: "", ...settings };
  const args = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const server = spawn(postgres, ["-D", join(folder, "cluster"), ...args], {
    ...runAs,
    cwd: folder,
    env: { ...process.env, LC_ALL: "C" },
    stdio: ["ignore", "ignore", "pipe"],
    // Out of the terminal's reach: Ctrl-C must not stop it before those who use it.
    detached: true,
  });
  let log = "";
  const exited = new Promise<string>((resolve) => {
    server.once("error", (error) => resolve(error.message));
    server.once("exit", (code, signal) => resolve(`Postgres ended (${signal ?? `exit code ${code}`}): ${log}`));
  });
  const ready = new Promise<Server>((resolve) => {
    server.stderr?.on("data", (piece: Buffer) => {
      log = (log + piece.toString("utf8")).slice(-LOG_TAIL_CHARS);
      if (log.includes("database system is ready to accept connections")) resolve({ process: server, port, exited });
    });
  });
  return Promise.race([ready, exited]);
}

/** Runs a program to its end; an Error with its output if it fails. */
async function run(program: string, args: string[], runAs: RunAs, cwd: string): Promise<void> {
  const stdio = ["ignore", "pipe", "pipe"] as const;
  const child = spawn(program, args, { ...runAs, cwd, env: { ...process.env, LC_ALL: "C" }, stdio: [...stdio] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (piece: Buffer) => (output += piece.toString()));
  const failed = await new Promise<string | undefined>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code) => resolve(code === 0 ? undefined : `exit code ${code}`));
  });
  if (failed !== undefined) throw new Error(`${program} failed (${failed}): ${output.slice(-LOG_TAIL_CHARS)}`);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

if (process.argv[1] === import.meta.filename) await runAsChild(start);
