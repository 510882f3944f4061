/** Whether a mapping can become active on top of an adapter and its format profile. Pure. */
import type { Adapter, Feed } from "../domain/adapter.ts";
import { labelOf, type MappingFault } from "../domain/column.ts";
import { effectiveFeed, type FormatProfile, type Mapping } from "../domain/feed-version.ts";
import { CellFault } from "../parse/table/cell.ts";
import { compileColumn } from "../parse/table/columns.ts";
import { type CaseResult, type MappingCase, runCases } from "./cases.ts";

export interface CheckedMapping {
  /** The feed with the mapping, where there is one. */
  readonly feed: Feed | undefined;
  readonly faults: readonly MappingFault[];
  readonly cases: readonly CaseResult[];
  /** No fault, and every case holds. */
  readonly ok: boolean;
}

export function checkMapping(
  adapter: Adapter,
  profile: FormatProfile | undefined,
  mapping: Mapping,
  cases: readonly MappingCase[],
): CheckedMapping {
  const effective = effectiveFeed(adapter, { profile, mapping });
  if (effective.kind === "faulty") return { feed: undefined, faults: effective.faults, cases: [], ok: false };
  if (effective.kind === "unknown") {
    const message = "the format of its files is not known yet: accept a format profile first";
    return { feed: undefined, faults: [{ path: [], message }], cases: [], ok: false };
  }
  const { feed } = effective;
  const faults = constantFaults(feed);
  if (faults.length > 0) return { feed: undefined, faults, cases: [], ok: false };
  const results = runCases(feed, cases);
  return { feed, faults, cases: results, ok: results.every(({ passed }) => passed) };
}

/** Constants that their own column cannot read: every row would be refused for what the mapping says. */
function constantFaults(feed: Feed): MappingFault[] {
  return feed.columns.flatMap((column, i) => {
    if (!("constant" in column.source)) return [];
    const parser = compileColumn(column, { label: labelOf(column), isKey: feed.key.includes(column.name) });
    const read = parser.parse(column.source.constant);
    if (!(read instanceof CellFault)) return [];
    return [{ path: ["columns", i, "source", "constant"], message: `cannot be read as ${column.type} (${read.code})` }];
  });
}
