/** The parse stage over tables in memory: which file goes to which feed, and what of a locked archive is ever told. */
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { type Adapter, defineFeed } from "../../src/domain/adapter.ts";
import type { DeliveryFacts } from "../../src/domain/delivery.ts";
import { archivePasswordName } from "../../src/domain/keys.ts";
import { parseDeliveryMessage } from "../../src/domain/messages.ts";
import type { FoundPayload, ParseDeps, Refusal } from "../../src/parse/deps.ts";
import { parseHandler } from "../../src/parse/handler.ts";
import { bytesSource } from "../../src/parse/open/source.ts";
import { buildMail, buildZip, type ZipEntrySpec } from "./open/fixtures.ts";
import { oneSheet } from "./sheet/fixtures.ts";

interface Named {
  readonly carries?: string[];
  readonly inlineBody?: boolean;
  readonly kind?: "delimited" | "sheet" | "json";
  readonly more?: Pick<Parameters<typeof defineFeed>[0], "controls" | "asOf">;
}

const feedNamed = (slug: string, fileName: string, { kind = "delimited", more = {}, ...intake }: Named = {}): Adapter =>
  defineFeed({
    customer: "acme",
    customerTitle: "Acme",
    feed: slug,
    title: slug,
    mode: "full",
    intake: { policy: "trust-address", senders: ["@acme.example"], fileName, ...intake },
    file: { kind, header: true },
    columns: [{ name: "id", source: { header: `${slug} id` }, type: "identifier" }],
    key: ["id"],
    ...more,
  });

const FEEDS = [
  feedNamed("inventory", "^stock", { carries: ["prices", "orders"] }),
  feedNamed("prices", "^price"),
  feedNamed("orders", "^order|list"),
];

const facts = (door: DeliveryFacts["door"], name: string): DeliveryFacts => ({
  v: 1,
  id: "0".repeat(32),
  customer: "acme",
  feed: "inventory",
  door,
  sender: "erp@acme.example",
  verdict: { kind: "proven", proof: "address" },
  ...(door === "upload" ? { name } : {}),
  receivedAt: "2026-11-20T06:00:00.000Z",
  bytes: 1,
  sha256: "0".repeat(64),
});

interface Told {
  /** By path: the feed and the end, or the code of the refusal. */
  readonly files: Record<string, string>;
  readonly refusals: Refusal[];
  readonly failure: string | undefined;
  readonly found: readonly FoundPayload[];
  /** Everything that was stored, logged or sent, as text. */
  readonly everything: string;
}

async function parsed(
  bytes: Uint8Array,
  {
    feeds = FEEDS,
    door = "upload" as const,
    env = {},
    name = "export.zip",
    previous = null,
  }: {
    feeds?: readonly Adapter[];
    door?: DeliveryFacts["door"];
    env?: Record<string, string>;
    name?: string;
    /** The number of the feed's last file. */
    previous?: number | null;
  } = {},
): Promise<Told> {
  const said: unknown[] = [];
  const files: Record<string, string> = {};
  const paths = new Map<string, { path: string; feed: string }>();
  const refusals: Refusal[] = [];
  let end: { found: readonly FoundPayload[]; failure: string | undefined } = { found: [], failure: undefined };
  const log = (event: string, fields?: unknown) => said.push([event, fields]);
  const deps: ParseDeps = {
    feeds,
    openRaw: async () => ({ facts: facts(door, name), source: bytesSource(bytes) }),
    archivePassword: (customer, feed) => env[archivePasswordName(customer, feed)],
    tables: {
      beginDelivery: async () => "parsing",
      deliveryState: async () => "parsed",
      versions: async () => ({ active: [], asked: false }),
      async beginFile(_facts, feed, file) {
        const id = String(file.position);
        paths.set(id, { path: file.path, feed: feed.feed });
        said.push(file);
        return { id, state: "parsing" };
      },
      sequenceBefore: async () => ({ previous, beingRead: null }),
      addRejects: async (...given) => void said.push(given),
      async finishFile(id, feed, read, refusal) {
        const { path } = paths.get(id)!;
        files[path] = `${feed.feed} ${read.books.accepted}${refusal === undefined ? "" : ` ${refusal.failure.code}`}`;
        said.push([read, refusal]);
        return "parsed";
      },
      async refuseFile(id, refusal) {
        const { path, feed } = paths.get(id)!;
        files[path] = `${feed} ${refusal.failure.code}`;
        refusals.push(refusal);
        said.push(refusal);
        return refusal.failure.disposition === "hold" ? "held" : "rejected";
      },
      pin: async (...given) => void said.push(given),
      complete: async (...given) => void said.push(given),
      async finishDelivery(_id, found, failure) {
        end = { found, failure: failure?.code };
        said.push([found, failure]);
      },
    },
    putChunk: async (fileId, version, entry) => void said.push([fileId, version, entry]),
    enqueueApply: async (message) => void said.push(message),
    compose: (notice) => {
      said.push(notice);
      return { recipient: "operator", subject: "", text: "", html: "" };
    },
    log: { info: log, warn: log, error: log },
  };
  const raw = { customer: "acme", feed: "inventory", correlationId: "0".repeat(32), rawKey: "raw/acme/x" };
  await parseHandler(parseDeliveryMessage(raw), deps);
  return { files, refusals, ...end, everything: JSON.stringify(said) };
}

