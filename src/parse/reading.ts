/**
 * Why a delivery is read. One that came is read to be applied, and its questions are asked. One that is read for any other
 * reason asks nobody, changes nothing that is known of its feed, and never stands for a file that came.
 */
import type { DeliveryFacts } from "../domain/delivery.ts";
import type { FailureReport } from "../domain/failures.ts";
import type { VersionKind } from "../domain/feed-version.ts";
import type { FileState } from "../domain/states.ts";

interface Common {
  /** Its files are planned and told of, and never applied. */
  readonly compareOnly: boolean;
}

/** What is asked of a delivery that is in the archive and was read before. */
export interface Replay extends Common {
  readonly cause: "replay";
  /** Of the replay; a bigint, so text. */
  readonly replayId: string;
  /** Only files of this feed are read; those of all feeds where left out. */
  readonly feed?: string;
  /** Numbers of versions of `feed` that count in place of the active ones, whatever their state. */
  readonly versions?: Readonly<Partial<Record<VersionKind, number>>>;
}

export type Reading = Replay | (Common & { readonly cause: "delivery" | "dry-run" });

/** How a delivery is read that came. What only asks what it would do says so itself, in the archive. */
export const readingOf = ({ dryRun }: Pick<DeliveryFacts, "dryRun">): Reading =>
  dryRun === true ? { cause: "dry-run", compareOnly: true } : { cause: "delivery", compareOnly: false };

/** Whether a file that cannot go on is a question to somebody, and what a file shows may be learnt from it. */
export const asks = ({ cause }: Reading): boolean => cause === "delivery";

/**
 * States of the file that came in which it is read again. What was refused, is held or has failed nobody has taken yet, and
 * what is under way lands by itself. A payload of which no file was made is read: today's adapter takes what another left.
 */
export const REPLAYED: readonly FileState[] = ["applied", "compared", "duplicate"];

/** What was taken when it came is taken when it is read again: somebody has released it, or will not be asked twice. */
export const passes = (failure: FailureReport, reading: Reading, original: FileState | undefined): boolean =>
  reading.cause === "replay" && original !== undefined && failure.disposition === "hold";
