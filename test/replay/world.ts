/**
 * The whole Worker over a bucket and queues in memory and a real Postgres: quick enough for hundreds of deliveries. The clock
 * is the test's; waiting takes no time. An invocation may be killed before any of its effects: its promise is never answered
 * then, and its message comes again.
 */

import { mailOf } from "../../cli/samples/mail.ts";
import { type AdmissionDoor, keeperOf } from "../../src/admission/keeper.ts";
import { hashToken, newToken } from "../../src/api/tokens.ts";
import type { Adapter } from "../../src/domain/adapter.ts";
import { feedAddress } from "../../src/domain/address.ts";
import { APPLY_LARGE_QUEUE, APPLY_QUEUE, PARSE_DLQ, parseQueueBinding, parseQueueName } from "../../src/domain/keys.ts";
import type { StageMessage } from "../../src/domain/messages.ts";
import { systemOf } from "../../src/system.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { MemoryBucket } from "./memory-bucket.ts";

const ADDRESS_SECRET = "replay-tests-address-secret";
const MAIL_DOMAIN = "feeds.replay.example";
const CRON = "*/10 * * * *";
/** More messages than any test has: one that goes round for ever is found here. */
const MOST_MESSAGES = 50_000;

interface Queued {
  readonly queue: string;
  readonly body: StageMessage;
  readonly dueMs: number;
  attempts: number;
}

/** Which of a few things is next: tests shuffle with it. */
export type Pick = (count: number) => number;

const as = <T>(value: unknown): T => value as T;

export interface Sent {
  readonly customer: string;
  readonly feed: string;
  readonly name: string;
  readonly text: string;
  readonly at: Date;
  /** Else as the mail says: when it was sent. */
  readonly arrivedAt?: Date;
  readonly from?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Further files in the same mail. */
  readonly also?: readonly { readonly name: string; readonly text: string }[];
}

export class World {
  readonly feeds: readonly Adapter[];
  readonly database: FreshDatabase;
  readonly bucket: MemoryBucket;
  readonly logged: string[] = [];
  queue: Queued[] = [];
  nowMs: number;
  /** Effects until the invocation under way dies; counted down where set. Then the next of `kills` counts. */
  killIn: number | undefined;
  kills: number[] = [];
  /** Which of the ready messages is consumed next; the first where left out. */
  pick: Pick = () => 0;
  /** Every message comes twice. */
  doubles = false;
  #died: (() => void) | undefined;
  operator = "";
  readonly #admissions = new Map<string, AdmissionDoor>();

  constructor(feeds: readonly Adapter[], database: FreshDatabase, bucket: MemoryBucket, nowMs: number) {
    this.feeds = feeds;
    this.database = database;
    this.bucket = bucket;
    this.nowMs = nowMs;
    bucket.now = () => new Date(this.nowMs);
  }

  /** A world with a database of its own; with the archive of another world where one is given. */
  static async open(feeds: readonly Adapter[], nowMs: number, bucket = new MemoryBucket()): Promise<World> {
    const world = new World(feeds, await freshDatabase(), bucket, nowMs);
    const { token } = newToken();
    world.operator = token;
    await world.database.sql.query("INSERT INTO api_tokens (name, sha256, role) VALUES ('ops', $1, 'operator')", [
      hashToken(token),
    ]);
    return world;
  }

  close(): Promise<void> {
    return this.database.drop();
  }

  // ── the Worker and what it works with ──────────────────────────────────────────────────────────────────────────────

