import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { failure } from "../../src/domain/failures.ts";
import { JOB_LEASE_SECONDS } from "../../src/domain/job.ts";
import { MAX_PAGES } from "../../src/sweep/archive.ts";
import { STUCK_AFTER_MINUTES, SWEEP } from "../../src/sweep/sweep.ts";
import { ALERT_WAKES, LONGEST_PAUSE_MINUTES, MAX_WAKES, MAX_WOKEN } from "../../src/sweep/wake.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { ago, DAY, HOUR, idOf, keyOf, MINUTE, NOW, type SweepWorld, sweepWorldOn } from "./world.ts";

let database: FreshDatabase;
let world: SweepWorld;
beforeEach(async () => {
  database = await freshDatabase();
  world = sweepWorldOn(database.connectionString);
});
afterEach(() => database.drop());

const later = (ms: number) => new Date(NOW.getTime() + ms);
const ids = () => world.sent.map((message) => message.correlationId);

describe("the archive against the deliveries", () => {
  it("wakes an archived delivery that has no row", async () => {
    const key = world.archived(1, ago((STUCK_AFTER_MINUTES + 1) * MINUTE));
    expect(await world.sweep()).toMatchObject({ strays: 1, woken: { stray: 1 }, givenUp: 0, unfinished: false });
    expect(world.sent).toEqual([
      { v: 2, type: "parse-delivery", customer: "acme", feed: "inventory", correlationId: idOf(1), rawKey: key },
    ]);
  });

  it("wakes it in the very run that finds it, though the cron is always some seconds late", async () => {
    world.archived(1, ago(HOUR));
    await world.sweep(NOW, { now: () => later(5_000) });
    expect(ids()).toEqual([idOf(1)]);
  });

  it("leaves alone what has a row, and what may still be under way", async () => {
    world.archived(1, ago(HOUR));
    await world.delivery(1, "parsed", ago(HOUR));
    world.archived(2, ago((STUCK_AFTER_MINUTES - 1) * MINUTE));
    await world.sweep();
    expect(world.sent).toEqual([]);
  });

  it("looks at what was too young in the next run", async () => {
    world.archived(2, ago((STUCK_AFTER_MINUTES - 1) * MINUTE));
    await world.sweep();
    await world.sweep(later(10 * MINUTE));
    expect(ids()).toEqual([idOf(2)]);
  });

  it.each([6, 60])("reaches back over an outage of %i days to the first mail that it lost", async (days) => {
    await world.sweep(ago(days * DAY));
    world.archived(1, ago(days * DAY - MINUTE));
    world.archived(2, ago(DAY));
    await world.sweep(NOW);
    expect(ids().sort()).toEqual([idOf(1), idOf(2)]);
  });

  it("looks at the whole archive when no sweep has ever come to its end", async () => {
    world.archived(1, new Date("2021-03-01T00:00:00Z"));
    await world.sweep();
    expect(ids()).toEqual([idOf(1)]);
  });

  it("lists one page a customer when nothing was lost, however full the archive is", async () => {
    for (let day = 0; day < 300; day++) {
      world.archived(day + 1, ago(day * DAY + HOUR));
      await world.delivery(day + 1, "parsed", ago(day * DAY + HOUR));
    }
    await world.sweep();
    await world.sweep(later(10 * MINUTE));
    expect(world.listed).toEqual(["raw/acme/2026/11/20/"]);
  });

  it("stops at its bound of pages, and the next run goes on behind the last key", async () => {
    world = sweepWorldOn(database.connectionString, 1);
    for (let n = 1; n <= MAX_PAGES + 5; n++) {
      world.archived(n, ago(2 * HOUR));
      if (n !== 1 && n !== MAX_PAGES + 5) await world.delivery(n, "parsed", ago(2 * HOUR));
    }
    expect(await world.sweep()).toMatchObject({ unfinished: true });
    expect(world.listed).toHaveLength(MAX_PAGES);
    expect(ids()).toEqual([idOf(1)]);
    expect(await world.sweep(later(10 * MINUTE))).toMatchObject({ unfinished: false });
    expect(world.listed[0]).toBe(keyOf(MAX_PAGES, ago(2 * HOUR)));
    expect(ids()).toEqual([idOf(MAX_PAGES + 5)]);
  });

  it("a pass over two runs does not make the next one begin later than it began itself", async () => {
    world = sweepWorldOn(database.connectionString, 1);
    for (let n = 1; n <= MAX_PAGES + 1; n++) world.archived(n, ago(2 * HOUR));
    await world.sweep();
    // Arrives where the pass has been already; its message is lost.
    world.archived(0, later(MINUTE));
    await world.sweep(later(2 * DAY));
    expect(ids()).not.toContain(idOf(0));
    await world.sweep(later(2 * DAY + 10 * MINUTE));
    expect(ids()).toContain(idOf(0));
  });

  it("does not crash on a customer without an adapter, leaves its mails alone, and says so once", async () => {
    world.archived(1, ago(HOUR), "gone");
    world.archived(2, ago(HOUR));
    await world.sweep();
    await world.sweep(later(HOUR));
    expect(world.logged.filter((event) => event === "archive-of-unknown-customer")).toHaveLength(1);
    expect(await world.letters()).toEqual([]);
    expect((await world.database.query("SELECT 1 FROM strays WHERE customer = 'gone'")).length).toBe(0);
  });

  it("looks at all mails of a customer that has its adapter back", async () => {
    world.archived(1, ago(30 * DAY), "gone");
    await world.sweep();
    await world.sweep(later(HOUR), { customers: ["acme", "gone"] });
    expect(ids()).toEqual([idOf(1)]);
  });

  it("does not wake what the operator has a letter of, and wakes it when the redriven letter came to nothing", async () => {
    const key = world.archived(1, ago(DAY));
    await world.database.query(
      `INSERT INTO dead_letters (stage, message_id, message, failure, customer, correlation_id, attempts)
       VALUES ('parse', 'm', $1::jsonb, '{"code":"raw-missing"}', 'acme', $2, 1)`,
      [JSON.stringify({ rawKey: key, feed: "inventory" }), idOf(1)],
    );
    await world.sweep();
    expect(world.sent).toEqual([]);
    await world.database.query("UPDATE dead_letters SET state = 'redriven', decided_at = $1, decided_by = 'op'", [
      ago(HOUR).toISOString(),
    ]);
    await world.sweep(later(HOUR));
    expect(ids()).toEqual([idOf(1)]);
  });

  it("makes a dead letter at once of an archived object whose facts cannot be read", async () => {
    world.archived(1, ago(HOUR));
    await world.sweep(NOW, {
      feedOf: async () => {
        throw new SyntaxError("no JSON");
      },
    });
    expect(await world.letters()).toMatchObject([{ stage: "parse", correlation_id: idOf(1), code: "internal-error" }]);
    await world.sweep(later(DAY));
    expect(await world.letters()).toHaveLength(1);
  });
});

