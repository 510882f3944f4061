/**
 * The archive against the deliveries: an object that has no row is written down as a stray. A pass begins where the last
 * one that came to its end began, so it reaches back over an outage of any length, and costs a page or two a customer when
 * there was none. What it finds is in a table at once, so a pass need not go back to it.
 */
import { rawCustomerPrefix, rawPrefix } from "../domain/keys.ts";
import type { SweepDeps } from "./deps.ts";

/** Pages of 1,000 keys listed by one run: each costs three subrequests, of 10,000 that an invocation has. */
export const MAX_PAGES = 200;
/**
 * A pass begins this long before the last one began: what was too young then (STUCK_AFTER_MINUTES), and objects that came
 * later than the day in their key says (no invocation lasts longer than 15 minutes).
 */
export const OVERLAP_HOURS = 2;

const MS_PER_HOUR = 3_600_000;

/** How far a pass is. Dates as ISO text: it is stored between runs. */
export interface Pass {
  readonly startedAt: string;
  /** The customer whose objects come next, and the last key of theirs that was looked at. */
  readonly customer: string | null;
  readonly after: string | null;
}

export interface Compared {
  /** Where the next run goes on; undefined: the pass has come to its end. */
  readonly left: Pass | undefined;
  readonly startedAt: Date;
  readonly found: number;
  readonly pages: number;
  /** The lease went to another sweep: nothing more is to be done. */
  readonly lost: boolean;
}

/** The first key that a pass looks at: everything where none has come to its end yet. */
export const passBegins = (customer: string, lastOkAt: Date | undefined): string =>
  lastOkAt === undefined
    ? rawCustomerPrefix(customer)
    : rawPrefix(customer, new Date(lastOkAt.getTime() - OVERLAP_HOURS * MS_PER_HOUR));

/**
 * Goes on with a pass, or begins one.
 * @param since younger objects may still be under way, and the next pass looks at them
 * @param returned customers that no pass has looked at: they had no adapter then
 * @param keep renews the lease; false when it is lost
 */
export async function compareArchive(
  since: Date,
  lastOkAt: Date | undefined,
  left: Pass | undefined,
  returned: readonly string[],
  keep: () => Promise<boolean>,
  deps: SweepDeps,
): Promise<Compared> {
  const pass = left ?? { startedAt: deps.now().toISOString(), customer: null, after: null };
  const startedAt = new Date(pass.startedAt);
  const customers = [...deps.customers].sort().filter((one) => pass.customer === null || one >= pass.customer);
  let found = 0;
  let pages = 0;
  for (const customer of customers) {
    let after =
      (customer === pass.customer ? pass.after : null) ??
      passBegins(customer, returned.includes(customer) ? undefined : lastOkAt);
    for (;;) {
      if (pages === MAX_PAGES) {
        return { left: { startedAt: pass.startedAt, customer, after }, startedAt, found, pages, lost: false };
      }
      if (!(await keep())) return { left: pass, startedAt, found, pages, lost: true };
      const { objects, more } = await deps.listRaw(rawCustomerPrefix(customer), after);
      pages++;
      const old = objects.filter(({ uploadedAt }) => uploadedAt < since);
      if (old.length > 0) {
        const strays = old.map(({ key }) => ({ rawKey: key, deliveryId: deliveryIdIn(key), customer }));
        found += await deps.tables.keepStrays(strays, deps.now());
      }
      const last = objects.at(-1);
      if (!more || last === undefined) break;
      after = last.key;
    }
  }
  return { left: undefined, startedAt, found, pages, lost: false };
}

const deliveryIdIn = (key: string): string => key.slice(key.lastIndexOf("/") + 1).replace(/\.[^.]*$/, "");
