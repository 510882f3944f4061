/** What kind of value a cell looks like, told fast and for every country: how well a dialect cuts is seen by its cells. */

const NUMBER =
  /^[-+]?(?:[€$£]\s?)?(?:\d{1,3}(?:[.,' \u00a0\u202f]\d{3})+|\d+)?(?:[.,]\d+)?(?:[eE][-+]?\d+)?\s?(?:[-+%€$£]|[A-Z]{3}|DR|CR|S|H)?$/;
const PARENTHESES = /^\(\d[\d.,' ]*\)$/;
const DATE =
  /^\d{1,4}[-./]\d{1,2}[-./]\d{1,4}\.?$|^\d{1,2}[-. /]\p{L}{3,9}\.?[-. /,]+\d{2,4}$|^\p{L}{3,9}\.? \d{1,2},? \d{4}$/u;
const TIME = /^\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s?[AaPp]\.?[Mm]\.?)?(?:\s?(?:Z|[-+]\d{2}:?(?:\d{2})?))?$/;
const DATETIME = /^(\S+?)(?:[T ]|\s?-\s?)(\d{1,2}[:.]\d{2}.*)$/;
const CODE = /^(?=[^\s]*\d)[\p{L}\d][\p{L}\d_\-./#]*$/u;
const LINK = /^(?:https?:\/\/|www\.)\S+$|^[\w.+-]+@[\w-]+(?:\.[\w-]+)+$/;
const UUID = /^\{?[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\}?$/;

export const isNumber = (cell: string): boolean => /\d/.test(cell) && (NUMBER.test(cell) || PARENTHESES.test(cell));
export const isDate = (cell: string): boolean => DATE.test(cell);
export const isTime = (cell: string): boolean => TIME.test(cell);

export function isDatetime(cell: string): boolean {
  const parts = DATETIME.exec(cell);
  return (
    parts !== null &&
    DATE.test(parts[1] ?? "") &&
    TIME.test((parts[2] ?? "").replace(/^(\d+)\.(\d+)\.(\d+)/, "$1:$2:$3"))
  );
}

/** Number, date, time, code, link: values that a wrong cut would hardly leave behind. */
export function isTyped(cell: string): boolean {
  return isNumber(cell) || isDate(cell) || isTime(cell) || isDatetime(cell) || UUID.test(cell) || LINK.test(cell);
}

export const isCode = (cell: string): boolean => CODE.test(cell);

/** Marks that divide cells in most files: left inside a cell they hint at a wrong cut. */
const STRAY_DELIMITER = /[;|~^¦\t\u0001\u0002\u001e\u001f]/;
/** A comma that divides words without a blank. */
const TIGHT_COMMA = /[^\s\d],[^\s\d]|\d,[^\s\d]|[^\s\d],\d/;
const CELL_MAX_CHARS = 300;

/** How likely the text is one whole cell, 0 to 1. */
export function cellWorth(raw: string): number {
  if (raw === "") return 0.85;
  if (raw.length > CELL_MAX_CHARS) return 0.7;
  const cell = raw.trim();
  if (cell === "") return 0.8;
  if (isTyped(cell)) return 1;
  if (isCode(cell)) return 0.95;
  let worth = 0.9;
  if (STRAY_DELIMITER.test(cell)) worth -= 0.45;
  else if (TIGHT_COMMA.test(cell)) worth -= 0.3;
  else if (cell.includes(",")) worth -= 0.05;
  if (!isBalanced(cell)) worth -= 0.35;
  return Math.max(0.05, worth);
}

/** Brackets and straight double quotation marks come in pairs. */
function isBalanced(cell: string): boolean {
  let round = 0;
  let square = 0;
  let curly = 0;
  let marks = 0;
  for (let i = 0; i < cell.length; i++) {
    const code = cell.charCodeAt(i);
    if (code === 40) round++;
    else if (code === 41) round--;
    else if (code === 91) square++;
    else if (code === 93) square--;
    else if (code === 123) curly++;
    else if (code === 125) curly--;
    else if (code === 34) marks++;
  }
  return round === 0 && square === 0 && curly === 0 && marks % 2 === 0;
}
