import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { RedriveDeps, RedriveTables } from "../../src/redrive/deps.ts";
import {
  discardLetter,
  REDRIVEN_PER_CALL,
  redriveCause,
  redriveFixed,
  redriveLetters,
  redriveOne,
  UNSENT_AFTER_MINUTES,
} from "../../src/redrive/redrive.ts";
import { seedDelivery } from "../api/seed.ts";
import { MISSING, NO_CHUNK, OUR_FAULT, toApply, toParse, type World, world } from "./world.ts";

let w: World;
beforeAll(async () => {
  w = await world();
});
afterAll(() => w?.database.drop());
beforeEach(() => w.empty());

const later = (minutes: number) => new Date(Date.now() + minutes * 60_000);
const nextRun = () => redriveFixed(w.deps, later(UNSENT_AFTER_MINUTES + 1));
const broken = (): RedriveDeps => ({ ...w.deps, enqueue: () => Promise.reject(new Error("queue away")) });

describe("redriving one letter", () => {
  it("puts its delivery back to parsing as if it had never failed, writes down who did it, and sends it once", async () => {
    const { delivery, letter } = await w.deadDelivery();
    await w.rows("UPDATE deliveries SET attempts = 7 WHERE id = $1", [delivery]);
    expect(await w.row("deliveries", delivery)).toMatchObject({ state: "dead", failure: { code: "raw-missing" } });
    expect(await redriveOne(w.deps, letter, "ops")).toEqual({ kind: "done", state: "redriven", sent: true });
    expect(w.sent).toEqual([toParse(w.alpha, delivery, letter)]);
    expect(await w.row("deliveries", delivery)).toMatchObject({ state: "parsing", failure: null, attempts: 0 });
    expect(await w.row("dead_letters", letter)).toMatchObject({
      state: "redriven",
      decided_by: "ops",
      sending_since: null,
    });
    expect(await w.audits()).toEqual([
      {
        actor: "ops",
        action: "redrive",
        subject: `dead letter ${letter}`,
        detail: { cause: "parse.raw-missing", customer: "alpha", delivery },
      },
    ]);
  });

  it("puts its file back to parsed", async () => {
    const { delivery, file, letter } = await w.deadFile();
    await redriveOne(w.deps, letter, "ops");
    expect(w.sent).toEqual([toApply(w.alpha, delivery, file, letter)]);
    expect(await w.row("files", file)).toMatchObject({ state: "parsed", failure: null, attempts: 0 });
    expect(await w.row("deliveries", delivery)).toMatchObject({ state: "parsed" });
  });

  it("has a file whose chunks are gone read from the archive again", async () => {
    const { delivery, file, letter } = await w.deadFile(w.alpha, NO_CHUNK);
    await redriveOne(w.deps, letter, "ops");
    expect(w.sent).toEqual([toParse(w.alpha, delivery, letter)]);
    expect(await w.row("files", file)).toMatchObject({ state: "parsing", failure: null });
    expect(await w.row("deliveries", delivery)).toMatchObject({ state: "parsing" });
  });

  it("has a file that a replay read again read for that replay, and its delivery, which is at its end, stays so", async () => {
    const { delivery, file, letter } = await w.deadFile(w.alpha, NO_CHUNK);
    await w.rows("UPDATE files SET cause = 'replay', replay_id = 7 WHERE id = $1", [file]);
    await redriveOne(w.deps, letter, "ops");
    expect(w.sent).toEqual([{ ...toParse(w.alpha, delivery, letter), replay: "7" }]);
    expect(await w.row("files", file)).toMatchObject({ state: "parsing", failure: null });
    expect(await w.row("deliveries", delivery)).toMatchObject({ state: "parsed" });
  });

  it("again does nothing more", async () => {
    const { letter } = await w.deadDelivery();
    await redriveOne(w.deps, letter, "ops");
    expect(await redriveOne(w.deps, letter, "ops")).toEqual({ kind: "done", state: "redriven", sent: true });
    expect([w.sent.length, (await w.audits()).length]).toEqual([1, 1]);
  });

  it("by eight operators at once sends once", async () => {
    const { letter } = await w.deadDelivery();
    const answers = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map((n) => redriveOne(w.deps, letter, `ops ${n}`)));
    expect(answers.map(({ kind }) => kind)).toEqual(Array(8).fill("done"));
    expect([w.sent.length, (await w.audits()).length]).toEqual([1, 1]);
  });

  it("leaves what is no longer dead as it is: a wake-up is all that is sent", async () => {
    const { delivery, letter } = await w.deadDelivery();
    await w.rows("UPDATE deliveries SET state = 'parsing', failure = NULL WHERE id = $1", [delivery]);
    await w.rows("UPDATE deliveries SET state = 'parsed', attempts = 3 WHERE id = $1", [delivery]);
    await redriveOne(w.deps, letter, "ops");
    expect(await w.row("deliveries", delivery)).toMatchObject({ state: "parsed", attempts: 3 });
    expect(w.sent).toHaveLength(1);
  });

  it("whose message still cannot be read leaves it open, with a sentence", async () => {
    await w.park("parse", { message: { v: 99, type: "parse-delivery" } });
    const [{ id } = { id: "" }] = await w.letters();
    expect(await redriveOne(w.deps, String(id), "ops")).toEqual({
      kind: "stays",
      state: "open",
      reason: expect.stringContaining("cannot be read"),
    });
    expect(await w.row("dead_letters", String(id))).toMatchObject({ state: "open", decided_at: null });
    expect([w.sent, await w.audits()]).toEqual([[], []]);
  });

  it("that is not there is unknown, and a discarded one stays", async () => {
    expect(await redriveOne(w.deps, "999999", "ops")).toEqual({ kind: "unknown" });
    const { letter } = await w.deadDelivery();
    await discardLetter(w.deps, letter, "ops", "of no use");
    expect(await redriveOne(w.deps, letter, "ops")).toMatchObject({ kind: "stays", state: "discarded" });
    expect(w.sent).toEqual([]);
  });

  it("that nobody knows a row of is sent all the same", async () => {
    const delivery = "c".repeat(32);
    await w.park("parse", { message: toParse(w.alpha, delivery), failure: MISSING });
    const [{ id } = { id: "" }] = await w.letters();
    expect(await redriveOne(w.deps, String(id), "ops")).toMatchObject({ kind: "done", sent: true });
    expect(w.sent).toMatchObject([{ correlationId: delivery }]);
  });
});

