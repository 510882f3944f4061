/** A hold as the API shows it. The nonce of its links is shown to nobody. Pure. */

import { isOver } from "../../holds/decide.ts";
import type { Hold } from "../../holds/deps.ts";
import type { Caller } from "../auth/caller.ts";

export function presentHold(caller: Pick<Caller, "role">, hold: Hold, now: Date) {
  const { facts, tripped, telling } = hold;
  return {
    id: hold.id,
    file_id: hold.fileId,
    customer: hold.customer,
    feed: hold.feed,
    delivery_id: hold.deliveryId,
    path: hold.path,
    sender: hold.sender,
    received_at: hold.receivedAt,
    state: hold.state,
    /** Why, one for each check that it tripped: the sentence, and its numbers in the check's own unit. */
    reasons: tripped.map(({ check, field, sentence, evidence }) => ({
      check,
      field: field ?? null,
      sentence,
      ...evidence,
    })),
    /** What it would do; null where the plan does not know. */
    numbers: {
      records: facts.records,
      rows: facts.rows,
      rejected: facts.rejected,
      inserted: facts.inserted ?? null,
      changed: facts.changed ?? null,
      unchanged: facts.unchanged ?? null,
      retired: facts.retired,
    },
    telling: telling.map(({ kind, key, field, before, after }) => ({
      kind,
      key,
      field: field ?? null,
      before: before ?? null,
      after: after ?? null,
    })),
    /** What releasing with `widen=true` lays over the feed's gate policy; empty where nothing can be widened. */
    widening: hold.widening,
    /** What later files of the feed do meanwhile, and how many wait. */
    later: hold.later,
    behind: hold.behind,
    held_at: hold.heldAt,
    remind_at: hold.remindAt,
    expires_at: hold.expiresAt,
    /** Nobody has decided in time: it can only be rejected, and soon is by itself. */
    over: hold.decision === null && isOver(hold, now),
    decision: hold.decision,
    decided_at: hold.decidedAt,
    ...(caller.role === "operator" ? { decided_by: hold.decidedBy } : {}),
  };
}
