import { Buffer } from "node:buffer";
import { describe, expect, it } from "vitest";
import { DEFAULT_LIMITS } from "../../../src/parse/open/limits.ts";
import { decodeBase64 } from "../../../src/parse/open/mail/base64.ts";
import { mailHeaders, readMessage } from "../../../src/parse/open/mail/message.ts";
import { parseStructured } from "../../../src/parse/open/mail/structured.ts";
import { bytesSource } from "../../../src/parse/open/source.ts";
import {
  buildMail,
  drain,
  encodeBody,
  type MailSpec,
  openAll,
  type PartSpec,
  summary,
  watchedSource,
} from "./fixtures.ts";

const CSV = "sku;qty\r\nA1;5\r\n";
const note: PartSpec = { type: "text/plain; charset=utf-8", body: "Please find attached." };
const csv: PartSpec = {
  type: "text/csv",
  encoding: "base64",
  disposition: "attachment",
  filename: "stock.csv",
  body: CSV,
};
const mail = (...parts: PartSpec[]): MailSpec => ({ parts });

async function* inBlocks(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const textOf = async (spec: MailSpec, index = 0) => (await openAll(buildMail(spec)))[index]?.bytes?.toString("latin1");

describe("the files of a mail", () => {
  it("are its attachments and its text, in the order of the mail", async () => {
    const found = await openAll(buildMail(mail(note, csv, { ...csv, filename: "prices.csv" })));
    expect(summary(found)).toEqual(["body.txt text 21", "stock.csv text 15", "prices.csv text 15"]);
    expect(found.map((f) => f.role)).toEqual(["body", "attachment", "attachment"]);
    expect(found[1]?.bytes?.toString()).toBe(CSV);
    expect(found[0]?.file?.declaredCharset).toBe("utf-8");
  });

  it("include a text that has a name but no disposition: it is a file, not the text of the mail", async () => {
    const found = await openAll(
      buildMail(
        mail({ type: "text/plain; charset=iso-8859-1", filename: "feed.csv", nameStyle: "type-only", body: CSV }),
      ),
    );
    expect(found[0]).toMatchObject({ path: "feed.csv", role: "attachment" });
    expect(found[0]?.file?.declaredCharset).toBe("iso-8859-1");
  });

  it("include an inline text with a name, and an attachment without one", async () => {
    const inline = { ...csv, type: "text/plain", disposition: "inline" };
    const { filename: _, ...unnamed } = { ...csv, type: "text/csv" };
    expect(summary(await openAll(buildMail(mail(inline, unnamed))))).toEqual([
      "stock.csv text 15",
      "part-2.csv text 15",
    ]);
  });

  it("include the only part of a mail that is no multipart", async () => {
    expect(summary(await openAll(buildMail({ ...csv })))).toEqual(["stock.csv text 15"]);
  });

  it("are told apart when two have one name", async () => {
    expect((await openAll(buildMail(mail(csv, csv, csv)))).map((f) => f.path)).toEqual([
      "stock.csv",
      "stock.csv#2",
      "stock.csv#3",
    ]);
  });

  it("include empty ones, of 0 bytes", async () => {
    const found = await openAll(
      buildMail(mail(note, { ...csv, body: "" }, { ...csv, encoding: "7bit", body: "", filename: "b" })),
    );
    expect(summary(found).slice(1)).toEqual(["stock.csv text 0", "b text 0"]);
  });

  it("leave out the HTML that says the same as the plain text, and keep HTML that stands alone", async () => {
    const html: PartSpec = { type: "text/html", body: "<html>hello</html>" };
    const both = mail(
      { type: "multipart/alternative", parts: [note, { type: "multipart/related", parts: [html] }] },
      csv,
    );
    expect(summary(await openAll(buildMail(both)))).toEqual(["body.txt text 21", "stock.csv text 15"]);
    expect(summary(await openAll(buildMail(mail(html, csv))))).toEqual(["body.html html 18", "stock.csv text 15"]);
    const empty = mail({ type: "multipart/alternative", parts: [{ ...note, body: "" }, html] });
    expect(summary(await openAll(buildMail(empty)))).toEqual(["body.txt text 0", "body.html html 18"]);
  });

  it("keep every byte that is not ASCII: text is never decoded on the way", async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    for (const encoding of ["base64", "quoted-printable"] as const) {
      const [found] = await openAll(
        buildMail(mail({ ...csv, type: "text/csv; charset=latin1", encoding, body: bytes })),
      );
      expect(found?.bytes).toEqual(Buffer.from(bytes));
    }
    const latin1 = Buffer.from("Größe;1\r\n", "latin1");
    expect((await openAll(buildMail(mail({ ...csv, encoding: "8bit", body: latin1 }))))[0]?.bytes).toEqual(latin1);
  });

  it("inside an attached message are found, with its name before theirs", async () => {
    const inner = buildMail({ ...mail(note, csv), boundary: "inner" });
    for (const disposition of ["attachment", "inline"]) {
      const outer = mail(note, { type: "message/rfc822", disposition, filename: "forwarded.eml", body: inner });
      expect((await openAll(buildMail(outer))).map((f) => f.path)).toEqual([
        "body.txt",
        "forwarded.eml/body.txt",
        "forwarded.eml/stock.csv",
      ]);
    }
    const asBytes = mail({
      type: "application/octet-stream",
      encoding: "base64",
      disposition: "attachment",
      filename: "m.eml",
      body: inner,
    });
    expect((await openAll(buildMail(asBytes))).map((f) => f.path)).toEqual(["m.eml/body.txt", "m.eml/stock.csv"]);
  });

  it("include an attached message that is none", async () => {
    const broken = mail({ type: "message/rfc822", disposition: "attachment", filename: "x.eml", body: "just words" });
    expect(summary(await openAll(buildMail(broken)))).toEqual(["x.eml text 10"]);
  });
});

