import { createHash } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { mailOf } from "../../cli/samples/mail.ts";
import { defineFeed } from "../../src/domain/adapter.ts";
import { dryRunAddress, feedAddress } from "../../src/domain/address.ts";
import { type DeliveryFacts, factsFromMetadata, factsToMetadata } from "../../src/domain/delivery.ts";
import type { ParseDelivery } from "../../src/domain/messages.ts";
import { readEnv } from "../../src/env.ts";
import type { IntakeDeps } from "../../src/intake/deps.ts";
import { MAX_DELIVERY_BYTES, receiveMail, receiveUpload } from "../../src/intake/handler.ts";
import { jsonLog } from "../../src/observe/log.ts";

const feed = defineFeed({
  customer: "acme",
  customerTitle: "Acme",
  feed: "inventory",
  title: "Inventory",
  mode: "full",
  intake: { policy: "require-spf-or-dkim", senders: ["@acme.example"] },
  file: { charset: "utf-8", delimiter: ",", header: true },
  columns: [{ name: "sku", source: { header: "SKU" }, type: "identifier" }],
  key: ["sku"],
});
const doors = { feeds: [feed], addressSecret: "0123456789abcdef", mailDomain: "feeds.example" };
const to = feedAddress(feed, doors.addressSecret, doors.mailDomain);
const DKIM = "mx.cloudflare.net; dkim=pass header.d=acme.example header.s=s1; spf=none";

interface MailParts {
  from?: string;
  envelopeFrom?: string;
  recipient?: string;
  headers?: Record<string, string>;
  received?: string;
  rawBytes?: number;
  messageId?: string;
}

function mail(parts: MailParts = {}) {
  const content = mailOf({
    from: parts.from ?? "erp@acme.example",
    to,
    subject: "Bestände für März",
    date: new Date("2026-11-02T05:30:00Z"),
    messageId: parts.messageId ?? "<1@acme.example>",
    attachments: [{ name: "inventory.csv", contentType: "text/csv", bytes: new TextEncoder().encode("SKU\r\n1\r\n") }],
    headers: parts.headers ?? { "Authentication-Results": DKIM },
  });
  const received = new TextEncoder().encode(parts.received ?? "");
  const raw = new Uint8Array(received.length + content.length);
  raw.set(received);
  raw.set(content, received.length);
  return {
    bytes: raw,
    envelopeFrom: parts.envelopeFrom ?? "erp@acme.example",
    envelopeTo: parts.recipient ?? to,
    rawBytes: parts.rawBytes ?? raw.length,
    raw: new Blob([raw]).stream(),
  };
}

let archived: Map<string, { bytes: Uint8Array; facts: DeliveryFacts }>;
let enqueued: ParseDelivery[];
let lines: string[];

function deps(over: Partial<IntakeDeps> = {}): IntakeDeps {
  return {
    async archive(key, bytes, facts) {
      if (archived.has(key)) return "exists";
      archived.set(key, { bytes, facts });
      return "stored";
    },
    async enqueueParse(message) {
      enqueued.push(message);
    },
    now: () => new Date("2026-11-02T05:31:00Z"),
    log: jsonLog(
      () => new Date(0),
      (_, line) => lines.push(line),
    ),
    ...over,
  };
}

beforeEach(() => {
  archived = new Map();
  enqueued = [];
  lines = [];
});

const only = () => [...archived.values()][0]!;

