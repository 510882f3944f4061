/**
 * The dry run: what a parsed file would do if it were applied now. The same plan, the same forecast of what is retired and the
 * same gate as on the way to apply, and nothing is written but what planning notes of this file alone, which goes again when
 * it ends. Nobody is told here.
 */
import type { Effect, HoldReason } from "../domain/effect.ts";
import { failure, report } from "../domain/failures.ts";
import type { DiffPlan, FileToApply, Plan } from "../domain/plan.ts";
import { retirements } from "../domain/retirement.ts";
import type { DryRunDeps, Lacking } from "./deps.ts";
import { type ComparedRow, Differences, retiredRow } from "./differences.ts";

/** Rows that are compared value by value; of more, so many at even distances. They take about a second where it was measured. */
export const LOOKED_MAX_ROWS = 50_000;
/** Records asked for by one statement: a few MB of answer at the widest. */
const ASK_MAX_ROWS = 1_000;

/**
 * @param rejected rows that parse refused
 *
 * Throws `file-missing`, `chunk-missing`, `storage-unavailable`, the database's failures, and `database-conflict` where another
 * worker compares the same file at the same moment.
 */
export async function dryRunFile(
  deps: DryRunDeps,
  fileId: string,
  rejected: number,
  lookedMaxRows = LOOKED_MAX_ROWS,
): Promise<Effect> {
  const { tables } = deps;
  const file = await deps.readFile(fileId);
  if (file.feedMode === "snapshot") return neverApplied(deps, file, rejected);
  await tables.forget(fileId);
  const plan = await deps.plan(file);
  const lacking = await tables.lacking(fileId);
  // What the file lacks is told from what was noted while it was planned: that must be all of this plan, and nothing else.
  if (plan.mode === "diff" && lacking.planned !== plan.accepted - plan.superseded) {
    throw failure("database-conflict", { sqlstate: "40001" });
  }
  const differences = new Differences(plan.mode === "diff" ? plan.inserted : 0);
  if (plan.mode === "diff") {
    for await (const row of comparedRows(deps, file, thinned(plan, lookedMaxRows))) differences.add(row);
  }
  const { reasons: judged, unjudged } = await deps.judge(file, plan, lacking);
  const reasons = [...waiting(file, lacking), ...judged];
  const numbers = numbersOf(plan);
  const { missing, bar } = lacking;
  return {
    at: deps.now().toISOString(),
    mode: file.feedMode === "full" ? "full" : "delta",
    records: lacking.active,
    rows: file.accepted + rejected,
    accepted: file.accepted,
    rejected,
    ...numbers,
    retired: retirements(lacking),
    kept: bar === undefined || bar === "not-full" || missing === 0 ? null : { records: missing, because: bar },
    fields: differences.fields(plan.mode === "diff" ? neededRows(plan) : 0),
    examples: [
      ...differences.examples(),
      ...(bar === undefined ? lacking.sample.map(({ key, before }) => retiredRow(key, before)) : []),
    ],
    verdict: reasons.length === 0 ? "apply" : "hold",
    reasons,
    unjudged,
  };
}

/** What a snapshot says is held against another feed and never applied itself. */
function neverApplied({ now }: Pick<DryRunDeps, "now">, { accepted }: FileToApply, rejected: number): Effect {
  return {
    at: now().toISOString(),
    mode: "snapshot",
    records: 0,
    rows: accepted + rejected,
    accepted,
    rejected,
    inserted: 0,
    changed: 0,
    unchanged: 0,
    stale: 0,
    superseded: 0,
    retired: 0,
    kept: null,
    fields: { exact: true, counts: [] },
    examples: [],
    verdict: "hold",
    reasons: [
      {
        check: "snapshot",
        sentence: "The files of this feed are only held against the records of another one, and never loaded.",
      },
    ],
    unjudged: [],
  };
}

type Numbers = Pick<Effect, "inserted" | "changed" | "unchanged" | "stale" | "superseded">;

function numbersOf(plan: Plan): Numbers {
  const { superseded } = plan;
  switch (plan.mode) {
    case "diff": {
      const { inserted, changed, unchanged, stale } = plan;
      return { inserted, changed, unchanged, stale, superseded };
    }
    case "late":
      return { inserted: 0, changed: 0, unchanged: 0, stale: plan.stale, superseded };
    case "whole":
      // A plan that sends every row unseen is made for apply alone.
      throw failure("internal-error", { message: "a dry run was planned without comparing" });
  }
}

const neededRows = ({ inserted, changed, same }: DiffPlan): number => inserted + changed + same;

/** The plan with as many of its lines as are looked at, at even distances over the whole file. */
export function thinned(plan: DiffPlan, maxRows: number): DiffPlan {
  const rows = neededRows(plan);
  if (rows <= maxRows) return plan;
  const need = new Map<number, readonly number[]>();
  let at = 0;
  let taken = 0;
  for (const [n, lines] of [...plan.need].sort(([a], [b]) => a - b)) {
    const mine = lines.filter(() => {
      const take = Math.floor((++at * maxRows) / rows) > taken;
      if (take) taken++;
      return take;
    });
    if (mine.length > 0) need.set(n, mine);
  }
  return { ...plan, need };
}

async function* comparedRows(deps: DryRunDeps, file: FileToApply, plan: DiffPlan): AsyncGenerator<ComparedRow> {
  for await (const { keys, lines, records, rows } of deps.rows(file, plan, ASK_MAX_ROWS)) {
    if (rows === 0) continue;
    const keyList = keys.split("\n");
    const known = new Map((await deps.tables.stored(file, keyList)).map((one) => [one.key, one]));
    const lineList = lines.split(",");
    for (const [i, text] of records.split("\n").entries()) {
      const key = keyList[i]!;
      const before = known.get(key);
      const said = JSON.parse(text) as Data | readonly Data[];
      const parts = Array.isArray(said) ? (said as readonly Data[]) : [said as Data];
      yield {
        key,
        line: Number(lineList[i]),
        after: laidOver(file, before?.data, parts),
        ...(before === undefined ? {} : { before }),
      };
    }
  }
}

/** Once it is sent for real, it waits for what is decided about an earlier file. What is read again waits for nobody. */
function waiting({ cause }: FileToApply, { behind }: Lacking): HoldReason[] {
  if (behind === null || cause !== "dry-run") return [];
  const { code: check, sentence } = report("behind-held-file", { file: behind });
  return [{ check, sentence }];
}

type Data = Readonly<Record<string, unknown>>;

/** A row of a merging file says some fields and leaves the others as they are; several rows of one record, later over earlier. */
function laidOver({ merges }: Pick<FileToApply, "merges">, before: Data | undefined, parts: readonly Data[]): Data {
  let data: Data = merges && before !== undefined ? before : {};
  for (const part of parts) data = { ...data, ...part };
  return data;
}
