/** From the first file of an unknown feed to the file that no longer fits: held, told, decided, read. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DeliveryStatus } from "../../cli/local/mailroom.ts";
import { DEV_ADDRESS_SECRET, DEV_MAIL_DOMAIN } from "../../cli/local/settings.ts";
import { mailOf } from "../../cli/samples/mail.ts";
import { feedAddress } from "../../src/domain/address.ts";
import { type Mail, standingRecords, startTestStack, type TestStack, until } from "../support/stack.ts";
import { testFeeds } from "../support/test-feeds.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack({ testFeeds: true });
});
afterAll(() => stack?.stop());

let sequence = 0;

/** A mail with one file for a feed of Acme's; each is a minute younger than the one before. */
function fileFor(feed: string, text: string, name = `${feed}.csv`): Mail {
  sequence++;
  const adapter = testFeeds.find((one) => one.feed === feed)!;
  const to = feedAddress(adapter, DEV_ADDRESS_SECRET, DEV_MAIL_DOMAIN);
  const from = "erp@acme.example";
  const raw = mailOf({
    from,
    to,
    subject: `${feed} ${sequence}`,
    date: new Date(Date.now() - 3_600_000 + sequence * 60_000),
    messageId: `<formats-${sequence}.${process.pid}.${Date.now()}@acme.example>`,
    body: "Automatic export.",
    attachments: [{ name, contentType: "text/csv", bytes: new TextEncoder().encode(text) }],
  });
  return { from, to, raw };
}

const send = (feed: string, text: string, name?: string) => stack.deliver(fileFor(feed, text, name));
const endOf = ({ files }: DeliveryStatus) => files.map(({ state, failure }) => [state, failure?.code ?? null]);
const LANDED = [["applied", null]];

interface Problem {
  readonly type: string;
  readonly detail: string;
  readonly faults: { path: string; message: string }[];
  readonly questions: { what: string; column?: string; options: string[]; assumed: string | null }[];
}

const post = <T>(path: string, body: unknown = {}) => stack.post<T>(path, { body: JSON.stringify(body) });
const recordsOf = async (feed: string) =>
  (await standingRecords(stack)).filter((record) => record.feed === `acme/${feed}`).map(({ key, data }) => [key, data]);

/** The mails about a feed, the oldest first. */
async function mailsAbout(feed: string) {
  const { body } = await stack.api<{ items: { subject: string; text: string; state: string; file_id: string }[] }>(
    `/v1/notifications?customer=acme&feed=${feed}`,
  );
  return body.items.toReversed();
}

interface Version {
  readonly kind: string;
  readonly version: number;
  readonly state: string;
  readonly created_by: string;
}
async function versionsOf(feed: string): Promise<string[]> {
  const { body } = await stack.api<{ items: Version[] }>(`/v1/feeds/acme/${feed}/versions`);
  return body.items.map(({ kind, version, state, created_by }) => `${kind} ${version} ${state} by ${created_by}`);
}

