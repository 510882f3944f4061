/** GET /v1/jobs: what the timers do, and how it went the last time: the sweep, and every job of upkeep. For operators. */
import { jobs } from "../../platform/schema.ts";
import type { Call } from "../deps.ts";
import { readQuery } from "../query/query.ts";
import { iso } from "./present.ts";

export async function listJobs({ c, deps }: Call): Promise<Response> {
  readQuery(c, {});
  const rows = await deps.db.select().from(jobs).orderBy(jobs.name);
  const now = deps.now();
  return c.json({
    items: rows.map((row) => ({
      name: row.name,
      running: row.leaseUntil !== null && row.leaseUntil > now,
      last_started_at: iso(row.lastStartedAt),
      last_ok_at: iso(row.lastOkAt),
      error: row.error,
      result: row.result,
    })),
  });
}
