/**
 * The door of reconcile: a snapshot comes to be compared, a full file is compared with its own records, and what was found is
 * followed up. Each may die anywhere and come again.
 */
import { type Failure, failure, report } from "../domain/failures.ts";
import { comparedFile, endComparison, holdSnapshot, lastFullFile, nextRun } from "./compared.ts";
import type { DriftDeps } from "./deps.ts";
import { follow } from "./follow.ts";
import { type Outcome, reconcileFile } from "./handler.ts";
import { pairOf } from "./pairing.ts";

/**
 * A parsed file of a snapshot feed → `compared`, or `held` where it cannot be compared. Throws what `reconcileFile` throws.
 * @param replayed it comes from the archive: what it says of then is no news of today, and the records may not all be back yet
 */
export async function compareSnapshot(deps: DriftDeps, fileId: string, replayed = false): Promise<void> {
  const file = await comparedFile(deps, fileId);
  if (file === undefined) throw failure("file-missing", { file: fileId });
  if (file.state !== "parsed") return;
  if (replayed || file.cause !== "delivery") return endComparison(deps, fileId, { skipped: "replay" });
  const pair = await pairOf(deps, file, 1);
  if ("faults" in pair) {
    await holdSnapshot(deps, fileId, report("snapshot-incomparable", { faults: [...pair.faults] }));
    deps.log.error("file-held", { correlationId: file.deliveryId, fileId, code: "snapshot-incomparable" });
    return;
  }
  const outcome = await reconcileFile(deps, pair.file, pair.how);
  await follow(deps, outcome.report);
  await endComparison(deps, fileId, {
    report: outcome.report,
    ...(outcome.numbers === undefined ? {} : { numbers: outcome.numbers }),
  });
}

export type Checked =
  | { readonly kind: "compared"; readonly outcome: Outcome }
  /** There is nothing to compare with; in words. */
  | { readonly kind: "impossible"; readonly why: string };

/**
 * Holds the records of a full feed against the last file that was applied to it: what was done to them since behind the back
 * of its files shows. A run that is not at its end is gone on with. Throws what `reconcileFile` throws.
 */
export async function checkFeed(deps: DriftDeps, customer: string, feed: string): Promise<Checked> {
  const last = await lastFullFile(deps, customer, feed);
  if (last === undefined) return impossible("no full file of the feed has been applied yet");
  if (!last.kept) return impossible("the rows of its last full file are not kept any more");
  return checkRun(deps, last.id, await nextRun(deps, last.id));
}

/** One run of the comparison of a full file with its own records. */
export async function checkRun(deps: DriftDeps, fileId: string, run: number): Promise<Checked> {
  const file = await comparedFile(deps, fileId);
  if (file === undefined) return impossible("the file is not there any more");
  const pair = await pairOf(deps, file, run);
  if ("faults" in pair) return impossible(pair.faults.join("; "));
  const outcome = await reconcileFile(deps, pair.file, pair.how);
  return { kind: "compared", outcome: { ...outcome, state: (await follow(deps, outcome.report)) ?? outcome.state } };
}

const impossible = (why: string): Checked => ({ kind: "impossible", why });

/** The chunks of the file are gone: no later run will find them. */
export const isGone = ({ code }: Failure): boolean => code === "chunk-missing";
