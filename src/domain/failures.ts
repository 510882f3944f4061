/**
 * The closed catalogue of everything that can go wrong, and what follows from it.
 *
 * A failure is decided where it is made: its code fixes the disposition and who must act, and the code that handles it
 * switches on the disposition alone, never on message text. Sentences are read by people: `actor: "customer"` ones by
 * somebody who has never seen this system.
 *
 * Codes are stable: they stand in the database, the API and mails. Rename none, remove none that was ever stored.
 */
import { CONTENT } from "./failures/content.ts";
import type { Actor, Disposition, Entry } from "./failures/entry.ts";
import { MACHINERY } from "./failures/machinery.ts";
import { OPENING } from "./failures/opening.ts";
import { ROWS } from "./failures/rows.ts";

export { type Actor, type Disposition, type Scope, shown } from "./failures/entry.ts";

export const FAILURES = { ...OPENING, ...CONTENT, ...ROWS, ...MACHINERY } as const;

export type FailureCode = keyof typeof FAILURES;
export type EvidenceOf<C extends FailureCode> = (typeof FAILURES)[C] extends Entry<infer E> ? E : never;

/** A failure as it is stored in Postgres, answered by the API and written in mails. */
export interface FailureReport {
  readonly code: FailureCode;
  readonly disposition: Disposition;
  readonly actor: Actor;
  readonly sentence: string;
  readonly hint: string;
  readonly evidence: Readonly<Record<string, unknown>>;
}

/** Makes the report of a failure: pure, the one place where a sentence is built. */
export function report<C extends FailureCode>(code: C, evidence: EvidenceOf<C>): FailureReport {
  const found = FAILURES[code] as unknown as Entry<EvidenceOf<C>>;
  return {
    code,
    disposition: found.disposition,
    actor: found.actor,
    sentence: found.sentence(evidence),
    hint: found.hint(evidence),
    evidence: evidence as Record<string, unknown>,
  };
}

/**
 * With these a message waits for something outside: it comes again as a delayed copy and spends no attempt, and a row that
 * says one of them is not stuck.
 */
export const WAITING_CODES: readonly FailureCode[] = [
  "database-unavailable",
  "storage-unavailable",
  "queue-unavailable",
  "admission-unavailable",
  "not-admitted-yet",
  "feed-busy",
];

/** A failure on its way up. `message` is the sentence; `cause` keeps the original error for the logs. */
export class Failure extends Error {
  readonly report: FailureReport;

  constructor(made: FailureReport, cause?: unknown) {
    super(made.sentence, cause === undefined ? undefined : { cause });
    this.name = "Failure";
    this.report = made;
  }

  get code(): FailureCode {
    return this.report.code;
  }

  get disposition(): Disposition {
    return this.report.disposition;
  }
}

/** `throw failure("file-empty", { name })`. */
export function failure<C extends FailureCode>(code: C, evidence: EvidenceOf<C>, cause?: unknown): Failure {
  return new Failure(report(code, evidence), cause);
}

/** Any thrown value as a Failure: what is not one of ours is an `internal-error` and keeps the original as its cause. */
export function asFailure(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown;
  return failure("internal-error", { message: wordsOf(thrown).slice(0, 500) }, thrown);
}

/** What a thrown value says. Anything can be thrown, also an object that refuses to become text. */
export function wordsOf(thrown: unknown): string {
  if (thrown instanceof Error) return `${thrown.name}: ${thrown.message}`;
  return typeof thrown === "object" && thrown !== null ? Object.prototype.toString.call(thrown) : String(thrown);
}
