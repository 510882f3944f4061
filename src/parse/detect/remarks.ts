/** How lines begin that are no rows: remarks, and rulers that reports draw below the header and between pages. */
import type { Dialect } from "./profile.ts";

const COMMENT = "#";

/** A line of dashes or equal signs, also one cut like the rows: `---------- -----`, `|------|----|`. */
const RULER = /^[-=+|,; \t]+$/;
/** Marks in a row from which on a line that begins so is surely drawn; fewer stand for no value. */
const RULER_START = /^([-=])\1{4,7}|^[|+][-=]{4,7}/;

/**
 * What lines begin with that are none of the table: `#`, or a ruler's first characters, 8 at most, where no other line
 * begins so. `terminator`: what ends records; only lines can be remarks.
 */
export function commentOf(text: string, terminator: string): string | null {
  if (new RegExp(`(^|[\\r\\n])[ \\t]*${COMMENT}`).test(text)) return COMMENT;
  return terminator === "" ? rulerOf(text) : null;
}

export const isRulerStart = (comment: string | null): boolean => comment !== null && comment !== COMMENT;

function rulerOf(text: string): string | null {
  const lines = text.split(/\r\n|\r|\n/).map((line) => line.trimStart());
  const counts = new Map<string, { count: number; start: string }>();
  for (const line of lines) {
    const start = RULER.test(line) ? RULER_START.exec(line)?.[0] : undefined;
    if (start === undefined) continue;
    const kind = start.slice(0, 2);
    const known = counts.get(kind);
    const shorter = known === undefined || start.length < known.start.length ? start : known.start;
    counts.set(kind, { count: (known?.count ?? 0) + 1, start: shorter });
  }
  const most = [...counts.values()].reduce<{ count: number; start: string } | undefined>(
    (a, b) => (a === undefined || b.count > a.count ? b : a),
    undefined,
  );
  if (most === undefined) return null;
  const others = lines.filter((line) => line !== "" && !RULER.test(line));
  // Nothing but rulers is no table with rulers in it.
  return others.length === 0 || others.some((line) => line.startsWith(most.start)) ? null : most.start;
}

/** A row of a sample that is a remark, however its line was cut. */
export function isRemark(row: readonly string[], { comment, delimiter, fixed }: Dialect): boolean {
  if (comment === null) return false;
  const first = (row[0] ?? "").trimStart();
  if (first.startsWith(comment)) return true;
  // A ruler that begins with the delimiter is cut there.
  if (fixed !== null || first !== "" || delimiter === null || !comment.startsWith(delimiter)) return false;
  return row.join(delimiter).trimStart().startsWith(comment);
}

export function withoutComments(text: string, comment: string | null): string {
  if (comment === null) return text;
  const kept = text.split(/\r\n|\r|\n/).filter((line) => !line.trimStart().startsWith(comment));
  return kept.length === 0 ? text : kept.join("\n");
}
