import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CUSTOMER_SLUG, FEED_SLUG } from "../../src/domain/ids.ts";
import { archivePasswordName } from "../../src/domain/keys.ts";

describe("the name of a feed's archive password", () => {
  it("says customer and feed, as a secret of a Worker may be called", () => {
    expect(archivePasswordName("acme", "inventory")).toBe("ARCHIVE_PASSWORD_ACME_INVENTORY");
    expect(archivePasswordName("van-dijk", "price-list")).toBe("ARCHIVE_PASSWORD_VAN__DIJK_PRICE__LIST");
  });

  it("is never that of another feed, however their names are put together", () => {
    const customer = fc.stringMatching(new RegExp(CUSTOMER_SLUG.source.replace("a-z0-9-", "ab-")));
    const feed = fc.stringMatching(new RegExp(FEED_SLUG.source.replace("a-z0-9-", "ab-")));
    fc.assert(
      fc.property(customer, feed, customer, feed, (c1, f1, c2, f2) => {
        const isOne = c1 === c2 && f1 === f2;
        return isOne === (archivePasswordName(c1, f1) === archivePasswordName(c2, f2));
      }),
    );
    expect(archivePasswordName("a-b", "c")).not.toBe(archivePasswordName("a", "b-c"));
  });
});
