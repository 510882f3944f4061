import { describe, expect, it } from "vitest";
import { zipOf } from "../../cli/samples/generate.ts";
import { sha256, unzipped } from "./read.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

describe("zipOf", () => {
  it("writes deflated, stored, empty and non-ASCII entries that read back", () => {
    const archive = zipOf([
      { name: "a.csv", bytes: bytes("x;y\n".repeat(1_000)) },
      { name: "stored.csv", bytes: bytes("1;2"), method: "store" },
      { name: "leer/Bestände.csv", bytes: new Uint8Array() },
    ]);
    expect(unzipped(archive).map((e) => [e.name, e.method, e.bytes.length])).toEqual([
      ["a.csv", 8, 4_000],
      ["stored.csv", 0, 3],
      ["leer/Bestände.csv", 8, 0],
    ]);
  });

  it("flags UTF-8 only for names that need it", () => {
    const flag = (name: string) => Buffer.from(zipOf([{ name, bytes: bytes("") }])).readUInt16LE(6);
    expect(flag("a.csv")).toBe(0);
    expect(flag("ä.csv")).toBe(0x0800);
  });

  it("writes the time in UTC and nothing else that could differ between two runs", () => {
    const modified = new Date("2026-11-02T05:30:10Z");
    const archive = Buffer.from(zipOf([{ name: "a", bytes: bytes("a"), modified }]));
    expect([archive.readUInt16LE(10), archive.readUInt16LE(12)]).toEqual([
      (5 << 11) | (30 << 5) | 5,
      (46 << 9) | (11 << 5) | 2,
    ]);
    expect(sha256(zipOf([{ name: "a", bytes: bytes("a"), modified }]))).toBe(sha256(archive));
  });

  it("is an end record alone without entries", () => {
    expect(zipOf([])).toHaveLength(22);
    expect(unzipped(zipOf([]))).toEqual([]);
  });

  it("refuses what would need zip64", () => {
    const empty = new Uint8Array();
    expect(() => zipOf(Array.from({ length: 65_536 }, () => ({ name: "a", bytes: empty })))).toThrow(/zip64/);
  });
});
