/** The facts of a file for a dry run. Apply gets the same ones together with the lease. */
import { attempt } from "../domain/attempt.ts";
import { failure } from "../domain/failures.ts";
import { type FileRow, type FileToApply, fileToApply } from "../domain/plan.ts";
import type { PlanDeps } from "./deps.ts";

/** Throws `file-missing`. */
export async function readFile(deps: PlanDeps, fileId: string): Promise<FileToApply> {
  const rows = await attempt(deps, () =>
    deps.database.query<FileRow>(
      `SELECT x.customer_id, x.feed_id, f.mode AS feed_mode, x.cause, x.adapter_version, x.order_key, x.accepted, x.plan_mode,
         file_is_late(x.id) AS late, x.merges, x.chunks
       FROM files x JOIN feeds f ON f.id = x.feed_id WHERE x.id = $1 AND x.accepted IS NOT NULL`,
      [fileId],
    ),
  );
  const row = rows[0];
  if (row === undefined) throw failure("file-missing", { file: fileId });
  return fileToApply(fileId, row);
}
