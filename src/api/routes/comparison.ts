/** GET /v1/files/:id/comparison: what a file that is never applied would have done, or was found to differ in. */
import { eq } from "drizzle-orm";
import { files } from "../../platform/schema.ts";
import type { Call } from "../deps.ts";
import { notFound } from "../problem/problem.ts";
import { idInPath, readQuery } from "../query/query.ts";
import { fileOf } from "./files.ts";
import { presentFailure } from "./present.ts";

/** `comparison` is null as long as there is none; `failure` says why there will be none. Throws `not-found` for files that are applied. */
export async function getComparison(call: Call): Promise<Response> {
  const id = idInPath(call.c, "id");
  readQuery(call.c, {});
  const { file } = await fileOf(call, id);
  const [wide] = await call.deps.db.select({ comparison: files.comparison }).from(files).where(eq(files.id, id));
  const comparison = wide?.comparison ?? null;
  if (comparison === null && !file.compareOnly) throw notFound();
  return call.c.json({
    file: { id, state: file.state, cause: file.cause, path: file.path, delivery_id: file.deliveryId },
    failure: presentFailure(call.caller, file.failure),
    comparison,
  });
}
