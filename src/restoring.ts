/** Restore's part of the composition root: the archive, the chunks, the queue and the rows. No decision is made here. */
import { chunkKey } from "./domain/keys.ts";
import type { ApplyFile } from "./domain/messages.ts";
import type { Log } from "./observe/log.ts";
import { type Database, patient } from "./platform/postgres.ts";
import { archiveRaw, putBytes } from "./platform/r2.ts";
import type { RestoreDeps } from "./restore/deps.ts";
import { restoreTables } from "./restore/tables.ts";

interface Surroundings {
  readonly store: R2Bucket;
  readonly database: Database;
  enqueueApply(message: ApplyFile): Promise<void>;
  now(): Date;
  sleep(ms: number): Promise<void>;
  random(): number;
  readonly log: Log;
}

export const restoreDeps = ({ store, database, ...config }: Surroundings): RestoreDeps => ({
  tables: restoreTables(patient(database, config)),
  archive: (key, bytes, facts) => archiveRaw(store, key, bytes, facts),
  putChunk: (fileId, adapterVersion, { n }, bytes) => putBytes(store, chunkKey(fileId, adapterVersion, n), bytes),
  enqueueApply: config.enqueueApply,
  now: config.now,
  log: config.log,
});
