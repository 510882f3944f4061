/** The pure core in Cloudflare's runtime: its decoders, Buffer and hashes are not Node's, and must give the same. */
import { describe, expect, it } from "vitest";
import { CHARSETS } from "../../../src/domain/adapter.ts";
import { decoderFor } from "../../../src/parse/table/charsets.ts";
import { failureOf, parse, tableFeed, utf8 } from "./support.ts";

describe("in workerd", () => {
  it("parses with the same hashes as in Node", async () => {
    const outcome = await parse(tableFeed(), 'Id;Name\r\nA1;x\r\nA1;"ü\r\n""€"" 𝄞"\r\nbad\r\n', {
      blockSize: 3,
      sliceChars: 1,
    });
    expect(outcome.main.map((row) => row.hash)).toEqual(["ecda0678e4928679da07bd5854f47ded"]);
    expect(outcome.tail.map((row) => row.record.name)).toEqual(['ü\n"€" 𝄞']);
    expect(outcome.books).toMatchObject({ lines: 5, accepted: 2, rejected: 1, continuation: 1 });
    expect(outcome.contentSha256).toMatch(/^[0-9a-f]{64}$/);
  });

  it("has every charset, and refuses what each has not", async () => {
    for (const charset of CHARSETS) expect(decoderFor(charset).decode(new Uint8Array(0)), charset).toBe("");
    const decode = (charset: (typeof CHARSETS)[number], ...bytes: number[]) =>
      decoderFor(charset).decode(Uint8Array.from(bytes));
    expect(decode("windows-1252", 0xe4, 0x80, 0x61)).toBe("ä€a");
    expect(decode("windows-1252", 0xe4, 0x81)).toBeUndefined();
    expect(decode("windows-1253", 0xaa)).toBeUndefined();
    expect(decode("iso-8859-1", 0x80, 0xe4)).toBe("\u0080ä");
    expect(decode("iso-8859-15", 0xa4)).toBe("€");
    expect(decode("cp850", 0x84, 0xd5)).toBe("äı");
    expect(decode("utf-16be", 0x20, 0xac)).toBe("€");
    expect(decode("utf-16le", 0x00, 0xdc)).toBeUndefined();
  });

  it("names the byte of a wrong charset", async () => {
    const bytes = Uint8Array.from([...utf8("Id;Name\nA;"), 0xe4, 0x0a]);
    const report = await failureOf(parse(tableFeed(), bytes, { blockSize: 1 }));
    expect(report).toMatchObject({ code: "wrong-charset", evidence: { line: 2, offset: 10 } });
  });
});
