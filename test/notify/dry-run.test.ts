import { describe, expect, it } from "vitest";
import type { Effect } from "../../src/domain/effect.ts";
import type { DryRunFile, DryRunNotice } from "../../src/domain/notice.ts";
import { composeMessage } from "../../src/notify/compose.ts";

const effect: Effect = {
  at: "2026-11-20T12:00:00.000Z",
  mode: "full",
  records: 12_400,
  rows: 12_391,
  accepted: 12_390,
  rejected: 1,
  inserted: 12,
  changed: 240,
  unchanged: 12_138,
  stale: 0,
  superseded: 0,
  retired: 22,
  kept: null,
  fields: {
    exact: true,
    counts: [
      { field: "stock", records: 238 },
      { field: "price", records: 4 },
    ],
  },
  examples: [
    {
      kind: "changed",
      key: "A-10017",
      line: 18,
      values: [
        { field: "stock", before: 4, after: 400 },
        { field: "price", before: "12.50", after: "13.00" },
      ],
      more: 0,
    },
    {
      kind: "inserted",
      key: "A-99001",
      line: 12_390,
      values: [
        { field: "sku", before: null, after: "A-99001" },
        { field: "name", before: null, after: "Angle bracket, galvanised" },
      ],
      more: 2,
    },
    { kind: "retired", key: "A-10400", values: [{ field: "name", before: "Hinge", after: null }], more: 3 },
  ],
  verdict: "apply",
  reasons: [],
  unjudged: [],
};

const file: DryRunFile = {
  fileId: "812",
  path: "inventory.csv",
  feedTitle: "Inventory",
  effect,
  rejected: 1,
  rejects: [
    {
      line: 311,
      value: "price: on request",
      sentence: "The value “on request” of “price” is no number.",
      hint: "Write a number, or leave the cell empty.",
    },
  ],
};

const notice: DryRunNotice = {
  kind: "dry-run",
  recipient: "contact",
  customer: "acme",
  customerTitle: "Acme Tools",
  feed: "inventory",
  feedTitle: "Inventory",
  deliveryId: "5f0c7a3d9e1b44c2a6f08d13b7e95c21",
  sender: "erp@acme.example",
  receivedAt: "2026-11-20T12:00:00.000Z",
  subject: "Inventory after the move",
  files: [file],
};

const held: Effect = {
  ...effect,
  verdict: "hold",
  retired: 5_764,
  reasons: [
    {
      check: "retired",
      sentence: "5,764 of 12,400 records (46 %) are not in the file any more and would be taken off; usually 0.1 %.",
    },
  ],
};

const plain = (made: DryRunNotice) => composeMessage(made).text.replace(/\s+/g, " ");
const withEffect = (changed: Partial<Effect>) =>
  plain({ ...notice, files: [{ ...file, effect: { ...effect, ...changed } }] });

