/** A run in which a promise was broken, for people. */
import type { RunResult } from "./simulate.ts";

/** Of the trace, shown with a violation. */
const SHOWN_LINES = 40;

/** Seed, what was expected and found, and the last effects. */
export function reportOf(result: RunResult, lines = SHOWN_LINES): string | undefined {
  if (result.violations.length === 0) return undefined;
  const { violations, world, seed } = result;
  const told = violations.slice(0, 10).map(({ rule, subject, expected, found, about }) => {
    const trace = about.length === 0 ? [] : world.trace.about(about, lines / 2);
    return [
      `  ${rule}: ${subject}`,
      `    expected ${expected}`,
      `    found    ${found}`,
      ...trace.map((l) => `      ${l}`),
    ];
  });
  return [
    `seed ${seed}: ${violations.length} violations`,
    ...told.flat(),
    "  the last effects:",
    ...world.trace.last(lines).map((line) => `      ${line}`),
    `  again: node test/simulation/run.ts --seed ${seed}`,
  ].join("\n");
}
