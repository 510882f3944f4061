/** Whether the first row of a table names its columns. */
import { trimCell } from "../table/cell.ts";
import { isDate, isDatetime, isNumber, isTime } from "./cells.ts";

/** Rows of the body that the first one is compared with. */
const BODY_ROWS = 200;
/** Points from which on the verdict is sure, for and against. */
const SURE = 0.6;

export interface HeaderVerdict {
  readonly header: boolean;
  readonly sure: boolean;
  /** Cells of the first row that are usual names of columns. */
  readonly named: number;
  readonly evidence: string;
}

/** Words that head columns, in the languages that ERPs speak most; compared with the parts of a name. */
const NAMES = new Set(
  (
    "id no nr num number code key name title description text date time datetime timestamp year month day price amount " +
    "quantity qty value total sum type status category group unit currency country city street address zip postcode state " +
    "region email phone url sku ean gtin item article product customer supplier vendor order invoice stock warehouse " +
    "comment note first last lat lon latitude longitude version count rate size color weight " +
    "nummer bezeichnung beschreibung datum uhrzeit jahr monat tag preis betrag menge wert summe art typ gruppe einheit " +
    "währung land ort straße plz artikel kunde lieferant auftrag rechnung bestand lager konto bemerkung zeit " +
    "nom libelle prix quantité montant pays ville adresse code client fournisseur commande facture " +
    "nombre fecha precio cantidad importe país ciudad cliente proveedor pedido factura codice prezzo quantità data"
  ).split(" "),
);

/** Longer cells are texts. */
const VALUE_MAX_CHARS = 64;

type Kind = "number" | "date" | "time" | "boolean" | "text";

function kindOf(cell: string): Kind {
  const value = cell.trim();
  if (value.length > VALUE_MAX_CHARS) return "text";
  if (isNumber(value)) return "number";
  if (isDate(value) || isDatetime(value)) return "date";
  if (isTime(value)) return "time";
  return /^(true|false)$/i.test(value) ? "boolean" : "text";
}

/** Whether a row is the header once more, as feeds see it: that of a file joined on may have its byte order mark. */
export const isSame = (row: readonly string[], header: readonly string[]): boolean =>
  row.length === header.length &&
  row.length > 1 &&
  row.every((cell, i) => trimCell(cell) === trimCell(header[i] ?? ""));

/** `rows`: the first row and those behind it, without blank ones. */
export function judgeHeader(rows: readonly (readonly string[])[]): HeaderVerdict {
  const [first = [], ...rest] = rows;
  // The header of a joined file comes again; that speaks neither for nor against it.
  const others: (readonly string[])[] = [];
  for (const row of rest) {
    if (!isSame(row, first)) others.push(row);
    if (others.length === BODY_ROWS) break;
  }
  const body = others.length > 0 ? others : rest.slice(0, BODY_ROWS);
  const trimmed = first.map((cell) => cell.trim());
  const years = areYears(trimmed);
  let points = 0;
  let differing = 0;
  let alike = 0;
  let named = 0;
  for (const [column, cell] of trimmed.entries()) {
    const values = body.map((row) => (row[column] ?? "").trim()).filter((value) => value !== "");
    const kind = years && /^\d{4}$/.test(cell) ? "text" : kindOf(cell);
    if (kind === "text" && isNamed(cell)) {
      named++;
      points += 0.3;
    }
    const most = commonKind(values);
    if (cell === "" || values.length === 0 || most === undefined) {
      if (values.length === 0 && kind !== "text") points -= 0.3;
      continue;
    }
    if (kind !== most && most !== "text") {
      differing++;
      points += kind === "text" ? 1 : 0.8;
    } else if (kind === most && most !== "text") {
      alike++;
      points -= 1;
    } else if (kind !== "text" && most === "text") {
      points -= 0.4;
    } else if (values.includes(cell)) {
      alike++;
      points -= 0.7;
    } else if (values.length >= 3) {
      points += shapePoints(cell, values);
    }
  }
  if (body.length === 0 && trimmed.some((cell) => cell !== "" && kindOf(cell) !== "text")) points -= 1;
  if (new Set(trimmed).size < trimmed.length && alike > 0) points -= 0.3;
  return verdict(points, { differing, alike, named, trimmed });
}