describe("rows that do not move", () => {
  it("wakes a delivery that was begun, and asks only for what nothing has touched", async () => {
    await world.delivery(1, "parsing", ago((STUCK_AFTER_MINUTES + 1) * MINUTE));
    await world.delivery(2, "parsing", ago((STUCK_AFTER_MINUTES - 1) * MINUTE));
    await world.delivery(3, "quarantined", ago(DAY));
    await world.sweep();
    expect(ids()).toEqual([idOf(1)]);
  });

  it.each(["parsed", "applying"])("wakes a file that is %s, and says how many rows it has", async (state) => {
    await world.delivery(1, "parsed", ago(DAY));
    const id = await world.file(1, state, ago(HOUR));
    await world.sweep();
    expect(world.sent).toEqual([
      { v: 2, type: "apply-file", customer: "acme", feed: "inventory", correlationId: idOf(1), fileId: id, rows: 3 },
    ]);
  });

  it.each(["applied", "held", "rejected", "dead"])("leaves a file alone that is %s", async (state) => {
    await world.delivery(1, "parsed", ago(DAY));
    await world.file(1, state, ago(HOUR));
    await world.sweep();
    expect(world.sent).toEqual([]);
  });

  it("leaves a file alone that somebody is applying under a lease, and wakes it when the lease has run out", async () => {
    await world.delivery(1, "parsed", ago(DAY));
    const id = await world.file(1, "applying", ago(HOUR));
    const lease = (interval: string) =>
      world.database.query(
        `UPDATE feeds SET active_file_id = $1::bigint, lease_token = gen_random_uuid(), lease_until = now() + $2::interval`,
        [id, interval],
      );
    await lease("1 minute");
    await world.sweep();
    expect(world.sent).toEqual([]);
    await lease("-1 second");
    await world.sweep();
    expect(world.sent).toHaveLength(1);
  });

  it("does not wake what is to be tried again later", async () => {
    await world.delivery(1, "parsing", ago(DAY));
    await world.database.query(
      `UPDATE deliveries SET next_attempt_at = $1, last_failure = '{"code":"database-conflict"}'`,
      [later(MINUTE).toISOString()],
    );
    await world.sweep();
    expect(world.sent).toEqual([]);
    await world.sweep(later((STUCK_AFTER_MINUTES + 2) * MINUTE));
    expect(ids()).toEqual([idOf(1)]);
  });

  it("opens a delivery whose file was opened again while the delivery was being read", async () => {
    await world.delivery(1, "parsed", ago(HOUR));
    await world.file(1, "parsing", ago(HOUR));
    expect(await world.sweep()).toMatchObject({ woken: { unread: 1 } });
    expect(await world.stateOf(1)).toBe("parsing");
    expect(world.sent).toMatchObject([{ type: "parse-delivery", correlationId: idOf(1) }]);
  });

  it("a file that nobody can read again ends with its rejected delivery", async () => {
    await world.delivery(1, "rejected", ago(HOUR));
    const id = await world.file(1, "parsing", ago(HOUR));
    await world.sweep();
    expect(await world.fileState(id)).toMatchObject({ state: "rejected" });
  });

  it("takes the longest still first, a bounded number, and what it took goes behind the rest", async () => {
    for (let n = 1; n <= MAX_WOKEN + 100; n++) await world.delivery(n, "parsing", ago(DAY - n * MINUTE));
    await world.sweep();
    expect(world.sent).toHaveLength(MAX_WOKEN);
    expect(ids()).toContain(idOf(1));
    expect(ids()).not.toContain(idOf(MAX_WOKEN + 1));
    // All of the first are due again by now, and would fill the run if they went first.
    await world.sweep(later(2 * HOUR));
    const rest = Array.from({ length: 100 }, (_, i) => idOf(MAX_WOKEN + 1 + i));
    expect(ids()).toEqual(expect.arrayContaining(rest));
  });

  it("waits longer from wake to wake", async () => {
    await world.delivery(1, "parsing", ago(HOUR));
    const wokenAfter: number[] = [];
    for (let minutes = 0; minutes <= 320; minutes += 10) {
      await world.sweep(later(minutes * MINUTE));
      if (world.sent.length > 0) wokenAfter.push(minutes);
    }
    expect(wokenAfter).toEqual([0, 40, 120, 280]);
  });

  it("counts anew when it has moved", async () => {
    await world.delivery(1, "parsing", ago(HOUR));
    await world.sweep();
    await world.database.query("UPDATE deliveries SET state = 'parsed'");
    expect(await world.one("SELECT wakes, woken_at FROM deliveries")).toEqual({ wakes: 0, woken_at: null });
  });
});

