/** The product's own Worker over fakes: every door and every cron of it, each call an actor that may die. */

import type { Adapter } from "../../src/domain/adapter.ts";
import {
  APPLY_DLQ,
  APPLY_LARGE_QUEUE,
  APPLY_QUEUE,
  PARSE_DLQ,
  parseQueueBinding,
  parseQueueName,
} from "../../src/domain/keys.ts";
import type { LogFields } from "../../src/observe/log.ts";
import { type Surroundings, systemOf } from "../../src/system.ts";
import type { Engine } from "./engine.ts";
import { databaseUrlOf, FakeDatabase } from "./fake-database.ts";
import { FakeAdmissions } from "./fake-objects.ts";
import { FakeQueues, type Handed, type QueueSettings } from "./fake-queues.ts";
import { FakeStorage } from "./fake-storage.ts";
import { type Chance, chanceOf } from "./random.ts";
import { Actor, Scheduler } from "./scheduler.ts";
import { Trace } from "./trace.ts";
import { type Climate, Weather } from "./weather.ts";

export const ADDRESS_SECRET = "simulation-only-address-secret";
export const MAIL_DOMAIN = "feeds.simulation.example";

const MINUTE = 60_000;
const DAY = 1_440 * MINUTE;
/** Wall time that the platform allows an invocation. */
const INVOCATION_MS = 15 * MINUTE;
/** The triggers of wrangler.toml. */
const SWEEP_CRON = "*/10 * * * *";
const SWEEP_EVERY_MS = 10 * MINUTE;
const DAILY_CRON = "10 0 * * *";
const DAILY_AT_MS = 10 * MINUTE;

/** Rows written by one statement: few, so that small files take several. */
const MAX_ROWS = 5;

/** How a mail ended for its sender: taken, refused for good, or to be tried again. */
export type SmtpAnswer =
  | { readonly kind: "accepted" }
  | { readonly kind: "refused"; readonly why: string }
  | { readonly kind: "temporary"; readonly why: string };

export interface WorldOptions {
  readonly seed: string;
  readonly engine: Engine;
  readonly feeds: readonly Adapter[];
  readonly startMs: number;
  climateOf(chance: Chance): Climate;
}

/** What the Worker is called with, where the platform's own objects say more than it reads. */
const as = <T>(value: unknown): T => value as T;

export class World {
  readonly scheduler: Scheduler;
  readonly trace = new Trace();
  readonly weather: Weather;
  readonly storage: FakeStorage;
  readonly queues: FakeQueues;
  readonly database: FakeDatabase;
  readonly admissions: FakeAdmissions;
  readonly chance: Chance;
  readonly #feeds: readonly Adapter[];
  readonly #actors = new Map<string, Actor>();
  #running = 0;

  constructor({ seed, engine, feeds, startMs, climateOf }: WorldOptions) {
    this.chance = chanceOf(seed);
    this.scheduler = new Scheduler(startMs, this.chance.fork("scheduler"), this.trace);
    this.weather = new Weather(climateOf(this.chance.fork("climate")), this.chance.fork("weather"), this.trace);
    this.storage = new FakeStorage(this.scheduler, this.weather);
    this.database = new FakeDatabase(engine, this.scheduler, this.weather, this.chance.fork("database"), this.#actors);
    this.admissions = new FakeAdmissions(this.scheduler, this.weather, this.chance.fork("admissions"));
    this.#feeds = feeds;
    this.queues = new FakeQueues(
      queueSettings(feeds),
      this.scheduler,
      this.weather,
      this.chance.fork("queues"),
      (name) => this.#actor(name),
      (queue, messages, actor) => this.#consume(queue, messages, actor),
    );
  }

  /** Invocations under way. */
  get running(): number {
    return this.#running;
  }

  #actor(kind: string): Actor {
    const actor = new Actor(`${kind}-${this.#actors.size + 1}`);
    this.#actors.set(actor.name, actor);
    return actor;
  }

  /** Everything that one call of the Worker works with: each call has bindings and surroundings of its own. */
  #worker(actor: Actor) {
    const chance = this.chance.fork(actor.name);
    const log =
      (level: string) =>
      (event: string, fields: LogFields = {}) => {
        if (actor.alive)
          this.trace.line(this.scheduler.nowMs, actor.name, `${level} ${event} ${JSON.stringify(fields)}`);
      };
    const surroundings: Surroundings = {
      now: () => new Date(this.scheduler.nowMs),
      random: () => chance.next(),
      uuid: () => uuidOf(chance),
      sleep: (ms) => this.scheduler.sleep(actor, ms),
      log: { info: log("info"), warn: log("warn"), error: log("error") },
      fetch: this.database.fetch,
      maxRows: MAX_ROWS,
    };
    const env: Record<string, unknown> = {
      DATABASE_URL: databaseUrlOf(actor),
      ADDRESS_SECRET,
      MAIL_DOMAIN,
      STORE: this.storage.bindingOf(actor),
      APPLY: this.queues.bindingOf(actor, APPLY_QUEUE),
      APPLY_LARGE: this.queues.bindingOf(actor, APPLY_LARGE_QUEUE),
      ADMISSION: this.admissions.bindingOf(actor),
      PARSE_DLQ: this.queues.bindingOf(actor, PARSE_DLQ),
      APPLY_DLQ: this.queues.bindingOf(actor, APPLY_DLQ),
    };
    for (const { customer } of this.#feeds) {
      env[parseQueueBinding(customer)] = this.queues.bindingOf(actor, parseQueueName(customer));
    }
    return { env, worker: systemOf(this.#feeds, surroundings) };
  }

  /** Counts an invocation and stops it when the platform would. */
  #invoke<T>(actor: Actor, call: () => Promise<T>): Promise<T> {
    this.#running++;
    let over = false;
    const end = () => {
      if (!over) this.#running--;
      over = true;
    };
    actor.onDeath(end);
    this.scheduler.after(INVOCATION_MS, () => {
      if (!over) actor.kill();
    });
    return call().finally(end);
  }

