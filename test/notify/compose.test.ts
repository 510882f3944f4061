import { describe, expect, it } from "vitest";
import type { FormatDriftNotice, FormatUnconfirmedNotice } from "../../src/domain/notice.ts";
import { composeMessage } from "../../src/notify/compose.ts";

const ofFile = {
  recipient: "operator",
  customer: "acme",
  customerTitle: "Acme Tools",
  feed: "prices",
  feedTitle: "Prices",
  fileId: "17",
  path: "export.zip/prices.csv",
  deliveryId: "0".repeat(32),
  sender: "erp@acme.example",
  receivedAt: "2026-11-21T04:00:00.000Z",
} as const;

const unconfirmed = (change: Partial<FormatUnconfirmedNotice> = {}): FormatUnconfirmedNotice => ({
  kind: "format-unconfirmed",
  ...ofFile,
  evidence: ["The semicolon divides 31 of 31 rows into 2 cells."],
  columns: [
    { name: "Article", type: "identifier", examples: ["A-1", "A-2"] },
    { name: "Valid from", type: "date", examples: ["03/04/2024"] },
  ],
  key: ["article"],
  questions: [
    {
      what: "dateOrder",
      column: "Valid from",
      options: ["dd/MM/yyyy", "MM/dd/yyyy"],
      assumed: null,
      reason: "All values can be read both ways.",
    },
    { what: "key", options: ["article", "valid_from"], assumed: "article", reason: "All rows differ in it." },
  ],
  faults: [],
  ...change,
});

const drift = (change: Partial<FormatDriftNotice> = {}): FormatDriftNotice => ({
  kind: "format-drift",
  ...ofFile,
  cause: "renamed-column",
  sentence: "The column “Price” is called “Amount” now.",
  original: { code: "missing-column", sentence: "The header in line 1 lacks “Price”.", hint: "" },
  differences: [{ what: "name", column: "Price", pinned: "Price", found: "Amount" }],
  examples: [{ line: 1, pinned: "Article;Price", found: "Article;Amount" }],
  questions: [],
  faults: [],
  ...change,
});

describe("the mail about a first file", () => {
  const { subject, text, html } = composeMessage(unconfirmed());

  it("says which feed, what was read, what is asked, and how to answer it", () => {
    expect(subject).toBe("acme/prices: is this how its files are written?");
    for (const said of ["export.zip/prices.csv", "All values can be read both ways.", "Valid from", "03/04/2024"]) {
      expect(text).toContain(said);
      expect(html).toContain(said);
    }
    expect(text).toContain("npx mailfeed feed accept acme/prices");
    expect(text).toContain('"$API/v1/feeds/acme/prices/profile/accept"');
  });

  it("never puts a guess into the command that is copied: what is open must be chosen", () => {
    expect(text).toContain("--answer 'dateOrder:Valid from=dd/MM/yyyy | MM/dd/yyyy'");
    expect(text).toContain("--answer 'key=article'");
  });

  it("keeps to the width of a mail, commands aside", () => {
    const long = "A sentence that goes on and on, as the names of columns in some files do. ".repeat(4);
    const wide = composeMessage(
      unconfirmed({ evidence: [long], columns: [{ name: long, type: "text", examples: [long] }] }),
    );
    const lines = wide.text
      .split("\n")
      .filter((line) => !/^ {2}(npx|curl|"|-d| )/.test(line) || line.includes("goes on"));
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(78);
  });

  it("lists a wide file in part and says so", () => {
    const columns = Array.from({ length: 300 }, (_, i) => ({ name: `Column ${i}`, type: "text", examples: [] }));
    expect(composeMessage(unconfirmed({ columns })).text).toContain("… and 260 more columns.");
  });
});

describe("the mail about a drift", () => {
  const { subject, text, html } = composeMessage(drift());

  it("shows both sides, the likely cause, what reading it came to, and both ways to decide", () => {
    expect(subject).toBe("acme/prices: a file does not look as agreed");
    for (const said of [
      "The column “Price” is called “Amount” now.",
      "The header in line 1 lacks “Price”.",
      "As agreed",
      "Article;Amount",
      "npx mailfeed feed drift acme/prices --accept 17",
      "npx mailfeed feed drift acme/prices --reject 17",
    ]) {
      expect(text).toContain(said);
      expect(html).toContain(said);
    }
  });

  it("what a stranger's file holds is text, never markup and never a command", () => {
    const evil = `<img src=x onerror=alert(1)>'; rm -rf / #`;
    const made = composeMessage(
      drift({
        differences: [{ what: "name", column: evil, pinned: evil, found: evil }],
        examples: [{ line: 1, found: evil }],
        questions: [{ what: "dateOrder", column: evil, options: ["a", "b"], assumed: null, reason: evil }],
      }),
    );
    expect(made.html).not.toContain("<img");
    expect(made.text).toContain(`'dateOrder:<img src=x onerror=alert(1)>'\\''; rm -rf / #=a | b'`);
  });

  it("has no picture, script or style sheet of somebody else", () => {
    expect(html).not.toMatch(/<(script|img|link|style)|https?:/);
  });
});
