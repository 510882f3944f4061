/** A database with feeds and files as parse leaves them, and a worker over it whose every effect can be made to fail. */
import { createHash, randomUUID } from "node:crypto";
import { neededBatches } from "../../src/apply/batches.ts";
import type { ApplyDeps } from "../../src/apply/deps.ts";
import { applyHandler } from "../../src/apply/handler.ts";
import { acquireLease } from "../../src/apply/lease.ts";
import { forecastRetirement } from "../../src/apply/retire.ts";
import { type Chunk, type ChunkEntry, encodeChunk } from "../../src/domain/chunk.ts";
import { failure } from "../../src/domain/failures.ts";
import { orderKeyOf } from "../../src/domain/ids.ts";
import { type ApplyFile, applyFileMessage } from "../../src/domain/messages.ts";
import type { DiffPlan, FileToApply } from "../../src/domain/plan.ts";
import { retirements } from "../../src/domain/retirement.ts";
import type { PlanDeps } from "../../src/plan/deps.ts";
import { planFile } from "../../src/plan/plan-file.ts";
import { readFile } from "../../src/plan/read-file.ts";
import { type Database, postgres } from "../../src/platform/postgres.ts";
import { forceIn } from "../support/force-state.ts";

/** A row of a file: its key and what it says. `record`: all of it. With `said`, that is its record, and its file merges. */
export interface TestRow {
  readonly key: string;
  readonly value: number;
  readonly record?: Readonly<Record<string, unknown>>;
  readonly said?: Readonly<Record<string, unknown>>;
}

export const row = (key: string, value: number): TestRow => ({ key, value });

/** A row of a merging file. */
export const says = (key: string, said: Readonly<Record<string, unknown>>): TestRow => ({ key, value: 0, said });

/** Rows `k0…` with the given values. */
export const rowsOf = (values: readonly number[]): TestRow[] => values.map((value, i) => row(`k${i}`, value));

export interface TestFeed {
  readonly customerId: number;
  readonly feedId: number;
}

export interface TestFile {
  readonly id: string;
  readonly feed: TestFeed;
  readonly message: ApplyFile;
}

const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** Rows per chunk, and per planning statement and written batch: small, so that a short file takes many statements. */
const SMALL = { chunkRows: 3, statementRows: 6 };

export type World = ReturnType<typeof worldOn>;