/** Sweeps once a day, beyond every pause, so that each sweep wakes what is stuck. */
const sweepDaily = async (days: number, first = 0) => {
  for (let day = first; day < first + days; day++) await world.sweep(later(day * DAY + day * MINUTE));
};

it("told that it is a day later, wakes everything, also what it has just woken; its next run misses nothing for that", async () => {
  await world.delivery(1, "parsing", ago(HOUR));
  const wakeAll = (now: Date) =>
    world.sweep(new Date(now.getTime() + (LONGEST_PAUSE_MINUTES + STUCK_AFTER_MINUTES + 1) * MINUTE), {
      now: () => now,
    });
  await wakeAll(NOW);
  expect(ids()).toEqual([idOf(1)]);
  await wakeAll(later(MINUTE));
  expect(ids()).toEqual([idOf(1)]);
  world.archived(2, later(2 * MINUTE));
  await world.sweep(later(HOUR));
  expect(ids()).toContain(idOf(2));
});

describe("no retry without limit", () => {
  it("gives up a delivery that was woken in vain: it is dead, a letter says why, and nothing wakes it any more", async () => {
    await world.delivery(1, "parsing", ago(HOUR));
    await sweepDaily(MAX_WAKES);
    expect(await world.letters()).toEqual([]);
    await sweepDaily(1, MAX_WAKES);
    expect(await world.stateOf(1)).toBe("dead");
    expect(await world.letters()).toMatchObject([
      {
        stage: "parse",
        correlation_id: idOf(1),
        code: "woken-in-vain",
        state: "open",
        message: { v: 2, rawKey: keyOf(1, ago(HOUR)) },
      },
    ]);
    await sweepDaily(2, MAX_WAKES + 1);
    expect(world.sent).toEqual([]);
    expect(await world.letters()).toHaveLength(1);
  });

  it("gives up a file, and its letter names the file", async () => {
    await world.delivery(1, "parsed", ago(HOUR));
    const id = await world.file(1, "parsed", ago(HOUR));
    await sweepDaily(MAX_WAKES + 1);
    expect(await world.fileState(id)).toMatchObject({ state: "dead" });
    expect(await world.letters()).toMatchObject([{ stage: "apply", code: "woken-in-vain", message: { fileId: id } }]);
  });

  it("gives up an archived object that never gets a row", async () => {
    world.archived(1, ago(HOUR));
    await sweepDaily(MAX_WAKES + 2);
    expect(await world.letters()).toMatchObject([{ stage: "parse", correlation_id: idOf(1), code: "woken-in-vain" }]);
    expect(await world.database.query("SELECT 1 FROM strays")).toEqual([]);
  });

  it("gives up a delivery whose file stays unread however often it is read: nobody takes that file any more", async () => {
    await world.delivery(1, "parsed", ago(HOUR));
    await world.file(1, "parsing", ago(HOUR));
    for (let day = 0; day <= MAX_WAKES; day++) {
      await world.sweep(later(day * DAY + day * MINUTE));
      await world.database.query("UPDATE deliveries SET state = 'parsed' WHERE state = 'parsing'");
    }
    expect(await world.stateOf(1)).toBe("dead");
    expect(await world.letters()).toMatchObject([{ stage: "parse", code: "woken-in-vain" }]);
  });

  it("links its letter to the first life", async () => {
    await world.delivery(1, "parsing", ago(HOUR));
    const first = await world.one<{ id: string }>(
      `INSERT INTO dead_letters (stage, message_id, message, failure, customer, correlation_id, attempts)
       VALUES ('parse', 'm', '{}', '{"code":"internal-error"}', 'acme', $1, 1) RETURNING id::text AS id`,
      [idOf(1)],
    );
    await world.database.query("UPDATE dead_letters SET state = 'redriven', decided_at = now(), decided_by = 'op'");
    await sweepDaily(MAX_WAKES + 1);
    expect(await world.one("SELECT redrive_of::text AS of FROM dead_letters WHERE state = 'open'")).toEqual({
      of: first.id,
    });
  });

  it("raises an alert long before, and clears it when nothing is stuck any more", async () => {
    await world.delivery(1, "parsing", ago(HOUR));
    await sweepDaily(ALERT_WAKES - 1);
    expect([...world.alerts.keys()]).toEqual([]);
    await sweepDaily(1, ALERT_WAKES - 1);
    expect([...world.alerts.keys()]).toEqual(["sweep-stuck delivery"]);
    await world.database.query("UPDATE deliveries SET state = 'parsed'");
    await sweepDaily(1, ALERT_WAKES);
    expect([...world.alerts.keys()]).toEqual([]);
  });

  it("does not count what says that it waits for something outside, however long the outage is", async () => {
    await world.delivery(1, "parsing", ago(HOUR));
    await world.database.query(
      `UPDATE deliveries SET last_failure = '{"code":"storage-unavailable"}', next_attempt_at = now() - interval '1 year'`,
    );
    await sweepDaily(3 * MAX_WAKES);
    expect(await world.stateOf(1)).toBe("parsing");
    expect(ids()).toEqual([idOf(1)]);
  });

  it("does not count messages that no queue took, and is heard when there is one", async () => {
    await world.delivery(1, "parsing", ago(HOUR));
    const down = { enqueueParse: async () => Promise.reject(new Error("queue down")) };
    for (let day = 0; day < 2 * MAX_WAKES; day++) {
      await expect(world.sweep(later(day * DAY), down)).rejects.toThrow("queue down");
    }
    expect(await world.one("SELECT wakes FROM deliveries")).toEqual({ wakes: 0 });
    await world.sweep(later(2 * MAX_WAKES * DAY));
    expect(ids()).toEqual([idOf(1)]);
  });

  it("one customer's queue that is missing keeps nobody else asleep", async () => {
    await world.delivery(1, "parsing", ago(2 * HOUR));
    await world.delivery(2, "parsing", ago(HOUR));
    const enqueueParse = async (message: (typeof world.sent)[number]) => {
      if (message.correlationId === idOf(1)) throw new Error("binding FEED_ACME is missing");
      world.sent.push(message);
    };
    await expect(world.sweep(NOW, { enqueueParse })).rejects.toThrow("binding");
    expect(ids()).toEqual([idOf(2)]);
  });

  it("a delivery of a customer that was removed becomes a dead letter and does not stop the sweep", async () => {
    await world.delivery(1, "parsing", ago(HOUR));
    await world.sweep(NOW, { customers: ["somebody-else"] });
    expect(await world.letters()).toMatchObject([{ code: "unknown-feed", correlation_id: idOf(1) }]);
    expect(await world.stateOf(1)).toBe("dead");
  });

  it("wakes nothing while storage is away: nothing could be read, and queues would only fill", async () => {
    await world.delivery(1, "parsing", ago(HOUR));
    const listRaw = async () => {
      throw failure("storage-unavailable", { reason: "test" });
    };
    await expect(world.sweep(NOW, { listRaw })).rejects.toThrow("storage");
    expect(world.sent).toEqual([]);
    expect(await world.one("SELECT error, last_ok_at, lease_token FROM jobs")).toMatchObject({
      error: expect.stringContaining("storage"),
      last_ok_at: null,
      lease_token: null,
    });
  });
});

