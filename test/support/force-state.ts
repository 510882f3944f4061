/**
 * Rows put where a test needs them, however they would have come there: the triggers that refuse such moves sleep for
 * this one transaction. Foreign keys sleep, too; checks do not.
 */
import type { Database, Row } from "../../src/platform/postgres.ts";
import type { FreshDatabase } from "./database.ts";

const ASLEEP = "SET LOCAL session_replication_role = replica";

/** Runs one statement with all triggers asleep and answers its rows. */
export async function force(
  sql: Pick<FreshDatabase["sql"], "query" | "transaction">,
  statement: string,
  params: readonly unknown[] = [],
): Promise<Row[]> {
  const [, rows] = await sql.transaction([sql.query(ASLEEP), sql.query(statement, [...params])]);
  return rows as Row[];
}

/** The same through the driver of the stages. */
export async function forceIn<T = Row>(
  database: Pick<Database, "transaction">,
  statement: string,
  params: readonly unknown[] = [],
): Promise<T[]> {
  const [, rows] = await database.transaction([{ text: ASLEEP }, { text: statement, params }]);
  return rows as T[];
}
