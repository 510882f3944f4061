/**
 * Accepting how files are written: what an operator sends, what it makes of a proposal, and whether that can be read by.
 * Nothing is accepted that leaves a question open or that could not read a single row. Pure.
 */
import { z } from "zod";
import type { Adapter } from "../../domain/adapter.ts";
import type { MappingFault } from "../../domain/column.ts";
import {
  effectiveFeed,
  type FormatProfile,
  formatDigest,
  type Mapping,
  mappingDigest,
  mappingSchema,
  missingColumns,
  type OpenQuestion,
  type Pinned,
  type Proposed,
  profileSchema,
  type VersionKind,
} from "../../domain/feed-version.ts";
import { type Fault, faulty } from "../problem/problem.ts";
import { textParameter } from "../query/query.ts";

/** A sentence or two for whoever asks later why. */
const NOTE_MAX_CHARS = 1_000;
/** More questions than a file can raise. */
const ANSWERS_MAX = 5_000;

export const noteSchema = textParameter.max(NOTE_MAX_CHARS, `has more than ${NOTE_MAX_CHARS} characters`);

export const acceptanceSchema = z
  .object({
    /** To the questions of the proposal: kept, and nobody is asked again. */
    answers: profileSchema.shape.answers.unwrap().max(ANSWERS_MAX).default([]),
    /** The proposal as an operator has edited it, whole. */
    profile: profileSchema.optional(),
    mapping: mappingSchema.optional(),
    note: noteSchema.optional(),
  })
  .strict();

export type Acceptance = z.output<typeof acceptanceSchema>;

/** A version that becomes the active one. */
export interface Accepted {
  readonly kind: VersionKind;
  readonly base: string;
  readonly data: FormatProfile | Mapping;
}

/** What would be active. Throws `not-acceptable-yet` with every question and every fault that is left. */
export function accepted(adapter: Adapter, pinned: Pinned, proposed: Proposed, given: Acceptance): Accepted[] {
  const profile = given.profile ?? proposed.profile;
  const mapping = given.mapping ?? proposed.mapping;
  const questions = proposed.questions.filter((question) => !isSettled(kindOf(question.what), given));
  const faults: Fault[] = [
    ...proposed.faults
      // Those of the mapping are looked for anew: it or the profile may have been edited.
      .filter(({ path }) => path[0] !== "mapping" && !isSettled(kindOf(String(path[0])), given))
      .map(({ path, message }) => ({ path: path.join("."), message })),
    ...(profile === null
      ? [{ path: "profile", message: "is needed: nothing was found in the file that could be proposed" }]
      : faultsOf(adapter, profile, mapping ?? pinned.mapping)),
  ];
  if (profile === null || questions.length > 0 || faults.length > 0) {
    throw faulty("not-acceptable-yet", howToGoOn(questions, faults), faults, { questions });
  }
  return [
    { kind: "profile", base: formatDigest(adapter), data: profile },
    ...(mapping === null ? [] : [{ kind: "mapping" as const, base: mappingDigest(adapter), data: mapping }]),
  ];
}

/** An answer to an open question is one of its options. Throws `invalid-body`. What nobody asked may be said freely. */
export function checkAnswers(questions: readonly OpenQuestion[], { answers }: Acceptance): void {
  const faults = answers.flatMap(({ what, column, answer }, i) => {
    const asked = questions.find((question) => question.what === what && question.column === column);
    if (asked === undefined || asked.options.length === 0 || asked.options.includes(answer)) return [];
    return [{ path: `answers.${i}.answer`, message: `is none of ${asked.options.join(", ")}` }];
  });
  if (faults.length > 0) throw faulty("invalid-body", "Some answers are none that can be given; see “faults”.", faults);
}

/** Which of the two a question or a fault is about. */
const kindOf = (what: string): VersionKind => (["key", "type", "columns"].includes(what) ? "mapping" : "profile");

/** What an operator has written whole is not asked any more. */
const isSettled = (kind: VersionKind, given: Acceptance): boolean => given[kind] !== undefined;

function faultsOf(adapter: Adapter, profile: FormatProfile, mapping: Mapping | undefined): Fault[] {
  const effective = effectiveFeed(adapter, { profile, mapping });
  if (effective.kind === "unknown") {
    return effective.lacking.map((kind) => ({ path: kind, message: "is needed: neither adapter nor file says it" }));
  }
  if (effective.kind === "faulty") {
    return effective.faults.map(inMapping);
  }
  return missingColumns(profile, effective.feed.columns).map(inMapping);
}

const inMapping = ({ path, message }: MappingFault): Fault => ({ path: `mapping.${path.join(".")}`, message });

function howToGoOn(questions: readonly OpenQuestion[], faults: readonly Fault[]): string {
  const asked = questions.map(({ what, column }) => (column === undefined ? what : `${what} of ${column}`)).join(", ");
  const parts = [
    ...(questions.length > 0 ? [`Answer what is open (${asked}): see “questions”.`] : []),
    ...(faults.length > 0 ? ["Send an edited profile or mapping without what is listed in “faults”."] : []),
  ];
  return parts.join(" ");
}
