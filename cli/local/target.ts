/** Which database a command means: Neon itself, any Postgres (through our own endpoint), or the local stack's. */
import { type Arguments, type Option, textOption, UsageError } from "../command.ts";
import { startDatabase } from "./database.ts";

export const databaseOption: Readonly<Record<string, Option>> = {
  database: { type: "string", help: "postgres://… (default: DATABASE_URL)" },
};

export interface Target {
  readonly connectionString: string;
  /** Absent: Neon's own endpoint. */
  readonly fetchEndpoint?: string;
}

/** Neon's hosts speak SQL over HTTP themselves; before any other Postgres our endpoint is put for the while. */
export async function withDatabase<T>(args: Arguments, use: (target: Target) => Promise<T>): Promise<T> {
  const url = textOption(args, "database") ?? process.env.DATABASE_URL;
  if (!url) throw new UsageError("say which database with --database or DATABASE_URL", "no-database");
  if (!/^postgres(ql)?:\/\//.test(url) || !URL.canParse(url))
    throw new UsageError("the database URL must begin with postgres://", "no-database");
  if (new URL(url).hostname.endsWith(".neon.tech")) return use({ connectionString: url });
  const database = await startDatabase({ url });
  try {
    return await use({ connectionString: database.connectionString, fetchEndpoint: database.endpointUrl });
  } finally {
    await database.stop();
  }
}
