import { describe, expect, it } from "vitest";
import { isSingleByte, upperHalf } from "../../../src/parse/detect/decoders.ts";
import { bytesOf, profileOf, question, read, refusalOf, utf16 } from "./support.ts";

function encoded(text: string, charset: string): Uint8Array {
  if (!isSingleByte(charset)) throw new Error(charset);
  const upper = upperHalf(charset);
  return Uint8Array.from(text, (c) => (c < "\u0080" ? c.charCodeAt(0) : upper.indexOf(c) + 0x80));
}

const table = (names: string): string =>
  `no;name\n${names
    .split(" ")
    .map((name, i) => `${100 + i};${name}`)
    .join("\n")}\n`;

describe("the charset is told by what makes words of the bytes", () => {
  it.each([
    ["windows-1252", "Müller Größe Schlüssel Öl Straße “neu” Kühlung"],
    ["cp850", "Müller Größe Schlüssel Öl Straße Kühlung Übergabe"],
    ["macintosh", "Müller Größe Schlüssel Öl Straße Kühlung Übergabe"],
    ["windows-1250", "łożysko wałek żółty źródło część dźwignia šroub"],
    ["iso-8859-2", "łożysko wałek żółty źródło część dźwignia śruba"],
    ["cp852", "łożysko wałek żółty źródło część dźwignia śruba"],
    ["windows-1251", "подшипник кабель насос масло фильтр клапан"],
    ["koi8-r", "подшипник кабель насос масло фильтр клапан"],
    ["ibm866", "подшипник кабель насос масло фильтр клапан"],
    ["iso-8859-5", "подшипник кабель насос масло фильтр клапан"],
    ["windows-1253", "παξιμάδι ρουλεμάν καλώδιο αντλία φίλτρο Άγκυρα"],
    ["windows-1254", "somun yağ dişli kapağı gövde sıkma yatağı ölçü"],
    ["windows-1257", "varžtas veržlė guolis žarna diržas įvorė šlūžis"],
  ])("%s", async (charset, names) => {
    const { profile, rows } = await read(encoded(table(names), charset));
    expect([profile.charset, ...profile.charsetsAlike]).toContain(charset);
    expect(rows.map((row) => row[1])).toEqual(names.split(" "));
  });

  it("names the charsets that read the file alike, for the name alone is no question", () => {
    const profile = profileOf(encoded(table("Müller Größe Straße"), "windows-1252"));
    expect(profile.charset).toBe("windows-1252");
    expect(profile.charsetsAlike).toEqual(expect.arrayContaining(["iso-8859-1", "iso-8859-15"]));
    expect(question(profile, "charset")).toBeUndefined();
  });

  it("asks where one sign is all there is", () => {
    const asked = question(profileOf(encoded("id,name\n1,english\n2,©\n", "windows-1252")), "charset");
    expect(asked).toMatchObject({ assumed: "windows-1252" });
    expect(asked?.reason).toContain("©");
  });

  it("takes a blank that does not break at the end of names for one, and asks, for á of DOS is the same byte", () => {
    const names = "Bank Name\u00a0;City\u00a0;State\u00a0;Closing Date\u00a0;Fund\n";
    const file = profileOf(encoded(`${names}First Bank;Waukon;IA;2011-11-04;10101\n`, "windows-1252"));
    expect(file.charset).toBe("windows-1252");
    const onlyAtEnds = profileOf(encoded(table("está allá quizá Bogotá mamá sofá"), "cp850"));
    expect(question(onlyAtEnds, "charset")?.options).toContain("cp850");
    expect(profileOf(encoded(table("está Bogotá año día mamá"), "cp850")).charset).toBe("cp850");
  });

  it.each(["§", "¦"])("takes a sign in every line for the delimiter it is, not for a letter: %s", async (sign) => {
    const file = encoded("10,50§open§2026-01-02\r\n7,25§closed§2026-01-03\r\n".replaceAll("§", sign), "windows-1252");
    const { profile, rows } = await read(file);
    expect(profile.dialect.delimiter).toBe(sign);
    expect(rows[0]).toEqual(["10,50", "open", "2026-01-02"]);
  });

  it("asks where the bytes make no words anywhere", () => {
    const damaged = new Uint8Array([...bytesOf("id,name\n1,in"), 0xff, 0xff, ...bytesOf("valid\n")]);
    expect(question(profileOf(damaged), "charset")).toBeDefined();
  });

  it("asks whether Romanian s and t have a comma or a cedilla, which no byte tells", () => {
    const asked = question(profileOf(encoded(table("oraşul naţional ştire şapte ţară"), "windows-1250")), "charset");
    expect(asked?.options).toEqual(expect.arrayContaining(["windows-1250", "iso-8859-16"]));
  });
});