export function worldOn(connectionString: string, { chunkRows, statementRows } = SMALL) {
  const database = postgres(connectionString);
  const stored = new Map<string, Uint8Array>();
  let made = 0;

  const chunkOf = (file: FileToApply, entry: ChunkEntry): Uint8Array => {
    const bytes = stored.get(`${file.id}/${file.adapterVersion}/${entry.n}`);
    if (bytes === undefined) throw failure("chunk-missing", { key: `${file.id}/${entry.n}` });
    return bytes;
  };
  const chunks = {
    head: async (file: FileToApply, entry: ChunkEntry) => chunkOf(file, entry).subarray(0, entry.headBytes),
    whole: async (file: FileToApply, entry: ChunkEntry) => chunkOf(file, entry),
  };

  const planning = {
    chunks,
    maxRows: statementRows,
    needed: (file: FileToApply, plan: DiffPlan) =>
      neededBatches(file.chunks, plan, (entry) => chunks.whole(file, entry), statementRows),
  };

  async function one<T>(text: string, params: readonly unknown[]): Promise<T> {
    const rows = await database.query<T>(text, params);
    if (rows[0] === undefined) throw new Error(`No row from ${text}`);
    return rows[0];
  }

  async function feed(mode: "full" | "delta" = "delta"): Promise<TestFeed> {
    made++;
    const made_ = await one<{ customer_id: number; feed_id: number }>(
      "SELECT * FROM register_feed($1, 'Acme', 'stock', 'Stock', $2, 'v1')",
      [`c${made}-${randomUUID().slice(0, 8)}`, mode],
    );
    return { customerId: made_.customer_id, feedId: made_.feed_id };
  }

  /** Chunks as parse makes them: rows whose key stood before go into tail chunks after all others. */
  function store(fileId: string, version: string, rows: readonly TestRow[]): ChunkEntry[] {
    const known = new Set<string>();
    const main: Chunk[] = [];
    const tail: Chunk[] = [];
    for (const [i, { key, value, said, record }] of rows.entries()) {
      const list = known.has(key) ? tail : main;
      known.add(key);
      if (list.length === 0 || list.at(-1)!.keys.length === chunkRows) {
        list.push({ keys: [], lines: [], hashes: [], records: [] });
      }
      const chunk = list.at(-1)!;
      const json = JSON.stringify(said ?? record ?? { key, value, text: 'quote " backslash \\ newline \n' });
      chunk.keys.push(key);
      chunk.lines.push(i + 2);
      chunk.hashes.push(createHash("md5").update(json).digest("hex"));
      chunk.records.push(json);
    }
    return [...main, ...tail].map((chunk, n) => {
      const { bytes, entry } = encodeChunk(n, chunk, n >= main.length);
      stored.set(`${fileId}/${version}/${n}`, bytes);
      return entry;
    });
  }

  /** A parsed file of the feed; `place` orders it among the feed's files. */
  async function file(of: TestFeed, place: number, rows: readonly TestRow[]): Promise<TestFile> {
    made++;
    const delivery = createHash("md5").update(`${connectionString}-${chunkRows}-${made}`).digest("hex");
    const at = new Date(Date.UTC(2026, 0, 1) + place * 60_000);
    await forceIn(
      database,
      `INSERT INTO deliveries (id, customer_id, feed_id, door, state, raw_key, raw_bytes, raw_sha256, sender, sender_proof, received_at)
       VALUES ($1, $2, $3, 'upload', 'parsed', 'raw', 0, repeat('0', 64), 'test', 'token', $4)`,
      [delivery, of.customerId, of.feedId, at.toISOString()],
    );
    const atMs = at.getTime();
    const orderKey = orderKeyOf({ asOfMs: atMs, sequence: 0, receivedAtMs: atMs, position: 0, deliveryId: delivery });
    const { id } = await one<{ id: string }>(
      `INSERT INTO files (delivery_id, position, customer_id, feed_id, path, content_type, state, adapter_version, as_of,
         as_of_source, order_key, received_at)
       VALUES ($1, 0, $2, $3, 'stock.csv', 'text/csv', 'parsing', 'v1', $4, 'test', $5, $4) RETURNING id::text`,
      [delivery, of.customerId, of.feedId, at.toISOString(), orderKey],
    );
    await parse(id, "v1", rows);
    const message = applyFileMessage({
      customer: "acme",
      feed: "stock",
      correlationId: delivery,
      fileId: id,
    });
    return { id, feed: of, message };
  }

  /** (Re)parses a file: its chunks are written, its state is `parsed`. */
  async function parse(fileId: string, version: string, rows: readonly TestRow[]): Promise<void> {
    await forceIn(
      database,
      `UPDATE files SET state = 'parsed', adapter_version = $2, chunks = $3, accepted = $4, rejected = 0, lines = $4 + 1, merges = $5,
         header_lines = 1, preamble_lines = 0, footer_lines = 0, blank_lines = 0, continuation_lines = 0,
         parsed_at = now(), failure = NULL WHERE id = $1`,
      [fileId, version, JSON.stringify(store(fileId, version, rows)), rows.length, rows.some((said) => "said" in said)],
    );
  }

  /** The same worker over another database handle. */
  function deps(over: Pick<Database, "query"> = database, more: Partial<ApplyDeps> = {}): ApplyDeps {
    const waiting = { sleep: more.sleep ?? (async () => undefined), random: () => 0.5 };
    const planDeps: PlanDeps = { ...waiting, ...planning, database: over };
    return {
      ...waiting,
      database: over,
      chunks,
      plan: (f, lease) => planFile(planDeps, f, { record: true, ...lease }),
      // Every file goes, as far as what it lacks may be retired.
      gate: async (_, f) => ({
        go: {
          allowed:
            f.feedMode === "full" ? retirements(await forecastRetirement({ ...waiting, database: over }, f.id)) : 0,
        },
      }),
      compare: async () => undefined,
      kept: async () => undefined,
      token: randomUUID,
      now: Date.now,
      log: SILENT,
      earlierFirstSeconds: 0,
      maxRows: statementRows,
      ...more,
    };
  }

  return {
    database,
    chunks,
    one,
    /** The chunks of a parsed file, for a worker of another process: there the storage is empty. */
    store,
    feed,
    file,
    parse,
    deps,
    apply: (f: TestFile, with_: ApplyDeps = deps()) => applyHandler(f.message, with_),
    /** A file and its application, one after the other. */
    async send(of: TestFeed, place: number, rows: readonly TestRow[]): Promise<TestFile> {
      const f = await file(of, place, rows);
      await applyHandler(f.message, deps());
      return f;
    },
    async dryRun(fileId: string) {
      const planDeps: PlanDeps = { ...planning, sleep: async () => undefined, random: () => 0, database };
      return planFile(planDeps, await readFile(planDeps, fileId), { record: false });
    },
    /** Whatever lease the feed has is over. */
    expireLease: (of: TestFeed) =>
      database.query(
        "UPDATE feeds SET lease_until = now() - interval '1 second' WHERE id = $1 AND lease_until IS NOT NULL",
        [of.feedId],
      ),
    books: (f: TestFile) =>
      one<Books>("SELECT state, accepted, inserted, changed, unchanged, stale, superseded FROM files WHERE id = $1", [
        f.id,
      ]),
    /** Everything a feed has come to, without ids and times: two feeds that were told the same must look the same. */
    async state(of: TestFeed): Promise<State> {
      const records = await database.query<State["records"][number]>(
        `SELECT natural_key AS key, (data->>'value')::int AS value, version, status, line, row_hash::text AS hash,
           (SELECT rank FROM (SELECT id, rank() OVER (ORDER BY order_key)::int FROM files WHERE feed_id = $1) f WHERE f.id = file_id) AS file
         FROM records WHERE feed_id = $1 ORDER BY natural_key`,
        [of.feedId],
      );
      const changes = await database.query<State["changes"][number]>(
        `SELECT c.natural_key AS key, c.kind::text, c.version, c.line, (c.before->>'value')::int AS before,
           (c.after->>'value')::int AS after, c.record_id = r.id AS linked
         FROM changes c JOIN records r USING (customer_id, feed_id, natural_key)
         WHERE feed_id = $1 ORDER BY c.natural_key, c.version, c.kind`,
        [of.feedId],
      );
      const files = await database.query<Books>(
        `SELECT state, accepted, inserted, changed, unchanged, stale, superseded FROM files WHERE feed_id = $1 ORDER BY order_key`,
        [of.feedId],
      );
      return { records, changes, files };
    },
  };
}

