/**
 * Bad weather at the doors: storage and queue fail before, during and after their work, in any order, and senders try again
 * or give up. What was accepted is there, whole, and on its way; what was not is there whole or not at all.
 */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mailOf } from "../../cli/samples/mail.ts";
import { defineFeed } from "../../src/domain/adapter.ts";
import { feedAddress } from "../../src/domain/address.ts";
import { factsFromMetadata } from "../../src/domain/delivery.ts";
import { asFailure } from "../../src/domain/failures.ts";
import { rawPrefix } from "../../src/domain/keys.ts";
import type { ParseDelivery } from "../../src/domain/messages.ts";
import type { IntakeDeps } from "../../src/intake/deps.ts";
import { receiveMail, receiveUpload } from "../../src/intake/handler.ts";
import { archiveRaw } from "../../src/platform/r2.ts";

const feed = defineFeed({
  customer: "acme",
  customerTitle: "Acme",
  feed: "inventory",
  title: "Inventory",
  mode: "full",
  intake: { policy: "trust-address", senders: ["@acme.example"] },
  file: { charset: "utf-8", delimiter: ",", header: true },
  columns: [{ name: "sku", source: { header: "SKU" }, type: "identifier" }],
  key: ["sku"],
});
const doors = { feeds: [feed], addressSecret: "0123456789abcdef", mailDomain: "feeds.example" };
const to = feedAddress(feed, doors.addressSecret, doors.mailDomain);
const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** What can happen to an effect. `cut off`: the invocation ends there, and nobody hears anything of it any more. */
const FAULTS = ["fine", "fine", "away", "answer lost", "cut off before", "cut off after"] as const;
type Fault = (typeof FAULTS)[number];
/** Only the storage can break off in the middle of the bytes. */
const STORAGE_FAULTS = [...FAULTS, "half written"] as const;
type StorageFault = (typeof STORAGE_FAULTS)[number];

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** The end of an invocation. For the sender it is a connection that broke: a temporary error. */
class CutOff extends Error {}

async function struck<T>(fault: Fault, effect: () => Promise<T>): Promise<T> {
  if (fault === "cut off before") throw new CutOff(fault);
  if (fault === "away") throw new Error("it is away");
  const answer = await effect();
  if (fault === "cut off after") throw new CutOff(fault);
  if (fault === "answer lost") throw new Error("the connection broke");
  return answer;
}

interface Stored {
  readonly bytes: Uint8Array;
  readonly metadata: Record<string, string>;
}

/** Storage and queue as the platform has them: written once, checked by hash; what is sent arrives. */
function platform() {
  const objects = new Map<string, Stored>();
  const sent: ParseDelivery[] = [];
  const bucket = (fault: StorageFault) =>
    ({
      put(
        key: string,
        given: Uint8Array,
        options: { onlyIf: Headers; sha256: string; customMetadata: Stored["metadata"] },
      ) {
        return struck(fault === "half written" ? "fine" : fault, async () => {
          const bytes = fault === "half written" ? given.slice(0, given.length / 2) : given.slice();
          if (options.onlyIf?.get("If-None-Match") === "*" && objects.has(key)) return null;
          if (options.sha256 !== undefined && sha256(bytes) !== options.sha256)
            throw new Error("put: checksum differs");
          objects.set(key, { bytes, metadata: options.customMetadata });
          return { key };
        });
      },
    }) as unknown as R2Bucket;
  const deps = (storage: StorageFault, queue: Fault, now: Date): IntakeDeps => ({
    archive: (key, bytes, facts) => archiveRaw(bucket(storage), key, bytes, facts),
    enqueueParse: (message) =>
      struck(queue, async () => {
        sent.push(message);
      }),
    now: () => now,
    log: SILENT,
  });
  return { objects, sent, deps };
}

const content = mailOf({
  from: "erp@acme.example",
  to,
  subject: "Stock",
  date: new Date("2026-11-02T05:30:00Z"),
  messageId: "<1@acme.example>",
  attachments: [{ name: "inventory.csv", contentType: "text/csv", bytes: new TextEncoder().encode("SKU\r\n1\r\n") }],
});

/** The mail as it comes over another way each time: with other transport headers on top. */
function overAnotherWay(time: number): Uint8Array<ArrayBuffer> {
  const received = `Received: from relay${time}.example by mx.example; Mon, 2 Nov 2026 0${time % 10}:30:10 +0000\r\nX-Spam-Score: ${time}\r\n`;
  return new Uint8Array(Buffer.concat([Buffer.from(received), content]));
}

const anyTry = fc.record({
  storage: fc.constantFrom(...STORAGE_FAULTS),
  queue: fc.constantFrom(...FAULTS),
  /** How long after the try before. */
  afterMinutes: fc.integer({ min: 0, max: 600 }),
});
/** The sender's server gives up after these, or after it heard a yes. */
const anyTries = fc.array(anyTry, { minLength: 1, maxLength: 6 });

/** What the sender hears: a yes, or a temporary error. Never a permanent no. */
type Heard = "accepted" | "temporary";

