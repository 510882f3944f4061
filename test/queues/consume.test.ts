import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { queueEntries } from "../../cli/commands/customer.ts";
import { FAILURES, Failure, type FailureCode, type FailureReport, failure } from "../../src/domain/failures.ts";
import { parseDeliveryMessage, type StageMessage } from "../../src/domain/messages.ts";
import {
  BACKOFF_CAP_SECONDS,
  backoffSeconds,
  MAX_DELAY_SECONDS,
  QUEUE_TROUBLE_CAP_SECONDS,
} from "../../src/queues/backoff.ts";
import { consume, MAX_ATTEMPTS, MAX_WAIT_DAYS, type Stage } from "../../src/queues/consume.ts";
import { body, failing, incoming, NOW, shell } from "./shell.ts";

const daysAgo = (days: number) => new Date(NOW.getTime() - days * 86_400_000).toISOString();
const waitedSince = (since: string, times = 40) => ({ ...body, waited: { times, since } });
const down = failure("database-unavailable", { reason: "down" });
const busy = failure("feed-busy", { file: "7", activeFile: "6" });
const notYet = (seconds: number) =>
  failure("not-admitted-yet", { file: "7", atMs: NOW.getTime() + seconds * 1_000, because: "its turn comes" });

describe("the queue shell", () => {
  it("acks what is done", async () => {
    const { seen, deps } = shell();
    const message = incoming();
    await consume([message], deps);
    expect([message.end, seen.deferred, seen.parked, seen.noted]).toEqual(["acked", [], [], []]);
  });

  it("hands the stage the message in the shape of today", async () => {
    const got: StageMessage[] = [];
    const { deps } = shell({
      handle: async (message) => {
        got.push(message);
      },
    });
    const { rows: _, ...old } = body;
    await consume([incoming({ ...old, v: 1, deferrals: 2 })], deps);
    expect(got).toEqual([{ ...old, waited: { times: 2, since: NOW.toISOString() } }]);
  });

  it("writes the correlation id into every line", async () => {
    const { seen, deps } = shell(failing(new Error("boom")));
    await consume([incoming()], deps);
    expect(seen.lines.map((line) => line.correlationId)).toEqual([body.correlationId]);
  });
});

describe("what waits for something outside", () => {
  const outside: [FailureCode, Failure][] = [
    ["database-unavailable", down],
    ["storage-unavailable", failure("storage-unavailable", { reason: "down" })],
    ["queue-unavailable", failure("queue-unavailable", { reason: "down" })],
    ["admission-unavailable", failure("admission-unavailable", { reason: "down" })],
    ["not-admitted-yet", notYet(7)],
    ["feed-busy", busy],
  ];

  it.each(outside)(
    "%s puts it off by a delayed copy and spends no attempt, however many there were",
    async (_, thrown) => {
      const { seen, deps } = shell(failing(thrown));
      const message = incoming(waitedSince(daysAgo(1)), MAX_ATTEMPTS.apply.passing + 5);
      await consume([message], deps);
      expect([message.end, seen.parked]).toEqual(["acked", []]);
      expect(seen.deferred.map((d) => d.message)).toEqual([waitedSince(daysAgo(1), 41)]);
      expect(seen.deferred[0]!.delay).toBeLessThanOrEqual(BACKOFF_CAP_SECONDS);
    },
  );

  it("says since when from its first time on", async () => {
    const { seen, deps } = shell(failing(down));
    await consume([incoming()], deps);
    expect(seen.deferred[0]!.message).toEqual({ ...body, waited: { times: 1, since: NOW.toISOString() } });
  });

  it.each(outside.filter(([code]) => code !== "feed-busy"))(
    "%s for longer than a queue keeps messages leaves it to the sweep: no dead letter, no copy, one line",
    async (_, thrown) => {
      const { seen, deps } = shell(failing(thrown));
      const message = incoming(waitedSince(daysAgo(MAX_WAIT_DAYS)), 1);
      await consume([message], deps);
      expect([message.end, seen.deferred, seen.parked]).toEqual(["acked", [], []]);
      expect(seen.lines.map((line) => [line.event, line.since])).toEqual([["message-left-to-sweep", daysAgo(4)]]);
    },
  );

  it("feed-busy for that long is put before a human", async () => {
    const { seen, deps } = shell(failing(busy));
    const message = incoming(waitedSince(daysAgo(MAX_WAIT_DAYS)), 1);
    await consume([message], deps);
    expect([message.end, seen.deferred, seen.parked.map((l) => l.failure.code)]).toEqual(["acked", [], ["feed-busy"]]);
  });

  it("a moment before that still waits", async () => {
    const { seen, deps } = shell(failing(busy));
    await consume([incoming(waitedSince(new Date(Date.parse(daysAgo(MAX_WAIT_DAYS)) + 1).toISOString()))], deps);
    expect([seen.deferred.length, seen.parked]).toEqual([1, []]);
  });

  it.each([
    ["at that very moment", 90, 90],
    ["not a moment too early", 89.2, 90],
    ["soon where the moment is now", 0, 1],
    ["soon where the moment is over", -50, 1],
    ["in steps where it is further than a queue can delay", 10 * 86_400, MAX_DELAY_SECONDS],
  ])("a file that is told its time comes again %s", async (_, seconds, delay) => {
    const { seen, deps } = shell(failing(notYet(seconds)));
    await consume([incoming()], deps);
    expect(seen.deferred.map((d) => d.delay)).toEqual([delay]);
  });
});

