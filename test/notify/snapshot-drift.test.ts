/** The mail about drift that waits: one for the operator, one for the contact, and one that says that nobody decided. */
import { describe, expect, it } from "vitest";
import type { SnapshotDriftNotice } from "../../src/domain/notice.ts";
import { composeMessage } from "../../src/notify/compose.ts";

const notice = (change: Partial<SnapshotDriftNotice> = {}): SnapshotDriftNotice => ({
  kind: "snapshot-drift",
  recipient: "operator",
  customer: "acme",
  customerTitle: "Acme Tools",
  feed: "inventory",
  feedTitle: "Inventory",
  fileId: "812",
  path: "all-stock.csv",
  deliveryId: "0".repeat(32),
  sender: "erp@acme.example",
  receivedAt: "2026-11-20T02:04:11.000Z",
  reportId: "41",
  ownFile: false,
  asOf: "2026-11-20T02:00:00.000Z",
  reasons: ["1,240 rows, more than 500"],
  numbers: {
    records: 12_400,
    listed: 12_391,
    missingHere: 31,
    missingThere: 40,
    differs: 1_180,
    drift: 1_240,
    explained: { "newer-file": 9, "held-file": 2, "unread-rows": 0 },
  },
  telling: [
    { key: "M6-040-A2", here: "stock: 4", there: "stock: 400" },
    { key: "<SET-99>", here: "not there", there: "there" },
  ],
  expiresAt: "2026-11-27T02:05:00.000Z",
  expired: false,
  ...change,
});

/** As a person reads it: without the breaks of lines. */
const flat = (text: string): string => text.replace(/\s+/g, " ");
const composed = (change: Partial<SnapshotDriftNotice> = {}) => {
  const { subject, text, html } = composeMessage(notice(change));
  return { subject, text: flat(text), html };
};

describe("the mail to the operator", () => {
  it("says what differs, why it waits, what either decision does, and until when", () => {
    const { subject, text, html } = composed();
    expect(subject).toBe("acme/inventory: 1,240 records differ from the ERP's list, more than heals by itself");
    for (const said of [
      "1,240 rows, more than 500.",
      "Nothing was changed.",
      "npx mailfeed drift release 41",
      "npx mailfeed drift reject 41",
      "records that the list lacks are retired",
      "2026-11-27 02:05 UTC",
      "9: a newer file has said something else since",
    ]) {
      expect(text).toContain(said);
    }
    expect(html).toContain("&lt;SET-99&gt;");
    expect(html).not.toContain("<SET-99>");
  });
});

describe("the mail to the contact", () => {
  it("is in words of the customer: no command, no word of ours, what to do in either case", () => {
    const { subject, text, html } = composed({ recipient: "contact" });
    expect(subject).toBe("Please check “Inventory”: your list and our data do not match");
    for (const said of [
      "1,240 of 12,400 entries do not match",
      "Nothing was changed.",
      "Only in your list, not in our data",
      "name report 41",
      "correct the export",
      "nothing is corrected",
    ]) {
      expect(text).toContain(said);
    }
    for (const ours of ["snapshot", "mailfeed drift", "adapter", "platform", "heal", "retire"]) {
      expect(text).not.toContain(ours);
      expect(html).not.toContain(ours);
    }
  });

  it("speaks of the last file where no list was sent", () => {
    const { subject, text } = composed({ recipient: "contact", ownFile: true });
    expect(subject).toBe("Please check “Inventory”: the last file that you sent and our data do not match");
    expect(text).toContain("Only in your file, not in our data");
    expect(text).toContain("send a corrected one as usual");
  });

  it("says nothing of what is none: a row of the table for each kind that there is", () => {
    const numbers = { ...notice().numbers, missingHere: 0, explained: {} };
    const { text } = composed({ recipient: "contact", numbers });
    expect(text).not.toContain("Only in your list");
    expect(text).not.toContain("explained");
  });
});

describe("the mail after a week", () => {
  it.each(["operator", "contact"] as const)("tells the %s that it is over, and what comes next", (recipient) => {
    const { subject, text } = composed({ recipient, expired: true });
    expect(subject).toContain("nobody decided, nothing was corrected");
    expect(text).toContain("the data stays as it is");
    expect(text).toContain("The next list is compared anew");
  });
});
