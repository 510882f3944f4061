/** The queue shell with a fake queue around it. Fakes keep the platform's rules: one decision a message, bounded delays. */
import type { FailureReport } from "../../src/domain/failures.ts";
import { applyFileMessage, type StageMessage } from "../../src/domain/messages.ts";
import { jsonLog } from "../../src/observe/log.ts";
import { MAX_DELAY_SECONDS } from "../../src/queues/backoff.ts";
import type { ConsumeDeps, DeadLetter, Incoming } from "../../src/queues/consume.ts";

export const NOW = new Date("2026-11-20T06:00:00.000Z");
export const body = applyFileMessage({
  customer: "acme",
  feed: "inventory",
  correlationId: "a".repeat(32),
  fileId: "7",
  rows: 100,
});

/** What became of a message, in the order of the batch. */
export type End = "acked" | { readonly retriedAfter: number } | undefined;

/** An incoming message that remembers its end. The platform keeps the last of several decisions; we want exactly one. */
export function incoming(content: unknown = body, attempts = 1, id = "m1"): Incoming & { readonly end: End } {
  let end: End;
  const decide = (decision: End) => {
    if (end !== undefined) throw new Error(`message ${id} was decided twice`);
    end = decision;
  };
  return {
    id,
    body: content,
    attempts,
    ack: () => decide("acked"),
    retry(options) {
      const delaySeconds = options?.delaySeconds;
      if (delaySeconds === undefined || !Number.isInteger(delaySeconds) || delaySeconds < 0)
        throw new Error("no delay");
      if (delaySeconds > MAX_DELAY_SECONDS) throw new Error("longer than a queue can delay");
      decide({ retriedAfter: delaySeconds });
    },
    get end() {
      return end;
    },
  };
}

export interface Noted {
  readonly message: StageMessage;
  readonly failure: FailureReport;
  readonly nextAttemptAt: string;
}

export function shell(over: Partial<ConsumeDeps> = {}) {
  const seen = {
    deferred: [] as { message: StageMessage; delay: number }[],
    parked: [] as DeadLetter[],
    noted: [] as Noted[],
    lines: [] as { event: string; level: string; [field: string]: unknown }[],
  };
  const deps: ConsumeDeps = {
    stage: "apply",
    handle: async () => undefined,
    async defer(message, delay) {
      if (!Number.isInteger(delay) || delay < 0 || delay > MAX_DELAY_SECONDS) throw new Error(`delay ${delay}`);
      seen.deferred.push({ message, delay });
    },
    park: async (letter) => {
      seen.parked.push(letter);
    },
    noteTrouble: async (message, failure, at) => {
      seen.noted.push({ message, failure, nextAttemptAt: at.toISOString() });
    },
    now: () => NOW,
    random: () => 0.5,
    log: jsonLog(
      () => NOW,
      (_, line) => seen.lines.push(JSON.parse(line)),
    ),
    ...over,
  };
  return { seen, deps };
}

export const failing = (thrown: unknown): Pick<ConsumeDeps, "handle"> => ({
  handle: async () => {
    throw thrown;
  },
});
