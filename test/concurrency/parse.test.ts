/** One delivery read by several consumers at once: under the same adapter, under two, and while its format is decided. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { asFailure } from "../../src/domain/failures.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { type AdapterName, sceneOn, stopping } from "./parse-scene.ts";
import { ended } from "./scenes.ts";
import { blockedBy, openSession, type Session } from "./sessions.ts";

let fresh: FreshDatabase;
let holder: Session;
beforeAll(async () => {
  fresh = await freshDatabase();
  holder = await openSession(fresh);
});
afterAll(async () => {
  await holder.end();
  await fresh.drop();
});

const scene = () => sceneOn(fresh.connectionString);
type Made = ReturnType<typeof scene>;

async function readOnce(adapter: AdapterName): Promise<object> {
  const one = scene();
  await one.consume(adapter);
  return one.state();
}

/** As the queue does it: what may pass comes again. */
async function persistently(work: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await work();
    } catch (thrown) {
      if (asFailure(thrown).disposition !== "retry") throw thrown;
    }
  }
}

/** More statements than reading this delivery takes. */
const STATEMENTS = 12;

describe("two consumers of one delivery at once", () => {
  it("under the same adapter leave what one leaves, and apply is told of the one file", async () => {
    const expected = await readOnce("old");
    for (let round = 0; round < 10; round++) {
      const one = scene();
      await Promise.all(Array.from({ length: 4 }, () => persistently(() => one.consume("old"))));
      expect(await one.state(), `round ${round}`).toEqual(expected);
      expect(new Set(one.sent.map(({ fileId }) => fileId)).size).toBe(1);
    }
  });

  it("under two adapters, one standing still while the other one reads: the file is wholly of one of them", async () => {
    const [old, renewed] = [await readOnce("old"), await readOnce("new")];
    const seen = new Set<object>();
    let stood = 0;
    for (let at = 1; at <= STATEMENTS; at++) {
      const one = scene();
      const way = stopping(one.database, at);
      const slow = ended(persistently(() => one.consume("old", way)));
      if ((await Promise.race([way.reached, slow])) !== "reached") break;
      stood++;
      await persistently(() => one.consume("new"));
      way.letGo();
      expect(await slow, `statement ${at}`).toEqual({ value: undefined });
      const state = await one.state();
      expect([old, renewed], `statement ${at}`).toContainEqual(state);
      seen.add(JSON.stringify(state) === JSON.stringify(old) ? old : renewed);
      expect(one.sent.length).toBeGreaterThan(0);
    }
    expect(stood).toBeGreaterThanOrEqual(6);
    expect(seen.size).toBe(2);
  });

  it("under two adapters, the newer one taking over in the middle and dying there: it is read when the message comes again", async () => {
    const [old, renewed] = [await readOnce("old"), await readOnce("new")];
    for (let at = 2; at <= STATEMENTS; at++) {
      for (let next = 2; next <= STATEMENTS; next += 2) {
        const one = scene();
        const [slowWay, deadWay] = [stopping(one.database, at), stopping(one.database, next)];
        const slow = ended(persistently(() => one.consume("old", slowWay)));
        if ((await Promise.race([slowWay.reached, slow])) !== "reached") break;
        // It never goes on from where it stands: its process is gone.
        const dead = one.consume("new", deadWay).catch(() => undefined);
        await Promise.race([deadWay.reached, dead]);
        slowWay.letGo();
        await slow;
        await persistently(() => one.consume("new"));
        expect([old, renewed], `statements ${at} and ${next}`).toContainEqual(await one.state());
        expect(one.sent.length, `statements ${at} and ${next}`).toBeGreaterThan(0);
      }
    }
  });
});

describe("rejects of a parse that is being overtaken", () => {
  it("are written before the file is another's, and removed with the others, or not written", async () => {
    const one = scene();
    const { query, transaction } = one.database;
    const rejects = /INSERT INTO rejects/;
    let arrive: () => void = () => undefined;
    let open: () => void = () => undefined;
    const written = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const slow = ended(
      one.consume("old", {
        transaction,
        async query(text, params) {
          if (!rejects.test(text)) return query(text, params);
          await holder.query("BEGIN");
          const answer = await holder.query(text, params);
          arrive();
          await gate;
          return answer as never;
        },
      }),
    );
    await written;
    const overtaking = ended(one.consume("new"));
    await blockedBy(one.database, holder);
    await holder.query("COMMIT");
    expect(await overtaking).toEqual({ value: undefined });
    open();
    expect(await slow).toEqual({ value: undefined });
    expect(await one.state()).toEqual(await readOnce("new"));
  });
});

const feedId = async (one: Made): Promise<number> => {
  const [row] = await one.database.query<{ id: number }>(
    "SELECT f.id FROM feeds f JOIN customers c ON c.id = f.customer_id WHERE c.slug = $1",
    [one.customer],
  );
  return row!.id;
};

