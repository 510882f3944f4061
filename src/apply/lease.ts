/**
 * The lease: one file of a feed writes at a time. It expires, so a dead worker stops nobody for long; its token fences, so
 * a worker that only seemed dead writes nothing after it was taken over. Every statement here may be sent again.
 */
import { attempt, oneRow } from "../domain/attempt.ts";
import { failure } from "../domain/failures.ts";
import { type FileRow, type FileToApply, fileToApply } from "../domain/plan.ts";
import type { Allowance } from "../domain/retirement.ts";
import type { ApplyDeps, HeldLease } from "./deps.ts";

/** Longer than a statement with all its tries; a feed whose worker died waits this long. */
export const LEASE_SECONDS = 60;
/** Renewed after a third, so that two renewals may fail. */
export const RENEW_AFTER_MS = (LEASE_SECONDS * 1_000) / 3;
/**
 * A file lets an earlier one of its feed go first if that one was parsed within this time. Order does not depend on it;
 * it saves versions that a later file would make invisible. Bounded, so that a lost message cannot stop a feed.
 */
export const EARLIER_FIRST_SECONDS = 30;

interface LeaseRow extends FileRow {
  readonly outcome: "acquired" | "busy" | "compare" | "not-needed" | "unknown";
  readonly active_file: string | null;
  readonly file_state: string;
  readonly gate: Allowance | null;
  readonly behind: string | null;
}

/**
 * The feed is ours. `passed`: an earlier attempt was let go by the gate, and some of it may be applied. `behind`: an older file
 * that is held, and for which this one is to wait.
 */
export interface Taken {
  readonly is: "acquired";
  readonly file: FileToApply;
  readonly passed: Allowance | undefined;
  readonly behind: string | undefined;
}

/** `compare`: it is not to be applied, and needs no lease. */
export type Acquired = Taken | { readonly is: "compare" } | { readonly is: "not-needed" };

/** Throws `feed-busy`, `file-missing`. */
export async function acquireLease(deps: ApplyDeps, fileId: string, token: string): Promise<Acquired> {
  const row = await attempt(deps, async () =>
    oneRow(
      await deps.database.query<LeaseRow>("SELECT * FROM acquire_lease($1, $2, $3, $4)", [
        fileId,
        token,
        LEASE_SECONDS,
        deps.earlierFirstSeconds ?? EARLIER_FIRST_SECONDS,
      ]),
    ),
  );
  switch (row.outcome) {
    case "acquired":
      return {
        is: "acquired",
        file: fileToApply(fileId, row),
        passed: row.gate ?? undefined,
        behind: row.behind ?? undefined,
      };
    case "compare":
    case "not-needed":
      return { is: row.outcome };
    case "busy":
      throw failure("feed-busy", { file: fileId, activeFile: String(row.active_file) });
    case "unknown":
      throw failure("file-missing", { file: fileId });
  }
}

/** A lease just taken. All lanes may call `beat` at once; one of them renews. */
export function heldLease(deps: ApplyDeps, fileId: string, token: string): HeldLease {
  let renewedAt = deps.now();
  let renewing: Promise<void> | undefined;
  const renew = async () => {
    const startedAt = deps.now();
    const { held } = await attempt(deps, async () =>
      oneRow(
        await deps.database.query<{ held: boolean }>("SELECT renew_lease($1, $2, $3) AS held", [
          fileId,
          token,
          LEASE_SECONDS,
        ]),
      ),
    );
    if (!held) throw failure("lease-lost", { file: fileId });
    renewedAt = startedAt;
    await deps.stillHere?.();
  };
  return {
    token,
    beat: async () => {
      if (deps.now() - renewedAt < RENEW_AFTER_MS) return;
      renewing ??= renew().finally(() => {
        renewing = undefined;
      });
      await renewing;
    },
  };
}

/**
 * Gives the lease back after a failure. If even that fails the lease expires by itself, so it is logged and not thrown:
 * the failure that led here is the one to be told.
 */
export async function giveBack(deps: ApplyDeps, fileId: string, token: string): Promise<void> {
  try {
    await deps.database.query("SELECT release_lease($1, $2)", [fileId, token]);
  } catch (thrown) {
    deps.log.warn("lease-not-given-back", { fileId, message: String(thrown).slice(0, 300) });
  }
}
