/** Reading a JSON body: bounded, and checked by a schema; every fault is named with its path, all at once. */
import type { Context } from "hono";
import type { z } from "zod";
import type { ApiEnv } from "../deps.ts";
import { type Fault, faulty, problem } from "../problem/problem.ts";
import { boundedBody } from "../upload/body.ts";

/** A mapping of 2,000 columns with lookup tables is a few hundred KB. */
const JSON_MAX_BYTES = 2 * 1_048_576;

/** Throws `invalid-body`. A body that is left out is an empty object. */
export async function readJson<S extends z.ZodType>(c: Context<ApiEnv>, schema: S): Promise<z.output<S>> {
  const bytes = await boundedBody(c.req.raw);
  if (bytes.length > JSON_MAX_BYTES) {
    throw problem("too-large", "The body is larger than 2 MiB.", { members: { limit_bytes: JSON_MAX_BYTES } });
  }
  const read = schema.safeParse(bytes.length === 0 ? {} : parsed(bytes));
  if (read.success) return read.data;
  throw faulty("invalid-body", "Some of the body is not as it must be; see “faults”.", faultsOf(read.error));
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes));
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError || thrown instanceof TypeError)) throw thrown;
    throw problem("invalid-body", "Send the body as JSON in UTF-8.");
  }
}

/** All faults of a schema, by path: `columns.2.format`. */
export const faultsOf = ({ issues }: z.ZodError): Fault[] =>
  issues.map(({ path, message }) => ({ path: path.map(String).join("."), message }));
