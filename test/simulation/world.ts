/** The product's own Worker over fakes: every door and every cron of it, each call an actor that may die. */

import type { Adapter } from "../../src/domain/adapter.ts";
import type { LogFields } from "../../src/observe/log.ts";
import type { Surroundings } from "../../src/surroundings.ts";
import { systemOf } from "../../src/system.ts";
import { openOf } from "./acked.ts";
import { type Deployment, deploymentOf } from "./deployment.ts";
import type { Engine } from "./engine.ts";
import { databaseUrlOf, FakeDatabase } from "./fake-database.ts";
import { FakeAdmissions } from "./fake-objects.ts";
import { FakeQueues, type Handed } from "./fake-queues.ts";
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

/** What is said in any weather where somebody has to act. */
const TOLD_TO_ACT: ReadonlySet<string> = new Set([
  "message-parked",
  "dead-letter",
  "alert-raised",
  "file-held",
  "replay-done",
]);

/** Rows written by one statement: few, so that small files take several. */
const MAX_ROWS = 5;

/** Tokens of the API, as the engine's `api_tokens` must hold them. */
export const OPERATOR_TOKEN = `mf_${"o".repeat(43)}`;
const API = "https://api.simulation.example";

/** What came back of a request; `status` 0: the connection was cut. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

export interface HttpRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

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
  /** Errors that were logged though nothing goes wrong any more. */
  readonly trouble: { readonly actor: string; readonly line: string }[] = [];
  readonly #feeds: readonly Adapter[];
  readonly #deployment: Deployment;
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
    this.#deployment = deploymentOf(feeds.map(({ customer }) => customer));
    this.queues = new FakeQueues(
      this.#deployment.consumers,
      this.scheduler,
      this.weather,
      this.chance.fork("queues"),
      (name) => this.#actor(name),
      (queue, messages, actor) => this.#consume(queue, messages, actor),
      (deliveryId) => openOf(engine, deliveryId),
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
    const log = (level: string) => (event: string, fields?: LogFields) => this.#logged(actor, level, event, fields);
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
      PUBLIC_URL: API,
      STORE: this.storage.bindingOf(actor),
      ADMISSION: this.admissions.bindingOf(actor),
    };
    for (const [binding, queue] of this.#deployment.producers) env[binding] = this.queues.bindingOf(actor, queue);
    return { env, worker: systemOf(this.#feeds, surroundings) };
  }

  #logged(actor: Actor, level: string, event: string, fields: LogFields = {}): void {
    if (!actor.alive) return;
    const { nowMs } = this.scheduler;
    const line = comparable(`${level} ${event} ${JSON.stringify(fields)}`);
    this.trace.line(nowMs, actor.name, line);
    const isCalm = nowMs > this.weather.climate.calmFromMs + INVOCATION_MS;
    if (isCalm && level === "error" && !TOLD_TO_ACT.has(event)) this.trouble.push({ actor: actor.name, line });
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

  /** One request of an operator to the API. */
  http({ method, path, headers = {}, body }: HttpRequest, answered: (answer: HttpAnswer) => void): void {
    const actor = this.#actor("http");
    const { env, worker } = this.#worker(actor);
    let over = false;
    const end = (answer: HttpAnswer) => {
      if (over) return;
      over = true;
      const line = comparable(`answers ${answer.status} ${answer.body}`).slice(0, 200);
      this.trace.line(this.scheduler.nowMs, actor.name, line);
      answered(answer);
    };
    const request = new Request(API + path, {
      method,
      headers: { Authorization: `Bearer ${OPERATOR_TOKEN}`, ...headers },
      ...(body === undefined ? {} : { body }),
    });
    const context = { waitUntil: () => undefined, passThroughOnException: () => undefined };
    this.trace.line(this.scheduler.nowMs, actor.name, `${method} ${path}`);
    actor.onDeath(() => end({ status: 0, body: "the connection was cut" }));
    this.#invoke(actor, async () => {
      const response = await worker.fetch(as(request), as(env), as(context));
      return { status: response.status, body: await response.text() };
    }).then(
      (answer) => {
        const isLost = this.weather.strikes(this.scheduler.nowMs, "http: answer lost", 0.03);
        end(isLost ? { status: 0, body: "the answer was lost" } : answer);
      },
      (thrown) => end({ status: 500, body: String(thrown) }),
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

/** Ids of requests, which the API draws for itself, and stack traces, which tell of folders, are not of the run. */
const comparable = (line: string): string =>
  line.replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "uuid").replace(/\\n +at [^"]*/g, "");

/** Version 4 in form. */
function uuidOf(chance: Chance): string {
  const digits = Array.from({ length: 32 }, () => chance.int(0, 15).toString(16)).join("");
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-4${digits.slice(13, 16)}-a${digits.slice(17, 20)}-${digits.slice(20)}`;
}
