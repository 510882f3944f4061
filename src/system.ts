/**
 * The composition root: mail, HTTP, queues and cron come in here, and here alone the stages are given what they need. No
 * decision is made in this file.
 */
import { drizzle } from "drizzle-orm/neon-http";
import { admitted } from "./admission/admitted.ts";
import { watched } from "./admission/watched.ts";
import { createApi } from "./api/app.ts";
import { neededBatches } from "./apply/batches.ts";
import { applyHandler } from "./apply/handler.ts";
import { onCron } from "./cron.ts";
import type { Adapter } from "./domain/adapter.ts";
import { type DeliveryFacts, factsFromMetadata } from "./domain/delivery.ts";
import { asFailure, failure } from "./domain/failures.ts";
import { APPLY_DLQ, APPLY_LARGE_QUEUE, APPLY_QUEUE, chunkKey, PARSE_DLQ } from "./domain/keys.ts";
import type { ApplyFile, ParseDelivery } from "./domain/messages.ts";
import type { FileToApply } from "./domain/plan.ts";
import { answerDelivery } from "./dry-run/answer.ts";
import { dryRunHandler } from "./dry-run/handler.ts";
import { answerDeps, dryRunDeps } from "./dry-running.ts";
import { type Config, readEnv } from "./env.ts";
import { gateFile } from "./gate/handler.ts";
import { readLink } from "./gate/link.ts";
import { gateDeps } from "./gating.ts";
import type { HoldsDeps } from "./holds/deps.ts";
import { holdsDue } from "./holds/due.ts";
import { holdTables } from "./holds/tables.ts";
import type { IntakeDeps } from "./intake/deps.ts";
import { type IncomingMail, receiveMail, receiveUpload } from "./intake/handler.ts";
import { composeMessage } from "./notify/compose.ts";
import { sendWaiting } from "./notify/send.ts";
import { notifyTables } from "./notify/tables.ts";
import { type AlertDeps, clearAlert, raiseAlert } from "./observe/alerts.ts";
import { jsonLog, type Log } from "./observe/log.ts";
import type { ParseDeps } from "./parse/deps.ts";
import type { DriftReport } from "./parse/drift-report.ts";
import { parseHandler } from "./parse/handler.ts";
import { proposeAgain } from "./parse/propose-again.ts";
import type { Replay } from "./parse/reading.ts";
import { payloadAt } from "./parse/stored-payload.ts";
import { parseTables } from "./parse/tables.ts";
import type { PlanDeps } from "./plan/deps.ts";
import { planFile } from "./plan/plan-file.ts";
import { sendMail } from "./platform/mail.ts";
import { type Database, neonSql, type PostgresOptions, patient, postgres } from "./platform/postgres.ts";
import { sendTo } from "./platform/queues.ts";
import { archiveRaw, getBytes, headOf, objectSource, putBytes } from "./platform/r2.ts";
import { type ConsumeDeps, consume, type Incoming } from "./queues/consume.ts";
import { keepDeadLetters } from "./queues/dead-letters.ts";
import { watchGrowth } from "./queues/growth.ts";
import { troubleOn } from "./queues/trouble.ts";
import { carryOn } from "./reconcile/carry-on.ts";
import { compareSnapshot } from "./reconcile/compare-file.ts";
import type { DriftDeps } from "./reconcile/deps.ts";
import { driftDeps, driftDoor } from "./reconciling.ts";
import type { RedriveDeps } from "./redrive/deps.ts";
import { redriveFixed } from "./redrive/redrive.ts";
import { redriveTables } from "./redrive/tables.ts";
import { advanceAll, goOn } from "./replay/advance.ts";
import type { ReplayDeps } from "./replay/deps.ts";
import { backfillDoor, readingOf, replayDeps } from "./replaying.ts";
import { RESTORE_CHECK, restoreStands } from "./restore/check.ts";
import { restoreTables } from "./restore/tables.ts";
import { restoreDeps } from "./restoring.ts";

/** Shown by the health route; bumped with CHANGELOG.md. */
const VERSION = "0.1.0";

/** Time, chance and the way to the database: what no stage takes for itself. The simulator brings its own. */
export interface Surroundings {
  now(): Date;
  /** In [0, 1). */
  random(): number;
  uuid(): string;
  sleep(ms: number): Promise<void>;
  readonly log: Log;
  /** Carries requests to the database. */
  readonly fetch?: typeof fetch;
  /** Rows written by one statement, where it is not to be as many as are best for the database. */
  readonly maxRows?: number;
}

const now = () => new Date();

