/**
 * Files that the blast-radius gate holds: GET /v1/holds, and what the two decisions about a file (`release`, `reject`) come to
 * where the gate holds it. What a decision does stands in `src/holds`; here is only who asks and what is answered.
 */

import type { HoldAction } from "../../gate/link.ts";
import { type Decided, decideHold } from "../../holds/decide.ts";
import type { Hold } from "../../holds/deps.ts";
import { feedOf, scopeOf } from "../auth/scope.ts";
import type { Call } from "../deps.ts";
import { presentHold } from "../holds/present.ts";
import { idKey, pageOf, readCursor } from "../pages/page.ts";
import { notFound, problem } from "../problem/problem.ts";
import {
  customerInPath,
  customerParameter,
  feedInPath,
  feedParameter,
  oneOf,
  pageParameters,
  readQuery,
} from "../query/query.ts";
import type { fileOf } from "./files.ts";

const LIST = "holds";

/** GET /v1/holds: those that wait for a decision, or with `state=decided` those that have one; the latest first. */
export async function listHolds({ c, deps, caller }: Call): Promise<Response> {
  const query = readQuery(c, {
    customer: customerParameter,
    feed: feedParameter,
    state: oneOf(["open", "decided"]).default("open"),
    ...pageParameters,
  });
  const before = query.cursor === undefined ? undefined : readCursor(LIST, query.cursor, [idKey])[0];
  const scope = await scopeOf(deps.db, caller, query);
  const open = query.state === "open";
  const holds = await deps.holds.tables.list({ ...scope, open, before }, query.limit + 1);
  const present = (hold: Hold) => presentHold(caller, hold, deps.now());
  return c.json(pageOf(LIST, holds, query.limit, ({ id }) => [id], present));
}

/** POST /v1/feeds/:customer/:feed/gate/narrow: what releases have laid over the feed's limits is taken back. Once more does no harm. */
export async function narrowGate({ c, deps, caller }: Call): Promise<Response> {
  readQuery(c, {});
  const { feedId, customer, feed } = await feedOf(
    deps.db,
    caller,
    customerInPath(c, "customer"),
    feedInPath(c, "feed"),
  );
  const was = await deps.holds.tables.narrow(feedId, caller.name);
  return c.json({ customer, feed, gate_widening: {}, was });
}

/** The hold that is asked about when a file is released or rejected; undefined where the gate has no part in its state. */
export async function holdInQuestion({ deps }: Call, { file }: Awaited<ReturnType<typeof fileOf>>) {
  if (file.state === "held" && file.failure?.code !== "blast-radius") return undefined;
  return deps.holds.tables.of(file.id);
}

/**
 * Decides and answers. Called again with the same decision it does no harm; another one is refused, and it is said what was
 * decided and by whom.
 */
export async function answerDecision(call: Call, hold: Hold, action: HoldAction, reason?: string): Promise<Response> {
  const { c, deps, caller } = call;
  const decided = await decideHold(deps.holds, hold.fileId, action, { is: "caller", name: caller.name }, reason);
  const { hold: now, sent } = settledOr(decided, action);
  const { fileId: id, state } = now;
  const answer = {
    file: { id, state },
    hold: presentHold(caller, now, deps.now()),
    sent,
    status_url: `/v1/files/${id}`,
  };
  return c.json(answer, action === "reject" ? 200 : 202);
}

function settledOr(decided: Decided, action: HoldAction): Decided & { readonly is: "decided" | "already" } {
  switch (decided.is) {
    case "unknown":
      throw notFound();
    case "moved":
      throw problem("wrong-state", `The file is “${decided.hold.state}”; only a held one can be decided about.`, {
        members: { state: decided.hold.state },
      });
    case "over":
      throw problem("not-releasable", `Its time was over at ${decided.hold.expiresAt}; it can only be rejected.`, {
        members: { code: "blast-radius", expires_at: decided.hold.expiresAt },
      });
    case "decided":
      return decided;
    case "already": {
      const { decision, decidedBy, decidedAt, state } = decided.hold;
      if (decision === action) return decided;
      throw problem("wrong-state", `It was decided before: “${decision}”, by ${decidedBy} at ${decidedAt}.`, {
        members: { state, decision, decided_by: decidedBy, decided_at: decidedAt },
      });
    }
  }
}
