/**
 * Durable Objects: one per name, one step at a time, its state stored before any answer leaves. It is evicted now and then,
 * and made again from what is stored.
 */
import { type AdmissionDoor, type AdmissionKeeper, keeperOf } from "../../src/admission/keeper.ts";
import type { Chance } from "./random.ts";
import type { Actor, Scheduler } from "./scheduler.ts";
import type { Weather } from "./weather.ts";

interface Kept {
  /** As in storage: a copy, never the object that the code holds. */
  stored: string | undefined;
  keeper: AdmissionKeeper | undefined;
}

export class FakeAdmissions {
  readonly #objects = new Map<string, Kept>();
  readonly #scheduler: Scheduler;
  readonly #weather: Weather;
  readonly #chance: Chance;

  constructor(scheduler: Scheduler, weather: Weather, chance: Chance) {
    this.#scheduler = scheduler;
    this.#weather = weather;
    this.#chance = chance;
  }

  /** The namespace as one actor sees it. */
  bindingOf(actor: Actor) {
    return { getByName: (name: string) => this.#stub(actor, name) };
  }

  #stub(actor: Actor, name: string): AdmissionDoor {
    const call = <T>(method: string, step: (keeper: AdmissionKeeper) => T): Promise<T> => {
      const fate = this.#weather.fate(this.#weather.judge("object", this.#scheduler.nowMs), () =>
        Object.assign(new Error("Network connection lost."), { retryable: true }),
      );
      return this.#scheduler.effect(actor, `admission ${name} ${method}`, fate, () => step(this.#keeper(name)));
    };
    return {
      reserve: (request) => call(`reserve ${request.id}`, (keeper) => keeper.reserve(request)),
      renew: (lease) => call("renew", (keeper) => keeper.renew(lease)),
      release: (given) => call(`release ${given.outcome}`, (keeper) => keeper.release(given)),
      configure: (limits) => call("configure", (keeper) => keeper.configure(limits)),
      look: () => call("look", (keeper) => keeper.look()),
    };
  }

  #keeper(name: string): AdmissionKeeper {
    let kept = this.#objects.get(name);
    if (kept === undefined) {
      kept = { stored: undefined, keeper: undefined };
      this.#objects.set(name, kept);
    }
    if (this.#weather.strikes(this.#scheduler.nowMs, "object: evicted", 0.05)) kept.keeper = undefined;
    kept.keeper ??= this.#wake(kept);
    return kept.keeper;
  }

  #wake(kept: Kept): AdmissionKeeper {
    return keeperOf({
      read: () => (kept.stored === undefined ? undefined : JSON.parse(kept.stored)),
      write(state) {
        kept.stored = JSON.stringify(state);
      },
      nowMs: () => this.#scheduler.nowMs,
      random: () => this.#chance.next(),
    });
  }
}
