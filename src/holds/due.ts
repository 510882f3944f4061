/**
 * What time does to held files: people are reminded once, and a file about which nobody decides is rejected, so that what waits
 * behind it goes on. One hold's trouble stops no other; it is thrown when all had their turn.
 */
import { asFailure, report } from "../domain/failures.ts";
import type { Recipient } from "../domain/notice.ts";
import { holdLinks } from "../gate/links.ts";
import { settle } from "./decide.ts";
import type { DueDeps, Hold, KeyedMessage } from "./deps.ts";
import { noticeOf } from "./notice.ts";

/** Holds of each kind in one run, every ten minutes: a few statements each, and far more than ever fall due at once. */
export const DUE_PER_RUN = 100;
const MS_PER_DAY = 86_400_000;
/** Who decides where nobody did; what is overtaken by a newer file is decided under the same name. */
const NOBODY = "mailfeed";

export interface DueRun {
  readonly expired: number;
  readonly reminded: number;
}

/** Throws the first failure, after all holds had their turn. */
export async function holdsDue(deps: DueDeps): Promise<DueRun> {
  const now = deps.now();
  const trouble: unknown[] = [];
  const expired = await each(await deps.tables.expired(now, DUE_PER_RUN), trouble, (hold) => expire(deps, hold));
  const reminded = await each(await deps.tables.toRemind(now, DUE_PER_RUN), trouble, (hold) => remind(deps, hold));
  if (expired + reminded > 0) deps.log.info("holds-due", { expired, reminded });
  if (trouble.length > 0) throw trouble[0];
  return { expired, reminded };

  async function each(holds: readonly Hold[], failed: unknown[], work: (hold: Hold) => Promise<boolean>) {
    let done = 0;
    for (const hold of holds) {
      try {
        if (await work(hold)) done++;
      } catch (thrown) {
        deps.log.error("hold-not-due", { file: hold.fileId, message: asFailure(thrown).message });
        failed.push(thrown);
      }
    }
    return done;
  }
}

async function expire(deps: DueDeps, hold: Hold): Promise<boolean> {
  const days = Math.max(1, Math.round((Date.parse(hold.expiresAt) - Date.parse(hold.heldAt)) / MS_PER_DAY));
  const failure = report("hold-expired", { days, was: "it would have changed too much" });
  return (await settle(deps, hold, hold.nonce, "expire", NOBODY, failure)).is === "decided";
}

function remind(deps: DueDeps, hold: Hold): Promise<boolean> {
  const { customer, feed, fileId, nonce, widening, cause } = hold;
  const expiresMs = Date.parse(hold.expiresAt);
  const mailTo = (recipient: Recipient): KeyedMessage => {
    const links = holdLinks(deps.publicUrl, deps.secret, { fileId, nonce, expiresMs, widening }, recipient);
    const message = deps.compose(noticeOf(hold, recipient, links, true));
    return { ...message, key: `reminder of hold ${hold.id} to ${recipient}` };
  };
  // What an operator reads again came long ago: to the contact nothing is to be said of it.
  const told = cause === "delivery" && deps.contactOf(customer, feed) !== undefined;
  const mails = [mailTo("operator"), ...(told ? [mailTo("contact")] : [])];
  return deps.tables.remind(hold.id, mails);
}
