/** The ends of a file, each raced by another: closed, held, released, given up as dead. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { report } from "../../src/domain/failures.ts";
import type { ApplyFile } from "../../src/domain/messages.ts";
import { jsonLog } from "../../src/observe/log.ts";
import { keepDeadLetters } from "../../src/queues/dead-letters.ts";
import { type Api, startApi } from "../api/harness.ts";
import { held } from "../apply/faults.ts";
import { type TestFile, type World, worldOn } from "../apply/world.ts";
import { forceIn } from "../support/force-state.ts";
import { type Exact, exactState } from "./exact.ts";
import { applyOver, cleanRun, ended, FIRST, SECOND, secondToCome, standInTheWay } from "./scenes.ts";
import { blockedBy, openSession, type Session } from "./sessions.ts";

let api: Api;
let world: World;
let holder: Session;
let worker: Session;
let expected: Exact;
beforeAll(async () => {
  api = await startApi();
  world = worldOn(api.database.connectionString);
  [holder, worker] = [await openSession(api.database), await openSession(api.database)];
  expected = await cleanRun(world, [FIRST, SECOND]);
});
afterAll(async () => {
  await Promise.all([holder.end(), worker.end()]);
  await api.drop();
});

const stateOf = (file: TestFile) =>
  world.one<{ state: string; code: string | null }>("SELECT state, failure->>'code' AS code FROM files WHERE id = $1", [
    file.id,
  ]);

describe("closing a file", () => {
  it("in two workers at once: the second waits for the first and finds nothing to do", async () => {
    const { feed, file } = await secondToCome(world);
    const gate = held(worker, /close_file/);
    const first = ended(applyOver(world, file, gate));
    await gate.reached;
    await world.expireLease(feed);
    await standInTheWay(holder, file, []);
    gate.letGo();
    await blockedBy(world.database, holder);
    const second = ended(world.apply(file));
    await blockedBy(world.database, worker);
    await holder.query("ROLLBACK");
    expect(await Promise.all([first, second])).toEqual([
      { value: { done: "applied" } },
      { value: { done: "already" } },
    ]);
    expect(await exactState(world, feed)).toEqual(expected);
  });
});

/** Its books cannot balance: parse counted a row more than there is. */
const unbalance = (file: TestFile, by: number) =>
  world.database.query("UPDATE files SET accepted = accepted + $2, lines = lines + $2 WHERE id = $1", [file.id, by]);

describe("holding a file", () => {
  it("in two workers at once, one of them out of its lease: it is held once, and both hear so", async () => {
    const { feed, file } = await secondToCome(world);
    await unbalance(file, 1);
    const gate = held(world.database, /hold_file/);
    const slow = ended(applyOver(world, file, gate));
    await gate.reached;
    await world.expireLease(feed);
    expect(await world.apply(file)).toEqual({ done: "held" });
    gate.letGo();
    expect(await slow).toEqual({ value: { done: "held" } });
    expect(await stateOf(file)).toEqual({ state: "held", code: "books-unbalanced" });
    expect((await exactState(world, feed)).lease).toBeNull();
  });

  it("does not hold what another worker has closed since", async () => {
    const { feed, file } = await secondToCome(world);
    await unbalance(file, 1);
    const gate = held(world.database, /hold_file/);
    const slow = ended(applyOver(world, file, gate));
    await gate.reached;
    await unbalance(file, -1);
    await world.expireLease(feed);
    expect(await world.apply(file)).toEqual({ done: "applied" });
    gate.letGo();
    expect(await slow).toEqual({ code: "lease-lost" });
    expect(await exactState(world, feed)).toEqual(expected);
  });

  it("frees the feed: the next file goes on at once", async () => {
    const { feed, file } = await secondToCome(world);
    await unbalance(file, 1);
    await world.apply(file);
    expect(await world.apply(await world.file(feed, 2, FIRST))).toEqual({ done: "applied" });
  });
});

