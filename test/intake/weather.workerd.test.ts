/**
 * The real email() with the real archive in Cloudflare's runtime, while storage and queue lose their answers and come and
 * go: the sender hears a temporary error, and the next try, over another way, ends in one delivery.
 */
import { env, reset } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { feeds } from "../../adapters/index.ts";
import { mailOf } from "../../cli/samples/mail.ts";
import { feedAddress } from "../../src/domain/address.ts";
import { factsFromMetadata } from "../../src/domain/delivery.ts";
import worker from "../../src/worker.ts";

const SECRET = "weather-only-address-secret";
const DOMAIN = "feeds.mailfeed.example";
const { STORE } = env as unknown as { STORE: R2Bucket };
const to = feedAddress(feeds.find(({ feed }) => feed === "inventory")!, SECRET, DOMAIN);

beforeEach(() => {
  for (const method of ["info", "warn", "error"] as const) vi.spyOn(console, method).mockReturnValue(undefined);
});
afterEach(() => reset());

type Weather = "fine" | "away" | "answer lost";

async function under<T>(weather: Weather, effect: () => Promise<T>): Promise<T> {
  if (weather === "away") throw new Error("it is away");
  const answer = await effect();
  if (weather === "answer lost") throw new Error("the connection broke");
  return answer;
}

const sent: unknown[] = [];
beforeEach(() => {
  sent.length = 0;
});

const bindings = (storage: Weather, queue: Weather) => ({
  ...(env as unknown as Record<string, unknown>),
  ADDRESS_SECRET: SECRET,
  MAIL_DOMAIN: DOMAIN,
  STORE: {
    put: (...given: Parameters<R2Bucket["put"]>) => under(storage, () => STORE.put(...given)),
    get: STORE.get.bind(STORE),
    head: STORE.head.bind(STORE),
    list: STORE.list.bind(STORE),
  },
  FEED_ACME: { send: (message: unknown) => under(queue, async () => void sent.push(message)) },
});

const content = mailOf({
  from: "erp@acme.example",
  to,
  subject: "Stock",
  date: new Date("2026-11-20T06:00:00Z"),
  messageId: "<weather-1@acme.example>",
  body: "Automatic export.",
  attachments: [{ name: "inventory.csv", contentType: "text/csv", bytes: new TextEncoder().encode("SKU\r\n1\r\n") }],
});

let ways = 0;
/** One try of the sender's server: what it hears. */
async function arrive(storage: Weather, queue: Weather): Promise<"accepted" | "temporary" | "rejected"> {
  ways++;
  const received = new TextEncoder().encode(`Received: from relay${ways}.example by mx.example\r\n`);
  const raw = new Uint8Array(received.length + content.length);
  raw.set(received);
  raw.set(content, received.length);
  let rejected = false;
  const message = {
    from: "erp@acme.example",
    to,
    raw: new Blob([raw]).stream(),
    rawSize: raw.length,
    headers: new Headers(),
    setReject: () => {
      rejected = true;
    },
  } as unknown as ForwardableEmailMessage;
  try {
    await worker.email(message, bindings(storage, queue));
  } catch {
    return "temporary";
  }
  return rejected ? "rejected" : "accepted";
}

const archived = async () => (await STORE.list({ prefix: "raw/", include: ["customMetadata"] })).objects;

/** One object, whole, and all messages tell of it. */
async function expectOneDelivery(messages: number): Promise<void> {
  const [object, ...others] = await archived();
  expect(others).toEqual([]);
  const facts = factsFromMetadata(object!.customMetadata);
  const bytes = await (await STORE.get(object!.key))!.arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  expect(Buffer.from(digest).toString("hex")).toBe(facts.sha256);
  expect(sent).toHaveLength(messages);
  for (const message of sent) expect(message).toMatchObject({ correlationId: facts.id, rawKey: object!.key });
}

describe("email() in bad weather", () => {
  it("the storage has the mail and its answer is lost: a temporary error, and the next try sends the message", async () => {
    expect(await arrive("answer lost", "fine")).toBe("temporary");
    await expectOneDelivery(0);
    expect(await arrive("fine", "fine")).toBe("accepted");
    await expectOneDelivery(1);
  });

  it("the queue has the message and its answer is lost: a temporary error, and the next try is the same delivery", async () => {
    expect(await arrive("fine", "answer lost")).toBe("temporary");
    await expectOneDelivery(1);
    expect(await arrive("fine", "fine")).toBe("accepted");
    await expectOneDelivery(2);
  });

  it("both come and go: nothing but temporary errors until one try finds both, and then one whole delivery", async () => {
    const tries = [
      ["away", "away"],
      ["away", "fine"],
      ["fine", "away"],
      ["answer lost", "away"],
      ["away", "answer lost"],
    ] as const;
    for (const [storage, queue] of tries) expect(await arrive(storage, queue)).toBe("temporary");
    expect(await arrive("fine", "fine")).toBe("accepted");
    await expectOneDelivery(1);
  });
});