describe("the mail door", () => {
  it("archives the message byte for byte, then enqueues one message of ids and keys", async () => {
    const incoming = mail();
    const outcome = await receiveMail(incoming, doors, deps());
    const { bytes, facts } = only();
    expect(bytes).toEqual(incoming.bytes);
    expect(facts.sha256).toBe(createHash("sha256").update(incoming.bytes).digest("hex"));
    expect(outcome).toEqual({ accepted: true, deliveryId: facts.id, duplicate: false });
    expect(enqueued).toEqual([
      {
        v: 2,
        type: "parse-delivery",
        customer: "acme",
        feed: "inventory",
        correlationId: facts.id,
        rawKey: `raw/acme/2026/11/02/${facts.id}.eml`,
      },
    ]);
  });

  it("keeps what is known of the mail with it", async () => {
    await receiveMail(mail(), doors, deps());
    expect(only().facts).toMatchObject({
      sender: "erp@acme.example",
      subject: "Bestände für März",
      messageId: "<1@acme.example>",
      sentAt: "2026-11-02T05:30:00.000Z",
      receivedAt: "2026-11-02T05:31:00.000Z",
      verdict: { kind: "proven", proof: "dkim=pass d=acme.example" },
    });
  });

  it("knows a message again that the sender's server brings a second time over another way", async () => {
    await receiveMail(mail({ received: "Received: from a by b; Mon, 2 Nov 2026 05:30:10 +0000\r\n" }), doors, deps());
    const again = await receiveMail(
      mail({ received: "Received: from c by d; Mon, 2 Nov 2026 06:30:10 +0000\r\n" }),
      doors,
      deps(),
    );
    expect(again).toMatchObject({ accepted: true, duplicate: true });
    expect(archived.size).toBe(1);
    expect(enqueued).toHaveLength(2);
  });

  it("takes the same file in another mail for another delivery", async () => {
    await receiveMail(mail(), doors, deps());
    await receiveMail(mail({ messageId: "<2@acme.example>" }), doors, deps());
    expect(archived.size).toBe(2);
  });

  it.each(["inventory@feeds.example", "acme.inventory.aaaaaaaaaaaaaaaa@feeds.example", "postmaster@feeds.example"])(
    "refuses the unknown address %s for good, in words a person understands",
    async (recipient) => {
      const outcome = await receiveMail(mail({ recipient }), doors, deps());
      expect(outcome).toMatchObject({ accepted: false, reject: { code: "unknown-address" } });
      expect(archived.size + enqueued.length).toBe(0);
    },
  );

  it("refuses a message above 25 MiB for good", async () => {
    const outcome = await receiveMail(mail({ rawBytes: MAX_DELIVERY_BYTES + 1 }), doors, deps());
    expect(outcome).toMatchObject({ accepted: false, reject: { code: "mail-too-large" } });
  });

  it("throws when the archive fails, so that the sender tries again, and enqueues nothing", async () => {
    const broken = deps({ archive: async () => Promise.reject(new Error("R2 down")) });
    await expect(receiveMail(mail(), doors, broken)).rejects.toThrow("R2 down");
    expect(enqueued).toEqual([]);
  });

  it("throws when the queue fails, and the next try of the same message goes through", async () => {
    const broken = deps({ enqueueParse: async () => Promise.reject(new Error("queue down")) });
    await expect(receiveMail(mail(), doors, broken)).rejects.toThrow("queue down");
    await receiveMail(mail(), doors, deps());
    expect([archived.size, enqueued.length]).toEqual([1, 1]);
  });

  it("throws when the message is cut off on its way in", async () => {
    await expect(receiveMail({ ...mail(), rawBytes: 10_000 }, doors, deps())).rejects.toThrow(/ended after/);
    expect(archived.size).toBe(0);
  });

  it("writes no token of an address into the log", async () => {
    await receiveMail(mail({ recipient: "acme.inventory.secretsecretsecr@feeds.example" }), doors, deps());
    await receiveMail(mail(), doors, deps());
    expect(lines.join("\n")).not.toMatch(/secretsecret/);
    expect(lines.join("\n")).not.toContain(to.split(".")[2]!.split("@")[0]!);
  });
});

