/** Dead letters on a database of the test's own: they die through the real consumer, and what is sent is written down. */
import { report } from "../../src/domain/failures.ts";
import { applyFileMessage, parseDeliveryMessage, type StageMessage } from "../../src/domain/messages.ts";
import { jsonLog } from "../../src/observe/log.ts";
import { type Database, postgres } from "../../src/platform/postgres.ts";
import type { Incoming } from "../../src/queues/consume.ts";
import { keepDeadLetters } from "../../src/queues/dead-letters.ts";
import { watchGrowth } from "../../src/queues/growth.ts";
import type { RedriveDeps } from "../../src/redrive/deps.ts";
import { redriveTables } from "../../src/redrive/tables.ts";
import { type Feed, seedDelivery, seedFeed, seedFile, type Values } from "../api/seed.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";

type Stage = "parse" | "apply";

/** What a stage says of a message that it gave up on. */
export const MISSING = report("raw-missing", { key: "raw/x" });
export const OUR_FAULT = report("internal-error", { message: "TypeError: boom" });
export const NO_CHUNK = report("chunk-missing", { key: "chunks/1" });

export interface World {
  readonly database: FreshDatabase;
  readonly queries: Database;
  readonly alpha: Feed;
  readonly beta: Feed;
  /** What was put on queues, in order. */
  readonly sent: StageMessage[];
  readonly lines: Record<string, unknown>[];
  readonly deps: RedriveDeps;
  /** Puts messages on a dead-letter queue and runs its consumer; answers how many were kept. */
  park(stage: Stage, ...parked: Parked[]): Promise<{ acked: number; retried: number }>;
  /** A delivery in `parsing` whose message dies. Answers its id and that of its letter. */
  deadDelivery(feed?: Feed, failure?: typeof MISSING): Promise<{ delivery: string; letter: string }>;
  /** A file in `parsed` whose message dies. */
  deadFile(feed?: Feed, failure?: typeof MISSING): Promise<{ delivery: string; file: string; letter: string }>;
  row(table: "deliveries" | "files" | "dead_letters", id: string): Promise<Values>;
  letters(): Promise<Values[]>;
  audits(): Promise<Values[]>;
  /** As if nothing had died yet. */
  empty(): Promise<void>;
  rows(statement: string, params?: readonly unknown[]): Promise<Values[]>;
}

export interface Parked {
  readonly message: unknown;
  readonly failure?: unknown;
  /** Of the message on its stage's queue; another one each time where it is left out. */
  readonly messageId?: string;
}

/** When it would have arrived does not matter here; what is in `parsing` was not read, so it has no books. */
const UNREAD = { state: "parsing", failure: null };
const WAITING = {
  state: "parsed",
  inserted: null,
  changed: null,
  unchanged: null,
  stale: null,
  superseded: null,
  applied_at: null,
};

export async function world(): Promise<World> {
  const database = await freshDatabase();
  const queries = postgres(database.connectionString);
  const alpha = await seedFeed(database, "alpha");
  const beta = await seedFeed(database, "beta");
  const sent: StageMessage[] = [];
  const lines: Record<string, unknown>[] = [];
  const log = jsonLog(
    () => new Date(0),
    (_, line) => lines.push(JSON.parse(line) as Record<string, unknown>),
  );
  let messages = 0;
  const rows: World["rows"] = (statement, params = []) => queries.query(statement, params);
  const letters = () => rows("SELECT * FROM dead_letters ORDER BY id");
  const lastLetter = async () => String((await letters()).at(-1)?.id);

  const park: World["park"] = async (stage, ...parked) => {
    const settled = { acked: 0, retried: 0 };
    const incoming = parked.map(({ message, failure = OUR_FAULT, messageId }): Incoming => {
      messages += 1;
      return {
        id: `dlq-${messages}`,
        body: { stage, messageId: messageId ?? `m-${messages}`, message, failure, attempts: 1 },
        attempts: 1,
        ack: () => void settled.acked++,
        retry: () => void settled.retried++,
      };
    });
    const again = async () => void settled.retried++;
    await keepDeadLetters(stage, incoming, { database: queries, again, random: () => 0.5, log });
    return settled;
  };

  return {
    database,
    queries,
    alpha,
    beta,
    sent,
    lines,
    deps: {
      tables: redriveTables(queries),
      knows: (customer, feed = "stock") => ["alpha", "beta"].includes(customer) && feed === "stock",
      enqueue: async (message) => void sent.push(message),
      async decided() {
        for (const stage of ["parse", "apply"] as const) await watchGrowth({ database: queries, log }, stage);
      },
      log,
    },
    park,
    async deadDelivery(feed = alpha, failure = MISSING) {
      const delivery = await seedDelivery(database, feed, UNREAD);
      await park("parse", { message: toParse(feed, delivery), failure });
      return { delivery, letter: await lastLetter() };
    },
    async deadFile(feed = alpha, failure = OUR_FAULT) {
      const delivery = await seedDelivery(database, feed);
      const file = await seedFile(database, feed, delivery, WAITING);
      await park("apply", { message: toApply(feed, delivery, file), failure });
      return { delivery, file, letter: await lastLetter() };
    },
    async row(table, id) {
      const [found] = await rows(`SELECT * FROM ${table} WHERE id::text = $1`, [id]);
      return found ?? {};
    },
    letters,
    audits: () => rows("SELECT actor, action, subject, detail FROM audit_log ORDER BY id"),
    async empty() {
      await rows(
        "TRUNCATE dead_letters, deliveries, files, rejects, fixed_causes, alerts, audit_log, feed_versions, notifications CASCADE",
      );
      sent.length = 0;
      lines.length = 0;
    },
    rows,
  };
}

export const toParse = ({ customer, feed }: Feed, delivery: string, redriveOf?: string) =>
  parseDeliveryMessage({
    customer,
    feed,
    correlationId: delivery,
    rawKey: "raw/alpha/2026/11/20/x.eml",
    ...(redriveOf === undefined ? {} : { redriveOf }),
  });

export const toApply = ({ customer, feed }: Feed, delivery: string, fileId: string, redriveOf?: string) =>
  applyFileMessage({
    customer,
    feed,
    correlationId: delivery,
    fileId,
    ...(redriveOf === undefined ? {} : { redriveOf }),
  });
