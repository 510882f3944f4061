/** What somebody has answered of a file: detection goes by it where it would else have asked. */
import type { Dialect, Undecided } from "./profile.ts";

/** Names its question by `what` and `column`; the answer is one of the question's options. */
export interface Answer {
  readonly what: string;
  readonly column?: string | undefined;
  readonly answer: string;
}

/** What is known of a file before it is looked at. */
export interface Known {
  readonly charset?: string;
  /** null: every line is one cell. */
  readonly delimiter?: string | null;
  readonly quote?: Dialect["quote"];
  readonly header?: boolean;
  /** Whether a full last row of totals is footer. */
  readonly totals?: boolean;
  /** First character of each column of fixed width, from 0. */
  readonly fixed?: readonly number[];
}

const NONE = "none";

/** Later answers stand over earlier ones; answers that detection has no use for are left to others. */
export function knownOf(answers: readonly Answer[]): Known {
  const of = (what: string): string | undefined =>
    answers.findLast((a) => a.what === what && a.column === undefined)?.answer;
  const charset = of("charset");
  const delimiter = of("delimiter");
  const quote = of("quote");
  const header = of("header");
  const footer = of("footer");
  const starts = of("columns")
    ?.split(/[,\s]+/)
    .map((place) => Number(place) - 1);
  const ascend = starts?.every((start, i) => Number.isInteger(start) && start >= 0 && start > (starts[i - 1] ?? -1));
  return {
    ...(charset === undefined ? {} : { charset }),
    ...(delimiter === undefined || delimiter === "" ? {} : { delimiter: delimiter === NONE ? null : delimiter }),
    ...(quote === '"' || quote === "'" ? { quote } : quote === NONE ? { quote: null } : {}),
    ...(header === "header" || header === "data" ? { header: header === "header" } : {}),
    ...(footer === "footer" || footer === "data" ? { totals: footer === "footer" } : {}),
    ...(starts !== undefined && ascend === true ? { fixed: [0, ...starts.slice(1)] } : {}),
  };
}

/** The questions that nobody has answered yet. */
export const openOf = (undecided: readonly Undecided[], answers: readonly Answer[]): Undecided[] =>
  undecided.filter((q) => !answers.some((a) => a.what === q.what && a.column === q.column));
