/** Chance from a seed: the same seed, the same draws, on every machine. */

export interface Chance {
  /** In [0, 1). */
  next(): number;
  /** A whole number from `low` to `high`, both included. */
  int(low: number, high: number): number;
  /** True with this probability. */
  hits(probability: number): boolean;
  /** One of a list, which must not be empty. */
  pick<T>(list: readonly T[]): T;
  /** A whole number between `low` and `high`, spread evenly over the orders of magnitude: long waits are rare, and long. */
  spread(low: number, high: number): number;
  /** A source of its own, so that draws here do not move draws there. */
  fork(name: string): Chance;
}

/** FNV-1a: a seed of 32 bits from a text. */
function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** Mulberry32: 32 bits of state, well mixed, and more draws than any run makes. */
export function chanceOf(seed: string): Chance {
  let state = hash32(seed);
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    int: (low, high) => low + Math.floor(next() * (high - low + 1)),
    hits: (probability) => next() < probability,
    pick<T>(list: readonly T[]): T {
      return list[Math.floor(next() * list.length)]!;
    },
    spread: (low, high) => Math.floor(low * (high / low) ** next()),
    fork: (name) => chanceOf(`${seed}/${name}`),
  };
}