export interface Books {
  readonly state: string;
  readonly accepted: number;
  readonly inserted: number;
  readonly changed: number;
  readonly unchanged: number;
  readonly stale: number;
  readonly superseded: number;
}

export interface State {
  readonly records: {
    key: string;
    value: number;
    version: number;
    status: string;
    line: number;
    hash: string;
    file: number;
  }[];
  readonly changes: {
    key: string;
    kind: string;
    version: number;
    line: number;
    before: number | null;
    after: number | null;
    linked: boolean;
  }[];
  readonly files: Books[];
}

/** The lease of a file that is to be applied. */
export async function take(deps: ApplyDeps, file: TestFile, token: string): Promise<FileToApply> {
  const acquired = await acquireLease(deps, file.id, token);
  if (acquired.is !== "acquired") throw new Error(`File ${file.id} is not to be applied: ${acquired.is}`);
  return acquired.file;
}

/** Values of the records by key. */
export const valuesOf = (state: State): Record<string, number> =>
  Object.fromEntries(state.records.map(({ key, value }) => [key, value]));

/** Books of an applied file; what is not named is 0. */
export const books = (accepted: number, named: Partial<Books>): Books => ({
  state: "applied",
  accepted,
  inserted: 0,
  changed: 0,
  unchanged: 0,
  stale: 0,
  superseded: 0,
  ...named,
});
