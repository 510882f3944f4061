/** The way back: mails, a moment between them, the command that shows and does, and what the ERP says next. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { generateSamples, type Sample } from "../../cli/samples/generate.ts";
import { mailfeed } from "../cli/run.ts";
import {
  mailOfFile,
  mailOfSample,
  standingRecords,
  startTestStack,
  type TestStack,
  until,
  written,
} from "../support/stack.ts";

/** Three exports, four hours apart, all of them in the past. */
const FIRST_EXPORT = new Date(Date.now() - 12 * 3_600_000);
const inventories = [1, 2].map(
  (edition) =>
    generateSamples({ scale: 0.05, now: FIRST_EXPORT, edition }).find(
      ({ customer, feed }) => customer === "acme" && feed === "inventory",
    )!,
);
const [first, second] = inventories as [Sample, Sample];

let stack: TestStack;
/** Between the two files. */
let at: string;
beforeAll(async () => {
  stack = await startTestStack();
});
afterAll(() => stack?.stop());

const run = (...args: string[]) => mailfeed(...args, "--url", stack.url, "--token", stack.operator);
const active = async () => (await standingRecords(stack)).filter(({ status }) => status === "active");

describe("a feed that is brought back", () => {
  it("is what it was, all of it is told, and the same file of the ERP counts as said anew", async () => {
    expect((await stack.deliver(mailOfSample(first))).files[0]!.state).toBe("applied");
    const before = await active();
    [{ at }] = (await stack.sql`SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC' + interval '1 ms',
      'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at`) as [{ at: string }];
    expect((await stack.deliver(mailOfSample(second))).files[0]!.state).toBe("applied");
    const after = await active();
    expect(after).not.toEqual(before);

    const exported = await run("records", "acme/inventory", "--as-of", at);
    expect(exported.code).toBe(0);
    const lines = exported.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { key: string; data: unknown });
    expect(lines.map(({ key, data }) => ({ key, data }))).toEqual(before.map(({ key, data }) => ({ key, data })));

    const shown = await run("restore", "acme/inventory", "--to", at);
    expect(shown.code).toBe(0);
    expect(await active()).toEqual(after);
    const [, digest] = /--yes ([0-9a-f]{12})/.exec(shown.stdout) ?? [];
    const eventsBefore = (await written(stack)).events;
    const done = await run("restore", "acme/inventory", "--to", at, "--yes", digest!);
    expect([done.code, done.stderr.split("\n").at(-2)]).toEqual([0, expect.stringMatching(/ are restored$/)]);
    expect(await active()).toEqual(before);
    const changed = Number(/of ([\d,]+) records? restored/.exec(done.stdout)![1]!.replaceAll(",", ""));
    expect((await written(stack)).events - eventsBefore).toBe(changed);

    const again = await run("restore", "acme/inventory", "--to", at);
    expect(again.stdout).toContain("nothing to do");
    const blind = await run("restore", "acme/inventory", "--to", at, "--yes", digest!);
    expect([blind.code, blind.stderr]).toEqual([2, expect.stringContaining("have moved since")]);

    // An old export that comes once more stays behind it; the same said of today is news, and goes over it.
    expect((await stack.deliver(mailOfSample(second, 2))).files[0]!.state).toBe("duplicate");
    expect(await active()).toEqual(before);
    const today = await stack.deliver(mailOfFile({ ...second, sentAt: new Date() }, 3));
    expect(today.files[0]!.state).toBe("applied");
    expect(await active()).toEqual(after);
  });

  it("left its files in the archive, with the facts of what they are", async () => {
    const keys = (await stack.keys("raw/acme/")).filter((key) => key.endsWith(".ndjson"));
    expect(keys).toHaveLength(1);
    const text = new TextDecoder().decode(await stack.object(keys[0]!));
    const [header, ...rows] = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(header).toMatchObject({ restore: { customer: "acme", feed: "inventory", part: 1, parts: 1 } });
    const { body } = await stack.api<{ items: { id: string; cause: string; books: object }[] }>(
      "/v1/files?customer=acme&feed=inventory",
    );
    expect(body.items.find(({ cause }) => cause === "restore")).toMatchObject({
      state: "applied",
      books: { balanced: true },
    });
    expect(rows.length).toBeGreaterThan(0);
  });

  it("is not undone by a replay of all that the ERP has ever said, which leaves the restore out", async () => {
    const shown = await run("restore", "acme/inventory", "--to", at);
    const [, digest] = /--yes ([0-9a-f]{12})/.exec(shown.stdout) ?? [];
    expect((await run("restore", "acme/inventory", "--to", at, "--yes", digest!)).code).toBe(0);
    const before = await standingRecords(stack);
    const { events } = await written(stack);
    const asked = { method: "POST", body: JSON.stringify({ customer: "acme", feed: "inventory" }) };
    const started = await stack.post<{ status_url: string }>("/v1/replays", asked);
    expect(started.status).toBe(202);
    const replay = await until("the replay is done", async () => {
      const { body } = await stack.api<{ state: string }>(started.body.status_url);
      return body.state === "done" ? body : undefined;
    });
    expect(JSON.stringify(replay)).toContain('"restore"');
    expect(await standingRecords(stack)).toEqual(before);
    expect((await written(stack)).events).toBe(events);
  });
});
