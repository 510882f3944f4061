/** The snapshots among the feeds of a deployment and what they are compared with. Pure. */
import type { Adapter } from "../domain/adapter.ts";
import { comparisonFaults } from "./comparison.ts";

/** The feed that a snapshot is compared with; a part of a sentence where there is none. */
export function targetOf(snapshot: Adapter, feeds: readonly Adapter[]): Adapter | string {
  const { customer, reconciles } = snapshot;
  if (reconciles === undefined) return "its adapter names no feed";
  const target = feeds.find((feed) => feed.customer === customer && feed.feed === reconciles.feed);
  if (target === undefined) return `there is no feed ${reconciles.feed}`;
  return target.mode === "snapshot" ? `${target.feed} is a snapshot, too, and has no records` : target;
}

/**
 * What is wrong between a snapshot and its feed, which no adapter can know of itself; nothing of a feed that is no snapshot.
 * Where columns are left to detection, the comparison itself judges. Each is a part of a sentence.
 */
export function pairFaults(snapshot: Adapter, feeds: readonly Adapter[]): string[] {
  if (snapshot.mode !== "snapshot") return [];
  const target = targetOf(snapshot, feeds);
  if (typeof target === "string") return [target];
  const { columns, key } = snapshot;
  if (columns === undefined || key === undefined || target.columns === undefined || target.key === undefined) return [];
  return comparisonFaults({ columns, key }, { columns: target.columns, key: target.key });
}
