/** GET /v1/health: for load balancers and uptime checks. Strangers may ask, so it says up or down and nothing else. */
import { sql } from "drizzle-orm";
import type { OpenCall } from "../deps.ts";
import { traceOf } from "../problem/from-error.ts";

/** Neon wakes within a second; what answers later than this is down to the one who asks. */
export const HEALTH_TIMEOUT_MS = 5_000;

export async function health({ c, deps }: OpenCall): Promise<Response> {
  const up = await answers(deps);
  const body = { status: up ? "ok" : "degraded", database: up ? "up" : "down", version: deps.version };
  return c.json(body, up ? 200 : 503);
}

async function answers({ db, log }: OpenCall["deps"]): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<false>();
  const timer = setTimeout(() => resolve(false), HEALTH_TIMEOUT_MS);
  const asked = db.execute(sql`select 1`).then(
    () => true,
    (thrown: unknown) => {
      log.error("api.health-database-down", traceOf(thrown));
      return false;
    },
  );
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}
