import { describe, expect, it } from "vitest";
import { attempt, MAX_WAIT_MS, oneRow, STATEMENT_TRIES, waitMs } from "../../src/domain/attempt.ts";
import { failure } from "../../src/domain/failures.ts";
import { inLanes } from "../../src/domain/lanes.ts";

const away = () => failure("database-unavailable", { reason: "reset" });

/** Fails the first `times` times. */
function failing(times: number, thrown: () => unknown) {
  let tried = 0;
  const waits: number[] = [];
  return {
    waits,
    tried: () => tried,
    waiting: { sleep: async (ms: number) => void waits.push(ms), random: () => 1 },
    statement: async () => {
      tried++;
      if (tried <= times) throw thrown();
      return "answer";
    },
  };
}

describe("a statement that fails", () => {
  it("for a passing reason is tried again, each time after a longer wait", async () => {
    const { waiting, statement, waits } = failing(3, away);
    expect(await attempt(waiting, statement)).toBe("answer");
    expect(waits).toEqual([50, 100, 200]);
  });

  it("every time is given up with its own failure after the stated number of tries", async () => {
    const { waiting, statement, tried } = failing(99, away);
    await expect(attempt(waiting, statement)).rejects.toMatchObject({ code: "database-unavailable" });
    expect(tried()).toBe(STATEMENT_TRIES);
  });

  it.each([
    ["a refusal", () => failure("database-refused", { sqlstate: "22P02", message: "bad" }), "database-refused"],
    ["a lost lease", () => failure("lease-lost", { file: "1" }), "lease-lost"],
    ["a fault of ours", () => new TypeError("x is not a function"), "internal-error"],
  ])("for good is not tried again: %s", async (_, thrown, code) => {
    const { waiting, statement, tried } = failing(1, thrown);
    await expect(attempt(waiting, statement)).rejects.toMatchObject({ code });
    expect(tried()).toBe(1);
  });

  it("waits no longer than the stated limit, and anywhere below it", () => {
    expect(waitMs(50, 1)).toBe(MAX_WAIT_MS);
    expect(waitMs(1, 0)).toBe(0);
  });

  it("because its answer held no row is trouble that passes", () => {
    expect(() => oneRow([])).toThrow(expect.objectContaining({ code: "database-conflict" }));
  });
});

describe("lanes", () => {
  it("work on that many items at once, and on all of them", async () => {
    let now = 0;
    let most = 0;
    const done: number[] = [];
    await inLanes(
      [1, 2, 3, 4, 5, 6, 7],
      async (item) => {
        now++;
        most = Math.max(most, now);
        await Promise.resolve();
        now--;
        done.push(item);
      },
      3,
    );
    expect(most).toBe(3);
    expect(done.sort()).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it("draw no further item after a failure, wait for what has begun, and throw the first", async () => {
    let closed = false;
    const begun: number[] = [];
    const ended: number[] = [];
    async function* items() {
      try {
        for (let item = 1; item < 100; item++) yield item;
      } finally {
        closed = true;
      }
    }
    const work = async (item: number) => {
      begun.push(item);
      if (item === 2) throw new Error("second");
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      ended.push(item);
    };
    await expect(inLanes(items(), work, 2)).rejects.toThrow("second");
    expect(begun.length).toBeLessThanOrEqual(3);
    expect([...ended, 2].sort()).toEqual(begun.sort());
    expect(closed).toBe(true);
  });

  it("throw what the source of the items throws", async () => {
    async function* items() {
      yield 1;
      throw new Error("no more");
    }
    await expect(inLanes(items(), async () => undefined)).rejects.toThrow("no more");
  });
});
