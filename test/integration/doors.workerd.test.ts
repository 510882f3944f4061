/**
 * The Worker's own doors inside Cloudflare's runtime, with its real archive: what each entry point answers when a part of
 * the platform fails. Only a final "no" is a permanent reject; trouble of ours throws, and the sender tries again.
 */
import { createExecutionContext, createMessageBatch, env, getQueueResult, reset, SELF } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, inject, it, vi } from "vitest";
import { feeds } from "../../adapters/index.ts";
import { mailOf } from "../../cli/samples/mail.ts";
import type { Feed } from "../../src/domain/adapter.ts";
import { feedAddress } from "../../src/domain/address.ts";
import { factsFromMetadata } from "../../src/domain/delivery.ts";
import { report } from "../../src/domain/failures.ts";
import { MAX_DELIVERY_BYTES } from "../../src/intake/handler.ts";
import worker from "../../src/worker.ts";

// A feed whose senders must prove themselves; the shipped ones trust the address.
vi.mock("../../adapters/index.ts", async (original) => {
  const { defineFeed } = await import("../../src/domain/adapter.ts");
  const { feeds: shipped } = await original<{ feeds: readonly Feed[] }>();
  const { version: _, ...definition } = shipped.find(({ feed }) => feed === "inventory")!;
  const intake = { ...definition.intake, policy: "require-dkim" as const };
  return { feeds: [...shipped, defineFeed({ ...definition, feed: "strict", intake })] };
});

const SECRET = "doors-only-address-secret";
const DOMAIN = "feeds.mailfeed.example";
const PASSWORD = "hunter2-never-shown";
const { STORE, ADMISSION } = env as unknown as { STORE: R2Bucket; ADMISSION: DurableObjectNamespace };
const addressOf = (name: string) => feedAddress(feeds.find(({ feed }) => feed === name)!, SECRET, DOMAIN);

beforeEach(() => {
  for (const method of ["info", "warn", "error"] as const) vi.spyOn(console, method).mockReturnValue(undefined);
});
afterEach(() => reset());

/** Queues that keep what is sent; the archive is the real one. */
function bindings(change: Readonly<Record<string, unknown>> = {}) {
  const sent: [queue: string, message: unknown][] = [];
  const queue = (name: string) => ({
    async send(message: unknown) {
      sent.push([name, message]);
    },
  });
  const names = ["FEED_ACME", "FEED_ADVENTURE", "FEED_KONTOR", "APPLY", "APPLY_LARGE", "PARSE_DLQ", "APPLY_DLQ"];
  return {
    sent,
    env: {
      ...Object.fromEntries(names.map((name) => [name, queue(name)])),
      STORE,
      ADMISSION,
      DATABASE_URL: `postgresql://somebody:${PASSWORD}@127.0.0.1:9/nowhere`,
      DATABASE_ENDPOINT: "http://127.0.0.1:9/sql",
      ADDRESS_SECRET: SECRET,
      MAIL_DOMAIN: DOMAIN,
      ...change,
    },
  };
}

const failing = (what: string) => async () => {
  throw new Error(`${what} is away`);
};

function rawMail(to: string, headers: Readonly<Record<string, string>> = {}): Uint8Array<ArrayBuffer> {
  return mailOf({
    from: "erp@acme.example",
    to,
    subject: "Stock",
    date: new Date("2026-11-20T06:00:00Z"),
    messageId: "<doors-1@acme.example>",
    body: "Automatic export.",
    headers,
    attachments: [{ name: "inventory.csv", contentType: "text/csv", bytes: new TextEncoder().encode("SKU\r\n1\r\n") }],
  });
}

interface Arrival {
  readonly to?: string;
  readonly raw?: Uint8Array<ArrayBuffer>;
  readonly rawSize?: number;
  readonly stream?: ReadableStream<Uint8Array>;
}

/** Hands a mail to email() and tells what the sender's server would hear. */
async function arrive(given: unknown, { to = addressOf("inventory"), raw = rawMail(to), ...rest }: Arrival = {}) {
  const rejected: string[] = [];
  const message = {
    from: "erp@acme.example",
    to,
    raw: rest.stream ?? new Blob([raw]).stream(),
    rawSize: rest.rawSize ?? raw.length,
    headers: new Headers(),
    setReject: (reason: string) => rejected.push(reason),
  } as unknown as ForwardableEmailMessage;
  try {
    await worker.email(message, given);
    return { rejected, temporary: undefined };
  } catch (thrown) {
    return { rejected, temporary: thrown instanceof Error ? thrown.message : String(thrown) };
  }
}

const archived = async () => (await STORE.list({ prefix: "raw/", include: ["customMetadata"] })).objects;

