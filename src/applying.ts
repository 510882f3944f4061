/** The apply stage in the composition root: admission, plan, gate, comparison and what is told afterwards. */
import { admitted } from "./admission/admitted.ts";
import { watched } from "./admission/watched.ts";
import { neededBatches } from "./apply/batches.ts";
import { applyHandler } from "./apply/handler.ts";
import type { Adapter } from "./domain/adapter.ts";
import { failure } from "./domain/failures.ts";
import { chunkKey } from "./domain/keys.ts";
import type { ApplyFile } from "./domain/messages.ts";
import type { FileToApply } from "./domain/plan.ts";
import { dryRunHandler } from "./dry-run/handler.ts";
import { dryRunDeps } from "./dry-running.ts";
import { gateFile } from "./gate/handler.ts";
import { gateDeps } from "./gating.ts";
import { type AlertDeps, clearAlert, raiseAlert } from "./observe/alerts.ts";
import type { PlanDeps } from "./plan/deps.ts";
import { planFile } from "./plan/plan-file.ts";
import type { Database } from "./platform/postgres.ts";
import { getBytes } from "./platform/r2.ts";
import { compareSnapshot } from "./reconcile/compare-file.ts";
import type { DriftDeps } from "./reconcile/deps.ts";
import { driftDeps } from "./reconciling.ts";
import { RESTORE_CHECK, restoreStands } from "./restore/check.ts";
import { restoreTables } from "./restore/tables.ts";
import { adapterOf, enqueueApply, type System } from "./surroundings.ts";
import { tellPeople } from "./telling.ts";

export const driftDepsOf = (feeds: readonly Adapter[], config: System, database: Pick<Database, "query">): DriftDeps =>
  driftDeps({ ...config, feeds, database, enqueueApply: enqueueApply(config) });

async function chunkBytes(config: System, file: FileToApply, n: number, length?: number): Promise<Uint8Array> {
  const key = chunkKey(file.id, file.adapterVersion, n);
  const bytes = await getBytes(config.store, key, length);
  if (!bytes) throw failure("chunk-missing", { key });
  return bytes;
}

export async function apply(
  message: ApplyFile,
  feeds: readonly Adapter[],
  config: System,
  postgresDatabase: Database,
): Promise<void> {
  const { sleep, random, log, maxRows } = config;
  const now = () => config.now().getTime();
  const { database, slowestMs } = watched(postgresDatabase, now);
  const rows = maxRows === undefined ? {} : { maxRows };
  const whole = (file: FileToApply, entry: { n: number }) => chunkBytes(config, file, entry.n);
  const chunks = {
    head: (file: FileToApply, entry: { n: number; headBytes: number }) =>
      chunkBytes(config, file, entry.n, entry.headBytes),
  };
  const planning: PlanDeps = {
    ...{ database, chunks, sleep, random, ...rows },
    needed: (file, plan) => neededBatches(file.chunks, plan, (entry) => whole(file, entry), maxRows),
  };
  const gating = {
    ...config,
    database,
    whole,
    adapterOf: (customer: string, feed: string) => adapterOf(feeds, customer, feed),
  };
  const gate = gateDeps(gating);
  let told = false;
  await admitted(
    { door: config.admission(message.customer), slowestMs, nowMs: now, sleep, log },
    { id: message.fileId, rows: message.rows ?? 0 },
    (underWay) =>
      applyHandler(message, {
        database,
        chunks: { whole },
        plan: (file, lease) => planFile(planning, file, { record: true, ...lease }),
        async gate(plan, file, lease) {
          if (file.cause === "restore" && !(await restoreStands(restoreTables(database), file.id, lease.token))) {
            return { held: [RESTORE_CHECK] };
          }
          const verdict = await gateFile(gate, file, plan, lease, now());
          if ("held" in verdict) told = true;
          return verdict;
        },
        async compare() {
          const asking = dryRunDeps({ ...gating, postgres: postgresDatabase, head: chunks.head });
          const outcome = await dryRunHandler({ ...asking, log }, message);
          if (outcome === "not-asked") {
            await compareSnapshot(driftDepsOf(feeds, config, database), message.fileId, message.replay !== undefined);
          }
          told = outcome !== "compared";
        },
        kept: (_, records) => tellKept(message, records, { database, log }),
        token: config.uuid,
        ...underWay,
        now,
        sleep,
        random,
        log,
        ...rows,
      }),
  );
  if (told) await tellPeople(config, postgresDatabase, feeds, [message.customer]);
}

/** Records of a full feed that stay though its file lacks them: an alarm until a file of the feed leaves none. */
async function tellKept({ customer, feed, fileId }: ApplyFile, records: number, deps: AlertDeps): Promise<void> {
  const subject = `${customer}/${feed}`;
  if (records === 0) return clearAlert(deps, "records-kept", subject);
  const detail = `File ${fileId} lacks ${records} of the known records, and some of its rows could not be read. As these may be the same, the records stay as they are. The next file whose rows can all be read takes them off.`;
  await raiseAlert(deps, { kind: "records-kept", subject, severity: "warning", detail });
}
