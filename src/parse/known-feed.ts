/** What is known of a feed when a delivery of it comes: its adapter, what is pinned on top, and what both make. Pure. */
import type { Adapter } from "../domain/adapter.ts";
import {
  type Effective,
  effectiveFeed,
  formatDigest,
  type Mapping,
  mappingDigest,
  type Pinned,
  pinnedVersions,
  type StoredVersion,
} from "../domain/feed-version.ts";
import type { FeedVersions, NewVersion } from "./deps.ts";

export interface KnownFeed {
  readonly adapter: Adapter;
  readonly pinned: Pinned;
  readonly effective: Effective;
  readonly versions: FeedVersions;
}

/** Versions that are named count in place of the active ones, whatever the adapter's folder says today. */
export function knownFeed(adapter: Adapter, versions: FeedVersions): KnownFeed {
  const named = (versions.named ?? []).map((version) => ({
    ...version,
    base: version.kind === "profile" ? formatDigest(adapter) : mappingDigest(adapter),
  }));
  const others = versions.active.filter(({ kind }) => named.every((version) => version.kind !== kind));
  const pinned = pinnedVersions(adapter, [...named, ...others]);
  return { adapter, pinned, effective: effectiveFeed(adapter, pinned), versions };
}

/** The mapping as it is pinned or as the adapter says it, what is left to the profile still open in it. */
export function mappingOf({ adapter, pinned }: KnownFeed): Mapping {
  return pinned.mapping ?? { columns: adapter.columns ?? [], key: adapter.key ?? [] };
}

/** The row of the profile that holds; undefined where none is pinned. */
export const profileRow = ({ pinned, versions }: KnownFeed): StoredVersion | undefined =>
  pinned.profile === undefined ? undefined : versions.active.find(({ kind }) => kind === "profile");

/** The mapping that the adapter's folder says, where it is not pinned yet. */
export function mappingToPin({ adapter, pinned }: KnownFeed): NewVersion[] {
  const { columns, key } = adapter;
  if (pinned.mapping !== undefined || columns === undefined || key === undefined) return [];
  return [{ kind: "mapping", base: mappingDigest(adapter), data: { columns, key } }];
}

/** The active versions in one text, e.g. `mapping 2,profile 3`: as `activeOf` in tables.ts asks for them. */
export const activeText = ({ active }: Pick<FeedVersions, "active">): string =>
  active
    .map(({ kind, version }) => `${kind} ${version}`)
    .toSorted()
    .join(",");
