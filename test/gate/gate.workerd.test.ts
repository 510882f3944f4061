/** The gate in Cloudflare's runtime: the same verdict, the same mail, the same link. */
import { describe, expect, it } from "vitest";
import { readLink, signLink } from "../../src/gate/link.ts";
import { judged, NOW_MS, retired } from "./feed.ts";

describe("in workerd", () => {
  it("holds a file that would retire too much, and shows ten rows of it", () => {
    const { verdict, tripped, telling } = judged({ facts: { retired: 400 }, samples: retired(40) });
    expect([verdict, tripped.map((one) => one.check), telling.length]).toEqual(["hold", ["retired"], 10]);
  });

  it("signs a link as Node does, and reads it again", () => {
    const hold = { fileId: "17", expiresMs: NOW_MS, nonce: "n0nceN0nceN0nce7" };
    const link = { ...hold, action: "reject", recipient: "contact" } as const;
    const token = signLink(link, "tests-only-address-secret");
    expect(token).toBe(
      "h1.17.reject.contact.1795147200000.n0nceN0nceN0nce7.UEry50N1Bnjv9nYBTgDf9XzWzSJpsRVKS-dqDmwtqkA",
    );
    expect(readLink(token, "tests-only-address-secret", NOW_MS - 1)).toEqual({ is: "good", link });
  });
});
