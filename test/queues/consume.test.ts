import { describe, expect, it } from "vitest";
import { failure } from "../../src/domain/failures.ts";
import type { StageMessage } from "../../src/domain/messages.ts";
import { jsonLog } from "../../src/observe/log.ts";
import { BACKOFF_CAP_SECONDS, backoffSeconds } from "../../src/queues/backoff.ts";
import { type ConsumeDeps, consume, type DeadLetter, MAX_ATTEMPTS, MAX_DEFERRALS } from "../../src/queues/consume.ts";

const body = {
  v: 1 as const,
  type: "apply-file" as const,
  customer: "acme",
  feed: "inventory",
  correlationId: "a".repeat(32),
  fileId: "7",
};

function shell(over: Partial<ConsumeDeps> = {}) {
  const seen = {
    acked: 0,
    retried: [] as (number | undefined)[],
    deferred: [] as { message: StageMessage; delay: number }[],
    parked: [] as DeadLetter[],
    lines: [] as string[],
  };
  const deps: ConsumeDeps = {
    stage: "apply",
    handle: async () => undefined,
    defer: async (message, delay) => {
      seen.deferred.push({ message, delay });
    },
    park: async (letter) => {
      seen.parked.push(letter);
    },
    now: () => new Date("2026-11-20T06:00:00Z"),
    random: () => 0.5,
    log: jsonLog(
      () => new Date(0),
      (_, line) => seen.lines.push(line),
    ),
    ...over,
  };
  const message = (content: unknown = body, attempts = 1) => ({
    id: "m1",
    body: content,
    attempts,
    ack: () => {
      seen.acked++;
    },
    retry: (options?: { delaySeconds?: number }) => {
      seen.retried.push(options?.delaySeconds);
    },
  });
  return { seen, deps, message };
}

const failing = (thrown: unknown) => ({
  handle: async () => {
    throw thrown;
  },
});

describe("the queue shell", () => {
  it("acks what is done", async () => {
    const { seen, deps, message } = shell();
    await consume([message()], deps);
    expect([seen.acked, seen.retried, seen.parked]).toEqual([1, [], []]);
  });

  it.each([
    ["database-unavailable", failure("database-unavailable", { reason: "down" })],
    ["storage-unavailable", failure("storage-unavailable", { reason: "down" })],
    ["feed-busy", failure("feed-busy", { file: "7", activeFile: "6" })],
  ])("puts a message off by a delayed copy on %s and spends no attempt, however many there were", async (_, thrown) => {
    const { seen, deps, message } = shell(failing(thrown));
    await consume([message({ ...body, deferrals: 40 }, MAX_ATTEMPTS + 5)], deps);
    expect(seen.acked).toBe(1);
    expect(seen.retried).toEqual([]);
    expect(seen.deferred[0]!.message.waited?.times).toBe(41);
    expect(seen.deferred[0]!.delay).toBeLessThanOrEqual(BACKOFF_CAP_SECONDS);
  });

  it("does not wait without limit: the last deferral is followed by the dead letter", async () => {
    const { seen, deps, message } = shell(failing(failure("database-unavailable", { reason: "down" })));
    await consume([message({ ...body, deferrals: MAX_DEFERRALS }, MAX_ATTEMPTS)], deps);
    expect(seen.parked.map((l) => l.failure.code)).toEqual(["database-unavailable"]);
  });

  it("tries what may pass again with backoff, until the attempts are used up", async () => {
    const { seen, deps, message } = shell(failing(failure("database-conflict", { sqlstate: "40001" })));
    await consume([message(body, 1)], deps);
    expect([seen.acked, seen.retried.length, seen.parked.length]).toEqual([0, 1, 0]);
    await consume([message(body, MAX_ATTEMPTS)], deps);
    expect([seen.acked, seen.retried.length, seen.parked.length]).toEqual([1, 1, 1]);
  });

  it("parks what will not pass at once, with the message and the reason", async () => {
    const { seen, deps, message } = shell(failing(new TypeError("boom")));
    await consume([message()], deps);
    expect(seen.parked[0]).toMatchObject({
      stage: "apply",
      messageId: "m1",
      message: body,
      failure: { code: "internal-error" },
    });
    expect(seen.acked).toBe(1);
  });

  it("parks a message it cannot read and goes on with the next", async () => {
    const { seen, deps, message } = shell();
    await consume([message({ v: 9 }), message()], deps);
    expect([seen.parked.length, seen.acked]).toEqual([1, 2]);
  });

  it("never throws out of a batch, even when the queue itself is in trouble: the message stays", async () => {
    const { seen, deps, message } = shell({
      ...failing(failure("database-unavailable", { reason: "down" })),
      defer: async () => {
        throw new Error("queue down");
      },
    });
    await consume([message()], deps);
    expect([seen.acked, seen.retried.length]).toEqual([0, 1]);
  });

  it("writes the correlation id into every line", async () => {
    const { seen, deps, message } = shell(failing(new Error("boom")));
    await consume([message()], deps);
    expect(seen.lines.map((line) => JSON.parse(line).correlationId)).toEqual([body.correlationId]);
  });
});

describe("the backoff", () => {
  it("grows, is capped and never zero", () => {
    expect(backoffSeconds(0, 0)).toBe(1);
    expect(backoffSeconds(3, 0.999)).toBe(16);
    expect(backoffSeconds(500, 0.999)).toBe(BACKOFF_CAP_SECONDS);
  });
});