describe("names of files", () => {
  const names: [string, string][] = [
    ["Lagerbestand März.csv", "Lagerbestand März.csv"],
    ["в наличии; №1.csv", "в наличии; №1.csv"],
    ['with "quotes" and (brackets).csv', 'with "quotes" and (brackets).csv'],
    ["../../etc/passwd", "passwd"],
    ["C:\\export\\stock.csv", "stock.csv"],
    ["..", "part-1.csv"],
    ["a\u202Evsc.exe", "avsc.exe"],
    [`${"x".repeat(400)}.csv`, `${"x".repeat(222)}…${"x".repeat(28)}.csv`],
  ];
  for (const nameStyle of ["quoted", "rfc2231", "rfc2047"] as const) {
    it(`are read as ${nameStyle}, and made harmless`, async () => {
      for (const [written, read] of names) {
        if (nameStyle === "quoted" && written.includes("\\")) continue;
        const [found] = await openAll(buildMail(mail({ ...csv, filename: written, nameStyle })));
        expect(found?.path).toBe(read);
      }
    });
  }

  it("in raw Latin-1 are read", async () => {
    const raw = Buffer.from(buildMail(mail({ ...csv, filename: "M@rz.csv" })));
    raw[raw.indexOf("M@rz") + 1] = 0xe4;
    expect((await openAll(raw))[0]?.path).toBe("März.csv");
  });
});

describe("a mail that is written badly", () => {
  it("is read with LF line ends, and with mixed ones", async () => {
    const spec = mail(note, { ...csv, encoding: "7bit", body: "a\nb\n" });
    expect(summary(await openAll(buildMail({ ...spec, eol: "\n" })))).toEqual(["body.txt text 21", "stock.csv text 4"]);
    const lines = Buffer.from(buildMail(spec)).toString("latin1").split("\r\n");
    const joined = lines.map((line, i) => line + (i % 3 === 0 ? "\n" : "\r\n")).join("");
    expect((await openAll(Buffer.from(joined, "latin1"))).map((f) => f.path)).toEqual(["body.txt", "stock.csv"]);
  });

  it("keeps a bare CR as content, in a file and at its end", async () => {
    expect(await textOf(mail({ ...csv, encoding: "8bit", body: "a\rb\r" }))).toBe("a\rb\r");
  });

  it("takes a line for a boundary only if all of it is one", async () => {
    const body = "--b\r\n--boundary2\r\n --boundary\r\nx--boundary\r\n--boundary-\r\n--BOUNDARY\r\n";
    expect(await textOf({ ...mail({ ...csv, encoding: "7bit", body }), boundary: "boundary" })).toBe(body);
  });

  it("is divided rightly where boundaries begin alike", async () => {
    const inner: PartSpec = { parts: [csv, csv], boundary: "outer-1" };
    for (const boundary of ["outer", "outer-1--", "outer-12"]) {
      const found = await openAll(buildMail({ parts: [inner, note], boundary }));
      expect(found.map((f) => f.path)).toEqual(["stock.csv", "stock.csv#2", "body.txt"]);
    }
  });

  it("may have blanks behind a boundary, text before the first and after the last", async () => {
    const spec = { ...mail(note, csv), preamble: "This is MIME.\r\n", epilogue: "bye\r\n", boundary: "x y" };
    const padded = Buffer.from(buildMail(spec)).toString("latin1").replaceAll("--x y", "--x y \t");
    expect(
      (await openAll(Buffer.from(padded.replaceAll("--x y \t--", "--x y--  "), "latin1"))).map((f) => f.path),
    ).toEqual(["body.txt", "stock.csv"]);
  });

  it("may lack the semicolon before the boundary, the blank line before it, and all headers of a part", async () => {
    const text = [
      "From: a@b.example",
      "Content-Type: multipart/mixed boundary=q",
      "--q",
      "no header here",
      "--q",
      'Content-Type: text/csv; name="a.csv"',
      "",
      "x",
      "--q--",
    ].join("\n");
    expect(summary(await openAll(Buffer.from(text)))).toEqual(["body.txt text 14", "a.csv text 1"]);
  });

  it("still has its inner files when a nested multipart is not closed", async () => {
    const found = await openAll(
      buildMail(mail({ parts: [note, csv], isClosed: false }, { ...csv, filename: "last.csv" })),
    );
    expect(summary(found)).toEqual(["body.txt text 21", "stock.csv text 15", "last.csv text 15"]);
  });
});

