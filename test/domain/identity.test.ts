import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { asksDryRun, dryRunAddress, feedAddress, feedAt, maskedAddress } from "../../src/domain/address.ts";
import { deliveryIdOf, type FileOrder, orderKeyOf } from "../../src/domain/ids.ts";

const SECRET = "a-secret-of-more-than-16";
const DOMAIN = "feeds.example";
const feeds = [
  { customer: "acme", feed: "inventory", intake: { addressEdition: 1 } },
  { customer: "acme", feed: "orders", intake: { addressEdition: 1 } },
  { customer: "kontor-nord", feed: "buchungen", intake: { addressEdition: 3 } },
];

describe("a feed's address", () => {
  it.each(feeds)("finds its feed again, in any case and with a detail behind it", (feed) => {
    const address = feedAddress(feed, SECRET, DOMAIN);
    expect(feedAt(address, feeds, SECRET, DOMAIN)).toBe(feed);
    expect(feedAt(address.toUpperCase(), feeds, SECRET, DOMAIN)).toBe(feed);
    expect(feedAt(dryRunAddress(address), feeds, SECRET, DOMAIN)).toBe(feed);
  });

  it.each([
    ["+dryrun@", true],
    ["+DryRun@", true],
    ["+DRYRUN@", true],
    ["@", false],
    ["+@", false],
    ["+dryrun2@", false],
    ["+dry-run@", false],
    ["+x+dryrun@", false],
    ["+DryRun+x@", false],
    ["+dryrun @", false],
    ["+dryrun@x@", false],
    ["+%64ryrun@", false],
  ])("asks for a dry run with %s: %s", (detail, asks) => {
    expect(asksDryRun(feedAddress(feeds[0]!, SECRET, DOMAIN).replace("@", detail))).toBe(asks);
  });

  it("asks for a dry run only before the @ of the domain, whatever a stranger writes", () => {
    expect(asksDryRun("acme.inventory.x@+dryrun")).toBe(false);
    expect(asksDryRun("+dryrun")).toBe(false);
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => !asksDryRun(text) || /\+dryrun@[^@]*$/i.test(text)));
  });

  it("changes with its edition, so that a leaked one can be given up", () => {
    const [feed] = feeds;
    const leaked = feedAddress(feed!, SECRET, DOMAIN);
    const now = [{ ...feed!, intake: { addressEdition: 2 } }];
    expect(feedAt(leaked, now, SECRET, DOMAIN)).toBeUndefined();
  });

  it("does not open with the token of another feed, another secret, another domain or none", () => {
    const inventory = feedAddress(feeds[0]!, SECRET, DOMAIN);
    expect(feedAt(inventory.replace("inventory", "orders"), feeds, SECRET, DOMAIN)).toBeUndefined();
    expect(feedAt(inventory, feeds, `${SECRET}!`, DOMAIN)).toBeUndefined();
    expect(feedAt(inventory, feeds, SECRET, "elsewhere.example")).toBeUndefined();
    expect(feedAt(`acme.inventory@${DOMAIN}`, feeds, SECRET, DOMAIN)).toBeUndefined();
    expect(feedAt(`acme.inventory.@${DOMAIN}`, feeds, SECRET, DOMAIN)).toBeUndefined();
  });

  it("never throws and never opens for what a stranger writes", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => feedAt(text, feeds, SECRET, DOMAIN) === undefined));
    fc.assert(
      fc.property(
        fc.string(),
        (token) => feedAt(`acme.inventory.${token}@${DOMAIN}`, feeds, SECRET, DOMAIN) === undefined,
      ),
    );
  });

  it("stays within the 64 octets of a local part for the longest names", () => {
    const longest = { customer: "c".repeat(20), feed: "f".repeat(24), intake: { addressEdition: 1 } };
    expect(feedAddress(longest, SECRET, DOMAIN).split("@")[0]!.length).toBeLessThanOrEqual(64);
  });

  it("is shown without its token", () => {
    const address = feedAddress(feeds[0]!, SECRET, DOMAIN);
    expect(maskedAddress(address)).toBe(`acme.inventory.…@${DOMAIN}`);
  });
});

