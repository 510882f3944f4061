/**
 * `node trial.ts seed…`: runs the seeds of the copy that it stands in until a promise is broken. One line of JSON a run, on
 * the third file descriptor: what the code logs is no answer.
 */
import { writeSync } from "node:fs";
import { openEngine } from "../engine.ts";
import { simulate } from "../simulate.ts";

export interface Tried {
  readonly seed: string;
  /** What the model said first. */
  readonly violation?: { readonly rule: string; readonly expected: string; readonly found: string };
  /** A line that shows that the code was not broken but nonsense: it does not even run. */
  readonly nonsense?: string;
}

export const ANSWERS_FD = 3;

/** Faults that no reviewer would have passed: the simulator is not what has to find them. */
const NONSENSE =
  /\b(ReferenceError|SyntaxError|TypeError)\b(?!: fetch failed)|is not (defined|a function)|SQLSTATE 42(?!501)|"sqlstate":"42(?!501)/;

async function tried(seeds: readonly string[]): Promise<void> {
  const engine = await openEngine();
  for (const seed of seeds) {
    const { violations, world } = await simulate(seed, engine);
    const nonsense = world.trace.about([""], Number.POSITIVE_INFINITY).find((line) => NONSENSE.test(line));
    const [violation] = violations;
    const told: Tried = {
      seed,
      ...(violation === undefined
        ? {}
        : { violation: { rule: violation.rule, expected: violation.expected, found: violation.found } }),
      ...(nonsense === undefined ? {} : { nonsense }),
    };
    writeSync(ANSWERS_FD, `${JSON.stringify(told)}\n`);
    if (violation !== undefined) break;
  }
}

if (process.argv[1] === import.meta.filename) {
  await tried(process.argv.slice(2));
  // A timer of the database, set in virtual time, must not keep the process.
  process.exit();
}
