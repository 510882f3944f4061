/** The door of the dry run: a parsed file that only asks is compared, brought to its end, and answered. It may die anywhere and come again. */
import { failure } from "../domain/failures.ts";
import type { ApplyFile } from "../domain/messages.ts";
import type { Log } from "../observe/log.ts";
import { endDryRun } from "./answer.ts";
import type { AnswerDeps, DryRunDeps } from "./deps.ts";
import { dryRunFile } from "./dry-run.ts";

/** `answered`: a mail waits to be sent. `not-asked`: the file is of another kind, and nothing was done. */
export type DryRunOutcome = "compared" | "answered" | "not-asked";

/** Throws what `dryRunFile` throws. */
export async function dryRunHandler(
  deps: DryRunDeps & AnswerDeps & { readonly log: Log },
  { fileId, correlationId }: Pick<ApplyFile, "fileId" | "correlationId">,
): Promise<DryRunOutcome> {
  const lines = await deps.tables.lines(fileId);
  if (lines === undefined) throw failure("file-missing", { file: fileId });
  if (!lines.compareOnly) return "not-asked";
  const effect = await dryRunFile(deps, fileId, lines.rejected);
  const answered = await endDryRun(deps, fileId, effect);
  const { verdict, inserted, changed, unchanged, stale, superseded, retired } = effect;
  const numbers = { inserted, changed, unchanged, stale, superseded, retired };
  deps.log.info("file-compared", { correlationId, fileId, verdict, answered, ...numbers });
  return answered ? "answered" : "compared";
}
