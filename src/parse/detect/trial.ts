/**
 * A dialect tried on a text: how many rows have one width, and how far their cells are whole values. (The idea of a
 * consistency of rows and of types is that of CleverCSV by van den Burg, Nazábal and Sutton, 2019; here hard evidence goes
 * first: what closes records, runs of marks that always stand together, quotation marks that open and close cells.)
 */
import { cellWorth, isTime, isTyped } from "./cells.ts";
import type { Candidate, Usage } from "./delimiters.ts";
import type { Dialect } from "./profile.ts";
import { isRemark } from "./remarks.ts";
import { type Tokens, tokenize } from "./tokenize.ts";

/** Rows that candidates are tried on: enough to tell, and the time does not grow with the file. */
export const TRIAL_ROWS = 400;
/** Cells whose worth is taken. */
const TRIAL_CELLS = 1_500;
/** Rows before the first and behind the last row of the common width that are not held against a candidate. */
const MARGIN_ROWS = 12;
/** Share of rows with the common width from which on a file is a table without further question. */
const CONSISTENT = 0.8;
/** Fewer rows than this say little: there a few odd ones do not refuse a file. */
export const FEW_ROWS = 20;
/** Share of lines of a short file that a delimiter stands in where rows of differing widths are a table. */
const PRESENT_IN_FEW = 0.7;
/** For a candidate that cuts every line. */
const COMPLETE_BONUS = 1.15;

export interface Trial {
  readonly dialect: Dialect;
  readonly usage: Usage;
  readonly tokens: Tokens;
  /** The most common width. */
  readonly width: number;
  /** Rows of the body and those of the common width among them. */
  readonly body: number;
  readonly fitting: number;
  readonly worth: number;
  readonly score: number;
}

/** The way of quoting that goes best with a delimiter, or undefined where it divides nothing. */
export function bestQuoting(
  text: string,
  base: Dialect,
  candidate: Candidate,
  atEnd: boolean,
  maxRows = TRIAL_ROWS,
): Trial | undefined {
  const { delimiter, usage, quote: known } = candidate;
  const trials: Trial[] = [];
  const attempt = (dialect: Dialect): Trial | undefined => {
    const trial = tryDialect(text, dialect, usage, atEnd, maxRows);
    if (trial !== undefined) trials.push(trial);
    return trial;
  };
  const plain = attempt({ ...base, delimiter });
  for (const quote of ['"', "'"] as const) {
    if (!opensCells(text, delimiter, quote) || (known !== undefined && known !== quote)) continue;
    const mayPad = new RegExp(`(^|[\\r\\n]|${escaped(delimiter)})[ \\t]{1,64}${quote}`).test(text);
    for (const padded of mayPad ? [false, true] : [false]) {
      const doubled = attempt({ ...base, delimiter, quote, escape: quote, padded });
      const isOdd = doubled === undefined || doubled.tokens.broken.size > 0 || !isCleanCut(doubled);
      if (isOdd && text.includes(`\\${quote}`)) attempt({ ...base, delimiter, quote, escape: "\\", padded });
    }
  }
  if (plain !== undefined && plain.fitting < plain.body && text.includes("\\"))
    attempt({ ...base, delimiter, escape: "\\" });
  return trials.reduce<Trial | undefined>(
    (a, b) => (a === undefined || quotingScore(b) > quotingScore(a) ? b : a),
    undefined,
  );
}

const isCleanCut = (trial: Trial): boolean => trial.tokens.unclosed === -1 && trial.fitting === trial.body;

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

export function opensCells(text: string, delimiter: string, quote: string): boolean {
  return new RegExp(`(^|[\\r\\n]|${escaped(delimiter)})[ \\t]{0,64}${quote}`).test(text);
}

/** Bonus for quotation marks that open and close cells; apostrophes need more of it, they also stand in words. */
const QUOTED_BONUS = 0.3;

