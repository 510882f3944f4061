/** A hold: it is decided once, by one link or one operator, and the file and the feed follow. */
import type pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { report } from "../../src/domain/failures.ts";
import { rowsOf, type World, worldOn } from "../apply/world.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { openPool } from "../support/database-pool.ts";
import { forceIn } from "../support/force-state.ts";

const WIDENING = { retired: { share: 0.5, minRecords: 10 } };
const REFUSED = JSON.stringify(report("refused-by-operator", { by: "eve", reason: "wrong warehouse" }));

let own: FreshDatabase;
let there: World;
let pool: pg.Pool;
let file: string;
let made = 0;
const nonceOf = (n: number) => `nonce${String(n).padStart(15, "0")}`;

beforeAll(async () => {
  own = await freshDatabase();
  there = worldOn(own.connectionString);
  pool = openPool(own);
});
afterAll(async () => {
  await pool.end();
  await own.drop();
});

beforeEach(async () => {
  const of = await there.feed("full");
  file = (await there.file(of, 1, rowsOf([1, 2]))).id;
  await hold();
});

/** Holds the file, as apply would. */
async function hold(): Promise<void> {
  made++;
  const failure = JSON.stringify(report("blast-radius", { sentences: ["Too much."], tripped: [] }));
  await forceIn(there.database, "UPDATE files SET state = 'held', failure = $2 WHERE id = $1", [file, failure]);
  await pool.query(
    `INSERT INTO holds (file_id, nonce, facts, tripped, telling, widening, later, expires_at)
     VALUES ($1, $2, '{}', '[]', '[]', $3, 'wait', now() + interval '7 days')`,
    [file, nonceOf(made), WIDENING],
  );
}

const decide = async (decision: string, nonce: string | null = nonceOf(made), by = "link") => {
  const failure = ["reject", "expire", "supersede"].includes(decision) ? REFUSED : null;
  const { rows } = await pool.query("SELECT outcome, decision, decided_by FROM decide_hold($1, $2, $3, $4, $5)", [
    file,
    nonce,
    decision,
    by,
    failure,
  ]);
  return rows[0];
};

const now = async () => {
  const { rows } = await pool.query(
    `SELECT x.state, x.released_by, f.gate_widening AS widening, (SELECT count(*)::int FROM audit_log a WHERE a.subject = 'file ' || x.id) AS audited
     FROM files x JOIN feeds f ON f.id = x.feed_id WHERE x.id = $1`,
    [file],
  );
  return rows[0];
};

describe("a hold", () => {
  it.each([
    ["release", "parsed", {}],
    ["widen", "parsed", WIDENING],
    ["reject", "rejected", {}],
    ["expire", "rejected", {}],
    ["supersede", "rejected", {}],
  ])("%s: the file is %s, the feed's policy and the audit log follow", async (decision, state, widening) => {
    expect(await decide(decision)).toEqual({ outcome: "decided", decision, decided_by: "link" });
    expect(await now()).toMatchObject({ state, widening, audited: 1 });
  });

  it("is decided once: the other link of the same mail, and the same one again, tell what was decided", async () => {
    await decide("reject");
    for (const again of ["reject", "release"]) {
      expect(await decide(again)).toEqual({ outcome: "already", decision: "reject", decided_by: "link" });
    }
    expect(await now()).toMatchObject({ state: "rejected", audited: 1 });
  });

  it("is decided once by ten at the same moment", async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, (_, i) => decide(i % 2 === 0 ? "release" : "reject")));
    expect(answers.filter((one) => one.outcome === "decided")).toHaveLength(1);
    expect(new Set(answers.map((one) => one.decision)).size).toBe(1);
    expect((await now()).audited).toBe(1);
  });

  it("is not decided by the link of an earlier hold of the same file", async () => {
    const earlier = nonceOf(made);
    await decide("release");
    await hold();
    expect(await decide("reject", earlier)).toMatchObject({ outcome: "already", decision: "release" });
    expect((await now()).state).toBe("held");
  });

  it("is not decided by a nonce of nobody, nor by that of another file", async () => {
    const others = nonceOf(made);
    const of = await there.feed("full");
    file = (await there.file(of, 1, rowsOf([1]))).id;
    await hold();
    expect([await decide("release", others), await decide("release", "x".repeat(20))]).toMatchObject(
      Array(2).fill({ outcome: "unknown" }),
    );
    expect((await now()).state).toBe("held");
  });

  it("needs no nonce where an operator decides, and says who it was", async () => {
    expect(await decide("release", null, "eve")).toMatchObject({ outcome: "decided", decided_by: "eve" });
    expect((await now()).released_by).toBe("eve");
  });

  it("of a file that went on by another way is not decided any more", async () => {
    await forceIn(there.database, "UPDATE files SET state = 'parsed', failure = NULL WHERE id = $1", [file]);
    expect(await decide("reject")).toMatchObject({ outcome: "unknown" });
    expect((await now()).state).toBe("parsed");
  });
});
