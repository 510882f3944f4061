/** What mail programs put around files: winmail.dat, S/MIME, PGP. */
import { Buffer } from "node:buffer";
import { describe, expect, it } from "vitest";
import { formatTitle, type OpenOptions, openDelivery } from "../../../src/parse/open/open.ts";
import { buildMail, buildZip, drain, openAll, stockCsv, summary, watchedSource } from "./fixtures.ts";
import { buildSigned, buildTnef, tnefAttribute } from "./mail-fixtures.ts";

const CSV = "sku;qty\r\nA1;5\r\n";
const mailed = (body: Uint8Array, filename = "winmail.dat", type = "application/ms-tnef") =>
  buildMail({ parts: [{ type, encoding: "base64", disposition: "attachment", filename, body }] });
const upload: OpenOptions = { door: "upload", name: "winmail.dat" };
const reason = async (tnef: Uint8Array) => (await openAll(tnef, upload))[0]?.problem?.sentence;

describe("a winmail.dat", () => {
  it("becomes its attachments, by their long names; the message text is none of them", async () => {
    const tnef = buildTnef({
      attachments: [
        { longName: "Lagerbestand März 2026.csv", title: "LAGERB~1.CSV", data: CSV, mimeTag: "text/csv" },
        { title: "PRICES.CSV", data: CSV },
        { longName: "leer.csv", data: "" },
        { longName: "a.zip", data: buildZip({ entries: [{ name: "inner.csv", data: CSV }] }) },
        { data: "x" },
      ],
    });
    const found = await openAll(mailed(tnef));
    expect(summary(found)).toEqual([
      "winmail.dat/Lagerbestand März 2026.csv text 15",
      "winmail.dat/PRICES.CSV text 15",
      "winmail.dat/leer.csv text 0",
      "winmail.dat/a.zip/inner.csv text 15",
      "winmail.dat/attachment-5.bin text 1",
    ]);
    expect(found[0]?.file).toMatchObject({ contentType: "text/csv", role: "attachment", sizeBytes: 15 });
    expect(found[0]?.bytes?.toString()).toBe(CSV);
  });

  it("has names in its own code page", async () => {
    const tnef = buildTnef({
      codepage: 1251,
      attachments: [
        { title: Buffer.from([0xcf, 0xf0, 0xe0, 0xe9, 0xf1, 0x2e, 0x63, 0x73, 0x76, 0]), data: CSV },
        { longName: "Gr\u00f6\u00dfe.csv", isNarrow: true, data: CSV },
      ],
    });
    expect((await openAll(tnef, upload)).map((f) => f.file?.name)).toEqual(["Прайс.csv", "GrцЯe.csv"]);
    const odd = buildTnef({ codepage: 7, attachments: [{ longName: "Größe.csv", isNarrow: true, data: CSV }] });
    expect((await openAll(odd, upload))[0]?.file?.name).toBe("Größe.csv");
  });

  it("with a message attached to it is opened further, to the limit", async () => {
    const inner = buildTnef({ attachments: [{ longName: "stock.csv", data: CSV }] });
    const outer = buildTnef({ attachments: [{ longName: "Fwd Stock", message: inner }] });
    expect(summary(await openAll(mailed(outer)))).toEqual(["winmail.dat/Fwd Stock/stock.csv text 15"]);
    let deep = inner;
    for (let i = 0; i < 6; i += 1) deep = buildTnef({ attachments: [{ message: deep }] });
    expect((await openAll(deep, upload))[0]?.problem?.sentence).toContain("messages attached inside each other");
  });

  it("may have zeros or a line end behind it, and no attachment at all", async () => {
    const padding = Buffer.from("\r\n");
    expect(summary(await openAll(buildTnef({ attachments: [{ data: CSV }], padding }), upload))).toHaveLength(1);
    expect(await openAll(buildTnef({ attachments: [] }), upload)).toEqual([]);
  });

  it("is read the same for blocks of any size, and closed when its reader stops", async () => {
    const data = stockCsv(200_000);
    const tnef = buildTnef({ attachments: [{ longName: "a.csv", data }] });
    for (const size of [1, 7, 65_536]) {
      const source = watchedSource(size === 1 ? tnef.subarray(0) : tnef, size);
      for await (const found of openDelivery(source, upload)) {
        if (found.kind !== "file") throw new Error("no file");
        for await (const block of found.file.open()) {
          expect(block.byteLength).toBeGreaterThan(0);
          break;
        }
        expect(source.open()).toBe(0);
        if (size > 1) expect((await drain(found.file.open())).bytes.equals(data)).toBe(true);
      }
    }
  });

  it("cut at any byte is refused, or has lost whole attributes at its end and says so by what is missing", async () => {
    const tnef = buildTnef({ attachments: [{ longName: "a.csv", data: CSV }] });
    for (let length = 4; length < tnef.length; length += 1) {
      const found = await openAll(tnef.subarray(0, length), upload);
      for (const { bytes, problem } of found) {
        // What is there is whole, or refused.
        if (!problem) expect(["", CSV]).toContain(bytes?.toString());
      }
    }
  });

  it("that is damaged is refused", async () => {
    const damaged = buildTnef({ attachments: [{ longName: "a.csv", data: CSV, sum: 1 }] });
    expect(await reason(damaged)).toContain("its checksum is wrong");
    const head = Buffer.from("789f3e220100", "hex");
    expect(await reason(Buffer.concat([head, tnefAttribute(9, 0x00069002, Buffer.alloc(4))]))).toContain("damaged");
    expect(await reason(Buffer.concat([head, tnefAttribute(2, 0x0006800f, Buffer.from(CSV))]))).toContain(
      "has no beginning",
    );
    const props = (hex: string) =>
      Buffer.concat([
        head,
        tnefAttribute(2, 0x00069002, Buffer.alloc(14)),
        tnefAttribute(2, 0x00069005, Buffer.from(hex, "hex")),
      ]);
    // Lengths and counts that lead out of the block, and a type that does not exist.
    for (const hex of [
      "01000000 1f000737 01000000 ffffff7f",
      "01000000 03100737 ffffffff",
      "05000000",
      "01000000 99000737",
    ])
      expect(await reason(props(hex.replaceAll(" ", "")))).toContain("properties of an attachment are damaged");
    for (const hex of ["ffffffff", "01000000 1f000737 ffffffff"])
      expect(await reason(props(hex.replaceAll(" ", "")))).toContain("more than 2000");
    const many = Array.from({ length: 10_001 }, () => tnefAttribute(1, 0x00078008, new Uint8Array()));
    expect(await reason(Buffer.concat([head, ...many]))).toContain("more than 10000 attributes");
  });
});