function quotingScore(trial: Trial): number {
  const { tokens, dialect, score } = trial;
  if (dialect.quote === null) return score;
  if (tokens.quoted === 0) return score - 0.01;
  const broken = tokens.broken.size / Math.max(1, tokens.rows.length);
  const bonus = dialect.quote === '"' || tokens.needed > 0 || tokens.quoted >= 3 ? QUOTED_BONUS : 0.02;
  // The fewer the marks that are left in cells, the better; blanks before a mark are read over only where that helps.
  const more = 0.01 * Math.min(1, tokens.quoted / 100) - (dialect.padded ? 0.001 : 0);
  return more + score + bonus - 2 * Math.max(0, broken - 0.05);
}

/** Quotation marks that cells needed are hard evidence for the delimiter around them; so are runs that stand together. */
export const rankOf = ({ score, worth, tokens, dialect }: Trial): number =>
  score +
  (worth > SURELY_WHOLE ? TYPED_BONUS : 0) +
  (tokens.needed > 0 && tokens.broken.size === 0 ? QUOTED_BONUS : 0) +
  ((dialect.delimiter?.length ?? 0) > 1 ? RUN_BONUS : 0);

/** For cells that are all numbers, dates and codes. */
const SURELY_WHOLE = 0.97;
const TYPED_BONUS = 0.1;
/** For a delimiter of several characters that never stand apart. */
const RUN_BONUS = 0.4;

function tryDialect(text: string, dialect: Dialect, usage: Usage, atEnd: boolean, maxRows: number): Trial | undefined {
  const tokens = tokenize(text, dialect, { atEnd, maxRows });
  // A mark that nobody closes within the trial swallows the rest of it.
  if (tokens.unclosed !== -1 && (atEnd || text.length - tokens.unclosed > text.length / 2)) return undefined;
  const rows = tokens.rows.filter((row) => !isMargin(row, dialect));
  const counts = new Map<number, number>();
  for (const row of rows) if (row.length > 1) counts.set(row.length, (counts.get(row.length) ?? 0) + 1);
  const width = commonWidth(counts);
  if (width === 0) return undefined;
  let first = rows.findIndex((row) => row.length === width);
  let last = rows.findLastIndex((row) => row.length === width);
  first = Math.min(first, MARGIN_ROWS);
  last = Math.max(last, rows.length - 1 - MARGIN_ROWS);
  // Rows at the edges that are cut too are a header or rows that lack cells, not titles.
  while (first > 0 && (rows[first - 1]?.length ?? 0) > 1) first--;
  while (last < rows.length - 1 && (rows[last + 1]?.length ?? 0) > 1) last++;
  const body = rows.slice(first, last + 1);
  const fitting = counts.get(width) ?? 0;
  const worth = worthOf(body, width, tokens);
  const margin = (rows.length - body.length) / rows.length;
  // A line of its own before the header (a format's name and version) is held against a dialect by half.
  const leading = body.findIndex((row) => row.length === width);
  const consistency = fitting / (body.length - leading / 2);
  // In a single row the worth of cells says less than lists in them do.
  const cells = body.length === 1 ? 1 / (1 + strangers(body[0] ?? [], dialect.delimiter)) : worth;
  // Titles and remarks are the exception: what cuts every line is likelier than what leaves some out.
  const complete = fitting === rows.length && rows.length >= 3 ? COMPLETE_BONUS : 1;
  const score = complete * consistency ** 2 * cells * (1 - 0.5 / width) * USAGE_WORTH[usage] * (1 - 0.6 * margin);
  return { dialect, usage, tokens, width, body: body.length, fitting, worth, score };
}

/**
 * The width of most rows, where wide rows count for more: a report's few lines of names and values must not outnumber a
 * short table. 0 where no row is cut.
 */
export function commonWidth(counts: ReadonlyMap<number, number>): number {
  const often = Math.max(0, ...[...counts].filter(([width]) => width > 1).map(([, count]) => count)) > 1;
  let best = 0;
  let most = 0;
  for (const [width, count] of counts) {
    if (width < 2 || (often && count < 2)) continue;
    const weight = count * Math.log2(width);
    if (weight > most) {
      best = width;
      most = weight;
    }
  }
  return best;
}

const USAGE_WORTH: Readonly<Record<Usage, number>> = { usual: 1, rare: 0.85, doubtful: 0.6 };

