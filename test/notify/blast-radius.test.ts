/** The mail about a file that would do too much: one for the operator, one for the contact. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BlastRadiusNotice, NoticeRow } from "../../src/domain/notice.ts";
import { composeMessage } from "../../src/notify/compose.ts";

const LINKS = {
  release: "https://mailfeed.example/hold/h1.17.release.x",
  widen: "https://mailfeed.example/hold/h1.17.widen.x",
  reject: "https://mailfeed.example/hold/h1.17.reject.x",
};

const notice = (change: Partial<BlastRadiusNotice> = {}): BlastRadiusNotice => ({
  kind: "blast-radius",
  recipient: "operator",
  customer: "acme",
  customerTitle: "Acme Tools",
  feed: "inventory",
  feedTitle: "Inventory",
  fileId: "17",
  path: "stock.csv",
  deliveryId: "0".repeat(32),
  sender: "erp@acme.example",
  receivedAt: "2026-11-20T04:02:00.000Z",
  reasons: ["5,764 of 12,412 records (46 %) are not in the file any more and would be taken off."],
  numbers: { records: 12_412, rows: 6_655, rejected: 3, inserted: 4, changed: 391, unchanged: 6_257, retired: 5_764 },
  telling: [
    { kind: "retired", key: "A-1", field: "stock", before: "888" },
    { kind: "changed", key: "A-2", field: "stock", before: "40", after: "0" },
    { kind: "inserted", key: "A-3", field: "stock", after: "100" },
  ],
  links: LINKS,
  expiresAt: "2026-11-27T04:02:00.000Z",
  later: "supersede",
  reminder: false,
  ...change,
});

const contact = (change: Partial<BlastRadiusNotice> = {}) => notice({ recipient: "contact", links: {}, ...change });

/** As a person reads it: without the breaks of lines. */
const flat = (text: string): string => text.replace(/\s+/g, " ");

describe("the mail to the operator", () => {
  const { recipient, subject, text, html } = composeMessage(notice());

  it("says what happened, why, what would have happened in numbers, and until when to decide", () => {
    expect([recipient, subject]).toEqual(["operator", "acme/inventory: a file is held, it would change too much"]);
    for (const said of [
      "Nothing of it was applied.",
      "(46 %)",
      "5,764",
      "6,652",
      "stock.csv",
      "2026-11-27 04:02 UTC",
    ]) {
      expect(flat(text)).toContain(said);
      expect(html).toContain(said);
    }
  });

  it("shows each kind of row with what it is now and what it would be", () => {
    const lines = text.split("\n").map((line) => line.split(/ {2,}/));
    expect(lines).toContainEqual(["A-1", "stock: 888", "taken off"]);
    expect(lines).toContainEqual(["A-2", "stock: 40", "stock: 0"]);
    expect(lines).toContainEqual(["A-3", "not there", "stock: 100"]);
  });

  it("has the three links whole, in both parts, and nothing else to press or to load", () => {
    for (const link of Object.values(LINKS)) {
      expect(text.split("\n")).toContain(`  ${link}`);
      expect(html).toContain(`href="${link}"`);
    }
    expect(html.match(/href=/g)).toHaveLength(3);
    expect(html).not.toMatch(/<(script|img|link|style|form|iframe)/);
  });

  it("offers only the decisions that there are", () => {
    const { reject } = LINKS;
    const made = composeMessage(notice({ links: { reject } }));
    expect(made.html.match(/href=/g)).toHaveLength(1);
    expect(made.text).not.toContain("widen");
  });

  it("says what newer files do meanwhile", () => {
    expect(flat(text)).toContain("as soon as one of them is applied, this one is done with");
    expect(flat(composeMessage(notice({ later: "wait" })).text)).toContain("Newer files of the feed wait behind it.");
  });

  it("says when it is a reminder", () => {
    const again = composeMessage(notice({ reminder: true }));
    expect(again.subject).toMatch(/^Reminder: /);
    expect(again.text).toContain("Nobody has decided yet.");
  });

  it("leaves out what the plan does not know, instead of showing a zero", () => {
    const { inserted: _, changed: __, unchanged: ___, ...numbers } = notice().numbers;
    const made = composeMessage(notice({ numbers }));
    expect(made.text).not.toMatch(/^(New|Changed|Unchanged|Records afterwards)\b/m);
    expect(made.text).not.toContain("NaN");
  });
});

