/** The snapshots among the feeds of a deployment and what they are compared with. Pure. */
import type { Adapter } from "../domain/adapter.ts";
import { comparisonFaults } from "./comparison.ts";

/** The feed that a snapshot is compared with; undefined where it is no snapshot, or there is no such feed. */
export const targetOf = (snapshot: Adapter, feeds: readonly Adapter[]): Adapter | undefined =>
  feeds.find((feed) => feed.customer === snapshot.customer && feed.feed === snapshot.reconciles?.feed);

/**
 * What is wrong between feeds, which no adapter can know of itself: a snapshot of a feed that there is not, or that cannot
 * be compared. Where columns are left to detection, the comparison itself judges. One sentence a fault.
 */
export function pairFaults(feeds: readonly Adapter[]): string[] {
  return feeds.flatMap((snapshot) => {
    const { customer, feed, reconciles, columns, key } = snapshot;
    if (reconciles === undefined) return [];
    const told = (fault: string) => `${customer}/${feed} reconciles ${reconciles.feed}: ${fault}`;
    const target = targetOf(snapshot, feeds);
    if (target === undefined) return [told("the customer has no such feed")];
    if (target.mode === "snapshot") return [told("that is a snapshot, too, and has no records")];
    if (columns === undefined || key === undefined || target.columns === undefined || target.key === undefined)
      return [];
    return comparisonFaults({ columns, key }, { columns: target.columns, key: target.key }).map(told);
  });
}
