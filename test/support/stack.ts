/**
 * The whole system for a test file: the real Worker in workerd, local R2 and queues, and a database of its own on the
 * tests' Postgres behind an endpoint that the test can stop and start.
 *
 * Nothing here sleeps: tests wait for states that they can name, each with a deadline.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { neonConfig } from "@neondatabase/serverless";
import { type LocalDatabase, startDatabase } from "../../cli/local/database.ts";
import { type Mailing, mailFor } from "../../cli/local/deliver.ts";
import { type Accepted, type DeliveryStatus, follow, mailIn } from "../../cli/local/mailroom.ts";
import { localFetchEndpoint } from "../../cli/local/neon-protocol.ts";
import { PROJECT_ROOT } from "../../cli/local/settings.ts";
import { startStack } from "../../cli/local/stack.ts";
import type { Sample } from "../../cli/samples/generate.ts";
import { hashToken, newToken } from "../../src/api/tokens.ts";
import type { Mail } from "./addresses.ts";
import { type FreshDatabase, freshDatabase } from "./database.ts";
import { testFeeds } from "./test-feeds.ts";

export { addressOf, type Mail } from "./addresses.ts";

/** Long enough for the largest mail on a busy machine, shorter than a test may take: then it says what it waited for. */
const DEADLINE_MS = 40_000;
const POLL_MS = 25;
/** `bucket_name` in wrangler.toml. */
const BUCKET = "mailfeed-store";

/** A value and its status, of a JSON answer. */
export interface Answer<T> {
  readonly status: number;
  readonly body: T;
}

export interface TestStack {
  readonly url: string;
  readonly operator: string;
  readonly sql: FreshDatabase["sql"];
  /** Postgres' own address of the database. */
  readonly databaseUrl: string;
  mailIn(mail: Mail): Promise<Accepted>;
  /** Mails it, which must be accepted, and waits for the end of the delivery and of all its files. */
  deliver(mail: Mail): Promise<DeliveryStatus>;
  follow(deliveryId: string): Promise<DeliveryStatus>;
  /** GET, as the operator unless another token is given. */
  api<T>(path: string, token?: string): Promise<Answer<T>>;
  post<T>(path: string, init?: RequestInit & { readonly token?: string }): Promise<Answer<T>>;
  /** A bearer token that sees this customer alone. */
  customerToken(customer: string): Promise<string>;
  /** The bytes of an R2 object, or undefined. */
  object(key: string): Promise<Uint8Array | undefined>;
  /** Keys of all R2 objects that begin so. */
  keys(prefix: string): Promise<string[]>;
  /** What the Worker has logged so far: its JSON lines. */
  logged(): Record<string, unknown>[];
  /** Puts a message on a queue by the name of its binding. For stacks started with `queueDoor`. */
  enqueue(binding: string, message: unknown): Promise<void>;
  /** The database goes away, and comes back at the same place. */
  stopDatabase(): Promise<void>;
  startDatabase(): Promise<void>;
  stop(): Promise<void>;
}

export interface TestStackOptions {
  /** Adds a door that puts any message on any queue, before the same Worker. */
  readonly queueDoor?: boolean;
  /** The Worker has the feeds of `test-feeds.ts`. */
  readonly testFeeds?: boolean;
}

