/** A file held against the pinned profile of its feed: fits, or how it differs and why that probably is. */
import type { Adapter } from "../../domain/adapter.ts";
import type { FailureReport } from "../../domain/failures.ts";
import type { FormatProfile } from "../../domain/feed-version.ts";
import type { FoundTable } from "./found.ts";
import type { Drift } from "./report.ts";
import type { Observed } from "./shape.ts";

type DriftPolicy = Pick<Adapter, "drift">;

/**
 * Compares a file that parse could read with the pinned profile: header and the look of its values. Null where it fits, and
 * where the profile knows no columns yet (then `learnt` makes the next version). Call it before the file is applied.
 */
export declare function compareWithPinned(
  pinned: FormatProfile,
  observed: Observed,
  adapter: DriftPolicy,
): Drift | null;

/**
 * Where parse refused a file (or held it for `too-many-rejects`): the drift that explains it, or null where the file looks
 * as agreed and the failure stands for itself. `found`: what detection makes of the file, undefined where it refused too.
 * Only worth detecting for where `mayBeDrift(report)`.
 */
export declare function driftOfFailure(
  pinned: FormatProfile,
  report: FailureReport,
  found: FoundTable | undefined,
  adapter: DriftPolicy,
): Drift | null;

/** Whether a file of another format fails so. */
export declare function mayBeDrift(report: FailureReport): boolean;

/** The profile with the columns that its first landed file showed. Readings and answers stay. */
export declare function learnt(pinned: FormatProfile, observed: Observed): FormatProfile;

/**
 * The profile after an operator has accepted a drift: the columns of the file that drifted, shapes united with the pinned
 * ones where a column kept its name. `found`: where parse had refused the file, what was proposed from detection.
 */
export declare function mergeProfile(pinned: FormatProfile, found: FormatProfile): FormatProfile;