  #effect = <T>(perform: () => T): Promise<T> => {
    if (this.killIn !== undefined && this.#died !== undefined && this.killIn-- <= 0) {
      this.killIn = this.kills.shift();
      this.#died();
      return new Promise(() => undefined);
    }
    return Promise.resolve().then(perform);
  };

  #worker() {
    const enqueue = (queue: string) => ({
      send: (body: StageMessage, options: { delaySeconds?: number } = {}) =>
        this.#effect(() => {
          const dueMs = this.nowMs + (options.delaySeconds ?? 0) * 1_000;
          for (let times = this.doubles ? 2 : 1; times > 0; times--)
            this.queue.push({ queue, body, dueMs, attempts: 1 });
        }),
    });
    const write = (event: string, fields?: object) => void this.logged.push(`${event} ${JSON.stringify(fields ?? {})}`);
    const env: Record<string, unknown> = {
      DATABASE_URL: this.database.connectionString,
      ADDRESS_SECRET,
      MAIL_DOMAIN,
      STORE: this.bucket.binding(this.#effect),
      ADMISSION: { getByName: (name: string) => this.#admission(name) },
      APPLY: enqueue(APPLY_QUEUE),
      APPLY_LARGE: enqueue(APPLY_LARGE_QUEUE),
      PARSE_DLQ: enqueue(PARSE_DLQ),
      APPLY_DLQ: enqueue("apply-dlq"),
    };
    for (const { customer } of this.feeds) env[parseQueueBinding(customer)] = enqueue(parseQueueName(customer));
    const worker = systemOf(this.feeds, {
      now: () => new Date(this.nowMs),
      random: () => 0.5,
      uuid: () => crypto.randomUUID(),
      sleep: async () => undefined,
      log: { info: write, warn: write, error: write },
      fetch: as((url: string, init: RequestInit) => this.#effect(() => fetch(url, init)).then((answer) => answer)),
    });
    return { env, worker };
  }

  #admission(name: string): AdmissionDoor {
    const known = this.#admissions.get(name);
    if (known !== undefined) return known;
    let stored: unknown;
    const keeper = keeperOf({
      read: () => stored,
      write: (state) => (stored = state),
      nowMs: () => this.nowMs,
      random: () => 0.5,
    });
    const door: AdmissionDoor = {
      reserve: async (request) => keeper.reserve(request),
      renew: async (lease) => keeper.renew(lease),
      release: async (given) => keeper.release(given),
      configure: async (limits) => keeper.configure(limits),
      look: async () => keeper.look(),
    };
    this.#admissions.set(name, door);
    return door;
  }

  /** Runs an invocation to its end, or to its death: false. */
  async #invoke(call: () => Promise<unknown>): Promise<boolean> {
    const death = new Promise<boolean>((resolve) => {
      this.#died = () => resolve(false);
    });
    const lived = await Promise.race([call().then(() => true), death]);
    this.#died = undefined;
    return lived;
  }

  // ── what happens ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** Mails a file; its message waits in the queue. */
  async mail({ customer, feed, name, text, at, arrivedAt, from, headers, also = [] }: Sent): Promise<void> {
    const adapter = this.feeds.find((one) => one.customer === customer && one.feed === feed)!;
    const sender = from ?? adapter.intake.senders[0]!;
    const to = feedAddress(adapter, ADDRESS_SECRET, MAIL_DOMAIN);
    const raw = mailOf({
      from: sender,
      to,
      subject: name,
      date: at,
      messageId: `<${name}.${at.getTime()}@${customer}.example>`,
      body: "Automatic export.",
      ...(headers === undefined ? {} : { headers }),
      attachments: [{ name, text }, ...also].map((file) => ({
        name: file.name,
        contentType: "text/csv",
        bytes: new TextEncoder().encode(file.text),
      })),
    });
    this.nowMs = (arrivedAt ?? at).getTime();
    const { env, worker } = this.#worker();
    let refused: string | undefined;
    const message = {
      from: sender,
      to,
      rawSize: raw.length,
      raw: new Blob([raw as Uint8Array<ArrayBuffer>]).stream(),
      setReject: (why: string) => (refused = why),
    };
    await worker.email(as(message), as(env));
    if (refused !== undefined) throw new Error(`the mail was refused: ${refused}`);
  }

  /** Consumes all messages, also those that wait: the clock goes on to them. Answers how often a consumer was killed. */
  async drain(): Promise<number> {
    let deaths = 0;
    for (let n = 0; this.queue.length > 0; n++) {
      if (n > MOST_MESSAGES) throw new Error(`messages go round: ${JSON.stringify(this.queue.slice(0, 3))}`);
      let ready = this.queue.filter(({ dueMs }) => dueMs <= this.nowMs);
      if (ready.length === 0) {
        this.nowMs = Math.min(...this.queue.map(({ dueMs }) => dueMs));
        ready = this.queue.filter(({ dueMs }) => dueMs <= this.nowMs);
      }
      const next = ready[this.pick(ready.length)]!;
      this.queue = this.queue.filter((one) => one !== next);
      if (!(await this.#consume(next))) {
        deaths++;
        this.queue.push({ ...next, attempts: next.attempts + 1, dueMs: this.nowMs });
        await this.#leasesExpire();
      }
    }
    return deaths;
  }

  /** The same, quicker: customers side by side, the messages of each one after the other. Nobody is killed. */
  async drainSideBySide(): Promise<void> {
    while (this.queue.length > 0) {
      const due = Math.max(this.nowMs, Math.min(...this.queue.map(({ dueMs }) => dueMs)));
      this.nowMs = due;
      const ready = this.queue.filter(({ dueMs }) => dueMs <= due);
      const customers = [...new Set(ready.map(({ body }) => body.customer))];
      const next = customers.map((customer) => {
        const own = ready.filter(({ body }) => body.customer === customer);
        return own[this.pick(own.length)]!;
      });
      this.queue = this.queue.filter((one) => !next.includes(one));
      await Promise.all(next.map((one) => this.#consume(one)));
    }
  }

  #consume(queued: Queued): Promise<boolean> {
    const { env, worker } = this.#worker();
    const { queue, body, attempts } = queued;
    const message = {
      id: `${queue}-${Math.random()}`,
      body,
      attempts,
      ack: () => undefined,
      retry: ({ delaySeconds = 0 } = {}) =>
        void this.queue.push({ ...queued, attempts: attempts + 1, dueMs: this.nowMs + delaySeconds * 1_000 }),
    };
    return this.#invoke(() => worker.queue(as({ queue, messages: [message] }), as(env)));
  }

  /** The cron of every ten minutes, so much later. False: it was killed. */
  async cron(minutesLater = 10): Promise<boolean> {
    this.nowMs += minutesLater * 60_000;
    const { env, worker } = this.#worker();
    return this.#invoke(() => worker.scheduled(as({ cron: CRON, scheduledTime: this.nowMs }), as(env)));
  }

  /** A request of an operator, or under another token. */
  async http<T>(
    method: string,
    path: string,
    body?: unknown,
    token = this.operator,
  ): Promise<{ status: number; body: T }> {
    const request = new Request(`https://api.replay.example${path}`, {
      method,
      headers: { Authorization: `Bearer ${token}` },
      ...(body === undefined ? {} : { body: body instanceof Uint8Array ? as<BodyInit>(body) : JSON.stringify(body) }),
    });
    const response = await this.fetch(request);
    return { status: response.status, body: (await response.json()) as T };
  }

  async fetch(request: Request): Promise<Response> {
    const { env, worker } = this.#worker();
    const context = { waitUntil: () => undefined, passThroughOnException: () => undefined };
    return worker.fetch(as(request), as(env), as(context));
  }

  /** As after the time that a lease holds: whoever died has it no more. */
  async #leasesExpire(): Promise<void> {
    await this.database.sql`UPDATE feeds SET lease_until = now() - interval '1 second' WHERE lease_until IS NOT NULL`;
    this.#admissions.clear();
  }

  // ── what is there ──────────────────────────────────────────────────────────────────────────────────────────────────

  rows<T>(text: string, params: readonly unknown[] = []): Promise<T[]> {
    return this.database.sql.query(text, [...params]) as Promise<T[]>;
  }

  /** All records, less surrogate ids and wall times. */
  async records(): Promise<string> {
    const rows = await this.rows<{ line: string }>(
      `SELECT concat_ws(' | ', c.slug, f.slug, r.natural_key, r.version, r.status, r.order_key, r.line, r.row_hash, r.data::text) AS line
       FROM records r JOIN feeds f ON f.id = r.feed_id JOIN customers c ON c.id = r.customer_id
       ORDER BY c.slug, f.slug, r.natural_key`,
    );
    return rows.map(({ line }) => line).join("\n");
  }

  /** All changes, likewise. */
  async changes(): Promise<string> {
    const rows = await this.rows<{ line: string }>(
      `SELECT concat_ws(' | ', c.slug, f.slug, x.natural_key, x.version, x.kind, x.line, x.row_hash, x.before::text, x.after::text) AS line
       FROM changes x JOIN feeds f ON f.id = x.feed_id JOIN customers c ON c.id = x.customer_id
       ORDER BY c.slug, f.slug, x.natural_key, x.version`,
    );
    return rows.map(({ line }) => line).join("\n");
  }
}
