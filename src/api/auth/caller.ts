/**
 * Who is calling. A caller is an operator, who sees all customers, or a customer, who sees itself alone. Tokens are
 * looked up on every request and nothing is cached, so a revoked token is refused at once.
 */
import { eq, type SQL } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";
import { apiTokens, customers } from "../../platform/schema.ts";
import type { ApiDatabase } from "../deps.ts";
import { type Problem, problem } from "../problem/problem.ts";
import { hashToken, TOKEN } from "../tokens.ts";

export type Caller =
  | { readonly role: "operator"; readonly name: string }
  | { readonly role: "customer"; readonly name: string; readonly customerId: number; readonly customer: string };

/** RFC 6750 section 3: no error code where no token was sent. */
const unauthenticated = (sent: boolean): Problem =>
  problem("not-authenticated", "Send a valid token as “Authorization: Bearer mf_…”, or ask your contact for one.", {
    headers: { "WWW-Authenticate": `Bearer realm="mailfeed"${sent ? ', error="invalid_token"' : ""}` },
  });

/** The caller of a request. Throws the 401 problem for a token that is absent, malformed, unknown or revoked. */
export async function callerOf(db: ApiDatabase, authorization: string | undefined): Promise<Caller> {
  if (authorization === undefined) throw unauthenticated(false);
  const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
  if (token === undefined || !TOKEN.test(token)) throw unauthenticated(true);
  const [found] = await db
    .select({
      name: apiTokens.name,
      role: apiTokens.role,
      revokedAt: apiTokens.revokedAt,
      customerId: customers.id,
      customer: customers.slug,
    })
    .from(apiTokens)
    .leftJoin(customers, eq(customers.id, apiTokens.customerId))
    .where(eq(apiTokens.sha256, hashToken(token)));
  if (found === undefined || found.revokedAt !== null) throw unauthenticated(true);
  if (found.role === "operator") return { role: "operator", name: found.name };
  if (found.customerId === null || found.customer === null) throw unauthenticated(true);
  return { role: "customer", name: found.name, customerId: found.customerId, customer: found.customer };
}

/** The condition that keeps a customer to its own rows; none for operators. Stands in every query for customers' data. */
export const visibleTo = (caller: Caller, customerId: PgColumn): SQL | undefined =>
  caller.role === "operator" ? undefined : eq(customerId, caller.customerId);
