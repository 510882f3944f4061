/** The samples beside the real exports whose shape they have: as like as they should be, and nothing copied. */
import { describe, expect, it } from "vitest";
import { BUCHUNGSSTAPEL_COLUMNS } from "../../cli/samples/generate.ts";
import { corporaPresent, corpusBytes } from "../support/corpora.ts";
import { csvRows, decoded, rowsOf, sampleOf } from "./read.ts";

const REAL = "erp/sql-server-samples";

/** `12.50` → `9.9`, `{9AADCB0D-…}` → `{X-X-X-X-X}`: what a cell looks like, not what it says. */
const shape = (cell: string) => cell.replace(/\d+/g, "9");

describe.skipIf(!corporaPresent)("beside the real exports", () => {
  const address = decoded(
    corporaPresent ? corpusBytes(`${REAL}/oltp-2017/Address.csv`) : new Uint8Array(),
    "windows-1252",
  );
  const vendor = decoded(
    corporaPresent ? corpusBytes(`${REAL}/oltp-2017/ProductVendor.csv`) : new Uint8Array(),
    "utf-8",
  );
  const cells = (text: string) =>
    text
      .slice(0, -1)
      .split("\n")
      .map((line) => line.split("\t"));

  it("the sample addresses share no row and no GUID with the original", () => {
    const original = new Set(address.split("\n"));
    const guids = new Set(cells(address).map((row) => row[7]));
    const sample = sampleOf("adventure/address", { edition: 3 });
    const rows = rowsOf(sample);
    expect(rows.filter((row) => original.has(row.join("\t")) || guids.has(row[7]))).toEqual([]);
  });

  it("with mixed timestamps, every column of times and units has the shapes of the original, and only those", () => {
    const shapes = (rows: string[][], index: number) => [...new Set(rows.map((row) => shape(row[index] ?? "")))].sort();
    const ours = rowsOf(sampleOf("adventure/product-vendor", { mixedTimestamps: true }));
    for (const index of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
      expect(shapes(ours, index)).toEqual(shapes(cells(vendor), index));
    const ourAddresses = rowsOf(sampleOf("adventure/address", { mixedTimestamps: true }));
    for (const index of [0, 4, 8]) expect(shapes(ourAddresses, index)).toEqual(shapes(cells(address), index));
  });

  it.each([
    ["utf-16le", "oltp-2023", "&|\r\n"],
    ["utf-8", "oltp-2025", "&|\n"],
  ] as const)("the %s store file is built like the original", (storeVariant, year, end) => {
    const original = decoded(corpusBytes(`${REAL}/${year}/Store.csv`), storeVariant);
    const ours = decoded(sampleOf("adventure/store", { storeVariant }).bytes, storeVariant);
    const frame = (text: string) => {
      const [first = ""] = text.split(end);
      const row = first.split("+|");
      return [
        row.length,
        shape(row[0] ?? ""),
        row[3]?.slice(0, 20),
        row[4]?.length,
        shape(row[5] ?? ""),
        text.slice(-4),
      ];
    };
    const tail = (row: unknown[]) => row.map((part, i) => (i === 5 ? String(part).slice(-end.length) : part));
    expect(tail(frame(ours))).toEqual(tail(frame(original)));
  });

  it("the booking batch has the header line, the widths and the quoting of the format", () => {
    const original = decoded(corpusBytes("erp/datev/EXTF_Buchungsstapel.csv"), "windows-1252").split("\r\n");
    const ours = decoded(sampleOf("kontor/buchungen").bytes, "windows-1252").split("\r\n");
    expect(original[1]?.split(";")).toEqual(BUCHUNGSSTAPEL_COLUMNS);
    expect(csvRows(ours[0] ?? "", ";")[0]).toHaveLength(csvRows(original[0] ?? "", ";")[0]?.length ?? 0);
    // Quoted text cells, so a `;` splits no cell of a line that has none inside its quotes.
    const quoting = (line: string) => line.split(";").map((cell) => cell.startsWith('"'));
    const simple = ours.slice(2).find((line) => line.split(";").length === BUCHUNGSSTAPEL_COLUMNS.length) ?? "";
    expect(quoting(simple)).toEqual(quoting(original[2] ?? ""));
    expect(quoting(ours[0] ?? "")).toEqual(quoting(original[0] ?? ""));
  });
});