/** Asks until the answer is there. Throws after the deadline and says what was waited for. */
export async function until<T>(what: string, ask: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${DEADLINE_MS / 1_000} s`);
    await pause(POLL_MS);
  }
}

/** A record without what depends on the way it came: ids, times and versions. */
export interface StandingRecord {
  readonly feed: string;
  readonly key: string;
  readonly status: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** All records there are, in the order of feeds and keys. */
export async function standingRecords({ sql }: Pick<TestStack, "sql">): Promise<StandingRecord[]> {
  return (await sql`
    SELECT c.slug || '/' || f.slug AS feed, r.natural_key AS key, r.status, r.data
    FROM records r JOIN feeds f ON f.id = r.feed_id JOIN customers c ON c.id = r.customer_id
    ORDER BY 1, 2`) as StandingRecord[];
}

/** All versions of all records, and all change events. */
export async function written({ sql }: Pick<TestStack, "sql">): Promise<{ versions: number; events: number }> {
  const [row] = await sql`
    SELECT (SELECT coalesce(sum(version), 0) FROM records)::int AS versions, (SELECT count(*) FROM changes)::int AS events`;
  return { versions: Number(row!.versions), events: Number(row!.events) };
}

/** As if nothing had ever arrived. The archive keeps what it has. */
export async function forgetEverything({ sql }: Pick<TestStack, "sql">): Promise<void> {
  await sql`TRUNCATE deliveries, files, rejects, dead_letters, records, changes, ledger, seen, feed_versions, notifications, audit_log CASCADE`;
}

/** The mail of a sample; `round` makes another mail of the same file. */
export const mailOfSample = (sample: Sample, round = 1): Mail => mailOfFile({ ...sample, sentAt: sample.asOf }, round);
export const mailOfFile = (mailing: Mailing, round = 1): Mail => mailFor(mailing, round);

export async function startTestStack(options: TestStackOptions = {}): Promise<TestStack> {
  const database = await freshDatabase();
  const folder = mkdtempSync(join(tmpdir(), "mailfeed-test-"));
  let endpoint: LocalDatabase | undefined = await startDatabase({ url: database.directUrl });
  const port = Number(new URL(endpoint.endpointUrl).port);
  const removeAll = async () => {
    await endpoint?.stop();
    await database.drop();
    rmSync(folder, { recursive: true, force: true });
  };
  const stack = await startStack({
    port: 0,
    folder,
    database: endpoint,
    configFile: mainOf(options) === undefined ? undefined : configWith(folder, mainOf(options)!),
  }).catch(async (error: unknown) => {
    await removeAll();
    throw error;
  });
  // The driver's endpoint holds for the whole process: each test's own statements find theirs by the connection string.
  neonConfig.fetchEndpoint = localFetchEndpoint;
  const door = { url: stack.url, token: stack.token, ...(options.testFeeds === true ? { feeds: testFeeds } : {}) };

  const ask = async <T>(path: string, token: string, init: RequestInit = {}): Promise<Answer<T>> => {
    const headers = new Headers(init.headers);
    headers.set("Authorization", `Bearer ${token}`);
    const response = await fetch(`${stack.url}${path}`, { ...init, headers });
    return { status: response.status, body: (await response.json()) as T };
  };
  const explorer = (path: string) =>
    fetch(`${stack.url}/cdn-cgi/local/explorer/api/r2/buckets/${BUCKET}/objects${path}`);
  const followed = (id: string) => follow(door, id, { timeoutMs: DEADLINE_MS, pollMs: POLL_MS });

  return {
    url: stack.url,
    operator: stack.token,
    sql: database.sql,
    databaseUrl: database.directUrl,
    mailIn: (mail) => mailIn(door, mail),
    async deliver(mail) {
      const accepted = await mailIn(door, mail);
      if (!accepted.accepted) throw new Error(`the mail was refused: ${accepted.reason}`);
      return followed(accepted.deliveryId);
    },
    follow: followed,
    api: (path, token = stack.token) => ask(path, token),
    post: (path, { token = stack.token, ...init } = {}) => ask(path, token, { ...init, method: "POST" }),
    async customerToken(customer) {
      const { token } = newToken();
      await database.sql.query(
        `INSERT INTO api_tokens (name, sha256, role, customer_id)
         SELECT 'test', $1, 'customer', id FROM customers WHERE slug = $2`,
        [hashToken(token), customer],
      );
      return token;
    },
    async object(key) {
      const response = await explorer(`/${encodeURIComponent(key)}`);
      if (!response.ok) {
        await response.body?.cancel();
        return undefined;
      }
      return new Uint8Array(await response.arrayBuffer());
    },
    async keys(prefix) {
      const response = await explorer(`?per_page=1000&prefix=${encodeURIComponent(prefix)}`);
      const { result } = (await response.json()) as { result: { key: string }[] };
      return result.map(({ key }) => key);
    },
    logged: () => jsonLines(readFileSync(stack.logFile, "utf8")),
    async enqueue(binding, message) {
      const response = await fetch(`${stack.url}/test/queues/${binding}`, {
        method: "POST",
        body: JSON.stringify(message),
      });
      if (!response.ok) throw new Error(`the queue door answered ${response.status}: ${await response.text()}`);
    },
    async stopDatabase() {
      await endpoint?.stop();
      endpoint = undefined;
    },
    async startDatabase() {
      endpoint ??= await startDatabase({ url: database.directUrl, port });
    },
    async stop() {
      await stack.stop();
      await removeAll();
    },
  };
}

/** Another main file than the project's. */
function mainOf({ queueDoor, testFeeds: withTestFeeds }: TestStackOptions): string | undefined {
  if (queueDoor === true) return "test/support/worker-with-queue-door.ts";
  return withTestFeeds === true ? "test/support/worker-with-test-feeds.ts" : undefined;
}

/** The project's configuration with another main file. */
function configWith(folder: string, mainFile: string): string {
  const main = join(PROJECT_ROOT, mainFile);
  const text = readFileSync(join(PROJECT_ROOT, "wrangler.toml"), "utf8");
  const file = join(folder, "wrangler.toml");
  writeFileSync(
    file,
    text.replace(/^main = .*$/m, () => `main = ${JSON.stringify(main)}`),
  );
  return file;
}

/** The Worker's own lines; wrangler writes others between them, and decorates warnings and errors. */
const jsonLines = (text: string): Record<string, unknown>[] =>
  [...text.matchAll(/\{"at":.*\}/g)].map(([line]) => JSON.parse(line) as Record<string, unknown>);

/** What has come so far came long ago: the same content again is a statement of its own, not a duplicate. */
export const longAgo = (sql: FreshDatabase["sql"]) =>
  sql`UPDATE files SET received_at = received_at - interval '8 days'`;
