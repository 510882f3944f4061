/**
 * A customer whose records have a past: files are planned and applied as ever, and each is then moved to the moment at which it
 * is to have happened. What a restore makes is kept here instead of in storage.
 */
import { applyHandler } from "../../src/apply/handler.ts";
import type { ChunkEntry } from "../../src/domain/chunk.ts";
import type { DeliveryFacts } from "../../src/domain/delivery.ts";
import { failure } from "../../src/domain/failures.ts";
import type { ApplyFile } from "../../src/domain/messages.ts";
import type { FileToApply } from "../../src/domain/plan.ts";
import { planFile } from "../../src/plan/plan-file.ts";
import type { Database } from "../../src/platform/postgres.ts";
import { RESTORE_CHECK, restoreStands } from "../../src/restore/check.ts";
import type { RestoreDeps } from "../../src/restore/deps.ts";
import { type Carried, carryOut, type Preview, previewRestore } from "../../src/restore/restore.ts";
import { restoreTables } from "../../src/restore/tables.ts";
import { worldOn as applyWorldOn, type TestFeed, type TestRow } from "../apply/world.ts";

/** The first file of a past came then; the second twelve hours later, and so on. */
const BEGUN_DAYS_AGO = 30;
const MS_PER_STEP = 12 * 3_600_000;
const BEGUN_MS = Math.floor(Date.now() / 60_000) * 60_000 - BEGUN_DAYS_AGO * 86_400_000;

/** When a step of the past happened, and a moment between it and the next. */
export const stepAt = (step: number): Date => new Date(BEGUN_MS + step * MS_PER_STEP);
export const justAfter = (step: number, ms = 1): string => new Date(stepAt(step).getTime() + ms).toISOString();

/** The place in the order of a file that is said later than everything, a restore included. */
export const NEXT_YEAR = 2 * 366 * 24 * 60;

export interface Known {
  readonly status: string;
  readonly version: number;
  readonly data: Readonly<Record<string, unknown>>;
}
export type Records = Readonly<Record<string, Known>>;

/** Those that are active, by key, without their versions. */
export const active = (records: Records): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(records)
      .filter(([, { status }]) => status === "active")
      .map(([key, { data }]) => [key, data]),
  );

export type World = ReturnType<typeof worldOn>;

export function worldOn(connectionString: string) {
  const applying = applyWorldOn(connectionString);
  const { database } = applying;
  const stored = new Map<string, Uint8Array>();
  const archived = new Map<string, { readonly bytes: Uint8Array; readonly facts: DeliveryFacts }>();
  const messages: ApplyFile[] = [];
  const tables = restoreTables(database);

  const deps: RestoreDeps = {
    tables,
    archive: async (key, bytes, facts) => void archived.set(key, { bytes, facts }),
    putChunk: async (fileId, version, entry, bytes) => void stored.set(`${fileId}/${version}/${entry.n}`, bytes),
    enqueueApply: async (message) => void messages.push(message),
    now: () => new Date(),
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    partRows: 3,
  };

  const chunkOf = (file: FileToApply, entry: ChunkEntry): Uint8Array => {
    const bytes = stored.get(`${file.id}/${file.adapterVersion}/${entry.n}`);
    if (bytes === undefined) throw failure("chunk-missing", { key: file.id });
    return bytes;
  };
  const chunks = {
    head: async (file: FileToApply, entry: ChunkEntry) => chunkOf(file, entry).subarray(0, entry.headBytes),
    whole: async (file: FileToApply, entry: ChunkEntry) => chunkOf(file, entry),
  };

  /** A worker that applies the files of a restore. */
  const restoring = (over: Pick<Database, "query"> = database) => {
    const waiting = { sleep: async () => undefined, random: () => 0.5 };
    const more = {
      chunks,
      plan: (file: FileToApply, lease: { token: string; beat: () => Promise<void> }) =>
        planFile({ ...waiting, database: over, chunks }, file, { record: true, ...lease }),
      // As in the system: it is asked once, and what was let go is noted.
      gate: async (_: unknown, file: FileToApply, lease: { token: string }) => {
        if (!(await restoreStands(tables, file.id, lease.token))) return { held: [RESTORE_CHECK] };
        await over.query("SELECT pass_gate($1, $2, $3, 0)", [file.id, lease.token, JSON.stringify({ allowed: 0 })]);
        return { go: { allowed: 0 } };
      },
    };
    return applying.deps(over, more);
  };

  return {
    ...applying,
    deps,
    archived,
    messages,
    tables,
    restoring,

    async customer(mode: "full" | "delta" = "full"): Promise<TestFeed & { readonly slug: string }> {
      const feed = await applying.feed(mode);
      const [row] = await database.query<{ slug: string }>("SELECT slug FROM customers WHERE id = $1", [
        feed.customerId,
      ]);
      await database.query("UPDATE feeds SET created_at = $2::timestamptz WHERE id = $1", [
        feed.feedId,
        new Date(BEGUN_MS - MS_PER_STEP).toISOString(),
      ]);
      return { ...feed, slug: row!.slug };
    },

    /** A file of the past: its `place` orders it, its step says when it was applied. */
    async happened(of: TestFeed, step: number, rows: readonly TestRow[], place = step): Promise<void> {
      const begin = await applying.one<{ at: string }>("SELECT clock_timestamp()::text AS at", []);
      await applying.send(of, place, rows);
      const moved = [of.feedId, begin.at, stepAt(step).toISOString()];
      await database.transaction([
        {
          text: "UPDATE changes SET created_at = $3::timestamptz WHERE feed_id = $1 AND created_at >= $2::timestamptz",
          params: moved,
        },
        {
          text: "UPDATE records SET first_seen_at = $3::timestamptz WHERE feed_id = $1 AND first_seen_at >= $2::timestamptz",
          params: moved,
        },
        {
          text: "UPDATE records SET updated_at = $3::timestamptz WHERE feed_id = $1 AND updated_at >= $2::timestamptz",
          params: moved,
        },
      ]);
    },

    async records(of: TestFeed): Promise<Records> {
      const rows = await database.query<Known & { key: string }>(
        "SELECT natural_key AS key, status, version, data FROM records WHERE feed_id = $1 ORDER BY natural_key",
        [of.feedId],
      );
      return byKey(rows);
    },

    async recordsAt(of: TestFeed, at: string): Promise<Records> {
      const rows = await database.query<Known & { key: string }>(
        "SELECT natural_key AS key, status, version, data FROM records_at($1, $2, $3, NULL, NULL, 1000)",
        [of.customerId, of.feedId, at],
      );
      return byKey(rows);
    },

    async preview(customer: string, to: string): Promise<Preview> {
      const looked = await previewRestore(deps, { customer, to });
      if (looked.kind !== "preview") throw new Error(`no preview: ${looked.kind}`);
      return looked.preview;
    },

    carryOut: (customer: string, to: string, digest: string, with_: RestoreDeps = deps): Promise<Carried> =>
      carryOut(with_, { customer, to, digest, by: "ops" }),

    /** Every file of a restore that waits. */
    async applyAll(over?: Pick<Database, "query">): Promise<string[]> {
      const done: string[] = [];
      for (const message of messages.splice(0)) done.push((await applyHandler(message, restoring(over))).done);
      return done;
    },
  };
}

const byKey = (rows: readonly (Known & { readonly key: string })[]): Records =>
  Object.fromEntries(rows.map(({ key, ...known }) => [key, known]));
