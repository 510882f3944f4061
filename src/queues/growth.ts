/** Says when dead letters pile up, and when they are decided again. */
import { type AlertDeps, clearAlert, raiseAlert } from "../observe/alerts.ts";

/**
 * More open letters of one stage than this are no single cases any more: nobody decides fifty one by one, so there is a
 * cause to be found.
 */
export const MANY_OPEN_LETTERS = 50;
/**
 * More open letters of one stage than this within the last hour: something broke just now. A customer mails a few files an
 * hour; twenty that die at once are more than one bad mail.
 */
export const MANY_LETTERS_AN_HOUR = 20;

export const GROWING = "dead-letters-growing";

export interface OpenLetters {
  readonly open: number;
  /** Of these, those that died within the last hour. */
  readonly lastHour: number;
}

/**
 * What follows from a count. Between the two, an alert stays as it is: what was raised within an hour is over when letters
 * are decided, not when the hour is.
 */
export function growthOf({ open, lastHour }: OpenLetters): "raise" | "clear" | "leave" {
  if (open > MANY_OPEN_LETTERS || lastHour > MANY_LETTERS_AN_HOUR) return "raise";
  return open <= MANY_LETTERS_AN_HOUR ? "clear" : "leave";
}

interface CountRow {
  readonly open: number;
  readonly last_hour: number;
  readonly cause: string | null;
  readonly of_cause: number;
}

/** Counts the open letters of a stage and raises or clears its alert. Throws the database's failures. */
export async function watchGrowth(deps: AlertDeps, stage: "parse" | "apply"): Promise<void> {
  const [row] = await deps.database.query<CountRow>(
    `WITH c AS (
       SELECT cause, count(*)::int AS open, (count(*) FILTER (WHERE last_at > now() - interval '1 hour'))::int AS last_hour
       FROM dead_letters WHERE stage = $1 AND state = 'open' GROUP BY cause)
     SELECT coalesce(sum(open), 0)::int AS open, coalesce(sum(last_hour), 0)::int AS last_hour,
            (array_agg(cause ORDER BY open DESC, cause))[1] AS cause, coalesce(max(open), 0)::int AS of_cause
     FROM c`,
    [stage],
  );
  if (row === undefined) return;
  const counted = { open: row.open, lastHour: row.last_hour };
  const next = growthOf(counted);
  if (next === "clear") await clearAlert(deps, GROWING, stage);
  if (next !== "raise") return;
  const most = row.cause === null ? "" : `; most of them for ${row.cause} (${row.of_cause})`;
  await raiseAlert(deps, {
    kind: GROWING,
    subject: stage,
    severity: "critical",
    detail: `${row.open} messages of the ${stage} stage wait for an operator's decision, ${row.last_hour} of them since less than an hour${most}.`,
  });
}