describe("an S/MIME mail", () => {
  const inner = buildMail({
    headers: [],
    parts: [
      { type: "text/plain", body: "see attachment" },
      { type: "text/csv", encoding: "base64", disposition: "attachment", filename: "stock.csv", body: CSV },
    ],
  });
  const type = 'application/pkcs7-mime; smime-type=signed-data; name="smime.p7m"';

  it("wrapped in its signature is opened, in one piece and in many", async () => {
    for (const pieceBytes of [undefined, 1, 50]) {
      const found = await openAll(mailed(buildSigned(inner, pieceBytes), "smime.p7m", type));
      expect(summary(found)).toEqual(["smime.p7m/body.txt text 14", "smime.p7m/stock.csv text 15"]);
      expect(found[1]?.bytes?.toString()).toBe(CSV);
    }
  });

  it("wrapped in its signature and damaged is refused, cut at any byte as well", async () => {
    for (const bytes of [buildSigned(inner), buildSigned(inner, 100)]) {
      const end = bytes.indexOf(inner.subarray(-20)) + 20;
      for (let length = 60; length < end; length += 7) {
        const found = await openAll(bytes.subarray(0, length), { door: "upload", name: "smime.p7m" });
        expect(found.map((f) => f.problem?.code)).toEqual(["file-corrupt"]);
      }
    }
    const bare = await openAll(buildSigned(undefined), { door: "upload", name: "smime.p7m" });
    expect(bare[0]?.problem?.sentence).toContain("an S/MIME signature without its content");
  });

  it("signed beside its content has its files, and the signature is named as one", async () => {
    const signed = buildMail({
      type: 'multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256',
      parts: [
        { type: "text/csv", disposition: "attachment", filename: "stock.csv", body: CSV },
        {
          type: "application/pkcs7-signature",
          encoding: "base64",
          disposition: "attachment",
          filename: "smime.p7s",
          body: buildSigned(undefined),
        },
      ],
    });
    expect((await openAll(signed)).map((f) => `${f.path} ${f.file?.format}`)).toEqual([
      "stock.csv text",
      "smime.p7s smime",
    ]);
  });

  it("that is encrypted, by S/MIME or PGP, is refused with what to do", async () => {
    const enveloped = Buffer.concat([
      Buffer.from("3080 06092a864886f70d010703".replace(" ", ""), "hex"),
      Buffer.alloc(99, 1),
    ]);
    const [smime] = await openAll(mailed(enveloped, "smime.p7m", "application/pkcs7-mime"));
    expect(smime?.problem?.sentence).toBe(
      "The file “smime.p7m” is protected by a password or encryption (S/MIME), and cannot be opened.",
    );
    const pgp = buildMail({
      type: 'multipart/encrypted; protocol="application/pgp-encrypted"',
      parts: [
        { type: "application/pgp-encrypted", body: "Version: 1" },
        {
          type: "application/octet-stream",
          filename: "encrypted.asc",
          disposition: "inline",
          body: "-----BEGIN PGP MESSAGE-----\n\nhQ",
        },
      ],
    });
    expect(summary(await openAll(pgp))).toEqual(["part-1.bin pgp 10", "encrypted.asc !file-encrypted"]);
    const inline = buildMail({ type: "text/plain", body: "-----BEGIN PGP MESSAGE-----\n\nhQ\n" });
    expect(summary(await openAll(inline))).toEqual(["body.txt !file-encrypted"]);
  });
});

