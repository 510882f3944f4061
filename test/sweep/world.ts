/** A sweep over a real database, an archive in memory and queues that are lists. */
import { randomUUID } from "node:crypto";
import type { ApplyFile, ParseDelivery } from "../../src/domain/messages.ts";
import { jobsIn } from "../../src/platform/jobs.ts";
import { postgres } from "../../src/platform/postgres.ts";
import type { RawObject, SweepDeps } from "../../src/sweep/deps.ts";
import { sweep } from "../../src/sweep/sweep.ts";
import { sweepTables } from "../../src/sweep/tables.ts";
import { forceIn } from "../support/force-state.ts";

export const NOW = new Date("2026-11-20T12:00:00Z");
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
export const ago = (ms: number, now = NOW): Date => new Date(now.getTime() - ms);

/** 32 hex digits that begin with the number. */
export const idOf = (n: number): string => n.toString(16).padStart(8, "0").padEnd(32, "0");

export const keyOf = (n: number, at: Date, customer = "acme"): string =>
  `raw/${customer}/${at.toISOString().slice(0, 10).replaceAll("-", "/")}/${idOf(n)}.eml`;

export type SweepWorld = ReturnType<typeof sweepWorldOn>;

export function sweepWorldOn(connectionString: string, pageKeys = 1_000) {
  const database = postgres(connectionString);
  const archive = new Map<string, RawObject>();
  const sent: (ParseDelivery | ApplyFile)[] = [];
  const alerts = new Map<string, string>();
  const listed: string[] = [];
  const logged: string[] = [];
  const write = (event: string) => void logged.push(event);

  const deps: SweepDeps = {
    customers: ["acme"],
    jobs: jobsIn(database),
    tables: sweepTables(database),
    archivedCustomers: async () => [...new Set([...archive.keys()].map((key) => key.split("/")[1] ?? ""))],
    async listRaw(prefix, after) {
      listed.push(after);
      const keys = [...archive.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
      return { objects: keys.slice(0, pageKeys).map((key) => archive.get(key)!), more: keys.length > pageKeys };
    },
    feedOf: async () => "inventory",
    enqueueParse: async (message) => void sent.push(message),
    enqueueApply: async (message) => void sent.push(message),
    alarm: {
      raise: async ({ kind, subject, detail }) => void alerts.set(`${kind} ${subject}`, detail),
      clear: async (kind, subject) => void alerts.delete(`${kind} ${subject}`),
    },
    now: () => NOW,
    token: randomUUID,
    log: { info: write, warn: write, error: write },
  };

  return {
    database,
    deps,
    sent,
    alerts,
    listed,
    logged,
    /** Puts an object into the archive; answers its key. */
    archived(n: number, at: Date, customer = "acme"): string {
      const key = keyOf(n, at, customer);
      archive.set(key, { key, uploadedAt: at });
      return key;
    },
    /** Sweeps, at a time; answers what it said and forgets the messages of before. */
    async sweep(now = NOW, over: Partial<SweepDeps> = {}) {
      sent.length = 0;
      listed.length = 0;
      return sweep(now, { ...deps, now: () => now, ...over });
    },
    feed: async () => {
      const [row] = await database.query<{ customer_id: number; feed_id: number }>(
        "SELECT * FROM register_feed('acme', 'Acme', 'inventory', 'Stock', 'delta', 'v1')",
      );
      return { customerId: row!.customer_id, feedId: row!.feed_id };
    },
    /** A delivery in a state in which nothing has touched it since. */
    async delivery(n: number, state: string, touchedAt: Date): Promise<string> {
      const failure = ["quarantined", "rejected", "dead", "ignored"].includes(state) ? '{"code":"no-payload"}' : null;
      await forceIn(
        database,
        `INSERT INTO deliveries (id, customer_id, feed_id, door, state, raw_key, raw_bytes, raw_sha256, sender, sender_proof, received_at,
           failure, created_at, updated_at)
         SELECT $1, f.customer_id, f.feed_id, 'mail', $2, $3, 1, repeat('0', 64), 'a@b.example', 'dkim=pass', $4::timestamptz, $5::jsonb,
           $4::timestamptz, $4::timestamptz
         FROM register_feed('acme', 'Acme', 'inventory', 'Stock', 'delta', 'v1') f`,
        [idOf(n), state, keyOf(n, touchedAt), touchedAt.toISOString(), failure],
      );
      return idOf(n);
    },
    /** A file of a delivery; answers its id. */
    async file(n: number, state: string, touchedAt: Date, position = 0): Promise<string> {
      const failure = ["held", "rejected", "dead"].includes(state) ? '{"code":"chunk-missing"}' : null;
      const [row] = await forceIn<{ id: string }>(
        database,
        `INSERT INTO files (delivery_id, position, customer_id, feed_id, path, content_type, state, adapter_version, as_of, as_of_source,
           order_key, received_at, failure, lines, header_lines, preamble_lines, footer_lines, blank_lines, continuation_lines, accepted,
           rejected, inserted, changed, unchanged, stale, superseded, parsed_at, updated_at)
         SELECT $1, $5::int, f.customer_id, f.feed_id, 'stock.csv', 'text/csv', $2, 'v1', $3::timestamptz, 'arrival', gen_random_uuid(),
           $3::timestamptz, $4::jsonb, 4, 1, 0, 0, 0, 0, 3, 0, 3, 0, 0, 0, 0, $3::timestamptz, $3::timestamptz
         FROM register_feed('acme', 'Acme', 'inventory', 'Stock', 'delta', 'v1') f RETURNING id::text AS id`,
        [idOf(n), state, touchedAt.toISOString(), failure, position],
      );
      return row!.id;
    },
    async one<T>(text: string, params: readonly unknown[] = []): Promise<T> {
      const [row] = await database.query<T>(text, params);
      if (row === undefined) throw new Error(`No row from ${text}`);
      return row;
    },
    letters: () =>
      database.query<{
        stage: string;
        correlation_id: string;
        code: string;
        state: string;
        message: Record<string, unknown>;
      }>("SELECT stage, correlation_id, failure ->> 'code' AS code, state, message FROM dead_letters ORDER BY id"),
    stateOf: async (n: number) => {
      const [row] = await database.query<{ state: string }>("SELECT state FROM deliveries WHERE id = $1", [idOf(n)]);
      return row?.state;
    },
    fileState: async (id: string) => {
      const [row] = await database.query<{ state: string; wakes: number }>(
        "SELECT state, wakes FROM files WHERE id = $1",
        [id],
      );
      return row;
    },
  };
}
