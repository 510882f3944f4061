/**
 * Postgres over Neon's HTTP protocol: a thin driver. It decides nothing but the kind of trouble: what the database
 * refuses, what it wants tried again, and what never reached it or never came back.
 *
 * An answer that does not come back may have been carried out all the same, so every statement sent through here is
 * idempotent.
 */
import { NeonDbError, neon, neonConfig } from "@neondatabase/serverless";
import { type Failure, failure, shown } from "../domain/failures.ts";

/** No single statement of ours takes longer where it was measured; Neon's proxy cuts idle requests off later. */
export const STATEMENT_TIMEOUT_MS = 30_000;

export type Row = Record<string, unknown>;

export interface Statement {
  readonly text: string;
  readonly params?: readonly unknown[];
}

export interface Database {
  /** One statement. Throws `database-unavailable`, `database-conflict` (retry) or `database-refused` (park). */
  query<T = Row>(text: string, params?: readonly unknown[]): Promise<T[]>;
  /** Statements in one transaction: all or nothing. */
  transaction(statements: readonly Statement[]): Promise<Row[][]>;
}

/** Classes in which the same statement may succeed a moment later (PostgreSQL appendix A). */
const TRY_AGAIN = /^(40|55P03|55006|57P0|57014|53|08|23505|58030)/;
/** Of these, the ones that mean the server itself is not there for now. */
const SERVER_AWAY = /^(57P0|53|08|58030)/;

/** SQLSTATE of our own: a trigger refused a move between states (`migrations/0010_states.sql`). */
const ILLEGAL_TRANSITION = "MF001";

/** What kind of trouble a thrown value of the driver is. Pure. */
export function classify(thrown: unknown): Failure {
  if (thrown instanceof NeonDbError && thrown.code !== undefined) {
    const sqlstate = thrown.code;
    if (SERVER_AWAY.test(sqlstate)) {
      return failure("database-unavailable", { reason: `SQLSTATE ${sqlstate}, ${thrown.message}` }, thrown);
    }
    if (TRY_AGAIN.test(sqlstate)) return failure("database-conflict", { sqlstate }, thrown);
    if (sqlstate === ILLEGAL_TRANSITION) return failure("illegal-transition", transitionIn(thrown.detail), thrown);
    return failure("database-refused", { sqlstate, message: thrown.message }, thrown);
  }
  const reason = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  return failure("database-unavailable", { reason: withoutCredentials(reason) }, thrown);
}

/** The trigger writes its DETAIL as JSON. */
function transitionIn(detail: string | undefined): { what: string; id: string | null; from: string; to: string } {
  const { what, id, from, to } = JSON.parse(detail ?? "{}") as Record<string, string | null | undefined>;
  return { what: what ?? "?", id: id ?? null, from: from ?? "?", to: to ?? "?" };
}

/** Connection strings must never reach a log, a row or a mail. */
const withoutCredentials = (text: string): string =>
  text.replace(/postgres(ql)?:\/\/\S+/g, "postgres://…").slice(0, 300);

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
