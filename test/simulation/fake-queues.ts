/**
 * Queues as Cloudflare documents them: at least once, in no order, again when not acked in time, into the dead-letter
 * queue after `max_retries`, kept for four days, delays honoured. A message is lost on no other account.
 */
import type { Chance } from "./random.ts";
import type { Actor, Scheduler } from "./scheduler.ts";
import type { Weather } from "./weather.ts";

const SECOND = 1_000;
const DAY = 86_400 * SECOND;
/** Of a message, from the moment it was sent. */
export const RETENTION_MS = 4 * DAY;
/** Messages of an invocation that died come back after this at most. */
const VISIBILITY_MS = 300 * SECOND;

/**
 * Whatever a lost answer doubles is put off for as long as its file waits, and doubled again: in hours one file may have ten
 * thousand messages. A run has a hundred by itself.
 */
const FLOOD_MESSAGES = 200;

export interface QueueSettings {
  readonly maxBatch: number;
  readonly maxRetries: number;
  readonly maxConcurrency: number;
  readonly deadLetters?: string;
}

interface Kept {
  readonly id: string;
  readonly body: string;
  readonly sentMs: number;
  visibleMs: number;
  attempts: number;
  /** In the hands of an invocation. */
  taken: boolean;
}

/** One delivery of a message to a consumer. */
export interface Handed {
  readonly id: string;
  readonly body: unknown;
  readonly attempts: number;
  readonly timestamp: Date;
  ack(): void;
  retry(options?: { delaySeconds?: number }): void;
}

/** What of a delivery is not at its end. */
export type StillOpen = (deliveryId: string) => Promise<readonly string[]>;

/** Runs a batch as an invocation of its own; resolves when the handler is done, never if it dies. */
export type Consumer = (queue: string, messages: readonly Handed[], actor: Actor) => Promise<void>;

export interface LostMessage {
  readonly queue: string;
  readonly body: string;
  readonly why: string;
}

export class FakeQueues {
  /** Messages that a real queue would have dropped by its rules, and those that were acked too early. */
  readonly lost: LostMessage[] = [];
  /** Of any message, as its consumer was told. */
  mostAttempts = 0;
  readonly #queues = new Map<string, { settings: QueueSettings; kept: Kept[]; running: number }>();
  readonly #scheduler: Scheduler;
  readonly #weather: Weather;
  readonly #chance: Chance;
  readonly #newActor: (name: string) => Actor;
  readonly #consume: Consumer;
  readonly #stillOpen: StillOpen;
  #ids = 0;

  constructor(
    settings: Readonly<Record<string, QueueSettings>>,
    scheduler: Scheduler,
    weather: Weather,
    chance: Chance,
    newActor: (name: string) => Actor,
    consume: Consumer,
    stillOpen: StillOpen,
  ) {
    for (const [name, of] of Object.entries(settings)) this.#queues.set(name, { settings: of, kept: [], running: 0 });
    this.#scheduler = scheduler;
    this.#weather = weather;
    this.#chance = chance;
    this.#newActor = newActor;
    this.#consume = consume;
    this.#stillOpen = stillOpen;
  }

