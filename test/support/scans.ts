/** How statements inside a function read the records: their plans as they were carried out. Node only. */
import type pg from "pg";
import { expect } from "vitest";

/** As they are, and as they stand during a first load: they then say that there is nothing. */
export const STATISTICS: readonly string[] = [
  "ANALYZE records",
  "UPDATE pg_class SET reltuples = 0, relpages = 0 WHERE relname IN ('records', 'records_pk'); DELETE FROM pg_statistic WHERE starelid = 'records'::regclass",
];

/** A node of a plan that reads `records`, with the names of the nodes around it: aliases and parts of WITH. */
export type Scan = Readonly<Record<string, unknown>> & { readonly above: readonly string[] };

/**
 * Carries `query` out in a transaction that is rolled back, after `statistics`, and answers how the statements that hold
 * `marker` read the records. Fails where the JIT compiler was awake.
 */
export async function scansOf(
  pool: pg.Pool,
  statistics: string,
  query: string,
  params: readonly unknown[],
  marker: string,
): Promise<Scan[]> {
  const client = await pool.connect();
  try {
    const notices: string[] = [];
    client.on("notice", (notice) => notices.push(notice.message ?? ""));
    await client.query("BEGIN");
    await client.query(statistics);
    await client.query(
      `LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on;
       SET auto_explain.log_analyze = on; SET auto_explain.log_format = json; SET client_min_messages = log`,
    );
    await client.query(query, [...params]);
    await client.query("ROLLBACK");
    const plans = notices.filter((notice) => notice.includes(marker) && notice.includes('"Plan"'));
    expect(plans).not.toEqual([]);
    return plans.flatMap((plan) => {
      expect(plan).not.toContain('"JIT"');
      return scansIn(JSON.parse(plan.slice(plan.indexOf("{"))) as unknown, []);
    });
  } finally {
    client.release(true);
  }
}

const NAMES = ["Alias", "Subplan Name"];

function scansIn(plan: unknown, above: readonly string[]): Scan[] {
  if (Array.isArray(plan)) return plan.flatMap((node) => scansIn(node, above));
  if (typeof plan !== "object" || plan === null) return [];
  const node = plan as Record<string, unknown>;
  const names = [...above, ...NAMES.map((name) => node[name]).filter((name) => typeof name === "string")];
  const inner = Object.values(node).flatMap((value) => scansIn(value, names));
  const reads = node["Relation Name"] === "records" && node["Node Type"] !== "ModifyTable";
  return reads ? [{ ...node, above: names }, ...inner] : inner;
}
