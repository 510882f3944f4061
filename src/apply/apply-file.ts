/** Apply: writes what the plan of a file needs. Every statement decides again by itself, so a plan may be out of date. */
import { attempt, oneRow } from "../domain/attempt.ts";
import { failure } from "../domain/failures.ts";
import { inLanes } from "../domain/lanes.ts";
import type { FileToApply, Plan } from "../domain/plan.ts";
import { type Batch, neededBatches, wholeBatch } from "./batches.ts";
import type { ApplyDeps, HeldLease } from "./deps.ts";

/** Throws `lease-lost`, `chunk-missing`, `storage-unavailable` and the database's failures. */
export async function applyFile(deps: ApplyDeps, file: FileToApply, plan: Plan, lease: HeldLease): Promise<void> {
  switch (plan.mode) {
    case "late":
      return;
    case "whole":
      return inLanes(
        file.chunks,
        async (entry) => {
          const batch = wholeBatch(await deps.chunks.whole(file, entry), entry, plan.lastLines);
          if (batch.rows > 0) await applyBatch(deps, file, batch, lease);
        },
        deps.lanes,
      );
    case "diff":
      return inLanes(
        neededBatches(file.chunks, plan, (entry) => deps.chunks.whole(file, entry), deps.maxRows),
        (batch) => applyBatch(deps, file, batch, lease),
        deps.lanes,
      );
  }
}

async function applyBatch(deps: ApplyDeps, file: FileToApply, batch: Batch, lease: HeldLease): Promise<void> {
  await deps.pace?.(batch.rows);
  await lease.beat();
  const { outcome } = await attempt(deps, async () =>
    oneRow(
      await deps.database.query<{ outcome: "applied" | "replayed" | "lease-lost" }>(
        "SELECT outcome FROM apply_chunk($1, $2, $3, $4, $5, $6)",
        [file.id, lease.token, batch.keys, `{${batch.lines}}`, batch.hashes, batch.records],
      ),
    ),
  );
  if (outcome === "lease-lost") throw failure("lease-lost", { file: file.id });
}
