/** Bad weather: the database away, senders that are not who they say, bounces, messages that nobody can read. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { generateSamples, type Sample } from "../../cli/samples/generate.ts";
import { mailOf } from "../../cli/samples/mail.ts";
import { report } from "../../src/domain/failures.ts";
import { jsonText } from "../../src/platform/postgres.ts";
import {
  addressOf,
  forgetEverything,
  longAgo,
  type Mail,
  mailOfSample,
  standingRecords,
  startTestStack,
  type TestStack,
  until,
  written,
} from "../support/stack.ts";

const samples = generateSamples({ scale: 0.05, now: new Date(Date.now() - 3_600_000) });
const sampleOf = (feed: string): Sample => samples.find((sample) => sample.feed === feed)!;
const inventory = sampleOf("inventory");

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack({ queueDoor: true });
});
// A test that fails while the database is away must not take the others with it.
afterEach(() => stack.startDatabase());
afterAll(() => stack?.stop());

interface Page<T> {
  readonly items: T[];
}

interface Letter {
  readonly stage: string;
  readonly failure: { readonly code: string; readonly sentence: string };
  readonly message: unknown;
  readonly correlation_id: string | null;
}

const letters = async () => (await stack.api<Page<Letter>>("/v1/dead-letters")).body.items;

let mails = 0;
/** A mail with the inventory in it, of which a test changes one thing. */
function mail(change: {
  from?: string;
  envelopeFrom?: string;
  headers?: Record<string, string>;
  bytes?: Uint8Array;
}): Mail {
  mails += 1;
  const to = addressOf("acme/inventory");
  const raw = mailOf({
    from: change.from ?? "Acme ERP <erp@acme.example>",
    to,
    subject: `Stock ${mails}`,
    date: new Date(Date.now() - 60_000),
    messageId: `<weather-${mails}@acme.example>`,
    body: "Automatic export.",
    ...(change.headers === undefined ? {} : { headers: change.headers }),
    attachments: [
      { name: inventory.fileName, contentType: inventory.contentType, bytes: change.bytes ?? inventory.bytes },
    ],
  });
  return { from: change.envelopeFrom ?? "erp@acme.example", to, raw };
}

/** A good mail after something bad: it lands, so whoever consumes is still at work. */
async function aGoodMailLands(): Promise<void> {
  await longAgo(stack.sql);
  const { files } = await stack.deliver(mail({}));
  expect(files.map(({ state, failure }) => ({ state, failure }))).toEqual([{ state: "applied", failure: null }]);
}

describe("the database is away", () => {
  it("mail is accepted and kept all the same, and lands once when the database is back", async () => {
    const three = ["inventory", "buchungen", "store"].map(sampleOf);
    await stack.stopDatabase();
    const accepted = await Promise.all(three.map((sample) => stack.mailIn(mailOfSample(sample))));
    const ids = accepted.map((one) => (one.accepted ? one.deliveryId : `refused: ${one.reason}`));

    const archived = (await stack.keys("raw/")).map((key) => key.replace(/^.*\/|\.eml$/g, ""));
    expect(archived.toSorted()).toEqual(ids.toSorted());
    expect((await fetch(`${stack.url}/v1/health`)).status).toBe(503);
    await until("all three put off", () => {
      const deferred = stack.logged().filter(({ event }) => event === "message-deferred");
      for (const line of deferred) expect(line).toMatchObject({ code: "database-unavailable" });
      return ids.every((id) => deferred.some(({ correlationId }) => correlationId === id)) || undefined;
    });

    await stack.startDatabase();
    for (const [i, id] of ids.entries()) {
      const { files } = await stack.follow(id);
      expect(files.map(({ state }) => state)).toEqual(["applied"]);
      expect(files[0]!.books.records).toMatchObject({ inserted: three[i]!.rows, changed: 0 });
    }
    const rows = three.reduce((sum, sample) => sum + sample.rows, 0);
    expect(await standingRecords(stack)).toHaveLength(rows);
    expect(await written(stack)).toEqual({ versions: rows, events: rows });
    expect(await letters()).toEqual([]);
    expect((await fetch(`${stack.url}/v1/health`)).status).toBe(200);
  });
});

