import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defineFeed, type Feed } from "../../src/domain/adapter.ts";
import { type Annotation, annotatedCopy } from "../../src/parse/annotate.ts";
import { decoderFor } from "../../src/parse/table/charsets.ts";
import { encoderFor } from "../../src/parse/table/encode.ts";
import { readRows } from "../../src/parse/table/rows.ts";
import { payloadOf } from "../support/payload.ts";

type FileInput = Parameters<typeof defineFeed>[0]["file"];

const feedOf = (file: NonNullable<FileInput>): Feed =>
  defineFeed({
    customer: "acme",
    customerTitle: "Acme",
    feed: "stock",
    title: "Stock",
    mode: "full",
    intake: { policy: "trust-address", senders: ["@acme.example"] },
    file,
    columns: [{ name: "a", source: { position: 1 }, type: "text" }],
    key: ["a"],
  });

async function* said(...annotations: Annotation[]): AsyncGenerator<Annotation> {
  yield* annotations;
}

async function copyOf(feed: Feed, text: string, annotations: Annotation[], rows: "all" | "rejected") {
  const bytes = encoderFor(feed.file.charset)(text);
  const blocks: Uint8Array[] = [];
  for await (const block of annotatedCopy(feed, await payloadOf(bytes), said(...annotations), { rows }))
    blocks.push(block);
  return new Uint8Array(Buffer.concat(blocks));
}

const decoded = (bytes: Uint8Array, charset: Feed["file"]["charset"]) =>
  decoderFor(charset).decode(bytes)!.replace("\ufeff", "");

const fault = (line: number, code = "not-a-decimal"): Annotation => ({ line, code, sentence: `Line ${line} is bad.` });

describe("the annotated copy of a file", () => {
  const text = "Title\r\nArt;Qty\r\nA-1;1\r\nA-2;x\r\n\r\nA-3;y\r\n";
  const feed = feedOf({ delimiter: ";", header: true, preamble: [{ startsWith: "Title" }] });

  it("holds title, header and the rows that could not land, each with its reason", async () => {
    const copy = await copyOf(feed, text, [fault(4), fault(6), fault(6, "not-a-date")], "rejected");
    expect(decoded(copy, "utf-8")).toBe(
      "Title\r\nArt;Qty;error code;error\r\nA-2;x;not-a-decimal;Line 4 is bad.\r\n" +
        "A-3;y;not-a-decimal, not-a-date;Line 6 is bad. Line 6 is bad.\r\n",
    );
  });

  it("holds every row where all are asked for, those that landed with nothing beside them", async () => {
    const copy = await copyOf(feed, text, [fault(4)], "all");
    expect(decoded(copy, "utf-8")).toBe(
      "Title\r\nArt;Qty;error code;error\r\nA-1;1;;\r\nA-2;x;not-a-decimal;Line 4 is bad.\r\n\r\nA-3;y;;\r\n",
    );
  });

  it("puts the reasons below each other although a row is too short", async () => {
    const copy = await copyOf(feedOf({ header: true }), "a,b,c\r\n1\r\n", [fault(2)], "rejected");
    expect(decoded(copy, "utf-8")).toBe("a,b,c,error code,error\r\n1,,,not-a-decimal,Line 2 is bad.\r\n");
  });

  it.each([
    ["=1+1", "'=1+1"],
    ["-cmd", "'-cmd"],
    ["@x", "'@x"],
    ["+1 (0) 5", "'+1 (0) 5"],
    ["-12.50", "-12.50"],
    ["+49", "+49"],
    ["a=1", "a=1"],
  ])("%j is written %j: no spreadsheet runs it, and numbers stay numbers", async (cell, written) => {
    const copy = await copyOf(feedOf({ header: true }), `a\r\n${cell}\r\n`, [fault(2)], "rejected");
    expect(decoded(copy, "utf-8").split("\r\n")[1]).toBe(`${written},not-a-decimal,Line 2 is bad.`);
  });

  it.each(["windows-1252", "iso-8859-15", "cp437", "cp850", "utf-16le", "utf-16be"] as const)(
    "is written in the file's own charset: %s",
    async (charset) => {
      const told = { line: 2, code: "x", sentence: "“Größe” fehlt …" };
      const copy = await copyOf(feedOf({ header: true, charset }), "a\r\nÄrmel\r\n", [told], "rejected");
      const [, row] = decoded(copy, charset).split("\r\n");
      expect(row).toMatch(/^Ärmel,x,["“]+Größe["”]+ fehlt (\.\.\.|…)"?$/);
    },
  );

  it("reads back as the cells of the file, whatever stands in them", async () => {
    const cell = fc
      .string({ unit: fc.constantFrom("a", "1", ",", ";", '"', "'", "\\", " ", "\n", "ä", "|"), maxLength: 6 })
      .map((inner) => `x${inner}x`);
    const table = fc.array(fc.array(cell, { minLength: 2, maxLength: 2 }), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(
        table,
        fc.constantFrom(",", ";", "\t", "+|"),
        fc.constantFrom<'"' | "'">('"', "'"),
        fc.constantFrom("doubled", "backslash"),
        async (rows, delimiter, quote, mode) => {
          const feed = feedOf({ header: true, delimiter, quote, escape: mode as "doubled" });
          const inside = (text: string) =>
            mode === "doubled"
              ? text.replaceAll(quote, quote + quote)
              : text.replaceAll("\\", "\\\\").replaceAll(quote, `\\${quote}`);
          const line = (cells: readonly string[]) => cells.map((c) => quote + inside(c) + quote).join(delimiter);
          const text = [["h1", "h2"], ...rows].map(line).join("\r\n");
          const copy = await copyOf(feed, text, [], "all");
          const read: string[][] = [];
          for await (const row of readRows((await payloadOf(copy)).open(), feed.file)) read.push([...row.cells]);
          expect(read).toEqual([["h1", "h2", "error code", "error"], ...rows.map((cells) => [...cells, "", ""])]);
        },
      ),
      { numRuns: 300 },
    );
  });
});
