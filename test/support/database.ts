/**
 * A database of a test's own. Everything goes over HTTP, so this works in Node and in workerd alike; tests that need a
 * connection (locks, COPY, EXPLAIN) take `openPool` from `database-pool.ts`, which is for Node only.
 */
import { type NeonQueryFunction, neon, neonConfig } from "@neondatabase/serverless";
import { inject } from "vitest";
import { localFetchEndpoint } from "../../cli/local/neon-protocol.ts";

export interface FreshDatabase {
  readonly name: string;
  /** For `neon()`: its host and port are the endpoint's. */
  readonly connectionString: string;
  /** Postgres' own address, for `pg`. */
  readonly directUrl: string;
  readonly sql: NeonQueryFunction<false, false>;
  drop(): Promise<void>;
}

/** A clone of the template with all migrations applied. Points the Neon driver at local endpoints. */
export function freshDatabase(): Promise<FreshDatabase> {
  return createDatabase("/databases");
}

/** A database with nothing in it. */
export function emptyDatabase(): Promise<FreshDatabase> {
  return createDatabase("/databases/empty");
}

async function createDatabase(door: string): Promise<FreshDatabase> {
  neonConfig.fetchEndpoint = localFetchEndpoint;
  const created = await admin<Omit<FreshDatabase, "sql" | "drop">>(door);
  return {
    ...created,
    sql: neon(created.connectionString),
    async drop() {
      await admin("/databases/drop", { name: created.name });
    },
  };
}

async function admin<T>(door: string, body?: unknown): Promise<T> {
  const response = await fetch(`${inject("adminUrl")}${door}`, { method: "POST", body: JSON.stringify(body ?? null) });
  const answer = await response.text();
  if (!response.ok) throw new Error(`The test database said ${response.status}: ${answer}`);
  return JSON.parse(answer) as T;
}
