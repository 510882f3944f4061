/**
 * GET /v1/dead-letters and GET /v1/dead-letters/:id: what the stages gave up on, why, what else there is of it, and whether
 * it can be sent again. For operators.
 */
import { and, asc, count, desc, eq, max, min, or, type SQL, sql } from "drizzle-orm";
import { DEAD_LETTER_STATES, deadLetters, deliveries, files, fixedCauses } from "../../platform/schema.ts";
import { wayOf } from "../../redrive/way.ts";
import { scopeOf } from "../auth/scope.ts";
import type { Call } from "../deps.ts";
import { asMicros, fromMicros, idKey, microsKey, pageOf, readCursor } from "../pages/page.ts";
import { notFound } from "../problem/problem.ts";
import { causeParameter, customerParameter, idInPath, oneOf, pageParameters, readQuery } from "../query/query.ts";
import { iso } from "./present.ts";

const LIST = "dead-letters";
/** Lives of one letter that are shown: who redrives more often does not look at each. */
const LIVES_SHOWN = 50;

type LetterRow = typeof deadLetters.$inferSelect;

const presentLetter = (letter: LetterRow) => ({
  id: letter.id,
  stage: letter.stage,
  cause: letter.cause,
  state: letter.state,
  customer: letter.customer,
  feed: letter.feed,
  file_id: letter.fileId,
  correlation_id: letter.correlationId,
  attempts: letter.attempts,
  failure: letter.failure,
  message: letter.message,
  redrive_of: letter.redriveOf,
  decided_at: iso(letter.decidedAt),
  decided_by: letter.decidedBy,
  reason: letter.reason,
  first_at: iso(letter.firstAt),
  last_at: iso(letter.lastAt),
});

export async function listDeadLetters({ c, deps, caller }: Call): Promise<Response> {
  const query = readQuery(c, {
    stage: oneOf(["parse", "apply"]).optional(),
    cause: causeParameter.optional(),
    customer: customerParameter,
    state: oneOf(DEAD_LETTER_STATES).default("open"),
    ...pageParameters,
  });
  const after = query.cursor === undefined ? undefined : readCursor(LIST, query.cursor, [microsKey, idKey]);
  await scopeOf(deps.db, caller, { customer: query.customer });
  const asked = and(
    eq(deadLetters.state, query.state),
    query.stage === undefined ? undefined : eq(deadLetters.stage, query.stage),
    query.customer === undefined ? undefined : eq(deadLetters.customer, query.customer),
  );
  const rows = await deps.db
    .select({ letter: deadLetters, micros: asMicros(deadLetters.lastAt) })
    .from(deadLetters)
    .where(
      and(
        asked,
        query.cause === undefined ? undefined : eq(deadLetters.cause, query.cause),
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
    ({ letter }) => presentLetter(letter),
  );
  return c.json({ ...page, causes: await causesOf(deps.db, asked) });
}

/** How many letters there are of each cause, the commonest first, and whether it is marked as fixed. */
async function causesOf(db: Call["deps"]["db"], asked: SQL | undefined) {
  const rows = await db
    .select({
      cause: deadLetters.cause,
      letters: count(),
      oldest: min(deadLetters.lastAt),
      latest: max(deadLetters.lastAt),
      fixed: fixedCauses,
    })
    .from(deadLetters)
    .leftJoin(fixedCauses, eq(fixedCauses.cause, deadLetters.cause))
    .where(asked)
    .groupBy(deadLetters.cause, fixedCauses.cause)
    .orderBy(desc(count()), asc(deadLetters.cause));
  return rows.map(({ cause, letters, oldest, latest, fixed }) => ({
    cause,
    letters,
    oldest_at: iso(oldest),
    latest_at: iso(latest),
    fixed: fixed && { marked_at: iso(fixed.markedAt), marked_by: fixed.markedBy, note: fixed.note },
  }));
}

export async function getDeadLetter({ c, deps }: Call): Promise<Response> {
  const id = idInPath(c, "id");
  readQuery(c, {});
  const [row] = await deps.db.select().from(deadLetters).where(eq(deadLetters.id, id));
  const [letter] = await deps.redrive.tables.letters([id]);
  if (row === undefined || letter === undefined) throw notFound();
  const first = row.redriveOf ?? row.id;
  const lives = await deps.db
    .select()
    .from(deadLetters)
    .where(or(eq(deadLetters.id, first), eq(deadLetters.redriveOf, first)))
    .orderBy(asc(deadLetters.id))
    .limit(LIVES_SHOWN);
  const [delivery] = await deps.db
    .select({ id: deliveries.id, state: deliveries.state })
    .from(deliveries)
    .where(eq(deliveries.id, row.correlationId ?? ""));
  const [file] = await deps.db
    .select({ id: files.id, state: files.state, path: files.path })
    .from(files)
    .where(eq(files.id, row.fileId ?? "0"));
  const way = row.state === "open" ? wayOf(letter, deps.redrive.knows) : undefined;
  return c.json({
    ...presentLetter(row),
    first_life: first === row.id ? null : (lives.filter((life) => life.id === first).map(presentLetter)[0] ?? null),
    lives: lives.map(({ id: life, state, cause, failure, lastAt }) => ({
      id: life,
      state,
      cause,
      sentence: failure.sentence,
      last_at: iso(lastAt),
    })),
    redrivable: way && { possible: way.kind === "goes", reason: way.kind === "goes" ? null : way.reason },
    delivery: delivery && {
      ...delivery,
      url: `/v1/deliveries/${delivery.id}`,
      raw_url: `/v1/deliveries/${delivery.id}/raw`,
    },
    file: file && { ...file, url: `/v1/files/${file.id}` },
  });
}
