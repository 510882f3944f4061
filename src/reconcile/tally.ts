/** The numbers of a comparison, counted page by page, and its first rows. */
import type { Drift } from "./compare.ts";
import type { DriftNumbers } from "./verdict.ts";
import type { Walk } from "./walk.ts";

/** Rows of a report that are kept for people, unexplained ones first; the numbers count all. */
const DRIFT_ROWS_STORED = 1_000;

export class DriftTally {
  #kinds = { "missing-here": 0, "missing-there": 0, differs: 0 };
  #drift = 0;
  #retire = 0;
  readonly #explained: Record<string, number> = {};
  readonly #open: Drift[] = [];
  readonly #others: Drift[] = [];

  add(drift: Drift): void {
    const { kind, explanation } = drift;
    this.#kinds[kind]++;
    if (explanation === undefined) {
      this.#drift++;
      if (kind === "missing-there") this.#retire++;
    } else this.#explained[explanation.reason] = (this.#explained[explanation.reason] ?? 0) + 1;
    const list = explanation === undefined ? this.#open : this.#others;
    if (list.length < DRIFT_ROWS_STORED) list.push(drift);
  }

  numbers({ seal, snapshotRows, records }: Walk): DriftNumbers {
    return {
      seal,
      snapshotRows,
      records,
      missingHere: this.#kinds["missing-here"],
      missingThere: this.#kinds["missing-there"],
      differs: this.#kinds.differs,
      drift: this.#drift,
      retire: this.#retire,
      explained: this.#explained,
    };
  }

  /** Unexplained ones first. */
  rows(): Drift[] {
    return [...this.#open, ...this.#others].slice(0, DRIFT_ROWS_STORED);
  }
}
