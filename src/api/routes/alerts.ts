/** GET /v1/alerts: trouble that somebody should look at, the latest first. For operators. */
import { and, desc, eq, isNotNull, isNull, sql } from "drizzle-orm";
import { alerts } from "../../platform/schema.ts";
import type { Call } from "../deps.ts";
import { asMicros, fromMicros, idKey, microsKey, pageOf, readCursor } from "../pages/page.ts";
import { oneOf, pageParameters, readQuery, textParameter } from "../query/query.ts";
import { iso } from "./present.ts";

const LIST = "alerts";

export async function listAlerts({ c, deps }: Call): Promise<Response> {
  const query = readQuery(c, {
    kind: textParameter.optional(),
    state: oneOf(["open", "cleared"]).default("open"),
    ...pageParameters,
  });
  const after = query.cursor === undefined ? undefined : readCursor(LIST, query.cursor, [microsKey, idKey]);
  const rows = await deps.db
    .select({ alert: alerts, micros: asMicros(alerts.lastAt) })
    .from(alerts)
    .where(
      and(
        query.state === "open" ? isNull(alerts.clearedAt) : isNotNull(alerts.clearedAt),
        query.kind === undefined ? undefined : eq(alerts.kind, query.kind),
        after && sql`(${alerts.lastAt}, ${alerts.id}) < (${fromMicros(after[0])}, ${after[1]}::bigint)`,
      ),
    )
    .orderBy(desc(alerts.lastAt), desc(alerts.id))
    .limit(query.limit + 1);
  const page = pageOf(
    LIST,
    rows,
    query.limit,
    (row) => [row.micros, row.alert.id],
    ({ alert }) => ({
      id: alert.id,
      kind: alert.kind,
      subject: alert.subject,
      severity: alert.severity,
      detail: alert.detail,
      times: alert.times,
      first_at: iso(alert.firstAt),
      last_at: iso(alert.lastAt),
      cleared_at: iso(alert.clearedAt),
    }),
  );
  return c.json(page);
}