describe("a mail that was cut off", () => {
  it("says so, and the last file breaks at its end instead of being short", async () => {
    const body = "a;b\r\n".repeat(5000);
    const found = await openAll(buildMail({ ...mail(note, { ...csv, encoding: "7bit", body }), isClosed: false }));
    expect(summary(found)).toEqual(["body.txt text 21", "stock.csv !file-corrupt", " !mail-cut-off"]);
    expect(found[1]?.bytes?.toString()).toBe(body);
    expect(found[1]?.problem?.sentence).toContain("the message ends in the middle of it");
  });

  it("is trusted where base64 proves its own end, but other files may be missing", async () => {
    const found = await openAll(buildMail({ ...mail(note, { ...csv, body: "12345" }), isClosed: false }));
    expect(summary(found)).toEqual(["body.txt text 21", "stock.csv text 5", " !mail-cut-off"]);
  });

  it("is accepted from a sender who never closes its messages", async () => {
    const found = await openAll(buildMail({ ...mail(note, csv), isClosed: false }), {
      door: "mail",
      mayLackClosingBoundary: true,
    });
    expect(summary(found)).toEqual(["body.txt text 21", "stock.csv text 15"]);
  });

  it("is a problem when its boundary never comes", async () => {
    const found = await openAll(
      Buffer.from("From: a@b.example\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\npreamble"),
    );
    expect(summary(found)).toEqual([" !mail-unreadable", "body.txt !file-corrupt", " !mail-cut-off"]);
  });
});

describe("a hostile mail", () => {
  const problemOf = async (bytes: Uint8Array, limits = {}) => summary(await openAll(bytes, { door: "mail", limits }));

  it("is refused with too many parts, too deep parts, too long headers or too deep messages", async () => {
    expect(await problemOf(buildMail({ parts: Array.from({ length: 600 }, () => csv) }))).toEqual([
      " !mail-too-complex",
    ]);
    let deep: PartSpec = csv;
    for (let i = 0; i < 30; i += 1) deep = { parts: [deep], boundary: `d${i}` };
    expect(await problemOf(buildMail(mail(deep)))).toEqual([" !mail-too-complex"]);
    const long = buildMail({ ...csv, headers: [["X-Long", "x".repeat(DEFAULT_LIMITS.maxHeaderBytes)]] });
    expect(await problemOf(long)).toEqual([" !mail-too-complex"]);
    let message = buildMail(mail(csv));
    for (let i = 0; i < 8; i += 1) {
      message = buildMail({ ...mail({ type: "message/rfc822", body: message }), boundary: `m${i}` });
    }
    const [found] = await openAll(message);
    expect(found?.problem?.code).toBe("mail-too-complex");
  });

  it("is refused when it is empty or no mail", async () => {
    expect(await problemOf(new Uint8Array())).toEqual([" !mail-unreadable"]);
    expect(await problemOf(Buffer.from("just words\r\nand more"))).toEqual([" !mail-unreadable"]);
    expect(await problemOf(Buffer.from("\u0000\u0001\u0002"))).toEqual([" !mail-unreadable"]);
  });

  it("costs linear time whatever its headers and lines look like", async () => {
    const evil = [
      `Content-Type: text/plain;${";".repeat(200_000)}`,
      `Content-Type: text/plain; a="${'\\"'.repeat(100_000)}`,
      `Content-Type: text/plain ${"(".repeat(200_000)}`,
      `Content-Disposition: attachment; ${Array.from({ length: 20_000 }, (_, i) => `filename*${i}="x"`).join("; ")}`,
      `X: ${" ".repeat(300_000)}x`,
      "--\r\n".repeat(100_000),
    ];
    for (const header of evil) {
      const found = await openAll(Buffer.from(`From: a@b.example\r\n${header}\r\n\r\nbody`));
      expect(found.length).toBeGreaterThan(0);
    }
    const dashes = mail({ ...csv, encoding: "7bit", body: "--\r\n".repeat(500_000) });
    expect(await textOf(dashes)).toHaveLength(2_000_000);
  });
});

