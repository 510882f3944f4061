/** Payloads of every kind by the feed's format: what they become, and what they are refused as. */
import { describe, expect, it } from "vitest";
import { defineFeed, type Feed } from "../../src/domain/adapter.ts";
import type { FileFormat } from "../../src/parse/open/open.ts";
import { unsupportedFormat } from "../../src/parse/read-payload.ts";
import { outcomeOf, payloadOf } from "../conformance/payload.ts";
import { buildWorkbook, oneSheet, type WorkbookSpec } from "./sheet/fixtures.ts";

type Definition = Parameters<typeof defineFeed>[0];

function feedOf(change: Partial<Definition>): Feed {
  return defineFeed({
    customer: "acme",
    customerTitle: "Acme",
    feed: "things",
    title: "Things",
    mode: "full",
    intake: { policy: "trust-address", senders: ["@acme.example"] },
    file: { header: true },
    columns: [
      { name: "id", source: { header: "Id" }, type: "identifier" },
      { name: "name", source: { header: "Name" }, type: "text" },
      { name: "qty", source: { header: "Qty" }, type: "integer" },
    ],
    key: ["id"],
    limits: { maxRejectShare: 1 },
    ...change,
  } as Definition) as Feed;
}

async function landed(
  feed: Feed,
  bytes: Uint8Array | string,
  format: FileFormat,
  role: "attachment" | "body" = "attachment",
) {
  const given = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
  const outcome = await outcomeOf(feed, payloadOf(given, { format, role }));
  return {
    code: outcome.refusal?.code,
    refusal: outcome.refusal,
    records: [...outcome.main, ...outcome.tail].map((row) => JSON.parse(row.json) as Record<string, unknown>),
    lines: outcome.main.map((row) => row.line),
    rejects: outcome.rejects,
    books: outcome.parsed?.books,
    parsed: outcome.parsed,
  };
}

