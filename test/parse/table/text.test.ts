import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CHARSETS } from "../../../src/domain/adapter.ts";
import { type Charset, decoderFor } from "../../../src/parse/table/charsets.ts";
import { countLineEnds, LineCounter } from "../../../src/parse/table/lines.ts";
import { TextReader } from "../../../src/parse/table/text.ts";
import { blocksOf, failureOf, utf8 } from "./support.ts";

async function read(bytes: Uint8Array | number[], charset: Charset, blockSize = 65_536, recordDelimiter = "line") {
  const reader = new TextReader({ charset, recordDelimiter, sliceChars: 1 });
  const slices: string[] = [];
  for await (const slice of reader.slices(blocksOf(Uint8Array.from(bytes), blockSize))) slices.push(slice);
  return { text: slices.join(""), slices, lines: reader.lines };
}

const utf16 = (text: string, little: boolean): number[] =>
  Array.from(text).flatMap((character) =>
    character.split("").flatMap((unit) => {
      const code = unit.charCodeAt(0);
      return little ? [code & 0xff, code >> 8] : [code >> 8, code & 0xff];
    }),
  );

describe("decoding", () => {
  it.each([1, 2, 3, 7, 65_536])("puts characters together across blocks of %i bytes", async (size) => {
    const text = "aé€𝄞\r\nß\rz";
    expect((await read(utf8(text), "utf-8", size)).text).toBe(text);
    expect((await read(utf16(text, true), "utf-16le", size)).text).toBe(text);
    expect((await read(utf16(text, false), "utf-16be", size)).text).toBe(text);
  });

  it("never ends a slice between CR and LF", async () => {
    const { slices } = await read(utf8("a\r\nb\r\r\nc\r"), "utf-8", 1);
    for (const [i, slice] of slices.entries()) {
      if (slice.endsWith("\r")) expect(slices[i + 1] ?? "").not.toMatch(/^\n/);
    }
    expect(slices.length).toBeGreaterThan(5);
  });

  it("splits a large block, so that no slice grows with it", async () => {
    const { slices, text } = await read(utf8("x".repeat(300_000)), "utf-8", 300_000);
    expect(text).toHaveLength(300_000);
    expect(Math.max(...slices.map((slice) => slice.length))).toBeLessThanOrEqual(65_536);
  });

  it("removes the byte order mark of its own charset, once", async () => {
    expect((await read([0xef, 0xbb, 0xbf, 0x61], "utf-8", 1)).text).toBe("a");
    expect((await read([0xef, 0xbb, 0xbf, 0xef, 0xbb, 0xbf, 0x61], "utf-8")).text).toBe("\ufeffa");
    expect((await read([0xff, 0xfe, 0x61, 0x00], "utf-16le", 1)).text).toBe("a");
    expect((await read([0xfe, 0xff, 0x00, 0x61], "utf-16be", 1)).text).toBe("a");
  });

  it("reads only the mark as an empty text", async () => {
    expect(await read([0xef, 0xbb, 0xbf], "utf-8")).toMatchObject({ text: "", lines: 0 });
    expect(await read([0xff, 0xfe], "utf-16le", 1)).toMatchObject({ text: "", lines: 0 });
  });

  it.each([
    ["windows-1252", [0xef, 0xbb, 0xbf, 0x61], "utf-8"],
    ["cp850", [0xef, 0xbb, 0xbf, 0x61], "utf-8"],
    ["iso-8859-1", [0xff, 0xfe, 0x61, 0x00], "utf-16le"],
    ["utf-8", [0xfe, 0xff, 0x00, 0x61], "utf-16be"],
    ["utf-16le", [0xfe, 0xff, 0x00, 0x61], "utf-16be"],
  ] as const)("refuses in %s the mark of another charset", async (charset, bytes, mark) => {
    const report = await failureOf(read([...bytes], charset));
    expect(report).toMatchObject({ code: "wrong-charset", evidence: { charset, offset: 0, line: 1, mark } });
    expect(report.sentence).toContain(mark);
  });

  it("knows all 256 bytes of cp437 and cp850", () => {
    // Spot checks against IBM's tables: accents, box drawing, the last ones; every byte gives exactly one character.
    const decode = (charset: Charset, ...bytes: number[]) => decoderFor(charset).decode(Uint8Array.from(bytes));
    expect(decode("cp437", 0x80, 0x84, 0x94, 0x81, 0xe1, 0x9b, 0xc9, 0xfe, 0xff)).toBe("Çäöüß¢╔■\u00a0");
    expect(decode("cp850", 0x80, 0x84, 0x94, 0x81, 0xe1, 0x9b, 0xd5, 0xfe, 0xff)).toBe("Çäöüßøı■\u00a0");
    for (const charset of ["cp437", "cp850"] as const) {
      const all = decode(charset, ...Array.from({ length: 256 }, (_, i) => i)) ?? "";
      expect(all).toHaveLength(256);
      expect(new Set(all).size).toBe(256);
    }
  });

  it("reads iso-8859-1 as ISO 8859-1, not as the windows-1252 that web pages mean by it", async () => {
    const bytes = Array.from({ length: 255 }, (_, i) => i + 1);
    const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
    expect((await read(bytes, "iso-8859-1")).text).toBe(text);
  });

  it.each([
    ["windows-1252", [0x81, 0x8d, 0x8f, 0x90, 0x9d]],
    ["windows-1250", [0x81, 0x83, 0x88, 0x90, 0x98]],
    ["windows-1251", [0x98]],
    ["windows-1253", [0x81, 0xaa, 0xd2, 0xff]],
    ["windows-1254", [0x81, 0x8d, 0x8e, 0x8f, 0x90, 0x9d, 0x9e]],
    ["windows-1257", [0x81, 0xa1, 0xa5]],
  ] as const)(
    "refuses the bytes that %s has not, and makes no control characters of them",
    async (charset, undefined_) => {
      for (const byte of undefined_) {
        const report = await failureOf(read([0x61, 0x0a, 0x62, 0x63, 0x64, byte, 0x65], charset, 1));
        expect(report).toMatchObject({ code: "wrong-charset", evidence: { offset: 5, line: 2 } });
      }
      for (let byte = 0x80; byte <= 0xff; byte++) {
        expect(decoderFor(charset).decode(Uint8Array.of(byte)) ?? "").not.toMatch(/[\u0080-\u009f]/);
      }
    },
  );

  it("reads windows-1252 with and without the characters that latin1 has not", async () => {
    expect((await read([0xe4, 0xdf, 0x61], "windows-1252")).text).toBe("äßa");
    expect((await read([0xe4, 0x80, 0x96, 0x61], "windows-1252")).text).toBe("ä€–a");
    expect((await read([0xa4, 0xe4], "iso-8859-15")).text).toBe("€ä");
  });
});