describe("a feed that nobody has described", () => {
  const first = "Article;Price;Valid from\r\nA-1;12,50;03/04/2024\r\nA-2;1,20;05/06/2024\r\nA-3;99,90;07/08/2024\r\n";
  const waiting: DeliveryStatus[] = [];

  it("its first file is read to a proposal and held, and so are those behind it: one question, one mail", async () => {
    waiting.push(await send("prices", first));
    waiting.push(await send("prices", first.replace("99,90", "89,90")));
    expect(waiting.map(endOf)).toEqual([[["held", "format-unconfirmed"]], [["held", "format-unconfirmed"]]]);
    expect(await versionsOf("prices")).toEqual(["profile 1 proposed by detection", "mapping 1 proposed by detection"]);
    const mails = await mailsAbout("prices");
    expect(mails.map(({ file_id }) => file_id)).toEqual([waiting[0]!.files[0]!.id]);
    expect(mails[0]!.text).toContain("acme/prices has no agreed format yet");
    expect(mails[0]!.text).toContain("/v1/feeds/acme/prices/profile/accept");
    expect(await recordsOf("prices")).toEqual([]);
  });

  it("cannot be accepted before the date is answered; all that is open is told at once", async () => {
    const { status, body } = await post<Problem>("/v1/feeds/acme/prices/profile/accept");
    expect(status).toBe(422);
    expect(body.questions.map(({ what, column }) => [what, column])).toContainEqual(["dateOrder", "Valid from"]);
    expect(await versionsOf("prices")).toEqual(["profile 1 proposed by detection", "mapping 1 proposed by detection"]);
  });

  it("a body that is not what it should be is refused with every fault and its path", async () => {
    const { status, body } = await post<Problem>("/v1/feeds/acme/prices/profile/accept", {
      answers: [{ what: "dateOrder" }],
      profile: { format: { header: true, delimiter: "" } },
    });
    expect(status).toBe(400);
    expect(body.faults.map(({ path }) => path)).toEqual(["answers.0.answer", "profile.format.delimiter"]);
  });

  it("accepted with answers, all that waited lands in its order, and the next file lands at once", async () => {
    const { body: open } = await post<Problem>("/v1/feeds/acme/prices/profile/accept");
    const answers = open.questions.map(({ what, column, options, assumed }) => ({
      what,
      ...(column === undefined ? {} : { column }),
      answer: what === "dateOrder" ? options.find((option) => option.startsWith("d"))! : (assumed ?? options[0]!),
    }));
    const accepted = await post("/v1/feeds/acme/prices/profile/accept", { answers, note: "asked Acme" });
    expect(accepted).toMatchObject({ status: 202 });
    const landed = await Promise.all(waiting.map(({ id }) => stack.follow(id)));
    expect(landed.map(endOf)).toEqual([LANDED, LANDED]);
    expect(await send("prices", "Article;Price;Valid from\r\nA-4;7,00;01/02/2024\r\n").then(endOf)).toEqual(LANDED);
    const dates = (await recordsOf("prices")).map(([key, data]) => [
      key,
      Object.values(data as Record<string, unknown>).filter((value) => /^2024-/.test(String(value))),
    ]);
    expect(dates).toEqual([
      ["A-1", ["2024-04-03"]],
      ["A-2", ["2024-06-05"]],
      ["A-3", ["2024-08-07"]],
      ["A-4", ["2024-02-01"]],
    ]);
    expect(await versionsOf("prices")).toEqual(["profile 1 active by detection", "mapping 1 active by detection"]);
    expect(await mailsAbout("prices")).toHaveLength(1);
  });

  it("accepting again does no harm", async () => {
    const before = await versionsOf("prices");
    expect((await post("/v1/feeds/acme/prices/profile/accept")).status).toBe(202);
    expect(await versionsOf("prices")).toEqual(before);
  });
});

describe("a feed whose columns are known and whose format is not", () => {
  const wrong = "this is\r\nno table; at all\r\n";
  const text = "Deal,Until,Discount\r\nD-1,2024-12-24,5.75\r\nD-2,2024-12-31,7.90\r\n";

  it("a refused proposal ends the files that wait for it, with the reason", async () => {
    const delivery = await send("deals", text.replace("5.75", "6.75"));
    expect(endOf(delivery)).toEqual([["held", "format-unconfirmed"]]);
    expect((await post("/v1/feeds/acme/deals/profile/reject", { note: "test data" })).status).toBe(200);
    const { files } = await stack.follow(delivery.id);
    expect(files[0]).toMatchObject({ state: "rejected", failure: { code: "refused-by-operator" } });
    expect(files[0]!.failure!.sentence).toContain("test data");
  });

  it("what is no table is refused by itself and proposes nothing", async () => {
    const delivery = await send("deals", wrong);
    expect(delivery.files.map(({ state }) => state)).not.toContain("applied");
  });

  it("a file without questions is accepted without answers", async () => {
    await post("/v1/feeds/acme/deals/profile/reject");
    const delivery = await send("deals", text);
    expect(endOf(delivery)).toEqual([["held", "format-unconfirmed"]]);
    expect(await post("/v1/feeds/acme/deals/profile/accept")).toMatchObject({ status: 202 });
    expect(endOf(await stack.follow(delivery.id))).toEqual(LANDED);
    expect(await recordsOf("deals")).toEqual([
      ["D-1", { deal: "D-1", until: "2024-12-24", discount: "5.75" }],
      ["D-2", { deal: "D-2", until: "2024-12-31", discount: "7.9" }],
    ]);
  });
});

const stockRows = (from: number, rows: number): string =>
  Array.from({ length: rows }, (_, i) => `${40_000_000 + from + i};${i},500;Hall ${i % 4}\r\n`).join("");
const stock = (from = 0, rows = 40) => `Article;Amount;Place\r\n${stockRows(from, rows)}`;