describe("a workbook", () => {
  const feed = feedOf({ file: { kind: "sheet", header: true } });
  const text = (place: string, value: string) => `<c r="${place}" t="inlineStr"><is><t>${value}</t></is></c>`;
  const HEADER = `<row r="1">${text("A1", "Id")}${text("B1", "Name")}${text("C1", "Qty")}</row>`;
  const sheet = (data: string, more: Omit<WorkbookSpec, "sheets"> = {}, of = feed) =>
    landed(of, oneSheet(data, more), "xlsx");

  it("gives rows with the numbers that Excel shows, short ones filled, empty and missing ones blank", async () => {
    const { records, lines, books } = await sheet(
      `${HEADER}<row r="2">${text("A2", "A1")}</row><row r="3"></row><row r="7">${text("A7", "A2")}${text("B7", " ")}<c r="C7"><v>5</v></c></row><row r="8">${text("B8", " ")}</row>`,
    );
    expect(records).toEqual([
      { id: "A1", name: null, qty: null },
      { id: "A2", name: null, qty: 5 },
    ]);
    expect(lines).toEqual([2, 7]);
    expect(books).toMatchObject({ lines: 8, header: 1, accepted: 2, blank: 5 });
  });

  it("keeps identifiers to the letter, and numbers as their digits are stored", async () => {
    const { records } = await sheet(
      `${HEADER}<row r="2">${text("A2", "0012")}<c r="B2"><v>4006381333931</v></c><c r="C2"><v>7</v></c></row>`,
    );
    expect(records).toEqual([{ id: "0012", name: "4006381333931", qty: 7 }]);
  });

  it("rejects a row whose cell is an error or was never calculated, each cell with its own fault", async () => {
    const { rejects, records, books } = await sheet(
      `${HEADER}<row r="2">${text("A2", "A1")}<c r="B2" t="e"><v>#N/A</v></c><c r="C2"><f>1+1</f></c></row><row r="3">${text("A3", "A2")}</row>`,
    );
    expect(rejects.map(({ line, code, column, value }) => [line, code, column, value])).toEqual([
      [2, "cell-error", "Name", "#N/A"],
      [2, "cell-not-calculated", "Qty", ""],
    ]);
    expect(records).toHaveLength(1);
    expect(books).toMatchObject({ accepted: 1, rejected: 1 });
  });

  it("does not mind what stands in columns that nobody reads", async () => {
    const wide = `<row r="1">${text("A1", "Id")}${text("B1", "Name")}${text("C1", "Qty")}${text("D1", "Note")}</row>`;
    const { records, rejects } = await sheet(
      `${wide}<row r="2">${text("A2", "A1")}<c r="D2" t="e"><v>#REF!</v></c></row>`,
    );
    expect([records.length, rejects.length]).toEqual([1, 0]);
  });

  it("takes a row of formulas that were not calculated for no blank one", async () => {
    const { rejects } = await sheet(`${HEADER}<row r="2"><c r="A2"><f>B9</f></c></row>`);
    expect(rejects).toMatchObject([{ line: 2, code: "cell-not-calculated", column: "Id" }]);
  });

  it("leaves alone what stands to the right of its header, and is held to its columns where it has none", async () => {
    const { records, books } = await sheet(
      `${HEADER}<row r="2">${text("A2", "A1")}${text("E2", "beside")}</row><row r="3">${text("D3", "sum")}<c r="E3" t="e"><v>#REF!</v></c></row>`,
    );
    expect(records).toEqual([{ id: "A1", name: null, qty: null }]);
    expect(books).toMatchObject({ accepted: 1, rejected: 0, blank: 1 });
    const bare = feedOf({
      file: { kind: "sheet", header: false, columnCount: 1 },
      columns: [{ name: "id", source: { position: 1 }, type: "identifier" }],
    });
    const wide = `<row r="1">${text("A1", "A1")}</row><row r="2">${text("A2", "A2")}${text("C2", "beside")}</row>`;
    expect((await sheet(wide, {}, bare)).rejects).toMatchObject([
      { code: "row-width", sentence: "The row has 3 columns instead of 1." },
    ]);
  });

  it("may have titles, known by their row, and a total below", async () => {
    const titled = feedOf({
      file: {
        kind: "sheet",
        header: true,
        preamble: [{ startsWith: "Stock" }, { startsWith: "" }],
        footer: { startsWith: "Total" },
      },
      columns: [
        { name: "id", source: { header: "Id" }, type: "identifier" },
        { name: "plant", source: { preamble: 1, field: 2 }, type: "text" },
      ],
    });
    const data = (plant: string) =>
      `<row r="1">${text("A1", "Stock")}${plant}</row><row r="3">${text("A3", "Id")}</row><row r="4">${text("A4", "A1")}</row><row r="6">${text("A6", "Total")}<c r="B6"><f>SUM(B4)</f></c></row><row r="9">${text("A9", "end")}</row>`;
    const { records, books } = await sheet(data(text("B1", "Ulm")), {}, titled);
    expect(records).toEqual([{ id: "A1", plant: "Ulm" }]);
    expect(books).toMatchObject({ lines: 9, preamble: 2, header: 1, accepted: 1, blank: 1, footer: 4, rejected: 0 });
    const broken = await sheet(data('<c r="B1" t="e"><v>#N/A</v></c>'), {}, titled);
    expect(broken.refusal).toMatchObject({
      code: "bad-preamble-value",
      evidence: { line: 1, field: 2, value: "#N/A" },
    });
  });

  it("is read by position where it has no header, and held to its number of columns", async () => {
    const bare = feedOf({
      file: { kind: "sheet", header: false, columnCount: 2 },
      columns: [
        { name: "id", source: { position: 1 }, type: "identifier" },
        { name: "qty", source: { position: 2 }, type: "integer" },
      ],
    });
    const row = `<row r="1">${text("A1", "A1")}</row>`;
    const { records, rejects } = await sheet(
      `${row}<row r="2">${text("A2", "A2")}<c r="B2" t="e"><v>#DIV/0!</v></c></row>`,
      {},
      bare,
    );
    expect(records).toEqual([{ id: "A1", qty: null }]);
    expect(rejects).toMatchObject([{ code: "cell-error", column: "qty" }]);
  });

  it("is read by the sheet that the feed names, and refused where there is none of that name", async () => {
    const two = buildWorkbook({
      sheets: [
        { name: "Info", data: `<row r="1">${text("A1", "nothing")}</row>` },
        { name: "Export", data: `${HEADER}<row r="2">${text("A2", "A1")}</row>` },
      ],
    });
    const named = (name: string) => feedOf({ file: { kind: "sheet", header: true, sheet: name } });
    expect((await landed(named("Export"), two, "xlsx")).records).toHaveLength(1);
    expect((await landed(named("Prices"), two, "xlsx")).code).toBe("sheet-missing");
    expect((await landed(feed, two, "xlsx")).code).toBe("missing-column");
  });

  it("without any text is an empty file", async () => {
    expect((await sheet("")).code).toBe("file-empty");
    expect((await sheet('<row r="5"><c r="A5" s="1"/></row>')).code).toBe("file-empty");
  });
});

