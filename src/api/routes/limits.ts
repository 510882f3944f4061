/** How much of the common database a customer may use: its limits, changed as it runs, and what is in use now. */
import { eq, sql } from "drizzle-orm";
import { z } from "zod";
import type { Look } from "../../admission/admission.ts";
import { asked } from "../../admission/admitted.ts";
import {
  type Limits,
  MAX_BURST_ROWS,
  MAX_FILES_AT_ONCE,
  MAX_ROWS_PER_SECOND,
  MIN_ROWS_PER_SECOND,
} from "../../admission/limits.ts";
import { auditLog, customers } from "../../platform/schema.ts";
import type { Call } from "../deps.ts";
import { notFound } from "../problem/problem.ts";
import { readJson } from "../query/json-body.ts";
import { customerInPath, readQuery } from "../query/query.ts";

const whole = (min: number, max: number) => {
  const error = `is not a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
};

const limitsBody = z.strictObject({
  files_at_once: whole(1, MAX_FILES_AT_ONCE),
  rows_per_second: whole(MIN_ROWS_PER_SECOND, MAX_ROWS_PER_SECOND),
  burst_rows: whole(0, MAX_BURST_ROWS),
});

const presented = ({ filesAtOnce, rowsPerSecond, burstRows }: Limits): z.output<typeof limitsBody> => ({
  files_at_once: filesAtOnce,
  rows_per_second: rowsPerSecond,
  burst_rows: burstRows,
});

const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

function answer(customer: string, { limits, slots, waiting, rowsLeft, database }: Look) {
  return {
    customer,
    limits: presented(limits),
    slots: { of: slots.of, files: slots.files.map(({ id, sinceMs }) => ({ id, since: iso(sinceMs) })) },
    waiting: { files: waiting.files, rows: waiting.rows, since: iso(waiting.sinceMs) },
    rows_left: rowsLeft,
    database: {
      state: database.is,
      since: "sinceMs" in database ? iso(database.sinceMs) : null,
      until: "untilMs" in database ? iso(database.untilMs) : null,
    },
  };
}

/** The customer named in the path. Throws `not-found`. */
async function customerOf({ c, deps }: Call): Promise<string> {
  const customer = customerInPath(c, "customer");
  const [found] = await deps.db.select({ id: customers.id }).from(customers).where(eq(customers.slug, customer));
  if (found === undefined) throw notFound();
  return customer;
}

export async function getLimits(call: Call): Promise<Response> {
  const customer = await customerOf(call);
  readQuery(call.c, {});
  const door = call.deps.admission(customer);
  return call.c.json(answer(customer, await asked(() => door.look())));
}

/** The audit log is written first: there is no transaction over both, and nothing may change that is not in it. */
export async function setLimits(call: Call): Promise<Response> {
  const { c, deps, caller } = call;
  const customer = await customerOf(call);
  readQuery(c, {});
  const {
    files_at_once: filesAtOnce,
    rows_per_second: rowsPerSecond,
    burst_rows: burstRows,
  } = await readJson(c, limitsBody);
  const door = deps.admission(customer);
  const before = presented((await asked(() => door.look())).limits);
  const limits = { filesAtOnce, rowsPerSecond, burstRows };
  const detail = JSON.stringify({ before, after: presented(limits) });
  await deps.db.execute(sql`
    INSERT INTO ${auditLog} (actor, action, subject, detail)
    VALUES (${caller.name}, 'set-limits', ${`customer ${customer}`}, ${detail}::jsonb)`);
  return c.json(answer(customer, await asked(() => door.configure(limits))));
}