async function heardOf(attempt: () => Promise<{ accepted: boolean }>): Promise<Heard> {
  try {
    expect((await attempt()).accepted).toBe(true);
    return "accepted";
  } catch (thrown) {
    if (thrown instanceof CutOff || asFailure(thrown).code === "storage-unavailable") return "temporary";
    if (thrown instanceof Error && /away|broke/.test(thrown.message)) return "temporary";
    throw thrown;
  }
}

/** What must hold at any moment, whatever was heard. */
function expectWhole({ objects, sent }: ReturnType<typeof platform>, cameAs: readonly Uint8Array[]): void {
  const ids = new Set<string>();
  for (const [key, { bytes, metadata }] of objects) {
    const facts = factsFromMetadata(metadata);
    ids.add(facts.id);
    expect(sha256(bytes), "the bytes are those that the facts tell of").toBe(facts.sha256);
    expect(cameAs.map(sha256), "they came so, byte for byte").toContain(facts.sha256);
    expect(key.startsWith(rawPrefix("acme", new Date(facts.receivedAt))), "the sweep looks there").toBe(true);
  }
  expect(ids.size, "it is one delivery").toBeLessThanOrEqual(1);
  for (const message of sent) {
    expect(objects.has(message.rawKey), "a message tells of what is there").toBe(true);
  }
}

const accepted = (world: ReturnType<typeof platform>) => {
  expect(world.objects.size, "what was accepted is archived").toBeGreaterThan(0);
  expect(world.sent.length, "what was accepted is on its way").toBeGreaterThan(0);
};

const START_MS = Date.parse("2026-11-02T05:31:00Z");
const MS_PER_MINUTE = 60_000;

describe("any weather at the mail door", () => {
  it("never loses what was accepted, never refuses for good, never keeps half a mail, and knows it again", async () => {
    await fc.assert(
      fc.asyncProperty(anyTries, async (tries) => {
        const world = platform();
        const cameAs: Uint8Array[] = [];
        let ms = START_MS;
        for (const [time, { storage, queue, afterMinutes }] of tries.entries()) {
          ms += afterMinutes * MS_PER_MINUTE;
          const bytes = overAnotherWay(time);
          cameAs.push(bytes);
          const mail = {
            envelopeFrom: "erp@acme.example",
            envelopeTo: to,
            rawBytes: bytes.length,
            raw: new Blob([bytes]).stream(),
          };
          const heard = await heardOf(() => receiveMail(mail, doors, world.deps(storage, queue, new Date(ms))));
          expectWhole(world, cameAs);
          if (heard === "accepted") return accepted(world);
        }
        return undefined;
      }),
      { numRuns: 400 },
    );
  });

  it.each(["answer lost", "cut off after"] as const)(
    "the storage has it (%s): the next try finds it there and sends its message",
    async (fault) => {
      const world = platform();
      const raw = [overAnotherWay(1), overAnotherWay(2)] as const;
      const mail = (bytes: Uint8Array<ArrayBuffer>) => ({
        envelopeFrom: "erp@acme.example",
        envelopeTo: to,
        rawBytes: bytes.length,
        raw: new Blob([bytes]).stream(),
      });
      const now = new Date(START_MS);
      await expect(receiveMail(mail(raw[0]), doors, world.deps(fault, "fine", now))).rejects.toThrow();
      expect([world.objects.size, world.sent.length]).toEqual([1, 0]);
      expect(await receiveMail(mail(raw[1]), doors, world.deps("fine", "fine", now))).toMatchObject({
        accepted: true,
        duplicate: true,
      });
      expect([world.objects.size, world.sent.length]).toEqual([1, 1]);
      // Written once: what came first stays.
      expect(sha256([...world.objects.values()][0]!.bytes)).toBe(sha256(raw[0]));
    },
  );

  it("the storage gets half of it: nothing is kept, nothing is sent, and the sender tries again", async () => {
    const world = platform();
    const raw = overAnotherWay(1);
    const mail = {
      envelopeFrom: "erp@acme.example",
      envelopeTo: to,
      rawBytes: raw.length,
      raw: new Blob([raw]).stream(),
    };
    await expect(
      receiveMail(mail, doors, world.deps("half written", "fine", new Date(START_MS))),
    ).rejects.toMatchObject({
      code: "storage-unavailable",
    });
    expect([world.objects.size, world.sent.length]).toEqual([0, 0]);
  });
});

describe("any weather at the upload door", () => {
  const bytes = new TextEncoder().encode("SKU\r\n1\r\n") as Uint8Array<ArrayBuffer>;
  const upload = { feed, name: "inventory.csv", contentType: "text/csv", tokenName: "ci", bytes, key: "k1" };

  it("under one Idempotency-Key it is one delivery, whole, and on its way once it was accepted", async () => {
    await fc.assert(
      fc.asyncProperty(anyTries, async (tries) => {
        const world = platform();
        let ms = START_MS;
        for (const { storage, queue, afterMinutes } of tries) {
          ms += afterMinutes * MS_PER_MINUTE;
          const heard = await heardOf(async () => {
            await receiveUpload(upload, world.deps(storage, queue, new Date(ms)));
            return { accepted: true };
          });
          expectWhole(world, [bytes]);
          if (heard === "accepted") return accepted(world);
        }
        return undefined;
      }),
      { numRuns: 400 },
    );
  });
});