describe("releasing a held file", () => {
  const release = (file: TestFile) => api.send(`/v1/files/${file.id}/release`, { method: "POST" }, api.world.operator);
  const hold = (file: TestFile) =>
    world.database.query("UPDATE files SET state = 'held', failure = $2 WHERE id = $1", [
      file.id,
      JSON.stringify(report("sequence-gap", { previous: 1, found: 3, missing: "2" })),
    ]);

  it("by several operators at once, while workers apply it: it is applied once", async () => {
    for (let round = 0; round < 8; round++) {
      const { feed, file } = await secondToCome(world);
      await forceIn(world.database, "UPDATE files SET state = 'parsing' WHERE id = $1", [file.id]);
      await hold(file);
      api.messages.length = 0;
      const early = ended(world.apply(file));
      const answers = await Promise.all([release(file), release(file), ended(world.apply(file)), release(file)]);
      for (const answer of answers) if ("status" in answer) expect(answer.status).toBe(202);
      await early;
      for (const message of api.messages) await ended(world.apply({ ...file, message: message as ApplyFile }));
      expect(await exactState(world, feed), `round ${round}`).toEqual(expected);
    }
  });

  it("while it is applied already answers so, and sends no second message", async () => {
    const { feed, file } = await secondToCome(world);
    await forceIn(world.database, "UPDATE files SET state = 'parsing' WHERE id = $1", [file.id]);
    await hold(file);
    expect((await release(file)).status).toBe(202);
    api.messages.length = 0;
    const gate = held(world.database, /apply_chunk/);
    const working = ended(applyOver(world, file, gate));
    await gate.reached;
    expect((await release(file)).status).toBe(202);
    gate.letGo();
    expect(await working).toEqual({ value: { done: "applied" } });
    expect(api.messages).toEqual([]);
    expect(await exactState(world, feed)).toEqual(expected);
  });
});

describe("a held file opened again", () => {
  it("is left alone by an old message to apply, which waits for the decision, until it is read again", async () => {
    const { feed, file } = await secondToCome(world);
    await forceIn(world.database, "UPDATE files SET state = 'held', failure = $2 WHERE id = $1", [
      file.id,
      JSON.stringify(report("format-unconfirmed", { questions: 0 })),
    ]);
    await holder.query("BEGIN");
    await holder.query("SELECT reopen_files($1, '{format-unconfirmed}', 'operator')", [feed.feedId]);
    const old = ended(world.apply(file));
    await blockedBy(world.database, holder);
    await holder.query("COMMIT");
    expect(await old).toEqual({ value: { done: "already" } });
    expect(await stateOf(file)).toEqual({ state: "parsing", code: null });
    await world.parse(file.id, "v1", SECOND);
    expect(await world.apply(file)).toEqual({ done: "applied" });
    expect(await exactState(world, feed)).toEqual(expected);
  });
});

describe("a copy of the message is parked while another one is at work", () => {
  const log = jsonLog(
    () => new Date(0),
    () => undefined,
  );
  let letters = 0;
  /** What the consumer of the dead-letter queue does with the letter of this file. */
  const park = ({ message }: TestFile) => {
    letters++;
    const body = {
      stage: "apply",
      messageId: `letter-${letters}`,
      message,
      failure: report("chunk-missing", { key: "x" }),
      attempts: 8,
    };
    const incoming = { id: `dlq-${letters}`, body, attempts: 1, ack: () => undefined, retry: () => undefined };
    const again = async () => undefined;
    return keepDeadLetters("apply", [incoming], { database: world.database, again, random: () => 0, log });
  };

  it.each(["plan_chunk", "apply_chunk", "close_file"])(
    "before its %s: the file ends in one state that says so, and nothing written is lost or doubled",
    async (statement) => {
      const { feed, file } = await secondToCome(world);
      const gate = held(world.database, new RegExp(statement));
      const working = ended(applyOver(world, file, gate));
      await gate.reached;
      await park(file);
      gate.letGo();
      const end = await working;
      const { state } = await stateOf(file);
      // Given up while it was at work, so that it ends without it; or applied after all.
      expect([
        [{ code: "lease-lost" }, "dead"],
        [{ value: { done: "applied" } }, "applied"],
      ]).toContainEqual([end, state]);
      expect((await exactState(world, feed)).lease).toBeNull();
      if (state === "dead") {
        expect(await world.apply(file)).toEqual({ done: "already" });
        await world.database.query("UPDATE files SET state = 'parsed', failure = NULL WHERE id = $1", [file.id]);
        expect(await world.apply(file)).toEqual({ done: "applied" });
      }
      expect(await exactState(world, feed)).toEqual(expected);
    },
  );

  it("after it is done: the file stays applied", async () => {
    const { feed, file } = await secondToCome(world);
    await world.apply(file);
    await park(file);
    expect(await exactState(world, feed)).toEqual(expected);
  });

  it("before its hold_file: it does not become held behind the operator's back", async () => {
    const { file } = await secondToCome(world);
    await unbalance(file, 1);
    const gate = held(world.database, /hold_file/);
    const working = ended(applyOver(world, file, gate));
    await gate.reached;
    await park(file);
    gate.letGo();
    const end = await working;
    expect([
      [{ code: "lease-lost" }, { state: "dead", code: "chunk-missing" }],
      [{ value: { done: "held" } }, { state: "held", code: "books-unbalanced" }],
    ]).toContainEqual([end, await stateOf(file)]);
    const next = await world.file(file.feed, 2, FIRST);
    expect(await world.apply(next)).toEqual({ done: "applied" });
  });
});
