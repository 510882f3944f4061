/** A replay in the real runtime: the archive's own list says what stands beside each object. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { generateSamples } from "../../cli/samples/generate.ts";
import {
  forgetEverything,
  mailOfSample,
  standingRecords,
  startTestStack,
  type TestStack,
  until,
  written,
} from "../support/stack.ts";

const samples = generateSamples({ scale: 0.05, now: new Date(Date.now() - 3_600_000) });

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack();
});
afterAll(() => stack?.stop());

interface Shown {
  readonly state: string;
  readonly totals: Record<string, number>;
  readonly progress: { readonly deliveries: Record<string, number> };
}

async function replayed(body: object): Promise<Shown> {
  const begun = await stack.post<{ replay: { id: string } }>("/v1/replays", { body: JSON.stringify(body) });
  expect(begun.status).toBe(202);
  return until("the replay is done", async () => {
    const { body: shown } = await stack.api<Shown>(`/v1/replays/${begun.body.replay.id}`);
    return shown.state === "done" ? shown : undefined;
  });
}

it("over what is there changes nothing, as a shadow says; in an empty database makes the same", async () => {
  for (const feed of ["inventory", "buchungen"]) {
    const { files } = await stack.deliver(mailOfSample(samples.find((sample) => sample.feed === feed)!));
    expect(files.map(({ state, failure }) => ({ state, failure }))).toEqual([{ state: "applied", failure: null }]);
  }
  const before = [await standingRecords(stack), await written(stack)];
  expect(await replayed({ all: true, shadow: true })).toMatchObject({
    progress: { deliveries: { total: 2, done: 2 } },
    totals: { files: 2, inserted: 0, changed: 0, retired: 0, held: 0 },
  });
  expect(await replayed({ all: true })).toMatchObject({ totals: { files: 2, inserted: 0, changed: 0, retired: 0 } });
  expect([await standingRecords(stack), await written(stack)]).toEqual(before);
  await forgetEverything(stack);
  expect(await replayed({ all: true })).toMatchObject({ progress: { deliveries: { done: 2, failed: 0 } } });
  expect([await standingRecords(stack), await written(stack)]).toEqual(before);
});
