/** A real Postgres server for tests and the bench: what PGlite, with its one connection, cannot show. */
import { type Child, startChild } from "./child-process.ts";
import type { PostgresProcessConfig, PostgresProcessReady } from "./postgres-process.ts";

export interface EmbeddedPostgresOptions {
  /** A folder to keep the cluster in, used again by the next start. Absent: temporary, removed by `stop`. */
  readonly dataDir?: string | undefined;
  /** Absent: any free port. */
  readonly port?: number | undefined;
  /** Server settings on top of {@link TEST_SETTINGS}. */
  readonly settings?: Readonly<Record<string, string>> | undefined;
  /** Folder of an installed server's programs (`/usr/lib/postgresql/15/bin`). Absent: those of the npm package. */
  readonly programs?: string | undefined;
}

export interface EmbeddedPostgres {
  /** Superuser, database `postgres`. */
  readonly url: string;
  /** The server's process, or undefined for a server of somebody else's. */
  readonly pid: number | undefined;
  stop(): Promise<void>;
}

/**
 * Durability is off: the data lives as long as the test. Everything that shapes plans, WAL volume or locking keeps
 * Postgres' defaults, so that what is measured holds elsewhere.
 */
export const TEST_SETTINGS: Readonly<Record<string, string>> = {
  fsync: "off",
  max_connections: "100",
  shared_preload_libraries: "pg_stat_statements",
};

/**
 * Starts a server on 127.0.0.1, or answers the one that TEST_DATABASE_URL names. It ends with `stop`, and with the
 * process that started it, however that ends.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions = {}): Promise<EmbeddedPostgres> {
  const given = process.env.TEST_DATABASE_URL;
  if (given !== undefined && given !== "") return { url: given, pid: undefined, stop: async () => undefined };
  const config: PostgresProcessConfig = {
    dataDir: options.dataDir,
    port: options.port,
    settings: { ...TEST_SETTINGS, ...options.settings },
    programs: options.programs,
  };
  // The server's own supervisor stops it; should that be killed, it is ended from here.
  const orphaned = (how: string) => {
    console.error(`The process that owns the Postgres server ended (${how}); the server is ended, too.`);
    if (child !== undefined) endServer(child.ready.pid);
  };
  let child: Child<PostgresProcessReady> | undefined;
  child = await startChild<PostgresProcessReady>(new URL("./postgres-process.ts", import.meta.url), config, orphaned);
  return { ...child.ready, stop: child.stop };
}

/** Immediate shutdown. A server that has already gone is what was wanted. */
function endServer(pid: number): void {
  try {
    process.kill(pid, "SIGQUIT");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
