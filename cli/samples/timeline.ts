/**
 * What happens to a feed's rows from edition to edition: some change, a few are new, none goes. An unchanged row is the
 * same to the byte in every edition.
 */
import { Random } from "./random.ts";

/** The ERP of the samples exports every four hours. */
const HOURS_BETWEEN_EDITIONS = 4;
/** New rows per edition: 3 in 1,000, but at least three, so that a small sample shows some too. */
const NEW_ROW_SHARE = 0.003;
const MIN_NEW_ROWS = 3;
/** Below this a sample has no room for its oddities. */
const MIN_ROWS = 20;

export interface Plan {
  readonly seed: number;
  readonly scale: number;
  /** When edition 1 is exported. */
  readonly now: Date;
  /** From 1. */
  readonly edition: number;
  readonly changedShare: number;
}

export interface Timeline {
  /** Rows of this edition. */
  readonly rows: number;
  /** Against the edition before: rows it had not, and rows it had otherwise. Edition 1 is all new. */
  readonly inserted: number;
  readonly changed: number;
  readonly asOf: Date;
  /** The edition, up to this one, in which row `index` last changed or came; 1 for an untouched row. */
  revisionOf(index: number): number;
  /** The edition in which row `index` first stood. */
  bornIn(index: number): number;
  /** When an edition is exported. */
  at(edition: number): Date;
}

export function timelineOf(plan: Plan, label: string, baseRows: number): Timeline {
  const first = Math.max(MIN_ROWS, Math.round(baseRows * plan.scale));
  const added = Math.max(MIN_NEW_ROWS, Math.round(first * NEW_ROW_SHARE));
  const rows = first + (plan.edition - 1) * added;
  // Changed rows are spread evenly from a drawn start: the share is exact, and a small sample has its change too.
  const starts = Array.from({ length: plan.edition + 1 }, (_, k) => new Random(plan.seed, label, k, -1).unit());
  const changesIn = (index: number, edition: number) => {
    const start = starts[edition] ?? 0;
    return Math.floor((index + 1) * plan.changedShare + start) > Math.floor(index * plan.changedShare + start);
  };
  const at = (edition: number) => new Date(plan.now.getTime() + (edition - 1) * HOURS_BETWEEN_EDITIONS * 3_600_000);
  const bornIn = (index: number) => (index < first ? 1 : 2 + Math.floor((index - first) / added));
  const revisionOf = (index: number) => {
    const born = bornIn(index);
    for (let edition = plan.edition; edition > born; edition--) if (changesIn(index, edition)) return edition;
    return born;
  };
  let changed = 0;
  for (let i = 0; plan.edition > 1 && i < rows; i++) {
    if (bornIn(i) < plan.edition && changesIn(i, plan.edition)) changed++;
  }
  return {
    rows,
    inserted: plan.edition === 1 ? first : added,
    changed,
    asOf: at(plan.edition),
    revisionOf,
    bornIn,
    at,
  };
}
