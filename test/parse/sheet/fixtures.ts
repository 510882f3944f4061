/** Hand-made workbooks, one constructor: a test takes a valid one and changes one thing. */
import { Failure, type FailureReport } from "../../../src/domain/failures.ts";
import { type ByteSource, bytesSource } from "../../../src/parse/open/source.ts";
import { type CellIssue, type SheetOptions, sheetRows } from "../../../src/parse/sheet/rows.ts";
import { buildZip, type ZipEntrySpec } from "../open/fixtures.ts";

const HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n';
const MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships";

export interface SheetSpec {
  readonly name: string;
  readonly state?: string;
  /** Inside of `sheetData`. */
  readonly data: string;
  /** In place of the whole part. */
  readonly xml?: string | Uint8Array;
}

export interface WorkbookSpec {
  readonly sheets: readonly SheetSpec[];
  /** Each the inside of an `si`. */
  readonly strings?: readonly string[];
  /** In place of the whole table of shared texts. */
  readonly stringsXml?: string;
  /** Format codes; style 1 is the first of them. */
  readonly formats?: readonly string[];
  /** Numbers of built-in formats; styles after those of `formats`. */
  readonly builtIn?: readonly number[];
  readonly is1904?: boolean;
  readonly mustCalculate?: boolean;
  readonly doctype?: string;
  /** Prefix of the elements, as some writers have it. */
  readonly prefix?: string;
  readonly extra?: readonly ZipEntrySpec[];
  readonly rename?: (path: string) => string;
}

export const escapeXml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

export function workbookParts(spec: WorkbookSpec): ZipEntrySpec[] {
  const p = spec.prefix ?? "";
  const relation = (id: string, type: string, target: string) =>
    `<Relationship Id="${id}" Type="${RELATIONS}/${type}" Target="${target}"/>`;
  const sheets = spec.sheets.map(
    ({ name, state }, i) =>
      `<${p}sheet name="${escapeXml(name)}" sheetId="${i + 1}"${state ? ` state="${state}"` : ""} r:id="rId${i + 1}"/>`,
  );
  const formats = spec.formats ?? [];
  const ids = [0, ...formats.map((_, i) => 164 + i), ...(spec.builtIn ?? [])];
  const styles = `${HEAD}<styleSheet xmlns="${MAIN}"><numFmts>${formats
    .map((code, i) => `<numFmt numFmtId="${164 + i}" formatCode="${escapeXml(code)}"/>`)
    .join(
      "",
    )}</numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs>${ids.map((id) => `<xf numFmtId="${id}"/>`).join("")}</cellXfs></styleSheet>`;
  const flags = `${spec.is1904 ? `<${p}workbookPr date1904="1"/>` : ""}`;
  const calc = spec.mustCalculate ? `<${p}calcPr fullCalcOnLoad="1"/>` : "";
  const strings =
    spec.stringsXml ??
    `${HEAD}<sst xmlns="${MAIN}">${(spec.strings ?? []).map((si) => `<si>${si}</si>`).join("")}</sst>`;
  const parts: ZipEntrySpec[] = [
    { name: "[Content_Types].xml", data: `${HEAD}<Types/>` },
    {
      name: "_rels/.rels",
      data: `${HEAD}<Relationships xmlns="${PACKAGE}">${relation("rId1", "officeDocument", "xl/workbook.xml")}</Relationships>`,
    },
    {
      name: "xl/workbook.xml",
      data: `${HEAD}${spec.doctype ?? ""}<${p}workbook xmlns="${MAIN}" xmlns:r="${RELATIONS}">${flags}<${p}sheets>${sheets.join("")}</${p}sheets>${calc}</${p}workbook>`,
    },
    {
      name: "xl/_rels/workbook.xml.rels",
      data: `${HEAD}<Relationships xmlns="${PACKAGE}">${spec.sheets
        .map((_, i) => relation(`rId${i + 1}`, "worksheet", `worksheets/sheet${i + 1}.xml`))
        .join(
          "",
        )}${relation("rIdS", "sharedStrings", "/xl/sharedStrings.xml")}${relation("rIdF", "styles", "../xl/styles.xml")}</Relationships>`,
    },
    { name: "xl/sharedStrings.xml", data: strings },
    { name: "xl/styles.xml", data: styles },
    ...spec.sheets.map(({ data, xml }, i) => ({
      name: `xl/worksheets/sheet${i + 1}.xml`,
      data: xml ?? `${HEAD}<${p}worksheet xmlns="${MAIN}"><${p}sheetData>${data}</${p}sheetData></${p}worksheet>`,
    })),
    ...(spec.extra ?? []),
  ];
  return parts.map((part) => ({ ...part, name: spec.rename?.(part.name) ?? part.name }));
}

export const buildWorkbook = (spec: WorkbookSpec): Uint8Array => buildZip({ entries: workbookParts(spec) });

/** A workbook of one sheet from the inside of its `sheetData`. */
export const oneSheet = (data: string, more: Omit<WorkbookSpec, "sheets"> = {}): Uint8Array =>
  buildWorkbook({ sheets: [{ name: "Export", data }], ...more });

export interface ReadSheet {
  /** By row number. */
  readonly rows: Readonly<Record<number, readonly string[]>>;
  readonly issues: readonly CellIssue[];
  readonly failure?: FailureReport;
}

/** Everything a sheet says, also when it breaks. */
export async function readSheet(given: Uint8Array | ByteSource, options: SheetOptions = {}): Promise<ReadSheet> {
  const rows: Record<number, readonly string[]> = {};
  const issues: CellIssue[] = [];
  try {
    for await (const batch of sheetRows(given instanceof Uint8Array ? bytesSource(given) : given, options)) {
      for (const [i, row] of batch.rows.entries()) rows[batch.firstRow + i] = row;
      issues.push(...batch.issues);
    }
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    return { rows, issues, failure: thrown.report };
  }
  return { rows, issues };
}