describe("a file whose name says something else", () => {
  const titleOf = async (body: Uint8Array | string, name: string) => {
    const [found] = await openAll(Buffer.from(body), { door: "upload", name });
    return found?.file ? formatTitle(found.file) : found?.problem?.sentence;
  };

  it("is named by its content", async () => {
    const html = "<table border=1><tr><td>sku</td></tr></table>";
    expect(await titleOf(html, "export.XLS")).toBe("a web page, although its name ends in “.xls”");
    expect(await titleOf(html, "export.html")).toBe("a web page");
    expect(await titleOf(CSV, "export.xlsx")).toBe("a text file, although its name ends in “.xlsx”");
    expect(await titleOf(CSV, "export.csv")).toBe("a text file");
    expect(await titleOf('[{"a":1}]', "export.csv")).toBe("a JSON file");
    expect(await titleOf(Buffer.from("\ufeffa;b\r\n", "utf16le"), "export.csv")).toBe("a text file");
    const workbook = buildZip({
      entries: [
        { name: "[Content_Types].xml", data: "x" },
        { name: "xl\\workbook.xml", data: "x" },
      ],
    });
    expect(await titleOf(workbook, "export.csv")).toBe("an Excel workbook, although its name ends in “.csv”");
  });

  it("is refused as an Outlook message, where it is one", async () => {
    const msg = Buffer.concat([
      Buffer.from("d0cf11e0a1b11ae1", "hex"),
      Buffer.alloc(504),
      Buffer.from("Root Entry\0__nameid_version1.0\0__properties_version1.0\0", "utf16le"),
    ]);
    expect(await titleOf(msg, "stock.msg")).toContain("packed into an Outlook message (.msg)");
  });
});