describe("the mail door", () => {
  it("archives the mail byte for byte with its facts, sends one message, and says yes", async () => {
    const { env, sent } = bindings();
    const raw = rawMail(addressOf("inventory"));
    expect(await arrive(env, { raw })).toEqual({ rejected: [], temporary: undefined });
    const [object, ...others] = await archived();
    expect(others).toEqual([]);
    expect(new Uint8Array(await (await STORE.get(object!.key))!.arrayBuffer())).toEqual(raw);
    const facts = factsFromMetadata(object!.customMetadata);
    expect(facts).toMatchObject({ customer: "acme", feed: "inventory", bytes: raw.length, subject: "Stock" });
    expect(sent).toEqual([
      [
        "FEED_ACME",
        {
          v: 2,
          type: "parse-delivery",
          customer: "acme",
          feed: "inventory",
          correlationId: facts.id,
          rawKey: object!.key,
        },
      ],
    ]);
  });

  it("the archive is away: a temporary error, never a reject, and no message", async () => {
    const { env, sent } = bindings({ STORE: { put: failing("R2"), get: failing("R2"), head: failing("R2") } });
    const { rejected, temporary } = await arrive(env);
    expect(rejected).toEqual([]);
    expect(temporary).toMatch(/^The object storage cannot be reached: archive: R2 is away/);
    expect(sent).toEqual([]);
  });

  it("the queue is away: a temporary error; the sender's next try finds the archive and sends the message", async () => {
    const down = bindings({ FEED_ACME: { send: failing("the queue") } });
    expect(await arrive(down.env)).toEqual({
      rejected: [],
      temporary: "A queue did not take a message: the queue is away.",
    });
    expect(await archived()).toHaveLength(1);
    const up = bindings();
    expect(await arrive(up.env)).toEqual({ rejected: [], temporary: undefined });
    expect(await archived()).toHaveLength(1);
    expect(up.sent).toHaveLength(1);
  });

  it("the customer has no queue in this deployment: a temporary error that names the binding", async () => {
    const { env } = bindings({ FEED_ACME: undefined });
    const { rejected, temporary } = await arrive(env);
    expect(rejected).toEqual([]);
    expect(temporary).toBe("Mailfeed is not configured: binding FEED_ACME is missing");
  });

  it("the mail breaks off on its way: a temporary error, and nothing is kept of it", async () => {
    const { env, sent } = bindings();
    const raw = rawMail(addressOf("inventory"));
    const { rejected, temporary } = await arrive(env, { raw: raw.slice(0, 300), rawSize: raw.length });
    expect(rejected).toEqual([]);
    expect(temporary).toBe(`the message ended after 300 of ${raw.length} bytes`);
    expect([await archived(), sent]).toEqual([[], []]);
  });

  it("an address of nobody: a permanent reject in one sentence, nothing kept, nothing sent", async () => {
    const { env, sent } = bindings();
    const to = `acme.inventory.aaaaaaaaaaaaaaaa@${DOMAIN}`;
    const { sentence, hint } = report("unknown-address", { recipient: to });
    expect(await arrive(env, { to, raw: rawMail(to) })).toEqual({
      rejected: [`${sentence} ${hint}`],
      temporary: undefined,
    });
    expect([await archived(), sent]).toEqual([[], []]);
  });

  it("a mail above the limit: a permanent reject, without reading a byte of it", async () => {
    const { env, sent } = bindings();
    const stream = new ReadableStream<Uint8Array>({ pull: failing("whoever reads this") }, { highWaterMark: 0 });
    const bytes = MAX_DELIVERY_BYTES + 1;
    const { sentence, hint } = report("mail-too-large", { bytes, limitBytes: MAX_DELIVERY_BYTES });
    expect(await arrive(env, { stream, rawSize: bytes })).toEqual({
      rejected: [`${sentence} ${hint}`],
      temporary: undefined,
    });
    expect([await archived(), sent]).toEqual([[], []]);
  });

  it("the same mail twice at once is one object under one id", async () => {
    const { env, sent } = bindings();
    await Promise.all([arrive(env), arrive(env)]);
    expect(await archived()).toHaveLength(1);
    expect(sent).toHaveLength(2);
    expect(sent[0]).toEqual(sent[1]);
  });
});

describe("a feed whose senders must prove themselves", () => {
  const proof = "mx.cloudflare.net; dkim=pass header.d=acme.example";
  const verdictOf = async (headers: Readonly<Record<string, string>>, above = "") => {
    const { env } = bindings();
    const to = addressOf("strict");
    const raw = new Uint8Array(await new Blob([above, rawMail(to, headers)]).arrayBuffer());
    expect(await arrive(env, { to, raw })).toEqual({ rejected: [], temporary: undefined });
    const [object] = await archived();
    return factsFromMetadata(object!.customMetadata).verdict;
  };

  it("takes a mail that the receiving server found signed by the sender's domain", async () => {
    expect(await verdictOf({}, `Authentication-Results: ${proof}\r\n`)).toEqual({
      kind: "proven",
      proof: "dkim=pass d=acme.example",
    });
  });

  it.each([
    ["no result at all", "", {}],
    ["a failed signature", "Authentication-Results: mx.cloudflare.net; dkim=fail header.d=acme.example\r\n", {}],
    [
      "a signature of somebody else",
      "Authentication-Results: mx.cloudflare.net; dkim=pass header.d=evil.example\r\n",
      {},
    ],
    [
      "a result that the sender wrote himself, below the true one",
      "Authentication-Results: mx.cloudflare.net; dkim=none\r\n",
      { "Authentication-Results": proof },
    ],
    ["a result of another server", "Authentication-Results: mx.evil.example; dkim=pass header.d=acme.example\r\n", {}],
  ])("%s: the mail is kept and quarantined", async (_, above, headers) => {
    expect(await verdictOf(headers, above)).toMatchObject({ kind: "quarantined", policy: "require-dkim" });
  });
});

