/**
 * The rows of a sheet of an Excel workbook (xlsx), as text, pulled: the sheet is never held, only the table of its shared
 * texts is.
 *
 * Cells say what stands in the file: texts verbatim, numbers by their stored digits, dates by their format as ISO 8601,
 * booleans as `TRUE` and `FALSE`, formulas by the result stored with them. Cells that are missing are `""`; so are the
 * covered ones of a merged range, whose text stands in its first cell.
 */
import { failure, shown } from "../../domain/failures.ts";
import type { OpenLimits } from "../open/limits.ts";
import type { ByteSource } from "../open/source.ts";
import { SHEET_MAX_CELLS, SHEET_MAX_CHARS, SHEET_MAX_COLUMNS, SHEET_MAX_ROW_CHARS, SHEET_MAX_ROWS } from "./limits.ts";
import { readSharedStrings, SharedStrings, TextGatherer, tooLong, unescapeText } from "./strings.ts";
import { readStyles } from "./styles.ts";
import { type CellFormat, cellNumber, PLAIN } from "./values.ts";
import { openWorkbook, type SheetInfo, type Workbook } from "./workbook.ts";
import { attributesOf, type Corrupt, eachAttribute, scanXml, type XmlHandler } from "./xml.ts";

export type { SheetInfo } from "./workbook.ts";

/**
 * A cell that must not be taken for what it shows.
 * - `error`: the result is an error; the cell's text names it (`#N/A`, `#REF!`).
 * - `not-calculated`: a formula whose result was never stored, or that the writer asks to calculate anew.
 */
export interface CellIssue {
  /** As in Excel, from 1. */
  readonly row: number;
  /** From 0. */
  readonly column: number;
  readonly kind: "error" | "not-calculated";
}

export interface SheetBatch {
  /** Number of the first row as Excel shows it, from 1. Rows that are not in the file lie between two batches. */
  readonly firstRow: number;
  /** Rows without gaps. A row ends with its last cell that is not empty: pad it to the width of the header. */
  readonly rows: readonly (readonly string[])[];
  readonly issues: readonly CellIssue[];
}

export interface SheetOptions {
  /** Name of the sheet; without it the first one that is not hidden. */
  readonly sheet?: string | undefined;
  /** Name of the file, for failures. */
  readonly name?: string;
  readonly limits?: OpenLimits;
}

/** The sheets of a workbook, in the order of their tabs. */
export async function listSheets(
  source: ByteSource,
  options: Omit<SheetOptions, "sheet"> = {},
): Promise<readonly SheetInfo[]> {
  return (await openWorkbook(source, options.name ?? "", options.limits)).sheets;
}

/**
 * Streams the rows of a sheet.
 * @throws Failure `sheet-missing`, `sheet-too-large`, `file-corrupt` and what the zip reader throws; after a failure what
 * came before must not be used.
 */
export async function* sheetRows(source: ByteSource, options: SheetOptions = {}): AsyncGenerator<SheetBatch, void> {
  const workbook = await openWorkbook(source, options.name ?? "", options.limits);
  const sheet = workbook.sheet(options.sheet);
  const { corrupt } = workbook;
  const formats = workbook.styles ? await readStyles(workbook.styles(), corrupt) : [];
  const strings = workbook.strings ? await readSharedStrings(workbook.strings(), corrupt) : new SharedStrings();
  const reader = new SheetReader(workbook, strings, formats);
  for await (const _ of scanXml(sheet.open(), reader, corrupt)) yield* reader.take();
  if (!reader.hasData) throw corrupt(`its sheet ${shown(sheet.name, 31)} has no cells part`);
}

interface MutableBatch {
  firstRow: number;
  rows: string[][];
  issues: CellIssue[];
}

type CellType = "n" | "s" | "str" | "inlineStr" | "b" | "e" | "d";

const isCellType = (type: string): type is CellType => /^(?:n|s|str|inlineStr|b|e|d)$/.test(type);

class SheetReader implements XmlHandler {
  hasData = false;
  readonly #workbook: Workbook;
  readonly #corrupt: Corrupt;
  readonly #strings: SharedStrings;
  readonly #formats: readonly CellFormat[];
  readonly #inline = new TextGatherer();

  #done: MutableBatch[] = [];
  #inData = false;
  #row = 0;
  #cells: string[] | undefined;
  #issues: CellIssue[] = [];
  #rowChars = 0;
  #allChars = 0;
  #allCells = 0;

  #inCell = false;
  #column = -1;
  #type: CellType = "n";
  #style = 0;
  #value: string | undefined;
  #inValue = false;
  #inInline = false;
  #hasFormula = false;

  constructor(workbook: Workbook, strings: SharedStrings, formats: readonly CellFormat[]) {
    this.#workbook = workbook;
    this.#corrupt = workbook.corrupt;
    this.#strings = strings;
    this.#formats = formats;
  }

  get wantsText(): boolean {
    return this.#inValue || this.#inline.collecting;
  }

  /** What has been read since the last call. */
  take(): MutableBatch[] {
    const done = this.#done;
    this.#done = [];
    return done;
  }

