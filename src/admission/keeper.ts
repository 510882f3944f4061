/**
 * Keeps the schedule of one customer: every step is stored before it is answered, so whoever keeps it may go away at any
 * moment and be taken up again from what is stored. The steps run to their end at once: calls that come together are
 * decided one after the other.
 */
import {
  type Answer,
  configure,
  type Look,
  look,
  type Release,
  type Request,
  release,
  renew,
  reserve,
} from "./admission.ts";
import type { Limits } from "./limits.ts";
import { type AdmissionState, newState } from "./state.ts";

/** What consumers and operators ask a customer's schedule, wherever it is kept. Every call may fail like a network. */
export interface AdmissionDoor {
  reserve(request: Request): Promise<Answer>;
  renew(lease: string): Promise<{ readonly held: boolean }>;
  release(given: Release): Promise<{ readonly freed: boolean }>;
  configure(limits: Limits): Promise<Look>;
  look(): Promise<Look>;
}

/** The same as it is answered on the spot. */
export type AdmissionKeeper = {
  readonly [M in keyof AdmissionDoor]: (
    ...asked: Parameters<AdmissionDoor[M]>
  ) => Awaited<ReturnType<AdmissionDoor[M]>>;
};

export interface KeeperDeps {
  /** What was stored last; undefined at first. */
  read(): unknown;
  /** Has stored it when it returns, or at least before any answer leaves. */
  write(state: AdmissionState): void;
  /** Milliseconds since 1970. */
  nowMs(): number;
  /** In [0, 1). */
  random(): number;
}

/** A state of another version is of another release: leases and places are made anew in minutes, the limits are kept. */
function stored(value: unknown, nowMs: number): AdmissionState {
  const state = value as AdmissionState | undefined;
  return state?.v === 2 ? state : newState(nowMs, state?.limits);
}

export function keeperOf(deps: KeeperDeps): AdmissionKeeper {
  let state = stored(deps.read(), deps.nowMs());
  const keep = <A>(step: { readonly state: AdmissionState; readonly answer: A }): A => {
    deps.write(step.state);
    state = step.state;
    return step.answer;
  };
  return {
    reserve: (request) => keep(reserve(state, request, deps.nowMs(), deps.random())),
    renew: (lease) => keep(renew(state, lease, deps.nowMs())),
    release: (given) => keep(release(state, given, deps.nowMs(), deps.random())),
    configure(limits) {
      const changed = configure(state, limits, deps.nowMs());
      return keep({ state: changed, answer: look(changed, deps.nowMs()) });
    },
    look: () => look(state, deps.nowMs()),
  };
}
