import { type FieldNumbers, FieldTally } from "../../src/domain/field-numbers.ts";

/** The numbers of a column with these values. */
export function numbersOf(values: readonly unknown[]): FieldNumbers {
  const tally = new FieldTally();
  for (const value of values) tally.add(value);
  return tally.numbers;
}