describe("JSON", () => {
  const feed = feedOf({ file: { kind: "json", header: true } });
  const json = (text: string, format: FileFormat = "json", of = feed) => landed(of, text, format);

  it("gives a record a row, whatever the order of its keys, and leaves alone what nobody reads", async () => {
    const { records } = await json(
      '[{"Qty":5,"Id":"0012","Name":"größe","more":{"a":[1]}},{"Id":7,"Name":"","Qty":null}]',
    );
    expect(records).toEqual([
      { id: "0012", name: "größe", qty: 5 },
      { id: "7", name: null, qty: null },
    ]);
  });

  it("takes a key that one record lacks for a blank, and one that no record has for a missing column", async () => {
    const some = await json('{"Id":"A","Name":"x","Qty":1}\n{"Id":"B"}\n', "ndjson");
    expect(some.records[1]).toEqual({ id: "B", name: null, qty: null });
    const none = await json('[{"Id":"A","Title":"x"},{"Id":"B","Qty":1}]');
    expect(none.refusal).toMatchObject({
      code: "missing-key",
      evidence: { missing: ["Name"], found: ["Id", "Title"], records: 2 },
    });
  });

  it("may lack a key everywhere where the column says so", async () => {
    const [id, name, qty] = feed.columns;
    const lax = feedOf({ file: { kind: "json", header: true }, columns: [id!, { ...name!, absent: "null" }, qty!] });
    expect((await json('[{"Id":"A","Qty":1}]', "json", lax)).records).toEqual([{ id: "A", name: null, qty: 1 }]);
  });

  it("counts the lines of the text, and gives every record a line of its own", async () => {
    const pretty = '[\n  {\n    "Id": "A",\n    "Name": "x", "Qty": 1\n  },\n\n  {"Id": "B"}, {"Id": "C"}\n]\n';
    const { books, lines } = await json(pretty);
    expect(lines).toEqual([2, 7, 8]);
    // Eight lines, of which one holds two records.
    expect(books).toEqual({
      lines: 9,
      preamble: 0,
      header: 0,
      footer: 0,
      blank: 3,
      continuation: 3,
      accepted: 3,
      rejected: 0,
    });
  });

  it("rejects a broken record with its line and goes on where lines are records", async () => {
    const { rejects, records } = await json(
      '{"Id":"A","Name":"x","Qty":1}\n{"Id":"B",}\n\n{"Id":"C","Id":"D"}\n[1]\n{"Id":"E"}\n',
      "ndjson",
    );
    expect(rejects.map(({ line, code, raw }) => [line, code, raw])).toEqual([
      [2, "broken-record", '{"Id":"B",}'],
      [4, "broken-record", '{"Id":"C","Id":"D"}'],
      [5, "broken-record", "[1]"],
    ]);
    expect(records.map((record) => record.id)).toEqual(["A", "E"]);
  });

  it("is read as lines although the first of them is broken, and the file looks like mere text for it", async () => {
    const { rejects, records } = await json('{"Id":"A",,}\n{"Id":"B","Name":"x","Qty":1}\n', "text");
    expect(rejects).toMatchObject([{ line: 1, code: "broken-record" }]);
    expect(records).toHaveLength(1);
  });

  it("is read as lines although its first record is longer than what is looked at", async () => {
    const long = `{"Id":"A","Name":"x","Qty":1,"more":"${"x".repeat(20_000)}"}\n{"Id":"B"}\n`;
    expect((await json(long, "json")).records).toHaveLength(2);
  });

  it("of one record over several lines is refused as that", async () => {
    const { refusal } = await json('{\n  "Id": "A"\n}\n');
    expect(refusal).toMatchObject({
      code: "json-unreadable",
      evidence: { reason: "it is one record, not a list of them" },
    });
  });

  it("is read behind the keys that the feed names", async () => {
    const nested = feedOf({ file: { kind: "json", header: true, at: ["data", "items"] } });
    const text = '{"meta":{"n":1},"data":{"items":[{"Id":"A","Name":"x","Qty":1}]}}';
    expect((await json(text, "ndjson", nested)).records).toHaveLength(1);
    expect((await json('{"data":{}}', "json", nested)).code).toBe("json-unreadable");
  });

  it("rejects a record without a key although the feed reads one column only: it is no blank line", async () => {
    const one = feedOf({ file: { kind: "json", header: true }, columns: [feed.columns[0]!] });
    const { rejects, books } = await json('[{"Id":""},{"Id":"A"},{"x":1}]', "json", one);
    expect(rejects.map((reject) => reject.code)).toEqual(["value-missing", "value-missing"]);
    expect(books).toMatchObject({ accepted: 1, rejected: 2, blank: 0 });
  });

  it("has no places, and does not tell a key that is missing from one that is blank: feeds cannot ask for either", async () => {
    const [id, name] = feed.columns;
    const file = { kind: "json" as const, header: true };
    const placed = { name: "x", source: { position: 1 }, type: "text" as const };
    expect(() => feedOf({ file, columns: [id!, placed] })).toThrow("is a place");
    expect(() => feedOf({ file, columns: [id!, { ...name!, absent: "keep" }] })).toThrow("say keep of both");
    const kept = feedOf({ file, columns: [id!, { ...name!, absent: "keep", blank: "keep" }] });
    expect((await json('[{"Id":"A"},{"Id":"B","Name":null}]', "json", kept)).records).toEqual([
      { id: "A" },
      { id: "B" },
    ]);
  });

  it("of an empty list is a file without rows, and without any text an empty one", async () => {
    expect((await json(" [ ]\n")).books).toMatchObject({ lines: 1, blank: 1, accepted: 0 });
    expect((await json(" \n", "text")).code).toBe("file-empty");
  });
});

