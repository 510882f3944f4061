/** PGlite (Postgres as WebAssembly, one connection) behind the Neon endpoint. The requested database name is ignored. */
import { PGlite } from "@electric-sql/pglite";
import type { Backend } from "./neon-endpoint.ts";
import {
  DatabaseRefusal,
  databaseErrorFields,
  type Query,
  type QueryOutput,
  startTransaction,
} from "./neon-protocol.ts";

/** Runs against the folder `dataDir`, which is created and initialised if it is not there. */
export async function pgliteBackend(dataDir: string): Promise<Backend> {
  const db = await PGlite.create(dataDir);
  // Values stay text in both directions. An empty set of parsers would not do: PGlite then falls back to its own.
  db.parsers = new Proxy({}, { get: () => asWritten });
  db.serializers = {};

  // One session serves everybody, so a request must have it alone from its first to its last statement.
  let last: Promise<unknown> = Promise.resolve();
  const alone = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work, work);
    last = mine;
    return mine;
  };

  return {
    run: (queries, { transaction, signal }) =>
      alone(async () => {
        signal.throwIfAborted();
        try {
          if (transaction === undefined) return [await runAlone(db, queries[0])];
          await db.exec(startTransaction(transaction));
          const outputs: QueryOutput[] = [];
          for (const query of queries) outputs.push(await runOne(db, query));
          await db.exec("COMMIT");
          return outputs;
        } catch (error) {
          if (transaction !== undefined) await db.exec("ROLLBACK");
          const fields = databaseErrorFields(error);
          if (fields === undefined) throw error;
          throw new DatabaseRefusal((error as Error).message, fields, error);
        }
      }),
    close: () => alone(() => db.close()),
  };
}

const asWritten = (text: string): string => text;

/** A lone BEGIN would hold everybody else in its transaction: it is undone, as Neon drops such a connection. */
async function runAlone(db: PGlite, query: Query | undefined): Promise<QueryOutput> {
  const output = await runOne(db, query);
  if (output.command === "BEGIN" || output.command === "START") await db.exec("ROLLBACK");
  return output;
}

async function runOne(db: PGlite, query: Query | undefined): Promise<QueryOutput> {
  const { fields, rows, command, rowCount } = await db.query<(string | null)[]>(
    query?.text ?? "",
    [...(query?.params ?? [])],
    { rowMode: "array" },
  );
  return {
    fields: fields.map(({ name, dataTypeID }) => ({
      name,
      dataTypeID,
      // PGlite's results do not tell these.
      tableID: 0,
      columnID: 0,
      dataTypeSize: -1,
      dataTypeModifier: -1,
    })),
    rows,
    command: command ?? "",
    rowCount: rowCount ?? null,
  };
}
