/** Which customer and feed a request is about, checked against what its caller may see. */
import { and, eq } from "drizzle-orm";
import { customers, feeds } from "../../platform/schema.ts";
import type { ApiDatabase } from "../deps.ts";
import { notFound, problem } from "../problem/problem.ts";
import type { Caller } from "./caller.ts";

export interface Scope {
  readonly customerId?: number;
  readonly feedId?: number;
}

export interface FeedScope extends Required<Scope> {
  readonly customer: string;
  readonly feed: string;
}

/** The feed of that name. Throws `not-found` where there is none or it is not the caller's. */
export async function feedOf(db: ApiDatabase, caller: Caller, customer: string, feed: string): Promise<FeedScope> {
  if (caller.role === "customer" && caller.customer !== customer) throw notFound();
  const [found] = await db
    .select({ customerId: customers.id, feedId: feeds.id })
    .from(feeds)
    .innerJoin(customers, eq(customers.id, feeds.customerId))
    .where(and(eq(customers.slug, customer), eq(feeds.slug, feed)));
  if (found === undefined) throw notFound();
  return { ...found, customer, feed };
}

/**
 * The scope of a list. A customer is always kept to itself, whatever it asks for; a filter on a customer or feed that
 * the caller cannot see is `not-found`, not an empty list. A feed's name means nothing without its customer.
 */
export async function scopeOf(
  db: ApiDatabase,
  caller: Caller,
  filter: { readonly customer?: string | undefined; readonly feed?: string | undefined },
): Promise<Scope> {
  const customer = filter.customer ?? (caller.role === "customer" ? caller.customer : undefined);
  if (customer === undefined) {
    if (filter.feed === undefined) return {};
    throw problem("invalid-parameter", "The parameter “feed” needs the parameter “customer” beside it.", {
      members: { parameter: "customer" },
    });
  }
  if (filter.feed !== undefined) return feedOf(db, caller, customer, filter.feed);
  if (caller.role === "customer") {
    if (caller.customer !== customer) throw notFound();
    return { customerId: caller.customerId };
  }
  const [found] = await db.select({ customerId: customers.id }).from(customers).where(eq(customers.slug, customer));
  if (found === undefined) throw notFound();
  return found;
}
