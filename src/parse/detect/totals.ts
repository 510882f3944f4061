/** A last row that is as full as the others and may be their totals: `Gesamt;150`. Only a human knows, so it is asked. */
import { shown } from "../../domain/failures.ts";
import { columnOf } from "./columns.ts";
import type { ColumnProfile, Undecided } from "./profile.ts";
import { isTotalsWord } from "./shape.ts";

/** Rows above that make a sum of them one: that of a single row is its value. */
const ROWS_MIN = 2;

/**
 * The question, or undefined where the row is none of totals. `above`: the data rows before it. `whole`: these are all of
 * them, so that they can be added up.
 */
export function totalsQuestion(
  row: readonly string[],
  above: readonly (readonly string[])[],
  whole: boolean,
): Undecided | undefined {
  const [first = "", ...others] = row.map((cell) => cell.trim());
  if (above.length < ROWS_MIN || others.length === 0 || !isTotalsWord(first)) return undefined;
  const cells = (column: number): string[] => above.map((one) => one[column] ?? "");
  const { type } = columnOf(null, "", cells(0)).profile;
  const isOther = type !== "text" && type !== "empty";
  const sum = whole ? others.find((cell, i) => isSum(cell, cells(i + 1))) : undefined;
  const isCount = whole && others.includes(String(above.length));
  if (!isOther && sum === undefined && !isCount) return undefined;
  const facts = [
    `begins with ${shown(first, 30)}`,
    ...(isOther ? ["the values above it are of another kind"] : []),
    ...(sum !== undefined ? [`${shown(sum, 30)} is the sum of its column`] : []),
    ...(sum === undefined && isCount ? [`${above.length} is the number of rows`] : []),
  ];
  const reason = `The last row may be totals or data: it ${facts.join(", and ")}.`;
  return { what: "footer", options: ["footer", "data"], assumed: sum === undefined ? "data" : "footer", reason };
}

/** Whether a cell is the exact sum of the numbers above it. */
function isSum(total: string, cells: readonly string[]): boolean {
  const { profile, undecided } = columnOf(null, "", [...cells, total]);
  if ((profile.type !== "integer" && profile.type !== "decimal") || total === "") return false;
  // A mark that may be of decimals or of thousands is the same one for all.
  if (undecided.some((question) => question.what !== "decimalMark" && question.what !== "null")) return false;
  const values = cells.filter((cell) => cell.trim() !== "" && !profile.nulls.includes(cell.trim()));
  const numbers = values.map((cell) => numberOf(cell, profile));
  const decimals = Math.max(0, ...[total, ...values].map((cell) => decimalsOf(cell, profile)));
  const sum = numbers.reduce((a, b) => a + b, 0);
  return values.length >= ROWS_MIN && Math.abs(sum - numberOf(total, profile)) < 0.5 * 10 ** -decimals;
}

const decimalsOf = (cell: string, profile: ColumnProfile): number =>
  /\.(\d+)/.exec(plain(cell, profile))?.[1]?.length ?? 0;

/** Digits and a decimal point. */
function plain(cell: string, { decimalMark, groupMark }: ColumnProfile): string {
  const bare = groupMark === undefined ? cell : cell.replaceAll(groupMark === "'" ? /['’]/g : groupMark, "");
  return bare.replace(decimalMark ?? ",", ".").replace(/[^\d.eE]/g, "");
}

function numberOf(cell: string, profile: ColumnProfile): number {
  const isNegative = /[-\u2212(]|(?:CR|Cr|H)\s*$/.test(cell);
  return (isNegative ? -1 : 1) * Number(plain(cell, profile));
}
