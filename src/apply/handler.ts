/**
 * The apply stage: lease, plan, gate, apply, close. It may die between any two statements and be run again any number of
 * times: what is done is known to the ledger, and the books are summed from it, never from memory.
 */
import { attempt, oneRow } from "../domain/attempt.ts";
import { type FailureReport, failure, report } from "../domain/failures.ts";
import type { ApplyFile } from "../domain/messages.ts";
import { type FileToApply, type Plan, planNumbers } from "../domain/plan.ts";
import { applyFile } from "./apply-file.ts";
import type { ApplyDeps, HeldLease } from "./deps.ts";
import { acquireLease, giveBack, heldLease } from "./lease.ts";

/** `already`: there was nothing to do, since the file has reached an end state or is being parsed again. */
export interface Outcome {
  readonly done: "applied" | "held" | "already";
}

/**
 * Throws `feed-busy` and `database-unavailable` (the message waits), `lease-lost`, `database-conflict` and
 * `storage-unavailable` (it is tried again), `file-missing`, `chunk-missing` and `database-refused` (it is parked).
 */
export async function applyHandler(message: ApplyFile, deps: ApplyDeps): Promise<Outcome> {
  const token = deps.token();
  const file = await acquireLease(deps, message.fileId, token);
  if (file === undefined) return { done: "already" };
  try {
    const lease = heldLease(deps, file.id, token);
    const plan = await deps.plan(file, lease);
    deps.log.info("file-planned", { correlationId: message.correlationId, fileId: file.id, ...planNumbers(plan) });
    // The one place between plan and apply where a file can be held before anything of it is written.
    const verdict = deps.gate(plan, file);
    if (verdict !== "go") return await holdFile(deps, message, file, verdict.hold, plan, lease);
    await applyFile(deps, file, plan, lease);
    return await closeFile(deps, message, file, plan, lease);
  } catch (thrown) {
    await giveBack(deps, file.id, token);
    throw thrown;
  }
}

interface CloseRow {
  readonly outcome: "applied" | "held" | "unbalanced" | "lease-lost";
  readonly accepted: number;
  readonly inserted: number;
  readonly changed: number;
  readonly unchanged: number;
  readonly stale: number;
  readonly superseded: number;
}

async function closeFile(
  deps: ApplyDeps,
  message: ApplyFile,
  file: FileToApply,
  plan: Plan,
  lease: HeldLease,
): Promise<Outcome> {
  const numbers = JSON.stringify(planNumbers(plan));
  const { outcome, ...books } = await attempt(deps, async () =>
    oneRow(
      await deps.database.query<CloseRow>("SELECT * FROM close_file($1, $2, $3, $4, NULL)", [
        file.id,
        lease.token,
        plan.superseded,
        numbers,
      ]),
    ),
  );
  if (outcome === "lease-lost") throw failure("lease-lost", { file: file.id });
  if (outcome !== "unbalanced") {
    deps.log.info("file-applied", { correlationId: message.correlationId, fileId: file.id, ...books });
    return { done: outcome };
  }

  const counted = books.inserted + books.changed + books.unchanged + books.stale + books.superseded;
  const held = report("books-unbalanced", { side: "accepted rows", expected: books.accepted, counted });
  return holdFile(deps, message, file, held, plan, lease);
}

async function holdFile(
  deps: ApplyDeps,
  message: ApplyFile,
  file: FileToApply,
  why: FailureReport,
  plan: Plan,
  lease: HeldLease,
): Promise<Outcome> {
  const done = await attempt(deps, async () =>
    oneRow(
      await deps.database.query<{ held: boolean }>("SELECT hold_file($1, $2, $3, $4) AS held", [
        file.id,
        lease.token,
        JSON.stringify(why),
        JSON.stringify(planNumbers(plan)),
      ]),
    ),
  );
  if (!done.held) throw failure("lease-lost", { file: file.id });
  deps.log.error("file-held", { correlationId: message.correlationId, fileId: file.id, code: why.code });
  return { done: "held" };
}
