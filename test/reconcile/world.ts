/**
 * A feed with records, a snapshot feed about it, and everything that can happen to records behind the back of the feeds.
 * Records get here the normal way: files, plan, apply.
 */
import { createHash, randomUUID } from "node:crypto";
import { neon } from "@neondatabase/serverless";
import { applyHandler } from "../../src/apply/handler.ts";
import { type Chunk, type ChunkEntry, encodeChunk } from "../../src/domain/chunk.ts";
import { type Column, columnSchema } from "../../src/domain/column.ts";
import { failure } from "../../src/domain/failures.ts";
import { orderKeyOf } from "../../src/domain/ids.ts";
import { applyFileMessage } from "../../src/domain/messages.ts";
import { planFile } from "../../src/plan/plan-file.ts";
import { type Database, postgres } from "../../src/platform/postgres.ts";
import { comparisonOf, type Described } from "../../src/reconcile/comparison.ts";
import type { ChunkedFile, ReconcileDeps, Reconciliation, SnapshotFile } from "../../src/reconcile/deps.ts";
import { type HealingFile, healingFile } from "../../src/reconcile/healing.ts";
import { beginHealing, breakSeals, endHealing, listRetirements } from "../../src/reconcile/healing-file.ts";
import { storedReport } from "../../src/reconcile/reports.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** A row of a file. */
export interface Row {
  readonly key: string;
  readonly record: Fields;
}

export const column = (name: string, type: Column["type"] = "text", more: object = {}): Column =>
  columnSchema.parse({
    name,
    source: { header: name },
    type,
    ...(type === "date" ? { format: "yyyy-MM-dd" } : {}),
    ...(type === "boolean" ? { yes: ["1"], no: ["0"] } : {}),
    ...(type === "enum" ? { values: { a: "a" } } : {}),
    ...more,
  });

export const STOCK: Described = {
  columns: [
    column("sku", "identifier"),
    column("name"),
    column("quantity", "integer"),
    column("price", "decimal"),
    column("active", "boolean"),
  ],
  key: ["sku"],
};

export const stock = (key: string, more: Fields = {}): Row => ({
  key,
  record: { sku: key, name: `Bolt "${key}"\n`, quantity: 1, price: "9.5", active: true, ...more },
});

/** `k0…`, all alike. */
export const stocks = (count: number): Row[] => Array.from({ length: count }, (_, i) => stock(`k${i}`));

/** As in `encode_chunk` of parse only in this: equal texts have equal hashes. */
const hashOf = (text: string): string => createHash("md5").update(text).digest("hex");

/** Small, so that a short file has many chunks. */
const CHUNK_ROWS = 4;

export interface Feeds {
  readonly customerId: number;
  /** Whose records are compared. */
  readonly feedId: number;
  readonly snapshotFeedId: number;
}

const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };
const WAITING = { sleep: async () => undefined, random: () => 0.5 };

/** As-of of a file of that place: minutes of a day. */
export const atMs = (place: number): number => Date.UTC(2026, 0, 1) + place * 60_000;
const orderAt = (place: number): string =>
  orderKeyOf({ asOfMs: atMs(place), sequence: 0, receivedAtMs: atMs(place), position: 0, deliveryId: "0".repeat(32) });

export type World = ReturnType<typeof worldOn>;

