/** What is said of a file that is held: its failure, and the notices of the two mails. Pure. */
import { type FailureReport, report } from "../domain/failures.ts";
import type { BlastRadiusNotice } from "../domain/notice.ts";
import type { Judgement, PlanFacts } from "./facts.ts";

/** For `files.failure`. */
export const heldReport = ({ tripped }: Judgement): FailureReport =>
  report("blast-radius", {
    sentences: tripped.map((one) => one.sentence),
    tripped: tripped.map(({ check, field, evidence }) => ({
      check,
      ...(field === undefined ? {} : { field }),
      ...evidence,
    })),
  });

/** What the facts of a plan do not say. */
type Others = Omit<BlastRadiusNotice, "kind" | "reasons" | "numbers" | "telling">;

export function blastRadiusNotice(
  others: Others,
  facts: PlanFacts,
  { tripped, telling }: Judgement,
): BlastRadiusNotice {
  const { records, rows, rejected, retired, inserted, changed, unchanged } = facts;
  return {
    ...others,
    kind: "blast-radius",
    reasons: tripped.map((one) => one.sentence),
    numbers: {
      records,
      rows,
      rejected,
      retired,
      ...(inserted === undefined ? {} : { inserted }),
      ...(changed === undefined ? {} : { changed }),
      ...(unchanged === undefined ? {} : { unchanged }),
    },
    telling,
  };
}
