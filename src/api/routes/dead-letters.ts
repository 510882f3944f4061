/** GET /v1/dead-letters: what the stages gave up on, the latest first. For operators. */
import { and, desc, eq, sql } from "drizzle-orm";
import { DEAD_LETTER_STATES, deadLetters } from "../../platform/schema.ts";
import { scopeOf } from "../auth/scope.ts";
import type { Call } from "../deps.ts";
import { asMicros, fromMicros, idKey, microsKey, pageOf, readCursor } from "../pages/page.ts";
import { customerParameter, oneOf, pageParameters, readQuery } from "../query/query.ts";
import { iso } from "./present.ts";

const LIST = "dead-letters";

export async function listDeadLetters({ c, deps, caller }: Call): Promise<Response> {
  const query = readQuery(c, {
    customer: customerParameter,
    state: oneOf(DEAD_LETTER_STATES).default("open"),
    ...pageParameters,
  });
  const after = query.cursor === undefined ? undefined : readCursor(LIST, query.cursor, [microsKey, idKey]);
  await scopeOf(deps.db, caller, { customer: query.customer });
  const rows = await deps.db
    .select({ letter: deadLetters, micros: asMicros(deadLetters.lastAt) })
    .from(deadLetters)
    .where(
      and(
        eq(deadLetters.state, query.state),
        query.customer === undefined ? undefined : eq(deadLetters.customer, query.customer),
        after && sql`(${deadLetters.lastAt}, ${deadLetters.id}) < (${fromMicros(after[0])}, ${after[1]}::bigint)`,
      ),
    )
    .orderBy(desc(deadLetters.lastAt), desc(deadLetters.id))
    .limit(query.limit + 1);
  const page = pageOf(
    LIST,
    rows,
    query.limit,
    (row) => [row.micros, row.letter.id],
    ({ letter }) => ({
      id: letter.id,
      stage: letter.stage,
      state: letter.state,
      customer: letter.customer,
      correlation_id: letter.correlationId,
      attempts: letter.attempts,
      failure: letter.failure,
      message: letter.message,
      first_at: iso(letter.firstAt),
      last_at: iso(letter.lastAt),
    }),
  );
  return c.json(page);
}
