/** A field's numbers before and after, from what is at hand. Pure. */
import { type FieldNumbers, FieldTally } from "../domain/field-numbers.ts";
import { medianOf } from "./band.ts";
import type { FeedHistory, FieldFacts, Sample } from "./facts.ts";

/** Files that say what is usual. */
const USUAL_FILES = 7;

/**
 * A file against those before it, by what parse counted in each. Held against the last file and against what is usual,
 * whichever is nearer: the file after an odd one is not odd itself. The total of a delta depends on how many rows it has, so it
 * is brought to the same number of values.
 */
export function fieldsOfFiles(
  mode: "full" | "delta",
  file: Readonly<Record<string, FieldNumbers>>,
  history: FeedHistory,
): FieldFacts[] {
  const newestFirst = history.toSorted((a, b) => b.asOfMs - a.asOfMs);
  return Object.entries(file).flatMap(([field, after]) => {
    const past = newestFirst
      .map((one) => (Object.hasOwn(one.fields ?? {}, field) ? one.fields?.[field] : undefined))
      .filter((one) => one !== undefined)
      .slice(0, USUAL_FILES);
    const last = past[0];
    if (last === undefined) return [];
    const totalOf = (one: FieldNumbers) =>
      mode === "full" ? one.total : (one.total / Math.max(one.values, 1)) * after.values;
    const medians = past.map((one) => one.median).filter((median) => median !== undefined);
    const total = nearest(after.total, [totalOf(last), medianOf(past.map(totalOf))]);
    const median = nearest(after.median ?? 0, [...medians.slice(0, 1), medianOf(medians)]);
    const before = { ...last, total, ...(Number.isNaN(median) ? {} : { median }) };
    return [{ field, before, after }];
  });
}

/** Of two references the one that a value is fewer times greater or smaller than. NaN is none. */
function nearest(value: number, references: readonly number[]): number {
  const away = (reference: number) => Math.abs(Math.log(value) - Math.log(reference));
  return references.reduce((best, one) => (Number.isNaN(best) || away(one) < away(best) ? one : best), Number.NaN);
}

/** The rows that would change, before and after: where parse did not count, and for fields that a file leaves as they were. */
export function fieldsOfSamples(samples: readonly Sample[], numeric: readonly string[]): FieldFacts[] {
  const changed = samples.filter((sample) => sample.kind === "changed");
  return numeric.map((field) => {
    const before = new FieldTally();
    const after = new FieldTally();
    for (const sample of changed) {
      before.add(sample.before[field]);
      after.add(sample.after[field]);
    }
    return { field, before: before.numbers, after: after.numbers };
  });
}
