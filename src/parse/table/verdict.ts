/** What is said of a file as a whole when it was read to its end: whether it may go on, and what it states of itself. Pure. */
import type { Feed } from "../../domain/adapter.ts";
import { type FailureReport, report } from "../../domain/failures.ts";
import type { Books } from "./books.ts";
import { judgeControls, NO_CONTROLS, type ReadFacts } from "./controls.ts";
import { type FileEnd, truncationSigns } from "./file-end.ts";

export interface Verdict {
  readonly sequence: number | null;
  readonly generatedAt: string | null;
  readonly failure: FailureReport | null;
}

/** `inFooter`: the line that ends the data was found. Of several faults the one is told that explains the others. */
export function verdictOf(feed: Feed, books: Books, facts: ReadFacts, end: FileEnd, inFooter: boolean): Verdict {
  const { controls } = feed;
  const found = controls === undefined ? NO_CONTROLS : judgeControls(controls, facts);
  const signs = inFooter || found.isWhole ? [] : truncationSigns(end);
  const failure =
    (signs.length > 0 ? report("file-truncated", { signs }) : null) ??
    found.rowCountFault ??
    tooManyRejects(feed, books) ??
    found.faults[0] ??
    null;
  return { sequence: found.sequence, generatedAt: found.generatedAt, failure };
}

function tooManyRejects(feed: Feed, { accepted, rejected }: Books): FailureReport | null {
  const { maxRejects, maxRejectShare } = feed.limits;
  const rows = accepted + rejected;
  if (rejected > maxRejects) return report("too-many-rejects", { rejected, rows, limit: `${maxRejects} rows` });
  if (rejected > rows * maxRejectShare) {
    return report("too-many-rejects", { rejected, rows, limit: `${Number((maxRejectShare * 100).toFixed(2))} %` });
  }
  return null;
}
