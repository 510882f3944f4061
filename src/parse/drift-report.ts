/** What is stored with a file that drifted: the comparison, and what would be pinned if an operator accepts it. Pure. */
import type { Adapter, Feed } from "../domain/adapter.ts";
import { placesOf, renamedSource } from "../domain/column.ts";
import {
  type FormatProfile,
  type Mapping,
  missingColumns,
  type Pinned,
  type Proposed,
} from "../domain/feed-version.ts";
import { learnt, mergeProfile } from "./match/drift.ts";
import type { Answer, FoundTable } from "./match/found.ts";
import { proposeChanged } from "./match/propose.ts";
import type { Drift } from "./match/report.ts";
import type { Observed } from "./match/shape.ts";

export interface DriftReport extends Proposed {
  readonly drift: Drift;
}

/** The profile that holds now: the pinned one, or what the adapter's folder says of the format. */
export const heldAgainst = (feed: Feed, pinned: Pinned): FormatProfile =>
  pinned.profile ?? { format: feed.file, columns: [], answers: [...pinned.answers] };

/** For a file that parse could read. */
export function driftOfRead(drift: Drift, against: FormatProfile, observed: Observed, mapping: Mapping): DriftReport {
  const profile = mergeProfile(against, learnt({ ...against, columns: [] }, observed));
  const fitting = renamed(mapping, drift);
  return { drift, profile, mapping: fitting, questions: [], faults: lacking(profile, fitting ?? mapping) };
}

/** For a file that parse refused; `found` is undefined where detection did as well. */
export function driftOfFound(
  drift: Drift,
  against: FormatProfile,
  found: FoundTable | undefined,
  adapter: Adapter,
  mapping: Mapping,
  answers: readonly Answer[],
): DriftReport {
  const fitting = renamed(mapping, drift);
  if (found === undefined) return { drift, profile: null, mapping: null, questions: [], faults: [] };
  // The columns are known and stay; only what is written otherwise is changed and asked.
  const { columns, key } = fitting ?? mapping;
  const { profile, questions, faults } = proposeChanged({ ...adapter, columns, key }, against, found, answers);
  return { drift, profile, mapping: fitting, questions, faults: [...faults, ...lacking(profile, { columns, key })] };
}

/** What is read and is not there any more: the drift can only be accepted with another mapping. */
const lacking = (profile: FormatProfile, { columns }: Mapping): Proposed["faults"] =>
  missingColumns(profile, columns).map(({ path, message }) => ({ path: ["mapping", ...path], message }));

/** The mapping that reads renamed columns under their new names; null where none is renamed. */
function renamed({ columns, key }: Mapping, { differences }: Drift): Mapping | null {
  const names = new Map(
    differences.flatMap(({ what, pinned, found }) =>
      what === "name" && pinned !== "" && found !== "" ? [[pinned, found] as const] : [],
    ),
  );
  const isRenamed = columns.some(({ source }) =>
    placesOf(source).some((place) => typeof place === "string" && names.has(place)),
  );
  if (!isRenamed) return null;
  return {
    columns: columns.map((column) => ({ ...column, source: renamedSource(column.source, names) })),
    key: [...key],
  };
}
