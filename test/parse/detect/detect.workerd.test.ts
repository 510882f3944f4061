import { describe, expect, it } from "vitest";
import { isSingleByte, SINGLE_BYTE, upperHalf } from "../../../src/parse/detect/decoders.ts";
import { sniff } from "../../../src/parse/open/sniff.ts";
import { read, utf16 } from "./support.ts";

describe("detection in the Worker's runtime", () => {
  it("knows every single-byte charset", () => {
    const lacking = SINGLE_BYTE.filter((charset) => /^\ufffd*$/.test(upperHalf(charset)));
    expect(lacking).toEqual([]);
  });

  it.each(["windows-1252", "iso-8859-2", "koi8-r", "cp852", "windows-1257"])("reads a table in %s", async (charset) => {
    if (!isSingleByte(charset)) throw new Error(charset);
    const upper = upperHalf(charset);
    const letters: Readonly<Record<string, string>> = {
      "koi8-r": "кабель насос масло",
      "windows-1257": "guolis žarna diržas",
    };
    const words = (letters[charset] ?? (charset === "windows-1252" ? "Größe Müller Öl" : "łożysko żółty część")).split(
      " ",
    );
    const text = `no;name\n${words.map((word, i) => `${i};${word}`).join("\n")}\n`;
    const bytes = Uint8Array.from(text, (c) => (c < "\u0080" ? c.charCodeAt(0) : upper.indexOf(c) + 0x80));
    expect((await read(bytes)).rows.map((row) => row[1])).toEqual(words);
  });

  it.each([true, false])("knows UTF-16 without its mark in any alphabet (little-endian: %s)", async (little) => {
    const bytes = utf16("no;name\n1;кабель насос\n2;漢字 😀\n", little);
    expect(sniff(bytes, { name: "a.csv", contentType: "" })).toBe("text");
    expect((await read(bytes)).rows).toEqual([
      ["1", "кабель насос"],
      ["2", "漢字 😀"],
    ]);
  });
});
