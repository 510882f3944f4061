/**
 * What an operator decides about dead letters: redrive one, some, or all of a cause; discard; mark a cause as fixed. Each may
 * be called again and does no harm. What happens stands in `src/redrive`; here is only who asks and what is answered.
 */
import { z } from "zod";
import { CUSTOMER_SLUG } from "../../domain/ids.ts";
import {
  type Decided,
  discardLetter,
  markFixed,
  type Redriven,
  redriveCause,
  redriveLetters,
  redriveOne,
} from "../../redrive/redrive.ts";
import { scopeOf } from "../auth/scope.ts";
import type { Call } from "../deps.ts";
import { noteSchema } from "../formats/acceptance.ts";
import { notFound, problem } from "../problem/problem.ts";
import { readJson } from "../query/json-body.ts";
import { causeInPath, causeParameter, idInPath, idParameter, readQuery } from "../query/query.ts";

/** Ids in one request: more are a cause. */
const MAX_IDS = 1_000;

const noBody = z.object({}).strict();

/** POST /v1/dead-letters/:id/redrive */
export async function redriveDeadLetter({ c, deps, caller }: Call): Promise<Response> {
  const id = idInPath(c, "id");
  readQuery(c, {});
  await readJson(c, noBody);
  const { state, sent } = doneOr(await redriveOne(deps.redrive, id, caller.name), "not-redrivable");
  return c.json({ dead_letter: { id, state, sent }, status_url: `/v1/dead-letters/${id}` }, 202);
}

const chosen = z.union(
  [
    z.object({ ids: z.array(idParameter).min(1, "is empty").max(MAX_IDS, `has more than ${MAX_IDS} ids`) }).strict(),
    z
      .object({
        cause: causeParameter,
        customer: z.string().regex(CUSTOMER_SLUG, "is not the name of a customer").optional(),
      })
      .strict(),
  ],
  { error: "must be either {ids: […]} or {cause, customer?}" },
);

/** POST /v1/dead-letters/redrive: up to so many a call; `left` says whether to call again. */
export async function redriveDeadLetters({ c, deps, caller }: Call): Promise<Response> {
  readQuery(c, {});
  const asked = await readJson(c, chosen);
  if (!("ids" in asked)) await scopeOf(deps.db, caller, asked);
  const done: Redriven =
    "ids" in asked
      ? await redriveLetters(deps.redrive, asked.ids, caller.name)
      : await redriveCause(deps.redrive, asked, caller.name);
  return c.json(done, 202);
}

/** POST /v1/dead-letters/:id/discard */
export async function discardDeadLetter({ c, deps, caller }: Call): Promise<Response> {
  const id = idInPath(c, "id");
  readQuery(c, {});
  const { reason } = await readJson(c, z.object({ reason: noteSchema }).strict());
  const { state } = doneOr(await discardLetter(deps.redrive, id, caller.name, reason), "wrong-state");
  return c.json({ dead_letter: { id, state }, status_url: `/v1/dead-letters/${id}` });
}

/** POST /v1/dead-letters/causes/:cause/fixed */
export async function markCauseFixed({ c, deps, caller }: Call): Promise<Response> {
  const cause = causeInPath(c, "cause");
  readQuery(c, {});
  const { note } = await readJson(c, z.object({ note: noteSchema.optional() }).strict());
  const marked = await markFixed(deps.redrive, cause, caller.name, note ?? null);
  if (marked === undefined) throw notFound();
  const waiting = await deps.redrive.tables.countOpenOf({ cause, diedBefore: marked.markedAt }, undefined);
  return c.json({ cause, marked_at: marked.markedAt, marked_by: marked.markedBy, waiting }, 202);
}

function doneOr(decided: Decided, refusal: "not-redrivable" | "wrong-state"): Decided & { readonly kind: "done" } {
  if (decided.kind === "unknown") throw notFound();
  if (decided.kind === "done") return decided;
  throw problem(refusal, decided.reason, { members: { state: decided.state } });
}
