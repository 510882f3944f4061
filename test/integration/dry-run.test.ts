/** A mail or an upload that only asks: told what it would do, and nothing else happens. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DEV_ADDRESS_SECRET, DEV_MAIL_DOMAIN } from "../../cli/local/settings.ts";
import { type MailAttachment, mailOf } from "../../cli/samples/mail.ts";
import { dryRunAddress, feedAddress } from "../../src/domain/address.ts";
import type { Effect } from "../../src/domain/effect.ts";
import { type Mail, standingRecords, startTestStack, type TestStack, until, written } from "../support/stack.ts";
import { testFeeds } from "../support/test-feeds.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack({ testFeeds: true });
});
afterAll(() => stack?.stop());

let sequence = 0;
const addressOf = (feed: string) =>
  feedAddress(testFeeds.find((one) => one.feed === feed)!, DEV_ADDRESS_SECRET, DEV_MAIL_DOMAIN);

interface Sending {
  readonly to?: string;
  readonly from?: string;
  readonly envelopeFrom?: string;
  readonly files?: readonly (readonly [name: string, text: string])[];
  readonly headers?: Readonly<Record<string, string>>;
}

/** A mail with files; each is a minute younger than the one before. */
function mail(feed: string, text: string, sending: Sending = {}): Mail {
  sequence++;
  const { from = "erp@acme.example", to = addressOf(feed), files = [[`${feed}.csv`, text]], headers = {} } = sending;
  const raw = mailOf({
    from,
    to,
    subject: `${feed} ${sequence}`,
    date: new Date(Date.now() - 3_600_000 + sequence * 60_000),
    messageId: `<dry-run-${sequence}.${process.pid}.${Date.now()}@acme.example>`,
    body: "Automatic export.",
    attachments: files.map(
      ([name, content]): MailAttachment => ({
        name,
        contentType: "text/csv",
        bytes: new TextEncoder().encode(content),
      }),
    ),
    headers: { ...headers },
  });
  return { from: sending.envelopeFrom ?? from, to, raw };
}
const asking = (feed: string, text: string, sending: Sending = {}): Mail =>
  mail(feed, text, { ...sending, to: sending.to ?? dryRunAddress(addressOf(feed)) });

interface Notification {
  readonly recipient: string;
  readonly address: string | null;
  readonly sent_to: string | null;
  readonly subject: string;
  readonly body_text: string;
  readonly state: string;
}
const mailsAbout = async (deliveryId: string) =>
  (await stack.sql.query(
    "SELECT * FROM notifications WHERE key LIKE $1 OR file_id IN (SELECT id FROM files WHERE delivery_id = $2)",
    [`%${deliveryId}%`, deliveryId],
  )) as Notification[];
const answerTo = (deliveryId: string) =>
  until("the answer is sent", async () => {
    const mails = await mailsAbout(deliveryId);
    return mails.length > 0 && mails.every(({ state }) => state === "sent") ? mails : undefined;
  });
const effectOf = async (fileId: string, token?: string) =>
  (await stack.api<{ comparison: Effect | null }>(`/v1/files/${fileId}/comparison`, token)).body.comparison;

/** Everything that must be as it was. */
async function asItWas() {
  const tables = ["records", "changes", "seen", "feed_versions", "holds"];
  const lines = await stack.sql.query(
    `${tables.map((table) => `SELECT '${table} ' || t::text AS line FROM ${table} t`).join(" UNION ALL ")} ORDER BY 1`,
  );
  return lines.map(({ line }) => line as string);
}

const list = (rows: readonly (readonly [number, string])[]) =>
  ["Article;Price;Place", ...rows.map(([n, price]) => `A-${n};${price};Shelf ${n % 7}`), ""].join("\r\n");
const numbered = (count: number, price = (n: number) => `${n},50`) =>
  list(Array.from({ length: count }, (_, i) => [i + 1, price(i + 1)] as const));

