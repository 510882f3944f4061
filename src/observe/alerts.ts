/**
 * Alerts: trouble that somebody should look at, as rows. One row lasts from the first sign until it is over: the same
 * trouble again is counted in it, so a storm is one alert. What is raised and cleared is also said in the log, once.
 */
import { type Database, storable } from "../platform/postgres.ts";
import type { Log } from "./log.ts";

export interface Alert {
  /** What sort of trouble, e.g. `dead-letters-growing`. Stable: people filter by it. */
  readonly kind: string;
  /** What it is about, e.g. the stage. Kind and subject together name an alert. */
  readonly subject: string;
  /** `critical`: work stands still or is lost if nobody acts. */
  readonly severity: "warning" | "critical";
  /** One plain sentence, without values of customers' records. */
  readonly detail: string;
}

export interface AlertDeps {
  readonly database: Pick<Database, "query">;
  readonly log: Log;
}

/** Opens the alert, or counts it where it is open. Throws the database's failures; an answer that was lost counts twice. */
export async function raiseAlert({ database, log }: AlertDeps, alert: Alert): Promise<void> {
  const { kind, subject, severity, detail } = alert;
  const [row] = await database.query<{ times: number }>(
    `INSERT INTO alerts AS a (kind, subject, severity, detail) VALUES ($1, $2, $3, $4)
     ON CONFLICT (kind, subject) WHERE cleared_at IS NULL
     DO UPDATE SET severity = excluded.severity, detail = excluded.detail, last_at = now(), times = a.times + 1
     RETURNING times`,
    [kind, storable(subject), severity, storable(detail)],
  );
  if (row?.times === 1) log.error("alert-raised", { kind, subject, severity, detail });
}

/** Ends the alert, if it is open. Throws the database's failures. */
export async function clearAlert({ database, log }: AlertDeps, kind: string, subject: string): Promise<void> {
  const cleared = await database.query(
    "UPDATE alerts SET cleared_at = now() WHERE kind = $1 AND subject = $2 AND cleared_at IS NULL RETURNING id",
    [kind, storable(subject)],
  );
  if (cleared.length > 0) log.info("alert-cleared", { kind, subject });
}
