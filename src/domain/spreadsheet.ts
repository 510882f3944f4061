/** Text for people who open it in a spreadsheet. Cells come from files of strangers. Pure. */

/** What starts a formula (OWASP, "CSV Injection"), also in full-width forms, also behind blanks and controls that programs trim away. */
const FORMULA = /^[\s\u0000-\u001f\u007f-\u009f\u200b\ufeff]*[=+\-@＝＋－＠]|^[\t\r\n]/;
/** A number that only has a sign: no spreadsheet runs it. */
const NUMBER = /^[+-]?\d[\d.,' \u00a0]*$/;

export const isFormula = (cell: string): boolean => FORMULA.test(cell);

export const isPlainNumber = (cell: string): boolean => NUMBER.test(cell);