describe("transfer encodings", () => {
  const decoded = async (encoding: string, encodedBody: string, ending: "closed" | "single" = "closed") => {
    const part = { type: "text/csv", extraHeaders: [`Content-Transfer-Encoding: ${encoding}`], encodedBody };
    const [found] = await openAll(buildMail(ending === "closed" ? mail(part) : part));
    return found?.problem ? `!${found.problem.sentence}` : found?.bytes?.toString("latin1");
  };

  it("base64 is read with any line length, blanks and without its padding before a boundary", async () => {
    expect(await decoded("base64", "YWJj\r\nZGVm")).toBe("abcdef");
    expect(await decoded("BASE64", " Y W\tJ\r\n\r\njZGU=\r\n \r\n")).toBe("abcde");
    expect(await decoded("base64 (comment)", "YWI")).toBe("ab");
    expect(await decoded('"base64"', "YQ=\r\n=")).toBe("a");
  });

  it("base64 that is damaged ends in a failure and never in other bytes", async () => {
    expect(await decoded("base64", "YWJj?ZGVm")).toContain("does not belong there (byte 4)");
    expect(await decoded("base64", "YWJjZ")).toContain("the end is missing");
    expect(await decoded("base64", "YWI=\r\nYWI=")).toContain("goes on after its end mark");
    expect(await decoded("base64", "YWI", "single")).toContain("the end is missing");
    expect(await decoded("base64", "YWJjZH==")).toContain("the end is missing");
    expect(await decoded("base64", "YWJj====")).toMatch(/damaged/);
  });

  it("what can be decoded of damaged base64 comes before the failure, whatever the blocks", async () => {
    const cases: [text: string, decoded: string][] = [
      ["YWJj?ZGVm", "abcdef"],
      ["YWJjZ==?=", "abc"],
      ["YWI=\r\nYWI=", "ab\x18X"],
      ["YWJjZ", "abc"],
    ];
    for (const [text, expected] of cases) {
      for (const size of [1, 3, 7, 100]) {
        const pieces: Buffer[] = [];
        const reading = async () => {
          for await (const block of decodeBase64(inBlocks(Buffer.from(text), size), { name: "a", ending: "boundary" }))
            pieces.push(Buffer.from(block));
        };
        await expect(reading(), text).rejects.toMatchObject({ code: "file-corrupt" });
        expect(Buffer.concat(pieces).toString("latin1"), `${text} by ${size}`).toBe(expected);
      }
    }
  });

  it("quoted-printable joins soft lines, drops blanks at line ends and keeps raw 8-bit text", async () => {
    expect(await decoded("quoted-printable", "a=3Bb=\r\nc  \t\r\nd=\n e=3d=  \r\nf")).toBe("a;bc\r\nd e=f");
    expect(await decoded("quoted-printable", "Gr\u00f6\u00dfe=\r\n")).toBe(Buffer.from("Größe").toString("latin1"));
    expect(await decoded("quoted-printable", "a  b  ")).toBe("a  b");
  });

  it("quoted-printable that was never encoded ends in a failure", async () => {
    expect(await decoded("quoted-printable", "a=b;c")).toContain('"=" with no code after it (byte 1)');
    expect(await decoded("quoted-printable", "a=4")).toContain("with no code after it");
    expect(await decoded("quoted-printable", `a${" ".repeat(70_000)}b`)).toContain("blanks in a row");
  });

  it("uuencode is read, and its lost end is seen", async () => {
    expect(await decoded("x-uuencode", "hello\r\nbegin 644 a.csv\r\n#0V%T\r\n`\r\nend\r\n")).toBe("Cat");
    expect(await decoded("x-uuencode", "begin 644 a.csv\r\n#0V%T\r\n")).toContain("it was cut off");
    expect(await decoded("uuencode", "nothing")).toContain("has no beginning");
  });

  it("anything else is read as it stands", async () => {
    for (const encoding of ["7bit", "8bit", "binary", "none", "x-strange", ""])
      expect(await decoded(encoding, "a=b\r\n")).toBe("a=b\r\n");
  });

  it("give the same for blocks of any size", async () => {
    const body = Buffer.from(`Größe;"a = b"  \r\n\tx \r\n\r\n--x\r\n${"ä".repeat(200)}`, "latin1");
    for (const encoding of ["base64", "quoted-printable", "8bit"] as const) {
      const raw = buildMail(mail(note, { ...csv, encoding, body }));
      for (const size of [1, 2, 3, 7, 64, 1000]) {
        const message = await readMessage(watchedSource(raw, size));
        expect((await drain(message.parts[1]!.open())).bytes).toEqual(body);
      }
    }
    expect(encodeBody(body, "quoted-printable").every((byte) => byte < 128)).toBe(true);
  });
});

