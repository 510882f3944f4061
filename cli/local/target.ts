/** Which database a command means: Neon itself, any Postgres (through our own endpoint), or the local stack's. */

import { neonSql } from "../../src/platform/postgres.ts";
import { type Arguments, type Option, textOption, UsageError } from "../command.ts";
import { startDatabase } from "./database.ts";

export const databaseOption: Readonly<Record<string, Option>> = {
  database: { type: "string", help: "postgres://… (default: DATABASE_URL)" },
};

/** An index on a large table takes minutes, not the seconds of a Worker's statement. */
const ADMIN_STATEMENT_TIMEOUT_MS = 30 * 60_000;

export type Target = ReturnType<typeof neonSql>;

/** Neon's hosts speak SQL over HTTP themselves; before any other Postgres our endpoint is put for the while. */
export async function withDatabase<T>(args: Arguments, use: (sql: Target) => Promise<T>): Promise<T> {
  const url = textOption(args, "database") ?? process.env.DATABASE_URL;
  if (!url) throw new UsageError("say which database with --database or DATABASE_URL", "no-database");
  if (!/^postgres(ql)?:\/\//.test(url) || !URL.canParse(url))
    throw new UsageError("the database URL must begin with postgres://", "no-database");
  if (new URL(url).hostname.endsWith(".neon.tech")) return use(neonSql(url, { timeoutMs: ADMIN_STATEMENT_TIMEOUT_MS }));
  const database = await startDatabase({ url });
  try {
    const { connectionString, endpointUrl } = database;
    return await use(neonSql(connectionString, { fetchEndpoint: endpointUrl, timeoutMs: ADMIN_STATEMENT_TIMEOUT_MS }));
  } finally {
    await database.stop();
  }
}
