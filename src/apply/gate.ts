import { type FailureReport, report } from "../domain/failures.ts";
import type { FileToApply, Plan } from "../domain/plan.ts";

/**
 * Why a file must not be applied that is older than what `seen` still knows (`file_is_late`); undefined where it may be. Nobody
 * can tell any more which of the records of a delta a newer file has confirmed, so applying it could undo what is newer, and
 * leaving it out in silence would lose records that only it names. A full file that is late says nothing new, and is booked as
 * stale; so is one that is read again: what it says was said when it came.
 */
export const tooOld = (plan: Plan, file: FileToApply): FailureReport | undefined =>
  plan.mode === "late" && file.feedMode === "delta" && file.cause !== "replay" ? report("file-too-old", {}) : undefined;