/** What an operator's yes does in one transaction: the proposals become active, and what waits for them is read again. */
async function accept(one: Made): Promise<void> {
  const feed = await feedId(one);
  await one.database.transaction([
    {
      text: `SELECT activate_feed_version(v.feed_id, v.kind, v.version, v.base, v.data, 'operator', NULL) FROM feed_versions v
             WHERE v.feed_id = $1 AND v.state = 'proposed' ORDER BY v.kind`,
      params: [feed],
    },
    { text: "SELECT reopen_files($1, '{format-unconfirmed,format-drift}', 'operator')", params: [feed] },
  ]);
}

const states = (one: Made) =>
  one.database.query(
    `SELECT d.state AS delivery, x.state AS file FROM deliveries d JOIN files x ON x.delivery_id = d.id WHERE d.id = $1`,
    [one.id],
  );

describe("a format is accepted while a file that does not know of it yet is read", () => {
  it("at whatever statement: the file is read with the format, and not held for a question that is answered", async () => {
    let stood = 0;
    for (let at = 1; at <= STATEMENTS; at++) {
      const first = scene();
      await first.consume("unknown");
      const second = sceneOn(fresh.connectionString, first.customer, "C1;1;1.00\n");
      const way = stopping(second.database, at);
      const slow = ended(persistently(() => second.consume("unknown", way)));
      if ((await Promise.race([way.reached, slow])) !== "reached") break;
      stood++;
      await accept(first);
      way.letGo();
      expect(await slow, `statement ${at}`).toEqual({ value: undefined });
      // The decision wakes all deliveries whose files it opened; here it had one message for each.
      await persistently(() => first.consume("unknown"));
      await persistently(() => second.consume("unknown"));
      expect(await states(second), `statement ${at}`).toEqual([{ delivery: "parsed", file: "parsed" }]);
      expect(await states(first), `statement ${at}`).toEqual([{ delivery: "parsed", file: "parsed" }]);
    }
    expect(stood).toBeGreaterThanOrEqual(4);
  });

  it("between the hold of its file and the end of its delivery: the delivery stays open, and the message finds the file", async () => {
    for (let at = STATEMENTS; at > 0; at--) {
      const trial = scene();
      const way = stopping(trial.database, at);
      const slow = ended(trial.consume("unknown", way));
      if ((await Promise.race([way.reached, slow])) === "reached") {
        // Its last statement: the end of the delivery.
        expect(await states(trial)).toEqual([{ delivery: "parsing", file: "held" }]);
        await accept(trial);
        way.letGo();
        expect(await slow).toEqual({ value: undefined });
        expect(await states(trial)).toEqual([{ delivery: "parsing", file: "parsing" }]);
        await persistently(() => trial.consume("unknown"));
        expect(await states(trial)).toEqual([{ delivery: "parsed", file: "parsed" }]);
        return;
      }
    }
    expect.unreachable("it never wrote its end");
  });

  it("while the end of the delivery is being written: it waits for the decision and sees it", async () => {
    const one = scene();
    const closing = /UPDATE deliveries SET state = \$2/;
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const { query, transaction } = one.database;
    const slow = ended(
      one.consume("unknown", {
        async query(text, params) {
          if (closing.test(text)) await gate;
          return query(text, params);
        },
        async transaction(statements) {
          if (statements.some(({ text }) => closing.test(text))) await gate;
          return transaction(statements);
        },
      }),
    );
    await blockedUntilHeld(one);
    await holder.query("BEGIN");
    await holder.query("SELECT reopen_files($1, '{format-unconfirmed}', 'operator')", [await feedId(one)]);
    open();
    await blockedBy(one.database, holder);
    await holder.query("COMMIT");
    expect(await slow).toEqual({ value: undefined });
    expect(await states(one)).toEqual([{ delivery: "parsing", file: "parsing" }]);
  });
});

async function blockedUntilHeld(one: Made): Promise<void> {
  for (;;) {
    const [row] = (await states(one)) as { file: string }[];
    if (row?.file === "held") return;
  }
}

describe("a hold that asks about its feed, and a consumer of another deployment", () => {
  it("lock the feed and the file in one order: neither breaks the other off", async () => {
    for (let round = 0; round < 10; round++) {
      const one = scene();
      const failures: unknown[] = [];
      const watched = (name: AdapterName) =>
        persistently(async () => {
          try {
            await one.consume(name);
          } catch (thrown) {
            failures.push(asFailure(thrown).report.evidence);
            throw thrown;
          }
        });
      await Promise.all([watched("unknown"), watched("old"), watched("unknown"), watched("new")]);
      expect(failures.filter((evidence) => Reflect.get(Object(evidence), "sqlstate") === "40P01")).toEqual([]);
    }
  });
});