/**
 * Cells that hold another usual delimiter. In a single row with a list in one cell, one cell holds the list's delimiter;
 * cut at that, the cells before and behind the list hold the row's: one more.
 */
const strangers = (row: readonly string[], delimiter: string | null): number =>
  row.filter((cell) => [",", ";", "\t", "|"].some((mark) => mark !== delimiter && cell.includes(mark))).length;

/** Blank lines and remarks belong to no body. */
export const isMargin = (row: readonly string[], dialect: Dialect): boolean =>
  (row.length === 1 && (row[0] ?? "").trim() === "") || isRemark(row, dialect);

function worthOf(rows: readonly (readonly string[])[], width: number, tokens: Tokens): number {
  let sum = 0;
  let count = 0;
  for (const row of rows) {
    if (row.length !== width) continue;
    for (const cell of row) {
      sum += cellWorth(cell);
      count++;
    }
    if (count >= TRIAL_CELLS) break;
  }
  // What stands in quotation marks that were needed is whole by their word.
  const sure = Math.min(1, tokens.needed / Math.max(1, count));
  return count === 0 ? 0 : (sum / count) * (1 - sure) + sure;
}

export function isAcceptable(trial: Trial): boolean {
  const { usage, body, fitting, width, worth, tokens, dialect } = trial;
  const consistency = fitting / body;
  if (usage === "doubtful") return isOrderly(trial);
  // Numbers with thousands under a heading that is not cut: one column.
  if (isWholeTyped(trial) && leadingUncut(trial)) return false;
  const all = tokens.rows.filter((row) => !isMargin(row, dialect)).length;
  if (usage === "rare") return body >= 2 && isAloneIn(trial) && consistency >= 0.95 && worth >= 0.6;
  if (body === 1) return worth >= 0.5 && all <= 2;
  if (consistency >= CONSISTENT && worth >= 0.5) return true;
  const cut = tokens.rows.filter((row) => !isMargin(row, dialect));
  const present = cut.filter((row) => row.length > 1).length / cut.length;
  return (
    body < FEW_ROWS &&
    present >= PRESENT_IN_FEW &&
    (consistency >= 0.5 || (width >= 2 && present === 1 && worth >= 0.8))
  );
}

/** Whether the lines that a rare delimiter does not cut are titles, which no usual one cuts either. */
const isAloneIn = ({ tokens, dialect, body }: Trial): boolean => {
  const uncut = tokens.rows.filter((row) => !isMargin(row, dialect) && row.length === 1);
  return uncut.length < body && uncut.every((row) => !/[,;|\t]/.test(row[0] ?? ""));
};

/** Whether every row, uncut, is one number or date: `68,527.00`, `1,5`. */
export const isWholeTyped = ({ tokens, dialect, width }: Trial): boolean =>
  width <= 4 &&
  tokens.quoted === 0 &&
  tokens.rows.every((row) => row.length !== width || isTyped(row.join(dialect.delimiter ?? "").trim()));

/** Whether the line before the first cut row is not cut. */
function leadingUncut({ tokens, dialect, width }: Trial): boolean {
  const rows = tokens.rows.filter((row) => !isMargin(row, dialect));
  return rows.length > 1 && rows[0]?.length === 1 && rows[1]?.length === width;
}

/** Colons, blanks and equal signs divide cells only where every row agrees and numbers or dates fill whole columns. */
function isOrderly({ dialect, tokens, body, fitting, width }: Trial): boolean {
  if (body < 3 || fitting < body || dialect.delimiter === null) return false;
  const rows = tokens.rows.filter((row) => row.length === width);
  const joined = rows.slice(0, 50).map((row) => row.join(dialect.delimiter ?? ""));
  if (dialect.delimiter === ":" && joined.some((line) => line.split(/[\s,;|]+/).some(isTime))) return false;
  if (joined.every((line) => isTyped(line.trim()))) return false;
  let typed = 0;
  for (let column = 0; column < width; column++) {
    const values = rows.slice(1).map((row) => (row[column] ?? "").trim());
    if (values.filter(isTyped).length >= 0.9 * values.length) typed++;
  }
  return typed * 2 >= width;
}
