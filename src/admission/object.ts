/** The Durable Object: one for each customer, by its name. What it decides is in admission.ts. */
import { DurableObject } from "cloudflare:workers";
import type { Release, Request } from "./admission.ts";
import { type AdmissionKeeper, keeperOf } from "./keeper.ts";
import type { Limits } from "./limits.ts";

const KEY = "state";

/** No answer leaves before its write is on disk: the platform's output gate holds it back until then. */
export class Admission extends DurableObject {
  readonly #keeper: AdmissionKeeper;

  constructor(context: DurableObjectState, env: Cloudflare.Env) {
    super(context, env);
    const { kv } = context.storage;
    this.#keeper = keeperOf({
      read: () => kv.get(KEY),
      write: (state) => kv.put(KEY, state),
      nowMs: () => Date.now(),
      random: () => Math.random(),
    });
  }

  reserve(request: Request) {
    return this.#keeper.reserve(request);
  }

  renew(lease: string) {
    return this.#keeper.renew(lease);
  }

  release(given: Release) {
    return this.#keeper.release(given);
  }

  configure(limits: Limits) {
    return this.#keeper.configure(limits);
  }

  look() {
    return this.#keeper.look();
  }
}
