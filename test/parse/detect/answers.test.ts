/** What somebody answered stands over what detection would find, and is not asked again. */
import { describe, expect, it } from "vitest";
import type { Answer } from "../../../src/parse/detect/answers.ts";
import { detect, detectTable } from "../../../src/parse/detect/detect.ts";
import { sampleOf } from "../../../src/parse/detect/sample.ts";

const profile = (text: string | Uint8Array, ...answers: Answer[]) =>
  detect(sampleOf(typeof text === "string" ? new TextEncoder().encode(text) : text), answers);

describe("an answer", () => {
  it("says the charset, and bytes that it has not are still refused", () => {
    const bytes = Buffer.from("name;town\nJosé;München\n", "latin1");
    const read = profile(bytes, { what: "charset", answer: "cp850" });
    expect(read.charset).toBe("cp850");
    expect(read.undecided.filter((q) => q.what === "charset")).toEqual([]);
    expect(() => profile(bytes, { what: "charset", answer: "utf-8" })).toThrow(/utf-8/);
    expect(() => profile(bytes, { what: "charset", answer: "klingon" })).toThrow(/klingon/);
  });

  it("keeps a byte order mark out of the first cell", () => {
    const read = profile("\ufeffid,n\n1,2\n", { what: "charset", answer: "utf-8" });
    expect([read.bom, read.columns]).toEqual([true, ["id", "n"]]);
  });

  it("says the delimiter, one of several characters too, and that there is none", () => {
    const text = "a;b|1,5\nc;d|2,5\ne;f|3,5\n";
    expect(profile(text, { what: "delimiter", answer: ";" }).columnCount).toBe(2);
    expect(profile(text, { what: "delimiter", answer: "," }).dialect.delimiter).toBe(",");
    expect(profile(text, { what: "delimiter", answer: "none" }).columnCount).toBe(1);
  });

  it("says that quotation marks are text", () => {
    const text = 'id;size\n1;"3"\n2;"4"\n3;"5"\n';
    expect(profile(text).dialect.quote).toBe('"');
    const read = profile(text, { what: "quote", answer: "none" });
    expect(read.dialect.quote).toBeNull();
    expect(read.types[1]?.maxLength).toBe(3);
  });

  it("says whether the first row names the columns", () => {
    const text = "alpha;beta\ngamma;delta\nomega;sigma\n";
    expect(profile(text, { what: "header", answer: "header" }).columns).toEqual(["alpha", "beta"]);
    const data = profile(text, { what: "header", answer: "data" });
    expect([data.header, data.undecided.some((q) => q.what === "header")]).toEqual([false, false]);
  });

  it("says where columns of fixed width begin", () => {
    const read = profile("AB12\nCD34\nEF56\n", { what: "columns", answer: "1, 3" });
    expect([read.dialect.fixed, read.columnCount]).toEqual([[0, 2], 2]);
  });

  it("of another column leaves the question open", () => {
    const text = "id;on;at\n1;01/02/2026;03/04/2026\n2;02/03/2026;05/06/2026\n";
    const open = profile(text, { what: "dateOrder", column: "on", answer: "dd/MM/yyyy" }).undecided;
    expect(open.map((q) => [q.what, q.column])).toEqual([["dateOrder", "at"]]);
  });

  it("is no licence to loop: nonsense changes nothing", () => {
    const text = "id;n\n1;2\n3;4\n";
    expect(profile(text, { what: "columns", answer: "3, 1" }, { what: "header", answer: "maybe" })).toEqual(
      profile(text),
    );
  });
});

it("shows the lines that the table begins with, and its rows", () => {
  const text = "Stock list\nPrinted\n\nid;n\n1;2\n\n3;4\n";
  const { lines, rows } = detectTable(sampleOf(new TextEncoder().encode(text)));
  expect(lines).toEqual([
    { line: 4, text: "id;n" },
    { line: 5, text: "1;2" },
    { line: 7, text: "3;4" },
  ]);
  expect(rows).toEqual([
    ["1", "2"],
    ["3", "4"],
  ]);
});
