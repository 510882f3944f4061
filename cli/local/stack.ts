/**
 * The whole system on this machine: Postgres behind the Neon endpoint, migrations, the Worker under wrangler dev. What
 * runs is the real Worker with the real driver; only the mail server in front is missing, and wrangler's local door
 * stands in for it.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { hashToken, newToken } from "../../src/api/tokens.ts";
import { neonSql } from "../../src/platform/postgres.ts";
import { bringUp } from "../bring-up.ts";
import { UsageError } from "../command.ts";
import { startChild } from "./child-process.ts";
import { type LocalDatabase, startDatabase } from "./database.ts";
import { DEV_ADDRESS_SECRET, DEV_MAIL_DOMAIN, PROJECT_ROOT } from "./settings.ts";
import type { WorkerProcessConfig, WorkerProcessReady } from "./worker-process.ts";

/** The first answer comes within a second or two of the start; a machine under load takes longer. */
const READY_TIMEOUT_MS = 60_000;
const POLL_MS = 200;

export interface StackOptions {
  /** 0: any free port. */
  readonly port: number;
  /** Everything the stack keeps: database, R2, logs, its token. */
  readonly folder: string;
  /** A real Postgres instead of PGlite. */
  readonly databaseUrl?: string | undefined;
  /** A database that runs already. Its owner stops it; the stack does not. */
  readonly database?: LocalDatabase | undefined;
  /** Another wrangler configuration than the project's. */
  readonly configFile?: string | undefined;
  readonly progress?: (text: string) => void;
}

export interface Stack {
  readonly url: string;
  readonly database: LocalDatabase;
  /** A bearer token of an operator. */
  readonly token: string;
  readonly logFile: string;
  stop(): Promise<void>;
}

interface RunningWorker {
  readonly url: string;
  readonly logFile: string;
  stop(): Promise<void>;
}

export async function startStack(options: StackOptions): Promise<Stack> {
  const { folder, progress = () => undefined } = options;
  mkdirSync(folder, { recursive: true });
  const port = options.port === 0 ? await freePort() : options.port;
  await refuseTakenPort(port);

  progress("Starting the database …");
  const database =
    options.database ?? (await startDatabase({ url: options.databaseUrl, dataDir: join(folder, "pglite") }));
  const stopDatabase = async () => {
    if (options.database === undefined) await database.stop();
  };
  try {
    progress("Applying migrations …");
    const token = await prepareDatabase(database, folder);
    progress("Starting the Worker …");
    const worker = await startWorker(port, folder, database, options.configFile ?? join(PROJECT_ROOT, "wrangler.toml"));
    writeFileSync(join(folder, "stack.json"), JSON.stringify({ url: worker.url, token }), { mode: 0o600 });
    return {
      url: worker.url,
      database,
      token,
      logFile: worker.logFile,
      async stop() {
        await worker.stop();
        await stopDatabase();
      },
    };
  } catch (error) {
    await stopDatabase();
    throw error;
  }
}

/** The running stack that `mailfeed dev` noted down, or undefined. */
export function runningStack(folder: string): { url: string; token: string } | undefined {
  const note = join(folder, "stack.json");
  return existsSync(note) ? (JSON.parse(readFileSync(note, "utf8")) as { url: string; token: string }) : undefined;
}

/** Brings schema and feeds up to date and answers the operator's token of this folder. */
async function prepareDatabase(database: LocalDatabase, folder: string): Promise<string> {
  const sql = neonSql(database.connectionString, { fetchEndpoint: database.endpointUrl });
  await bringUp(sql);
  const kept = join(folder, "operator-token");
  const token = existsSync(kept) ? readFileSync(kept, "utf8").trim() : newToken().token;
  writeFileSync(kept, `${token}\n`, { mode: 0o600 });
  await sql.query(
    "INSERT INTO api_tokens (name, sha256, role) VALUES ('local operator', $1, 'operator') ON CONFLICT DO NOTHING",
    [hashToken(token)],
  );
  return token;
}

/** The Worker in its own process, answering before this returns. */
async function startWorker(
  port: number,
  folder: string,
  database: LocalDatabase,
  configFile: string,
): Promise<RunningWorker> {
  const logFile = join(folder, "worker.log");
  const config: WorkerProcessConfig = {
    configFile,
    port,
    stateFolder: join(folder, "state"),
    logFile,
    bindings: {
      DATABASE_URL: database.connectionString,
      DATABASE_ENDPOINT: database.endpointUrl,
      ADDRESS_SECRET: DEV_ADDRESS_SECRET,
      MAIL_DOMAIN: DEV_MAIL_DOMAIN,
      PUBLIC_URL: `http://127.0.0.1:${port}`,
    },
  };
  const child = await startChild<WorkerProcessReady>(new URL("./worker-process.ts", import.meta.url), config);
  const { url } = child.ready;
  try {
    await untilHealthy(url, logFile);
  } catch (error) {
    await child.stop();
    throw error;
  }
  return { url, logFile, stop: child.stop };
}

async function untilHealthy(url: string, logFile: string): Promise<void> {
  const deadline = Date.now() + READY_TIMEOUT_MS;
  for (;;) {
    const healthy = await fetch(`${url}/v1/health`).then(
      (response) => response.ok,
      () => false,
    );
    if (healthy) return;
    if (Date.now() > deadline) {
      const seconds = READY_TIMEOUT_MS / 1_000;
      throw new UsageError(
        `the Worker is not ready after ${seconds} s; its last words:\n${lastLines(logFile)}`,
        "worker-failed",
      );
    }
    await wait(POLL_MS);
  }
}

const lastLines = (file: string): string => readFileSync(file, "utf8").trimEnd().split("\n").slice(-12).join("\n");

async function refuseTakenPort(port: number): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(
        error.code === "EADDRINUSE"
          ? new UsageError(
              `port ${port} is taken by another program; stop it, or choose another with --port`,
              "port-taken",
            )
          : error,
      ),
    );
    server.listen(port, "127.0.0.1", () => server.close(() => resolve()));
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}
