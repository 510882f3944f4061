/**
 * Virtual time and the order of everything. The code under test runs only between two events; whatever it wants from
 * outside is an effect, and each effect is carried out and answered when the scheduler says so.
 *
 * It relies on the code under test doing nothing between its effects but plain promises. That is checked: an effect that
 * is asked for while the scheduler did not listen stops the run.
 */
import type { Chance } from "./random.ts";
import type { Trace } from "./trace.ts";

interface Event {
  readonly atMs: number;
  readonly turn: number;
  readonly run: () => void | Promise<void>;
}

/** Something that runs: an invocation of a consumer, an SMTP session, a cron. Dead ones never get an answer again. */
export class Actor {
  readonly name: string;
  alive = true;
  readonly #onDeath: (() => void)[] = [];

  constructor(name: string) {
    this.name = name;
  }

  onDeath(run: () => void): void {
    this.#onDeath.push(run);
  }

  kill(): void {
    if (!this.alive) return;
    this.alive = false;
    for (const run of this.#onDeath) run();
  }
}

/** What becomes of one effect. Times in virtual milliseconds from the moment it was asked for. */
export interface Fate {
  /** When it is carried out; absent: never. */
  readonly doneAfterMs?: number;
  /** When the answer comes. */
  readonly answerAfterMs: number;
  /** The error to answer instead of the result. */
  readonly error?: Error;
  /** The actor dies at that moment, before or after the effect was carried out. */
  readonly killAfterMs?: number;
  /** For the trace. */
  readonly label?: string;
}

const NEVER = new Promise<never>(() => undefined);

export class Scheduler {
  nowMs: number;
  readonly chance: Chance;
  readonly trace: Trace;
  readonly #heap: Event[] = [];
  #turn = 0;
  #listening = true;
  #failed: unknown;

  constructor(startMs: number, chance: Chance, trace: Trace) {
    this.nowMs = startMs;
    this.chance = chance;
    this.trace = trace;
  }

  at(atMs: number, run: () => void | Promise<void>): void {
    push(this.#heap, { atMs: Math.max(atMs, this.nowMs), turn: this.#turn++, run });
  }

  after(delayMs: number, run: () => void | Promise<void>): void {
    this.at(this.nowMs + delayMs, run);
  }

  /** Waiting inside the code under test. */
  sleep(actor: Actor, ms: number): Promise<void> {
    if (!actor.alive) return NEVER;
    return new Promise((resolve) => {
      this.after(ms, () => {
        if (actor.alive) resolve();
      });
    });
  }

  /**
   * An effect of an actor. `perform` is atomic; it is carried out at the time its fate says, also when the actor has died
   * meanwhile: what was sent is on its way.
   */
  effect<T>(actor: Actor, name: string, fate: Fate, perform: () => T | Promise<T>): Promise<T> {
    if (!actor.alive) return NEVER;
    if (!this.#listening) {
      this.#failed ??= new Error(
        `${actor.name} asked for ${name} while the scheduler did not listen: not deterministic`,
      );
    }
    this.trace.effect();
    this.trace.line(this.nowMs, actor.name, fate.label === undefined ? name : `${name} [${fate.label}]`);
    return new Promise<T>((resolve, reject) => {
      let result: { value: T } | { thrown: unknown } | undefined;
      if (fate.doneAfterMs !== undefined) {
        this.after(fate.doneAfterMs, async () => {
          try {
            result = { value: await perform() };
          } catch (thrown) {
            result = { thrown };
          }
        });
      }
      if (fate.killAfterMs !== undefined) this.after(fate.killAfterMs, () => actor.kill());
      this.after(fate.answerAfterMs, () => {
        if (!actor.alive) return;
        if (fate.error !== undefined) reject(fate.error);
        else if (result === undefined) reject(new Error(`${name} was answered before it was done`));
        else if ("value" in result) resolve(result.value);
        else reject(result.thrown);
      });
    });
  }

  /** Runs events until `done` says so, or none is left. Answers false when time ran out at `untilMs`. */
  async run(untilMs: number, done: () => boolean = () => false): Promise<boolean> {
    for (;;) {
      if (done()) return true;
      const next = this.#heap[0];
      if (next === undefined) return true;
      if (next.atMs > untilMs) {
        this.nowMs = untilMs;
        return false;
      }
      pop(this.#heap);
      this.nowMs = next.atMs;
      const running = next.run();
      if (running !== undefined) {
        this.#listening = false;
        await running;
        this.#listening = true;
      }
      // Whoever was answered goes on now, as far as it can without an effect.
      await settled();
      if (this.#failed !== undefined) throw this.#failed;
    }
  }
}

/** All promises that can go on have gone on: Node runs them, and what they set off, before the next turn of its loop. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

const before = (a: Event, b: Event): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.turn < b.turn);

function push(heap: Event[], event: Event): void {
  let at = heap.length;
  heap.push(event);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!before(event, heap[parent]!)) break;
    heap[at] = heap[parent]!;
    at = parent;
  }
  heap[at] = event;
}

function pop(heap: Event[]): void {
  const last = heap.pop()!;
  if (heap.length === 0) return;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
    if (!before(heap[child]!, last)) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = last;
}