describe("the answer to a dry run", () => {
  it("says first of all that nothing was changed, then what the file would do, and what to do", () => {
    const { recipient, subject, text } = composeMessage(notice);
    expect(recipient).toBe("contact");
    expect(subject).toBe("Dry run for “Inventory”: it would be loaded");
    const words = text.replace(/\s+/g, " ");
    const inOrder = [
      "What your file would do",
      "nothing was loaded, and nothing was changed.",
      "Inventory after the move",
      "inventory.csv",
      "If you sent it now, it would be loaded.",
      "Rows in the file 12,391",
      "Of these not readable 1",
      "Records we have now 12,400",
      "New 12 under 0.1 %",
      "Taken off 22 0.2 %",
      "stock 238",
      "price 4",
      "A-10017 stock: 4; price: 12.50 stock: 400; price: 13.00",
      "A-10400 name: Hinge taken off",
      "A-99001 not there name: Angle bracket, galvanised",
      "price: on request",
      "send the same file to the usual address, without “+dryrun”",
      "Delivery 5f0c7a3d9e1b44c2a6f08d13b7e95c21",
    ];
    const places = inOrder.map((some) => [some, words.indexOf(some)] as const);
    expect(places.filter(([, at]) => at < 0)).toEqual([]);
    expect(places.map(([, at]) => at)).toEqual(places.map(([, at]) => at).toSorted((a, b) => a - b));
  });

  it("says why the file would be stopped", () => {
    const made = { ...notice, files: [{ ...file, effect: held }] };
    expect(composeMessage(made).subject).toBe("Dry run for “Inventory”: it would be stopped");
    expect(plain(made)).toContain(held.reasons[0]!.sentence);
    expect(plain(made)).toContain("it is then stopped and asked about");
  });

  it("says that a file says nothing new", () => {
    expect(
      withEffect({ inserted: 0, changed: 0, retired: 0, fields: { exact: true, counts: [] }, examples: [] }),
    ).toContain("nothing would change: all that it says is known");
  });

  it("calls estimates estimates", () => {
    expect(withEffect({ fields: { exact: false, counts: [{ field: "stock", records: 238 }] } })).toContain("about 238");
  });

  it("says why records stay that the file lacks", () => {
    expect(withEffect({ retired: 0, kept: { records: 7, because: "rejects-unread" } })).toContain(
      "7 records are not in the file and would stay all the same, because rows could not be read",
    );
  });

  it("shows the first rows that cannot be read, counts the others, and does not call them left out of a file that is refused", () => {
    const failure = { sentence: "900 of 1,000 rows could not be read.", hint: "Correct them." };
    const { effect: _, ...refused } = { ...file, failure, rejected: 900 };
    const said = plain({ ...notice, files: [refused] });
    expect(said).toContain("Rows that cannot be read:");
    expect(said).toContain("on request");
    expect(said).toContain("… and 899 more.");
    expect(said).not.toContain("left out");
  });

  it("says of a file that cannot be read why, and does not ask to send it", () => {
    const failure = { sentence: "The file “a.csv” is empty.", hint: "Check that the export ran, then send it again." };
    const { effect: _, ...unread } = { ...file, failure, rejects: [] };
    const made = { ...notice, files: [unread] };
    expect(composeMessage(made).subject).toBe("Dry run for “Inventory”: it cannot be loaded");
    expect(plain(made)).toContain("could not be compared. The file “a.csv” is empty. Check that the export ran");
    expect(plain(made)).not.toContain("the usual address");
  });

  it("does not say of a list that is only compared that it would be stopped or loaded", () => {
    const made = { ...notice, files: [{ ...file, effect: { ...held, mode: "snapshot" as const } }] };
    expect(composeMessage(made).subject).toBe("Dry run for “Inventory”: it can be read");
    expect(plain(made)).toContain("It can be read: 12,391 rows, of which 1 cannot.");
    expect(plain(made)).not.toContain("stopped");
  });

  it("tells of several files one by one, names the feed of another, and counts what is too much to tell", () => {
    const files = Array.from({ length: 8 }, (_, i) => ({
      ...file,
      path: `part-${i}.csv`,
      feedTitle: i === 1 ? "Prices" : "Inventory",
    }));
    const { subject, text } = composeMessage({ ...notice, files });
    expect(subject).toBe("Dry run for “Inventory”: 8 of 8 files would be loaded");
    expect(text).toContain("part-1.csv (Prices)");
    expect(text).not.toContain("part-5.csv");
    expect(text).toContain("and 3 more files");
  });

  it("stays short and harmless whatever the file holds", () => {
    const wild = `<script>alert(1)</script>\u202e${"x".repeat(5_000)}\n`;
    const made = composeMessage({
      ...notice,
      subject: wild,
      files: [
        {
          ...file,
          path: wild,
          rejects: [{ line: 1, value: wild, sentence: "S.", hint: "H." }],
          effect: {
            ...effect,
            fields: { exact: true, counts: Array.from({ length: 300 }, (_, i) => ({ field: `f${i}`, records: 1 })) },
            examples: Array.from({ length: 40 }, (_, i) => ({
              kind: "changed" as const,
              key: `${i}${wild}`,
              values: [{ field: wild, before: wild, after: null }],
              more: 0,
            })),
          },
        },
      ],
    });
    expect(made.html).not.toContain("<script");
    expect(made.html.length).toBeLessThan(60_000);
    expect(made.text).toContain("… and 288 more fields");
    expect(made.text).not.toContain("\u202e");
  });
});
