/**
 * A real Postgres server behind the Neon endpoint: one pool per database, the database chosen by the request, so that
 * tests can have many databases behind one endpoint. Host and user are always those given at the start.
 */
import pg from "pg";
import type { Backend, RunOptions } from "./neon-endpoint.ts";
import {
  DatabaseRefusal,
  databaseErrorFields,
  type Query,
  type QueryOutput,
  startTransaction,
  type TransactionModes,
} from "./neon-protocol.ts";

/** More than the 6 simultaneous connections of a Worker, so that waiting happens in Postgres where tests can see it. */
const MAX_CONNECTIONS_PER_DATABASE = 20;
/** Short: every test has a database of its own, and the server's connections are shared by all of them. */
const IDLE_CONNECTION_MS = 5_000;
/** A server that does not answer for this long is reported as gone. Covers waiting for a free connection, too. */
const CONNECT_TIMEOUT_MS = 30_000;

export interface PgBackend extends Backend {
  /** Closes the connections to one database, so that it can be dropped or used as a template. */
  closeDatabase(database: string): Promise<void>;
}

/** `types` for pg that leave every value as the text Postgres wrote. */
const RAW_TEXT = { getTypeParser: () => (value: unknown) => value };

export function pgBackend(connectionString: string): PgBackend {
  const pools = new Map<string, pg.Pool>();
  // A connection lost while it is checked out emits `error`; without a listener that would end the process.
  const lost = new WeakMap<pg.PoolClient, Error>();

  const poolOf = (database: string): pg.Pool => {
    const existing = pools.get(database);
    if (existing !== undefined) return existing;
    const pool = new pg.Pool({
      connectionString: withDatabase(connectionString, database),
      max: MAX_CONNECTIONS_PER_DATABASE,
      idleTimeoutMillis: IDLE_CONNECTION_MS,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    });
    pool.on("connect", (client) => client.on("error", (error) => lost.set(client, error)));
    pool.on("error", (error, client) => lost.set(client, error));
    pools.set(database, pool);
    return pool;
  };

  const cancel = async (database: string, client: pg.PoolClient): Promise<void> => {
    const canceller = new pg.Client(withDatabase(connectionString, database));
    canceller.on("error", (error) => console.warn(`A query could not be cancelled: ${error.message}`));
    await canceller.connect();
    await canceller.query("SELECT pg_cancel_backend($1)", [Reflect.get(client, "processID")]);
    await canceller.end();
  };

  return {
    async run(queries, { database, transaction, signal }: RunOptions) {
      const client = await poolOf(database).connect().catch(refuseOrRethrow("connecting"));
      let cancelled: Promise<void> | undefined;
      const onAbort = () => {
        cancelled = cancel(database, client).catch((error: unknown) => {
          console.warn(`A query whose client has gone could not be cancelled: ${String(error)}`);
        });
      };
      signal.addEventListener("abort", onAbort, { once: true });
      try {
        signal.throwIfAborted();
        return transaction === undefined
          ? [await runOne(client, queries[0])]
          : await runTransaction(client, queries, transaction);
      } catch (error) {
        // The end of the connection itself is noticed a moment later; the next request must not get it until then.
        if (endsTheSession(error)) lost.set(client, error instanceof Error ? error : new Error(String(error)));
        return refuseOrRethrow("running")(error);
      } finally {
        signal.removeEventListener("abort", onAbort);
        await cancelled;
        // Not idle (a lone BEGIN) or cancelled late: the next request must not inherit it. Neon discards these, too.
        const unfit = signal.aborted || lost.has(client) || client.getTransactionStatus() !== "I";
        client.release(unfit);
      }
    },
    async closeDatabase(database) {
      const pool = pools.get(database);
      pools.delete(database);
      await pool?.end();
    },
    async close() {
      const all = [...pools.values()];
      pools.clear();
      await Promise.all(all.map((pool) => pool.end()));
    },
  };
}

/** The same server and user with another database. */
export function withDatabase(connectionString: string, database: string): string {
  const url = new URL(connectionString);
  // encodeURI, because that is what pg undoes.
  url.pathname = `/${encodeURI(database)}`;
  return url.href;
}

async function runTransaction(
  client: pg.PoolClient,
  queries: readonly Query[],
  modes: TransactionModes,
): Promise<QueryOutput[]> {
  await client.query(startTransaction(modes));
  try {
    const outputs: QueryOutput[] = [];
    for (const query of queries) outputs.push(await runOne(client, query));
    await client.query("COMMIT");
    return outputs;
  } catch (error) {
    // A connection that cannot even roll back is discarded by the caller: its transaction status is not idle.
    if (!endsTheSession(error)) await client.query("ROLLBACK");
    throw error;
  }
}

async function runOne(client: pg.PoolClient, query: Query | undefined): Promise<QueryOutput> {
  const { fields, rows, command, rowCount } = await client.query<(string | null)[]>({
    text: query?.text ?? "",
    values: [...(query?.params ?? [])],
    rowMode: "array",
    types: RAW_TEXT,
    // Several commands in one string are an error with Neon, as with every prepared statement.
    queryMode: "extended",
  } as pg.QueryArrayConfig);
  return {
    fields: fields.map(({ name, dataTypeID, tableID, columnID, dataTypeSize, dataTypeModifier }) => ({
      name,
      dataTypeID,
      tableID,
      columnID,
      dataTypeSize,
      dataTypeModifier,
    })),
    rows,
    command: command ?? "",
    rowCount,
  };
}

/** FATAL and PANIC end the session: the statement's fate is unknown, which is not a refusal. */
function endsTheSession(error: unknown): boolean {
  const fields = databaseErrorFields(error);
  return fields === undefined || fields.severity === "FATAL" || fields.severity === "PANIC";
}

const refuseOrRethrow =
  (phase: "connecting" | "running") =>
  (error: unknown): never => {
    const fields = databaseErrorFields(error);
    const refused =
      phase === "running"
        ? !endsTheSession(error)
        : // While connecting everything is FATAL; a wrong user or database will not pass by itself (classes 28, 3D).
          fields?.code !== undefined && /^(28|3D)/.test(fields.code);
    if (refused && fields !== undefined) throw new DatabaseRefusal((error as Error).message, fields, error);
    throw error;
  };
