/** Proposes once more for a file that waits, now with what an operator has answered. */
import type { Adapter } from "../domain/adapter.ts";
import type { FormatProfile, Proposed } from "../domain/feed-version.ts";
import type { FeedVersions, ParseDeps } from "./deps.ts";
import { type DriftReport, driftOfFound, heldAgainst } from "./drift-report.ts";
import { foundInPayload } from "./found-payload.ts";
import { knownFeed, mappingOf } from "./known-feed.ts";
import type { Answer } from "./match/found.ts";
import { proposeVersions } from "./match/propose.ts";
import { payloadAt, type StoredPayload } from "./stored-payload.ts";

export interface WaitingFile extends StoredPayload {
  /** What is stored with a file that drifted; null where the feed has no format yet. */
  readonly driftReport: DriftReport | null;
}

/** Throws `raw-missing` and what detection throws: an answer may make the file unreadable. */
export async function proposeAgain(
  adapter: Adapter,
  versions: FeedVersions,
  file: WaitingFile,
  answers: readonly Answer[],
  deps: Pick<ParseDeps, "openRaw" | "archivePassword">,
): Promise<Proposed> {
  const known = knownFeed(adapter, versions);
  const payload = await payloadAt(file, deps);
  const { effective, pinned } = known;
  if (file.driftReport !== null && effective.kind === "feed") {
    const against = heldAgainst(effective.feed, pinned);
    const found = await foundInPayload(payload, answers, effective.feed.file.at);
    return driftOfFound(file.driftReport.drift, against, found, adapter, mappingOf(known), answers);
  }
  const all = answered(pinned.answers, answers);
  const described = pinned.mapping === undefined ? adapter : { ...adapter, ...pinned.mapping };
  const { profile, mapping, questions, faults } = proposeVersions(
    described,
    await foundInPayload(payload, all, adapter.file?.at),
    all,
  );
  return { profile, mapping: mapping ?? null, questions, faults };
}

/** A new answer stands in the place of an old one to the same question. */
const answered = (old: FormatProfile["answers"], given: readonly Answer[]): Answer[] => [
  ...old.filter(({ what, column }) => !given.some((one) => one.what === what && one.column === column)),
  ...given,
];
