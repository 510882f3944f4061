/** Giving a letter up, and marking its cause as fixed. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { discardLetter, markFixed, redriveFixed, redriveOne, UNSENT_AFTER_MINUTES } from "../../src/redrive/redrive.ts";
import { seedFile } from "../api/seed.ts";
import { MISSING, OUR_FAULT, toParse, type World, world } from "./world.ts";

let w: World;
beforeAll(async () => {
  w = await world();
});
afterAll(() => w?.database.drop());
beforeEach(() => w.empty());

const nextRun = () => redriveFixed(w.deps, new Date(Date.now() + (UNSENT_AFTER_MINUTES + 1) * 60_000));

describe("discarding", () => {
  it("is final: the delivery and what was not read of it say by whom and why, and it is written down", async () => {
    const { delivery, letter } = await w.deadDelivery();
    const unread = await seedFile(w.database, w.alpha, delivery, { state: "parsing", position: 0 });
    const read = await seedFile(w.database, w.alpha, delivery, { position: 1 });
    expect(await discardLetter(w.deps, letter, "ops", "sent again by the customer")).toMatchObject({ kind: "done" });
    const failure = {
      code: "discarded-by-operator",
      sentence: "It could not be worked on (raw-missing), and ops has discarded it: sent again by the customer.",
    };
    expect(await w.row("deliveries", delivery)).toMatchObject({ state: "dead", failure });
    expect(await w.row("files", unread)).toMatchObject({ state: "dead", failure });
    expect(await w.row("files", read)).toMatchObject({ state: "applied", failure: null });
    expect(await w.row("dead_letters", letter)).toMatchObject({
      state: "discarded",
      decided_by: "ops",
      reason: "sent again by the customer",
      failure: { code: "raw-missing" },
    });
    expect(await w.audits()).toMatchObject([{ actor: "ops", action: "discard", detail: { delivery } }]);
    expect(w.sent).toEqual([]);
  });

  it("says so on the file", async () => {
    const { file, delivery, letter } = await w.deadFile();
    await discardLetter(w.deps, letter, "ops", "x");
    expect(await w.row("files", file)).toMatchObject({ state: "dead", failure: { code: "discarded-by-operator" } });
    expect(await w.row("deliveries", delivery)).toMatchObject({ state: "parsed", failure: null });
  });

  it("one of two letters about the same delivery leaves it to the other", async () => {
    const { delivery, letter } = await w.deadDelivery();
    await w.park("parse", { message: toParse(w.alpha, delivery), failure: OUR_FAULT });
    await discardLetter(w.deps, letter, "ops", "twice");
    expect(await w.row("deliveries", delivery)).toMatchObject({ failure: { code: "raw-missing" } });
    await redriveOne(w.deps, String((await w.letters())[1]?.id), "ops");
    expect(await w.row("deliveries", delivery)).toMatchObject({ state: "parsing", failure: null });
  });

  it("again is done already, and a redriven letter is not to be discarded", async () => {
    const { letter } = await w.deadDelivery();
    await discardLetter(w.deps, letter, "ops", "x");
    expect(await discardLetter(w.deps, letter, "other", "y")).toMatchObject({ kind: "done" });
    expect(await w.row("dead_letters", letter)).toMatchObject({ decided_by: "ops", reason: "x" });
    const other = await w.deadDelivery();
    await redriveOne(w.deps, other.letter, "ops");
    expect(await discardLetter(w.deps, other.letter, "ops", "x")).toMatchObject({ kind: "stays", state: "redriven" });
    expect(await discardLetter(w.deps, "999999", "ops", "x")).toEqual({ kind: "unknown" });
  });

  it("and redriving at once: one of them wins, whole", async () => {
    for (let round = 0; round < 5; round++) {
      w.sent.length = 0;
      const { delivery, letter } = await w.deadDelivery();
      await Promise.all([redriveOne(w.deps, letter, "one"), discardLetter(w.deps, letter, "other", "x")]);
      const { state } = await w.row("dead_letters", letter);
      expect(await w.row("deliveries", delivery)).toMatchObject({ state: state === "redriven" ? "parsing" : "dead" });
      expect(w.sent).toHaveLength(state === "redriven" ? 1 : 0);
    }
  });
});

describe("a cause that is marked as fixed", () => {
  const cause = "parse.raw-missing";

  it("has its letters redriven by the cron in the name of who marked it, and no others", async () => {
    const { delivery, letter } = await w.deadDelivery();
    const other = await w.deadFile();
    expect(await markFixed(w.deps, cause, "ops", "release 7")).toMatchObject({ cause, markedBy: "ops" });
    expect(w.sent).toEqual([]);
    expect(await redriveFixed(w.deps, new Date())).toEqual({ resent: 0, redriven: 1, stays: 0, left: 0 });
    expect(w.sent).toEqual([toParse(w.alpha, delivery, letter)]);
    expect(await w.row("dead_letters", other.letter)).toMatchObject({ state: "open" });
    expect(await w.audits()).toMatchObject([
      { actor: "ops", action: "mark-fixed", subject: `cause ${cause}`, detail: { note: "release 7" } },
      { actor: "ops", action: "redrive", detail: { why: expect.stringContaining("marked as fixed at") } },
    ]);
  });

  it("goes round once: what dies after the mark waits for a human", async () => {
    const { letter } = await w.deadDelivery();
    await markFixed(w.deps, cause, "ops", null);
    await redriveFixed(w.deps, new Date());
    await w.park("parse", { message: w.sent[0], failure: MISSING });
    for (let run = 0; run < 3; run++) await nextRun();
    expect(w.sent).toHaveLength(1);
    expect((await w.letters()).map((one) => [one.state, one.redrive_of])).toEqual([
      ["redriven", null],
      ["open", letter],
    ]);
    await markFixed(w.deps, cause, "ops", "now really");
    await redriveFixed(w.deps, new Date());
    expect(w.sent).toHaveLength(2);
  });

  it("does not go round again for the sake of an old letter that still cannot be redriven", async () => {
    await w.park("parse", { message: { v: 99 }, failure: MISSING });
    await markFixed(w.deps, cause, "ops", null);
    await w.deadDelivery();
    expect(await redriveFixed(w.deps, new Date())).toEqual({ resent: 0, redriven: 0, stays: 1, left: 0 });
    expect(w.sent).toEqual([]);
  });

  it("that no letter ever had is unknown", async () => {
    expect(await markFixed(w.deps, "parse.raw-mising", "ops", null)).toBeUndefined();
    expect(await w.audits()).toEqual([]);
  });

  it("is worked off by two runs at once, each letter once", async () => {
    for (let n = 0; n < 10; n++) await w.deadDelivery();
    await markFixed(w.deps, cause, "ops", null);
    await Promise.all([redriveFixed(w.deps, new Date()), redriveFixed(w.deps, new Date())]);
    expect(w.sent).toHaveLength(10);
  });
});
