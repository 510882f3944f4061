import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { JOBS, type Kept, RETENTION } from "../../src/upkeep/retention.ts";
import { freshDatabase } from "../support/database.ts";

const page = readFileSync(join(import.meta.dirname, "../../docs/retention.md"), "utf8");

const kept = ({ days, from }: Kept): string => (days === undefined ? from : `${days} days ${from}`);
const line = (one: Kept): string =>
  `| ${one.what.map((name) => `\`${name}\``).join(", ")} | ${kept(one)} | ${one.why} | ${one.job === undefined ? "" : `\`${one.job}\``} |`;

describe("how long everything is kept", () => {
  it("is said in docs/retention.md as it is in code", () => {
    const lines = page.split("\n").filter((text) => text.startsWith("| `"));
    expect(lines).toEqual(RETENTION.map(line));
  });

  it("is said of every table there is, once", async () => {
    const database = await freshDatabase();
    const tables = await database.sql.query(
      `SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> 'schema_migrations' ORDER BY 1`,
    );
    await database.drop();
    const said = RETENTION.flatMap(({ what }) => what).filter((name) => !name.endsWith("/"));
    expect(said.toSorted()).toEqual(tables.map(({ name }) => String(name)));
  });

  it("has a job for everything that is removed, and nothing that a job does is missing", () => {
    for (const { what, days, job } of RETENTION)
      expect([what, days === undefined], what.join()).toEqual([what, job === undefined]);
    expect(RETENTION.flatMap(({ job }) => job ?? []).toSorted()).toEqual([...JOBS].toSorted());
  });
});
