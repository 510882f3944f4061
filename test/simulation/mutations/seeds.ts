/** The runs that every mutation is tried with, those first that show the most. */
export const SEEDS: readonly string[] = Array.from({ length: 24 }, (_, i) => String(i + 1));