  #of(queue: string) {
    const found = this.#queues.get(queue);
    if (found === undefined) throw new Error(`There is no queue ${queue}`);
    return found;
  }

  /** Messages that wait or are being worked on. */
  get busy(): number {
    let messages = 0;
    for (const { kept, running } of this.#queues.values()) messages += kept.length + running;
    return messages;
  }

  /** The producing binding as one actor sees it. */
  bindingOf(actor: Actor, queue: string): Queue {
    const binding = {
      send: (body: unknown, options: { delaySeconds?: number } = {}) => {
        const text = JSON.stringify(body);
        const fate = this.#weather.fate(
          this.#weather.judge("queue", this.#scheduler.nowMs),
          () => new Error("Queue sendBatch failed: Internal Server Error"),
        );
        const delay = options.delaySeconds === undefined ? "" : ` in ${options.delaySeconds} s`;
        return this.#scheduler.effect(actor, `send ${queue} ${aboutOf(body)}${delay}`, fate, () =>
          this.put(queue, text, (options.delaySeconds ?? 0) * SECOND),
        );
      },
    };
    return binding as unknown as Queue;
  }

  put(queue: string, body: string, delayMs: number): void {
    const { kept } = this.#of(queue);
    const now = this.#scheduler.nowMs;
    // What is sent later may come earlier.
    const late = this.#weather.strikes(now, "queue: delayed", 0.05) ? this.#chance.spread(SECOND, 600 * SECOND) : 0;
    const jitter = this.#chance.int(1, 200);
    const id = `m${++this.#ids}`;
    const { duplicate } = this.#weather.climate.rates;
    // A message that was doubled may be in the hands of two invocations at once.
    for (let copies = this.#weather.strikes(now, "queue: doubled", duplicate) ? 2 : 1; copies > 0; copies--) {
      const visibleMs = now + delayMs + late + jitter + (copies - 1) * this.#chance.int(0, SECOND);
      kept.push({ id, body, sentMs: now, visibleMs, attempts: 0, taken: false });
      this.#scheduler.at(visibleMs, () => this.#dispatch(queue));
    }
  }

  #dispatch(queue: string): void {
    this.#weather.isFlooded = this.busy > FLOOD_MESSAGES;
    const of = this.#of(queue);
    const now = this.#scheduler.nowMs;
    of.kept = of.kept.filter((message) => {
      if (message.taken || now - message.sentMs <= RETENTION_MS) return true;
      this.lost.push({ queue, body: message.body, why: "retention" });
      return false;
    });
    while (of.running < of.settings.maxConcurrency) {
      const ready = of.kept.filter((message) => !message.taken && message.visibleMs <= now);
      if (ready.length === 0) return;
      const batch: Kept[] = [];
      while (batch.length < of.settings.maxBatch && ready.length > 0) {
        batch.push(...ready.splice(this.#chance.int(0, ready.length - 1), 1));
      }
      this.#hand(queue, batch);
    }
  }

  #hand(queue: string, batch: readonly Kept[]): void {
    const of = this.#of(queue);
    const actor = this.#newActor(queue);
    const outcome = new Map<Kept, "ack" | { delayMs: number }>();
    const messages = batch.map((message): Handed => {
      message.taken = true;
      message.attempts++;
      this.mostAttempts = Math.max(this.mostAttempts, message.attempts);
      return {
        id: message.id,
        body: JSON.parse(message.body),
        attempts: message.attempts,
        timestamp: new Date(message.sentMs),
        ack: () => {
          if (actor.alive) outcome.set(message, "ack");
        },
        retry: (options = {}) => {
          if (actor.alive) outcome.set(message, { delayMs: (options.delaySeconds ?? 0) * SECOND });
        },
      };
    });
    of.running++;
    let over = false;
    const end = (settle: (message: Kept) => "ack" | { delayMs: number }) => {
      if (over) return;
      over = true;
      of.running--;
      for (const message of batch) this.#settle(queue, message, settle(message));
      this.#scheduler.after(0, () => this.#dispatch(queue));
    };
    const comesBack = () => ({ delayMs: this.#chance.int(SECOND, VISIBILITY_MS) });
    actor.onDeath(() => {
      // Whether the acks of an invocation that died still count is not documented: either.
      const counts = this.#chance.hits(0.5);
      this.#scheduler.after(0, () => end((m) => (counts ? (outcome.get(m) ?? comesBack()) : comesBack())));
    });
    void this.#consume(queue, messages, actor).then(
      () => end((m) => (this.#loses(m) ? comesBack() : (outcome.get(m) ?? "ack"))),
      () => end((m) => outcome.get(m) ?? comesBack()),
    );
  }

  /** The handler is done, and its ack gets lost on the way. */
  #loses(_message: Kept): boolean {
    return this.#weather.strikes(this.#scheduler.nowMs, "queue: ack lost", 0.02);
  }

  /**
   * Acked means that the work is done, or that another message goes on with it. What has waited longer than a queue keeps a
   * message is the sweep's.
   */
  #acked(queue: string, { body }: Kept): void {
    const since = Date.parse(JSON.parse(body).waited?.since ?? "");
    if (this.#scheduler.nowMs - since >= RETENTION_MS) return;
    const id = /"correlationId":"([0-9a-f]{32})"/.exec(body)?.[1];
    const isAbout = (message: Kept) => id !== undefined && message.body.includes(id);
    if (id === undefined || [...this.#queues.values()].some(({ kept }) => kept.some(isAbout))) return;
    this.#scheduler.after(0, async () => {
      for (const what of await this.#stillOpen(id)) this.lost.push({ queue, body, why: `acked, and ${what}` });
    });
  }

  #settle(queue: string, message: Kept, outcome: "ack" | { delayMs: number }): void {
    const of = this.#of(queue);
    const now = this.#scheduler.nowMs;
    message.taken = false;
    if (outcome === "ack") {
      const { duplicate } = this.#weather.climate.rates;
      // Letters are few: one that comes again, after its decision, is to be seen in a run of hundreds, not of thousands.
      const often = of.settings.deadLetters === undefined ? 4 : 1;
      if (this.#weather.strikes(now, "queue: duplicated", often * duplicate)) {
        message.visibleMs = now + this.#chance.spread(SECOND, 3_600 * SECOND);
        this.#scheduler.at(message.visibleMs, () => this.#dispatch(queue));
      } else {
        of.kept = of.kept.filter((m) => m !== message);
        this.#acked(queue, message);
      }
      return;
    }
    if (message.attempts > of.settings.maxRetries) {
      of.kept = of.kept.filter((m) => m !== message);
      const { deadLetters } = of.settings;
      if (deadLetters === undefined) {
        this.lost.push({ queue, body: message.body, why: "retries without a dead-letter queue" });
      } else this.put(deadLetters, message.body, 0);
      return;
    }
    message.visibleMs = now + Math.max(1, outcome.delayMs);
    this.#scheduler.at(message.visibleMs, () => this.#dispatch(queue));
  }
}

/** The few words of a message that a trace needs. */
function aboutOf(body: unknown): string {
  const { type, correlationId, fileId } = (body ?? {}) as Record<string, unknown>;
  return [type, typeof correlationId === "string" ? correlationId.slice(0, 8) : undefined, fileId]
    .filter((word) => word !== undefined)
    .join(" ");
}