describe("what is tried again", () => {
  const passing = failure("database-conflict", { sqlstate: "40001" });
  const fault = new TypeError("x is undefined");
  const limits = (["parse", "apply"] as const).flatMap((stage): [string, Stage, unknown, number][] => [
    ["trouble that passes", stage, passing, MAX_ATTEMPTS[stage].passing],
    ["a fault of ours", stage, fault, MAX_ATTEMPTS[stage].fault],
  ]);
  const bodies = {
    parse: parseDeliveryMessage({
      customer: "acme",
      feed: "inventory",
      correlationId: "a".repeat(32),
      rawKey: "raw/x",
    }),
    apply: body,
  };

  it.each(limits)(
    "%s in %s comes back with backoff until its attempts are used up, then is parked",
    async (_, stage, thrown, limit) => {
      expect(limit).toBeGreaterThan(1);
      const { seen, deps } = shell({ stage, ...failing(thrown) });
      const tries = Array.from({ length: limit }, (_, i) => incoming(bodies[stage], i + 1));
      for (const message of tries) await consume([message], deps);
      const delays = tries.slice(0, -1).map((_, i) => ({ retriedAfter: backoffSeconds(i + 1, 0.5) }));
      expect(tries.map((message) => message.end)).toEqual([...delays, "acked"]);
      expect(seen.parked).toMatchObject([{ stage, messageId: "m1", message: bodies[stage], attempts: limit }]);
      expect(seen.deferred).toEqual([]);
    },
  );

  it.each<FailureCode>(["database-refused", "chunk-missing", "file-empty", "format-drift"])(
    "%s is not: the first attempt parks it, with the message and the reason",
    async (code) => {
      const report: FailureReport = { ...FAILURES[code], code, sentence: "no", hint: "no", evidence: {} };
      const { seen, deps } = shell(failing(new Failure(report)));
      const message = incoming();
      await consume([message], deps);
      expect(message.end).toBe("acked");
      expect(seen.parked).toMatchObject([{ stage: "apply", messageId: "m1", message: body, failure: { code } }]);
    },
  );
});

describe("the row of a message that comes again", () => {
  it("says what went wrong and when the next attempt is due", async () => {
    const thrown = failure("database-conflict", { sqlstate: "40001" });
    const { seen, deps } = shell(failing(thrown));
    const message = incoming();
    await consume([message], deps);
    expect(message.end).toEqual({ retriedAfter: 2 });
    expect(seen.noted).toEqual([{ message: body, failure: thrown.report, nextAttemptAt: "2026-11-20T06:00:02.000Z" }]);
  });

  it("says so for a feed that is busy, and for a turn that is minutes away", async () => {
    for (const thrown of [busy, notYet(90)]) {
      const { seen, deps } = shell(failing(thrown));
      await consume([incoming()], deps);
      const at = new Date(NOW.getTime() + seen.deferred[0]!.delay * 1_000).toISOString();
      expect(seen.noted).toEqual([{ message: body, failure: thrown.report, nextAttemptAt: at }]);
    }
  });

  it("is not asked while the database is away, nor for a turn that comes at once", async () => {
    for (const thrown of [down, notYet(89)]) {
      const { seen, deps } = shell(failing(thrown));
      await consume([incoming()], deps);
      expect([seen.deferred.length, seen.noted]).toEqual([1, []]);
    }
  });

  it.each([
    ["the copy is in the queue", busy, "acked"],
    ["the message is back in it", failure("lease-lost", { file: "7" }), { retriedAfter: 2 }],
  ])("is written when %s: trouble with it is said and changes nothing", async (_, thrown, end) => {
    const { seen, deps } = shell({
      ...failing(thrown),
      noteTrouble: async () => {
        throw down;
      },
    });
    const messages = [incoming(body, 1, "m1"), incoming(body, 1, "m2")];
    await consume(messages, deps);
    expect(messages.map((message) => message.end)).toEqual([end, end]);
    expect(seen.lines.filter((line) => line.event === "trouble-not-noted")).toHaveLength(2);
  });

  it("is left alone where the message did not come back to the queue", async () => {
    const { seen, deps } = shell({
      ...failing(busy),
      defer: async () => {
        throw new Error("queue down");
      },
    });
    await consume([incoming()], deps);
    expect(seen.noted).toEqual([]);
  });
});