describe("a deployment that is not configured", () => {
  const batch = () => createMessageBatch("feed-acme", [{ id: "1", timestamp: new Date(0), attempts: 1, body: {} }]);
  const entries: [string, (given: unknown) => Promise<unknown>][] = [
    [
      "email",
      async (given) => {
        const { rejected, temporary } = await arrive(given);
        expect(rejected).toEqual([]);
        if (temporary !== undefined) throw new Error(temporary);
      },
    ],
    [
      "fetch",
      (given) => worker.fetch(new Request("https://mailfeed.example/v1/health"), given, createExecutionContext()),
    ],
    ["queue", (given) => worker.queue(batch(), given)],
    ["scheduled", (given) => worker.scheduled({} as ScheduledController, given)],
  ];

  it.each(entries)("%s names every secret and binding that is missing, and no value", async (_, call) => {
    const { env } = bindings({ ADDRESS_SECRET: undefined, DATABASE_URL: undefined, STORE: undefined });
    await expect(call(env)).rejects.toThrow(
      "Mailfeed is not configured: secret DATABASE_URL is missing; secret ADDRESS_SECRET is missing; binding STORE (R2) is missing",
    );
  });

  it.each(entries)("%s shows no secret that is wrong", async (_, call) => {
    const { env } = bindings({ ADDRESS_SECRET: "short-one", DATABASE_URL: `mysql://root:${PASSWORD}@db/x` });
    const said = await call(env).then(
      () => "it went well",
      (thrown: unknown) => String(thrown),
    );
    expect(said).toContain("secret DATABASE_URL is not a postgres:// URL");
    expect(said).toContain("secret ADDRESS_SECRET is shorter than 16 characters");
    expect(said).not.toContain(PASSWORD);
    expect(said).not.toContain("short-one");
  });
});

describe("the queue's consumer", () => {
  const good = {
    v: 1,
    type: "parse-delivery",
    customer: "acme",
    feed: "inventory",
    correlationId: "0".repeat(32),
    rawKey: "raw/x",
  };
  const consume = async (given: unknown, ...bodies: unknown[]) => {
    const batch = createMessageBatch(
      "feed-acme",
      bodies.map((body, i) => ({ id: String(i), timestamp: new Date(0), attempts: 1, body })),
    );
    await worker.queue(batch, given);
    return getQueueResult(batch, createExecutionContext());
  };

  it("parks what it cannot use, one by one, and never throws", async () => {
    const { env, sent } = bindings();
    const { explicitAcks, retryMessages } = await consume(env, { v: 99 }, "text", null, good);
    expect(explicitAcks).toEqual(["0", "1", "2", "3"]);
    expect(retryMessages).toEqual([]);
    expect(sent.map(([queue, letter]) => [queue, (letter as { failure: { code: string } }).failure.code])).toEqual([
      ["PARSE_DLQ", "message-unreadable"],
      ["PARSE_DLQ", "message-unreadable"],
      ["PARSE_DLQ", "message-unreadable"],
      ["PARSE_DLQ", "raw-missing"],
    ]);
  });

  it("keeps a message in the queue when even the dead letters cannot be written", async () => {
    const { env } = bindings({ PARSE_DLQ: { send: failing("the queue") } });
    const { explicitAcks, retryMessages } = await consume(env, { v: 99 });
    expect(explicitAcks).toEqual([]);
    expect(retryMessages.map(({ msgId }) => msgId)).toEqual(["0"]);
  });

  it("puts a message off while the database is away, and spends no attempt", async () => {
    const { env, sent } = bindings();
    await arrive(env);
    const message = sent[0]![1] as typeof good;
    const { explicitAcks, retryMessages } = await consume(env, message);
    expect([explicitAcks, retryMessages]).toEqual([["0"], []]);
    expect(sent.slice(1)).toEqual([
      ["FEED_ACME", { ...message, waited: { times: 1, since: expect.stringMatching(/^20\d\d-/) } }],
    ]);
  });
});

it("the deployed shape answers with this configuration: health over HTTP, the database up", async () => {
  expect(inject("endpointUrl")).toMatch(/^http:/);
  const response = await SELF.fetch("https://mailfeed.example/v1/health");
  expect([response.status, await response.json()]).toEqual([200, expect.objectContaining({ status: "ok" })]);
});
