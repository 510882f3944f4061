/** What is usual, by the middle and the spread of a few numbers: both shrug off a single odd file. Pure. */

/** Makes the median absolute deviation of normal noise its standard deviation. */
const MAD_TO_SIGMA = 1.4826;

/** The value in the middle; NaN of nothing. */
export function medianOf(values: readonly number[]): number {
  const inOrder = values.toSorted((a, b) => a - b);
  const middle = inOrder.length >> 1;
  if (inOrder.length === 0) return Number.NaN;
  return inOrder.length % 2 === 1 ? inOrder[middle]! : (inOrder[middle - 1]! + inOrder[middle]!) / 2;
}

/** The spread of values around their median, as a standard deviation. */
export function spreadOf(values: readonly number[]): number {
  const middle = medianOf(values);
  return MAD_TO_SIGMA * medianOf(values.map((value) => Math.abs(value - middle)));
}

export interface Band {
  readonly low: number;
  readonly middle: number;
  readonly high: number;
}

/**
 * Where counts usually lie. Taken over logarithms: a feed of 40 to 4,000 rows has a band as wide as it is, a growing one a
 * band that grows with it, and none reaches below zero. At least a `factor` wide, up and down.
 */
export function bandOf(counts: readonly number[], spreads: number, factor: number): Band {
  const logs = counts.map((count) => Math.log1p(count));
  const middle = medianOf(logs);
  const width = Math.max(spreads * spreadOf(logs), Math.log(factor));
  return { low: Math.expm1(middle - width), middle: Math.expm1(middle), high: Math.expm1(middle + width) };
}

/** Half as much again as usual is no news, however small the spread. */
const SHARE_WIDTH = 0.5;
/** Standard deviations. */
const SHARE_SPREADS = 4;

/** Where shares usually lie. */
export function shareBandOf(shares: readonly number[]): Band {
  const middle = medianOf(shares);
  const width = Math.max(SHARE_SPREADS * spreadOf(shares), SHARE_WIDTH * middle);
  return { low: Math.max(0, middle - width), middle, high: Math.min(1, middle + width) };
}
