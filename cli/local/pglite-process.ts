/**
 * The process PGlite lives in: it blocks its event loop for 50-150 ms a query, which nothing else may suffer from.
 *
 * The folder given holds `lock` and `data`. A new database is made as `data.new` and renamed when it is complete, so
 * that a start cut short leaves nothing half made.
 */
import { existsSync } from "node:fs";
import { readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { type Running, runAsChild } from "./child-process.ts";
import { lockFolder } from "./folder-lock.ts";
import { startNeonEndpoint } from "./neon-endpoint.ts";
import { pgliteBackend } from "./pglite-backend.ts";

export interface PgliteProcessConfig {
  readonly folder: string;
  readonly port: number;
  /** How long to wait for another process to leave the folder. */
  readonly lockWaitMs?: number | undefined;
}

export interface PgliteProcessReady {
  readonly endpointUrl: string;
  readonly port: number;
}

/** The Postgres major version of the PGlite this project pins; another one cannot read its files. */
export const PGLITE_POSTGRES_MAJOR = "18";

async function start({ folder, port, lockWaitMs }: PgliteProcessConfig): Promise<Running<PgliteProcessReady>> {
  const lock = await lockFolder(folder, lockWaitMs);
  try {
    const endpoint = await startNeonEndpoint({ backend: await pgliteBackend(await readyData(folder)), port });
    return {
      ready: { endpointUrl: endpoint.url, port: endpoint.port },
      async stop() {
        await endpoint.close();
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** The data folder, made first if there is none. */
async function readyData(folder: string): Promise<string> {
  const data = join(folder, "data");
  if (existsSync(data)) {
    await refuseOtherVersion(data);
    return data;
  }
  const unfinished = join(folder, "data.new");
  await rm(unfinished, { recursive: true, force: true });
  const db = await PGlite.create(unfinished);
  await db.close();
  await rename(unfinished, data);
  return data;
}

async function refuseOtherVersion(data: string): Promise<void> {
  const versionFile = join(data, "PG_VERSION");
  const version = existsSync(versionFile) ? (await readFile(versionFile, "utf8")).trim() : "no known version";
  if (version !== PGLITE_POSTGRES_MAJOR) {
    throw new Error(
      `The local database in ${data} was made by Postgres ${version}, and this version of the program needs ` +
        `${PGLITE_POSTGRES_MAJOR}. Remove the folder to start with an empty database, or name another one.`,
    );
  }
}

if (process.argv[1] === import.meta.filename) await runAsChild(start);
