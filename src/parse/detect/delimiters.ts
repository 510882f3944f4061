/** Which characters might divide the cells of a text: single ones that stand in its lines, and runs that repeat as one. */

/** Divide cells in most files. */
const USUAL = [",", ";", "\t", "|"];
/** Made for dividing, or hardly used for anything else. */
const RARE = ["\u001f", "\u0001", "\u001e", "\u0002", "¦", "§", "~", "^", "!", "*", "#", "&", "@", "$", "%"];
/** Also stand inside words, times and numbers. */
const DOUBTFUL = [":", " ", "="];

export type Usage = "usual" | "rare" | "doubtful";

export interface Candidate {
  readonly delimiter: string;
  readonly usage: Usage;
  /** Known already; null: marks are text. */
  readonly quote?: '"' | "'" | null | undefined;
}

/** Lines that are looked at. */
const LINES_MAX = 400;
/** Characters of a line that are looked at. */
const LINE_MAX_CHARS = 4_000;
/** Longest delimiter of several characters. */
const RUN_MAX_CHARS = 4;
/** A run is taken for one delimiter only where it stands so often. */
const RUN_MIN_COUNT = 3;
/** Share of a character's occurrences that must be part of the run. */
const RUN_SHARE = 0.8;
/** What may belong to a delimiter of several characters, before and behind its main character. */
const BEFORE = "|~^;:&!=§¦+\\#@$%*<\t\u0001\u001f";
const BEHIND = "|~^;:&!=§¦#@$%*>\t\u0001\u001f";

/** Two of these side by side are an empty cell. */
const NEVER_REPEATED = ",;\t ";

/** Candidates in the order of their usage; those of several characters before their single ones. */
export function candidatesOf(text: string): Candidate[] {
  const lines = bareLines(text);
  const found: Candidate[] = [];
  const add = (delimiter: string, usage: Usage) => {
    if (!found.some((c) => c.delimiter === delimiter)) found.push({ delimiter, usage });
  };
  const levels: readonly (readonly [Usage, readonly string[]])[] = [
    ["usual", USUAL],
    ["rare", RARE],
    ["doubtful", DOUBTFUL],
  ];
  for (const [usage, chars] of levels) {
    for (const char of chars) {
      const counts = lines.map((line) => line.split(char).length - 1);
      const total = counts.reduce((a, b) => a + b, 0);
      if (total === 0 && !text.includes(char)) continue;
      if (usage !== "usual" && counts.filter((n) => n > 0).length * 2 < lines.length) continue;
      const run = usage === "doubtful" && char !== ":" ? undefined : runAround(lines, char, total);
      if (run !== undefined) add(run, usage === "rare" ? "rare" : "usual");
      add(char, usage);
    }
  }
  return found;
}

/** The first lines, without what stands in quotation marks. */
function bareLines(text: string): string[] {
  const lines = text
    .slice(0, LINES_MAX * LINE_MAX_CHARS)
    .replace(/"(?:[^"]|""){0,2000}"/g, "Q")
    .split(/[\r\n]+/, LINES_MAX)
    .filter((line) => line.trim() !== "");
  return lines.map((line) => (line.length > LINE_MAX_CHARS ? line.slice(0, LINE_MAX_CHARS) : line));
}

/** What stands around every occurrence of a character, if it is more than the character: `||`, `+|`, `|~|`. */
function runAround(lines: readonly string[], char: string, total: number): string | undefined {
  if (total < RUN_MIN_COUNT) return undefined;
  const repeated = NEVER_REPEATED.includes(char) ? 1 : repeatOf(lines, char);
  if (repeated > 1) return char.repeat(repeated);
  const whole = wholeRun(lines, char);
  if (whole !== undefined) return whole;
  let before = "";
  let behind = "";
  for (let grown = true; grown && before.length + behind.length + 1 < RUN_MAX_CHARS; ) {
    grown = false;
    const left = same(lines, before + char + behind, -1);
    if (left !== undefined && BEFORE.includes(left)) {
      before = left + before;
      grown = true;
      continue;
    }
    const right = same(lines, before + char + behind, 1);
    if (right !== undefined && BEHIND.includes(right)) {
      behind += right;
      grown = true;
    }
  }
  return before === "" && behind === "" ? undefined : before + char + behind;
}

