/** A file that is to be compared, and by what: the two feeds as they are described today. */
import type { Adapter } from "../domain/adapter.ts";
import { effectiveFeed, pinnedVersions } from "../domain/feed-version.ts";
import { type ComparedFile, type KnownFeed, knownFeeds, registerFeed } from "./compared.ts";
import { type Comparison, comparisonFaults, comparisonOf, type Described } from "./comparison.ts";
import type { DriftDeps, Reconciliation, SnapshotFile } from "./deps.ts";
import { targetOf } from "./pairs.ts";
import { DEFAULT_LIMITS, type Limits, marginMsOf } from "./verdict.ts";

export interface Pair {
  /** Whose records are compared. */
  readonly target: Adapter;
  readonly file: SnapshotFile;
  readonly how: Reconciliation;
}

export type Pairing = Pair | { readonly faults: readonly string[] };

/**
 * What a file is compared with: a snapshot with the feed that its adapter names, a full file with the records of its own
 * feed. Faults, each a part of a sentence, where that cannot be. Throws the database's failures, and `version-unreadable`.
 */
export async function pairOf(deps: DriftDeps, file: ComparedFile, run: number): Promise<Pairing> {
  const own = deps.feeds.find(({ customer, feed }) => customer === file.customer && feed === file.feed);
  if (own === undefined) return { faults: ["its feed has no adapter any more"] };
  const target = own.mode === "snapshot" ? targetOf(own, deps.feeds) : own;
  if (typeof target === "string") return { faults: [target] };
  const known = await knownFeeds(deps, file.customer, [...new Set([own.feed, target.feed])]);
  const theirs = described(own, known);
  const ours = described(target, known);
  if (theirs === undefined || ours === undefined) {
    return { faults: [`the columns of ${theirs === undefined ? own.feed : target.feed} are not agreed yet`] };
  }
  const faults = comparisonFaults(theirs, ours);
  if (faults.length > 0) return { faults };
  const feedId = known.find(({ feed }) => feed === target.feed)?.feedId ?? (await registerFeed(deps, target));
  return {
    target,
    file: {
      id: file.id,
      adapterVersion: file.adapterVersion,
      chunks: file.chunks,
      customerId: file.customerId,
      feedId,
      orderKey: file.orderKey,
      accepted: file.accepted,
      unread: file.unread,
      run,
    },
    how: {
      comparison: comparisonOf(theirs, ours, target.platformFields),
      limits: limitsOf(own),
      // A full file is what its records were made of: nothing of it can be newer than they are.
      marginMs: own === target ? 0 : marginMsOf(file.asOfSource),
      keepsMissing: !file.complete || (own === target && file.unread > 0),
    },
  };
}

/** What heals is what was compared: a report of other fields says nothing about these. */
export const sameFields = (fields: readonly string[], comparison: Comparison): boolean =>
  fields.join() === comparison.fields.join();

function limitsOf({ reconciles }: Adapter): Limits {
  if (reconciles === undefined) return DEFAULT_LIMITS;
  const { maxRows, maxShare } = reconciles;
  return { maxRows, maxShare };
}

/** Undefined: nobody has said yet what the columns mean. */
function described(adapter: Adapter, known: readonly KnownFeed[]): Described | undefined {
  const active = known.find(({ feed }) => feed === adapter.feed)?.active ?? [];
  const effective = effectiveFeed(adapter, pinnedVersions(adapter, active));
  return effective.kind === "feed" ? effective.feed : undefined;
}