describe("hard evidence goes first", () => {
  it.each([
    ["utf-8", new Uint8Array([0xef, 0xbb, 0xbf, ...bytesOf("a,b\n1,2\n")])],
    ["utf-16le", new Uint8Array([0xff, 0xfe, ...utf16("a,b\n1,ü\n", true)])],
    ["utf-16be", new Uint8Array([0xfe, 0xff, ...utf16("a,b\n1,ü\n", false)])],
  ])("a byte order mark of %s", async (charset, bytes) => {
    const { profile, header } = await read(bytes);
    expect([profile.charset, profile.bom, header]).toEqual([charset, true, ["a", "b"]]);
  });

  it.each([true, false])(
    "UTF-16 without a mark (little-endian: %s), also of Cyrillic and Chinese text",
    async (little) => {
      for (const name of ["Müller", "Подшипник", "轴承"]) {
        const { profile, rows } = await read(utf16(`no;name\r\n1;${name}\r\n2;${name}\r\n`, little));
        expect([profile.charset, profile.bom]).toEqual([little ? "utf-16le" : "utf-16be", false]);
        expect(rows[0]).toEqual(["1", name]);
      }
    },
  );

  it("well-formed UTF-8, and the tail of a large file counts", () => {
    const rows = "1,plain\n".repeat(40_000);
    expect(profileOf(`id,name\n${rows}2,Größe\n`).evidence.charset).toContain("well-formed UTF-8");
  });

  it("special characters that come late in a large file are seen all the same", async () => {
    const plain = "1;plain words of a line\n".repeat(20_000);
    const { profile, rows } = await read(encoded(`id;name\n${plain}2;Größe für Müller\n${plain}`, "windows-1252"));
    expect(profile.charset).toBe("windows-1252");
    expect(rows[20_000]).toEqual(["2", "Größe für Müller"]);
  });
});

describe("what is no text of a known charset is refused by its name", () => {
  const wide = (text: string): Uint8Array => {
    const bytes = new Uint8Array(text.length * 4);
    for (let i = 0; i < text.length; i++) new DataView(bytes.buffer).setUint32(i * 4, text.charCodeAt(i), false);
    return bytes;
  };
  it.each([
    ["UTF-32", wide("id,name\n1,x\n2,y\n"), "charset-unsupported"],
    ["ISO-2022-CN", bytesOf("\u001b$)A\u000e;y1>\u000f,1\n"), "charset-unsupported"],
    [
      "UTF-16 whose mark says the other order of bytes",
      new Uint8Array([0xfe, 0xff, ...utf16("sku;qty\r\n1;2\r\n", true)]),
      "wrong-charset",
    ],
    ["ASCII behind a mark of UTF-16", new Uint8Array([0xff, 0xfe, ...bytesOf("sku;qty\r\n1;2\r\n")]), "wrong-charset"],
    ["UTF-8 with a damaged character", new Uint8Array([...bytesOf("é,ü,ö,ä\n1,2,3,"), 0xc3, 0x0a]), "wrong-charset"],
    ["a stray NUL", bytesOf("id,name\n1,a\u0000b\n2,c\n"), "nul-bytes"],
    [
      "a picture",
      new Uint8Array([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0, 13, 1, 2, 3, 4, 5, 6, 7]),
      "file-unsupported",
    ],
    ["nothing", new Uint8Array(0), "file-empty"],
    ["blanks", bytesOf(" \n\n \n"), "file-empty"],
  ])("%s", (_, bytes, code) => {
    expect(refusalOf(bytes)).toBe(code);
  });
});
