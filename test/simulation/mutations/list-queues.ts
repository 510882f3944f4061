/** Queues, dead letters, sweep and admission: nothing is lost on the way, and nothing waits for ever. */
import type { Mutation } from "./mutation.ts";

const CONSUME = "src/queues/consume.ts";
const ADMISSION = "src/admission/admission.ts";
const LETTERS = "src/queues/dead-letters.ts";

export const QUEUES: readonly Mutation[] = [
  {
    name: "ack-before-the-work",
    breaks: "A message is gone before what it asks for is done.",
    edits: [
      {
        file: CONSUME,
        find: "    await deps.handle(message);\n    incoming.ack();",
        replace: "    incoming.ack();\n    await deps.handle(message);",
      },
    ],
  },
  {
    name: "acked-without-the-copy",
    breaks: "A message that has to wait is acked, and nothing else is in its queue.",
    edits: [
      {
        file: CONSUME,
        find: "      await deps.defer(putOff(message, now), delaySeconds);\n      incoming.ack();",
        replace: "      incoming.ack();",
      },
    ],
  },
  {
    name: "outage-spends-attempts",
    breaks: "An outage uses up the attempts of messages, and they become dead letters.",
    edits: [
      {
        file: CONSUME,
        find: "if (message && WAITING_CODES.includes(failed.code)) {",
        replace: "if (message && WAITING_CODES.includes(failed.code) && Number.isNaN(waited)) {",
      },
      {
        file: CONSUME,
        find: "  const now = deps.now();\n  if (message &&",
        replace: "  const now = deps.now();\n  const waited = Date.now();\n  if (message &&",
      },
    ],
  },
  {
    name: "timeout-is-a-refusal",
    breaks: "A database that does not answer counts as one that says no.",
    edits: [
      {
        file: "src/platform/postgres.ts",
        find: '  return failure("database-unavailable", { reason: safe(wordsOf(thrown)) }, thrown);',
        replace: '  return failure("database-refused", { sqlstate: "none", message: safe(wordsOf(thrown)) }, thrown);',
      },
    ],
  },
  {
    name: "letter-without-its-row",
    breaks: "What a dead letter is about is not marked as dead, and wakes for ever.",
    edits: [
      {
        file: LETTERS,
        find: "WHERE id = $8::bigint AND state IN ('parsed', 'applying') AND EXISTS (SELECT FROM kept)",
        replace: "WHERE id = $8::bigint AND state = 'held' AND EXISTS (SELECT FROM kept)",
      },
    ],
  },
  {
    name: "redriven-without-its-row",
    breaks: "A dead letter is sent again, and what it is about stays dead.",
    edits: [
      {
        file: "src/redrive/tables.ts",
        find: "FROM taken t WHERE t.stage = 'apply' AND f.id = t.file_id AND f.state = 'dead'",
        replace: "FROM taken t WHERE t.stage = 'never' AND f.id = t.file_id AND f.state = 'dead'",
      },
    ],
  },
  {
    name: "lease-never-expires",
    breaks: "A consumer that died keeps its place at admission for ever.",
    edits: [
      {
        file: ADMISSION,
        find: "const untilMs = nowMs + LEASE_MS;\n  const freeRows",
        replace: "const untilMs = nowMs + 1_000_000 * LEASE_MS;\n  const freeRows",
      },
    ],
  },
  {
    name: "breaker-never-closes",
    breaks: "Once the database was away nobody is let in again.",
    edits: [
      {
        file: ADMISSION,
        find: 'if (probing || workedOffMs - burstMs > nowMs) return { ms: AWAY_FIRST_MS, because: "away" };',
        replace: 'if (free >= 0) return { ms: MAX_WAIT_MS, because: "away" };',
      },
    ],
  },
  {
    name: "archive-not-compared",
    breaks: "What was archived, and whose message no queue took, is never found.",
    edits: [
      {
        file: "src/sweep/archive.ts",
        find: "const old = objects.filter(({ uploadedAt }) => uploadedAt < since);",
        replace: "const old = objects.filter(() => Number.isNaN(since.getTime()));",
      },
    ],
  },
  {
    name: "reopened-files-not-woken",
    breaks: "The sweep wakes no files, so a duplicate that became news again is never applied.",
    edits: [
      {
        file: "src/sweep/tables.ts",
        find: "SELECT s.id FROM files s JOIN feeds f ON f.id = s.feed_id\n      WHERE s.state IN ('parsed', 'applying')",
        replace: "SELECT s.id FROM files s JOIN feeds f ON f.id = s.feed_id\n      WHERE s.state IN ('held')",
      },
    ],
  },
];
