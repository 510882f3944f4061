/**
 * POST /v1/feeds/:customer/:feed/backfill: an old mail or file, archived as it would have been had it come to us when it was
 * new. Nothing is read yet: a replay of the keys that are answered does that, in the order of then. For operators.
 */
import { eq, sql } from "drizzle-orm";
import { auditLog, deliveries } from "../../platform/schema.ts";
import type { Call } from "../deps.ts";
import { notFound } from "../problem/problem.ts";
import { customerInPath, feedInPath, readQuery, textParameter } from "../query/query.ts";
import { boundedBody, fileOfBody } from "../upload/body.ts";
import { momentSchema } from "./as-of.ts";

export async function backfillFile({ c, deps, caller }: Call): Promise<Response> {
  const { name, modified_at: modifiedAt } = readQuery(c, { name: textParameter, modified_at: momentSchema.optional() });
  const customer = customerInPath(c, "customer");
  const feed = deps.adapterOf(customer, feedInPath(c, "feed"));
  if (feed === undefined) throw notFound();
  const request = c.req.raw;
  const file = await fileOfBody(request.headers, await boundedBody(request), name);
  const facts = deps.backfill.facts({
    feed,
    ...file,
    modifiedAt: modifiedAt === undefined ? deps.now() : new Date(modifiedAt),
    tokenName: caller.name,
  });
  const [known] = await deps.db
    .select({ rawKey: deliveries.rawKey, state: deliveries.state, receivedAt: deliveries.receivedAt })
    .from(deliveries)
    .where(eq(deliveries.id, facts.id));
  if (known !== undefined) {
    const receivedAt = known.receivedAt.toISOString();
    return c.json({ delivery: { id: facts.id, state: known.state }, raw_key: known.rawKey, received_at: receivedAt });
  }
  // The audit log is written first: nothing may be in the archive that is not in it.
  await deps.db.execute(sql`
    INSERT INTO ${auditLog} (actor, action, subject, detail)
    VALUES (${caller.name}, 'backfill', ${`delivery ${facts.id}`},
      ${JSON.stringify({ customer, feed: feed.feed, name: file.name, receivedAt: facts.receivedAt })}::jsonb)`);
  const rawKey = await deps.backfill.archive(facts, file.bytes);
  return c.json({ delivery: { id: facts.id, state: null }, raw_key: rawKey, received_at: facts.receivedAt }, 201);
}
