/** What is said of the dialect that was chosen: its evidence, and the questions that are left. */
import { failure } from "../../domain/failures.ts";
import type { Dialect, Undecided } from "./profile.ts";
import { isRemark, isRulerStart } from "./remarks.ts";
import { type Tokens, tokenize } from "./tokenize.ts";
import { FEW_ROWS, isAcceptable, isWholeTyped, opensCells, rankOf, type Trial } from "./trial.ts";

/** Share of lines that a delimiter stands in where rows of differing widths are a broken table and not prose. */
const PRESENT = 0.95;
/** Two dialects whose scores are closer than this are a question. */
const CLOSE = 0.04;
const CLOSE_IN_ONE_ROW = 0.2;

export interface DialectFinding {
  readonly dialect: Dialect;
  readonly evidence: Readonly<Record<string, string>>;
  readonly undecided: readonly Undecided[];
}

/** `unquoted`: it is known that quotation marks are text. */
export function withDelimiter(
  best: Trial,
  trials: readonly Trial[],
  text: string,
  atEnd: boolean,
  unquoted = false,
): DialectFinding {
  if (best.dialect.quote === null && !unquoted) refuseUnclosed(best, text, atEnd);
  const { dialect, tokens, width, body, fitting } = best;
  const rival = trials.find((trial) => trial !== best && !isPartOf(trial, best) && isAcceptable(trial));
  const undecided: Undecided[] = [];
  if (rival !== undefined && rankOf(best) - rankOf(rival) < (body === 1 ? CLOSE_IN_ONE_ROW : CLOSE)) {
    undecided.push({
      what: "delimiter",
      options: [best, rival].map((trial) => trial.dialect.delimiter ?? ""),
      assumed: dialect.delimiter,
      reason: `${shownMark(dialect.delimiter)} makes ${width} cells of a row and ${shownMark(rival.dialect.delimiter)} ${rival.width}; both fit.`,
    });
  }
  if (isWholeTyped(best) && undecided.length === 0) {
    const reason = `Cut at ${shownMark(dialect.delimiter)} rows have ${width} cells, but uncut every row is one number or date too.`;
    undecided.push({
      what: "delimiter",
      options: [dialect.delimiter ?? "", "none"],
      assumed: dialect.delimiter,
      reason,
    });
  }
  const longer = undecided.length === 0 ? longerMark(best) : undefined;
  if (longer !== undefined) {
    const reason = `In several columns every cell ends with the same mark: ${shownMark(longer)} may divide them, and ${shownMark(dialect.delimiter)} alone be text.`;
    undecided.push({
      what: "delimiter",
      options: [dialect.delimiter ?? "", longer],
      assumed: dialect.delimiter,
      reason,
    });
  }
  const next = rival === undefined ? "" : ` The next best, ${shownMark(rival.dialect.delimiter)}, fits less well.`;
  const quoting = quotingOf(best, text);
  return {
    dialect: { ...dialect, ...quoting.dialect, comment: usedComment(tokens, dialect) },
    evidence: {
      delimiter: `${shownMark(dialect.delimiter)} divides ${fitting} of ${body} rows tried into ${width} cells.${next}`,
      ...quoting.evidence,
    },
    undecided: [...undecided, ...quoting.undecided],
  };
}

/** Marks that may be the first character of a delimiter of two and that no unit and no sign of one column is. */
const LEADING_MARKS = "+~^!§¦#&@*<;:=\\";
/** Rows and columns in which all cells must end with the mark; fewer do so by chance. */
const LONGER_MIN_ROWS = 3;
const LONGER_MIN_COLUMNS = 2;

/** A mark of two characters, where the cells of some columns all end with the first of them and those of others never do. */
function longerMark({ dialect: { delimiter }, tokens, width }: Trial): string | undefined {
  if (delimiter?.length !== 1) return undefined;
  const rows = tokens.rows.filter((row) => row.length === width);
  const [first = []] = rows;
  if (rows.length < LONGER_MIN_ROWS) return undefined;
  return [...LEADING_MARKS]
    .filter((mark) => {
      // A delimiter stands before the last cell at most.
      const ending = first.slice(0, -1).filter((_, i) => rows.every((row) => row[i]?.endsWith(mark) === true));
      return ending.length >= LONGER_MIN_COLUMNS && !rows.some((row) => row.at(-1)?.endsWith(mark) === true);
    })
    .map((mark) => mark + delimiter)[0];
}