export function worldOn(connectionString: string) {
  const database = postgres(connectionString);
  const sql = neon(connectionString);
  const stored = new Map<string, Uint8Array>();
  const reads = { heads: 0, wholes: 0 };
  let made = 0;

  const bytesOf = (file: Pick<ChunkedFile, "id" | "adapterVersion">, entry: ChunkEntry): Uint8Array => {
    const bytes = stored.get(`${file.id}/${file.adapterVersion}/${entry.n}`);
    if (bytes === undefined) throw failure("chunk-missing", { key: `${file.id}/${entry.n}` });
    return bytes;
  };
  const chunks = {
    head: async (file: Pick<ChunkedFile, "id" | "adapterVersion">, entry: ChunkEntry) => {
      reads.heads++;
      return bytesOf(file, entry).subarray(0, entry.headBytes);
    },
    whole: async (file: Pick<ChunkedFile, "id" | "adapterVersion">, entry: ChunkEntry) => {
      reads.wholes++;
      return bytesOf(file, entry);
    },
  };

  async function one<T>(text: string, params: readonly unknown[] = []): Promise<T> {
    const rows = await database.query<T>(text, params);
    if (rows[0] === undefined) throw new Error(`No row from ${text}`);
    return rows[0];
  }

  async function feeds(mode: "full" | "delta" = "delta"): Promise<Feeds> {
    const customer = `c${++made}-${randomUUID().slice(0, 8)}`;
    const register = (slug: string, mode: string) =>
      one<{ customer_id: number; feed_id: number }>("SELECT * FROM register_feed($1, 'Acme', $2, 'Stock', $3, 'v1')", [
        customer,
        slug,
        mode,
      ]);
    const target = await register("stock", mode);
    const snapshot = await register("stock-now", "snapshot");
    return { customerId: target.customer_id, feedId: target.feed_id, snapshotFeedId: snapshot.feed_id };
  }

  /** Chunks as parse makes them: rows whose key stood before go into tail chunks after all others. */
  function store(fileId: string, rows: readonly Row[]): ChunkEntry[] {
    const known = new Set<string>();
    const main: Chunk[] = [];
    const tail: Chunk[] = [];
    for (const [i, { key, record }] of rows.entries()) {
      const list = known.has(key) ? tail : main;
      known.add(key);
      if (list.length === 0 || list.at(-1)!.keys.length === CHUNK_ROWS) {
        list.push({ keys: [], lines: [], hashes: [], records: [] });
      }
      const text = JSON.stringify(record);
      const chunk = list.at(-1)!;
      chunk.keys.push(key);
      chunk.lines.push(i + 2);
      chunk.hashes.push(hashOf(text));
      chunk.records.push(text);
    }
    return [...main, ...tail].map((chunk, n) => {
      const { bytes, entry } = encodeChunk(n, chunk, n >= main.length);
      stored.set(`${fileId}/v1/${n}`, bytes);
      return entry;
    });
  }

  interface Making {
    readonly merges?: boolean;
    readonly rejected?: readonly { readonly line: number; readonly raw: string }[];
    readonly state?: "parsed" | "held";
  }

  /** A parsed file; `place` orders it among the files of its feed. */
  async function file(of: Feeds, feedId: number, place: number, rows: readonly Row[], making: Making = {}) {
    const { merges = false, rejected = [], state = "parsed" } = making;
    const delivery = createHash("md5").update(`${connectionString}-${++made}`).digest("hex");
    const at = new Date(atMs(place)).toISOString();
    await database.query(
      `INSERT INTO deliveries (id, customer_id, feed_id, door, state, raw_key, raw_bytes, raw_sha256, sender, sender_proof, received_at)
       VALUES ($1, $2, $3, 'upload', 'parsing', 'raw', 0, repeat('0', 64), 'test', 'token', $4)`,
      [delivery, of.customerId, feedId, at],
    );
    const { id } = await one<{ id: string }>(
      `INSERT INTO files (delivery_id, position, customer_id, feed_id, path, content_type, state, adapter_version, as_of,
         as_of_source, order_key, received_at)
       VALUES ($1, 0, $2, $3, 'stock.csv', 'text/csv', 'parsing', 'v1', $4, 'test', $5, $4) RETURNING id::text`,
      [delivery, of.customerId, feedId, at, orderAt(place)],
    );
    const entries = store(id, rows);
    const accepted = entries.reduce((sum, entry) => sum + entry.rows, 0);
    await database.query(
      `UPDATE files SET state = $2::text, chunks = $3, accepted = $4, rejected = $5, lines = $4::int + $5::int + 1, merges = $6, header_lines = 1,
         preamble_lines = 0, footer_lines = 0, blank_lines = 0, continuation_lines = 0, parsed_at = now(),
         failure = CASE $2::text WHEN 'held' THEN '{"code": "test"}'::jsonb END WHERE id = $1`,
      [id, state, JSON.stringify(entries), accepted, rejected.length, merges],
    );
    for (const { line, raw } of rejected) {
      await database.query(
        "INSERT INTO rejects (file_id, line, position, code, sentence, hint, raw) VALUES ($1, $2, 0, 'x', 'It is wrong.', 'Mend it.', $3)",
        [id, line, raw],
      );
    }
    return { id, delivery, entries, accepted };
  }

  async function apply(fileId: string, delivery: string): Promise<void> {
    await applyHandler(applyFileMessage({ customer: "acme", feed: "stock", correlationId: delivery, fileId }), {
      ...WAITING,
      database,
      chunks,
      plan: (f, lease) => planFile({ ...WAITING, database, chunks }, f, { record: true, ...lease }),
      gate: async () => ({ go: { allowed: 0 } }),
      compare: async () => undefined,
      kept: async () => undefined,
      token: randomUUID,
      now: Date.now,
      log: SILENT,
      earlierFirstSeconds: 0,
    });
  }

  const deps = (over: Pick<Database, "query"> = database, more: Partial<ReconcileDeps> = {}): ReconcileDeps => ({
    ...WAITING,
    database: over,
    chunks,
    now: () => atMs(0),
    log: SILENT,
    ...more,
  });

  return {
    database,
    sql,
    reads,
    put: (fileId: string, version: string, entry: ChunkEntry, bytes: Uint8Array) =>
      void stored.set(`${fileId}/${version}/${entry.n}`, bytes),
    deps,
    one,
    feeds,
    file,
    apply,
    /** A file of the feed, applied. */
    async send(of: Feeds, place: number, rows: readonly Row[], making: Making = {}): Promise<string> {
      const { id, delivery } = await file(of, of.feedId, place, rows, making);
      await apply(id, delivery);
      return id;
    },
    /** A parsed snapshot about the feed. */
    async snapshot(of: Feeds, place: number, rows: readonly Row[], making: Making = {}): Promise<SnapshotFile> {
      const { id, entries, accepted } = await file(of, of.snapshotFeedId, place, rows, making);
      return {
        id,
        adapterVersion: "v1",
        chunks: entries,
        customerId: of.customerId,
        feedId: of.feedId,
        orderKey: orderAt(place),
        accepted,
        unread: making.rejected?.length ?? 0,
      };
    },
    /** Makes the file that heals what a snapshot shows, and applies it; undefined where its report is not to be healed. */
    async heal(of: Feeds, snapshot: SnapshotFile, how: Reconciliation): Promise<HealingFile | undefined> {
      const { report } = await one<{ report: string }>(
        "SELECT id::text AS report FROM drift_reports WHERE file_id = $1 ORDER BY run DESC LIMIT 1",
        [snapshot.id],
      );
      const begun = await beginHealing(deps(), report);
      if (begun === undefined) return undefined;
      let listed = 0;
      const told = (await storedReport(deps(), report))!;
      const healed = await healingFile(deps(), told, snapshot, how, {
        chunk: async (entry, bytes) => void stored.set(`${begun.file}/v1/${entry.n}`, bytes),
        async retire(records) {
          await listRetirements(deps(), begun, report, listed, records);
          listed += records.length;
        },
        broken: (seals) => breakSeals(deps(), of.customerId, of.feedId, seals),
      });
      if ("outgrown" in healed) return undefined;
      await endHealing(deps(), report, begun.attempt, healed);
      const { delivery } = await one<{ delivery: string }>("SELECT delivery_id AS delivery FROM files WHERE id = $1", [
        begun.file,
      ]);
      await apply(begun.file, delivery);
      return healed;
    },
    /** Active records: key → data. */
    async records(of: Feeds): Promise<Record<string, Fields>> {
      const rows = await database.query<{ key: string; data: Fields }>(
        "SELECT natural_key AS key, data FROM records WHERE feed_id = $1 AND status = 'active' ORDER BY natural_key",
        [of.feedId],
      );
      return Object.fromEntries(rows.map(({ key, data }) => [key, data]));
    },
    rows: (report: string) =>
      database.query<{
        kind: string;
        natural_key: string;
        line: number | null;
        version: number | null;
        fields: { field: string; ours?: unknown; theirs?: unknown; platform?: true }[];
        explanation: { reason: string } | null;
        sentence: string;
      }>("SELECT * FROM drift_rows WHERE report_id = $1 ORDER BY n", [report]),
    report: (id: string) =>
      one<Record<string, unknown>>(
        `SELECT state, seal, snapshot_rows, records, missing_here, missing_there, differs, drift, explained, reasons,
           (SELECT count(*)::int FROM drift_rows r WHERE r.report_id = d.id) AS rows FROM drift_reports d WHERE id = $1`,
        [id],
      ),
  };
}

/** Limits that nothing here is above: a record with another key is two rows. */
export const WIDE = { maxRows: 1_000_000, maxShare: 2 };

export const howOf = (more: Partial<Reconciliation> = {}): Reconciliation => ({
  comparison: comparisonOf(STOCK, STOCK),
  limits: WIDE,
  marginMs: 0,
  ...more,
});
