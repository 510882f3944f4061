import { report } from "../domain/failures.ts";
import type { FileToApply, Plan } from "../domain/plan.ts";
import type { Verdict } from "./deps.ts";

/**
 * The gate between plan and apply: here a file is held that must not be applied as it is. Nothing of it has been applied at
 * this place.
 *
 * A delta file is late only where it is older than what `seen` still knows (`file_is_late`): nobody can tell any more which of
 * its records a newer file has confirmed, so applying it could undo what is newer, and leaving it out in silence would lose
 * records that only it names. A full file that is late says nothing new, and is booked as stale.
 *
 * A file whose blast radius is out of proportion (too many records changed or retired) will be held here, too.
 */
export function gate(plan: Plan, file: FileToApply): Verdict {
  if (plan.mode === "late" && file.feedMode === "delta") return { hold: report("file-too-old", {}) };
  return "go";
}