describe("one sweep at a time", () => {
  it("a second one at the same time does nothing", async () => {
    await world.delivery(1, "parsing", ago(HOUR));
    let second: unknown = "not asked";
    await world.sweep(NOW, {
      enqueueParse: async (message) => {
        world.sent.push(message);
        const before = [...world.sent];
        second = await world.sweep();
        world.sent.push(...before);
      },
    });
    expect(second).toBeUndefined();
    expect(ids()).toEqual([idOf(1)]);
  });

  it("one that died is followed when its lease has run out, and no sooner", async () => {
    await world.deps.jobs.take(SWEEP, randomUUID(), NOW);
    expect(await world.sweep(later((JOB_LEASE_SECONDS - 1) * 1_000))).toBeUndefined();
    expect(await world.sweep(later((JOB_LEASE_SECONDS + 1) * 1_000))).toBeDefined();
  });

  it("one that only seemed dead writes nothing over what the next one did", async () => {
    world.archived(1, ago(HOUR));
    const token = randomUUID();
    const taken = await world.sweep(NOW, {
      token: () => token,
      async listRaw() {
        // It hangs in storage for ten minutes; another one comes and finishes.
        await world.sweep(later(10 * MINUTE));
        return { objects: [], more: true };
      },
    });
    expect(taken).toBeUndefined();
    const row = await world.one<{ last_ok_at: Date | string }>("SELECT last_ok_at FROM jobs");
    expect(new Date(row.last_ok_at)).toEqual(later(10 * MINUTE));
  });

  it("whose lease is another's can neither end, fail nor keep the job", async () => {
    const { jobs } = world.deps;
    const [first, second] = [randomUUID(), randomUUID()];
    await jobs.take(SWEEP, first, NOW);
    await jobs.take(SWEEP, second, later(2 * JOB_LEASE_SECONDS * 1_000));
    const taken = await world.one("SELECT * FROM jobs");
    await jobs.end(SWEEP, first, { okAt: NOW, progress: { stale: true }, result: { stale: true } });
    await jobs.fail(SWEEP, first, "stale");
    expect(await jobs.keep(SWEEP, first, NOW)).toBe(false);
    expect(await world.one("SELECT * FROM jobs")).toEqual(taken);
  });

  it("asked twice for its lease, because the answer was lost, has it", async () => {
    const token = randomUUID();
    await world.deps.jobs.take(SWEEP, token, NOW);
    expect(await world.deps.jobs.take(SWEEP, token, later(1_000))).toBeDefined();
  });

  it("takes up different things than one that runs beside it, should its lease have failed it", async () => {
    for (let n = 1; n <= 150; n++) await world.delivery(n, "parsing", ago(HOUR));
    const since = ago(STUCK_AFTER_MINUTES * MINUTE);
    const both = await Promise.all([1, 2].map(() => world.deps.tables.takeUp("delivery", NOW, since, 100, NOW)));
    const taken = both.flat().map(({ id }) => id);
    expect(new Set(taken).size).toBe(taken.length);
  });
});