describe("a feed that its adapter describes", () => {
  it("lands at once, and its first file pins version 1 with what it showed", async () => {
    expect(await send("stock", stock()).then(endOf)).toEqual(LANDED);
    expect(await versionsOf("stock")).toEqual(["profile 1 active by adapter", "mapping 1 active by adapter"]);
    const { body } = await stack.api<{ data: { columns: { name: string; shape?: unknown }[] } }>(
      "/v1/feeds/acme/stock/versions/profile/1",
    );
    expect(body.data.columns.map(({ name, shape }) => [name, shape !== undefined])).toEqual([
      ["Article", true],
      ["Amount", true],
      ["Place", true],
    ]);
    expect(await send("stock", stock(40)).then(endOf)).toEqual(LANDED);
  });

  it("a renamed column: held with both sides, the original sentence and one mail; accepted, it lands", async () => {
    const renamed = stock(80).replace("Amount", "Quantity");
    const delivery = await send("stock", renamed);
    expect(endOf(delivery)).toEqual([["held", "format-drift"]]);
    const { id, failure } = delivery.files[0]!;
    expect(failure!.sentence).toContain("lacks “Amount”");
    const { body } = await stack.api<{
      drift: { drift: { cause: string; differences: { pinned: string; found: string }[] } };
    }>(`/v1/files/${id}`);
    expect(body.drift.drift.cause).toBe("renamed-column");
    expect(body.drift.drift.differences).toContainEqual(
      expect.objectContaining({ pinned: "Amount", found: "Quantity" }),
    );
    const [mail, ...others] = await mailsAbout("stock");
    expect(others).toEqual([]);
    expect(mail!.text).toContain("Quantity");
    expect(mail!.text).toContain(`/v1/files/${id}/accept-drift`);

    expect(await post(`/v1/files/${id}/accept-drift`, { note: "renamed on purpose" })).toMatchObject({ status: 202 });
    expect(endOf(await stack.follow(delivery.id))).toEqual(LANDED);
    expect(await versionsOf("stock")).toEqual([
      "profile 2 active by local operator",
      "profile 1 retired by adapter",
      "mapping 2 active by local operator",
      "mapping 1 retired by adapter",
    ]);
    expect(await send("stock", stock(120).replace("Amount", "Quantity")).then(endOf)).toEqual(LANDED);
    expect(await recordsOf("stock")).toHaveLength(160);
    expect((await post(`/v1/files/${id}/accept-drift`)).status).toBe(202);
  });

  it("another delimiter that is refused by the operator: rejected with the reason, nothing applied", async () => {
    const delivery = await send("stock", stock(160).replace("Amount", "Quantity").replaceAll(";", "|"));
    expect(endOf(delivery)).toEqual([["held", "format-drift"]]);
    const { id } = delivery.files[0]!;
    expect((await post(`/v1/files/${id}/reject`, {})).status).toBe(400);
    expect((await post(`/v1/files/${id}/reject`, { reason: "sent by mistake" })).status).toBe(200);
    expect((await stack.follow(delivery.id)).files[0]).toMatchObject({
      state: "rejected",
      failure: { code: "refused-by-operator" },
    });
    expect((await post(`/v1/files/${id}/accept-drift`)).status).toBe(409);
    expect(await recordsOf("stock")).toHaveLength(160);
  });

  it("a column that is read and is gone: the drift is accepted only with a mapping that does without it", async () => {
    const rows = Array.from({ length: 40 }, (_, i) => `${41_000_000 + i};${i},500\r\n`).join("");
    const delivery = await send("stock", `Article;Quantity\r\n${rows}`);
    expect(endOf(delivery)).toEqual([["held", "format-drift"]]);
    const { id } = delivery.files[0]!;
    expect((await mailsAbout("stock")).at(-1)!.text).toContain("“Place” is no column of the file");
    const refused = await post<Problem>(`/v1/files/${id}/accept-drift`);
    expect([refused.status, refused.body.faults]).toEqual([
      422,
      [{ path: "mapping.columns.2.source", message: "“Place” is no column of the file" }],
    ]);
    const { body } = await stack.api<{ data: { columns: { name: string }[]; key: string[] } }>(
      "/v1/feeds/acme/stock/versions/mapping/2",
    );
    const mapping = { ...body.data, columns: body.data.columns.filter(({ name }) => name !== "place") };
    expect((await post(`/v1/files/${id}/accept-drift`, { mapping })).status).toBe(202);
    expect(endOf(await stack.follow(delivery.id))).toEqual(LANDED);
    expect((await recordsOf("stock")).at(-1)).toEqual(["41000039", { article: "41000039", amount: "39.5" }]);
  });

  it("the file of another feed whose header fits is held by the look of its values", async () => {
    const tariff = Array.from({ length: 40 }, (_, i) => `${50_000_000 + i};EUR ${i}.00 per box;Zone\r\n`).join("");
    expect(await send("tariff", `Article;Amount;Place\r\n${tariff}`).then(endOf)).toEqual(LANDED);
    const delivery = await send("tariff", stock(), "tariff-2.csv");
    expect(endOf(delivery)).toEqual([["held", "format-drift"]]);
    expect(await recordsOf("tariff")).toHaveLength(40);
  });

  it("an adapter that says something else supersedes what was pinned, by itself and audited", async () => {
    await stack.sql`UPDATE feed_versions v SET base = 'another text', data = jsonb_set(data, '{format,delimiter}', '"|"')
      FROM feeds f WHERE f.id = v.feed_id AND f.slug = 'tariff' AND v.kind = 'profile'`;
    const text = Array.from({ length: 40 }, (_, i) => `${60_000_000 + i};EUR ${i}.00 per box;Zone\r\n`).join("");
    expect(await send("tariff", `Article;Amount;Place\r\n${text}`).then(endOf)).toEqual(LANDED);
    expect(await versionsOf("tariff")).toEqual([
      "profile 2 active by adapter",
      "profile 1 retired by adapter",
      "mapping 1 active by adapter",
    ]);
    const audited =
      await stack.sql`SELECT actor, action, subject FROM audit_log WHERE subject LIKE '%tariff' ORDER BY id`;
    expect(audited.at(-1)).toEqual({
      actor: "adapter",
      action: "activate",
      subject: "profile 2 of feed acme/tariff",
    });
  });
});