describe("the proof of the sender", () => {
  const verdictOf = async (parts: MailParts, policy?: "require-dkim" | "require-spf-or-dkim" | "trust-address") => {
    const chosen = policy ? { ...feed, intake: { ...feed.intake, policy } } : feed;
    await receiveMail(mail(parts), { ...doors, feeds: [chosen] }, deps());
    return only().facts.verdict;
  };
  const results = (...values: string[]) => ({
    received: values.map((v) => `Authentication-Results: ${v}\r\n`).join(""),
    headers: {},
  });

  it("takes a DKIM pass of the From domain or a parent of it", async () => {
    expect(await verdictOf({ from: "erp@mail.acme.example", ...results(DKIM) })).toMatchObject({ kind: "quarantined" });
    archived.clear();
    expect(await verdictOf(results("mx.cloudflare.net; dkim=pass header.d=acme.example"))).toMatchObject({
      kind: "proven",
    });
  });

  it("takes an SPF pass of the From domain where the policy allows it, and not where it asks for DKIM", async () => {
    const spf = results("mx.cloudflare.net; dkim=none; spf=pass smtp.mailfrom=bounce@acme.example");
    expect(await verdictOf(spf)).toMatchObject({ kind: "proven", proof: "spf=pass mailfrom=bounce@acme.example" });
    archived.clear();
    expect(await verdictOf(spf, "require-dkim")).toMatchObject({ kind: "quarantined" });
  });

  it.each([
    ["no result at all", results()],
    ["a result of another server", results("mx.evil.example; dkim=pass header.d=acme.example")],
    [
      "a forged result below a failing one",
      results("mx.cloudflare.net; dkim=fail header.d=acme.example; spf=fail", DKIM),
    ],
    ["a forged result below another server's", results("relay.example; none", DKIM)],
    [
      "a pass of another domain",
      results("mx.cloudflare.net; dkim=pass header.d=evil.example; spf=pass smtp.mailfrom=x@evil.example"),
    ],
    ["a pass of a lookalike", results("mx.cloudflare.net; dkim=pass header.d=me.example")],
    ["a pass of a bare top-level domain", results("mx.cloudflare.net; dkim=pass header.d=example")],
    ["a pass inside a comment", results("mx.cloudflare.net; dkim=fail (dkim=pass header.d=acme.example)")],
  ])("does not take %s", async (_, parts) => {
    expect(await verdictOf(parts)).toMatchObject({ kind: "quarantined" });
  });

  it.each([
    ["a sender that is not on the list", { from: "erp@other.example" }],
    ["a display name that poses as the sender", { from: '"erp@acme.example" <x@evil.example>' }],
    ["a second From", { received: "From: erp@acme.example\r\n", from: "x@evil.example" }],
    ["two addresses in From", { received: "From: erp@acme.example, x@evil.example\r\n", from: "x@evil.example" }],
  ])("quarantines %s even if the address is trusted", async (_, parts) => {
    expect(await verdictOf(parts, "trust-address")).toMatchObject({ kind: "quarantined" });
  });

  it("archives and enqueues a quarantined mail all the same, so that it is visible", async () => {
    await verdictOf({ from: "erp@other.example" });
    expect([archived.size, enqueued.length]).toEqual([1, 1]);
  });
});

describe("mail that is no feed", () => {
  it.each([
    ["a bounce", { envelopeFrom: "" }],
    ["a bounce in brackets", { envelopeFrom: "<>" }],
    ["an automatic reply", { headers: { "Auto-Submitted": "auto-replied (vacation)" } }],
    ["an old automatic reply", { headers: { Precedence: "auto_reply" } }],
    ["a mail of our own", { headers: { "X-Mailfeed-Notification": "report" } }],
  ])("recognises %s", async (_, parts) => {
    await receiveMail(mail(parts), doors, deps());
    expect(only().facts.verdict.kind).toBe("automatic");
  });

  it.each([
    ["Auto-Submitted", "auto-generated"],
    ["Auto-Submitted", "no"],
    ["Precedence", "bulk"],
    ["X-Auto-Response-Suppress", "All"],
  ])("does not take an ERP's %s: %s for one", async (name, value) => {
    await receiveMail(mail({ headers: { [name]: value, "Authentication-Results": DKIM } }), doors, deps());
    expect(only().facts.verdict.kind).not.toBe("automatic");
  });
});

describe("the upload door", () => {
  const upload = { feed, name: "inventory.csv", contentType: "text/csv", tokenName: "ci", bytes: new Uint8Array([65]) };

  it("archives and enqueues like the mail door", async () => {
    const { deliveryId } = await receiveUpload({ ...upload, key: "k1" }, deps());
    expect(enqueued[0]).toMatchObject({ correlationId: deliveryId, rawKey: `raw/acme/2026/11/02/${deliveryId}.bin` });
    expect(only().facts).toMatchObject({
      door: "upload",
      name: "inventory.csv",
      sender: "ci",
      verdict: { kind: "proven", proof: "token" },
    });
  });

  it("takes the same bytes under the same key for one delivery, under another key for another", async () => {
    await receiveUpload({ ...upload, key: "k1" }, deps());
    expect(await receiveUpload({ ...upload, key: "k1" }, deps())).toMatchObject({ duplicate: true });
    expect(await receiveUpload({ ...upload, key: "k2" }, deps())).toMatchObject({ duplicate: false });
  });
});