const table = (feed: string, rows = 1): string =>
  `${feed} id\n${Array.from({ length: rows }, (_, i) => `A${i}\n`).join("")}`;
const zipped = (...entries: ZipEntrySpec[]) => buildZip({ entries });

describe("a zip with the files of several feeds", () => {
  it("gives each to the feed whose pattern it fits, and leaves the others alone", async () => {
    const { files, found, failure } = await parsed(
      zipped(
        { name: "stock.csv", data: table("inventory") },
        { name: "2026/PRICES.csv", data: table("prices", 2) },
        { name: "orders.csv", data: table("orders", 3) },
        { name: "readme.txt", data: "hello" },
      ),
    );
    expect(files).toEqual({
      "export.zip/stock.csv": "inventory 1",
      "export.zip/2026/PRICES.csv": "prices 2",
      "export.zip/orders.csv": "orders 3",
    });
    expect(found.map((one) => one.taken)).toEqual([true, true, true, false]);
    expect(failure).toBeUndefined();
  });

  it("holds a file whose name fits two feeds, and reads the others", async () => {
    const { files, refusals } = await parsed(
      zipped({ name: "price list.csv", data: table("prices") }, { name: "stock.csv", data: table("inventory") }),
    );
    expect(files).toEqual({
      "export.zip/price list.csv": "inventory file-ambiguous",
      "export.zip/stock.csv": "inventory 1",
    });
    expect(refusals[0]?.failure).toMatchObject({ disposition: "hold", evidence: { feeds: ["prices", "orders"] } });
  });
});

describe("what a restore has set", () => {
  it("is never read as a file of the ERP, though its delivery says that it is to be read", async () => {
    const read = { feeds: [feedNamed("inventory", "^stock")], name: "stock.csv" };
    const bytes = Buffer.from(table("inventory"));
    expect((await parsed(bytes, read)).files).toEqual({ "stock.csv": "inventory 1" });
    expect((await parsed(bytes, { ...read, door: "restore" })).files).toEqual({});
  });
});

describe("the number of a file", () => {
  type Policy = "hold" | "warn";
  const numbered = (gap: Policy, repeat: Policy, reset: Policy): Adapter[] => [
    feedNamed("inventory", "^stock", {
      more: { controls: { sequence: { at: { fileName: "(\\d+)" }, gap, repeat, reset } } },
    }),
  ];
  const bytes = Buffer.from(table("inventory"));

  it.each([
    ["gap", 5],
    ["repeated", 7],
    ["reset", 9],
  ] as const)(
    "that is not the one expected (%s) holds the file, or is told where the feed passes it",
    async (kind, previous) => {
      const held = await parsed(bytes, { feeds: numbered("hold", "hold", "hold"), name: "stock_7.csv", previous });
      expect(held.files).toEqual({ "stock_7.csv": `inventory 1 sequence-${kind}` });
      expect(held.everything).not.toContain("sequence-passed");
      const passed = await parsed(bytes, { feeds: numbered("warn", "warn", "warn"), name: "stock_7.csv", previous });
      expect(passed.files).toEqual({ "stock_7.csv": "inventory 1" });
      expect(passed.everything).toContain(`"sequence-passed",{"correlationId":"${"0".repeat(32)}"`);
      expect(passed.everything).toContain(`"code":"sequence-${kind}","sequence":7`);
    },
  );

  it("that is the one expected is not told of", async () => {
    const { everything } = await parsed(bytes, {
      feeds: numbered("warn", "warn", "warn"),
      name: "stock_7.csv",
      previous: 6,
    });
    expect(everything).not.toContain("sequence-passed");
  });
});

it("a time in a file's name that cannot be believed is told, and the file is ordered by its arrival", async () => {
  const asOf = { from: "file-name", pattern: "(?<year>\\d{4})(?<month>\\d\\d)(?<day>\\d\\d)" } as const;
  const dated = feedNamed("inventory", "^stock", { more: { asOf } });
  const bytes = Buffer.from(table("inventory"));
  const mistyped = await parsed(bytes, { feeds: [dated], name: "stock_20161120.csv" });
  expect(mistyped.everything).toContain(`"as-of-disbelieved"`);
  expect(mistyped.everything).toContain(
    `"source":"arrival","disbelieved":{"from":"file-name","read":"2016-11-20T00:00:00Z"}`,
  );
  const right = await parsed(bytes, { feeds: [dated], name: "stock_20261119.csv" });
  expect(right.everything).not.toContain("disbelieved");
});

