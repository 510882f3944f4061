/** The reconcile stage's part of the composition root: snapshots, checks of full feeds, and what the API asks about drift. */
import type { DriftDoor } from "./api/routes/drift-decisions.ts";
import type { Adapter } from "./domain/adapter.ts";
import type { Waiting } from "./domain/attempt.ts";
import { asFailure, failure } from "./domain/failures.ts";
import { chunkKey } from "./domain/keys.ts";
import type { ApplyFile } from "./domain/messages.ts";
import { composeMessage } from "./notify/compose.ts";
import { clearAlert, raiseAlert } from "./observe/alerts.ts";
import type { Log } from "./observe/log.ts";
import type { Database } from "./platform/postgres.ts";
import { getBytes, putBytes } from "./platform/r2.ts";
import { checkFeed } from "./reconcile/compare-file.ts";
import type { ChunkedFile, DriftDeps } from "./reconcile/deps.ts";
import { endAlert, follow } from "./reconcile/follow.ts";
import { decideDrift, storedReport } from "./reconcile/reports.ts";

export interface Reconciling extends Waiting {
  readonly feeds: readonly Adapter[];
  readonly database: Pick<Database, "query">;
  readonly store: R2Bucket;
  enqueueApply(message: ApplyFile): Promise<void>;
  now(): Date;
  readonly log: Log;
}

export function driftDeps({ feeds, database, store, enqueueApply, now, sleep, random, log }: Reconciling): DriftDeps {
  const bytes = async (file: ChunkedFile, n: number, length?: number): Promise<Uint8Array> => {
    const key = chunkKey(file.id, file.adapterVersion, n);
    const found = await getBytes(store, key, length);
    if (!found) throw failure("chunk-missing", { key });
    return found;
  };
  return {
    feeds,
    database,
    chunks: {
      head: (file, entry) => bytes(file, entry.n, entry.headBytes),
      whole: (file, entry) => bytes(file, entry.n),
    },
    async putChunk(fileId, version, entry, chunk) {
      await putBytes(store, chunkKey(fileId, version, entry.n), chunk);
    },
    enqueueApply,
    compose: composeMessage,
    alarm: {
      raise: (alert) => raiseAlert({ database, log }, alert),
      clear: (kind, subject) => clearAlert({ database, log }, kind, subject),
    },
    now: () => now().getTime(),
    sleep,
    random,
    log,
  };
}

/** What an operator decides is done at once; where that fails the cron goes on with it, and the decision stands. */
export const driftDoor = (deps: DriftDeps): DriftDoor => ({
  async decide(report, to, by, note) {
    const state = await decideDrift(deps, report, to, by, note);
    if (state === "rejected") {
      const decided = await storedReport(deps, report);
      if (decided !== undefined) await endAlert(deps, decided);
    }
    if (state !== "released") return state;
    try {
      return await follow(deps, report);
    } catch (thrown) {
      deps.log.error("drift-not-carried-on", { report, message: asFailure(thrown).message });
      return state;
    }
  },
  check: (customer, feed) => checkFeed(deps, customer, feed),
});
