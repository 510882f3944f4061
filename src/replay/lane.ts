/** Which feeds have to go one after the other. Pure. */
import type { Adapter } from "../domain/adapter.ts";

/**
 * The lane of a feed: deliveries of one lane are replayed one at a time, lanes side by side. Feeds whose files come in each
 * other's mails share one: what a file finds must be what it found the first time. Named after its first feed:
 * `acme/inventory`.
 */
export function laneOf(feeds: readonly Adapter[], customer: string, feed: string): string {
  const own = feeds.filter((one) => one.customer === customer);
  const lane = new Set([feed]);
  for (let before = 0; before !== lane.size; ) {
    before = lane.size;
    for (const one of own) {
      const linked = [one.feed, ...one.intake.carries];
      if (linked.some((slug) => lane.has(slug))) for (const slug of linked) lane.add(slug);
    }
  }
  return `${customer}/${[...lane].sort()[0]}`;
}
