/**
 * How a column writes its numbers: decimal mark, mark between thousands, sign, unit. Each value rules out the ways in
 * which it cannot be read; what is left in the end is decided or, where `1.234` may be either, undecided.
 */

type Mark = "." | ",";
type Group = "." | "," | " " | "'";

interface Way {
  readonly decimal: Mark;
  readonly group: Group | null;
  readonly pattern: RegExp;
}

const grouped = (group: string): string => `[1-9]\\d{0,2}(?:${group}\\d{3})+`;
const way = (decimal: Mark, group: Group | null): Way => {
  const mark = `\\${decimal}`;
  const groups: Readonly<Record<Group, string>> = { ".": "\\.", ",": ",", " ": "[ \u00a0\u202f]", "'": "['’]" };
  const whole = group === null ? "\\d+" : `(?:\\d+|${grouped(groups[group])})`;
  return { decimal, group, pattern: new RegExp(`^(?:${whole}(?:${mark}\\d+)?|${mark}\\d+)(?:[eE][-+]?\\d{1,3})?$`) };
};
/** Without groups first: the simplest way that reads every value is taken. */
const WAYS: readonly Way[] = [
  way(".", null),
  way(",", null),
  way(".", ","),
  way(",", "."),
  way(".", " "),
  way(",", " "),
  way(".", "'"),
  way(",", "'"),
];

export type Sign = "leading" | "trailing" | "parentheses" | "letters";

interface Parts {
  readonly core: string;
  readonly sign: Sign | null;
  readonly unit: string;
}

const UNIT = "[€$£¥%‰]|[A-Z]{3}";
const SIGNED = new RegExp(
  `^(\\()?([-+\u2212])?\\s?(${UNIT})?\\s?([-+\u2212])?\\s?((?:\\d|[.,]\\d)[\\d.,'’ \u00a0\u202f]*(?:[eE][-+]?\\d{1,3})?)\\s?(${UNIT})?\\s?([-+\u2212]|DR|CR|Dr|Cr|S|H)?(\\))?$`,
);

/** Longer values are no numbers. */
const NUMBER_MAX_CHARS = 64;

function partsOf(value: string): Parts | undefined {
  if (value.length > NUMBER_MAX_CHARS) return undefined;
  const found = SIGNED.exec(value);
  if (found === null) return undefined;
  const [, open, before, unitBefore, inner, core, unitBehind, behind, close] = found;
  if ((open === undefined) !== (close === undefined)) return undefined;
  const marks = [open, before ?? inner, behind].filter((mark) => mark !== undefined);
  if (marks.length > 1 || (before !== undefined && inner !== undefined)) return undefined;
  if (unitBefore !== undefined && unitBehind !== undefined) return undefined;
  const trimmed = (core ?? "").trim();
  const sign =
    open !== undefined
      ? "parentheses"
      : behind !== undefined
        ? /[-+\u2212]/.test(behind)
          ? "trailing"
          : "letters"
        : marks.length > 0
          ? "leading"
          : null;
  return { core: trimmed, sign, unit: unitBefore ?? unitBehind ?? "" };
}

export interface NumbersFinding {
  readonly type: "integer" | "decimal";
  readonly decimalMark: Mark | null;
  readonly groupMark: Group | null;
  readonly sign: Sign | null;
  readonly unit: string;
  /** A value that can be read with either mark, where nothing else decides. */
  readonly ambiguous: string | null;
}

/** Whether a value can be a number at all. */
export function isNumeric(value: string): boolean {
  const parts = partsOf(value);
  return parts !== undefined && WAYS.some((w) => w.pattern.test(parts.core));
}

/** The one way in which all values are written, or undefined where there is none. */
export function numbersOf(values: readonly string[]): NumbersFinding | undefined {
  let ways = WAYS;
  let ambiguous: string | null = null;
  let marks = false;
  const signs = new Set<Sign>();
  const units = new Set<string>();
  for (const value of values) {
    const parts = partsOf(value);
    if (parts === undefined) return undefined;
    if (parts.sign !== null) signs.add(parts.sign);
    units.add(parts.unit);
    if (!/^\d+$/.test(parts.core)) {
      ways = ways.filter((w) => w.pattern.test(parts.core));
      if (/[.,]/.test(parts.core)) {
        marks = true;
        ambiguous ??= value;
      }
    }
    if (ways.length === 0) return undefined;
  }
  if (signs.size > 1 && !(signs.size === 2 && signs.has("leading") && signs.has("letters"))) return undefined;
  units.delete("");
  if (units.size > 1) return undefined;
  const best = ways[0]!;
  const decimals = new Set(ways.map((w) => w.decimal));
  const fractions = values.some((value) => {
    const core = partsOf(value)?.core ?? "";
    return new RegExp(`\\${best.decimal}\\d+(?:[eE]|$)|[eE]`).test(core);
  });
  return {
    type: fractions ? "decimal" : "integer",
    decimalMark: fractions ? best.decimal : null,
    groupMark: best.group,
    sign: [...signs].find((s) => s !== "leading") ?? (signs.size > 0 ? "leading" : null),
    unit: [...units][0] ?? "",
    ambiguous: marks && decimals.size > 1 ? ambiguous : null,
  };
}
