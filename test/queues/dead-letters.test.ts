import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { GROWING, growthOf, MANY_LETTERS_AN_HOUR, MANY_OPEN_LETTERS, watchGrowth } from "../../src/queues/growth.ts";
import { discardLetter, redriveCause, redriveOne } from "../../src/redrive/redrive.ts";
import { MISSING, toParse, type World, world } from "../redrive/world.ts";

let w: World;
beforeAll(async () => {
  w = await world();
});
afterAll(() => w?.database.drop());
beforeEach(() => w.empty());

describe("the consumer of a dead-letter queue", () => {
  it("keeps a letter once, however often it comes", async () => {
    const delivery = "1".repeat(32);
    for (let n = 0; n < 3; n++) {
      const settled = await w.park("parse", { message: toParse(w.alpha, delivery), messageId: "same" });
      expect(settled).toEqual({ acked: 1, retried: 0 });
    }
    expect(await w.letters()).toHaveLength(1);
  });

  it("does not kill what is at work again when a letter comes once more after its decision", async () => {
    const { delivery, letter } = await w.deadDelivery();
    const [{ message_id: messageId } = {}] = await w.letters();
    await redriveOne(w.deps, letter, "ops");
    await w.park("parse", { message: toParse(w.alpha, delivery), messageId: String(messageId) });
    expect(await w.row("deliveries", delivery)).toMatchObject({ state: "parsing", failure: null });
    expect((await w.letters()).map(({ state, failure }) => [state, failure])).toEqual([["redriven", MISSING]]);
  });

  it("says what a letter is about: its cause, feed and file", async () => {
    const { file } = await w.deadFile(w.beta);
    expect((await w.letters())[0]).toMatchObject({
      cause: "apply.internal-error",
      customer: "beta",
      feed: "stock",
      file_id: file,
    });
  });

  it.each([
    ["null", null],
    ["a number", 7],
    ["a list", [1, 2]],
    ["ids that are none", { correlationId: 7, fileId: "9".repeat(30), redriveOf: "x", feed: {} }],
    ["a file beyond the largest", { fileId: "9999999999999999999", redriveOf: "9999999999999999999" }],
    ["text that no column holds", { customer: "a\0", feed: "\ud800", correlationId: "\0", fileId: "\0" }],
  ])("keeps a message that is %s", async (_, message) => {
    for (const stage of ["parse", "apply"] as const) {
      expect(await w.park(stage, { message })).toEqual({ acked: 1, retried: 0 });
    }
    expect((await w.letters()).map((one) => [one.cause, one.file_id, one.redrive_of])).toEqual([
      ["parse.internal-error", null, null],
      ["apply.internal-error", null, null],
    ]);
  });

  it("takes a failure whose code is none for no failure", async () => {
    await w.park("parse", { message: {}, failure: { code: "no such\ncode" } });
    expect((await w.letters())[0]).toMatchObject({ cause: "parse.internal-error" });
  });
});

describe("growth", () => {
  it.each([
    [{ open: MANY_OPEN_LETTERS + 1, lastHour: 0 }, "raise"],
    [{ open: MANY_OPEN_LETTERS, lastHour: 0 }, "leave"],
    [{ open: MANY_LETTERS_AN_HOUR + 1, lastHour: MANY_LETTERS_AN_HOUR + 1 }, "raise"],
    [{ open: MANY_LETTERS_AN_HOUR + 1, lastHour: MANY_LETTERS_AN_HOUR }, "leave"],
    [{ open: MANY_LETTERS_AN_HOUR, lastHour: MANY_LETTERS_AN_HOUR }, "clear"],
    [{ open: 0, lastHour: 0 }, "clear"],
  ] as const)("%o: %s", (counted, next) => {
    expect(growthOf(counted)).toBe(next);
  });

  const alerts = () =>
    w.rows("SELECT kind, subject, severity, detail, times, cleared_at IS NULL AS open FROM alerts ORDER BY id");
  const many = (count: number) =>
    Array.from({ length: count }, (_, n) => ({
      message: toParse(w.alpha, n.toString(16).padStart(32, "0")),
      failure: MISSING,
    }));

  it("raises one alert for a stage, counts it, says it in the log once, and clears it when letters are decided", async () => {
    await w.park("parse", ...many(MANY_LETTERS_AN_HOUR));
    expect(await alerts()).toEqual([]);
    await w.park("parse", { message: { v: 99 } });
    await w.park("parse", { message: { v: 98 } });
    expect(await alerts()).toEqual([
      {
        kind: GROWING,
        subject: "parse",
        severity: "critical",
        detail:
          "22 messages of the parse stage wait for an operator's decision, 22 of them since less than an hour; most of them for parse.raw-missing (20).",
        times: 2,
        open: true,
      },
    ]);
    expect(w.lines.filter(({ event }) => event === "alert-raised")).toHaveLength(1);
    await redriveCause(w.deps, { cause: "parse.raw-missing" }, "ops");
    expect(await alerts()).toMatchObject([{ times: 2, open: false }]);
    expect(w.lines.filter(({ event }) => event === "alert-cleared")).toHaveLength(1);
  });

  it("of old letters is an alert too, stays while they are many, and the next time is a new one", async () => {
    await w.park("parse", ...many(MANY_LETTERS_AN_HOUR + 2));
    await w.rows("UPDATE dead_letters SET last_at = now() - interval '2 hours'");
    await watchGrowth({ database: w.queries, log: w.deps.log }, "parse");
    expect(await alerts()).toMatchObject([{ times: 1, open: true }]);
    for (const { id } of (await w.letters()).slice(0, 2)) await discardLetter(w.deps, String(id), "ops", "x");
    expect(await alerts()).toMatchObject([{ open: false }]);
    await w.park("parse", ...many(MANY_LETTERS_AN_HOUR + 1));
    expect(await alerts()).toMatchObject([{ open: false }, { times: 1, open: true }]);
  });

  it("of one stage is not that of the other, and trouble with counting takes no letter back", async () => {
    await w.park("apply", ...many(MANY_LETTERS_AN_HOUR + 1));
    expect(await alerts()).toMatchObject([{ subject: "apply" }]);
    await w.rows("ALTER TABLE alerts RENAME TO alerts_away");
    const settled = await w.park("apply", { message: {} });
    await w.rows("ALTER TABLE alerts_away RENAME TO alerts");
    expect(settled).toEqual({ acked: 1, retried: 0 });
    expect(w.lines).toContainEqual(expect.objectContaining({ event: "dead-letters-not-counted" }));
  });
});
