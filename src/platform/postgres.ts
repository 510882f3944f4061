/**
 * Postgres over Neon's HTTP protocol: a thin driver. It decides nothing but the kind of trouble: what the database
 * refuses, what it wants tried again, and what never reached it or never came back.
 *
 * An answer that does not come back may have been carried out all the same, so every statement sent through here is
 * idempotent.
 */
import { NeonDbError, neon, neonConfig } from "@neondatabase/serverless";
import { attempt, type Waiting } from "../domain/attempt.ts";
import { asFailure, type Failure, failure, shown, wordsOf } from "../domain/failures.ts";
import { isFault, isUnsendable } from "./faults.ts";

/** No single statement of ours takes longer where it was measured; Neon's proxy cuts idle requests off later. */
export const STATEMENT_TIMEOUT_MS = 30_000;

export type Row = Record<string, unknown>;

export interface Statement {
  readonly text: string;
  readonly params?: readonly unknown[];
}

export interface Database {
  /**
   * One statement. Throws `database-unavailable` (waits), `database-conflict` (retry), `database-refused` and
   * `illegal-transition` (park); `internal-error` for what cannot even be sent.
   */
  query<T = Row>(text: string, params?: readonly unknown[]): Promise<T[]>;
  /** Statements in one transaction: all or nothing. */
  transaction(statements: readonly Statement[]): Promise<Row[][]>;
}

/**
 * SQLSTATEs (PostgreSQL appendix A) that mean the server cannot be used for now, by whomever: connections (08), the password
 * or the database being changed under us (28, 3D000), no room for more (53), shutting down or starting up (57P0), trouble
 * with its own disk or Neon's storage (58000, 58030), and a compute that only reads, as while it is being replaced (25006).
 */
const AWAY = /^(08|28|3D000|53|57P0|58000|58030|25006)/;
/**
 * Those with which the same statement may succeed a moment later: conflicts and deadlocks (40), locks (55P03, 55006), time
 * limits and cancelled statements (25P03, 25P04, 57014), a race for the same key (23505: every statement of ours can be sent
 * again and then finds it), a plan or prepared statement of before a migration (26000, 42P05), and the server's own faults
 * (XX000), which Neon also answers while parts of it are replaced.
 */
const AGAIN = /^(40|55P03|55006|25P03|25P04|57014|23505|26000|42P05|XX000)/;
/** The two exceptions, by their words: both SQLSTATEs mean something else, too. */
const STALE_PLAN = /^cached plan must not change/;
const WRONG_COUNT = /^bind message supplies/;

/** SQLSTATE of our own: a trigger refused a move between states (`migrations/0010_states.sql`). */
const ILLEGAL_TRANSITION = "MF001";

/**
 * Answers without a SQLSTATE that no later try changes: too much sent (413) or asked for (507), and what the proxy could not
 * read. All others of Neon's proxy are about the way to the database: the control plane, a compute that does not start, too
 * many connections, a quota, an endpoint that is disabled (proxy/src/serverless/sql_over_http.rs).
 */
const NEVER =
  /^Server error \(HTTP status (413|507)\)|^could not parse the HTTP request body|^invalid isolation level|could not parse postgres response/;

/** What kind of trouble a thrown value of the driver is. Pure. */
export function classify(thrown: unknown): Failure {
  if (thrown instanceof NeonDbError) {
    // The proxy writes "" where it has no SQLSTATE.
    if (thrown.code) return refusedWith(thrown.code, thrown);
    if (isUnsendable(thrown.sourceError)) return asFailure(thrown.sourceError);
    if (NEVER.test(thrown.message)) {
      return failure("database-refused", { sqlstate: "none", message: safe(thrown.message) }, thrown);
    }
  } else if (isFault(thrown)) {
    return asFailure(thrown);
  }
  return failure("database-unavailable", { reason: safe(wordsOf(thrown)) }, thrown);
}

