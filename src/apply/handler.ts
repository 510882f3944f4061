/**
 * The apply stage: lease, plan, gate, apply, retire, close. It may die between any two statements and be run again any number of
 * times: what is done is known to the ledger, and the books are summed from it, never from memory.
 */
import { attempt, oneRow } from "../domain/attempt.ts";
import { type FailureReport, failure, report } from "../domain/failures.ts";
import type { ApplyFile } from "../domain/messages.ts";
import { type FileToApply, isOurs, type Plan, planNumbers } from "../domain/plan.ts";
import type { Allowance } from "../domain/retirement.ts";
import { applyFile } from "./apply-file.ts";
import type { ApplyDeps, HeldLease } from "./deps.ts";
import { tooOld } from "./gate.ts";
import { acquireLease, giveBack, heldLease, type Taken } from "./lease.ts";
import { allowMissing, retireListed, retireMissing } from "./retire.ts";

/** `already`: there was nothing to do, since the file has reached an end state or is being parsed again. */
export interface Outcome {
  readonly done: "applied" | "held" | "compared" | "already";
}

/**
 * Throws `feed-busy` and `database-unavailable` (the message waits), `lease-lost`, `database-conflict` and
 * `storage-unavailable` (it is tried again), `file-missing`, `chunk-missing` and `database-refused` (it is parked).
 */
export async function applyHandler(message: ApplyFile, deps: ApplyDeps): Promise<Outcome> {
  const token = deps.token();
  const acquired = await acquireLease(deps, message.fileId, token);
  if (acquired.is === "not-needed") return { done: "already" };
  if (acquired.is === "compare") {
    await deps.compare(message);
    return { done: "compared" };
  }
  try {
    return await underLease(message, deps, acquired, heldLease(deps, message.fileId, token));
  } catch (thrown) {
    await giveBack(deps, message.fileId, token);
    throw thrown;
  }
}

async function underLease(
  message: ApplyFile,
  deps: ApplyDeps,
  { file, passed, behind }: Taken,
  lease: HeldLease,
): Promise<Outcome> {
  const facts = { correlationId: message.correlationId, fileId: file.id };
  if (behind !== undefined) return await holdBehind(deps, facts, behind, lease);
  const plan = await deps.plan(file, passed?.same === undefined ? lease : { ...lease, same: passed.same });
  deps.log.info("file-planned", { ...facts, ...planNumbers(plan) });

  // The one place between plan and apply where a file can be held before anything of it is written.
  const old = tooOld(plan, file);
  if (old !== undefined) return await holdFile(deps, facts, old, lease, planNumbers(plan));
  const verdict = passed === undefined ? await deps.gate(plan, file, lease) : { go: passed };
  if ("held" in verdict) {
    deps.log.error("file-held", { ...facts, checks: verdict.held.join(" ") });
    return { done: "held" };
  }

  await applyFile(deps, file, plan, lease);
  const numbers = planNumbers(plan, file.feedMode === "full" || isOurs(file) ? verdict.go : {});
  const more = await retire(message, deps, file, plan, verdict.go, lease, passed === undefined);
  if (more !== undefined) return await holdFile(deps, facts, more, lease, numbers);
  return await closeFile(deps, facts, file, plan, numbers, lease);
}

/** Retires what the file says is gone. Answers why it cannot be closed, if so. */
async function retire(
  message: ApplyFile,
  deps: ApplyDeps,
  file: FileToApply,
  plan: Plan,
  allowance: Allowance,
  lease: HeldLease,
  isFresh: boolean,
): Promise<FailureReport | undefined> {
  if (isOurs(file)) {
    await retireListed(deps, file, lease);
    return undefined;
  }
  if (file.feedMode !== "full" || plan.mode === "late") return undefined;
  const { kept = 0 } = allowance;
  const done = await retireMissing(deps, file, plan, allowance, lease, isFresh);
  if (file.cause === "delivery") await deps.kept(message, kept);
  if (!("kept" in done) || done.kept !== "not-planned") return undefined;
  // Whoever releases it has read this number, and lets so many go.
  const missing = await allowMissing(deps, file, lease);
  return report("retires-more-than-planned", { planned: allowance.allowed, missing });
}

/** For the log. */
type FileNamed = { readonly correlationId: string; readonly fileId: string };

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
  facts: FileNamed,
  file: FileToApply,
  plan: Plan,
  numbers: ReturnType<typeof planNumbers>,
  lease: HeldLease,
): Promise<Outcome> {
  const overtaken = report("hold-superseded", { newer: file.id });
  const { outcome, ...books } = await attempt(deps, async () =>
    oneRow(
      await deps.database.query<CloseRow>("SELECT * FROM close_file($1, $2, $3, $4, $5)", [
        file.id,
        lease.token,
        plan.superseded,
        JSON.stringify(numbers),
        JSON.stringify(overtaken),
      ]),
    ),
  );
  if (outcome === "lease-lost") throw failure("lease-lost", { file: file.id });
  if (outcome !== "unbalanced") {
    deps.log.info("file-applied", { ...facts, ...books });
    return { done: outcome };
  }

  const counted = books.inserted + books.changed + books.unchanged + books.stale + books.superseded;
  const held = report("books-unbalanced", { side: "accepted rows", expected: books.accepted, counted });
  return holdFile(deps, facts, held, lease, numbers);
}

/** Where the older one is decided about meanwhile, the file is tried again. */
async function holdBehind(deps: ApplyDeps, facts: FileNamed, behind: string, lease: HeldLease): Promise<Outcome> {
  const why = report("behind-held-file", { file: behind });
  const done = await attempt(deps, async () =>
    oneRow(
      await deps.database.query<{ held: boolean }>("SELECT hold_behind($1, $2, $3, $4) AS held", [
        facts.fileId,
        lease.token,
        behind,
        JSON.stringify(why),
      ]),
    ),
  );
  if (!done.held) throw failure("lease-lost", { file: facts.fileId });
  deps.log.error("file-held", { ...facts, code: why.code });
  return { done: "held" };
}

async function holdFile(
  deps: ApplyDeps,
  facts: FileNamed,
  why: FailureReport,
  lease: HeldLease,
  numbers: ReturnType<typeof planNumbers> | null = null,
): Promise<Outcome> {
  const done = await attempt(deps, async () =>
    oneRow(
      await deps.database.query<{ held: boolean }>("SELECT hold_file($1, $2, $3, $4) AS held", [
        facts.fileId,
        lease.token,
        JSON.stringify(why),
        JSON.stringify(numbers),
      ]),
    ),
  );
  if (!done.held) throw failure("lease-lost", { file: facts.fileId });
  deps.log.error("file-held", { ...facts, code: why.code });
  return { done: "held" };
}
