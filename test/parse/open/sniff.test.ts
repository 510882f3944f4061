import { Buffer } from "node:buffer";
import { describe, expect, it } from "vitest";
import { buildMail, openAll } from "./fixtures.ts";

const hex = (text: string) => Buffer.concat([Buffer.from(text.replaceAll(" ", ""), "hex"), Buffer.alloc(600, 0x01)]);
const ole = (...streams: string[]) =>
  Buffer.concat([hex("d0cf11e0a1b11ae1"), ...streams.map((name) => Buffer.from(`${name}\u0000`, "utf16le"))]);

const formatOf = async (body: Uint8Array | string, filename = "file.bin", type = "application/octet-stream") => {
  const [found] = await openAll(
    buildMail({ parts: [{ type, encoding: "base64", disposition: "attachment", filename, body }] }),
  );
  return found?.problem ? `!${found.problem.code}` : found?.file?.format;
};

describe("the format of a file", () => {
  it("is read from its content, whatever its name and type say", async () => {
    expect(await formatOf("a;b\n1;2\n", "list.xlsx", "application/pdf")).toBe("text");
    expect(await formatOf("<html><table><tr><td>1</td></tr></table></html>", "list.xls")).toBe("html");
    expect(await formatOf("\ufeff <!DOCTYPE html>\n<p>x", "list.csv")).toBe("html");
    expect(await formatOf('<?xml version="1.0"?><rows/>', "list.csv")).toBe("xml");
    expect(await formatOf("%PDF-1.4\n%\u00e2\u00e3", "list.csv")).toBe("pdf");
  });

  it("is told for workbooks, documents and pictures", async () => {
    expect(await formatOf(ole("Root Entry", "Workbook"))).toBe("xls");
    expect(await formatOf(ole("Root Entry", "Book"))).toBe("xls");
    expect(await formatOf(ole("Root Entry", "WordDocument"))).toBe("ole");
    expect(await formatOf(hex("09 08 10 00 00 06"), "a.xls")).toBe("binary");
    expect(await formatOf(hex("09 04 06 00 00 00"))).toBe("xls");
    expect(await formatOf(hex("89504e470d0a1a0a"))).toBe("image");
    expect(await formatOf(hex("ffd8ffe0"))).toBe("image");
    expect(await formatOf(hex("0001020304"))).toBe("binary");
  });

  it("is text in UTF-16 with and without its mark, in any 8-bit code page, and with a stray NUL", async () => {
    for (const text of ["\ufeffKunde;Größe\r\n1;2\r\n", "Kunde;Ort\r\n1;2\r\n"])
      expect(await formatOf(Buffer.from(text, "utf16le"))).toBe("text");
    expect(await formatOf(Buffer.from("Größe;Maß\r\n", "latin1"))).toBe("text");
    expect(await formatOf(`a;b\n1;\u00002\n${"x".repeat(40)}\u001a`)).toBe("text");
    expect(await formatOf("sku\u0001qty\n1\u00012\n3\u00014\n".repeat(20))).toBe("text");
    expect(await formatOf("")).toBe("text");
  });

  it("is refused where nobody can open it, with a sentence that says what to send instead", async () => {
    const der = "3080 06092a864886f70d0107";
    const cases: [Uint8Array | string, string, string][] = [
      [ole("Root Entry", "EncryptedPackage"), "a.xlsx", "!file-encrypted"],
      [ole("Root Entry"), "a.xlsx", "!file-encrypted"],
      ["-----BEGIN PGP MESSAGE-----\n\nhQ", "a.csv.asc", "!file-encrypted"],
      [hex("85020c03"), "a.csv.gpg", "!file-encrypted"],
      [hex(`${der}03`), "smime.p7m", "!file-encrypted"],
      [hex(`${der}02`), "smime.p7m", "!file-corrupt"],
      [hex("789f3e22"), "winmail.dat", "!file-corrupt"],
      [hex("526172211a0700"), "a.zip", "!file-unsupported"],
      [hex("377abcaf271c"), "a.7z", "!file-unsupported"],
      [hex("fd377a585a00"), "a.xz", "!file-unsupported"],
      [Buffer.concat([Buffer.alloc(257, 0x61), Buffer.from("ustar\u000000")]), "a.tar", "!file-corrupt"],
      [hex("0001020304"), "a.zip", "!file-corrupt"],
    ];
    for (const [body, name, expected] of cases) expect(await formatOf(body, name), name).toBe(expected);
    expect(await formatOf("Message-ID: <x>\n\npart", "x", "message/partial")).toBe("!file-wrapped");
  });

  it("of a detached signature is named, so that it is not taken for data", async () => {
    expect(await formatOf(hex("3080 06092a864886f70d010702"), "smime.p7s", "application/pkcs7-signature")).toBe(
      "smime",
    );
    expect(await formatOf("-----BEGIN PGP SIGNATURE-----\n", "signature.asc", "application/pgp-signature")).toBe("pgp");
  });
});
