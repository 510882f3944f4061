/** GET /v1/deliveries and GET /v1/deliveries/:id. */
import { and, asc, desc, eq, sql } from "drizzle-orm";
import { customers, DELIVERY_STATES, deliveries, feeds, files } from "../../platform/schema.ts";
import { visibleTo } from "../auth/caller.ts";
import { scopeOf } from "../auth/scope.ts";
import type { Call } from "../deps.ts";
import { asMicros, deliveryKey, fromMicros, microsKey, pageOf, readCursor } from "../pages/page.ts";
import { notFound } from "../problem/problem.ts";
import {
  customerParameter,
  deliveryIdInPath,
  feedParameter,
  oneOf,
  pageParameters,
  readQuery,
} from "../query/query.ts";
import { fileColumns } from "./files.ts";
import { presentDelivery, presentFile } from "./present.ts";

const LIST = "deliveries";
const names = { customer: customers.slug, feed: feeds.slug };

export async function listDeliveries({ c, deps, caller }: Call): Promise<Response> {
  const query = readQuery(c, {
    customer: customerParameter,
    feed: feedParameter,
    state: oneOf(DELIVERY_STATES).optional(),
    ...pageParameters,
  });
  const after = query.cursor === undefined ? undefined : readCursor(LIST, query.cursor, [microsKey, deliveryKey]);
  const scope = await scopeOf(deps.db, caller, query);
  const rows = await deps.db
    .select({ delivery: deliveries, names, micros: asMicros(deliveries.receivedAt) })
    .from(deliveries)
    .innerJoin(customers, eq(customers.id, deliveries.customerId))
    .innerJoin(feeds, eq(feeds.id, deliveries.feedId))
    .where(
      and(
        visibleTo(caller, deliveries.customerId),
        scope.customerId === undefined ? undefined : eq(deliveries.customerId, scope.customerId),
        scope.feedId === undefined ? undefined : eq(deliveries.feedId, scope.feedId),
        query.state === undefined ? undefined : eq(deliveries.state, query.state),
        after && sql`(${deliveries.receivedAt}, ${deliveries.id}) < (${fromMicros(after[0])}, ${after[1]})`,
      ),
    )
    .orderBy(desc(deliveries.receivedAt), desc(deliveries.id))
    .limit(query.limit + 1);
  const page = pageOf(
    LIST,
    rows,
    query.limit,
    (row) => [row.micros, row.delivery.id],
    (row) => presentDelivery(caller, row.delivery, row.names),
  );
  return c.json(page);
}

export async function getDelivery({ c, deps, caller }: Call): Promise<Response> {
  const id = deliveryIdInPath(c, "id");
  readQuery(c, {});
  const [found] = await deps.db
    .select({ delivery: deliveries, names })
    .from(deliveries)
    .innerJoin(customers, eq(customers.id, deliveries.customerId))
    .innerJoin(feeds, eq(feeds.id, deliveries.feedId))
    .where(and(eq(deliveries.id, id), visibleTo(caller, deliveries.customerId)));
  if (found === undefined) throw notFound();
  const payloads = await deps.db
    .select(fileColumns)
    .from(files)
    .where(and(eq(files.deliveryId, id), visibleTo(caller, files.customerId)))
    .orderBy(asc(files.position));
  return c.json({
    ...presentDelivery(caller, found.delivery, found.names),
    files: payloads.map((row) => presentFile(caller, row, found.names)),
  });
}
