import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Md5 } from "../../src/reconcile/md5.ts";

const expected = (text: string): string => createHash("md5").update(text).digest("hex");

describe("MD5", () => {
  const md5 = new Md5();
  const hex = (text: string): string => {
    md5.update(text);
    return md5.hex();
  };

  it("is that of RFC 1321", () => {
    expect(hex("")).toBe("d41d8cd98f00b204e9800998ecf8427e");
    expect(hex("message digest")).toBe("f96b697d7cb7938d525a2f31aaf161d0");
  });

  it("is that of node:crypto for every length around the blocks, one after the other", () => {
    for (let length = 0; length < 200; length++) expect(hex("x".repeat(length))).toBe(expected("x".repeat(length)));
    for (const length of [1_000, 100_000, 3]) expect(hex("é".repeat(length))).toBe(expected("é".repeat(length)));
  });

  it("is that of node:crypto for any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
        expect(hex(text)).toBe(expected(text));
      }),
    );
  });
});