function refusedWith(sqlstate: string, thrown: NeonDbError): Failure {
  const message = safe(thrown.message);
  if (AGAIN.test(sqlstate) || STALE_PLAN.test(message)) return failure("database-conflict", { sqlstate }, thrown);
  if (AWAY.test(sqlstate) && !WRONG_COUNT.test(message)) {
    return failure("database-unavailable", { reason: `SQLSTATE ${sqlstate}, ${message}` }, thrown);
  }
  if (sqlstate === ILLEGAL_TRANSITION) return failure("illegal-transition", transitionIn(thrown.detail), thrown);
  return failure("database-refused", { sqlstate, message }, thrown);
}

/** The trigger writes its DETAIL as JSON. */
function transitionIn(detail: string | undefined): { what: string; id: string | null; from: string; to: string } {
  const { what, id, from, to } = JSON.parse(detail ?? "{}") as Record<string, string | null | undefined>;
  return { what: what ?? "?", id: id ?? null, from: from ?? "?", to: to ?? "?" };
}

/** Connection strings must never reach a log, a row or a mail. */
const safe = (text: string): string => text.replace(/postgres(ql)?:\/\/\S+/g, "postgres://…").slice(0, 300);

export interface PostgresOptions {
  /** Where the HTTP endpoint stands if it is not Neon's own (local runs and tests). */
  readonly fetchEndpoint?: string;
  readonly timeoutMs?: number;
  /** What carries the requests; the platform's `fetch` where absent. Of the process as a whole, like the endpoint. */
  readonly fetch?: typeof fetch;
}

/**
 * The driver's function with our endpoint and a time limit. Both are properties of the driver as a whole, so one process
 * speaks to one endpoint; which database it means is in the connection string. Drizzle changes the driver's parsers for
 * times, also as a whole: nothing here may rely on a time coming as Date or as text.
 */
export function neonSql(connectionString: string, options: PostgresOptions = {}) {
  const { fetchEndpoint, timeoutMs = STATEMENT_TIMEOUT_MS, fetch: send = fetch } = options;
  if (fetchEndpoint !== undefined) neonConfig.fetchEndpoint = () => fetchEndpoint;
  // The driver has no limit of its own, and an HTTP request that nobody answers would wait for ever.
  neonConfig.fetchFunction = (url: string, init: RequestInit) =>
    send(url, { ...init, signal: AbortSignal.timeout(timeoutMs) });
  return neon(connectionString);
}

export function postgres(connectionString: string, options: PostgresOptions = {}): Database {
  const sql = neonSql(connectionString, options);
  return {
    async query<T>(text: string, params: readonly unknown[] = []) {
      try {
        return (await sql.query(text, [...params])) as T[];
      } catch (thrown) {
        throw classify(thrown);
      }
    },
    async transaction(statements) {
      try {
        const queries = statements.map((s) => sql.query(s.text, [...(s.params ?? [])]));
        return (await sql.transaction(queries)) as Row[][];
      } catch (thrown) {
        throw classify(thrown);
      }
    },
  };
}

/**
 * The same database for those who do not try again themselves: a statement that may succeed a moment later is sent up to five
 * times, so that one conflict does not cost the work of a whole message. For statements that may come again.
 */
export const patient = (database: Database, waiting: Waiting): Database => ({
  query: (text, params) => attempt(waiting, () => database.query(text, params)),
  transaction: (statements) => attempt(waiting, () => database.transaction(statements)),
});

/** What a column of type text can hold of a longer text. */
const MAX_STORED_CHARS = 10_000;

/** Postgres text holds neither NUL nor lone surrogates; in what people read they are made visible instead. */
export function storable(text: string | null | undefined): string | null {
  if (text === null || text === undefined) return null;
  return text.isWellFormed() && !text.includes("\0") ? text : shown(text.toWellFormed(), MAX_STORED_CHARS);
}

/** JSON text that jsonb accepts whatever the strings inside hold. */
export const jsonText = (value: unknown): string =>
  JSON.stringify(value, (_, inner) => (typeof inner === "string" ? storable(inner) : inner));
