/** The gate on plans of real files in a real database: what is judged is what the plan says. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { gatePolicy } from "../../src/domain/gate-policy.ts";
import type { Plan } from "../../src/domain/plan.ts";
import { judge } from "../../src/gate/judge.ts";
import { type FileFacts, factsOf } from "../../src/gate/of-plan.ts";
import { sampleLines, samplesOf } from "../../src/gate/sample.ts";
import { rowsOf, type TestRow, type World, worldOn } from "../apply/world.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { daily, facts, NOW_MS } from "./feed.ts";

let own: FreshDatabase;
let there: World;
beforeAll(async () => {
  own = await freshDatabase();
  there = worldOn(own.connectionString);
});
afterAll(() => own.drop());

const fileFacts = (records: number, rows: number, retired: number): FileFacts => {
  const {
    accepted: _,
    superseded: __,
    inserted: ___,
    changed: ____,
    unchanged: _____,
    stale: ______,
    ...rest
  } = facts();
  return { ...rest, records, rows, retired, numeric: ["value"], fields: [], statedMs: NOW_MS };
};

/** As in every row of `worldOn`. */
const TEXT = 'quote " backslash \\ newline \n';
const RECORDS = 120;
const stored = rowsOf(Array.from({ length: RECORDS }, (_, i) => i + 1));

/** The plan of a second file of a feed whose first one is applied, judged by rows of ten of its chunks. */
async function judged(rows: readonly TestRow[], retired = 0) {
  const feed = await there.feed("full");
  await there.send(feed, 1, stored);
  const file = await there.file(feed, 2, rows);
  const plan = await there.dryRun(file.id);
  const lines = [...sampleLines(plan.mode === "diff" ? plan.need : new Map()).values()].flat();
  const looked = lines
    .map((line) => rows[line - 2]!)
    .map(({ key, value }) => ({ key, data: { key, value, text: TEXT } }));
  const known = await there.database.query<{ key: string; data: Record<string, unknown> }>(
    "SELECT natural_key AS key, data FROM records WHERE feed_id = $1",
    [feed.feedId],
  );
  const samples = samplesOf(looked, known, false);
  const made = factsOf(plan, fileFacts(RECORDS, rows.length, retired));
  return { made, ...judge(made, daily(4), samples, gatePolicy({ rowCount: "off" })) };
}

describe("a plan of a real file", () => {
  it("of the same list again goes", async () => {
    const { verdict, made } = await judged(stored);
    expect([verdict, made.inserted, made.changed, made.unchanged]).toEqual(["go", 0, 0, RECORDS]);
  });

  it("of a list in which every value became 0 is held, with rows that show it", async () => {
    const { tripped, telling } = await judged(stored.map((row) => ({ ...row, value: 0 })));
    expect(tripped.map((one) => one.check)).toEqual(["setToZero", "changed"]);
    expect(telling[0]).toEqual({ kind: "changed", key: "k110", field: "value", before: "111", after: "0" });
    expect(telling).toHaveLength(10);
  });

  it("of another company's list is held", async () => {
    const others = stored.map((row) => ({ ...row, key: `other-${row.key}` }));
    const { tripped, made } = await judged(others, RECORDS);
    expect([made.inserted, tripped.map((one) => one.check)]).toEqual([RECORDS, ["overlap", "retired"]]);
  });
});

describe("plans that did not compare", () => {
  const base = { accepted: 9, superseded: 1, lastLines: new Map() };

  it("a late file changes nothing and goes, whatever it looks like", () => {
    const late: Plan = { ...base, mode: "late", stale: 8 };
    const made = factsOf(late, fileFacts(1_000, 65_536, 900));
    expect(judge(made, daily(28), [], gatePolicy()).verdict).toBe("go");
  });

  it("a whole one comes to a feed without records: all that it says is new", () => {
    const made = factsOf({ ...base, mode: "whole" }, fileFacts(0, 9, 0));
    expect([made.inserted, made.changed, made.unchanged]).toEqual([8, 0, 0]);
    expect(judge(made, [], [], gatePolicy()).unjudged).toEqual(["rowCount"]);
  });

  it("and where another file was faster it leaves out what nobody knows", () => {
    const made = factsOf({ ...base, mode: "whole" }, fileFacts(1_000, 9, 0));
    expect(Object.keys(made)).not.toEqual(expect.arrayContaining(["inserted"]));
    expect(judge(made, daily(28), [], gatePolicy()).unjudged).toContain("changed");
  });
});
