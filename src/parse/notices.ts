/** What an operator is told of a held file. Pure. */
import type { Adapter } from "../domain/adapter.ts";
import type { DeliveryFacts } from "../domain/delivery.ts";
import type { FailureReport } from "../domain/failures.ts";
import type { FormatDriftNotice, FormatUnconfirmedNotice } from "../domain/notice.ts";
import type { DriftReport } from "./drift-report.ts";
import type { FoundTable } from "./match/found.ts";
import type { Proposal } from "./match/propose.ts";

/** Values shown of each column. */
const EXAMPLES_MAX = 3;
/** Characters shown of a value. */
const EXAMPLE_MAX_CHARS = 40;
/** Rows that are looked at for examples. */
const EXAMPLE_ROWS_MAX = 200;

const ofFile = (feed: Adapter, facts: DeliveryFacts, fileId: string, path: string) => ({
  recipient: "operator" as const,
  customer: feed.customer,
  customerTitle: feed.customerTitle,
  feed: feed.feed,
  feedTitle: feed.title,
  fileId,
  path,
  deliveryId: facts.id,
  sender: facts.sender,
  receivedAt: facts.receivedAt,
});

export function unconfirmedNotice(
  feed: Adapter,
  facts: DeliveryFacts,
  file: { readonly id: string; readonly path: string },
  found: FoundTable,
  proposal: Proposal,
): FormatUnconfirmedNotice {
  return {
    kind: "format-unconfirmed",
    ...ofFile(feed, facts, file.id, file.path),
    evidence: Object.values(found.evidence),
    columns: found.types.map(({ name, type }, i) => ({
      name: name ?? `column ${i + 1}`,
      type,
      examples: examplesOf(found, i),
    })),
    key: proposal.mapping?.key ?? [],
    questions: proposal.questions,
    faults: sentences(proposal.faults),
  };
}

export function driftNotice(
  feed: Adapter,
  facts: DeliveryFacts,
  file: { readonly id: string; readonly path: string },
  { drift, questions, faults }: DriftReport,
  original: FailureReport | undefined,
): FormatDriftNotice {
  return {
    kind: "format-drift",
    ...ofFile(feed, facts, file.id, file.path),
    cause: drift.cause,
    sentence: drift.sentence,
    ...(original === undefined
      ? {}
      : { original: { code: original.code, sentence: original.sentence, hint: original.hint } }),
    differences: drift.differences,
    examples: drift.examples,
    questions,
    faults: sentences(faults),
  };
}

const sentences = (faults: DriftReport["faults"]): string[] =>
  faults.map(({ path, message }) => (path.length === 0 ? message : `${path.join(".")}: ${message}`));

/** Values that differ from each other say more than the first ones. */
function examplesOf({ rows }: FoundTable, column: number): string[] {
  const values = new Set<string>();
  for (const row of rows.slice(0, EXAMPLE_ROWS_MAX)) {
    const value = row[column]?.trim() ?? "";
    if (value !== "") values.add(value.length > EXAMPLE_MAX_CHARS ? `${value.slice(0, EXAMPLE_MAX_CHARS)}…` : value);
    if (values.size === EXAMPLES_MAX) break;
  }
  return [...values];
}
