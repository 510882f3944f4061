/** The dry run's part of the composition root: planned and judged as on the way to apply, told by mail. */
import { neededBatches } from "./apply/batches.ts";
import { tooOld } from "./apply/gate.ts";
import type { ChunkEntry } from "./domain/chunk.ts";
import type { DiffPlan, FileToApply } from "./domain/plan.ts";
import type { AnswerDeps, DryRunDeps } from "./dry-run/deps.ts";
import { dryRunTables } from "./dry-run/tables.ts";
import { judgeFile } from "./gate/handler.ts";
import { type Gating, judgeDeps } from "./gating.ts";
import { composeMessage } from "./notify/compose.ts";
import { planFile } from "./plan/plan-file.ts";
import { readFile } from "./plan/read-file.ts";
import { type Database, patient } from "./platform/postgres.ts";

export interface Answering extends Pick<Gating, "sleep" | "random"> {
  readonly postgres: Database;
  readonly mailDomain: string;
}

export const answerDeps = ({ postgres, mailDomain, ...waiting }: Answering): AnswerDeps => ({
  tables: dryRunTables(patient(postgres, waiting)),
  compose: composeMessage,
  mailDomain,
});

export interface DryRunning extends Gating, Answering {
  /** Exactly the first `entry.headBytes` bytes of a chunk. Throws `chunk-missing` or `storage-unavailable`. */
  head(file: FileToApply, entry: ChunkEntry): Promise<Uint8Array>;
  now(): Date;
  /** Rows in one statement, where it is not to be as many as are best for the database. */
  readonly maxRows?: number;
}

export function dryRunDeps(running: DryRunning): DryRunDeps & AnswerDeps {
  const { database, sleep, random, maxRows, head, whole, now } = running;
  const needed = (file: FileToApply, plan: DiffPlan, rows = maxRows) =>
    neededBatches(file.chunks, plan, (entry) => whole(file, entry), rows);
  const planning = { database, sleep, random, chunks: { head }, needed, ...(maxRows === undefined ? {} : { maxRows }) };
  const judging = judgeDeps(running);
  const answering = answerDeps(running);
  return {
    ...answering,
    tables: dryRunTables(patient(running.postgres, { sleep, random })),
    sleep,
    random,
    now,
    readFile: (fileId) => readFile(planning, fileId),
    plan: (file) => planFile(planning, file, { record: false }),
    rows: (file, plan, rows) => needed(file, plan, Math.min(rows, maxRows ?? rows)),
    async judge(file, plan, forecast) {
      const old = tooOld(plan, file);
      if (old !== undefined) return { reasons: [{ check: old.code, sentence: old.sentence }], unjudged: [] };
      const { tripped, unjudged } = await judgeFile(judging, file, plan, forecast);
      return {
        reasons: tripped.map(({ check, field, sentence }) => ({
          check,
          sentence,
          ...(field === undefined ? {} : { field }),
        })),
        unjudged,
      };
    },
  };
}
