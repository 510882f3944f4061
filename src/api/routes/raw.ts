/**
 * GET /v1/deliveries/:id/raw: the archived bytes of a delivery, as they came. For operators, and each look is written down:
 * a mail may hold what nobody here has to read. Always a download of no type, so that no browser runs what a stranger sent.
 */
import { eq, sql } from "drizzle-orm";
import { asFailure } from "../../domain/failures.ts";
import { auditLog, deliveries } from "../../platform/schema.ts";
import type { Call } from "../deps.ts";
import { notFound, problem } from "../problem/problem.ts";
import { deliveryIdInPath, readQuery } from "../query/query.ts";
import { download } from "./download.ts";

export async function rawDelivery(call: Call): Promise<Response> {
  const { c, deps, caller } = call;
  const id = deliveryIdInPath(c, "id");
  readQuery(c, {});
  const [found] = await deps.db
    .select({ rawKey: deliveries.rawKey, door: deliveries.door })
    .from(deliveries)
    .where(eq(deliveries.id, id));
  if (found === undefined) throw notFound();
  const { bytes, blocks } = await openedRaw(call, found.rawKey);
  await deps.db.execute(
    sql`INSERT INTO ${auditLog} (actor, action, subject) VALUES (${caller.name}, 'read-raw', ${`delivery ${id}`})`,
  );
  return download(call, blocks, {
    contentType: "application/octet-stream",
    name: `${id}.${found.door === "mail" ? "eml" : "bin"}`,
    bytes,
  });
}

async function openedRaw({ deps }: Call, key: string): ReturnType<Call["deps"]["openRaw"]> {
  try {
    return await deps.openRaw(key);
  } catch (thrown) {
    if (asFailure(thrown).code !== "raw-missing") throw thrown;
    throw problem("not-found", "The archive does not hold the bytes of this delivery any more.");
  }
}