describe("poison", () => {
  /** Brings what was put back again, as a queue does, until nothing comes back. Answers the attempts of each message. */
  async function drain(bodies: readonly unknown[], deps: Parameters<typeof consume>[1]) {
    let waiting = bodies.map((content, i) => ({ content, id: `m${i}`, attempts: 1 }));
    const attempts: Record<string, number> = {};
    while (waiting.length > 0) {
      const batch = waiting.map(({ content, attempts, id }) => incoming(content, attempts, id));
      await consume(batch, deps);
      for (const message of batch) attempts[message.id] = message.attempts;
      waiting = batch.flatMap(({ end, body: content, attempts: n, id }) =>
        typeof end === "object" ? [{ content, id, attempts: n + 1 }] : [],
      );
    }
    return attempts;
  }

  it("of every kind is parked alone within its limit, while the rest of the batch is done at the first attempt", async () => {
    const done: string[] = [];
    const { seen, deps } = shell({
      async handle(message) {
        const { fileId } = message as typeof body;
        if (fileId === "1") throw new TypeError("x is undefined");
        if (fileId === "2") throw failure("database-refused", { sqlstate: "22P02", message: "no" });
        if (fileId === "3") throw failure("database-conflict", { sqlstate: "40001" });
        done.push(fileId);
      },
    });
    const file = (fileId: string) => ({ ...body, fileId });
    const bodies = [file("1"), { v: 9 }, file("2"), file("10"), "hello", file("3"), file("11")];
    const attempts = await drain(bodies, deps);
    expect(done).toEqual(["10", "11"]);
    const { fault, passing } = MAX_ATTEMPTS.apply;
    expect(attempts).toEqual({ m0: fault, m1: 1, m2: 1, m3: 1, m4: 1, m5: passing, m6: 1 });
    expect(seen.parked.map((l) => [l.messageId, l.failure.code]).sort()).toEqual([
      ["m0", "internal-error"],
      ["m1", "message-unreadable"],
      ["m2", "database-refused"],
      ["m4", "message-unreadable"],
      ["m5", "database-conflict"],
    ]);
  });

  it("that came into the wrong queue is parked, not read by a stage that is not its own", async () => {
    const { seen, deps } = shell({ stage: "parse" });
    await consume([incoming(body)], deps);
    expect(seen.parked.map((l) => l.failure.sentence)).toEqual([
      "A queue message cannot be read: “apply-file” is not for parse.",
    ]);
  });

  it.each([
    ["a text", "no"],
    ["nothing", undefined],
    ["an object without a prototype", Object.create(null)],
  ])("that throws %s is a fault of ours like any other", async (_, thrown) => {
    const { seen, deps } = shell(failing(thrown));
    await drain([body], deps);
    expect(seen.parked.map((l) => l.failure.code)).toEqual(["internal-error"]);
  });

  it("never throws out of a batch, and decides each message once, whatever fails", async () => {
    const codes = Object.keys(FAILURES) as FailureCode[];
    const thrown = fc.oneof(
      fc.constant(undefined),
      fc.constant(new Error("boom")),
      fc.constantFrom(...codes).map((code) => {
        const report: FailureReport = { ...FAILURES[code], code, sentence: code, hint: code, evidence: {} };
        return new Failure(report);
      }),
    );
    const flaky = fc.boolean();
    const bodies = fc.oneof(fc.constant<unknown>(body), fc.anything(), fc.constant(waitedSince(daysAgo(5))));
    const run = fc.record({ thrown, body: bodies, attempts: fc.integer({ min: 1, max: 40 }), flaky });
    await fc.assert(
      fc.asyncProperty(fc.array(run, { maxLength: 5 }), async (runs) => {
        let at = -1;
        const mayFail = async () => {
          if (runs[at]!.flaky) throw new Error("queue down");
        };
        const { deps } = shell({
          async handle() {
            if (runs[at]!.thrown !== undefined) throw runs[at]!.thrown;
          },
          defer: mayFail,
          park: mayFail,
          noteTrouble: mayFail,
        });
        const messages = runs.map((one, i) => incoming(one.body, one.attempts, String(i)));
        for (const message of messages) {
          at++;
          await consume([message], deps);
        }
        for (const message of messages) expect(message.end).toBeDefined();
      }),
    );
  });
});

