import { describe, expect, it, vi } from "vitest";
import { COMPARED_PER_WRITTEN } from "../../src/admission/admission.ts";
import { type AdmittedDeps, admitted, SLOW_STATEMENT_MS } from "../../src/admission/admitted.ts";
import type { AdmissionDoor } from "../../src/admission/keeper.ts";
import { DEFAULT_LIMITS } from "../../src/admission/limits.ts";
import { MAX_PACE_MS } from "../../src/admission/pace.ts";
import { watched } from "../../src/admission/watched.ts";
import { type Failure, failure } from "../../src/domain/failures.ts";
import { memoryAdmission } from "../support/admission.ts";

const NOON = Date.UTC(2026, 10, 21, 12);
const file = { id: "7", rows: 100 };

async function scene(change: Partial<AdmissionDoor> = {}, slowestMs = 0) {
  const { door } = memoryAdmission(() => NOON);
  await door.configure({ ...DEFAULT_LIMITS, filesAtOnce: 1 });
  const log = { info: vi.fn(), warn: vi.fn(), error: vi.fn() };
  const sleep = vi.fn(async () => undefined);
  const deps: AdmittedDeps = {
    door: { ...door, ...change },
    slowestMs: () => slowestMs,
    nowMs: () => NOON,
    sleep,
    log,
  };
  return { door, deps, log, sleep };
}
const thrownBy = (work: Promise<unknown>): Promise<Failure> =>
  work.then(
    () => Promise.reject(new Error("nothing was thrown")),
    (thrown: Failure) => thrown,
  );
const fails = (thrown: Error) => () => Promise.reject(thrown);

describe("work under admission", () => {
  it("runs while it holds a slot, and gives it back", async () => {
    const { door, deps } = await scene();
    const during = await admitted(deps, file, () => door.look());
    expect(during.slots.files.map(({ id }) => id)).toEqual(["7"]);
    expect((await door.look()).slots.files).toEqual([]);
  });

  it("does not begin without a slot, and says when to come again", async () => {
    const { door, deps } = await scene();
    await door.reserve({ id: "1", rows: 1 });
    const work = vi.fn();
    const thrown = await thrownBy(admitted(deps, file, work));
    expect(thrown).toMatchObject({ code: "not-admitted-yet", disposition: "retry" });
    expect(thrown.report.evidence.atMs).toBeGreaterThan(NOON);
    expect(work).not.toHaveBeenCalled();
  });

  it("does not begin where nobody can be asked", async () => {
    const { deps } = await scene({ reserve: fails(new Error("Durable Object is overloaded")) });
    const work = vi.fn();
    expect(await thrownBy(admitted(deps, file, work))).toMatchObject({ code: "admission-unavailable" });
    expect(work).not.toHaveBeenCalled();
  });

  it("gives the slot back when the feed is busy, and leaves the rate charged once", async () => {
    const { door, deps } = await scene();
    const busy = failure("feed-busy", { file: "7", activeFile: "6" });
    for (let i = 0; i < 3; i++) expect(await thrownBy(admitted(deps, file, fails(busy)))).toBe(busy);
    const look = await door.look();
    expect(look.slots.files).toEqual([]);
    expect(look.database.is).toBe("well");
    expect(look.rowsLeft).toBe(DEFAULT_LIMITS.burstRows - file.rows);
  });

  it("tells that the database is away, so that nobody else tries", async () => {
    const { door, deps } = await scene();
    await thrownBy(admitted(deps, file, fails(failure("database-unavailable", { reason: "gone" }))));
    expect((await door.look()).database.is).toBe("away");
  });

  it("says nothing of the database for a fault of another kind", async () => {
    const { door, deps } = await scene();
    await thrownBy(admitted(deps, file, fails(new TypeError("a bug"))));
    expect((await door.look()).database.is).toBe("well");
  });

  it("tells that the database was slow, and halves the slots", async () => {
    const { door, deps } = await scene({}, SLOW_STATEMENT_MS + 1);
    await admitted(deps, file, async () => undefined);
    expect((await door.look()).database.is).toBe("slow");
  });

  it("keeps the work's own result and failure when renewing and releasing fail", async () => {
    const lost = new Error("Network connection lost");
    const { deps, log } = await scene({ renew: fails(lost), release: fails(lost) });
    expect(
      await admitted(deps, file, async ({ stillHere }) => {
        await stillHere();
        return "done";
      }),
    ).toBe("done");
    expect(log.warn.mock.calls.map(([event]) => event)).toEqual(["admission-not-renewed", "admission-not-released"]);
  });
});

describe("the pace of a file", () => {
  it("lets go what is left of the burst, then keeps the rate, all lanes together", async () => {
    const { door, deps, sleep } = await scene();
    await door.configure({ filesAtOnce: 1, rowsPerSecond: 1_000, burstRows: 5_000 });
    await admitted(deps, { id: "7", rows: 9_000 }, async ({ pace }) => {
      for (let i = 0; i < 9; i++) await pace(1_000);
    });
    expect(sleep.mock.calls).toEqual([[1_000], [2_000], [3_000]]);
  });

  it("says what was written, so that rows which were only compared keep nobody waiting", async () => {
    const { door, deps } = await scene();
    await door.configure({ filesAtOnce: 1, rowsPerSecond: 1_000, burstRows: 5_000 });
    await admitted(deps, { id: "7", rows: 9_000 }, ({ pace }) => pace(1_000));
    expect((await door.look()).rowsLeft).toBe(5_000 - 1_000 - 8_000 / COMPARED_PER_WRITTEN);
  });

  it("never keeps a batch waiting so long that its lease could end, whatever the rate", async () => {
    const { door, deps, sleep } = await scene();
    await door.configure({ filesAtOnce: 1, rowsPerSecond: 10, burstRows: 0 });
    await admitted(deps, { id: "7", rows: 10_000 }, async ({ pace }) => {
      await pace(5_000);
      await pace(5_000);
    });
    expect(sleep.mock.calls).toEqual([[MAX_PACE_MS]]);
  });
});

describe("a watched database", () => {
  it("knows the longest statement, also where it failed", async () => {
    let nowMs = 0;
    const { database, slowestMs } = watched(
      {
        async query<Row>(text: string): Promise<Row[]> {
          nowMs += Number(text);
          if (text === "300") throw new Error("gone");
          return [];
        },
      },
      () => nowMs,
    );
    await database.query("200", []);
    await expect(database.query("300", [])).rejects.toThrow("gone");
    await database.query("100", []);
    expect(slowestMs()).toBe(300);
  });
});
