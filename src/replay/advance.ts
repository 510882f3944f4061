/**
 * Drives a replay: collects what it is about, then has each lane's deliveries read one after the other. It keeps nothing in
 * memory: each call finds out from the rows what is next, so any number of them may come, at once too, and die anywhere.
 * The end of every step of a delivery calls it, and the cron, which finds what was lost.
 */
import { asFailure, report } from "../domain/failures.ts";
import { inLanes } from "../domain/lanes.ts";
import { parseDeliveryMessage } from "../domain/messages.ts";
import { collect } from "./collect.ts";
import type { DueItem, ReplayDeps } from "./deps.ts";

/** Steps by one call, where deliveries are left out one after the other; the cron goes on. */
const MAX_STEPS = 500;

/** Throws what storage and database throw; the next call goes on. A message that no queue took is sent by a later one. */
export async function advance(id: string, deps: ReplayDeps, maxPages?: number): Promise<void> {
  const replay = await deps.tables.replay(id);
  if (replay === undefined) return;
  if (replay.state === "collecting") {
    try {
      if (!(await collect(replay, deps, maxPages))) return;
    } catch (thrown) {
      const failed = asFailure(thrown);
      if (failed.disposition === "retry" || failed.code === "internal-error") throw failed;
      await deps.tables.fail(id, failed.report, deps.now());
      return;
    }
  }
  for (let steps = 0; steps < MAX_STEPS; steps++) {
    const { send, again, ended } = await deps.tables.step(id, deps.now());
    await inLanes(send, (item) => sendOne(id, item, deps));
    if (ended !== undefined) deps.log[ended.failed > 0 ? "error" : "info"]("replay-done", { replay: id, ...ended });
    if (!again) return;
  }
}

/** The same after something that is done already: trouble is logged, and the cron goes on. */
export async function goOn(id: string, deps: ReplayDeps, maxPages?: number): Promise<void> {
  try {
    await advance(id, deps, maxPages);
  } catch (thrown) {
    deps.log.error("replay-not-advanced", { replay: id, message: asFailure(thrown).message });
  }
}

/** The rows say that it is sent: where no queue took it, it is found not to move. */
async function sendOne(replay: string, item: DueItem, deps: ReplayDeps): Promise<void> {
  const { customer, feed, deliveryId: correlationId, rawKey } = item;
  try {
    await deps.enqueueParse(parseDeliveryMessage({ customer, feed, correlationId, rawKey, replay }));
  } catch (thrown) {
    deps.log.error("replay-not-sent", { replay, correlationId, message: asFailure(thrown).message });
  }
}

/** The cron's part: what was left half read, and every replay that is not at its end. One's trouble stops no other; the first is thrown at the end. */
export async function advanceAll(deps: ReplayDeps): Promise<void> {
  await deps.tables.endLeftFiles(report("reading-given-up", { why: "its message never came" }), deps.now());
  let first: unknown;
  for (const id of await deps.tables.open()) {
    try {
      await advance(id, deps);
    } catch (thrown) {
      deps.log.error("replay-not-advanced", { replay: id, message: asFailure(thrown).message });
      first ??= thrown;
    }
  }
  if (first !== undefined) throw first;
}
