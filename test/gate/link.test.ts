/** Links that decide: good ones, and every way of bending one. */
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { feedAddress } from "../../src/domain/address.ts";
import { HOLD_ACTIONS, type HoldLink, OFFERED, readLink, signLink } from "../../src/gate/link.ts";
import { holdLinks } from "../../src/gate/links.ts";

const SECRET = "tests-only-address-secret";
const NOW_MS = Date.UTC(2026, 10, 20, 4);
const LINK: HoldLink = {
  fileId: "17",
  action: "release",
  recipient: "operator",
  expiresMs: NOW_MS + 1_000,
  nonce: "n0nceN0nceN0nce7",
};

const withPart = (token: string, i: number, part: string) => token.split(".").with(i, part).join(".");
const isOf = (token: string, secret = SECRET, now = NOW_MS) => readLink(token, secret, now).is;

describe("a link", () => {
  it("says what was signed, for every file, action, time and nonce", () => {
    const links = fc.record({
      fileId: fc.bigInt({ min: 1n, max: 2n ** 59n }).map(String),
      action: fc.constantFrom(...HOLD_ACTIONS),
      recipient: fc.constant("operator" as const),
      expiresMs: fc.integer({ min: NOW_MS + 1, max: NOW_MS * 2 }),
      nonce: fc.stringMatching(/^[0-9A-Za-z]{16,64}$/),
    });
    fc.assert(
      fc.property(links, (link) => {
        const token = signLink(link, SECRET);
        expect(token).toMatch(/^[\w.-]+$/);
        expect(readLink(token, SECRET, NOW_MS)).toEqual({ is: "good", link });
      }),
    );
  });

  it("holds until its time and not at it", () => {
    const token = signLink(LINK, SECRET);
    expect([isOf(token, SECRET, LINK.expiresMs - 1), isOf(token, SECRET, LINK.expiresMs)]).toEqual(["good", "expired"]);
  });

  it("still says what it was about when its time is over", () => {
    const token = signLink(LINK, SECRET);
    expect(readLink(token, SECRET, LINK.expiresMs)).toEqual({ is: "expired", link: LINK });
  });

  it("is forged where it was signed for another file, action, recipient, time, or nonce", () => {
    const token = signLink(LINK, SECRET);
    const bent = [
      withPart(token, 1, "18"),
      withPart(token, 2, "widen"),
      withPart(token, 2, "reject"),
      withPart(token, 3, "contact"),
      withPart(token, 4, String(LINK.expiresMs + 1)),
      withPart(token, 5, "n0nceN0nceN0nce8"),
    ];
    expect(bent.map((one) => isOf(one))).toEqual(Array(6).fill("forged"));
  });

  it("is forged under another secret, and where it is signed by the secret itself or as an address", () => {
    expect(isOf(signLink(LINK, "another-secret-of-16"))).toBe("forged");
    const token = signLink(LINK, SECRET);
    const signed = token.split(".").slice(0, 6).join(".");
    const bySecret = createHmac("sha256", SECRET).update(signed).digest("base64url");
    expect(isOf(withPart(token, 6, bySecret))).toBe("forged");
    const address = feedAddress({ customer: "h1", feed: "17", intake: { addressEdition: 1 } }, SECRET, "x");
    expect(isOf(withPart(token, 6, address.split(".")[2]!.split("@")[0]!.padEnd(43, "a")))).toBe("forged");
  });

  it("is written in one way only, though other letters at its end would say the same bytes", () => {
    const token = signLink(LINK, SECRET);
    const same = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"]
      .map((letter) => token.slice(0, -1) + letter)
      .filter((other) => Buffer.from(other.slice(-43), "base64url").equals(Buffer.from(token.slice(-43), "base64url")));
    expect(same).toHaveLength(4);
    expect(same.filter((other) => isOf(other) === "good")).toEqual([token]);
  });

  it("that was bent and is too old says that it is forged: nobody learns which times were signed", () => {
    const old = signLink({ ...LINK, expiresMs: NOW_MS - 1 }, SECRET);
    expect([isOf(old), isOf(withPart(old, 1, "18"))]).toEqual(["expired", "forged"]);
  });

  it("does not hold with any one letter other than it was", () => {
    const token = signLink(LINK, SECRET);
    fc.assert(
      fc.property(fc.nat({ max: token.length - 1 }), fc.stringMatching(/^[\w.-]$/), (at, letter) => {
        fc.pre(token[at] !== letter);
        expect(isOf(token.slice(0, at) + letter + token.slice(at + 1))).not.toBe("good");
      }),
    );
  });

  it("is malformed where it is anything else, and reading it never throws", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(isOf(text)).toBe("malformed");
      }),
    );
    const token = signLink(LINK, SECRET);
    const others = [
      "",
      `${token}=`,
      `${token}\n`,
      token.toUpperCase(),
      withPart(token, 1, "017"),
      withPart(token, 2, "delete"),
    ];
    expect(others.map((one) => isOf(one))).toEqual(Array(others.length).fill("malformed"));
  });

  it("is not made of what could not be read again", () => {
    for (const bad of [{ nonce: "short" }, { nonce: "a.b".repeat(8) }, { fileId: "x" }, { expiresMs: 1.5 }]) {
      expect(() => signLink({ ...LINK, ...bad }, SECRET)).toThrow(RangeError);
    }
  });

  it("of a contact rejects and does nothing else, also where it were signed by the right key", () => {
    const contact = { ...LINK, recipient: "contact" } as const;
    expect(isOf(signLink({ ...contact, action: "reject" }, SECRET))).toBe("good");
    for (const action of ["release", "widen"] as const) {
      expect(() => signLink({ ...contact, action }, SECRET)).toThrow("can only reject");
      const key = createHmac("sha256", SECRET).update("mailfeed/hold-link/v1").digest();
      const signed = ["h1", LINK.fileId, action, "contact", LINK.expiresMs, LINK.nonce].join(".");
      const mac = createHmac("sha256", key).update(signed).digest("base64url");
      expect(isOf(`${signed}.${mac}`)).toBe("forged");
    }
  });
});

describe("the links of a mail", () => {
  const hold = { fileId: LINK.fileId, nonce: LINK.nonce, expiresMs: LINK.expiresMs };
  const widening = { retired: { share: 0.5 } };
  const linksOf = (recipient: "operator" | "contact") =>
    holdLinks("https://mailfeed.example", SECRET, { ...hold, widening }, recipient);

  it.each(["operator", "contact"] as const)("are those that are offered to the %s, and each says who has it", (who) => {
    const links = linksOf(who);
    expect(Object.keys(links)).toEqual([...OFFERED[who]]);
    for (const [action, url] of Object.entries(links)) {
      expect(url).toMatch(/^https:\/\/mailfeed\.example\/hold\/h1\.[\w.-]+$/);
      const token = url.slice("https://mailfeed.example/hold/".length);
      expect(readLink(token, SECRET, NOW_MS)).toEqual({ is: "good", link: { ...hold, action, recipient: who } });
    }
  });

  it("offer to widen only where there is something to widen", () => {
    const links = holdLinks("https://mailfeed.example", SECRET, { ...hold, widening: {} }, "operator");
    expect(Object.keys(links)).toEqual(["release", "reject"]);
  });

  it("are none where there is no address to lead to", () => {
    expect(holdLinks(undefined, SECRET, { ...hold, widening }, "operator")).toEqual({});
  });
});
