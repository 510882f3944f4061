/** The Durable Object itself, in Cloudflare's runtime: what it is told lasts, whatever becomes of the instance. */
import { abortAllDurableObjects, env, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import type { AdmissionDoor } from "../../src/admission/keeper.ts";
import { DEFAULT_LIMITS } from "../../src/admission/limits.ts";

const { ADMISSION } = env as unknown as { ADMISSION: DurableObjectNamespace };
const doorOf = (customer: string) => {
  const stub = ADMISSION.getByName(customer);
  return { stub, door: stub as unknown as AdmissionDoor };
};
const two = { ...DEFAULT_LIMITS, filesAtOnce: 2 };

describe("the Durable Object of a customer", () => {
  it("lets in as many as there are slots when many ask at the same moment", async () => {
    const { door } = doorOf("many");
    await door.configure(two);
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => door.reserve({ id: String(i + 1), rows: 10 })),
    );
    expect(answers.filter(({ admitted }) => admitted)).toHaveLength(2);
    const told = answers.flatMap((answer) => (answer.admitted ? [] : [answer.atMs]));
    expect(new Set(told).size).toBeGreaterThan(40);
    expect((await door.look()).waiting.files).toBe(48);
  });

  it("forgets nothing when it is evicted: limits, leases, places and the breaker", async () => {
    const { stub, door } = doorOf("evicted");
    await door.configure(two);
    const first = await door.reserve({ id: "1", rows: 10 });
    await door.reserve({ id: "2", rows: 10 });
    await door.reserve({ id: "3", rows: 10 });
    const before = await door.look();
    await evictDurableObject(stub);
    const { rowsLeft: _, ...after } = await door.look();
    expect(before).toMatchObject(after);
    expect(await door.reserve({ id: "4", rows: 10 })).toMatchObject({ admitted: false });
    if (!first.admitted) throw new Error("the first was not let in");
    await evictDurableObject(stub);
    expect(await door.release({ lease: first.lease, outcome: "away", written: 0 })).toEqual({ freed: true });
    await evictDurableObject(stub);
    expect((await door.look()).database.is).toBe("away");
  });

  it("forgets nothing of what it has answered when the instance dies", async () => {
    const { door } = doorOf("died");
    await door.configure(two);
    await door.reserve({ id: "1", rows: 10 });
    await abortAllDurableObjects();
    const again = doorOf("died").door;
    expect((await again.look()).slots.files.map(({ id }) => id)).toEqual(["1"]);
  });

  it("frees one slot for a lease that is released twice at once", async () => {
    const { door } = doorOf("twice");
    await door.configure(two);
    const given = await door.reserve({ id: "1", rows: 10 });
    await door.reserve({ id: "2", rows: 10 });
    if (!given.admitted) throw new Error("not let in");
    const freed = await Promise.all(
      [1, 2].map(() => door.release({ lease: given.lease, outcome: "done", written: 1 })),
    );
    expect(freed.filter((one) => one.freed)).toHaveLength(1);
  });

  it("has nothing to do with the object of another customer", async () => {
    const busy = doorOf("busy").door;
    await busy.configure({ ...DEFAULT_LIMITS, filesAtOnce: 1 });
    await busy.reserve({ id: "1", rows: 10_000_000 });
    expect((await doorOf("quiet").door.reserve({ id: "1", rows: 10 })).admitted).toBe(true);
  });

  it("keeps the limits of a state that another release has written", async () => {
    const { stub, door } = doorOf("later");
    await runInDurableObject(stub, (_, { storage }) => storage.kv.put("state", { v: 1, limits: two, more: "unknown" }));
    await evictDurableObject(stub);
    expect((await door.look()).limits).toEqual(two);
    expect((await door.reserve({ id: "1", rows: 1 })).admitted).toBe(true);
  });
});