const isPartOf = (part: Trial, whole: Trial): boolean =>
  (whole.dialect.delimiter ?? "").includes(part.dialect.delimiter ?? "");

/** A remark is only a remark where a line that begins so is cut otherwise than the rows, or stands before them. */
function usedComment(tokens: Tokens, dialect: Dialect): string | null {
  const { comment } = dialect;
  if (comment === null) return null;
  // A ruler says by itself what it is, also where it is cut like the rows.
  if (isRulerStart(comment)) return comment;
  const widths = new Map<number, number>();
  for (const row of tokens.rows) widths.set(row.length, (widths.get(row.length) ?? 0) + 1);
  const remarks = tokens.rows.filter((row) => isRemark(row, dialect));
  const common = Math.max(...tokens.rows.filter((row) => !isRemark(row, dialect)).map((row) => row.length), 0);
  return remarks.length > 0 && remarks.every((row) => row.length !== common) ? comment : null;
}

interface Quoting {
  readonly dialect: Pick<Dialect, "quote" | "escape" | "padded">;
  readonly evidence: Readonly<Record<string, string>>;
  readonly undecided: readonly Undecided[];
}

function quotingOf({ dialect, tokens }: Trial, text: string): Quoting {
  const { quote, padded } = dialect;
  const escaping = dialect.escape;
  if (quote === null) {
    const marks = text.split('"').length - 1;
    const assumed = marks === 0 && dialect.terminator === "" && escaping === null ? '"' : null;
    const evidence =
      marks === 0
        ? "No quotation mark stands in the sample; the usual one is assumed."
        : `${marks} quotation marks stand in the sample, but they do not open and close cells: they are text.`;
    const odd = marks > 0 && opensCells(text, dialect.delimiter ?? ",", '"');
    const undecided: Undecided[] = odd
      ? [
          {
            what: "quote",
            options: ["none", '"'],
            assumed: "none",
            reason: "Some cells begin with a quotation mark, but the marks do not fit together.",
          },
        ]
      : [];
    return { dialect: { quote: assumed, escape: escaping, padded: false }, evidence: { quote: evidence }, undecided };
  }
  const undecided: Undecided[] = [];
  if (tokens.broken.size > 0) {
    const reason = `In ${tokens.broken.size} of ${tokens.rows.length} rows text follows a closing quotation mark: a mark inside a cell was not doubled.`;
    undecided.push({ what: "quote", options: [quote, "none"], assumed: quote, reason });
  }
  if (quote === "'" && tokens.needed === 0) {
    undecided.push({
      what: "quote",
      options: ["'", "none"],
      assumed: "'",
      reason: "Apostrophes stand around cells that would not need them.",
    });
  }
  return {
    dialect: { quote, escape: tokens.quoted > 0 ? escaping : null, padded: padded && tokens.quoted > 0 },
    evidence: {
      quote: `${tokens.quoted} cells stand in ${quote === '"' ? "quotation marks" : "apostrophes"}, ${tokens.needed} of them need it.`,
      ...(tokens.escaped > 0
        ? {
            escape: `In ${tokens.escaped} of them marks are ${escaping === "\\" ? "escaped by a backslash" : "doubled"}.`,
          }
        : {}),
    },
    undecided,
  };
}

/** A cell that begins with a mark and does not end with one, while none of the others do: the file was cut off. */
function refuseUnclosed(best: Trial, text: string, atEnd: boolean): void {
  if (!atEnd) return;
  const quoted: Dialect = { ...best.dialect, quote: '"', escape: '"' };
  const tokens = tokenize(text, quoted, { atEnd });
  if (tokens.unclosed === -1) return;
  const opens = best.tokens.rows.flat().filter((cell) => cell.startsWith('"')).length;
  const closes = best.tokens.rows.flat().filter((cell) => cell.length > 1 && cell.endsWith('"')).length;
  const line = text.slice(0, tokens.unclosed).split(/\r\n|\r|\n/).length;
  if (opens - closes === 1 || tokens.quoted > 0) throw failure("unclosed-quote", { line });
}

