/** What the corpus run says of one expectation about one file. */

/**
 * - `right`: as expected, to the letter.
 * - `refused`: not read, or not as expected, and said so: an error, a question or a row that does not fit names it.
 * - `wrong`: not as expected, but a question is open about just this.
 * - `silent-wrong`: not as expected and nothing says so. The one outcome that may not be.
 */
export type Outcome = "right" | "refused" | "wrong" | "silent-wrong";

export interface CaseResult {
  /** The file and what is expected of it; the same from run to run. */
  readonly id: string;
  readonly outcome: Outcome;
  /** What was expected and found, or why it was refused. */
  readonly detail?: string;
}

export interface Corpus {
  readonly name: string;
  /** Share of cases that must be right (refused, where that is what is expected). */
  readonly target: number;
  /** How the cases were counted. */
  readonly counting: string;
  run(): Promise<readonly CaseResult[]>;
}
