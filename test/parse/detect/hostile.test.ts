import { describe, expect, it } from "vitest";
import { Failure } from "../../../src/domain/failures.ts";
import { HEAD_BYTES, SampleTaker, sampleOf } from "../../../src/parse/detect/sample.ts";
import { read, refusalOf } from "./support.ts";

/** Larger than the sample, so that nothing is saved by an early end. */
const LONG = HEAD_BYTES + 10_000;

describe("hostile input is read or refused, in bounded time", () => {
  it.each([
    ["quotation marks", '"'],
    ["open quotation marks", 'x,"'],
    ["delimiters", ","],
    ["tabs", "\t"],
    ["blanks", " "],
    ["line ends", "\n"],
    ["carriage returns", "\r"],
    ["digits", "1"],
    ["numbers of groups", "1.111,"],
    ["brackets", "(["],
    ["backslashes", '\\"'],
    ["runs of marks", "|~|+&"],
    ["remarks", "#\n"],
    ["apostrophes", "a,'b"],
    ["dates", "2024-01-01 "],
    ["escapes", "\u001b$B"],
    ["umlauts", "ü"],
  ])("%s, over and over", async (_, piece) => {
    const text = piece.repeat(Math.ceil(LONG / piece.length));
    try {
      const { rows } = await read(text);
      expect(rows.length).toBeGreaterThanOrEqual(0);
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(Failure);
    }
  });

  it("every byte, over and over", () => {
    const bytes = Uint8Array.from({ length: LONG }, (_, i) => i % 256);
    expect(["file-unsupported", "nul-bytes"]).toContain(refusalOf(bytes));
  });

  it("a line that does not end within the sample is told as too long", () => {
    expect(refusalOf("a".repeat(LONG))).toBe("row-too-long");
  });

  it("10,000 columns are a table, a million are none", async () => {
    const wide = Array.from({ length: 10_000 }, (_, i) => `c${i}`).join(";");
    const { profile } = await read(`${wide}\n${wide.replaceAll("c", "")}\n`);
    expect(profile.columnCount).toBe(10_000);
    expect(refusalOf(`${",".repeat(100_000)}\n${",".repeat(100_000)}\n`)).toBe("no-table");
  });

  it("the same rows come of blocks of one byte and of one block", async () => {
    const text = 'id;name\r\n1;"a;""b""\r\nc"\r\n2;ü\r\n\r\n3;x\r\n';
    const [whole, bytes] = [await read(text), await read(text, 1)];
    expect(bytes.rows).toEqual(whole.rows);
    expect(whole.rows[0]).toEqual(["1", 'a;"b"\r\nc']);
  });
});

describe("a sample is bounded and the same however the file is cut", () => {
  it("in blocks of any size", () => {
    const bytes = new TextEncoder().encode("id;name\n1;plain\n2;Größe\n".repeat(20_000));
    const taker = new SampleTaker();
    for (let at = 0; at < bytes.length; at += 40_000) taker.add(bytes.slice(at, at + 40_000));
    const [whole, cut] = [sampleOf(bytes), taker.sample()];
    expect(cut.head).toEqual(whole.head);
    expect(cut.tail).toEqual(whole.tail);
    expect(cut.size).toBe(bytes.length);
    expect(new TextDecoder().decode(cut.accented)).toMatch(/^(2;Größe\n)+$/);
  });
});