describe("a mail to the +dryrun address", () => {
  const base = numbered(40);

  it("tells what the file would do, to whoever sent it, and changes nothing; sent for real it does just that", async () => {
    expect((await stack.deliver(mail("catalogue", base))).files.map(({ state }) => state)).toEqual(["applied"]);
    const before = await asItWas();
    const changed = base
      .replace("A-3;3,50", "A-3;9,99")
      .replace("A-7;7,50;Shelf 0\r\n", "")
      .concat("A-99;1,00;Shelf 9\r\n");
    const asked = await stack.deliver(asking("catalogue", changed));
    expect(asked.files.map(({ state, failure }) => [state, failure])).toEqual([["compared", null]]);
    const effect = await effectOf(asked.files[0]!.id);
    expect(effect).toMatchObject({
      mode: "full",
      records: 40,
      inserted: 1,
      changed: 1,
      unchanged: 38,
      retired: 1,
      verdict: "apply",
      fields: { exact: true, counts: [{ field: "price", records: 1 }] },
    });
    const [answer, ...more] = await answerTo(asked.id);
    expect(more).toEqual([]);
    expect(answer).toMatchObject({
      recipient: "contact",
      address: "erp@acme.example",
      sent_to: "erp@acme.example",
      subject: "Dry run for “Catalogue”: it would be loaded",
    });
    for (const words of ["nothing was changed", "A-3", "price: 3.5", "price: 9.99", "A-7", "taken off", "A-99"]) {
      expect(answer!.body_text).toContain(words);
    }
    expect(await asItWas()).toEqual(before);

    const applied = await stack.deliver(mail("catalogue", changed));
    expect(applied.files.map(({ state }) => state)).toEqual(["applied"]);
    const { records } = applied.files[0]!.books;
    const { inserted, changed: changes, unchanged, stale, superseded } = effect!;
    expect(records).toMatchObject({ inserted, changed: changes, unchanged, stale, superseded });
    const { body } = await stack.api<{ retired: number }>(`/v1/files/${applied.files[0]!.id}`);
    expect(body.retired).toBe(effect!.retired);
  });

  it("says that the gate would hold the file, and why, and holds nothing and tells nobody else", async () => {
    const before = await asItWas();
    const asked = await stack.deliver(asking("catalogue", numbered(12)));
    expect(asked.files.map(({ state }) => state)).toEqual(["compared"]);
    const effect = await effectOf(asked.files[0]!.id);
    expect(effect).toMatchObject({ verdict: "hold" });
    expect(effect!.reasons.map(({ check }) => check)).toContain("retired");
    const [answer, ...more] = await answerTo(asked.id);
    expect(more).toEqual([]);
    expect(answer!.subject).toBe("Dry run for “Catalogue”: it would be stopped");
    expect(answer!.body_text.replace(/\s+/g, " ")).toContain(effect!.reasons[0]!.sentence);
    expect(await asItWas()).toEqual(before);
  });

  it("answers a file that cannot be read with the reason, and one mail for all files of the delivery", async () => {
    const files = [
      ["good.csv", base],
      ["empty.csv", ""],
      ["bad.csv", base.replace("A-3;3,50", "A-3;dear").replace("A-4;4,50", "A-4;4,60")],
      ["worse.csv", numbered(40, (n) => (n % 2 === 0 ? "cheap" : `${n},50`))],
    ] as const;
    const asked = await stack.deliver(asking("catalogue", "", { files }));
    expect(asked.files.map(({ state }) => state)).toEqual(["compared", "rejected", "compared", "rejected"]);
    const [answer, ...more] = await answerTo(asked.id);
    expect(more).toEqual([]);
    expect(answer!.subject).toContain("2 of 4 files would be loaded");
    const told = [
      "good.csv",
      "empty.csv",
      "is empty",
      "bad.csv",
      "dear",
      "worse.csv",
      "Line 3",
      "Price: cheap",
      "… and 15 more.",
    ];
    for (const words of told) expect(answer!.body_text).toContain(words);
  });

  it("answers a mail in which there is nothing to read", async () => {
    const asked = await stack.deliver(asking("catalogue", "", { files: [] }));
    expect([asked.state, asked.files]).toEqual(["rejected", []]);
    const [answer] = await answerTo(asked.id);
    expect(answer!.subject).toBe("Dry run for “Catalogue”: it cannot be read");
    expect(answer!.address).toBe("erp@acme.example");
  });

  it("asks nobody about a feed without a format, pins nothing, and says so", async () => {
    const before = await asItWas();
    const asked = await stack.deliver(asking("prices", "Article;Price\r\nA-1;12,50\r\n"));
    expect(asked.files.map(({ state, failure }) => [state, failure?.code])).toEqual([
      ["rejected", "format-unconfirmed"],
    ]);
    const [answer, ...more] = await answerTo(asked.id);
    expect(more).toEqual([]);
    expect(answer!.recipient).toBe("contact");
    expect(answer!.body_text.replace(/\s+/g, " ")).toContain("not agreed yet");
    expect(await asItWas()).toEqual(before);
  });
});

