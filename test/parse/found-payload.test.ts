import { describe, expect, it } from "vitest";
import { foundInPayload } from "../../src/parse/found-payload.ts";
import type { FileFormat } from "../../src/parse/open/open.ts";
import { payloadOf } from "../conformance/payload.ts";
import { oneSheet } from "./sheet/fixtures.ts";

const found = (bytes: Uint8Array | string, format: FileFormat, role: "attachment" | "body" = "attachment") =>
  foundInPayload(payloadOf(typeof bytes === "string" ? Buffer.from(bytes) : bytes, { format, role }), []);
const names = (table: Awaited<ReturnType<typeof found>>) => table.types.map((type) => type.name);

describe("a first file that nobody has described", () => {
  it("is looked at as what it is: text, sheet, list or lines of records", async () => {
    const text = (place: string, value: string) => `<c r="${place}" t="inlineStr"><is><t>${value}</t></is></c>`;
    const row = (n: number, a: string, b: string) => `<row r="${n}">${text(`A${n}`, a)}${text(`B${n}`, b)}</row>`;
    const sheet = await found(oneSheet(row(3, "Id", "Qty") + row(4, "A1", "5") + row(5, "A2", "7")), "xlsx");
    expect([sheet.format.kind, names(sheet), sheet.rows.length]).toEqual(["sheet", ["Id", "Qty"], 2]);
    expect(sheet.format.preamble).toHaveLength(2);
    const list = await found('[{"Id":"A1","Qty":5},{"Id":"A2","Note":null}]', "json");
    expect([list.format.kind, names(list), list.rows.length]).toEqual(["json", ["Id", "Qty", "Note"], 2]);
    const lines = await found('{"Id":"A1"}\n{"Id":\n{"Id":"A2"}\n', "ndjson");
    expect([lines.format.kind, lines.rows.length]).toEqual(["json", 2]);
    const wrapped = await found('{"meta":{"n":2},"data":{"items":[{"Id":"A1"},{"Id":"A2"}]}}', "ndjson");
    expect([wrapped.format.at, names(wrapped), wrapped.rows.length]).toEqual([["data", "items"], ["Id"], 2]);
    const csv = await found("Id;Qty\nA1;5\nA2;7\n", "text");
    expect([csv.format.kind, csv.format.delimiter, names(csv)]).toEqual(["delimited", ";", ["Id", "Qty"]]);
  });

  it("in the text of a mail is the table alone, in whatever charset it is written", async () => {
    const mail = "Guten Tag,\n\nId;Größe\nA1;5\nA2;7\n\nMit freundlichen Grüßen\nERP\n";
    for (const encoding of ["utf8", "latin1"] as const) {
      const table = await found(Buffer.from(mail, encoding), "text", "body");
      expect([names(table), table.rows.length]).toEqual([["Id", "Größe"], 2]);
    }
    await expect(found("Id;Qty\nA1;5\nand so on\n", "text", "body")).rejects.toMatchObject({ code: "body-undecided" });
    await expect(found(" \n", "text", "body")).rejects.toMatchObject({ code: "file-empty" });
  });

  it("is refused as what it is where it can hold no table", async () => {
    await expect(found("%PDF-1.7", "pdf")).rejects.toMatchObject({ code: "file-unsupported" });
  });
});
