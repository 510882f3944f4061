import fc from "fast-check";
import PostalMime from "postal-mime";
import { describe, expect, it } from "vitest";
import { generateSamples } from "../../cli/samples/generate.ts";
import { type MailAttachment, type MailOptions, mailOf } from "../../cli/samples/mail.ts";
import { sha256 } from "./read.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const latin1 = (raw: Uint8Array) => Buffer.from(raw).toString("latin1");

const mail = (change: Partial<MailOptions> = {}) =>
  mailOf({
    from: "Acme ERP <erp@acme.example>",
    to: "acme.inventory@in.example",
    subject: "Inventory",
    date: new Date("2026-11-02T05:30:00Z"),
    messageId: "1@acme.example",
    body: "The inventory.\n",
    attachments: [],
    ...change,
  });

const withFile = (attachment: MailAttachment) => mail({ attachments: [attachment] });

/** The still encoded content of the last part, cut out by its boundary as RFC 2046 says. */
function lastContent(raw: Uint8Array): string {
  const boundary = /boundary="([^"]+)"/.exec(latin1(raw))?.[1];
  const part = latin1(raw).split(`\r\n--${boundary}`).at(-2) ?? "";
  return part.slice(part.indexOf("\r\n\r\n") + 4);
}

/** Quoted-printable after RFC 2045 section 6.7, to the letter. */
const unquoted = (text: string): Buffer =>
  Buffer.from(
    text
      .replace(/=\r\n/g, "")
      .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    "latin1",
  );

