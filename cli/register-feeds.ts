/** Brings the rows of customers and feeds in line with the adapters of this checkout. */
import { feeds } from "../adapters/index.ts";
import type { Sql } from "./migrate.ts";

export async function registerFeeds(sql: Sql): Promise<void> {
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
}
