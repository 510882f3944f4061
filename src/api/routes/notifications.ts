/** GET /v1/notifications: the mails to people, sent or waiting, the latest first. For operators. */
import { and, desc, eq, sql } from "drizzle-orm";
import { customers, feeds, NOTIFICATION_STATES, notifications } from "../../platform/schema.ts";
import { scopeOf } from "../auth/scope.ts";
import type { Call } from "../deps.ts";
import { asMicros, fromMicros, idKey, microsKey, pageOf, readCursor } from "../pages/page.ts";
import { customerParameter, feedParameter, oneOf, pageParameters, readQuery } from "../query/query.ts";
import { iso } from "./present.ts";

const LIST = "notifications";

export async function listNotifications({ c, deps, caller }: Call): Promise<Response> {
  const query = readQuery(c, {
    customer: customerParameter,
    feed: feedParameter,
    state: oneOf(NOTIFICATION_STATES).optional(),
    ...pageParameters,
  });
  const after = query.cursor === undefined ? undefined : readCursor(LIST, query.cursor, [microsKey, idKey]);
  const scope = await scopeOf(deps.db, caller, query);
  const rows = await deps.db
    .select({
      mail: notifications,
      customer: customers.slug,
      feed: feeds.slug,
      micros: asMicros(notifications.createdAt),
    })
    .from(notifications)
    .innerJoin(customers, eq(customers.id, notifications.customerId))
    .innerJoin(feeds, eq(feeds.id, notifications.feedId))
    .where(
      and(
        scope.customerId === undefined ? undefined : eq(notifications.customerId, scope.customerId),
        scope.feedId === undefined ? undefined : eq(notifications.feedId, scope.feedId),
        query.state === undefined ? undefined : eq(notifications.state, query.state),
        after &&
          sql`(${notifications.createdAt}, ${notifications.id}) < (${fromMicros(after[0])}, ${after[1]}::bigint)`,
      ),
    )
    .orderBy(desc(notifications.createdAt), desc(notifications.id))
    .limit(query.limit + 1);
  const page = pageOf(
    LIST,
    rows,
    query.limit,
    (row) => [row.micros, row.mail.id],
    ({ mail, customer, feed }) => ({
      id: mail.id,
      customer,
      feed,
      file_id: mail.fileId,
      recipient: mail.recipient,
      state: mail.state,
      subject: mail.subject,
      text: mail.bodyText,
      attempts: mail.attempts,
      sent_to: mail.sentTo,
      error: mail.error,
      created_at: iso(mail.createdAt),
      sent_at: iso(mail.sentAt),
    }),
  );
  return c.json(page);
}