describe("a feed whose files are numbered", () => {
  const batch = (number: number) => send("batches", `Batch;State\r\nB-${number};made\r\n`, `batch_${number}.csv`);

  it("a gap holds the file until the one that was missing has come, or somebody releases it", async () => {
    expect(endOf(await batch(1))).toEqual(LANDED);
    const early = await batch(3);
    expect(endOf(early)).toEqual([["held", "sequence-gap"]]);
    expect(endOf(await batch(2))).toEqual(LANDED);
    expect(endOf(await batch(2))).toEqual([["duplicate", null]]);
    const other = await send("batches", "Batch;State\r\nB-2;sold\r\n", "batch_2.csv");
    expect(endOf(other)).toEqual([["held", "sequence-repeated"]]);
    const { id } = early.files[0]!;
    expect((await post(`/v1/files/${id}/release`)).status).toBe(202);
    expect(endOf(await stack.follow(early.id))).toEqual(LANDED);
    const { body } = await stack.api<{ sequence: string; state: string }>(`/v1/files/${id}`);
    expect(body).toMatchObject({ sequence: "3", state: "applied" });
  });

  it("a file that lost its last line end, where the others had one, is held as cut off", async () => {
    const delivery = await send("batches", "Batch;State\r\nB-4;ma", "batch_4.csv");
    expect(endOf(delivery)).toEqual([["held", "file-truncated"]]);
    expect((await recordsOf("batches")).map(([key]) => key)).toEqual(["B-1", "B-2", "B-3"]);
  });
});

it("the mails have gone out, each once", async () => {
  const mails = await until("all mails sent", async () => {
    const found = [...(await mailsAbout("prices")), ...(await mailsAbout("stock"))];
    return found.every(({ state }) => state === "sent") ? found : undefined;
  });
  expect(new Set(mails.map(({ file_id }) => file_id)).size).toBe(mails.length);
  const sent = await fetch(`${stack.url}/cdn-cgi/local/explorer/api/local/email/sending`);
  const { result } = (await sent.json()) as { result: { to: string[]; headers: Record<string, string> }[] };
  const keys = result.map(({ headers }) => headers["X-Mailfeed-Notification"]);
  expect(new Set(keys).size).toBe(keys.length);
  expect(keys.length).toBeGreaterThanOrEqual(mails.length);
  for (const { to, headers } of result) {
    expect([to, headers["Auto-Submitted"]]).toEqual([["operator@mailfeed.example"], "auto-generated"]);
  }
});
