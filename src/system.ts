/**
 * The composition root: mail, HTTP, queues and cron come in here, and here alone the stages are given what they need. No
 * decision is made in this file.
 */

import { drizzle } from "drizzle-orm/neon-http";
import { createApi } from "./api/app.ts";
import { apply, driftDepsOf } from "./applying.ts";
import { onCron } from "./cron.ts";
import type { Adapter } from "./domain/adapter.ts";
import { failure } from "./domain/failures.ts";
import { APPLY_DLQ, APPLY_LARGE_QUEUE, APPLY_QUEUE, PARSE_DLQ } from "./domain/keys.ts";
import { readEnv } from "./env.ts";
import { readLink } from "./gate/link.ts";
import type { HoldsDeps } from "./holds/deps.ts";
import { holdsDue } from "./holds/due.ts";
import { holdTables } from "./holds/tables.ts";
import type { IntakeDeps } from "./intake/deps.ts";
import { type IncomingMail, receiveMail, receiveUpload } from "./intake/handler.ts";
import { composeMessage } from "./notify/compose.ts";
import type { DriftReport } from "./parse/drift-report.ts";
import { proposeAgain } from "./parse/propose-again.ts";
import { payloadAt } from "./parse/stored-payload.ts";
import { parse, parseAgain, parseDeps, replayDepsOf } from "./parsing.ts";
import { type Database, neonSql, postgres } from "./platform/postgres.ts";
import { sendTo } from "./platform/queues.ts";
import { archiveRaw, headOf, objectSource } from "./platform/r2.ts";
import { type ConsumeDeps, consume, type Incoming } from "./queues/consume.ts";
import { keepDeadLetters } from "./queues/dead-letters.ts";
import { watchGrowth } from "./queues/growth.ts";
import { troubleOn } from "./queues/trouble.ts";
import { carryOn } from "./reconcile/carry-on.ts";
import { driftDoor } from "./reconciling.ts";
import type { RedriveDeps } from "./redrive/deps.ts";
import { redriveFixed } from "./redrive/redrive.ts";
import { redriveTables } from "./redrive/tables.ts";
import { advanceAll, goOn } from "./replay/advance.ts";
import { backfillDoor } from "./replaying.ts";
import { restoreDeps } from "./restoring.ts";
import {
  adapterOf,
  archived,
  contactOf,
  customersOf,
  databaseOptions,
  enqueueApply,
  enqueueParse,
  real,
  type Surroundings,
  type System,
} from "./surroundings.ts";
import { tellPeople } from "./telling.ts";

/** Shown by the health route; bumped with CHANGELOG.md. */
const VERSION = "0.1.0";

const intakeDeps = (config: System): IntakeDeps => ({
  archive: (key, bytes, facts) => archiveRaw(config.store, key, bytes, facts),
  enqueueParse: enqueueParse(config),
  now: config.now,
  log: config.log,
});

const redriveDeps = (feeds: readonly Adapter[], config: System, database: Database): RedriveDeps => ({
  tables: redriveTables(database),
  knows: (customer, feed) => feeds.some((f) => f.customer === customer && (feed === undefined || f.feed === feed)),
  enqueue: (message) =>
    message.type === "parse-delivery" ? enqueueParse(config)(message) : enqueueApply(config)(message),
  async decided() {
    for (const stage of ["parse", "apply"] as const) await watchGrowth({ database, log: config.log }, stage);
  },
  log: config.log,
});

const holdsDeps = (config: System, database: Database): HoldsDeps => ({
  tables: holdTables(database),
  enqueueApply: enqueueApply(config),
  now: config.now,
  log: config.log,
});

/** The consumer of one queue, by its name. */
function consumerOf(
  feeds: readonly Adapter[],
  queue: string,
  config: System,
): (messages: readonly Incoming[]) => Promise<void> {
  const { now, random, log } = config;
  const database = postgres(config.databaseUrl, databaseOptions(config));
  const keeping = (letters: Queue) => ({
    database,
    again: (letter: unknown, delaySeconds: number) => sendTo(letters, letter, delaySeconds),
    random,
    log,
  });
  if (queue === PARSE_DLQ) return (messages) => keepDeadLetters("parse", messages, keeping(config.parseDlq));
  if (queue === APPLY_DLQ) return (messages) => keepDeadLetters("apply", messages, keeping(config.applyDlq));
  const stage = queue === APPLY_QUEUE || queue === APPLY_LARGE_QUEUE ? "apply" : "parse";
  const deps: ConsumeDeps = {
    stage,
    async handle(message) {
      const { type, replay } = message;
      if (type === "apply-file") await apply(message, feeds, config, database);
      else if (replay === undefined) await parse(message, feeds, config, database);
      else await parseAgain({ ...message, replay }, feeds, config, database);
      if (replay !== undefined) await goOn(replay, replayDepsOf(feeds, config, database));
    },
    async defer(message, delaySeconds) {
      const to =
        message.type === "parse-delivery" ? config.parseQueue(message.customer) : config.applyQueue(message.rows);
      await sendTo(to, message, delaySeconds);
    },
    async park(letter) {
      await sendTo(stage === "parse" ? config.parseDlq : config.applyDlq, letter);
    },
    noteTrouble: troubleOn(database),
    now,
    random,
    log,
  };
  return (messages) => consume(messages, deps);
}