describe("mailOf", () => {
  it("carries every sample to the byte", async () => {
    const attachments = generateSamples({ scale: 0.05 }).map(({ fileName, contentType, bytes }) => ({
      name: fileName,
      contentType,
      bytes,
    }));
    const parsed = await PostalMime.parse(mail({ attachments }));
    expect(
      parsed.attachments.map((a) => [a.filename, a.mimeType, sha256(new Uint8Array(a.content as ArrayBuffer))]),
    ).toEqual(attachments.map((a) => [a.name, a.contentType, sha256(a.bytes)]));
  });

  it("carries any bytes under any name in base64", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 300 }),
        fc
          .string({ unit: "grapheme", minLength: 1, maxLength: 120 })
          .filter((name) => name.isWellFormed() && name === name.trim()),
        async (content, name) => {
          const parsed = await PostalMime.parse(withFile({ name, contentType: "application/x-erp", bytes: content }));
          expect(parsed.attachments[0]?.filename).toBe(name);
          expect([...new Uint8Array(parsed.attachments[0]?.content as ArrayBuffer)]).toEqual([...content]);
        },
      ),
    );
  });

  it("carries any bytes in quoted-printable, as text and as data, in lines of 76", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(..."a;=.é\t \r\n\0".split("").concat("\r\n", "x".repeat(80))), { maxLength: 60 }),
        fc.constantFrom("text/csv", "application/octet-stream"),
        (tokens, contentType) => {
          const content = bytes(tokens.join(""));
          const encoded = lastContent(
            withFile({ name: "a.csv", contentType, bytes: content, encoding: "quoted-printable" }),
          );
          expect([...unquoted(encoded)]).toEqual([...content]);
          expect(encoded).not.toMatch(/[^\r\n]{77}|[ \t](\r\n|$)|[^\x09\x0d\x0a\x20-\x7e]|(?<!\r)\n|\r(?!\n)/);
        },
      ),
    );
  });

  it("leaves 8bit content as it is", () => {
    const content = Buffer.from("Stück;Größe\r\n1;2\r\n", "latin1");
    const raw = withFile({
      name: "a.csv",
      contentType: "text/csv; charset=windows-1252",
      bytes: content,
      encoding: "8bit",
    });
    expect(lastContent(raw)).toBe(content.toString("latin1"));
  });

  it.each([
    ["a lone LF", "a\nb"],
    ["a LF at the start", "\na"],
    ["a lone CR", "a\rb"],
    ["a NUL", "a\0b"],
    ["a line of 999 bytes", "x".repeat(999)],
    ["a line of 999 bytes before another", `${"x".repeat(999)}\r\ny`],
  ])("refuses 8bit content with %s", (_, content) => {
    const file = { name: "a.csv", contentType: "text/csv", bytes: bytes(content), encoding: "8bit" } as const;
    expect(() => withFile(file)).toThrow(/not for 8bit/);
  });

  it("allows an 8bit line of 998 bytes", () => {
    const file = {
      name: "a.csv",
      contentType: "text/csv",
      bytes: bytes(`${"x".repeat(998)}\r\n`),
      encoding: "8bit",
    } as const;
    expect(lastContent(withFile(file))).toHaveLength(1_000);
  });

  it("writes headers that a reader gives back, beyond ASCII and folded", async () => {
    const subject = "Bestände vom 2. November – die lange Fassung, Lager „Süd“ und “Nord” 😀 zusammen, 12 Seiten";
    const raw = mail({
      from: "Kontor Mühlbach GmbH & Co. KG <erp@kontor.example>",
      to: '"Feeds, Mailfeed" <in@in.example>',
      subject,
      headers: { "X-Run": "word ".repeat(60).trim(), "Auto-Submitted": "auto-generated" },
    });
    const parsed = await PostalMime.parse(raw);
    expect(parsed.from).toMatchObject({ name: "Kontor Mühlbach GmbH & Co. KG", address: "erp@kontor.example" });
    expect(parsed.to).toMatchObject([{ name: "Feeds, Mailfeed", address: "in@in.example" }]);
    expect(parsed.subject).toBe(subject);
    expect(parsed.messageId).toBe("<1@acme.example>");
    expect(parsed.headers.find((h) => h.key === "auto-submitted")?.value).toBe("auto-generated");
    expect(latin1(raw)).toContain("\r\nDate: Mon, 02 Nov 2026 05:30:00 +0000\r\n");
    const head = latin1(raw).split("\r\n\r\n")[0] ?? "";
    expect(head).toMatch(/^[\x20-\x7e\r\n]*$/);
    expect(Math.max(...head.split("\r\n").map((line) => line.length))).toBeLessThanOrEqual(76);
  });

  it("keeps names after RFC 2231: plain, quoted, long, beyond ASCII", async () => {
    const names = ['a "b" \\ c.csv', `${"n".repeat(150)}.csv`, "Bestände „Süd“.csv", `${"Prüfgröße ".repeat(20)}.csv`];
    const raw = mail({ attachments: names.map((name) => ({ name, contentType: "text/csv", bytes: bytes("1") })) });
    expect((await PostalMime.parse(raw)).attachments.map((a) => a.filename)).toEqual(names);
    expect(latin1(raw)).toContain("filename*=utf-8''Best%C3%A4nde%20");
  });

  it("ends every line with CRLF and keeps base64 lines to 76", () => {
    const raw = latin1(withFile({ name: "a.bin", contentType: "application/zip", bytes: new Uint8Array(10_000) }));
    expect(raw.replaceAll("\r\n", "")).not.toMatch(/[\r\n]/);
    expect(Math.max(...raw.split("\r\n").map((line) => line.length))).toBe(76);
  });

  it("takes a boundary that stands in no attachment", async () => {
    const first = mail({ attachments: [{ name: "a", contentType: "text/csv", bytes: bytes("a"), encoding: "8bit" }] });
    const boundary = /boundary="([^"]+)"/.exec(latin1(first))?.[1];
    const hostile = bytes(`a\r\n--${boundary}--\r\nb`);
    const raw = mail({ attachments: [{ name: "a", contentType: "text/csv", bytes: hostile, encoding: "8bit" }] });
    expect(lastContent(raw)).toBe(latin1(hostile));
    expect((await PostalMime.parse(raw)).attachments).toHaveLength(1);
  });

  it("is one plain part without attachments, in quoted-printable where the text needs it", async () => {
    expect(latin1(mail())).toMatch(/\r\nContent-Transfer-Encoding: 7bit\r\n\r\nThe inventory\.\r\n\r\n$/);
    expect((await PostalMime.parse(mail({ body: "Grüße\nKontor" }))).text).toContain("Grüße\nKontor");
    expect(latin1(mail({ body: "Grüße" }))).toContain("Gr=C3=BC=C3=9Fe");
  });

  it.each([
    { subject: "a\r\nBcc: x@evil.example" },
    { subject: "ä\r\nBcc: x@evil.example" },
    { to: "a@b.example\r\nBcc: x@evil.example" },
    { from: "x\r\nBcc: x@evil.example <a@b.example>" },
    { messageId: "1\r\nX: y" },
    { headers: { "X-Run": "1\nX: y" } },
    { headers: { "X Run": "1" } },
    { to: "größe@b.example" },
  ])("refuses what would break its headers: %j", (change) => {
    expect(() => mail(change)).toThrow(RangeError);
  });

  it("is the same for the same arguments", () => {
    const file = { name: "a.csv", contentType: "text/csv", bytes: bytes("1") };
    expect(sha256(withFile(file))).toBe(sha256(withFile(file)));
  });
});