export function withFixed(
  base: Dialect,
  found: { starts: readonly number[]; lines: number; sure: boolean },
): DialectFinding {
  const places = found.starts.map((start) => start + 1).join(", ");
  return {
    dialect: { ...base, comment: isRulerStart(base.comment) ? base.comment : null, fixed: found.starts },
    evidence: {
      delimiter: `No delimiter, but in ${found.lines} lines cells begin at the characters ${places}.`,
      quote: "Fixed width needs no quotation marks.",
    },
    undecided: found.sure
      ? []
      : [
          {
            what: "columns",
            options: [],
            assumed: places,
            reason:
              "A single blank may stand between columns or between words, and cells that touch show no border: confirm where columns begin.",
          },
        ],
  };
}

export function withoutDelimiter(
  base: Dialect,
  trials: readonly Trial[],
  text: string,
  atEnd: boolean,
): DialectFinding {
  const lines = text.split(/\r\n|\r|\n/).filter((line) => line.trim() !== "").length;
  const broken = trials.find(
    ({ usage, tokens }) =>
      usage === "usual" &&
      lines >= FEW_ROWS &&
      tokens.rows.filter((row) => row.length > 1).length >=
        PRESENT * tokens.rows.filter((row) => row.length > 1 || row[0] !== "").length,
  );
  if (broken !== undefined) {
    const share = Math.round((100 * broken.fitting) / broken.body);
    throw failure("no-table", {
      reason: `${shownMark(broken.dialect.delimiter)} stands in every line, but only ${share} % of the rows have the same number of cells`,
    });
  }
  const single = singleColumn(base, text, atEnd);
  const rival = trials.find((trial) => trial.usage === "usual");
  const undecided: Undecided[] =
    rival === undefined
      ? []
      : [
          {
            what: "delimiter",
            options: ["none", rival.dialect.delimiter ?? ""],
            assumed: single.delimiter ?? "none",
            reason: `${shownMark(rival.dialect.delimiter)} stands in the text but gives rows of the same width in ${rival.fitting} of ${rival.body} lines only.`,
          },
        ];
  const odd = single.quote === null ? opensCells(text, "\n", '"') : tokenize(text, single, { atEnd }).broken.size > 0;
  if (odd) {
    const reason = "Some cells begin with a quotation mark, but the marks do not fit together.";
    undecided.push({ what: "quote", options: ['"', "none"], assumed: single.quote, reason });
  }
  return {
    dialect: single,
    evidence: {
      delimiter: `No delimiter gives rows of one width: each of the ${lines} lines is one cell.`,
      quote: single.escape === null ? "No cell stands in quotation marks." : "Cells stand in quotation marks.",
    },
    undecided,
  };
}

/** One column. Where a mark stands only inside quotation marks, it is what they protect from: the delimiter. */
function singleColumn(base: Dialect, text: string, atEnd: boolean): Dialect {
  const quoted: Dialect = { ...base, quote: '"', escape: '"' };
  const tokens = tokenize(text, quoted, { atEnd });
  if (tokens.unclosed !== -1 && atEnd && opensCells(text, "\n", '"')) {
    const line = text.slice(0, tokens.unclosed).split(/\r\n|\r|\n/).length;
    throw failure("unclosed-quote", { line });
  }
  if (tokens.quoted === 0 || tokens.unclosed !== -1)
    return { ...base, comment: null, quote: text.includes('"') ? null : '"' };
  const outside = text.replace(/"(?:[^"]|"")*"/g, "");
  const inside = tokens.rows.flat().join("\n");
  const protectedMarks = [",", ";", "\t", "|"].filter((mark) => inside.includes(mark) && !outside.includes(mark));
  return { ...quoted, comment: null, delimiter: protectedMarks.length === 1 ? (protectedMarks[0] ?? null) : null };
}

/** A delimiter as people call it. */
export function shownMark(mark: string | null): string {
  if (mark === null) return "no delimiter";
  const names: Readonly<Record<string, string>> = {
    "\t": "the tab",
    " ": "the blank",
    ",": "the comma",
    ";": "the semicolon",
    ":": "the colon",
  };
  return names[mark] ?? `“${mark.replaceAll("\t", "\\t")}”`;
}
