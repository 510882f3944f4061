/**
 * The decision about a file that the gate holds, the same for links, API, command line and timer. It counts once: whoever comes
 * second changes nothing and is told what was decided. The rows change first, then the apply messages go out; one that is lost
 * is sent by the sweep, since its file says that it waits for apply.
 */
import { asFailure, type FailureReport, report } from "../domain/failures.ts";
import { applyFileMessage } from "../domain/messages.ts";
import type { Recipient } from "../domain/notice.ts";
import type { HoldAction } from "../gate/link.ts";
import type { Hold, HoldDecision, HoldsDeps } from "./deps.ts";

/** Who decides, and what proves it: a token of the API, or the link of a mail, which is that of one hold alone. */
export type Decider =
  | { readonly is: "caller"; readonly name: string }
  | { readonly is: "link"; readonly recipient: Recipient; readonly nonce: string };

/**
 * - `decided`: by this call. `sent`: the queue has all messages; else the sweep sends them.
 * - `already`: before; the hold says what, when and by whom. Messages were sent again where the file has not moved yet.
 * - `over`: its time is, so that it can only be rejected.
 * - `moved`: the file went on by another way, and nothing is to be decided.
 * - `unknown`: there is no such hold, or the link is of none.
 */
export type Decided =
  | { readonly is: "decided" | "already"; readonly hold: Hold; readonly sent: boolean }
  | { readonly is: "over" | "moved"; readonly hold: Hold }
  | { readonly is: "unknown" };

/** Who has decided by a link. */
export const holderName = (recipient: Recipient): string => `${recipient} (mail link)`;

/** As it stands in the audit log and is answered to whoever comes second. */
const deciderName = (decider: Decider): string =>
  decider.is === "caller" ? decider.name : holderName(decider.recipient);

/** The failure of a file that is rejected by a decision. `reason`: the operator's own words, where there are any. */
function rejection(decider: Decider, reason?: string): FailureReport {
  if (decider.is === "link" && decider.recipient === "contact") return report("refused-by-contact", {});
  const by = decider.is === "caller" ? decider.name : "The operator";
  return report("refused-by-operator", { by, reason: reason ?? "it would change too much" });
}

/** Throws the database's failures; asking again does no harm. */
export async function decideHold(
  deps: HoldsDeps,
  fileId: string,
  action: HoldAction,
  decider: Decider,
  reason?: string,
): Promise<Decided> {
  const nonce = decider.is === "link" ? decider.nonce : undefined;
  const before = await deps.tables.of(fileId, nonce);
  if (before === undefined) return { is: "unknown" };
  if (before.decision === null && action !== "reject" && isOver(before, deps.now()))
    return { is: "over", hold: before };
  const failure = action === "reject" ? rejection(decider, reason) : null;
  return settle(deps, before, nonce, action, deciderName(decider), failure);
}

/** Whether the time of a hold that nobody has decided is over. */
export const isOver = ({ expiresAt }: Hold, now: Date): boolean => Date.parse(expiresAt) <= now.getTime();

/** Decides without asking for the time, then wakes what goes on. */
export async function settle(
  deps: HoldsDeps,
  hold: Hold,
  nonce: string | undefined,
  decision: HoldDecision,
  by: string,
  failure: FailureReport | null,
): Promise<Decided> {
  const { fileId } = hold;
  const { outcome, wake } = await deps.tables.decide(fileId, nonce, decision, by, failure);
  const sent = await wakeFiles(deps, wake);
  const now = (await deps.tables.of(fileId, nonce ?? hold.nonce)) ?? hold;
  if (outcome === "unknown") return { is: "moved", hold: now };
  if (outcome === "decided") deps.log.info("hold-decided", { file: fileId, decision, woken: wake.length });
  return { is: outcome, hold: now, sent };
}

/** Answers whether the queue took all of them. */
async function wakeFiles({ tables, enqueueApply, log }: HoldsDeps, ids: readonly string[]): Promise<boolean> {
  if (ids.length === 0) return true;
  try {
    for (const told of await tables.messagesOf(ids)) await enqueueApply(applyFileMessage(told));
    return true;
  } catch (thrown) {
    log.error("held-files-not-woken", { files: ids.join(", ").slice(0, 300), message: asFailure(thrown).message });
    return false;
  }
}