/** The Worker of a deployment with these feeds. */
export const systemOf = (feeds: readonly Adapter[], surroundings: Surroundings = real) => {
  const { now, log } = surroundings;
  const systemIn = (env: unknown): System => ({ ...readEnv(env), ...surroundings });
  return {
    async email(message, env) {
      const config = systemIn(env);
      const mail: IncomingMail = {
        envelopeFrom: message.from,
        envelopeTo: message.to,
        rawBytes: message.rawSize,
        raw: message.raw,
      };
      const outcome = await receiveMail(mail, { feeds, ...config }, intakeDeps(config));
      if (!outcome.accepted) message.setReject(`${outcome.reject.sentence} ${outcome.reject.hint}`);
    },

    async fetch(request, env, context) {
      const config = systemIn(env);
      const database = postgres(config.databaseUrl, databaseOptions(config));
      const api = createApi({
        db: drizzle(neonSql(config.databaseUrl, databaseOptions(config))),
        now,
        log,
        enqueueParse: enqueueParse(config),
        enqueueApply: enqueueApply(config),
        admission: config.admission,
        adapterOf: (customer, feed) => feeds.find((f) => f.customer === customer && f.feed === feed),
        propose: ({ customer, feed, active, ...file }, answers) =>
          proposeAgain(
            adapterOf(feeds, customer, feed),
            { active, asked: true },
            { ...file, driftReport: file.driftReport as DriftReport | null },
            answers,
            parseDeps(feeds, config, database),
          ),
        async openRaw(key) {
          const head = await headOf(config.store, key);
          if (!head) throw failure("raw-missing", { key });
          return { bytes: head.bytes, blocks: objectSource(config.store, key, head.bytes).blocks(0, head.bytes) };
        },
        redrive: redriveDeps(feeds, config, database),
        replay: replayDepsOf(feeds, config, database),
        backfill: backfillDoor(config),
        drift: driftDoor(driftDepsOf(feeds, config, database)),
        restore: restoreDeps({ ...config, database, enqueueApply: enqueueApply(config) }),
        holds: holdsDeps(config, database),
        readHoldLink: (token) => readLink(token, config.addressSecret, now().getTime()),
        openPayload: (place) => payloadAt(place, parseDeps(feeds, config, database)),
        async intakeUpload(upload) {
          const feed = feeds.find((f) => f.customer === upload.customer && f.feed === upload.feed);
          if (!feed) throw failure("unknown-feed", { customer: upload.customer, feed: upload.feed });
          const key = upload.idempotencyKey ?? surroundings.uuid();
          return receiveUpload({ ...upload, feed, key }, intakeDeps(config));
        },
        version: VERSION,
      });
      return api.fetch(request, env, context);
    },

    async queue(batch, env) {
      await consumerOf(feeds, batch.queue, systemIn(env))(batch.messages);
    },

    async scheduled(event, env) {
      const config = systemIn(env);
      const database = postgres(config.databaseUrl, databaseOptions(config));
      await onCron(event.cron, new Date(event.scheduledTime), {
        ...surroundings,
        customers: customersOf(feeds),
        database,
        store: config.store,
        feedOf: async (key) => (await archived(config, key)).facts.feed,
        enqueueParse: enqueueParse(config),
        enqueueApply: enqueueApply(config),
        feeds,
        carryOnDrift: () => carryOn(driftDepsOf(feeds, config, database)),
        goOnWithReplays: () => advanceAll(replayDepsOf(feeds, config, database)),
        redriveFixed: (due) => redriveFixed(redriveDeps(feeds, config, database), due),
        holdsDue: () =>
          holdsDue({
            ...holdsDeps(config, database),
            compose: composeMessage,
            contactOf: (customer, feed) => contactOf(feeds, customer, feed),
            publicUrl: config.publicUrl,
            secret: config.addressSecret,
          }),
        tellPeople: () => tellPeople(config, database, feeds, customersOf(feeds)),
      });
    },
  } satisfies ExportedHandler;
};
