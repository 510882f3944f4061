/**
 * Plan: asks the database which rows of a file differ from its records, by key and hash alone. It is the dry run, what the
 * gate between plan and apply looks at, and the reason why an unchanged file costs almost nothing.
 */
import { attempt, oneRow } from "../domain/attempt.ts";
import { type ChunkEntry, type ChunkHead, decodeHead } from "../domain/chunk.ts";
import { failure } from "../domain/failures.ts";
import { inLanes } from "../domain/lanes.ts";
import {
  chosenText,
  type DiffPlan,
  type FileToApply,
  type Fold,
  findLines,
  foldOf,
  headText,
  joinRows,
  lastLinesOf,
  type PlacedRow,
  type Plan,
  type RowsText,
  standing,
} from "../domain/plan.ts";
import type { PlanDeps } from "./deps.ts";

/** Keys asked about in one statement: two full chunks; larger ones were not faster. */
export const PLAN_MAX_ROWS = 10_000;

/**
 * `record: true` writes the answers to the ledger, once, under the lease `token`: a second attempt gets the same plan.
 * `beat` is awaited before every statement, so that the owner of the lease can renew it. `same`: what an earlier attempt has
 * found, of which some may be applied.
 * `record: false` writes nothing and needs no lease; it compares also where a recorded plan would send the whole file.
 */
export type PlanOptions =
  | { readonly record: true; readonly token: string; readonly beat: () => Promise<void>; readonly same?: number }
  | { readonly record: false };

interface PlanRow {
  readonly outcome: "planned" | "replayed" | "lease-lost";
  readonly inserted: number;
  readonly changed: number;
  readonly unchanged: number;
  readonly stale: number;
  /** Lines joined by commas. */
  readonly need: string;
}

/** The plan of a file. Throws `lease-lost`, `chunk-missing`, `storage-unavailable` and the database's failures. */
export async function planFile(deps: PlanDeps, file: FileToApply, options: PlanOptions): Promise<Plan> {
  const lastLines = await readLastLines(deps, file);
  const base = { accepted: file.accepted, lastLines };
  // Rows to fold stand in different chunks, which only the way by need brings together.
  const folding = file.merges && lastLines.size > 0;
  if (file.late || (options.record && file.planMode === "whole" && !folding)) {
    const superseded = lastLines.size === 0 ? 0 : await countSuperseded(deps, file, lastLines);
    if (file.late) return { ...base, mode: "late", superseded, stale: file.accepted - superseded };
    return { ...base, mode: "whole", superseded };
  }

  const folds = folding ? await readFolds(deps, file, lastLines) : new Map<number, Fold>();
  const sums = { inserted: 0, changed: 0, unchanged: 0, stale: 0, superseded: 0 };
  const need = new Map<number, readonly number[]>();
  await inLanes(
    groupsOf(file.chunks, deps.maxRows ?? PLAN_MAX_ROWS),
    async (group) => {
      const lots: Lot[] = [];
      for (const entry of group) lots.push(await readLot(deps, file, entry, lastLines, folds));
      for (const lot of lots) sums.superseded += lot.entry.rows - lot.text.rows;
      const rows = joinRows(lots.map((lot) => lot.text));
      if (rows.rows === 0) return;
      const answer = await askDatabase(deps, file, rows, options);
      sums.inserted += answer.inserted;
      sums.changed += answer.changed;
      sums.unchanged += answer.unchanged;
      sums.stale += answer.stale;
      share(answer.need, lots, need);
    },
    deps.lanes,
  );
  const plan = { ...base, mode: "diff", ...sums, same: 0, need, folds } as const;
  if (!file.merges || sums.changed === 0) return plan;
  const same = (options.record ? options.same : undefined) ?? (await countSame(deps, file, plan, options));
  return { ...plan, same, changed: plan.changed - same, unchanged: plan.unchanged + same };
}

/**
 * By the hash of a statement nobody knows what is new in it: of a merging file the rows that differ are held against what is
 * stored, as apply will.
 */
async function countSame(deps: PlanDeps, file: FileToApply, plan: DiffPlan, options: PlanOptions): Promise<number> {
  let same = 0;
  if (deps.needed === undefined) return same;
  await inLanes(
    deps.needed(file, plan),
    async ({ keys, records }) => {
      if (options.record) await options.beat();
      const found = await attempt(deps, async () =>
        oneRow(
          await deps.database.query<{ same: number }>(
            `SELECT count(*)::int AS same
             FROM (SELECT unnest(string_to_array($3, E'\\n')) AS k, unnest(string_to_array($4, E'\\n')) AS said) i
             CROSS JOIN LATERAL (SELECT FROM records x
               WHERE x.customer_id = $1::int AND x.feed_id = $2::int AND x.natural_key = i.k COLLATE "C" AND x.status = 'active'
                 AND x.data || statement_of(i.said::jsonb) = x.data LIMIT 1) r`,
            [file.customerId, file.feedId, keys, records],
          ),
        ),
      );
      same += found.same;
    },
    deps.lanes,
  );
  return same;
}

