/** What the runs of one mutation come to. Pure. */
import type { Tried } from "./trial.ts";

export interface Outcome {
  readonly runs: readonly Tried[];
  /** Why the process ended otherwise than by its own decision, with what it said last. */
  readonly crash: string | undefined;
}

export interface Verdict {
  /** A promise of the model was broken, and by code that runs. */
  readonly caught: boolean;
  readonly words: string;
}

const MAX_CHARS = 90;
const cut = (text: string): string => (text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)}…` : text);

export function verdictOf({ runs, crash }: Outcome): Verdict {
  const no = (words: string): Verdict => ({ caught: false, words });
  if (crash !== undefined) return no(`DOES NOT RUN: ${crash}`);
  const nonsense = runs.find((run) => run.nonsense !== undefined)?.nonsense;
  if (nonsense !== undefined) return no(`IS NONSENSE: ${nonsense.slice(0, 300)}`);
  const last = runs.at(-1);
  if (last?.violation === undefined) return no(`SURVIVED ${runs.length} runs`);
  const { rule, expected, found } = last.violation;
  const said = `“${rule}”, expected ${cut(expected)}, found ${cut(found)}`;
  return { caught: true, words: `caught by seed ${last.seed} in run ${runs.length}: ${said}` };
}