describe("at the door", () => {
  const reject = (recipient: string) => {
    const { sentence, hint } = report("unknown-address", { recipient });
    return { accepted: false, reason: `${sentence} ${hint}` };
  };
  const good = addressOf("acme/inventory");

  it.each([
    ["an address that never was", "nobody@feeds.mailfeed.example"],
    ["the right feed with a wrong token", good.replace(/\.[^.@]+@/, ".aaaaaaaaaaaaaaaa@")],
    ["the token of another feed", good.replace(/\.[^.@]+@/, `.${addressOf("adventure/store").split(/[.@]/)[2]}@`)],
    ["the right address at another domain", good.replace(/@.*$/, "@elsewhere.example")],
  ])("%s is refused for good, in one sentence, and nothing is kept", async (_, to) => {
    const before = await stack.keys("raw/");
    expect(await stack.mailIn({ ...mail({}), to })).toEqual(reject(to));
    expect(await stack.keys("raw/")).toEqual(before);
  });

  it.each([
    ["in capitals", good.toUpperCase()],
    ["with a detail behind a plus", good.replace("@", "+nightly@")],
  ])("the right address %s is the right address", async (_, to) => {
    await longAgo(stack.sql);
    const { files } = await stack.deliver({ ...mail({}), to });
    expect(files.map(({ state }) => state)).toEqual(["applied"]);
  });
});

describe("a sender that is not on the list", () => {
  it("is quarantined unread, seen over the API, and lands when an operator releases it", async () => {
    await forgetEverything(stack);
    // Everything the sender can write himself says that he is genuine; only the address in From does not.
    const spoofed = mail({
      from: '"erp@acme.example" <boss@evil.example>',
      headers: {
        "Authentication-Results": "mx.cloudflare.net; dkim=pass header.d=acme.example; spf=pass",
        "Reply-To": "erp@acme.example",
      },
    });
    const delivery = await stack.deliver(spoofed);
    expect(delivery).toMatchObject({
      state: "quarantined",
      sender: "boss@evil.example",
      failure: { code: "sender-not-proven", disposition: "hold", actor: "operator" },
      payloads: [],
      files: [],
    });
    expect(delivery.failure!.sentence).toBe(
      "The sender “boss@evil.example” is not proven (trust-address): the address is not on the list of senders.",
    );
    expect((await stack.api<Page<{ id: string }>>("/v1/deliveries?state=quarantined")).body.items).toMatchObject([
      { id: delivery.id },
    ]);
    const [kept] = await stack.sql`SELECT raw_key FROM deliveries WHERE id = ${delivery.id}`;
    expect(Buffer.compare((await stack.object(String(kept!.raw_key)))!, spoofed.raw)).toBe(0);
    expect(await standingRecords(stack)).toEqual([]);

    const release = `/v1/deliveries/${delivery.id}/release`;
    const customer = await stack.customerToken("acme");
    expect((await stack.post(release, { token: customer })).status).toBe(403);
    expect((await stack.api<{ state: string }>(`/v1/deliveries/${delivery.id}`)).body.state).toBe("quarantined");

    expect((await stack.post(release)).status).toBe(202);
    const after = await stack.follow(delivery.id);
    expect(after).toMatchObject({ state: "parsed", failure: null, files: [{ state: "applied" }] });
    expect(await standingRecords(stack)).toHaveLength(inventory.rows);
    expect(
      await stack.sql`SELECT actor, action, subject, detail->'failure'->>'code' AS code FROM audit_log WHERE action = 'release'`,
    ).toEqual([
      {
        actor: "local operator",
        action: "release",
        subject: `delivery ${delivery.id}`,
        code: "sender-not-proven",
      },
    ]);
    expect((await stack.post(release)).status).toBe(202);
    expect(await written(stack)).toEqual({ versions: inventory.rows, events: inventory.rows });
    expect(await stack.sql`SELECT count(*)::int AS n FROM audit_log WHERE action = 'release'`).toEqual([{ n: 1 }]);
  });

  it("two From addresses prove nothing", async () => {
    const both = mail({ headers: { from: "boss@evil.example" } });
    const { state, failure } = await stack.deliver(both);
    expect({ state, code: failure?.code }).toEqual({ state: "quarantined", code: "sender-not-proven" });
  });
});

