/** Upkeep over a real database with rows made old by hand; storage is a set of keys. */
import { randomUUID } from "node:crypto";
import { failure } from "../../src/domain/failures.ts";
import { jobsIn } from "../../src/platform/jobs.ts";
import type { UpkeepDeps } from "../../src/upkeep/deps.ts";
import type { JobName } from "../../src/upkeep/retention.ts";
import { upkeepTables } from "../../src/upkeep/tables.ts";
import { jobRow, upkeep } from "../../src/upkeep/upkeep.ts";
import { ago, DAY, idOf, NOW, sweepWorldOn } from "../sweep/world.ts";

export type UpkeepWorld = ReturnType<typeof upkeepWorldOn>;

export function upkeepWorldOn(connectionString: string) {
  const base = sweepWorldOn(connectionString);
  const { database } = base;
  const objects = new Set<string>();
  const logged: string[] = [];
  const write = (event: string) => void logged.push(event);
  const deps: UpkeepDeps = {
    jobs: jobsIn(database),
    tables: upkeepTables(database),
    async removeChunks(fileId) {
      for (const key of objects) if (key.startsWith(`chunks/${fileId}/`)) objects.delete(key);
    },
    async removeRaw(keys) {
      if (keys.length > 1_000) throw failure("storage-unavailable", { reason: "R2 removes 1,000 keys at most" });
      for (const key of keys) objects.delete(key);
    },
    now: () => NOW,
    token: randomUUID,
    log: { info: write, warn: write, error: write },
  };
  let made = 0;
  return {
    ...base,
    deps,
    objects,
    logged,
    upkeep: (over: Partial<UpkeepDeps> = {}, now = NOW, daily = true) =>
      upkeep(now, daily, { ...deps, now: () => now, ...over }),
    /** A file of a delivery of its own, both that many days old, with two chunks in storage and rows in all tables. */
    async oldFile(state: string, days: number): Promise<string> {
      made++;
      const at = ago(days * DAY);
      await base.delivery(made, "parsed", at);
      const id = await base.file(made, state, at);
      objects.add(`chunks/${id}/v1/0`).add(`chunks/${id}/v2/0`);
      objects.add(
        (await base.one<{ raw_key: string }>("SELECT raw_key FROM deliveries WHERE id = $1", [idOf(made)])).raw_key,
      );
      await database.query("UPDATE files SET rejected = 1, lines = 5, drift_report = '{}' WHERE id = $1", [id]);
      await database.query(
        "INSERT INTO rejects (file_id, line, position, code, sentence, hint, raw) VALUES ($1, 2, 0, 'value-missing', 's', 'h', 'r')",
        [id],
      );
      await database.query(
        `INSERT INTO ledger (file_id, chunk_key, rows, inserted, changed, unchanged, stale, settled_at)
         VALUES ($1, gen_random_uuid(), 1, 1, 0, 0, 0, $2)`,
        [id, at.toISOString()],
      );
      await database.query(
        `INSERT INTO seen (feed_id, order_key, file_id, chunk_key, seen_at, record_ids)
         SELECT feed_id, order_key, id, gen_random_uuid(), $2, '{1}' FROM files WHERE id = $1`,
        [id, at.toISOString()],
      );
      return id;
    },
    /** What is left of a file: how many rows and chunks. */
    async left(id: string) {
      const rows = await base.one<{ rejects: number; ledger: number; seen: number; drift: boolean }>(
        `SELECT (SELECT count(*)::int FROM rejects WHERE file_id = f.id) AS rejects,
           (SELECT count(*)::int FROM ledger WHERE file_id = f.id) AS ledger, (SELECT count(*)::int FROM seen WHERE file_id = f.id) AS seen,
           drift_report IS NOT NULL AS drift FROM files f WHERE id = $1`,
        [id],
      );
      return { ...rows, chunks: [...objects].filter((key) => key.startsWith(`chunks/${id}/`)).length };
    },
    jobRow: (name: JobName) =>
      base.one<{ ok: boolean; error: string | null; progress: unknown; result: Record<string, unknown> }>(
        "SELECT last_ok_at IS NOT NULL AS ok, error, progress, result FROM jobs WHERE name = $1",
        [jobRow(name)],
      ),
  };
}
