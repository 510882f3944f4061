/** Sessions of a test's own on its Postgres: they hold locks, see who waits for them, and end other backends. */
import { setTimeout as pause } from "node:timers/promises";
import { NeonDbError } from "@neondatabase/serverless";
import pg from "pg";
import { classify, type Database } from "../../src/platform/postgres.ts";
import type { FreshDatabase } from "../support/database.ts";

/** Longest wait for a state that must come, and how often is looked. A bound, not a delay: nothing counts on it. */
const DEADLINE_MS = 30_000;
const POLL_MS = 2;

export type Queries = Pick<Database, "query">;

export interface Session extends Queries {
  /** Of its backend. */
  readonly pid: number;
  end(): Promise<void>;
}

/** What the driver over HTTP makes of an error of Postgres; a connection that broke has no SQLSTATE. */
export function failureOf(thrown: unknown): Error {
  if (thrown instanceof pg.DatabaseError && thrown.code !== undefined && thrown.severity !== "FATAL") {
    const refused = new NeonDbError(thrown.message);
    refused.code = thrown.code;
    return classify(refused);
  }
  return classify(thrown);
}

/** A connection of Postgres' own protocol, with the failures of the Worker's driver. `settings`: e.g. `lock_timeout`. */
export async function openSession(
  { directUrl }: Pick<FreshDatabase, "directUrl">,
  settings: Readonly<Record<string, string>> = {},
): Promise<Session> {
  const client = new pg.Client({ connectionString: directUrl });
  // Tests end backends on purpose; whoever waits for an answer hears of it.
  client.on("error", () => undefined);
  await client.connect();
  for (const [name, value] of Object.entries(settings)) {
    await client.query("SELECT set_config($1, $2, false)", [name, value]);
  }
  const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  let last: Promise<unknown> = Promise.resolve();
  return {
    pid: rows[0]!.pid,
    query<T>(text: string, params: readonly unknown[] = []): Promise<T[]> {
      // A session carries out one statement at a time; those of several lanes wait for each other.
      const mine = last.then(async () => {
        try {
          return (await client.query(text, [...params])).rows as T[];
        } catch (thrown) {
          throw failureOf(thrown);
        }
      });
      last = mine.catch(() => undefined);
      return mine;
    },
    end: () => client.end(),
  };
}

/** Asks until there is an answer; throws after the deadline and says what was waited for. */
export async function until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${DEADLINE_MS / 1_000} s`);
    await pause(POLL_MS);
  }
}

/** Backends of this database that wait for a lock, directly or over others, of the session `holder`. */
const WAITING = `SELECT a.pid FROM pg_stat_activity a
  WHERE a.datname = current_database() AND $1::int = ANY (pg_blocking_pids(a.pid)) ORDER BY a.pid`;

/** Waits until `count` backends wait for the holder's locks; answers their process ids. */
export function blockedBy(watcher: Queries, holder: Pick<Session, "pid">, count = 1): Promise<number[]> {
  return until(`${count} statements that wait for session ${holder.pid}`, async () => {
    const rows = await watcher.query<{ pid: number }>(WAITING, [holder.pid]);
    return rows.length >= count ? rows.map(({ pid }) => pid) : undefined;
  });
}
