/**
 * CSV for people who open it in a spreadsheet. Cells come from files of strangers, so one that a spreadsheet would read
 * as a formula gets an apostrophe before it (OWASP, "CSV Injection"), minus signs of honest numbers included. Pure.
 */
import { isFormula } from "../../domain/spreadsheet.ts";

/** RFC 4180: always quoted, quotes doubled. */
export function csvCell(value: string | number | null): string {
  if (value === null) return "";
  if (typeof value === "number") return String(value);
  const harmless = isFormula(value) ? `'${value}` : value;
  return `"${harmless.replaceAll('"', '""')}"`;
}

export const csvLine = (cells: readonly (string | number | null)[]): string => `${cells.map(csvCell).join(",")}\r\n`;

/** Tells Excel that the file is UTF-8; without it, it reads the local code page. */
export const BYTE_ORDER_MARK = "\ufeff";