/** The run of marks that the character is nearly always part of: `|~|`, `+|` (a lone `|` is text, the more so). */
function wholeRun(lines: readonly string[], char: string): string | undefined {
  const runs = new Map<string, number>();
  let total = 0;
  let tight = 0;
  for (const line of lines) {
    for (let at = line.indexOf(char); at !== -1; ) {
      let start = at;
      while (start > 0 && BEFORE.includes(line[start - 1]!)) start--;
      let end = at + 1;
      while (end < line.length && BEHIND.includes(line[end]!)) end++;
      const found = line.slice(start, end);
      if (found.length === 1 && !(line[start - 1] === " " && line[end] === " ")) tight++;
      runs.set(found, (runs.get(found) ?? 0) + 1);
      total++;
      at = line.indexOf(char, end);
    }
  }
  const [run, count] = [...runs].reduce((a, b) => (b[1] > a[1] ? b : a), ["", 0] as [string, number]);
  if (run.length < 2 || run.length > RUN_MAX_CHARS || count < RUN_MIN_COUNT || count < RUN_SHARE * total)
    return undefined;
  // Two of one mark may be an empty cell: not where single ones stand between blanks only, as in a text.
  const isOne = [...run].every((one) => one === char);
  return isOne && (NEVER_REPEATED.includes(char) || tight > 0) ? undefined : run;
}

/** How long all runs of the character are a multiple of, 1 to RUN_MAX_CHARS. */
function repeatOf(lines: readonly string[], char: string): number {
  let shortest = RUN_MAX_CHARS + 1;
  let common = 0;
  let runs = 0;
  for (const line of lines) {
    for (let at = line.indexOf(char); at !== -1; ) {
      let end = at;
      while (line[end] === char) end++;
      common = greatestDivisor(end - at, common);
      shortest = Math.min(shortest, end - at);
      runs++;
      at = line.indexOf(char, end);
    }
  }
  return runs >= RUN_MIN_COUNT && common === shortest && common <= RUN_MAX_CHARS ? common : 1;
}

const greatestDivisor = (a: number, b: number): number => (b === 0 ? a : greatestDivisor(b, a % b));

/** The character that stands beside every occurrence of `what` that is not at that edge of its line. */
function same(lines: readonly string[], what: string, side: -1 | 1): string | undefined {
  let beside: string | undefined;
  let count = 0;
  for (const line of lines) {
    for (let at = line.indexOf(what); at !== -1; at = line.indexOf(what, at + what.length)) {
      const char = side === -1 ? line[at - 1] : line[at + what.length];
      if (char === undefined) {
        if (side === -1) return undefined;
        continue;
      }
      if (beside !== undefined && char !== beside) return undefined;
      beside = char;
      count++;
    }
  }
  return count >= RUN_MIN_COUNT ? beside : undefined;
}

/** Characters of a record's own end before the line end. */
const TERMINATOR_CHARS = 2;
/** Share of lines that must end so; the others go on in the next line. */
const TERMINATED_SHARE = 0.6;

/** What closes the records before their line ends, such as `&|`; empty where the line end alone does. */
export function terminatorOf(text: string, atEnd: boolean): string {
  const lines = text.split(/\r\n|\r|\n/);
  const last = lines.pop() ?? "";
  if (atEnd && last !== "") lines.push(last);
  const filled = lines.filter((line) => line !== "");
  const ending = commonEnding(filled);
  if (filled.length < 2 || ending.length < TERMINATOR_CHARS || ending[0] === ending[1]) return "";
  if (![...ending].every((char) => BEFORE.includes(char) && char !== "\\" && char !== "\t")) return "";
  const ended = filled.filter((line) => line.endsWith(ending)).length;
  if (ended < filled.length * TERMINATED_SHARE) return "";
  return text.split(ending).length - 1 === ended ? ending : "";
}

/** How most lines end. */
function commonEnding(lines: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const line of lines) {
    const ending = line.slice(-TERMINATOR_CHARS);
    counts.set(ending, (counts.get(ending) ?? 0) + 1);
  }
  return [...counts].reduce((a, b) => (b[1] > a[1] ? b : a), ["", 0] as [string, number])[0];
}