const real: Surroundings = {
  now,
  random: () => Math.random(),
  uuid: () => crypto.randomUUID(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  log: jsonLog(now),
};

/** What one invocation works with. */
type System = Config & Surroundings;

const databaseOptions = ({ databaseEndpoint, fetch }: System): PostgresOptions => ({
  ...(databaseEndpoint === undefined ? {} : { fetchEndpoint: databaseEndpoint }),
  ...(fetch === undefined ? {} : { fetch }),
});

const enqueueParse = (config: System) => async (message: ParseDelivery) => {
  await sendTo(config.parseQueue(message.customer), message);
};
const enqueueApply = (config: System) => async (message: ApplyFile) => {
  await sendTo(config.applyQueue(message.rows), message);
};

const customersOf = (feeds: readonly Adapter[]): string[] => [...new Set(feeds.map((f) => f.customer))];

/** Throws `unknown-feed`. */
function adapterOf(feeds: readonly Adapter[], customer: string, feed: string): Adapter {
  const found = feeds.find((f) => f.customer === customer && f.feed === feed);
  if (found) return found;
  throw failure("unknown-feed", { customer, feed });
}

/** Who at the customer is told of the feed's files; undefined where the adapter names nobody. */
const contactOf = (feeds: readonly Adapter[], customer: string, feed: string): string | undefined =>
  feeds.find((f) => f.customer === customer && f.feed === feed)?.contact;

const intakeDeps = (config: System): IntakeDeps => ({
  archive: (key, bytes, facts) => archiveRaw(config.store, key, bytes, facts),
  enqueueParse: enqueueParse(config),
  now: config.now,
  log: config.log,
});

/** What is known of an archived delivery. Throws `raw-missing`. */
async function archived(config: System, key: string): Promise<{ facts: DeliveryFacts; bytes: number }> {
  const head = await headOf(config.store, key);
  if (!head) throw failure("raw-missing", { key });
  return { facts: factsFromMetadata(head.metadata), bytes: head.bytes };
}

const parseDeps = (feeds: readonly Adapter[], config: System, database: Database): ParseDeps => ({
  feeds,
  async openRaw(key) {
    const { facts, bytes } = await archived(config, key);
    return { facts, source: objectSource(config.store, key, bytes) };
  },
  archivePassword: config.archivePassword,
  compose: composeMessage,
  tables: parseTables(patient(database, config)),
  async putChunk(fileId, version, entry, bytes) {
    await putBytes(config.store, chunkKey(fileId, version, entry.n), bytes);
    // An isolate is shared, and what waits for bytes that are there already goes on before anybody else has a turn.
    await config.sleep(0);
  },
  enqueueApply: enqueueApply(config),
  log: config.log,
});

/**
 * Sends what waits to be told, unless the database is known to be away: what is sent has to be noted. Trouble with it is
 * logged and never undoes the work that it tells of.
 */
async function tellPeople(
  config: System,
  database: Database,
  feeds: readonly Adapter[],
  customers: readonly string[],
): Promise<void> {
  const { mail, log } = config;
  try {
    const looks = await Promise.all(customers.map((customer) => config.admission(customer).look()));
    if (looks.some((look) => look.database.is === "away")) return log.info("mails-wait", { reason: "database away" });
    await sendWaiting({
      tables: notifyTables(database),
      addressOf: (recipient, customer, feed) =>
        recipient === "operator" ? config.operatorMail : contactOf(feeds, customer, feed),
      send: mail && ((one) => sendMail(mail.binding, mail.from, one)),
      mailDomain: config.mailDomain,
      log,
    });
  } catch (thrown) {
    log.error("mails-not-sent", { message: asFailure(thrown).message });
  }
}

async function parse(
  message: ParseDelivery,
  feeds: readonly Adapter[],
  config: System,
  database: Database,
  reading?: Replay,
): Promise<void> {
  let told = false;
  let asked: string | undefined;
  const deps = parseDeps(feeds, config, database);
  const { replay } = message;
  const reads: ParseDeps = {
    ...deps,
    async openRaw(key) {
      const opened = await deps.openRaw(key);
      asked = opened.facts.dryRun && opened.facts.id;
      return opened;
    },
    compose(notice) {
      told = true;
      return composeMessage(notice);
    },
    async enqueueApply(next) {
      await deps.enqueueApply(replay === undefined ? next : { ...next, replay });
    },
  };
  await parseHandler(message, reads, reading);
  // What could be read of it answers when it was compared; this is for a mail in which nothing could.
  const answering = { ...config, postgres: database };
  if (asked !== undefined && (await answerDelivery(answerDeps(answering), asked))) told = true;
  if (told) await tellPeople(config, database, feeds, [message.customer]);
}

const replayDepsOf = (feeds: readonly Adapter[], config: System, database: Database): ReplayDeps =>
  replayDeps({ ...config, feeds, database, enqueueParse: enqueueParse(config) });

/** A delivery of a replay, as that wants it read. */
async function parseAgain(
  message: ParseDelivery & { readonly replay: string },
  feeds: readonly Adapter[],
  config: System,
  database: Database,
): Promise<void> {
  const { replay, feed, correlationId } = message;
  const deps = replayDepsOf(feeds, config, database);
  const order = await deps.tables.orderOf(replay, correlationId);
  if (order === undefined) return config.log.info("replay-over", { replay, correlationId });
  await parse(message, feeds, config, database, readingOf(replay, feed, order));
  await deps.tables.read(replay, correlationId, config.now());
}

async function chunkBytes(config: System, file: FileToApply, n: number, length?: number): Promise<Uint8Array> {
  const key = chunkKey(file.id, file.adapterVersion, n);
  const bytes = await getBytes(config.store, key, length);
  if (!bytes) throw failure("chunk-missing", { key });
  return bytes;
}

async function apply(
  message: ApplyFile,
  feeds: readonly Adapter[],
  config: System,
  postgresDatabase: Database,
): Promise<void> {
  const { sleep, random, log, maxRows } = config;
  const now = () => config.now().getTime();
  const { database, slowestMs } = watched(postgresDatabase, now);
  const rows = maxRows === undefined ? {} : { maxRows };
  const whole = (file: FileToApply, entry: { n: number }) => chunkBytes(config, file, entry.n);
  const chunks = {
    head: (file: FileToApply, entry: { n: number; headBytes: number }) =>
      chunkBytes(config, file, entry.n, entry.headBytes),
  };
  const planning: PlanDeps = {
    ...{ database, chunks, sleep, random, ...rows },
    needed: (file, plan) => neededBatches(file.chunks, plan, (entry) => whole(file, entry), maxRows),
  };
  const gating = {
    ...config,
    database,
    whole,
    adapterOf: (customer: string, feed: string) => adapterOf(feeds, customer, feed),
  };
  const gate = gateDeps(gating);
  let told = false;
  await admitted(
    { door: config.admission(message.customer), slowestMs, nowMs: now, sleep, log },
    { id: message.fileId, rows: message.rows ?? 0 },
    (underWay) =>
      applyHandler(message, {
        database,
        chunks: { whole },
        plan: (file, lease) => planFile(planning, file, { record: true, ...lease }),
        async gate(plan, file, lease) {
          if (file.cause === "restore" && !(await restoreStands(restoreTables(database), file.id, lease.token))) {
            return { held: [RESTORE_CHECK] };
          }
          const verdict = await gateFile(gate, file, plan, lease, now());
          if ("held" in verdict) told = true;
          return verdict;
        },
        async compare() {
          const asking = dryRunDeps({ ...gating, postgres: postgresDatabase, head: chunks.head });
          const outcome = await dryRunHandler({ ...asking, log }, message);
          if (outcome === "not-asked") {
            await compareSnapshot(reconciling(feeds, config, database), message.fileId, message.replay !== undefined);
          }
          told = outcome !== "compared";
        },
        kept: (_, records) => tellKept(message, records, { database, log }),
        token: config.uuid,
        ...underWay,
        now,
        sleep,
        random,
        log,
        ...rows,
      }),
  );
  if (told) await tellPeople(config, postgresDatabase, feeds, [message.customer]);
}

/** Records of a full feed that stay though its file lacks them: an alarm until a file of the feed leaves none. */
async function tellKept({ customer, feed, fileId }: ApplyFile, records: number, deps: AlertDeps): Promise<void> {
  const subject = `${customer}/${feed}`;
  if (records === 0) return clearAlert(deps, "records-kept", subject);
  const detail = `File ${fileId} lacks ${records} of the known records, and some of its rows could not be read. As these may be the same, the records stay as they are. The next file whose rows can all be read takes them off.`;
  await raiseAlert(deps, { kind: "records-kept", subject, severity: "warning", detail });
}

const reconciling = (feeds: readonly Adapter[], config: System, database: Pick<Database, "query">): DriftDeps =>
  driftDeps({ ...config, feeds, database, enqueueApply: enqueueApply(config) });

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
        drift: driftDoor(reconciling(feeds, config, database)),
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
        carryOnDrift: () => carryOn(reconciling(feeds, config, database)),
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
