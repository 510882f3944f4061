import { describe, expect, it } from "vitest";
import { feeds as adapters } from "../../adapters/index.ts";
import { type Adapter, defineFeed } from "../../src/domain/adapter.ts";
import type { DeliveryFacts } from "../../src/domain/delivery.ts";
import { report } from "../../src/domain/failures.ts";
import { asOfFile } from "../../src/parse/as-of.ts";
import { chooseFiles, describeFound, nameInWords, noPayload } from "../../src/parse/choose.ts";
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

/** For each payload: the feed whose file it is, the code of its problem, or nothing. */
const chosen = (adapter: Adapter, opened: readonly Opened[], siblings: readonly Adapter[] = []) =>
  chooseFiles(adapter, siblings, opened).map((one) => {
    if (one === undefined) return null;
    return one.opened.kind === "problem" ? `${one.feed.feed} ${one.opened.report.code}` : one.feed.feed;
  });

describe("the files of a delivery", () => {
  it("are the attachments whose name the feed expects, in any case", () => {
    expect(chosen(feed, [file("body", "body"), file("STOCK.CSV"), file("logo.png", "attachment", "image")])).toEqual([
      null,
      "inventory",
      null,
    ]);
  });

  it("include an attachment that could not be opened: it may have been the file", () => {
    expect(chosen(feed, [problem("stock.zip"), problem("body", "body")])).toEqual(["inventory file-corrupt", null]);
  });

  it("are never the text of the mail, unless the feed says so and nothing else counts", () => {
    expect(chosen(feed, [file("body", "body")])).toEqual([null]);
    expect(chosen(inline, [file("body", "body")])).toEqual(["inventory"]);
    expect(chosen(inline, [file("body", "body"), file("stock.csv")])).toEqual([null, "inventory"]);
  });

  it("include a text that is only a web page, where the feed reads texts: its refusal is the reason why nothing came", () => {
    expect(chosen(inline, [file("body.html", "body", "html")])).toEqual(["inventory"]);
  });

  it("include a text that could not be opened, where nothing else counts: an encrypted mail says that it is encrypted", () => {
    expect(chosen(feed, [problem("body.txt", "body"), file("logo.png")])).toEqual(["inventory file-corrupt", null]);
    expect(chosen(feed, [problem("body.txt", "body"), file("stock.csv")])).toEqual([null, "inventory"]);
  });

  it("are never the signature of a mail, whatever its name", () => {
    const any = defineFeed({ ...definition, intake: { ...definition.intake, fileName: "." } });
    expect(
      chosen(any, [file("stock.csv"), file("smime.p7s", "attachment", "smime"), file("x", "attachment", "pgp")]),
    ).toEqual(["inventory", null, null]);
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

describe("a delivery that carries files of other feeds", () => {
  const named = (slug: string, fileName: string, carries: string[] = []): Adapter =>
    defineFeed({ ...definition, feed: slug, intake: { ...definition.intake, fileName, carries } });
  const stock = named("inventory", "^stock.*\\.csv$", ["prices", "orders"]);
  const prices = named("prices", "^price");
  const orders = named("orders", "^order|list");
  const feeds = [stock, prices, orders, named("other", "^other")];

  it("gives each file to the feed whose pattern its name fits", () => {
    const opened = [file("orders.csv"), file("stock.csv"), file("PRICES.csv"), file("stock-2.csv")];
    expect(chosen(stock, opened, feeds)).toEqual(["orders", "inventory", "prices", "inventory"]);
  });

  it("leaves files alone that fit none, and those of feeds that it does not carry", () => {
    expect(chosen(stock, [file("readme.txt"), file("other.csv")], feeds)).toEqual([null, null]);
    expect(chosen(prices, [file("price.csv"), file("stock.csv")], feeds)).toEqual(["prices", null]);
  });

  it("guesses nothing where a name fits two feeds, be it its own and another", () => {
    expect(chosen(stock, [file("price list.csv"), file("stock list.csv"), file("prices.csv")], feeds)).toEqual([
      "inventory file-ambiguous",
      "inventory file-ambiguous",
      "prices",
    ]);
    const [ambiguous] = chooseFiles(stock, feeds, [file("price list.csv")]);
    expect(ambiguous?.opened).toMatchObject({
      path: "price list.csv",
      role: "attachment",
      report: { disposition: "hold", actor: "operator", evidence: { feeds: ["prices", "orders"] } },
    });
  });

  it("gives what could not be opened to the feed whose name it has, else to its own", () => {
    expect(chosen(stock, [problem("export.zip/price.csv"), problem("export.zip")], feeds)).toEqual([
      "prices file-corrupt",
      "inventory file-corrupt",
    ]);
  });

  it("never reaches a feed of another customer, though it has the name", () => {
    const elsewhere = defineFeed({ ...definition, customer: "kontor", feed: "prices" });
    expect(() => chosen(stock, [file("price.csv")], [stock, elsewhere, orders])).toThrow("acme/prices");
  });

  it("carries, in adapters/, feeds that there are", () => {
    for (const adapter of adapters) expect(chosen(adapter, [], adapters)).toEqual([]);
  });

  it("is defined only where it names no feed twice, not itself, and tells its own files by name", () => {
    expect(() => named("inventory", "^stock", ["inventory"])).toThrow("names the feed itself");
    expect(() => named("inventory", "^stock", ["prices", "prices"])).toThrow("stands twice");
    expect(() => named("inventory", ".", ["prices"])).toThrow("must tell the feed's own files");
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

describe("a delivery without a file of the feed", () => {
  it.each([
    ["\\.csv$", "*.csv"],
    ["^EXTF_Buchungsstapel.*\\.csv$", "EXTF_Buchungsstapel*.csv"],
    ["^Address\\.csv$", "Address.csv"],
    ["stock", "*stock*"],
    ["^(stock|inventory)\\.csv$", "^(stock|inventory)\\.csv$"],
  ])("tells the agreed name %s as %s", (pattern, shown) => {
    expect(nameInWords(pattern)).toBe(shown);
  });

  it("says that it was for the name only where something had one", () => {
    const stock = { ...feed, intake: { ...feed.intake, fileName: "^stock.*\\.csv$" } };
    expect(noPayload(stock, [file("prices.csv")]).sentence).toMatch(
      /named as agreed .*prices\.csv.*agreed: stock\*\.csv/,
    );
    expect(noPayload(stock, [file("body", "body")]).sentence).toBe(
      "The message holds no file for this feed (found: only text).",
    );
  });
});
