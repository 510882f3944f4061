import { describe, expect, it } from "vitest";
import { defineFeed } from "../../src/domain/adapter.ts";
import type { DeliveryFacts } from "../../src/domain/delivery.ts";
import { report } from "../../src/domain/failures.ts";
import { asOfFile } from "../../src/parse/as-of.ts";
import { chooseFiles, describeFound } from "../../src/parse/choose.ts";
import type { FileFormat, Opened, PayloadRole } from "../../src/parse/open/open.ts";
import { bytesSource } from "../../src/parse/open/source.ts";

const definition = {
  customer: "acme",
  customerTitle: "Acme",
  feed: "inventory",
  title: "Inventory",
  mode: "full" as const,
  intake: { policy: "trust-address" as const, senders: ["@acme.example"], fileName: "\\.csv$" },
  file: { charset: "utf-8" as const, delimiter: ",", header: true },
  columns: [{ name: "sku", source: { header: "SKU" }, type: "identifier" as const }],
  key: ["sku"],
};
const feed = defineFeed(definition);
const inline = defineFeed({ ...definition, intake: { ...definition.intake, inlineBody: true } });

const file = (name: string, role: PayloadRole = "attachment", format: FileFormat = "text"): Opened => ({
  kind: "file",
  file: {
    path: name,
    name,
    contentType: "text/plain",
    role,
    format,
    source: async () => bytesSource(new Uint8Array()),
    open: () => bytesSource(new Uint8Array()).blocks(0, 0),
  },
});
const problem = (path: string, role: PayloadRole = "attachment"): Opened => ({
  kind: "problem",
  path,
  role,
  report: report("file-corrupt", { name: path, reason: "cut off" }),
});

describe("the files of a delivery", () => {
  it("are the attachments whose name the feed expects, in any case", () => {
    expect(
      chooseFiles(feed, [file("body", "body"), file("STOCK.CSV"), file("logo.png", "attachment", "image")]),
    ).toEqual([false, true, false]);
  });

  it("include an attachment that could not be opened: it may have been the file", () => {
    expect(chooseFiles(feed, [problem("stock.zip"), problem("body", "body")])).toEqual([true, false]);
  });

  it("are never the text of the mail, unless the feed says so and nothing else counts", () => {
    expect(chooseFiles(feed, [file("body", "body")])).toEqual([false]);
    expect(chooseFiles(inline, [file("body", "body")])).toEqual([true]);
    expect(chooseFiles(inline, [file("body", "body"), file("stock.csv")])).toEqual([false, true]);
  });

  it("are told in words where there is none", () => {
    expect(describeFound([])).toBe("nothing");
    expect(describeFound([file("body", "body")])).toBe("only text");
    expect(describeFound([file("stock.xlsx", "attachment", "xlsx"), problem("a.zip")])).toBe(
      "stock.xlsx (xlsx), a.zip",
    );
    expect(describeFound(Array.from({ length: 7 }, (_, i) => file(`${i}.txt`)))).toMatch(/ and 2 more$/);
  });
});

describe("the as-of of a file", () => {
  const facts = (sentAt: string | undefined): DeliveryFacts => ({
    v: 1,
    id: "0".repeat(32),
    customer: "acme",
    feed: "inventory",
    door: "mail",
    sender: "erp@acme.example",
    verdict: { kind: "proven", proof: "address" },
    ...(sentAt === undefined ? {} : { sentAt }),
    receivedAt: "2026-11-02T12:00:00.000Z",
    bytes: 1,
    sha256: "0".repeat(64),
  });
  const named = defineFeed({
    ...definition,
    asOf: { from: "file-name", pattern: "_(?<year>\\d{4})(?<month>\\d\\d)(?<day>\\d\\d)(?<hour>\\d\\d)?" },
  });
  const of = (f: typeof feed, sentAt: string | undefined, name = "stock.csv") => {
    const { at, source } = asOfFile(f, facts(sentAt), name);
    return [at.toISOString(), source];
  };

  it("is the mail's Date within its bounds, else the arrival", () => {
    expect(of(feed, "2026-11-02T09:00:00.000Z")).toEqual(["2026-11-02T09:00:00.000Z", "mail-date"]);
    expect(of(feed, "2026-11-02T12:09:00.000Z")).toEqual(["2026-11-02T12:09:00.000Z", "mail-date"]);
    expect(of(feed, "2026-11-02T12:11:00.000Z")).toEqual(["2026-11-02T12:00:00.000Z", "arrival"]);
    expect(of(feed, "2026-10-20T12:00:00.000Z")).toEqual(["2026-11-02T12:00:00.000Z", "arrival"]);
    expect(of(feed, undefined)).toEqual(["2026-11-02T12:00:00.000Z", "arrival"]);
  });

  it("is the time in the file's name where the feed says so, if it is one and not to come", () => {
    expect(of(named, undefined, "stock_20261101.csv")).toEqual(["2026-11-01T00:00:00.000Z", "file-name"]);
    expect(of(named, undefined, "stock_2026110107.csv")).toEqual(["2026-11-01T07:00:00.000Z", "file-name"]);
    expect(of(named, undefined, "stock_20261301.csv")).toEqual(["2026-11-02T12:00:00.000Z", "arrival"]);
    expect(of(named, undefined, "stock_20270101.csv")).toEqual(["2026-11-02T12:00:00.000Z", "arrival"]);
    expect(of(named, undefined, "stock.csv")).toEqual(["2026-11-02T12:00:00.000Z", "arrival"]);
  });
});