describe("a queue that takes no message", () => {
  const away = {
    defer: async () => {
      throw failure("queue-unavailable", { reason: "down" });
    },
    park: async () => {
      throw failure("queue-unavailable", { reason: "down" });
    },
  };

  it.each<[string, unknown]>([
    ["waits", down],
    ["is to be parked", failure("database-refused", { sqlstate: "22P02", message: "no" })],
  ])("keeps what %s, and the next message is handled", async (_, thrown) => {
    const { deps } = shell({ ...failing(thrown), ...away });
    const messages = [incoming(body, 3, "m1"), incoming(body, 3, "m2")];
    await consume(messages, deps);
    expect(messages.map((message) => message.end)).toEqual([{ retriedAfter: 8 }, { retriedAfter: 8 }]);
  });

  it("is asked less and less often, so that the attempts of the platform last", async () => {
    const { deps } = shell({ ...failing(down), ...away });
    const message = incoming(body, 30);
    await consume([message], deps);
    expect(message.end).toEqual({ retriedAfter: QUEUE_TROUBLE_CAP_SECONDS / 2 });
  });

  it("is tried again for as long as it keeps the message, on average, within the attempts of the platform", () => {
    const configured = `${readFileSync(join(import.meta.dirname, "../../wrangler.toml"), "utf8")}${queueEntries("newcomer")}`;
    const consumers = configured.split("[[queues.consumers]]").slice(1);
    const stages = consumers.filter((consumer) => consumer.includes("dead_letter_queue"));
    expect(stages.length).toBeGreaterThan(3);
    for (const consumer of stages) {
      const tries = Number(/max_retries = (\d+)/.exec(consumer)?.[1]);
      const seconds = Array.from({ length: tries }, (_, i) => backoffSeconds(i + 1, 0.5, QUEUE_TROUBLE_CAP_SECONDS));
      expect(seconds.reduce((sum, one) => sum + one, 0)).toBeGreaterThan(MAX_WAIT_DAYS * 86_400);
    }
    expect(QUEUE_TROUBLE_CAP_SECONDS).toBeLessThanOrEqual(MAX_DELAY_SECONDS);
  });
});

describe("messages of yesterday and today", () => {
  const folder = join(import.meta.dirname, "../golden/messages");
  const golden = globSync("v*/*.json", { cwd: folder }).sort();

  it.each(golden)("%s is handled by the consumer of today", async (path) => {
    const message = JSON.parse(readFileSync(join(folder, path), "utf8"));
    const handled: StageMessage[] = [];
    const { seen, deps } = shell({
      stage: basename(path).startsWith("parse") ? "parse" : "apply",
      handle: async (one) => {
        handled.push(one);
      },
    });
    const one = incoming(message);
    await consume([one], deps);
    expect([one.end, seen.parked]).toEqual(["acked", []]);
    expect(handled).toMatchObject([{ v: 2, type: message.type, correlationId: message.correlationId }]);
  });

  it("one to come is parked whole, not dropped", async () => {
    const { seen, deps } = shell();
    const tomorrow = { ...body, v: 3, shards: 4 };
    const message = incoming(tomorrow);
    await consume([message], deps);
    expect(message.end).toBe("acked");
    expect(seen.parked).toMatchObject([{ message: tomorrow, failure: { code: "message-unreadable" } }]);
    expect(seen.parked[0]!.failure.sentence).toContain("expected 2");
  });
});

describe("the backoff", () => {
  it("grows, is capped and never zero", () => {
    expect(backoffSeconds(0, 0)).toBe(1);
    expect(backoffSeconds(3, 0.999)).toBe(16);
    expect(backoffSeconds(500, 0.999)).toBe(BACKOFF_CAP_SECONDS);
    expect(backoffSeconds(500, 0.999, QUEUE_TROUBLE_CAP_SECONDS)).toBe(25_175);
  });
});