describe("the mail to the contact", () => {
  const { recipient, subject, text, html } = composeMessage(contact());

  it("says in the words of somebody who has never seen the system what to do if it is wrong and if it is right", () => {
    expect([recipient, subject]).toEqual(["contact", "Please check your file for “Inventory”: it is not loaded yet"]);
    for (const said of [
      "Your data is as it was before this file.",
      "correct the export and send the file again as usual",
      "tell the people who receive your data that file 17 is right",
      "the file is not loaded",
    ]) {
      expect(flat(text)).toContain(said);
      expect(html).toContain(said);
    }
  });

  it("has none of our words in it", () => {
    const ours = /\b(feed|plan|gate|hold|held|retired?|upsert|delta|blast|policy|apply|applied|dead letter|API)\b/i;
    expect(text).not.toMatch(ours);
    expect(
      composeMessage(contact({ later: "wait", reminder: true, links: LINKS })).text.replaceAll(/https:\S+/g, ""),
    ).not.toMatch(ours);
  });

  it("never offers to widen limits, even where the link is at hand", () => {
    const made = composeMessage(contact({ links: LINKS }));
    expect(made.html).not.toContain(LINKS.widen);
    expect(made.text).not.toContain(LINKS.widen);
    expect(made.html.match(/href=/g)).toHaveLength(2);
  });

  it("of a feed whose files wait, says that this one has to go before the next", () => {
    expect(flat(composeMessage(contact({ later: "wait" })).text)).toContain("later files wait behind it");
  });
});

describe("what a stranger's file holds", () => {
  const evil = `"><img src=x onerror=alert(1)><a href="https://evil.example">press</a>\u202e\r\nBcc: x@evil.example`;
  const hostile: NoticeRow = { kind: "changed", key: evil, field: evil, before: evil, after: evil };

  it("is text in both mails, on the one line where it stands, and in no subject", () => {
    for (const made of [notice, contact].map((of) =>
      composeMessage(of({ telling: [hostile], path: evil, reasons: [evil] })),
    )) {
      expect(made.html).not.toMatch(/<img|<a href="https:\/\/evil/);
      expect(made.subject).not.toContain("evil");
      expect(made.text).not.toMatch(/^Bcc:/m);
    }
  });

  it("that claims to be a link of ours is none: only an address of the web is made one", () => {
    for (const url of [`javascript:alert(1)`, `https://x" onclick="y`, "{link:release}", "data:text/html,x"]) {
      expect(composeMessage(notice({ links: { release: url } })).html).not.toContain("<a ");
    }
  });

  it("never breaks a mail, whatever it is: every tag is one of ours", () => {
    const text = fc.string({ unit: "binary", maxLength: 200 });
    const row = fc.record({
      kind: fc.constantFrom("changed" as const, "inserted" as const, "retired" as const),
      key: text,
      field: text,
      before: text,
      after: text,
    });
    fc.assert(
      fc.property(fc.array(row, { maxLength: 10 }), fc.array(text, { maxLength: 5 }), (telling, reasons) => {
        const made = composeMessage(contact({ telling, reasons }));
        const tags = new Set([...made.html.matchAll(/<\/?([a-z][a-z0-9]*)/gi)].map((match) => match[1]));
        const ours = "html head meta title body table tr td th col colgroup h1 h2 p ul li span br".split(" ");
        expect([...tags].filter((tag) => !ours.includes(tag ?? ""))).toEqual([]);
      }),
    );
  });
});
