/**
 * The local database of `npm start`: Postgres behind an endpoint that speaks Neon's HTTP protocol, so that the Worker
 * uses the same driver, statements and errors as in production.
 */
import { join, resolve } from "node:path";
import { startChild } from "./child-process.ts";
import { startNeonEndpoint } from "./neon-endpoint.ts";
import { pgBackend } from "./pg-backend.ts";
import type { PgliteProcessConfig, PgliteProcessReady } from "./pglite-process.ts";

/** Git-ignored; holds the data of PGlite between starts. */
export const DEFAULT_DATA_DIR = join(".mailfeed", "pglite");

export interface DatabaseOptions {
  /** A real Postgres to stand before, `postgres://user:password@host/database`. Absent: PGlite. */
  readonly url?: string | undefined;
  /** Where PGlite keeps its data. Default {@link DEFAULT_DATA_DIR} in the current folder. */
  readonly dataDir?: string | undefined;
  /** The endpoint's port; 0 or absent: any free one. */
  readonly port?: number | undefined;
  /** How long to wait for another process to leave the data folder. */
  readonly lockWaitMs?: number | undefined;
  /** Hears when the database has ended without being asked to. */
  readonly onLost?: ((how: string) => void) | undefined;
}

export interface LocalDatabase {
  /** For `neonConfig.fetchEndpoint`. */
  readonly endpointUrl: string;
  /** For `neon()`. Its host and port are the endpoint's own (see `localFetchEndpoint`), so it is all the Worker needs. */
  readonly connectionString: string;
  readonly kind: "pglite" | "postgres";
  /** Everything is on disk when it resolves. */
  stop(): Promise<void>;
}

/** Starts the database. Every error is a sentence that says what to do. */
export async function startDatabase(options: DatabaseOptions = {}): Promise<LocalDatabase> {
  return options.url === undefined ? startPglite(options) : standBefore(options.url, options.port);
}

async function startPglite({ dataDir, port, lockWaitMs, onLost }: DatabaseOptions): Promise<LocalDatabase> {
  const folder = resolve(dataDir ?? DEFAULT_DATA_DIR);
  const config: PgliteProcessConfig = { folder, port: port ?? 0, lockWaitMs };
  const child = await startChild<PgliteProcessReady>(new URL("./pglite-process.ts", import.meta.url), config, onLost);
  return {
    endpointUrl: child.ready.endpointUrl,
    connectionString: endpointConnectionString(child.ready.port, "postgres"),
    kind: "pglite",
    stop: child.stop,
  };
}

async function standBefore(url: string, port: number | undefined): Promise<LocalDatabase> {
  const database = decodeURIComponent((URL.parse(url)?.pathname ?? "").slice(1));
  if (database === "") throw new Error("The database URL must look like postgres://user:password@host:5432/database.");
  const backend = pgBackend(url);
  try {
    await backend.run([{ text: "SELECT 1", params: [] }], {
      database,
      transaction: undefined,
      signal: new AbortController().signal,
    });
    const endpoint = await startNeonEndpoint({ backend, port });
    return {
      endpointUrl: endpoint.url,
      connectionString: endpointConnectionString(endpoint.port, database),
      kind: "postgres",
      stop: endpoint.close,
    };
  } catch (error) {
    await backend.close();
    throw error instanceof Error && error.name === "PortTaken" ? error : unreachable(url, error);
  }
}

function unreachable(url: string, error: unknown): Error {
  const reason = error instanceof Error ? error.message || String(Reflect.get(error, "code")) : String(error);
  return new Error(`The database at ${new URL(url).host} cannot be used: ${reason}`, { cause: error });
}

/** The endpoint has its own credentials for the database behind it; user and password only satisfy the driver. */
export function endpointConnectionString(endpointPort: number, database: string): string {
  return `postgresql://local:local@127.0.0.1:${endpointPort}/${encodeURIComponent(database)}`;
}
