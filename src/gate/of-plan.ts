/** A plan and what is known of its file, as the facts that are judged. Pure. */
import type { Plan } from "../domain/plan.ts";
import type { PlanFacts } from "./facts.ts";

/** What a plan does not say. */
export type FileFacts = Omit<PlanFacts, "accepted" | "superseded" | "inserted" | "changed" | "unchanged" | "stale">;

/**
 * Of a late file nothing would be written. One that is planned whole comes to a feed without active records, so all that it says
 * is new; where there are some all the same, since another file was faster, nobody knows yet.
 */
export function factsOf(plan: Plan, file: FileFacts): PlanFacts {
  const { accepted, superseded } = plan;
  const base = { ...file, accepted, superseded };
  switch (plan.mode) {
    case "diff": {
      const { inserted, changed, unchanged, stale } = plan;
      return { ...base, inserted, changed, unchanged, stale };
    }
    case "late":
      return { ...base, inserted: 0, changed: 0, unchanged: 0, stale: plan.stale, retired: 0 };
    case "whole":
      if (file.records > 0) return { ...base, stale: 0 };
      return { ...base, inserted: accepted - superseded, changed: 0, unchanged: 0, stale: 0 };
  }
}
