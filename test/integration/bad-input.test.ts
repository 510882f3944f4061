/** Everything bad that comes by mail: it ends in a named state, changes nothing, is kept, and stops nobody. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  BAD_INPUTS,
  type BadInput,
  fileAmongHundred,
  goodMail,
  largestMail,
  tooLargeMail,
} from "../support/bad-input.ts";
import { longAgo, type Mail, standingRecords, startTestStack, type TestStack, until } from "../support/stack.ts";

let stack: TestStack;
let before: Awaited<ReturnType<typeof standingRecords>>;
beforeAll(async () => {
  stack = await startTestStack();
  await stack.deliver(goodMail());
  before = await standingRecords(stack);
});
afterAll(() => stack?.stop());

async function landsWhole(mail: Mail): Promise<void> {
  await longAgo(stack.sql);
  const { state, files } = await stack.deliver(mail);
  expect({ state, files: files.map((file) => [file.state, file.failure]) }).toEqual({
    state: "parsed",
    files: [["applied", null]],
  });
}

async function isKept(deliveryId: string, mail: Mail): Promise<void> {
  const [row] = await stack.sql`SELECT raw_key FROM deliveries WHERE id = ${deliveryId}`;
  expect(Buffer.compare((await stack.object(String(row!.raw_key)))!, mail.raw)).toBe(0);
}

async function endsAsItMust({ mail, end }: BadInput): Promise<void> {
  const accepted = await stack.mailIn(mail);
  if (end.at === "door") {
    expect(accepted).toMatchObject({ accepted: false, reason: expect.stringContaining(end.sentence) });
    return;
  }
  if (!accepted.accepted) throw new Error(accepted.reason);
  const delivery = await stack.follow(accepted.deliveryId);
  const failed = (of: { failure: { code: string; sentence: string } | null }) => ({
    code: of.failure?.code,
    sentence: of.failure?.sentence,
  });
  const { code } = end;
  const sentence = expect.stringContaining(end.sentence);
  if (end.at === "delivery") {
    expect({ state: delivery.state, ...failed(delivery) }).toEqual({ state: end.state, code, sentence });
    expect(delivery.files).toEqual([]);
  } else {
    expect(delivery.files.map((file) => ({ path: file.path, state: file.state, ...failed(file) }))).toContainEqual({
      path: end.path,
      state: end.drift ? "held" : end.state,
      code: end.drift ? "format-drift" : code,
      sentence,
    });
    expect(delivery.files.filter(({ state }) => state === "applied")).toEqual([]);
  }
  await isKept(accepted.deliveryId, mail);
}

describe("bad input", () => {
  it.each(Object.entries(BAD_INPUTS))(
    "%s ends as it must, changes nothing, and the next mail lands",
    async (_, make) => {
      await endsAsItMust(make());
      expect(await standingRecords(stack)).toEqual(before);
      await landsWhole(goodMail());
      expect(await standingRecords(stack)).toEqual(before);
    },
  );

  it("all of them at once stop nobody either", async () => {
    await Promise.all([...Object.values(BAD_INPUTS).map((make) => endsAsItMust(make())), landsWhole(goodMail())]);
    expect(await standingRecords(stack)).toEqual(before);
    expect((await stack.api<{ items: unknown[] }>("/v1/dead-letters")).body.items).toEqual([]);
  });
});

describe("large but good", () => {
  it("the file is found as the last of a hundred attachments", async () => {
    await landsWhole(fileAmongHundred());
  });

  it("a mail of 25 MiB lands whole, and one byte more is refused", async () => {
    const { mail, rows } = largestMail();
    expect(mail.raw.length).toBe(25 * 1_048_576);
    // Nobody expects so many rows of this feed: somebody looks first, and says that it is right.
    const { files, id } = await stack.deliver(mail);
    expect(files.map(({ state, failure }) => [state, failure?.code])).toEqual([["held", "blast-radius"]]);
    expect((await stack.post(`/v1/files/${files[0]!.id}/release`)).status).toBe(202);
    const delivery = await until("it is applied", async () => {
      const now = await stack.follow(id);
      return now.files[0]?.state === "applied" ? now : undefined;
    });
    expect(delivery.files.map(({ books }) => books.lines?.accepted)).toEqual([rows]);
    await isKept(delivery.id, mail);

    const keys = await stack.keys("raw/");
    const refused = await stack.mailIn(tooLargeMail());
    expect(refused.accepted).toBe(false);
    expect(await stack.keys("raw/")).toEqual(keys);
  });
});
