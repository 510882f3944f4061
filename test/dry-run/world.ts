/** The world of the apply tests with files that only ask. */
import { neededBatches } from "../../src/apply/batches.ts";
import type { DiffPlan, FileToApply } from "../../src/domain/plan.ts";
import type { DryRunDeps } from "../../src/dry-run/deps.ts";
import { dryRunFile } from "../../src/dry-run/dry-run.ts";
import { dryRunTables } from "../../src/dry-run/tables.ts";
import { planFile } from "../../src/plan/plan-file.ts";
import { readFile } from "../../src/plan/read-file.ts";
import { type TestFeed, type TestFile, type TestRow, type World, worldOn } from "../apply/world.ts";
import { forceIn } from "../support/force-state.ts";

export const NOW = new Date("2026-11-20T12:00:00.000Z");

const STATEMENT_ROWS = 6;

export type AskingWorld = ReturnType<typeof askingWorldOn>;

export function askingWorldOn(connectionString: string) {
  const world: World = worldOn(connectionString);
  const { database, chunks } = world;
  const waiting = { sleep: async () => undefined, random: () => 0 };
  const needed: DryRunDeps["rows"] = (file, plan, maxRows) =>
    neededBatches(file.chunks, plan, (entry) => chunks.whole(file, entry), Math.min(maxRows, STATEMENT_ROWS));
  const planDeps = {
    ...waiting,
    database,
    chunks,
    needed: (file: FileToApply, plan: DiffPlan) => needed(file, plan, STATEMENT_ROWS),
    maxRows: STATEMENT_ROWS,
  };

  /** A parsed file of the feed that asks. */
  async function question(of: TestFeed, place: number, rows: readonly TestRow[]): Promise<TestFile> {
    const file = await world.file(of, place, rows);
    await forceIn(database, "UPDATE files SET cause = 'dry-run', compare_only = true WHERE id = $1", [file.id]);
    return file;
  }

  const deps = (more: Partial<DryRunDeps> = {}): DryRunDeps => ({
    ...waiting,
    tables: dryRunTables(database),
    readFile: (id) => readFile(planDeps, id),
    plan: (file) => planFile(planDeps, file, { record: false }),
    rows: needed,
    judge: async () => ({ reasons: [], unjudged: [] }),
    now: () => NOW,
    ...more,
  });

  return {
    ...world,
    question,
    asking: deps,
    ask: (file: TestFile, with_: DryRunDeps = deps(), lookedMaxRows?: number) =>
      dryRunFile(with_, file.id, 0, lookedMaxRows),
    /** Everything that a dry run must leave as it was, byte for byte. */
    async kept(): Promise<string> {
      const tables = ["records", "changes", "seen", "feeds", "rejects", "holds", "feed_versions"];
      const texts = tables.map((table) => `SELECT '${table} ' || t::text AS line FROM ${table} t`);
      const lines = await database.query<{ line: string }>(`${texts.join(" UNION ALL ")} ORDER BY 1`, []);
      return lines.map(({ line }) => line).join("\n");
    },
    ledgerOf: async ({ id }: TestFile) =>
      (await world.one<{ n: number }>("SELECT count(*)::int AS n FROM ledger WHERE file_id = $1", [id])).n,
  };
}