describe("mail that is no feed", () => {
  it.each([
    ["a bounce, known by its empty envelope sender", { envelopeFrom: "<>" }, "the envelope has no sender"],
    ["an automatic reply", { headers: { "Auto-Submitted": "auto-replied" } }, "Auto-Submitted: auto-replied"],
    [
      "a mail of our own that came back",
      { headers: { "X-Mailfeed-Notification": "report" } },
      "it is a mail of our own",
    ],
  ])("%s is kept, ignored and never read", async (_, change, sign) => {
    const before = await written(stack);
    const delivery = await stack.deliver(mail(change));
    expect(delivery).toMatchObject({ state: "ignored", failure: { code: "automatic-mail" }, files: [] });
    expect(delivery.failure!.sentence).toBe(report("automatic-mail", { sign }).sentence);
    expect(await written(stack)).toEqual(before);
    expect((await stack.post(`/v1/deliveries/${delivery.id}/release`)).status).toBe(409);
    await aGoodMailLands();
  });
});

describe("messages that a consumer cannot use", () => {
  const correlationId = "0123456789abcdef0123456789abcdef";
  const base = { v: 1, customer: "acme", feed: "inventory", correlationId };
  const rawKey = "raw/acme/2026/01/01/nothing.eml";

  it.each([
    [
      "of a version from the future",
      "FEED_ACME",
      { ...base, v: 99, type: "parse-delivery", rawKey },
      "message-unreadable",
    ],
    [
      "of a version from the future to apply",
      "APPLY",
      { ...base, v: 99, type: "apply-file", fileId: "1" },
      "message-unreadable",
    ],
    ["that is a bare text", "FEED_ACME", "parse this", "message-unreadable"],
    ["that is null", "APPLY", null, "message-unreadable"],
    ["with a file id that is no number", "APPLY", { ...base, type: "apply-file", fileId: "abc" }, "message-unreadable"],
    [
      "with a file id beyond the largest",
      "APPLY",
      { ...base, type: "apply-file", fileId: "9999999999999999999" },
      "database-refused",
    ],
    [
      "with NUL in its texts",
      "FEED_ACME",
      { ...base, v: 99, customer: "ac\0me", correlationId: "\0" },
      "message-unreadable",
    ],
    ["whose raw object is gone", "FEED_ACME", { ...base, type: "parse-delivery", rawKey }, "raw-missing"],
    ["of a feed that is gone", "FEED_ACME", { ...base, feed: "gone", type: "parse-delivery", rawKey }, "unknown-feed"],
    ["of a file that is not there", "APPLY", { ...base, type: "apply-file", fileId: "999999999" }, "file-missing"],
    [
      "left on the dead-letter queue by the platform",
      "PARSE_DLQ",
      { ...base, type: "parse-delivery", rawKey },
      "internal-error",
    ],
  ])("one %s becomes a dead letter, and the next message is consumed", async (_, binding, message, code) => {
    await forgetEverything(stack);
    await stack.enqueue(binding, message);
    const [letter] = await until("a dead letter", async () => {
      const found = await letters();
      return found.length > 0 ? found : undefined;
    });
    expect(letter).toMatchObject({ stage: binding === "APPLY" ? "apply" : "parse", failure: { code } });
    expect(letter!.message).toEqual(JSON.parse(jsonText(message)));
    await aGoodMailLands();
    expect(await letters()).toHaveLength(1);
  });

  it("a delivery whose raw object vanished is dead and says so, over the API too", async () => {
    await forgetEverything(stack);
    const delivery = await stack.deliver(mail({ from: "boss@evil.example" }));
    await stack.sql`UPDATE deliveries SET raw_key = ${rawKey} WHERE id = ${delivery.id}`;
    expect((await stack.post(`/v1/deliveries/${delivery.id}/release`)).status).toBe(202);
    const after = await stack.follow(delivery.id);
    expect(after).toMatchObject({ state: "dead", failure: { code: "raw-missing", actor: "us" } });
    expect(await letters()).toMatchObject([{ correlation_id: delivery.id, failure: { code: "raw-missing" } }]);
    const token = await stack.customerToken("acme");
    const { body } = await stack.api<{ failure: object }>(`/v1/deliveries/${delivery.id}`, token);
    expect(JSON.stringify(body.failure)).not.toContain("raw/");
    await aGoodMailLands();
  });
});