describe("faults of a text", () => {
  it.each([1, 2, 3, 5, 65_536])("names the byte and the line of the first bad UTF-8, in blocks of %i", async (size) => {
    const good = utf8("zeile eins\r\nzwei €\r\rvier 𝄞");
    const report = await failureOf(read([...good, 0xe2, 0x82, 0x41], "utf-8", size));
    expect(report.evidence).toEqual({ charset: "utf-8", offset: good.length, line: 4 });
  });

  it.each([
    ["an overlong form", [0xc0, 0xaf]],
    ["a surrogate in UTF-8", [0xed, 0xa0, 0x80]],
    ["beyond U+10FFFF", [0xf4, 0x90, 0x80, 0x80]],
    ["a lone continuation", [0x80]],
    ["a byte that is never UTF-8", [0xff]],
    ["a character cut off at the end", [0xe2, 0x82]],
  ])("refuses %s", async (_what, bad) => {
    expect((await failureOf(read([0x61, 0x0a, ...bad], "utf-8", 1))).evidence).toMatchObject({ offset: 2, line: 2 });
  });

  it("finds the same fault as the platform, at the first byte from which nothing more can be decoded", async () => {
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    const decodes = (bytes: Uint8Array): boolean => {
      try {
        return decoder.decode(bytes).length >= 0;
      } catch {
        return false;
      }
    };
    const mostlyValid = fc
      .tuple(fc.string({ unit: "binary" }), fc.uint8Array({ maxLength: 6 }), fc.string({ unit: "binary" }))
      .map(([a, b, c]) => Uint8Array.from([...utf8(a.toWellFormed()), ...b, ...utf8(c.toWellFormed())]));
    fc.assert(
      fc.property(mostlyValid, (bytes) => {
        const at = decoderFor("utf-8").fault(bytes);
        if (at === -1) return decodes(bytes);
        return !decodes(bytes) && decodes(bytes.subarray(0, at)) && decoderFor("utf-8").fault(bytes.subarray(at)) === 0;
      }),
      { numRuns: 2_000 },
    );
  });

  it("refuses lone surrogates and half units in UTF-16, with their place", async () => {
    expect((await failureOf(read([0x61, 0, 0x0a, 0, 0x00, 0xdc, 0x61, 0], "utf-16le", 1))).evidence).toMatchObject({
      offset: 4,
      line: 2,
    });
    expect((await failureOf(read([0xff, 0xfe, 0x61, 0, 0x00, 0xd8, 0x61, 0], "utf-16le", 1))).evidence).toMatchObject({
      offset: 4,
    });
    expect((await failureOf(read([0x61, 0, 0x00, 0xd8], "utf-16le", 1))).evidence).toMatchObject({ offset: 2 });
    expect((await failureOf(read([0x61, 0, 0x62], "utf-16le", 1))).evidence).toMatchObject({ offset: 2 });
  });

  it.each([
    ["utf-8", [...utf8("a\nb\0c")]],
    ["windows-1252", [0x61, 0x0a, 0xe4, 0, 0x62]],
    ["utf-16le", utf16("a\nb\0c", true)],
    ["cp850", [0x61, 0x0a, 0x84, 0, 0x62]],
  ] as const)("refuses NUL characters in %s, with their line", async (charset, bytes) => {
    for (const size of [1, 65_536]) {
      expect(await failureOf(read([...bytes], charset, size))).toMatchObject({
        code: "nul-bytes",
        evidence: { line: 2 },
      });
    }
  });
});

