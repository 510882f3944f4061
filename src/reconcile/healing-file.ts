/** The statements that make the file which heals a report: its row, what it retires, and its end. */
import type { ChunkEntry } from "../domain/chunk.ts";
import { type Asking, rowsOf } from "./asking.ts";
import type { BrokenSeal, Retirement } from "./healing.ts";

export interface HealingAttempt {
  readonly file: string;
  /** From 1; a later one makes this one void. */
  readonly attempt: number;
}

export async function beginHealing(deps: Asking, report: string): Promise<HealingAttempt | undefined> {
  const [row] = await rowsOf<HealingAttempt>(deps, "SELECT file::text, attempt FROM begin_healing($1::bigint)", [
    report,
  ]);
  return row;
}

/** More records than any feed has, so that the lists of two attempts never mix. */
const LISTED_PER_ATTEMPT = 10_000_000;
/** Attempts so far apart are never at work together; numbers stay below 2^31. */
const LISTS = 100;

/** Where the listed retirements of an attempt begin. */
export const listBegins = (attempt: number): number => (attempt % LISTS) * LISTED_PER_ATTEMPT;

export async function listRetirements(
  deps: Asking,
  { file, attempt: made }: HealingAttempt,
  report: string,
  from: number,
  records: readonly Retirement[],
): Promise<void> {
  await rowsOf(
    deps,
    `INSERT INTO listed_retirements (file_id, n, natural_key, record_id, version)
     SELECT x.id, $3::int + r.n::int, r.row ->> 0, (r.row ->> 1)::bigint, (r.row ->> 2)::int
     FROM (SELECT h.id FROM drift_reports d JOIN files h ON h.id = d.healing_file_id
           WHERE d.id = $2::bigint AND h.id = $1::bigint AND h.state = 'parsing' AND d.attempts = $4::int FOR SHARE OF h) x
     CROSS JOIN jsonb_array_elements($5::jsonb) WITH ORDINALITY AS r(row, n)
     ON CONFLICT DO NOTHING`,
    [file, report, listBegins(made) + from, made, JSON.stringify(records.map((r) => [r.key, r.id, r.version]))],
  );
}

export async function breakSeals(
  deps: Asking,
  customerId: number,
  feedId: number,
  seals: readonly BrokenSeal[],
): Promise<void> {
  await rowsOf(deps, "SELECT break_seals($1::int, $2::int, $3::jsonb)", [customerId, feedId, JSON.stringify(seals)]);
}

/** False: a later attempt is at it, or the report is not to be healed any more. */
export async function endHealing(
  deps: Asking,
  report: string,
  made: number,
  file: { readonly chunks: readonly ChunkEntry[]; readonly accepted: number; readonly merges: boolean },
): Promise<boolean> {
  const rows = await rowsOf<{ ended: boolean }>(
    deps,
    "SELECT end_healing($1::bigint, $2::int, $3::jsonb, $4::int, $5::boolean, $6::int) AS ended",
    [report, made, JSON.stringify(file.chunks), file.accepted, file.merges, listBegins(made)],
  );
  return rows[0]?.ended === true;
}
