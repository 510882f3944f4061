/** What can be wrong with one row. */
import { shown, toCustomer } from "./entry.ts";

export const ROWS = {
  "row-width": toCustomer<{ expected: number; found: number }>(
    "row",
    (e) => `The row has ${e.found} columns instead of ${e.expected}.`,
    () => "Look for a separator inside a text that is not quoted, or a line break inside a value.",
  ),
  "value-missing": toCustomer<{ column: string }>(
    "row",
    (e) => `The column ${shown(e.column)} is blank but must have a value.`,
    () => "Fill it in.",
  ),
  "not-an-integer": toCustomer<{ column: string; value: string }>(
    "row",
    (e) => `${shown(e.value)} in column ${shown(e.column)} is not a whole number.`,
    () => "Write digits only.",
  ),
  "not-a-decimal": toCustomer<{ column: string; value: string; expected: string }>(
    "row",
    (e) => `${shown(e.value)} in column ${shown(e.column)} is not a number written as ${e.expected}.`,
    (e) => `Write it as ${e.expected}.`,
  ),
  "not-a-date": toCustomer<{ column: string; value: string; expected: string }>(
    "row",
    (e) => `${shown(e.value)} in column ${shown(e.column)} is not a date written as ${e.expected}.`,
    (e) => `Write it as ${e.expected}, with a day that exists.`,
  ),
  "not-in-list": toCustomer<{ column: string; value: string; allowed: string[] }>(
    "row",
    (e) => `${shown(e.value)} in column ${shown(e.column)} is none of ${e.allowed.slice(0, 12).join(", ")}.`,
    () => "Use one of the agreed values, or tell your contact about the new one.",
  ),
  "out-of-range": toCustomer<{ column: string; value: string; rule: string }>(
    "row",
    (e) => `${shown(e.value)} in column ${shown(e.column)} is outside its range: ${e.rule}.`,
    () => "Correct the value.",
  ),
  "wrong-pattern": toCustomer<{ column: string; value: string; rule: string }>(
    "row",
    (e) => `${shown(e.value)} in column ${shown(e.column)} does not look as agreed: ${e.rule}.`,
    () => "Correct the value.",
  ),
  "text-too-long": toCustomer<{ column: string; length: number; limit: number }>(
    "row",
    (e) => `The text in column ${shown(e.column)} has ${e.length} characters, more than ${e.limit}.`,
    () => "Shorten it.",
  ),
  "too-many-digits": toCustomer<{ column: string; value: string; rule: string }>(
    "row",
    (e) => `${shown(e.value)} in column ${shown(e.column)} has more digits than can be kept exactly: ${e.rule}.`,
    () => "Correct the value. If the digits are a name and not an amount, tell your contact: they can be read as text.",
  ),
  "scientific-notation": toCustomer<{ column: string; value: string }>(
    "row",
    (e) => `${shown(e.value)} in column ${shown(e.column)} is a number in scientific notation: digits of it are lost.`,
    () => "A spreadsheet did this. Format the column as text there, and take the values from the ERP again.",
  ),
  "spreadsheet-date": toCustomer<{ column: string; value: string }>(
    "row",
    (e) => `${shown(e.value)} in column ${shown(e.column)} is a date where an identifier should stand.`,
    () => "A spreadsheet did this. Format the column as text there, and take the values from the ERP again.",
  ),
  "leading-zeros-lost": toCustomer<{ column: string; value: string; length: number }>(
    "row",
    (e) =>
      `${shown(e.value)} in column ${shown(e.column)} has ${e.value.length} digits instead of ${e.length}: its leading zeros are probably lost.`,
    () => "A spreadsheet may have done this. Format the column as text there, and take the values from the ERP again.",
  ),
  "wrong-check-digit": toCustomer<{ column: string; value: string; kind: string; expected: string }>(
    "row",
    (e) =>
      `${shown(e.value)} in column ${shown(e.column)} is not a ${e.kind}: its last digit, the check digit, would have to be ${e.expected}.`,
    () => "Look for a mistyped digit or two that are swapped.",
  ),
  "date-serial-number": toCustomer<{ column: string; value: string; date: string; expected: string }>(
    "row",
    (e) =>
      `${shown(e.value)} in column ${shown(e.column)} is how a spreadsheet counts the days (it would be ${e.date}), not a date written as ${e.expected}.`,
    (e) => `Format the column as a date (${e.expected}) in the spreadsheet before it is saved as text.`,
  ),
  mojibake: toCustomer<{ column: string; value: string; found: string; likely?: string | undefined }>(
    "row",
    (e) =>
      `The text ${shown(e.value)} in column ${shown(e.column)} holds ${shown(e.found)}, left behind by a wrong character set${e.likely === undefined ? "" : ` (it was probably ${shown(e.likely)})`}.`,
    () =>
      "Look at the text in the program it comes from: it is damaged there, or its export uses the wrong character set.",
  ),
  "key-too-long": toCustomer<{ column: string; chars: number; limitChars: number; bytes: number; limitBytes: number }>(
    "row",
    (e) =>
      `The key in ${shown(e.column)} has ${e.chars} characters (${e.bytes} bytes), more than ${e.limitChars} (${e.limitBytes} bytes).`,
    () => "Shorten it; a key should only name the record.",
  ),
  "control-characters": toCustomer<{ column: string; value: string }>(
    "row",
    (e) => `The value ${shown(e.value)} in column ${shown(e.column)} holds control characters.`,
    () => "Remove them; they are often left by a copy from another program.",
  ),
  "broken-quoting": toCustomer<{ reason: string }>(
    "row",
    (e) => `The quotation marks of the row do not fit together: ${e.reason}.`,
    () => 'Double every quotation mark inside a text ("").',
  ),

  "broken-record": toCustomer<{ reason: string }>(
    "row",
    (e) => `The record cannot be read as JSON: ${e.reason}.`,
    () => "Check how the record was written; a program for JSON names the place.",
  ),
  "row-misaligned": toCustomer<{ reason: string }>(
    "row",
    (e) => `The line does not fit the fixed places of the columns: ${e.reason}.`,
    () => "Write every line to its full width, filled with blanks and without tabs.",
  ),
  "cell-error": toCustomer<{ column: string; value: string }>(
    "row",
    (e) => `The cell in column ${shown(e.column)} holds an error (${shown(e.value)}) instead of a value.`,
    () => "Correct the formula of the cell.",
  ),
  "cell-not-calculated": toCustomer<{ column: string }>(
    "row",
    (e) => `The cell in column ${shown(e.column)} holds a formula whose result was not calculated.`,
    () => "Open the workbook in Excel, let it calculate and save it; or export values instead of formulas.",
  ),
} as const;
