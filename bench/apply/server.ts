/** Which Postgres the bench measures. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { startEmbeddedPostgres } from "../../cli/local/embedded-postgres.ts";

export interface BenchServer {
  readonly url: string;
  /** Where it comes from, for people. */
  readonly origin: string;
  stop(): Promise<void>;
}

/** Where Debian and its relatives put each version that is installed. */
const INSTALLED = "/usr/lib/postgresql";

/** Five million records and their index stay in memory, and no checkpoint falls into a measurement: it would hit anyone. */
const SETTINGS = { shared_buffers: "1GB", max_wal_size: "4GB" };

/**
 * The server in DATABASE_URL (or TEST_DATABASE_URL); else the newest that Debian's packages installed, since the targets were measured on one; else
 * the one of the npm package. The latter two are started here, in a folder of their own, and end with the bench.
 */
export async function benchServer(): Promise<BenchServer> {
  const given = process.env.DATABASE_URL || process.env.TEST_DATABASE_URL;
  if (given) return { url: given, origin: "as given", stop: async () => undefined };
  const programs = installedPrograms();
  const { url, stop } = await startEmbeddedPostgres({ programs, settings: SETTINGS });
  return { url, origin: programs ?? "npm package", stop };
}

function installedPrograms(): string | undefined {
  if (!existsSync(INSTALLED)) return undefined;
  const versions = readdirSync(INSTALLED).sort((a, b) => Number(b) - Number(a));
  return versions.map((version) => join(INSTALLED, version, "bin")).find((bin) => existsSync(join(bin, "initdb")));
}