describe("a table in the text of a mail", () => {
  const feed = feedOf({
    file: { delimiter: ";", header: true },
    intake: { policy: "trust-address", senders: ["@acme.example"], inlineBody: true },
  });
  const mail = (text: string) => landed(feed, text, "text", "body");

  it("is read between greeting and signature, which are in the books by their lines", async () => {
    const { records, lines, books } = await mail(
      'Hello,\r\n\r\nId;Name;Qty\r\nA;"x";1\r\n\r\nB;y;2\r\n\r\nKind regards\r\nERP\r\n\r\n-- \r\nACME; Ulm\r\n',
    );
    expect(records.map((record) => record.id)).toEqual(["A", "B"]);
    expect(lines).toEqual([4, 6]);
    expect(books).toEqual({
      lines: 12,
      preamble: 1,
      header: 1,
      footer: 4,
      blank: 4,
      continuation: 0,
      accepted: 2,
      rejected: 0,
    });
  });

  it("is found by the feed's own delimiter, though others stand in the text", async () => {
    const { records } = await mail(
      "Dear all, as agreed, here, it, is\n\nId;Name;Qty\nA;a, b, c, d;1\nB;e, f, g, h;2\n",
    );
    expect(records).toHaveLength(2);
  });

  it("is held with the open questions where it cannot be told from what stands around it", async () => {
    const { refusal } = await mail("Id;Name;Qty\nA;x;1\nthe next delivery comes on Monday\n");
    expect(refusal).toMatchObject({
      code: "body-undecided",
      disposition: "hold",
      evidence: { questions: ["line 3 may be a row or not"] },
    });
    expect((await mail("Hello,\n\nno export today.\n")).code).toBe("body-undecided");
    expect((await mail(" \n\n")).code).toBe("file-empty");
  });

  it("is refused where the mail has it only as a web page", async () => {
    const { refusal } = await landed(feed, "<html><table></table></html>", "html", "body");
    expect(refusal?.code).toBe("body-html");
    expect(refusal?.hint).toContain("plain text");
  });

  it("is read as a file where it is attached: what stands around it is then refused", async () => {
    expect((await landed(feed, "Hello,\n\nId;Name;Qty\nA;x;1\nB;y;2\n", "text")).code).toBe("missing-column");
  });
});

describe("a payload of another kind than the feed's files", () => {
  const kinds = {
    delimited: "a delimited text file (CSV)",
    fixed: "a text file with columns of fixed width",
    sheet: "an Excel workbook (.xlsx)",
    json: "a JSON file",
  } as const;

  it.each([
    ["delimited", "stock.csv", "xlsx", "an Excel workbook, although its name ends in “.csv”"],
    ["delimited", "stock.csv", "html", "a web page, although its name ends in “.csv”"],
    ["delimited", "stock.json", "json", "a JSON file"],
    ["fixed", "stock.txt", "pdf", "a PDF, although its name ends in “.txt”"],
    ["sheet", "stock.xlsx", "text", "a text file, although its name ends in “.xlsx”"],
    ["sheet", "stock.xls", "xls", "an old Excel workbook"],
    ["json", "stock.json", "xml", "an XML document, although its name ends in “.json”"],
    ["json", "scan.png", "image", "a picture"],
  ] as const)("of %s files is told as what it is: %s (%s)", (kind, name, format, found) => {
    expect(unsupportedFormat({ name, format }, kind)).toMatchObject({
      code: "file-unsupported",
      evidence: { name, found, expected: kinds[kind] },
    });
  });

  it("is refused by its content: a workbook called .csv is none of a feed of text, and text called .xlsx none of sheets", async () => {
    const text = feedOf({});
    const sheets = feedOf({ file: { kind: "sheet", header: true } });
    expect((await landed(text, oneSheet(""), "xlsx")).code).toBe("file-unsupported");
    expect((await landed(sheets, "Id,Name,Qty\nA,x,1\n", "text")).code).toBe("file-unsupported");
    expect((await landed(sheets, "", "text")).code).toBe("file-empty");
  });
});
