import type { FileToApply, Plan } from "../domain/plan.ts";
import type { Verdict } from "./deps.ts";

/**
 * The gate between plan and apply. It lets everything pass for now. Here a file is held whose blast radius is out of
 * proportion (too many records changed or retired): the verdict becomes `{ hold: FailureReport }`, which the handler
 * passes to `hold_file`. Nothing of the file has been applied at this place.
 */
export function gate(_plan: Plan, _file: FileToApply): Verdict {
  return "go";
}