describe("the headers of a mail", () => {
  it("are read without its body", async () => {
    const source = watchedSource(buildMail(mail(note, { ...csv, body: "x".repeat(500_000) })), 4096);
    const headers = await mailHeaders(source);
    expect(headers).toMatchObject({
      from: { name: "ERP", address: "erp@supplier.example" },
      to: [{ address: "acme-inventory@in.mailfeed.example" }],
      subject: "Stock 2026-11-20",
      messageId: "<20261120.060000@supplier.example>",
      date: "2026-11-20T05:00:00.000Z",
    });
    expect(source.pulled()).toBe(4096);
    expect(source.open()).toBe(0);
  });

  it("are listed raw, in order, with duplicates and unfolded", async () => {
    const text =
      "From x@y Fri Nov 20\r\nReceived: one\r\n\tfolded\r\nreceived: two\r\nSubject: =?utf-8?q?=C3=A4?=\r\nX:\r\n\r\n";
    const { fields, subject } = await mailHeaders(bytesSource(Buffer.from(text)));
    expect(fields).toEqual([
      ["Received", "one\tfolded"],
      ["received", "two"],
      ["Subject", "=?utf-8?q?=C3=A4?="],
      ["X", ""],
    ]);
    expect(subject).toBe("ä");
  });

  it("do not let a bare CR smuggle a field in, nor a part speak for the message", async () => {
    const evil = "From: real@a.example\rFrom: fake@b.example\r\nSubject: s\r\n\r\n";
    const { fields } = await mailHeaders(bytesSource(Buffer.from(evil)));
    expect(fields.filter(([name]) => name === "From")).toHaveLength(1);
    const part = { ...note, extraHeaders: ["From: fake@b.example", "Subject: other"] };
    expect((await readMessage(bytesSource(buildMail(mail(part))))).headers).toMatchObject({
      subject: "Stock 2026-11-20",
    });
  });
});

describe("structured header values", () => {
  it("are read leniently", () => {
    const read = (text: string) => {
      const { value, parameters } = parseStructured(text);
      return [value, Object.fromEntries(parameters)];
    };
    expect(read('Text/CSV; Charset="UTF-8" ; name=a b.csv')).toEqual([
      "text/csv",
      { charset: "UTF-8", name: "a b.csv" },
    ]);
    expect(read('multipart/mixed (a (nested) comment); boundary="x;\\"y"')).toEqual([
      "multipart/mixed",
      { boundary: 'x;"y' },
    ]);
    expect(read("a/b; name=Invoice(1).pdf; flag; =; x=1; x=2")).toEqual(["a/b", { name: "Invoice(1).pdf", x: "1" }]);
    expect(read("a/b; boundary*0=one; boundary*1=two; charset*=utf-8''x%2Dy")).toEqual([
      "a/b",
      { boundary: "onetwo", charset: "x-y" },
    ]);
    expect(read("")).toEqual(["", {}]);
    expect(read('; filename="a')).toEqual(["", { filename: "a" }]);
  });
});
