/** A customer's schedule in memory, with the real keeper: for tests without Durable Objects. */
import { type AdmissionDoor, keeperOf } from "../../src/admission/keeper.ts";
import type { AdmissionState } from "../../src/admission/state.ts";

export interface MemoryAdmission {
  readonly door: AdmissionDoor;
  /** The state as it is stored. */
  stored(): AdmissionState | undefined;
  /** The instance is gone; the next call begins with what is stored. */
  evict(): void;
}

export function memoryAdmission(nowMs: () => number, random: () => number = () => 0): MemoryAdmission {
  let kept: string | undefined;
  const wake = () =>
    keeperOf({
      read: () => (kept === undefined ? undefined : JSON.parse(kept)),
      write(state) {
        kept = JSON.stringify(state);
      },
      nowMs,
      random,
    });
  let keeper = wake();
  return {
    door: {
      reserve: async (request) => keeper.reserve(request),
      renew: async (lease) => keeper.renew(lease),
      release: async (given) => keeper.release(given),
      configure: async (limits) => keeper.configure(limits),
      look: async () => keeper.look(),
    },
    stored: () => (kept === undefined ? undefined : (JSON.parse(kept) as AdmissionState)),
    evict() {
      keeper = wake();
    },
  };
}