describe("the queue away", () => {
  it("the letter is redriven and not sent, and the next run of the cron sends it, once", async () => {
    const { delivery, letter } = await w.deadDelivery();
    expect(await redriveOne(broken(), letter, "ops")).toEqual({ kind: "done", state: "redriven", sent: false });
    expect(await redriveOne(w.deps, letter, "ops")).toEqual({ kind: "done", state: "redriven", sent: false });
    expect(w.sent).toEqual([]);
    expect(await nextRun()).toMatchObject({ resent: 1 });
    expect(w.sent).toEqual([toParse(w.alpha, delivery, letter)]);
    expect(await nextRun()).toMatchObject({ resent: 0 });
  });

  it("what was sent just now is not sent again by a cron that runs meanwhile", async () => {
    const { letter } = await w.deadDelivery();
    await redriveOne(broken(), letter, "ops");
    expect(await redriveFixed(w.deps, new Date())).toMatchObject({ resent: 0 });
  });

  it("for one customer does not keep back the letters of another", async () => {
    const ours = await w.deadDelivery(w.alpha);
    const theirs = await w.deadDelivery(w.beta);
    const halfBroken: RedriveDeps = {
      ...w.deps,
      enqueue: (message) =>
        message.customer === "alpha" ? Promise.reject(new Error("no queue")) : w.deps.enqueue(message),
    };
    const { redriven } = await redriveCause(halfBroken, { cause: "parse.raw-missing" }, "ops");
    expect(redriven).toEqual([
      { id: ours.letter, sent: false },
      { id: theirs.letter, sent: true },
    ]);
  });
});

/** Dies before or after the n-th effect, from 0. */
function mortal(deps: RedriveDeps, n: number, when: "before" | "after"): RedriveDeps {
  let effects = 0;
  const guarded =
    <A extends unknown[], R>(effect: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      const fatal = effects++ === n;
      if (fatal && when === "before") throw new Error("killed");
      const result = await effect(...args);
      if (fatal) throw new Error("killed");
      return result;
    };
  const { tables } = deps;
  const dying: RedriveTables = {
    ...tables,
    letters: guarded((ids) => tables.letters(ids)),
    openOf: guarded((...args) => tables.openOf(...args)),
    take: guarded((...args) => tables.take(...args)),
    sent: guarded((ids) => tables.sent(ids)),
  };
  return {
    ...deps,
    tables: dying,
    enqueue: guarded((message) => deps.enqueue(message)),
    decided: guarded(() => deps.decided()),
  };
}

describe("death between any two effects", () => {
  const cases = [0, 1, 2, 3, 4].flatMap((n) => (["before", "after"] as const).map((when) => [n, when] as const));

  it.each(cases)(
    "effect %i, %s it: the letter is open and nothing has moved, or it is redriven and sent in the end",
    async (n, when) => {
      const { delivery, letter } = await w.deadDelivery();
      // A letter without any row behind it has nothing but itself to be found by.
      await w.park("parse", { message: toParse(w.alpha, "d".repeat(32)), failure: MISSING });
      await redriveCause(mortal(w.deps, n, when), { cause: "parse.raw-missing" }, "ops").catch(() => undefined);
      const { state } = await w.row("dead_letters", letter);
      if (state === "open") {
        expect(await w.row("deliveries", delivery)).toMatchObject({ state: "dead" });
        expect([w.sent, await w.audits()]).toEqual([[], []]);
        return;
      }
      expect(await w.row("deliveries", delivery)).toMatchObject({ state: "parsing", failure: null });
      await nextRun();
      expect(new Set(w.sent.map(({ correlationId }) => correlationId))).toEqual(new Set([delivery, "d".repeat(32)]));
      expect((await w.letters()).map((one) => [one.state, one.sending_since])).toEqual([
        ["redriven", null],
        ["redriven", null],
      ]);
      expect(await w.audits()).toHaveLength(2);
    },
  );
});

