/**
 * The blast-radius gate: may a file be applied, or would it do so much more than the feed's files usually do that a person
 * should look first? Pure, and without a clock: all times are held against the file's own, so a replay is judged alike.
 */
import { GATE_CHECKS, type GateCheck, type GatePolicy } from "../domain/gate-policy.ts";
import { CHECKS, type Judged, LACKING } from "./checks.ts";
import type { Answered, FeedHistory, Judgement, PlanFacts, Sample, Tripped } from "./facts.ts";
import { tellingRows } from "./telling.ts";

/**
 * `samples`: what is at hand of the rows that would change, be retired and be new, spread evenly over the file; of the changed
 * ones all, or a thousand, which tell a share to within three in a hundred.
 */
export function judge(
  facts: PlanFacts,
  history: FeedHistory,
  samples: readonly Sample[],
  policy: GatePolicy,
): Judgement {
  const judged = { facts, history, samples, policy };
  const all: Tripped[] = [];
  const unjudged: GateCheck[] = [];
  for (const check of GATE_CHECKS) {
    if (changesNothing(facts) && !BINDS_LATER_FILES.has(check)) continue;
    // The rows of a file without rows are told by that check.
    if (check === "rowCount" && all.some((one) => one.check === "emptyFile")) continue;
    const answer = ask(check, judged);
    if (answer === LACKING) unjudged.push(check);
    else all.push(...answer);
  }
  const tripped = all.filter((one) => !facts.answered?.some((answered) => answers(answered, one)));
  if (tripped.length === 0) return { verdict: "go", tripped, telling: [], unjudged };
  return { verdict: "hold", tripped, telling: tellingRows(facts, samples, tripped), unjudged };
}

/** The world goes on while a file is held: by so much more than was told, somebody is asked again. */
const GROWN = 1.25;

/** Whether who released a file from the one has said what to do about the other. */
function answers({ check, field, evidence: told }: Answered, { evidence: { found, limit }, ...now }: Tripped): boolean {
  if (check !== now.check || (told !== undefined && field !== now.field)) return false;
  if (told === undefined) return true;
  return found > limit ? found <= told.found * GROWN : found >= told.found / GROWN;
}

/** Also of a file that changes nothing itself: its time would keep out what comes after it. */
const BINDS_LATER_FILES: ReadonlySet<GateCheck> = new Set(["asOfFuture"]);

/** Nothing to hold it for: the same list again, however odd, does no harm. */
const changesNothing = ({ inserted, changed, retired }: PlanFacts): boolean =>
  inserted === 0 && changed === 0 && retired === 0;

function ask<C extends GateCheck>(check: C, judged: Judged): ReturnType<(typeof CHECKS)[C]> | [] {
  const limits = judged.policy[check];
  if (limits === "off") return [];
  const asked = CHECKS[check] as (judged: Judged, limits: unknown) => ReturnType<(typeof CHECKS)[C]>;
  return asked(judged, limits);
}