describe("a delivery's id", () => {
  const identity = { customer: "acme", recipient: "a@b", messageId: "<1@x>", bodySha256: "0".repeat(64) };

  it("is the same for the same delivery", () => {
    expect(deliveryIdOf({ ...identity })).toBe(deliveryIdOf(identity));
  });

  it.each(["customer", "recipient", "messageId", "bodySha256"] as const)("differs with another %s", (part) => {
    expect(deliveryIdOf({ ...identity, [part]: `${identity[part]}x` })).not.toBe(deliveryIdOf(identity));
  });

  it("does not mix its parts up", () => {
    expect(deliveryIdOf({ ...identity, recipient: "a@bc", messageId: "d" })).not.toBe(
      deliveryIdOf({ ...identity, recipient: "a@b", messageId: "cd" }),
    );
  });
});

describe("the order key of a file", () => {
  const order = fc
    .record({
      asOfMs: fc.nat({ max: 4_102_444_800_000 }),
      sequence: fc.nat({ max: 2 ** 31 - 1 }),
      lagMs: fc.integer({ min: -600_000, max: 4_380 * 3_600_000 }),
      position: fc.nat({ max: 255 }),
      deliveryId: fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 32, maxLength: 32 }),
    })
    .map(({ lagMs, ...rest }): FileOrder => ({ ...rest, receivedAtMs: rest.asOfMs + lagMs }));
  /** Two files that agree in some of it, as files of one feed do. */
  const pair = fc
    .tuple(order, order, fc.subarray(["asOfMs", "sequence", "position"] as const), fc.boolean())
    .map(([a, b, alike, arrivedTogether]): [FileOrder, FileOrder] => {
      const made = { ...b, ...Object.fromEntries(alike.map((name) => [name, a[name]])) };
      const lagMs = (arrivedTogether ? a : b).receivedAtMs - (arrivedTogether ? a : b).asOfMs;
      return [a, { ...made, receivedAtMs: made.asOfMs + lagMs }];
    });
  const tuple = (o: FileOrder) => [o.asOfMs, o.sequence, o.receivedAtMs, o.position];
  const compare = (a: number[], b: number[]) => a.map((x, i) => x - b[i]!).find((d) => d !== 0) ?? 0;

  it("sorts as the tuple (as-of, sequence, arrival, position)", () => {
    fc.assert(
      fc.property(pair, ([a, b]) => {
        const [x, y] = [orderKeyOf(a), orderKeyOf(b)];
        const expected = compare(tuple(a), tuple(b));
        return expected === 0 || Math.sign(expected) === (x < y ? -1 : 1);
      }),
    );
  });

  it("puts two deliveries that agree in all of it one behind the other, always the same one", () => {
    const one = { asOfMs: 1_770_000_000_000, sequence: 7, receivedAtMs: 1_770_000_000_000, position: 0 };
    const keys = ["00", "0f", "80", "ff"].map((start) => orderKeyOf({ ...one, deliveryId: start.padEnd(32, "0") }));
    expect(keys).toEqual([...new Set(keys)].sort());
    expect(keys.every((key) => key < orderKeyOf({ ...one, position: 1, deliveryId: "0".repeat(32) }))).toBe(true);
  });

  it("keeps numbers of up to 15 digits in order: a date and a counter behind it are no smaller than what came before", () => {
    const at = (sequence: number) =>
      orderKeyOf({ asOfMs: 0, sequence, receivedAtMs: 0, position: 0, deliveryId: "0".repeat(32) });
    expect(at(20_261_119) < at(20_261_120)).toBe(true);
    expect(at(2_026_112_001) < at(2_026_112_002)).toBe(true);
    expect(at(202_611_192_359) < at(202_612_192_359)).toBe(true);
    const number = fc.nat({ max: 999_999_999_999_999 });
    fc.assert(fc.property(number, number, (a, b) => (a < b ? at(a) <= at(b) : at(a) >= at(b))));
  });

  it("is a UUID in text", () => {
    fc.assert(fc.property(order, (o) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(orderKeyOf(o))));
  });
});