describe("a mail that cannot be read", () => {
  it.each([
    [
      "encrypted with S/MIME",
      {
        type: "application/pkcs7-mime; smime-type=enveloped-data",
        filename: "smime.p7m",
        disposition: "attachment",
        encoding: "base64" as const,
        body: Buffer.from("308006092a864886f70d010703a080", "hex"),
      },
      "file-encrypted",
    ],
    [
      "with its text encrypted by PGP",
      { type: "text/plain", body: "-----BEGIN PGP MESSAGE-----\n\nhQEMA\n-----END PGP MESSAGE-----\n" },
      "file-encrypted",
    ],
  ])("for it is %s says so, instead of that nothing came", async (_what, part, code) => {
    const { files, failure } = await parsed(buildMail(part), { door: "mail" });
    expect([Object.values(files), failure]).toEqual([[`inventory ${code}`], undefined]);
  });

  it("for it holds pictures only says what came", async () => {
    const png = Buffer.from("89504e470d0a1a0a0000000d49484452", "hex");
    const part = {
      type: "image/png",
      filename: "scan.png",
      disposition: "attachment",
      encoding: "base64" as const,
      body: png,
    };
    const { everything, failure } = await parsed(
      buildMail({ parts: [{ type: "text/plain", body: "see scan" }, part] }),
      { door: "mail" },
    );
    expect(failure).toBe("no-payload");
    expect(everything).toContain("scan.png (image)");
  });

  it("for its table stands only in a web page says that, where the feed reads texts", async () => {
    const feeds = [feedNamed("inventory", "^stock", { inlineBody: true })];
    const { files } = await parsed(buildMail({ type: "text/html", body: "<html><table></table></html>" }), {
      feeds,
      door: "mail",
    });
    expect(Object.values(files)).toEqual(["inventory body-html"]);
  });
});

describe("a mail with a file that is no text", () => {
  const reading = (kind: "sheet" | "json") => [feedNamed("inventory", "^stock", { kind })];
  const attached = (filename: string, body: Uint8Array) =>
    buildMail({
      parts: [
        { type: "text/plain", body: "see file" },
        { type: "application/octet-stream", filename, disposition: "attachment", encoding: "base64", body },
      ],
    });

  it("is read as the workbook it is, whatever it is called", async () => {
    const cell = (place: string, text: string) => `<c r="${place}" t="inlineStr"><is><t>${text}</t></is></c>`;
    const book = oneSheet(
      `<row r="1">${cell("A1", "inventory id")}</row><row r="2">${cell("A2", "0012")}</row><row r="9">${cell("A9", "A2")}</row>`,
    );
    const { files } = await parsed(attached("stock.csv", book), { feeds: reading("sheet"), door: "mail" });
    expect(files).toEqual({ "stock.csv": "inventory 2" });
  });

  it("is read as JSON lines out of a gzip", async () => {
    const lines = gzipSync('{"inventory id":"A1"}\n{"inventory id":"A2"}\n{"inventory id":"A3"}\n');
    const { files } = await parsed(attached("stock.ndjson.gz", lines), {
      feeds: reading("json"),
      door: "mail",
    });
    expect(files).toEqual({ "stock.ndjson.gz/stock.ndjson": "inventory 3" });
  });
});

describe("a locked archive", () => {
  const SECRET = "Zw0lf-Böxkämpfer";
  const NAME = "ARCHIVE_PASSWORD_ACME_INVENTORY";
  const kinds = ["traditional", 128, 256] as const;
  const locked = (kind: (typeof kinds)[number], secret = SECRET, data = table("inventory", 400)) =>
    zipped({ name: "stock.csv", data, method: 8, lock: { secret, kind } });

  it.each(kinds)("(%s) is opened with the secret of its feed", async (kind) => {
    const { files, everything } = await parsed(locked(kind), { env: { [NAME]: SECRET } });
    expect(files).toEqual({ "export.zip/stock.csv": "inventory 400" });
    expect(everything).not.toContain(SECRET);
  });

  it.each(kinds)(
    "(%s) is refused by name without the secret, and with another one: neither is ever told",
    async (kind) => {
      const missing = await parsed(locked(kind));
      expect(missing.refusals[0]?.failure).toMatchObject({ code: "file-encrypted", evidence: { secret: "missing" } });
      const WRONG = "not-the-password-9";
      const wrong = await parsed(locked(kind), { env: { [NAME]: WRONG } });
      expect(wrong.refusals[0]?.failure).toMatchObject({ code: "file-encrypted", evidence: { secret: "wrong" } });
      expect(wrong.refusals[0]?.failure.sentence).toContain("the one stored for this feed is another one");
      expect(wrong.everything).not.toContain(WRONG);
    },
  );

  it("is not opened with the secret of another feed", async () => {
    const { refusals } = await parsed(locked(256), { env: { ARCHIVE_PASSWORD_ACME_PRICES: SECRET } });
    expect(refusals[0]?.failure.code).toBe("file-encrypted");
  });

  it("tells no secret when it is damaged, wherever that is", async () => {
    for (const kind of kinds) {
      const bytes = Buffer.from(locked(kind));
      const end = bytes.indexOf("PK\u0001\u0002", 0, "latin1");
      for (let at = 30; at < end; at += 41) {
        const hurt = Buffer.from(bytes);
        hurt[at]! ^= 0x55;
        expect((await parsed(hurt, { env: { [NAME]: SECRET } })).everything).not.toContain(SECRET);
      }
    }
  });
});