describe("redriving many", () => {
  it("of a cause takes those of the customer alone, the longest dead first", async () => {
    const first = await w.deadDelivery(w.alpha);
    await w.deadDelivery(w.beta);
    await w.deadFile(w.alpha);
    const second = await w.deadDelivery(w.alpha);
    const done = await redriveCause(w.deps, { cause: "parse.raw-missing", customer: "alpha" }, "ops");
    expect(done).toEqual({
      redriven: [
        { id: first.letter, sent: true },
        { id: second.letter, sent: true },
      ],
      stays: [],
      left: 0,
    });
    expect((await w.letters()).map(({ state }) => state)).toEqual(["redriven", "open", "open", "redriven"]);
  });

  it("by id answers for each one, whatever it is", async () => {
    const open = await w.deadDelivery();
    const gone = await w.deadFile();
    await discardLetter(w.deps, gone.letter, "ops", "of no use");
    const done = await redriveLetters(w.deps, [gone.letter, open.letter, open.letter, "999999"], "ops");
    expect(done).toEqual({
      redriven: [{ id: open.letter, sent: true }],
      stays: [
        { id: gone.letter, reason: "It was discarded, which is final." },
        { id: "999999", reason: "There is no dead letter with this id." },
      ],
      left: 0,
    });
  });

  it("is paced: so many a call, and letters that cannot go keep no others back", async () => {
    const unreadable = Array.from({ length: 30 }, () => ({ message: { v: 99 }, failure: MISSING }));
    const readable = Array.from({ length: REDRIVEN_PER_CALL + 7 }, (_, n) => ({
      message: toParse(w.alpha, n.toString(16).padStart(32, "0")),
      failure: MISSING,
    }));
    await w.park("parse", ...unreadable, ...readable);
    const cause = "parse.raw-missing";
    const once = await redriveCause(w.deps, { cause }, "ops");
    expect([once.redriven.length, once.stays.length, once.left]).toEqual([REDRIVEN_PER_CALL, 30, 7]);
    const twice = await redriveCause(w.deps, { cause }, "ops");
    expect([twice.redriven.length, twice.stays.length, twice.left]).toEqual([7, 30, 0]);
    expect(new Set(w.sent.map(({ correlationId }) => correlationId)).size).toBe(readable.length);
  });

  it("by two operators with the same selection in another order sends each once", async () => {
    const ids: string[] = [];
    for (let n = 0; n < 12; n++) ids.push((await w.deadDelivery()).letter);
    const both = await Promise.all([
      redriveLetters(w.deps, ids, "one"),
      redriveLetters(w.deps, ids.toReversed(), "other"),
    ]);
    expect(both.flatMap(({ redriven }) => redriven.map(({ id }) => id)).toSorted()).toEqual(ids.toSorted());
    expect(w.sent).toHaveLength(ids.length);
  });
});

describe("a redrive that fails again", () => {
  it("is a new letter that names its first life, and so is the third", async () => {
    const { delivery, letter } = await w.deadDelivery();
    await redriveOne(w.deps, letter, "ops");
    await w.park("parse", { message: w.sent[0], failure: OUR_FAULT });
    const [, second] = await w.letters();
    expect(second).toMatchObject({ state: "open", redrive_of: letter, cause: "parse.internal-error" });
    expect(await w.row("deliveries", delivery)).toMatchObject({ state: "dead", failure: { code: "internal-error" } });
    await redriveOne(w.deps, String(second?.id), "ops");
    await w.park("parse", { message: w.sent[1], failure: OUR_FAULT });
    expect((await w.letters()).map((one) => one.redrive_of)).toEqual([null, letter, letter]);
  });

  it("is linked also where the sweep sent the message, which knows of no letter", async () => {
    const { delivery, letter } = await w.deadDelivery();
    await redriveOne(broken(), letter, "ops");
    await w.park("parse", { message: toParse(w.alpha, delivery), failure: MISSING });
    const [, second] = await w.letters();
    await redriveOne(broken(), String(second?.id), "ops");
    await w.park("parse", { message: toParse(w.alpha, delivery), failure: MISSING });
    expect((await w.letters()).map((one) => one.redrive_of)).toEqual([null, letter, letter]);
  });

  it("links nothing to a letter about something else, whatever the message says", async () => {
    const { letter } = await w.deadDelivery(w.beta);
    const delivery = await seedDelivery(w.database, w.alpha, { state: "parsing" });
    await w.park("parse", { message: toParse(w.alpha, delivery, letter) });
    expect((await w.letters()).at(-1)).toMatchObject({ redrive_of: null });
  });
});