describe("a mail that must not be answered", () => {
  const nobodyIsTold = async (deliveryId: string) => expect(await mailsAbout(deliveryId)).toEqual([]);

  it("is one whose sender is not proven: it waits, and asking changes nothing about that", async () => {
    const asked = await stack.deliver(asking("catalogue", numbered(3), { from: "eve@evil.example" }));
    expect([asked.state, asked.files]).toEqual(["quarantined", []]);
    await nobodyIsTold(asked.id);
  });

  it("is not answered either when an operator lets it be read: nobody has proven the address", async () => {
    const asked = await stack.deliver(asking("catalogue", numbered(4), { from: "mallory@evil.example" }));
    expect((await stack.post(`/v1/deliveries/${asked.id}/release`)).status).toBe(202);
    const read = await until("it is compared", async () => {
      const status = await stack.follow(asked.id);
      return status.files.length > 0 ? status : undefined;
    });
    expect(read.files.map(({ state }) => state)).toEqual(["compared"]);
    await nobodyIsTold(asked.id);
  });

  it.each([
    ["a bounce", { envelopeFrom: "<>" }],
    ["an automatic reply", { headers: { "Auto-Submitted": "auto-replied" } }],
    ["a mail of our own that came back", { headers: { "X-Mailfeed-Notification": "dry-run" } }],
  ])("is %s", async (_, sending) => {
    const asked = await stack.deliver(asking("catalogue", numbered(5), sending));
    expect([asked.state, asked.files]).toEqual(["ignored", []]);
    await nobodyIsTold(asked.id);
  });
});

describe("other words behind the plus", () => {
  it.each(["+DryRun+x", "+x+dryrun", "+dryrun2"])("%s is an ordinary mail, and lands", async (detail) => {
    const text = `Article;Amount;Place\r\nB-${detail};1,000;X\r\n`;
    const sent = await stack.deliver(mail("stock", text, { to: addressOf("stock").replace("@", `${detail}@`) }));
    expect(sent.files.map(({ state }) => state)).toEqual(["applied"]);
  });

  it("+DRYRUN asks like +dryrun", async () => {
    const to = dryRunAddress(addressOf("stock")).replace("dryrun", "DRYRUN");
    const asked = await stack.deliver(asking("stock", "Article;Amount;Place\r\nC-1;1,000;X\r\n", { to }));
    expect(asked.files.map(({ state }) => state)).toEqual(["compared"]);
    expect((await standingRecords(stack)).filter(({ key }) => key === "C-1")).toEqual([]);
  });
});

describe("an upload that asks", () => {
  const upload = (feed: string, text: string, token = stack.operator, more = "") =>
    stack.post<{ delivery: { id: string }; dry_run: boolean; status_url: string }>(
      `/v1/feeds/acme/${feed}/files?name=${feed}.csv&dry_run=true${more}`,
      { body: text, token },
    );

  it("is answered where its status is, and not by mail", async () => {
    const before = await written(stack);
    const { status, body } = await upload("catalogue", numbered(41), await stack.customerToken("acme"));
    expect([status, body.dry_run, body.status_url]).toEqual([202, true, `/v1/deliveries/${body.delivery.id}`]);
    const asked = await stack.follow(body.delivery.id);
    expect(asked.files.map(({ state }) => state)).toEqual(["compared"]);
    expect(await effectOf(asked.files[0]!.id)).toMatchObject({ accepted: 41 });
    expect(await mailsAbout(asked.id)).toEqual([]);
    expect(await written(stack)).toEqual(before);
  });

  it("asks twice at once, and both are told the same", async () => {
    const text = numbered(38);
    const sent = await Promise.all([upload("catalogue", text), upload("catalogue", text)]);
    expect(sent[0]!.body.delivery.id).not.toBe(sent[1]!.body.delivery.id);
    const told = await Promise.all(
      sent.map(async ({ body }) => effectOf((await stack.follow(body.delivery.id)).files[0]!.id)),
    );
    const [one, other] = told.map((effect) => ({ ...effect, at: "" }));
    expect(one).toEqual(other);
    expect(one).toMatchObject({ rows: 38 });
  });

  it("does not count as a file that came: the same list sent for real is no duplicate of it", async () => {
    const text = numbered(39, (n) => `${n},75`);
    const asked = await upload("catalogue", text);
    await stack.follow(asked.body.delivery.id);
    const sent = await stack.deliver(mail("catalogue", text));
    expect(sent.files.map(({ state }) => state)).not.toContain("duplicate");
  });
});
