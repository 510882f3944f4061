/** Seeds that showed many mutations at once when they were last tried: what a run is spared when these come first. */
const FIRST = ["1", "2", "4", "16", "25", "53", "31", "21", "5", "9", "3", "11"];
/** A mutation that survives so many runs is not seen by the simulator. The rarest took 53. */
const RUNS = 200;

/** The runs that every mutation is tried with, in this order, until the first violation. */
export const SEEDS: readonly string[] = [
  ...new Set([...FIRST, ...Array.from({ length: RUNS }, (_, i) => String(i + 1))]),
];