  open(name: string, attributes: string): void {
    if (!this.#inData) {
      if (name !== "sheetData") return;
      if (this.hasData) throw this.#corrupt("one of its sheets has its cells twice");
      this.#inData = true;
      this.hasData = true;
    } else if (name === "c" && this.#cells) this.#openCell(attributes);
    else if (name === "row") this.#openRow(attributes);
    else if (!this.#inCell) return;
    else if (name === "v") {
      this.#inValue = true;
      this.#value ??= "";
    } else if (name === "f") this.#hasFormula = true;
    else if (name === "is") {
      this.#inInline = true;
      this.#inline.reset();
    } else if (this.#inInline) this.#inline.open(name, attributes);
  }

  text(text: string): void {
    if (this.#inValue) {
      this.#value += text;
      if (this.#value!.length > SHEET_MAX_ROW_CHARS) throw tooLong();
    } else this.#inline.add(text);
  }

  close(name: string): void {
    if (!this.#inData) return;
    if (name === "v") this.#inValue = false;
    else if (name === "c" && this.#inCell) this.#closeCell();
    else if (name === "row" && this.#cells) this.#closeRow();
    else if (name === "is") this.#inInline = false;
    else if (name === "sheetData") this.#inData = false;
    else if (this.#inInline) this.#inline.close(name);
  }

  #openRow(raw: string): void {
    const said = attributesOf(raw, this.#corrupt).get("r");
    const row = said === undefined ? this.#row + 1 : Number(said);
    if (!Number.isInteger(row) || row <= this.#row) throw this.#corrupt("the rows of its sheet are not in order");
    if (row > SHEET_MAX_ROWS) throw failure("sheet-too-large", { what: "more rows", limit: String(SHEET_MAX_ROWS) });
    this.#row = row;
    this.#cells = [];
    this.#issues = [];
    this.#rowChars = 0;
    this.#column = -1;
  }

  #openCell(raw: string): void {
    let place: string | undefined;
    let type = "n";
    let style = -1;
    eachAttribute(raw, this.#corrupt, (name, value) => {
      if (name === "r") place = value;
      else if (name === "t") type = value;
      else if (name === "s") style = Number(value);
    });
    const column = place === undefined ? this.#column + 1 : this.#columnOf(place);
    if (column <= this.#column) throw this.#corrupt(`the cells of its row ${this.#row} are not in order`);
    if (column >= SHEET_MAX_COLUMNS) {
      throw failure("sheet-too-large", { what: "more columns", limit: String(SHEET_MAX_COLUMNS) });
    }
    this.#allCells += 1;
    if (this.#allCells > SHEET_MAX_CELLS) {
      throw failure("sheet-too-large", { what: "more cells", limit: String(SHEET_MAX_CELLS) });
    }
    if (!isCellType(type)) throw this.#corrupt(`a cell of its row ${this.#row} is of no kind that workbooks have`);
    this.#column = column;
    this.#type = type;
    this.#style = style;
    this.#value = undefined;
    this.#hasFormula = false;
    this.#inline.reset();
    this.#inCell = true;
  }

  /** `BC12` → 54. */
  #columnOf(place: string): number {
    let column = 0;
    let at = 0;
    for (; at < place.length && at < 4; at += 1) {
      const letter = place.charCodeAt(at) & 0xdf;
      if (letter < 0x41 || letter > 0x5a) break;
      column = column * 26 + letter - 0x40;
    }
    if (at === 0 || Number(place.slice(at)) !== this.#row) throw this.#corrupt("a cell of its sheet is out of place");
    return column - 1;
  }

  #closeCell(): void {
    this.#inCell = false;
    const text = this.#cellText();
    const isError = this.#type === "e" && this.#value !== undefined;
    const isEmptyResult = this.#value === undefined || (this.#value === "" && this.#type !== "str");
    if (isError) this.#issue("error");
    else if (this.#hasFormula && (isEmptyResult || this.#workbook.mustCalculate)) this.#issue("not-calculated");
    if (text === "") return;
    this.#rowChars += text.length;
    if (this.#rowChars > SHEET_MAX_ROW_CHARS) throw tooLong();
    const cells = this.#cells!;
    while (cells.length < this.#column) cells.push("");
    cells.push(text);
  }

  #issue(kind: CellIssue["kind"]): void {
    this.#issues.push({ row: this.#row, column: this.#column, kind });
  }

  #cellText(): string {
    const value = this.#value;
    if (this.#type === "inlineStr") return unescapeText(this.#inline.text === "" ? (value ?? "") : this.#inline.text);
    if (value === undefined) return "";
    switch (this.#type) {
      case "s": {
        const text = /^\s*\d{1,9}\s*$/.test(value) ? this.#strings.get(Number(value)) : undefined;
        if (text === undefined && value !== "")
          throw this.#corrupt(`a cell of its row ${this.#row} refers to a text that is missing`);
        return text ?? "";
      }
      case "str":
        return unescapeText(value);
      case "b":
        return value.trim() === "1" || value.trim() === "true" ? "TRUE" : value.trim() === "" ? "" : "FALSE";
      case "e":
      case "d":
        return value.trim();
      case "n":
        return value === "" ? "" : cellNumber(value, this.#formats[this.#style] ?? PLAIN, this.#workbook.is1904);
    }
  }

  #closeRow(): void {
    const cells = this.#cells!;
    this.#cells = undefined;
    this.#allChars += this.#rowChars;
    if (this.#allChars > SHEET_MAX_CHARS) {
      throw failure("sheet-too-large", { what: "more text", limit: `${SHEET_MAX_CHARS} characters` });
    }
    let batch = this.#done.at(-1);
    if (!batch || batch.firstRow + batch.rows.length !== this.#row) {
      batch = { firstRow: this.#row, rows: [], issues: [] };
      this.#done.push(batch);
    }
    batch.rows.push(cells);
    batch.issues.push(...this.#issues);
  }
}