/** Neighbouring chunks of together at most `maxRows` rows: a function of the manifest, so a replay asks the same. */
export function groupsOf(chunks: readonly ChunkEntry[], maxRows: number): ChunkEntry[][] {
  const groups: ChunkEntry[][] = [];
  let rows = Number.POSITIVE_INFINITY;
  for (const entry of chunks) {
    if (rows + entry.rows > maxRows) {
      groups.push([]);
      rows = 0;
    }
    groups.at(-1)!.push(entry);
    rows += entry.rows;
  }
  return groups;
}

interface Lot {
  readonly entry: ChunkEntry;
  readonly text: RowsText;
}

async function readLot(
  deps: PlanDeps,
  file: FileToApply,
  entry: ChunkEntry,
  lastLines: ReadonlyMap<string, number>,
  folds: ReadonlyMap<number, Fold>,
): Promise<Lot> {
  const bytes = await deps.chunks.head(file, entry);
  if (lastLines.size === 0) return { entry, text: headText(bytes, entry.rows) };
  const head = decodeHead(bytes);
  return { entry, text: chosenText(head, standing(head, lastLines), folds) };
}

async function askDatabase(deps: PlanDeps, file: FileToApply, rows: RowsText, options: PlanOptions): Promise<PlanRow> {
  if (options.record) await options.beat();
  const answer = await attempt(deps, async () =>
    oneRow(
      await deps.database.query<PlanRow>(
        `SELECT outcome, inserted, changed, unchanged, stale, array_to_string(need, ',') AS need
         FROM plan_chunk($1, $2, $3, $4, $5)`,
        [file.id, options.record ? options.token : null, rows.keys, `{${rows.lines}}`, rows.hashes],
      ),
    ),
  );
  if (answer.outcome === "lease-lost") throw failure("lease-lost", { file: file.id });
  return answer;
}

/** Gives the lines that differ back to their chunks, in the order in which they stand there. */
function share(lines: string, lots: readonly Lot[], need: Map<number, readonly number[]>): void {
  if (lines === "") return;
  const wanted = lines
    .split(",")
    .map(Number)
    .sort((a, b) => a - b);
  for (const lot of lots) {
    if (lot.text.rows === 0) continue;
    const mine = findLines(lot.text.lines, wanted).map(({ line }) => line);
    if (mine.length > 0) need.set(lot.entry.n, mine);
  }
}

async function readLastLines(deps: PlanDeps, file: FileToApply): Promise<Map<string, number>> {
  const tails: ChunkHead[] = [];
  await inLanes(
    file.chunks.filter((entry) => entry.tail),
    async (entry) => {
      tails.push(decodeHead(await deps.chunks.head(file, entry)));
    },
  );
  return lastLinesOf(tails);
}

/** A part of a text keeps all of it in memory, here the head of a chunk for one of its hashes. */
const ownText = (ascii: string): string => Buffer.from(ascii, "latin1").toString("latin1");

/** All rows of every key that stands in a tail chunk: their hashes are known from the heads, their records not needed yet. */
async function readFolds(
  deps: PlanDeps,
  file: FileToApply,
  lastLines: ReadonlyMap<string, number>,
): Promise<Map<number, Fold>> {
  const rows = new Map<string, PlacedRow[]>([...lastLines.keys()].map((key) => [key, []]));
  await inLanes(file.chunks, async (entry) => {
    const head = decodeHead(await deps.chunks.head(file, entry));
    for (const [i, key] of head.keys.entries()) {
      rows.get(key)?.push({ n: entry.n, line: head.lines[i]!, hash: ownText(head.hashes[i]!) });
    }
  });
  const folds = new Map<number, Fold>();
  for (const ofKey of rows.values()) {
    const folded = foldOf(ofKey);
    if (folded !== undefined) folds.set(folded.line, folded.fold);
  }
  return folds;
}

async function countSuperseded(
  deps: PlanDeps,
  file: FileToApply,
  lastLines: ReadonlyMap<string, number>,
): Promise<number> {
  let superseded = 0;
  await inLanes(file.chunks, async (entry) => {
    const head = decodeHead(await deps.chunks.head(file, entry));
    superseded += entry.rows - standing(head, lastLines).length;
  });
  return superseded;
}
