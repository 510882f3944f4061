/**
 * What an operator decides about drift, and asks for: release, reject, compare now. Each may be called again and does no
 * harm. What happens stands in `src/reconcile`; here is only who asks and what is answered.
 */
import { z } from "zod";
import type { Outcome } from "../../reconcile/handler.ts";
import { feedOf } from "../auth/scope.ts";
import type { Call } from "../deps.ts";
import { noteSchema } from "../formats/acceptance.ts";
import { notFound, problem } from "../problem/problem.ts";
import { readJson } from "../query/json-body.ts";
import { customerInPath, feedInPath, idInPath, readQuery } from "../query/query.ts";

/** What of reconcile the API asks for. */
export interface DriftDoor {
  /** The state the report is in then; undefined where there is none. A released one is healed from here on. */
  decide(report: string, to: "released" | "rejected", by: string, note: string | null): Promise<string | undefined>;
  /** Holds the records of a full feed against its last full file. */
  check(
    customer: string,
    feed: string,
  ): Promise<
    { readonly kind: "compared"; readonly outcome: Outcome } | { readonly kind: "impossible"; readonly why: string }
  >;
}

const withNote = z.object({ note: noteSchema.optional() }).strict();

/** POST /v1/drift/:id/release */
export const releaseDrift = (call: Call): Promise<Response> =>
  decide(call, "released", ["released", "healed"], "Only a report that waits can be released.");

/** POST /v1/drift/:id/reject */
export const rejectDrift = (call: Call): Promise<Response> =>
  decide(call, "rejected", ["rejected"], "Only a report that waits can be rejected.");

async function decide(
  { c, deps, caller }: Call,
  to: "released" | "rejected",
  done: readonly string[],
  refusal: string,
): Promise<Response> {
  const id = idInPath(c, "id");
  readQuery(c, {});
  const { note } = await readJson(c, withNote);
  const state = await deps.drift.decide(id, to, caller.name, note ?? null);
  if (state === undefined) throw notFound();
  if (!done.includes(state)) throw problem("wrong-state", refusal, { members: { state } });
  return c.json({ drift: { id, state }, status_url: `/v1/drift/${id}` }, 202);
}

/** POST /v1/feeds/:customer/:feed/reconcile */
export async function reconcileFeed({ c, deps, caller }: Call): Promise<Response> {
  const { customer, feed } = await feedOf(deps.db, caller, customerInPath(c, "customer"), feedInPath(c, "feed"));
  readQuery(c, {});
  await readJson(c, z.object({}).strict());
  const checked = await deps.drift.check(customer, feed);
  if (checked.kind === "impossible") {
    throw problem("refused", `The records of ${customer}/${feed} cannot be compared now: ${checked.why}.`);
  }
  const { report, state } = checked.outcome;
  return c.json({ drift: { id: report, state }, status_url: `/v1/drift/${report}` }, 202);
}