interface Counts {
  readonly differing: number;
  readonly alike: number;
  readonly named: number;
  readonly trimmed: readonly string[];
}

function verdict(points: number, { differing, alike, named, trimmed }: Counts): HeaderVerdict {
  const sure = Math.abs(points) >= SURE;
  const header = sure ? points > 0 : points > -0.2 && looksLikeNames(trimmed);
  const facts = [
    `${differing} of ${trimmed.length} cells of the first row are of another kind than those below`,
    `${named} are usual names of columns`,
    `${alike} look like the values below`,
  ].join(", ");
  return {
    header,
    sure,
    named,
    evidence: `${header ? "The first row names the columns" : "The first row is data"}: ${facts}.`,
  };
}

/**
 * Whether the first row tells of the file (`Export;2026-01-01`) and the second one names the columns: the first holds a
 * number or date and no usual name, the second names alone, and surely those of what stands below.
 */
export function isMetadata(rows: readonly (readonly string[])[]): boolean {
  const [first = [], second = [], ...body] = rows;
  if (first.length !== second.length || first.length < 2 || body.length === 0) return false;
  if (!first.some((cell) => !["text", "boolean"].includes(kindOf(cell))) || areYears(first.map((cell) => cell.trim())))
    return false;
  if (!looksLikeNames(second.map((cell) => cell.trim()))) return false;
  const { header, sure, named } = judgeHeader(rows.slice(1));
  return header && sure && named > 0 && judgeHeader([first, ...body]).named === 0;
}

/** Each cell is filled, short, and stands once. */
function looksLikeNames(cells: readonly string[]): boolean {
  const lower = cells.map((cell) => cell.toLowerCase());
  return (
    lower.every((cell) => cell !== "" && cell.length <= 64 && kindOf(cell) === "text") &&
    new Set(lower).size === lower.length
  );
}

const isNamed = (cell: string): boolean =>
  cell
    .replace(/([\p{Ll}\d])(\p{Lu})/gu, "$1 $2")
    .toLowerCase()
    .split(/[^\p{L}]+/u)
    .some((part) => NAMES.has(part)) && cell.length <= 40;

/** Four digits each, one year more from cell to cell: names of columns, not numbers. */
function areYears(cells: readonly string[]): boolean {
  const years = cells.filter((cell) => /^(19|20)\d\d$/.test(cell)).map(Number);
  return years.length >= 3 && years.every((year, i) => i === 0 || Math.abs(year - years[i - 1]!) === 1);
}

/** The kind of nine in ten values. */
function commonKind(values: readonly string[]): Kind | undefined {
  if (values.length === 0) return undefined;
  const counts = new Map<Kind, number>();
  for (const value of values) {
    const kind = kindOf(value);
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  const [kind, count] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a));
  return count >= 0.9 * values.length ? kind : "text";
}

/** Texts of one shape below (codes, fixed lengths) and another shape above speak for a header; the same, against it. */
function shapePoints(cell: string, values: readonly string[]): number {
  const shape = shapeOf(values[0] ?? "");
  if (values.every((value) => shapeOf(value) === shape)) return shapeOf(cell) === shape ? -0.2 : 0.5;
  const digits = values.filter((value) => /\d/.test(value)).length;
  if (digits === values.length && !/\d/.test(cell)) return 0.3;
  return 0;
}

const shapeOf = (text: string): string =>
  text
    .slice(0, 40)
    .replace(/\p{Lu}+/gu, "A")
    .replace(/\p{Ll}+/gu, "a")
    .replace(/\d+/g, "9");
