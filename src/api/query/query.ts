/** Reading what a request asks for. What cannot name anything is refused here, before it reaches the database. */
import type { Context } from "hono";
import { z } from "zod";
import { shown } from "../../domain/failures.ts";
import { CUSTOMER_SLUG, DELIVERY_ID, FEED_SLUG } from "../../domain/ids.ts";
import type { ApiEnv } from "../deps.ts";
import { PAGE_DEFAULT_ITEMS, PAGE_MAX_ITEMS } from "../pages/page.ts";
import { notFound, problem } from "../problem/problem.ts";

/** The longest natural key there can be: an entry of a Postgres index holds at most 2,704 bytes. */
const TEXT_MAX_CHARS = 2_704;
/** The largest bigint. */
const MAX_ID = 9_223_372_036_854_775_807n;

/** Text that Postgres can hold: it has no U+0000, and half a surrogate pair is no character. */
export const textParameter = z
  .string()
  .min(1, "must not be empty")
  .max(TEXT_MAX_CHARS, `has more than ${TEXT_MAX_CHARS} characters`)
  .refine((text) => text.isWellFormed() && !text.includes("\u0000"), "holds characters that cannot be stored");

export const customerParameter = z.string().regex(CUSTOMER_SLUG, "is not the name of a customer").optional();
export const feedParameter = z.string().regex(FEED_SLUG, "is not the name of a feed").optional();

export const pageParameters = {
  cursor: z.string().optional(),
  limit: z
    .string()
    .regex(/^[0-9]{1,4}$/, `is not a number from 1 to ${PAGE_MAX_ITEMS}`)
    .transform(Number)
    .refine((n) => n >= 1 && n <= PAGE_MAX_ITEMS, `is not a number from 1 to ${PAGE_MAX_ITEMS}`)
    .default(PAGE_DEFAULT_ITEMS),
};

export const oneOf = <const T extends readonly [string, ...string[]]>(values: T) =>
  z.enum(values, { error: () => `is none of ${values.join(", ")}` });

/** A stage and the code of a failure, e.g. `parse.raw-missing`. */
const CAUSE = /^(parse|apply)\.[a-z][a-z0-9-]{0,59}$/;
export const causeParameter = z.string().regex(CAUSE, "is not the cause of dead letters, e.g. parse.raw-missing");

const invalid = (name: string, fault: string) => {
  const parameter = shown(name);
  return problem("invalid-parameter", `The parameter ${parameter} ${fault}.`, {
    members: { parameter: name.slice(0, 60) },
  });
};

/**
 * The query parameters by their schema. Throws `invalid-parameter`, naming the one at fault; one that is unknown or
 * stands twice is at fault too, since leaving it out of account would answer another question than was asked.
 */
export function readQuery<S extends Readonly<Record<string, z.ZodType>>>(
  c: Context<ApiEnv>,
  shape: S,
): z.output<z.ZodObject<S>> {
  const given = new Map<string, string>();
  for (const [name, value] of new URL(c.req.url).searchParams) {
    if (!Object.hasOwn(shape, name))
      throw invalid(name, `does not exist here (there are: ${Object.keys(shape).join(", ")})`);
    if (given.has(name)) throw invalid(name, "stands twice");
    given.set(name, value);
  }
  const read = z.object(shape).safeParse(Object.fromEntries(given));
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  const name = String(issue?.path[0]);
  throw invalid(name, given.has(name) ? (issue?.message ?? "is not valid") : "is missing");
}

/** A part of the path. One that does not look like a name cannot exist: `not-found`. */
const pathPart = (pattern: RegExp) => (c: Context<ApiEnv>, name: string) => {
  const value = c.req.param(name);
  if (value === undefined || !pattern.test(value)) throw notFound();
  return value;
};

export const customerInPath = pathPart(CUSTOMER_SLUG);
export const feedInPath = pathPart(FEED_SLUG);
export const deliveryIdInPath = pathPart(DELIVERY_ID);
export const causeInPath = pathPart(CAUSE);
const ID = /^[1-9][0-9]{0,18}$/;
const digitsInPath = pathPart(ID);
/** A bigint identity in a body. */
export const idParameter = z.string().refine((id) => ID.test(id) && BigInt(id) <= MAX_ID, "is not an id");

/** A bigint identity in the path. */
export function idInPath(c: Context<ApiEnv>, name: string): string {
  const id = digitsInPath(c, name);
  if (BigInt(id) > MAX_ID) throw notFound();
  return id;
}
