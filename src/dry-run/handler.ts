/** The door of the dry run: a parsed file that only asks is compared, brought to its end, and answered. It may die anywhere and come again. */
import { failure } from "../domain/failures.ts";
import { endDryRun } from "./answer.ts";
import type { AnswerDeps, DryRunDeps } from "./deps.ts";
import { dryRunFile } from "./dry-run.ts";

/**
 * `answered`: a mail waits to be sent. `not-asked`: the file is of another kind, and nothing was done. Throws what `dryRunFile`
 * throws.
 */
export type DryRunOutcome = "compared" | "answered" | "not-asked";

export async function dryRunHandler(deps: DryRunDeps & AnswerDeps, fileId: string): Promise<DryRunOutcome> {
  const lines = await deps.tables.lines(fileId);
  if (lines === undefined) throw failure("file-missing", { file: fileId });
  if (!lines.compareOnly) return "not-asked";
  const answered = await endDryRun(deps, fileId, await dryRunFile(deps, fileId, lines.rejected));
  return answered ? "answered" : "compared";
}
