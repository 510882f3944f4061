/** How the statements of reconcile are sent: again, where that may help. */
import { attempt } from "../domain/attempt.ts";
import type { ReconcileDeps } from "./deps.ts";

export type Asking = Pick<ReconcileDeps, "database" | "sleep" | "random">;

export const rowsOf = <Row>(deps: Asking, text: string, params: readonly unknown[]): Promise<Row[]> =>
  attempt(deps, () => deps.database.query<Row>(text, params));

const ISO = `'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'`;

/** A time as ISO 8601 in UTC: the driver may answer times as text or as Date. */
export const iso = (column: string): string => `to_char(${column} AT TIME ZONE 'UTC', ${ISO})`;
