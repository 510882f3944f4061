/** Brings a database in line with this checkout: schema, partitions for the days to come, and a row for each feed. */
import { join } from "node:path";
import { feeds } from "../adapters/index.ts";
import { PROJECT_ROOT } from "./local/settings.ts";
import { migrate, type Sql } from "./migrate.ts";

/** As many days ahead as the daily cron of the Worker makes. */
const PARTITION_DAYS = 14;

/** Answers the names of the migrations that were applied. Safe to run again and at the same time elsewhere. */
export async function bringUp(sql: Sql, onApplied?: (name: string) => void): Promise<string[]> {
  const { applied } = await migrate(sql, {
    folder: join(PROJECT_ROOT, "migrations"),
    ...(onApplied === undefined ? {} : { onApplied }),
  });
  await sql.query("SELECT ensure_change_partitions((now() AT TIME ZONE 'UTC')::date, $1)", [PARTITION_DAYS]);
  for (const f of feeds) {
    await sql.query("SELECT register_feed($1, $2, $3, $4, $5, $6)", [
      f.customer,
      f.customerTitle,
      f.feed,
      f.title,
      f.mode,
      f.version,
    ]);
  }
  return applied;
}
