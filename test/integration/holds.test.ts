/**
 * A file that does too much, through everything that is real: it is held, operator and contact are written to, a later file waits
 * behind it, and the link in a mail decides, once.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { standingRecords, startTestStack, type TestStack, until } from "../support/stack.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack({ testFeeds: true });
});
afterAll(() => stack?.stop());

const ARTICLES = 60;
let sent = 0;

/** A delta of `goods`; each comes after the one before. */
async function send(
  amountOf: (n: number) => number,
  articles = ARTICLES,
): Promise<{ readonly id: string; readonly state: string }> {
  const rows = Array.from({ length: articles }, (_, i) => `A-${i + 1};${amountOf(i + 1)};north;s${i + 1}`);
  sent++;
  const answer = await stack.post<{ delivery: { id: string } }>(`/v1/feeds/acme/goods/files?name=goods-${sent}.csv`, {
    body: `Article;Amount;Place;Shelf\n${rows.join("\n")}\n`,
  });
  const { files } = await stack.follow(answer.body.delivery.id);
  return { id: files[0]!.id, state: files[0]!.state };
}

interface Mail {
  readonly file_id: string;
  readonly recipient: string;
  readonly state: string;
  readonly sent_to: string | null;
  readonly text: string;
}
const mailsAbout = async (file: string) =>
  (await stack.api<{ items: Mail[] }>("/v1/notifications?customer=acme&feed=goods")).body.items.filter(
    (mail) => mail.file_id === file,
  );
const linksIn = ({ text }: Mail) => text.match(/http:\S+\/hold\/\S+/g) ?? [];
const fileOf = async (id: string) =>
  (
    await stack.api<{ state: string; failure: { code: string } | null; hold: Record<string, unknown> | null }>(
      `/v1/files/${id}`,
    )
  ).body;
const ended = (id: string, state: string) =>
  until(`file ${id} is ${state}`, async () => ((await fileOf(id)).state === state ? true : undefined));
const amounts = async () => new Set((await standingRecords(stack)).map(({ data }) => data.amount));

describe("a file that sets everything to zero", () => {
  let held: string;
  let behind: string;

  it("is held and changes nothing, and operator and contact are told, each with links of their own", async () => {
    expect(await send((n) => n + 100)).toMatchObject({ state: "applied" });
    const file = await send(() => 0);
    expect(file.state).toBe("held");
    held = file.id;
    expect((await amounts()).has(0)).toBe(false);
    expect(await fileOf(held)).toMatchObject({
      failure: { code: "blast-radius" },
      hold: { decision: null, later: "wait" },
    });
    const mails = await until("both mails are sent", async () => {
      const told = await mailsAbout(held);
      return told.length === 2 && told.every(({ state }) => state === "sent") ? told : undefined;
    });
    const by = (recipient: string) => mails.find((mail) => mail.recipient === recipient)!;
    expect([by("contact").sent_to, linksIn(by("contact")).length]).toEqual(["stock@acme.example", 1]);
    expect([by("operator").sent_to, linksIn(by("operator")).length]).toEqual(["operator@mailfeed.example", 3]);
  });

  it("lets a later file wait behind it", async () => {
    const file = await send((n) => n + 200, 10);
    behind = file.id;
    expect(await fileOf(behind)).toMatchObject({ state: "held", failure: { code: "behind-held-file" } });
    const { body } = await stack.api<{ items: { file_id: string; behind: number }[] }>("/v1/holds");
    expect(body.items).toMatchObject([{ file_id: held, behind: 1 }]);
  });

  it("is thrown away by the contact's link: opened it shows, pressed it decides, and the later file goes on", async () => {
    const contact = (await mailsAbout(held)).find(({ recipient }) => recipient === "contact")!;
    const [link] = linksIn(contact);
    const shown = await fetch(link!);
    expect([shown.status, await shown.text()]).toEqual([200, expect.stringContaining("Throw this file away?")]);
    expect((await fileOf(held)).state).toBe("held");
    const pressed = await fetch(link!, { method: "POST" });
    expect([pressed.status, await pressed.text()]).toEqual([200, expect.stringContaining("The file is thrown away")]);
    expect(await fileOf(held)).toMatchObject({
      state: "rejected",
      failure: { code: "refused-by-contact" },
      hold: { decision: "reject", decided_by: "contact (mail link)" },
    });
    await ended(behind, "applied");
    expect(await amounts()).toContain(201);
    const operator = (await mailsAbout(held)).find(({ recipient }) => recipient === "operator")!;
    const late = await fetch(linksIn(operator)[0]!, { method: "POST" });
    expect([late.status, await late.text()]).toEqual([409, expect.stringContaining("The file is rejected")]);
  });

  it("comes again, is released by the operator's link, and is applied as it is", async () => {
    const file = await send(() => 0);
    expect(file.state).toBe("held");
    const operator = await until("the operator's mail is sent", async () =>
      (await mailsAbout(file.id)).find(({ recipient, state }) => recipient === "operator" && state === "sent"),
    );
    const [release, ...others] = linksIn(operator);
    expect((await fetch(release!, { method: "POST" })).status).toBe(200);
    for (const link of others) expect((await fetch(link, { method: "POST" })).status).toBe(409);
    await ended(file.id, "applied");
    expect(await amounts()).toEqual(new Set([0]));
  });
});
