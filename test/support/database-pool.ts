/** Connections of Postgres' own protocol to a test's database. Node only: workerd tests must not import it. */
import pg from "pg";
import type { FreshDatabase } from "./database.ts";

/** End it before the database is dropped. */
export function openPool(database: Pick<FreshDatabase, "directUrl">, options: pg.PoolConfig = {}): pg.Pool {
  const pool = new pg.Pool({ connectionString: database.directUrl, ...options });
  // Tests end backends on purpose; an idle connection lost that way is no error of the process.
  pool.on("error", (error) => console.info(`A pooled test connection was lost: ${error.message}`));
  return pool;
}
