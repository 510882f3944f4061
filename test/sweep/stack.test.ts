/** The whole system: what the archive holds is enough. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { generateSamples } from "../../cli/samples/generate.ts";
import { LONGEST_PAUSE_MINUTES } from "../../src/sweep/wake.ts";
import {
  forgetEverything,
  mailOfSample,
  standingRecords,
  startTestStack,
  type TestStack,
  until,
} from "../support/stack.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack();
});
afterAll(() => stack.stop());

/** The ten-minute cron, told that it is long after everything that has happened. */
async function cron(): Promise<void> {
  const later = Date.now() + 2 * LONGEST_PAUSE_MINUTES * 60_000;
  const query = new URLSearchParams({ cron: "*/10 * * * *", time: String(later), format: "json" });
  const response = await fetch(`${stack.url}/cdn-cgi/local/scheduled?${query}`);
  await response.body?.cancel();
  expect(response.ok).toBe(true);
}

it("a mail of which the database knows nothing, as its message was lost, is found by the cron and lands as it would have", async () => {
  const sample = generateSamples({ edition: 1, now: new Date() }).find(({ feed }) => feed === "inventory")!;
  const { id } = await stack.deliver(mailOfSample(sample));
  const landed = await standingRecords(stack);
  expect(landed.length).toBeGreaterThan(0);
  await forgetEverything(stack);
  expect(await standingRecords(stack)).toEqual([]);

  await cron();
  const again = await until("the delivery to come back", async () => {
    const { status } = await stack.api(`/v1/deliveries/${id}`);
    return status === 200 ? stack.follow(id) : undefined;
  });
  expect(again.state).toBe("parsed");
  expect(await standingRecords(stack)).toEqual(landed);

  const { body } = await stack.api<{ items: { name: string; error: string | null; last_ok_at: string | null }[] }>(
    "/v1/jobs",
  );
  const sweep = body.items.find(({ name }) => name === "sweep");
  expect(sweep).toMatchObject({ error: null, result: { strays: 1, givenUp: 0, unfinished: false } });
  expect(body.items.filter(({ error, last_ok_at }) => error !== null || last_ok_at === null)).toEqual([]);
});
