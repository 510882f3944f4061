/** Columns of fixed width: told by the places that are blank in every line, in lines of one length. */

/** Lines that are looked at. */
const LINES_MAX = 400;
/** Fewer lines prove nothing: blanks fall together by chance. */
const LINES_MIN = 3;
/** Characters of a line; longer lines are no such table. */
const LINE_MAX_CHARS = 4_000;
/** Share of lines that must have the most common length, where cells are filled up to the end. */
const SAME_LENGTH = 0.9;
/** Lines without fill at their end are taken for columns only where gaps are at least this wide. */
const SURE_GAP = 2;

/** Share of lines that fill a column behind a single blank. */
const WORD_SHARE = 0.7;

export interface FixedFinding {
  /** First character of each column. */
  readonly starts: readonly number[];
  readonly lines: number;
  /** Whether every border shows as a wide gap: one blank may stand between words, and cells that touch leave no trace. */
  readonly sure: boolean;
}

export function fixedColumns(text: string, atEnd: boolean): FixedFinding | undefined {
  const all = text.split(/\r\n|\r|\n/, LINES_MAX + 1);
  if (!atEnd || all.at(-1) === "") all.pop();
  const lines = all.filter((line) => line.trim() !== "");
  if (lines.length < LINES_MIN || lines.some((line) => line.length > LINE_MAX_CHARS || line.includes("\t")))
    return undefined;
  const lengths = new Map<number, number>();
  for (const line of lines) lengths.set(line.length, (lengths.get(line.length) ?? 0) + 1);
  const [length, count] = [...lengths].reduce((a, b) => (b[1] > a[1] ? b : a));
  const even = count >= SAME_LENGTH * lines.length;
  const body = even ? lines.filter((line) => line.length === length) : lines;
  const width = Math.max(...body.map((line) => line.length));
  const found: { start: number; gap: number }[] = [];
  let gap = SURE_GAP;
  for (let at = 0; at < width; at++) {
    if (body.every((line) => (line[at] ?? " ") === " ")) {
      gap++;
      continue;
    }
    if (gap > 0) found.push({ start: at, gap });
    gap = 0;
  }
  const filled = (from: number, to: number | undefined): number =>
    body.filter((line) => line.slice(from, to).trim() !== "").length;
  // A word that stands alone behind one blank belongs to the cell before it.
  const columns = found.filter(
    (column, i) =>
      i === 0 || column.gap >= SURE_GAP || filled(column.start, found[i + 1]?.start) >= WORD_SHARE * body.length,
  );
  const starts = columns.map((column) => column.start);
  const narrow = columns.filter((column) => column.gap < SURE_GAP).length;
  if (starts.length < 2) return undefined;
  // One blank between words of lines of any length is prose.
  if (!even && narrow > 0) return undefined;
  if (even && length <= 3) return undefined;
  if (filled(0, starts[1]) * 2 < body.length || starts.some((start, i) => filled(start, starts[i + 1]) < 2))
    return undefined;
  return { starts: [0, ...starts.slice(1)], lines: body.length, sure: even && narrow === 0 };
}