describe("a dry run", () => {
  const facts = () => [...archived.values()].map((one) => one.facts);

  it("is a mail to the address with +dryrun, in any case, and another delivery than the same mail without", async () => {
    const asked = await receiveMail(mail({ recipient: dryRunAddress(to).replace("dryrun", "DryRun") }), doors, deps());
    const sent = await receiveMail(mail(), doors, deps());
    expect(facts().map(({ dryRun }) => dryRun)).toEqual([true, undefined]);
    expect(asked).not.toEqual(sent);
  });

  it.each(["+DryRun+x", "+x+dryrun", "+dryrun2", "+"])("is not asked for with %s", async (detail) => {
    await receiveMail(mail({ recipient: to.replace("@", `${detail}@`) }), doors, deps());
    expect(facts().map(({ dryRun }) => dryRun)).toEqual([undefined]);
  });

  it("is quarantined where the sender is not proven, and automatic where nobody has written it, as any mail", async () => {
    const recipient = dryRunAddress(to);
    await receiveMail(mail({ recipient, headers: {} }), doors, deps());
    await receiveMail(mail({ recipient, envelopeFrom: "<>", messageId: "<2@x>" }), doors, deps());
    expect(facts().map(({ dryRun, verdict }) => [dryRun, verdict.kind])).toEqual([
      [true, "quarantined"],
      [true, "automatic"],
    ]);
  });

  it("is an upload that says so, and the key it came under is free for the upload that is meant", async () => {
    const upload = {
      feed,
      name: "a.csv",
      contentType: "text/csv",
      bytes: new Uint8Array([65]),
      tokenName: "shop",
      key: "1",
    };
    const asked = await receiveUpload({ ...upload, dryRun: true }, deps());
    const again = await receiveUpload({ ...upload, dryRun: true }, deps());
    const sent = await receiveUpload(upload, deps());
    expect(again).toEqual({ ...asked, duplicate: true });
    expect(sent.deliveryId).not.toBe(asked.deliveryId);
    expect(sent.duplicate).toBe(false);
    expect(facts().map(({ dryRun }) => dryRun)).toEqual([true, undefined]);
  });

  it("survives in the archive", async () => {
    await receiveMail(mail({ recipient: dryRunAddress(to) }), doors, deps());
    const [one] = facts();
    expect(factsFromMetadata(factsToMetadata(one!))).toEqual(one);
    expect(one?.dryRun).toBe(true);
  });
});

describe("the facts in the archive", () => {
  it("survive as ASCII metadata", async () => {
    await receiveMail(mail(), doors, deps());
    const metadata = factsToMetadata(only().facts);
    expect(metadata.facts).toMatch(/^[\x20-\x7e]+$/);
    expect(factsFromMetadata(metadata)).toEqual(only().facts);
  });
});

describe("the environment", () => {
  const queue = { send: async () => undefined };
  const env = {
    DATABASE_URL: "postgres://u:p@h/d",
    ADDRESS_SECRET: "0123456789abcdef",
    MAIL_DOMAIN: "feeds.example",
    STORE: { put: async () => null },
    APPLY: queue,
    APPLY_LARGE: queue,
    PARSE_DLQ: queue,
    APPLY_DLQ: queue,
    ADMISSION: { getByName: () => ({}) },
    FEED_ACME: queue,
  };

  it("becomes a checked config", () => {
    expect(readEnv(env).parseQueue("acme")).toBe(queue);
  });

  it("names everything that is missing, at once, and no value", () => {
    const { DATABASE_URL: _, STORE: __, ...rest } = { ...env, ADDRESS_SECRET: "short-secret" };
    expect(() => readEnv(rest)).toThrow(/DATABASE_URL is missing.*ADDRESS_SECRET is shorter.*STORE \(R2\) is missing/s);
    expect(() => readEnv(rest)).not.toThrow(/short-secret/);
  });

  it("names the queue of a customer that the deployment lacks", () => {
    expect(() => readEnv(env).parseQueue("kontor")).toThrow("binding FEED_KONTOR is missing");
  });
});