describe("counting lines", () => {
  const naive = (text: string): number => {
    const parts = text.split(/\r\n|\n|\r/);
    return parts.length - (parts.at(-1) === "" ? 1 : 0);
  };
  const text = fc.string({ unit: fc.constantFrom("a", "\r", "\n", '"'), maxLength: 40 });

  it("counts LF, CRLF and lone CR, and a last line without an end", async () => {
    await fc.assert(
      fc.asyncProperty(text, fc.integer({ min: 1, max: 9 }), async (value, size) => {
        expect((await read(utf8(value), "utf-8", size)).lines).toBe(naive(value));
      }),
    );
    expect(countLineEnds("a\r\n\rb\n")).toBe(3);
  });

  it("counts the records of a delimiter of its own, wherever the pieces are cut", () => {
    const record = fc.string({ unit: fc.constantFrom("a", "&", "|", "\n"), maxLength: 30 });
    fc.assert(
      fc.property(record, fc.integer({ min: 1, max: 5 }), (value, size) => {
        const counter = new LineCounter("&|");
        for (let at = 0; at < value.length; at += size) counter.add(value.slice(at, at + size));
        const parts = value.split("&|");
        const last = parts.at(-1)!;
        expect(counter.lines).toBe(parts.length - (last === "" || last === "\n" ? 1 : 0));
      }),
    );
  });
});

it("has a decoder for every charset an adapter can name", () => {
  for (const charset of CHARSETS) expect(decoderFor(charset).decode(new Uint8Array(0))).toBe("");
});
