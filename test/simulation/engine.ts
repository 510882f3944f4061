/**
 * The real database under a simulation: Postgres in this process (PGlite) with every migration applied, asked in the
 * protocol of the product's own driver. Postgres takes the time from the process, so virtual time holds in SQL, too:
 * defaults, leases, ages.
 */
import { join } from "node:path";
import { neon, neonConfig } from "@neondatabase/serverless";
import {
  DatabaseRefusal,
  parseRequest,
  type QueryOutput,
  renderError,
  renderResults,
} from "../../cli/local/neon-protocol.ts";
import { pgliteBackend } from "../../cli/local/pglite-backend.ts";
import { migrate } from "../../cli/migrate.ts";

const MIGRATIONS = join(import.meta.dirname, "../../migrations");
const CONNECTION = "postgresql://simulation:simulation@database.invalid/simulation";

export interface Answer {
  readonly status: number;
  readonly body: string;
}

export interface Engine {
  /** Carries out one request of the driver, atomically. */
  answer(headers: Readonly<Record<string, string>>, body: string): Promise<Answer>;
  /** Rows as the driver of the product gives them. For the model: no fault touches it. */
  rows<Row>(text: string, params?: readonly unknown[]): Promise<Row[]>;
  /** Empties every table and begins all ids anew. */
  reset(): Promise<void>;
  close(): Promise<void>;
}

/** Makes the time of the process, and so of the database, the virtual one while `work` runs. */
export async function underClock<T>(nowMs: () => number, work: () => Promise<T>): Promise<T> {
  const real = Date.now;
  Date.now = nowMs;
  try {
    return await work();
  } finally {
    Date.now = real;
  }
}

/** The time at which the database is started: before every run, since its own timers must not be set by the real clock. */
const BOOT_MS = Date.UTC(2026, 0, 1);

export const openEngine = (): Promise<Engine> => underClock(() => BOOT_MS, boot);

async function boot(): Promise<Engine> {
  const backend = await pgliteBackend("memory://");
  const signal = new AbortController().signal;

  async function answer(headers: Readonly<Record<string, string>>, body: string): Promise<Answer> {
    const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
    const request = parseRequest(lower, body);
    try {
      const outputs = await backend.run(request.queries, { ...request, signal });
      return { status: 200, body: renderResults(request, outputs) };
    } catch (thrown) {
      if (thrown instanceof DatabaseRefusal) return { status: 400, body: renderError(thrown.message, thrown.fields) };
      throw thrown;
    }
  }

  const direct = async (_url: string, init: { headers: Record<string, string>; body: string }) =>
    responseOf(await answer(init.headers, init.body));
  const sqlNow = <T>(work: () => Promise<T>): Promise<T> => {
    // The driver keeps this for the process as a whole, and the product sets it for itself.
    const before = neonConfig.fetchFunction;
    neonConfig.fetchFunction = direct;
    return work().finally(() => {
      neonConfig.fetchFunction = before;
    });
  };
  await sqlNow(() => migrate(neon(CONNECTION), { folder: MIGRATIONS }));
  const run = async (text: string): Promise<readonly QueryOutput[]> =>
    backend.run([{ text, params: [] }], { database: "simulation", transaction: undefined, signal });

  // Statistics are flushed by a timer, which would be off by months whenever a run begins at another time.
  await run("SET track_counts = off");
  const tables = (await run(TABLES))[0]!.rows.map((row) => String(row[0]));
  return {
    answer,
    rows: <Row>(text: string, params: readonly unknown[] = []) =>
      sqlNow(async () => (await neon(CONNECTION).query(text, [...params])) as Row[]),
    reset: () =>
      underClock(
        () => BOOT_MS,
        async () => {
          const days = (await run(PARTITIONS))[0]!.rows.map((row) => String(row[0]));
          for (const day of days) await run(`DROP TABLE ${day}`);
          await run(`TRUNCATE ${tables.join(", ")} RESTART IDENTITY CASCADE`);
        },
      ),
    close: () => backend.close(),
  };
}

const TABLES = `SELECT format('%I', c.relname) FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
  AND NOT c.relispartition AND c.relname <> 'schema_migrations' ORDER BY 1`;
/** Days of `changes`: every run makes its own. */
const PARTITIONS = `SELECT format('%I', c.relname) FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relispartition
  AND c.relkind = 'r' AND c.relname ~ '_[0-9]{8}$' ORDER BY 1`;

/** As much of a Response as the driver reads. */
export const responseOf = ({ status, body }: Answer) =>
  ({ ok: status === 200, status, json: async () => JSON.parse(body), text: async () => body }) as Response;
