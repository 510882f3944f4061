/**
 * Rows put where a test needs them, however they would have come there: the triggers that refuse such moves sleep for
 * this one transaction. Foreign keys sleep, too; checks do not.
 */
import type { FreshDatabase } from "./database.ts";

type Sql = Pick<FreshDatabase["sql"], "query" | "transaction">;

/** Runs one statement with all triggers asleep and answers its rows. */
export async function force(
  sql: Sql,
  statement: string,
  params: readonly unknown[] = [],
): Promise<Record<string, unknown>[]> {
  const [, rows] = await sql.transaction([
    sql.query("SET LOCAL session_replication_role = replica"),
    sql.query(statement, [...params]),
  ]);
  return rows as Record<string, unknown>[];
}
