/**
 * Detection → versions that an operator can accept: a format profile and, where the adapter says no columns, a mapping;
 * with the questions that must be answered first.
 */
import type { Adapter } from "../../domain/adapter.ts";
import type { FormatProfile, Mapping } from "../../domain/feed-version.ts";
import type { Answer, Fault, FoundTable, Question } from "./found.ts";

export interface Proposal {
  readonly profile: FormatProfile;
  /** Only where the adapter says no columns. */
  readonly mapping?: Mapping;
  /** Open questions. An answer is given by proposing again with it. */
  readonly questions: readonly Question[];
  /** What stands against accepting the proposal as it is. */
  readonly faults: readonly Fault[];
}

/**
 * Proposes what a feed's first file shows. What the adapter says stands: its `file` is the format, its `columns` are the
 * mapping, and only what they leave to detection is asked. `answers` (those kept from earlier versions and new ones) are
 * applied and kept in the profile. Pure: the same input gives the same proposal.
 */
export declare function proposeVersions(adapter: Adapter, found: FoundTable, answers?: readonly Answer[]): Proposal;