  #consume(queue: string, messages: readonly Handed[], actor: Actor): Promise<void> {
    const { env, worker } = this.#worker(actor);
    const ids = messages.map(({ id, attempts }) => `${id} (${attempts})`).join(", ");
    this.trace.line(this.scheduler.nowMs, actor.name, `takes ${ids}`);
    return this.#invoke(actor, () => worker.queue(as({ queue, messages }), as(env)));
  }

  /** One SMTP session. Its sender hears of its end, also when the handler dies: then the connection is cut. */
  smtp(mail: { from: string; to: string; raw: Uint8Array }, answered: (answer: SmtpAnswer) => void): void {
    const actor = this.#actor("smtp");
    const { env, worker } = this.#worker(actor);
    let refused: string | undefined;
    let over = false;
    const end = (answer: SmtpAnswer) => {
      if (over) return;
      over = true;
      this.trace.line(this.scheduler.nowMs, actor.name, `answers ${JSON.stringify(answer)}`);
      answered(answer);
    };
    const raw = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(mail.raw);
        controller.close();
      },
    });
    const message = {
      from: mail.from,
      to: mail.to,
      rawSize: mail.raw.length,
      raw,
      setReject(reason: string) {
        refused = reason;
      },
    };
    this.trace.line(this.scheduler.nowMs, actor.name, `mail for ${mail.to}`);
    actor.onDeath(() => end({ kind: "temporary", why: "the connection was cut" }));
    this.#invoke(actor, () => worker.email(as(message), as(env))).then(
      () => {
        if (refused !== undefined) end({ kind: "refused", why: refused });
        else if (this.weather.strikes(this.scheduler.nowMs, "smtp: answer lost", 0.03)) {
          end({ kind: "temporary", why: "the answer was lost" });
        } else end({ kind: "accepted" });
      },
      (thrown) => end({ kind: "temporary", why: String(thrown) }),
    );
  }

  /** Crons come by the clock until then. */
  startCrons(untilMs: number): void {
    const cron = (pattern: string, everyMs: number, atMs: number) => {
      const { nowMs } = this.scheduler;
      const first = Math.ceil((nowMs - atMs) / everyMs) * everyMs + atMs;
      for (let at = first; at <= untilMs; at += everyMs) this.scheduler.at(at, () => this.#scheduled(pattern, at));
    };
    cron(SWEEP_CRON, SWEEP_EVERY_MS, 0);
    cron(DAILY_CRON, DAY, DAILY_AT_MS);
  }

  #scheduled(cron: string, scheduledTime: number): void {
    if (this.weather.strikes(this.scheduler.nowMs, "cron: did not come", 0.02)) return;
    const actor = this.#actor("cron");
    const { env, worker } = this.#worker(actor);
    this.#invoke(actor, () => worker.scheduled(as({ cron, scheduledTime }), as(env))).catch((thrown: unknown) =>
      this.trace.line(this.scheduler.nowMs, actor.name, `failed: ${String(thrown)}`),
    );
  }
}

/** Version 4 in form. */
function uuidOf(chance: Chance): string {
  const digits = Array.from({ length: 32 }, () => chance.int(0, 15).toString(16)).join("");
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-4${digits.slice(13, 16)}-a${digits.slice(17, 20)}-${digits.slice(20)}`;
}

/** As in wrangler.toml. */
function queueSettings(feeds: readonly Adapter[]): Record<string, QueueSettings> {
  const deadLetters = { maxBatch: 10, maxRetries: 100, maxConcurrency: 1 };
  const settings: Record<string, QueueSettings> = {
    [APPLY_QUEUE]: { maxBatch: 1, maxRetries: 20, maxConcurrency: 10, deadLetters: APPLY_DLQ },
    [APPLY_LARGE_QUEUE]: { maxBatch: 1, maxRetries: 20, maxConcurrency: 10, deadLetters: APPLY_DLQ },
    [PARSE_DLQ]: deadLetters,
    [APPLY_DLQ]: deadLetters,
  };
  for (const { customer } of feeds) {
    settings[parseQueueName(customer)] = { maxBatch: 1, maxRetries: 20, maxConcurrency: 2, deadLetters: PARSE_DLQ };
  }
  return settings;
}
