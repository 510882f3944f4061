/**
 * Which dialect a text is written in: candidates are tried on its beginning, the best acceptable one is taken, then its
 * quoting looked at on all of the sample. Where none is acceptable, fixed width, one column, or no table.
 */
import type { Known } from "./answers.ts";
import { type Candidate, candidatesOf, terminatorOf } from "./delimiters.ts";
import { type DialectFinding, withDelimiter, withFixed, withoutDelimiter } from "./dialect-finding.ts";
import { fixedColumns } from "./fixed-width.ts";
import type { Dialect } from "./profile.ts";
import { commentOf, withoutComments } from "./remarks.ts";
import { tokenize } from "./tokenize.ts";
import { bestQuoting, isAcceptable, rankOf, TRIAL_ROWS, type Trial } from "./trial.ts";

/** Characters that candidates are tried on. */
const TRIAL_CHARS = 49_152;
const TRIAL_LINES_MIN = 3;

/** A rank that no doubtful delimiter reaches: 0.6 for its usage, more for complete and typed cells and for quotation marks. */
const SURE_RANK = 1.1;

const PLAIN: Dialect = {
  delimiter: null,
  quote: null,
  escape: null,
  terminator: "",
  padded: false,
  trailing: false,
  skip: 0,
  comment: null,
  fixed: null,
};

/** Throws `no-table`, `unclosed-quote`. `atEnd`: the text is the whole file. */
export function detectDialect(whole: string, atEnd: boolean, known: Known = {}): DialectFinding {
  const skip = titleLines(whole, terminatorOf(whole.slice(0, TRIAL_CHARS), atEnd && whole.length <= TRIAL_CHARS));
  const found = detectIn(behindLines(whole, skip), atEnd, known);
  const quote = known.quote === undefined ? {} : { quote: known.quote };
  return { ...found, dialect: { ...found.dialect, ...quote, skip } };
}

/** Lines before the first record, where records have an end of their own: those that hold no mark of it. */
function titleLines(text: string, terminator: string): number {
  if (terminator === "") return 0;
  const first = text.indexOf(terminator);
  return text.slice(0, first).split(/\r\n|\r|\n/).length - 1;
}

/** The text behind its first lines. */
export function behindLines(text: string, lines: number): string {
  let at = 0;
  for (let i = 0; i < lines; i++) {
    const end = /\r\n|\r|\n/g;
    end.lastIndex = at;
    const found = end.exec(text);
    if (found === null) return "";
    at = end.lastIndex;
  }
  return at === 0 ? text : text.slice(at);
}

function detectIn(text: string, atEnd: boolean, known: Known): DialectFinding {
  const whole = atEnd && text.length <= trialEnd(text);
  const part = text.slice(0, trialEnd(text));
  const terminator = terminatorOf(part, whole);
  const comment = commentOf(part, terminator);
  const base = { ...PLAIN, terminator, comment };
  const bare = terminator === "" ? part : part.replaceAll(terminator, "");
  if (known.fixed !== undefined) {
    return withFixed(base, { starts: known.fixed, lines: part.split(/\r\n|\r|\n/).length, sure: true });
  }
  const candidates: readonly Candidate[] =
    known.delimiter === undefined
      ? candidatesOf(withoutComments(bare, comment))
      : known.delimiter === null
        ? []
        : [{ delimiter: known.delimiter, usage: "usual" }];
  const trials: Trial[] = [];
  for (const candidate of candidates) {
    // What stands in words and numbers too cannot be likelier than what surely divides.
    if (candidate.usage === "doubtful" && trials.some((trial) => rankOf(trial) >= SURE_RANK && isAcceptable(trial)))
      break;
    const trial = bestQuoting(part, base, { ...candidate, quote: known.quote }, whole);
    if (trial !== undefined) trials.push(trial);
  }
  trials.sort((a, b) => rankOf(b) - rankOf(a));
  const acceptable = trials.filter((trial) => isAcceptable(trial));
  const best = known.delimiter === undefined ? (besideDecimals(acceptable, part) ?? acceptable[0]) : trials[0];
  if (best !== undefined && (known.delimiter !== undefined || !isOneQuotedColumn(best, base, part, whole))) {
    const doubled = known.delimiter === undefined && isDoubled(best) ? twice(best, base, part, whole) : undefined;
    const chosen = onWhole(doubled ?? best, base, text, atEnd, known);
    return withDelimiter(chosen, doubled ? [] : trials, text, atEnd, known.quote === null);
  }
  const fixed = known.delimiter === undefined ? fixedColumns(part, whole) : undefined;
  if (fixed !== undefined) return withFixed(base, fixed);
  return withoutDelimiter(base, trials, part, whole);
}

/** Where the part ends that candidates are tried on: some lines must be in it, however long they are. */
function trialEnd(text: string): number {
  let end = 0;
  for (let lines = 0; lines < TRIAL_LINES_MIN && end < text.length; lines++) {
    const next = text.slice(end).search(/[\r\n]/);
    end = next === -1 ? text.length : end + next + 1;
  }
  return Math.max(TRIAL_CHARS, end);
}

/** Where commas stand between digits only, they are decimal marks, if a mark that hardly stands elsewhere cuts every line. */
function besideDecimals(acceptable: readonly Trial[], text: string): Trial | undefined {
  if (acceptable[0]?.dialect.delimiter !== "," || /(^|\D),|,(\D|$)/.test(text)) return undefined;
  return acceptable.find(({ usage, fitting, body }) => usage === "rare" && fitting === body);
}

/** Every second column empty, the header's too: the delimiter is the mark twice. */
function isDoubled({ tokens, dialect, width }: Trial): boolean {
  if (dialect.delimiter?.length !== 1 || width < 3 || width % 2 === 0) return false;
  return tokens.rows.every((row) => row.length !== width || row.every((cell, i) => i % 2 === 0 || cell === ""));
}

function twice(best: Trial, base: Dialect, text: string, atEnd: boolean): Trial | undefined {
  const delimiter = (best.dialect.delimiter ?? "").repeat(2);
  const trial = bestQuoting(text, base, { delimiter, usage: best.usage }, atEnd);
  return trial !== undefined && isAcceptable(trial) ? trial : undefined;
}

/** The quoting of the best delimiter once more, on all of the sample: marks may come late in a file. */
function onWhole(best: Trial, base: Dialect, text: string, atEnd: boolean, { quote }: Known): Trial {
  const candidate: Candidate = { delimiter: best.dialect.delimiter ?? "", usage: best.usage, quote };
  return (/["']/.test(text) ? bestQuoting(text, base, candidate, atEnd, Number.MAX_SAFE_INTEGER) : undefined) ?? best;
}

/** Every line in quotation marks, which a delimiter inside would cut in two: then the marks are right and it is text. */
function isOneQuotedColumn(best: Trial, base: Dialect, text: string, atEnd: boolean): boolean {
  if (best.dialect.quote !== null || best.tokens.needed > 0) return false;
  const tokens = tokenize(text, { ...base, quote: '"', escape: '"' }, { atEnd, maxRows: TRIAL_ROWS });
  return (
    tokens.unclosed === -1 && tokens.broken.size === 0 && tokens.quoted > 0 && tokens.quoted >= tokens.rows.length - 1
  );
}
