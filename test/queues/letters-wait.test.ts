import { describe, expect, it } from "vitest";
import { failure } from "../../src/domain/failures.ts";
import { jsonLog } from "../../src/observe/log.ts";
import type { Database } from "../../src/platform/postgres.ts";
import { BACKOFF_CAP_SECONDS, backoffSeconds, QUEUE_TROUBLE_CAP_SECONDS } from "../../src/queues/backoff.ts";
import { type KeepDeps, keepDeadLetters } from "../../src/queues/dead-letters.ts";
import { body, incoming, NOW } from "./shell.ts";

const letter = {
  stage: "apply",
  messageId: "m1",
  message: body,
  failure: failure("database-refused", { sqlstate: "22P02", message: "no" }).report,
  attempts: 1,
};

function outage(over: Partial<KeepDeps> = {}) {
  const away = () => Promise.reject(failure("database-unavailable", { reason: "down" }));
  const sent: { letter: unknown; delay: number }[] = [];
  const deps: KeepDeps = {
    database: { query: away, transaction: away } satisfies Database,
    again: async (again, delay) => void sent.push({ letter: again, delay }),
    random: () => 0.5,
    log: jsonLog(
      () => NOW,
      () => undefined,
    ),
    ...over,
  };
  return { deps, sent };
}

describe("a dead letter while the database is away", () => {
  it("waits as a copy of itself and spends no attempt: behind its queue there is no other", async () => {
    const { deps, sent } = outage();
    const message = incoming(letter, 99);
    await keepDeadLetters("apply", [message], deps);
    expect(message.end).toBe("acked");
    expect(sent).toEqual([{ letter, delay: BACKOFF_CAP_SECONDS / 2 }]);
  });

  it("that the platform moved here keeps the id of its message, so that its row is still one", async () => {
    const { deps, sent } = outage();
    await keepDeadLetters("apply", [incoming(body, 41, "platform-id")], deps);
    const [first] = sent;
    expect(first!.letter).toMatchObject({
      messageId: "platform-id",
      message: body,
      failure: { code: "internal-error" },
    });
    await keepDeadLetters("apply", [incoming(first!.letter, 1, "another-id")], deps);
    expect(sent[1]!.letter).toEqual(first!.letter);
  });

  it("stays in its queue where that takes no copy either, and the next letter is looked at", async () => {
    const { deps } = outage({ again: () => Promise.reject(new Error("queue down")) });
    const messages = [incoming(letter, 7, "a"), incoming(letter, 7, "b")];
    await keepDeadLetters("apply", messages, deps);
    const end = { retriedAfter: backoffSeconds(7, 0.5, QUEUE_TROUBLE_CAP_SECONDS) };
    expect(messages.map((message) => message.end)).toEqual([end, end]);
  });
});
