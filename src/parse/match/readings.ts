/** How the values of each column are written, with what was answered; what is open is asked. */
import { type Column, DETECT } from "../../domain/column.ts";
import type { ProfileColumn } from "../../domain/feed-version.ts";
import { isCalendar } from "../detect/column-dates.ts";
import { isNumeric } from "../detect/column-numbers.ts";
import { columnOf } from "../detect/columns.ts";
import type { ColumnProfile, Undecided } from "../detect/profile.ts";
import { type Answer, type FoundTable, labelAt, type Question } from "./found.ts";

type Reading = ProfileColumn["reading"];

/** Whether the adapter says all of how a column is written. */
export const isDecided = (column: Column): boolean =>
  column.type === "decimal"
    ? column.decimalMark !== DETECT
    : (column.type !== "date" && column.type !== "datetime") || column.format !== DETECT;

/** The answer to a question of a column, the latest one. */
export const answerTo = (answers: readonly Answer[], what: string, column: string): string | undefined =>
  answers.findLast((answer) => answer.what === what && answer.column === column)?.answer;

/** A column as it was found, or as somebody said that it is. */
export interface Typed {
  readonly type: ColumnProfile;
  /** Open questions of it. */
  readonly open: readonly Undecided[];
}

/** The types of all columns. An answer to `type` has those of its values looked at again that are of the type. */
export function typesOf(found: FoundTable, answers: readonly Answer[]): Typed[] {
  return found.types.map((type, i) => {
    const label = labelAt(found.types, i);
    const open = found.undecided.filter((question) => question.column === label);
    const said = answerTo(answers, "type", label);
    if (said === undefined || said === type.type) return { type, open };
    if (said === "text") return { type: { ...textOf(type), type: "text" }, open: [] };
    const isOne = said === "integer" || said === "decimal" ? isNumeric : isCalendar;
    const cells = found.rows.flatMap((row) => (isOne((row[i] ?? "").trim()) ? [row[i] ?? ""] : []));
    const again = columnOf(type.name, label, cells);
    const isSaid = again.profile.type === said;
    const unanswered = again.undecided.filter((question) => answerTo(answers, question.what, label) === undefined);
    return isSaid ? { type: { ...again.profile, blanks: type.blanks }, open: unanswered } : { type, open };
  });
}

const textOf = ({ name, padded, blanks, nulls, maxLength }: ColumnProfile): Omit<ColumnProfile, "type"> => ({
  name,
  padded,
  blanks,
  nulls,
  maxLength,
});

/** Two digits of a year are of this century unless something else is answered. */
const CENTURY = 2000;

/** The reading of every column, in the order of the file, and what is open of them. */
export function readingsFor(
  found: FoundTable,
  answers: readonly Answer[],
): { readings: Reading[]; questions: Question[] } {
  const questions: Question[] = [];
  const readings = typesOf(found, answers).map(({ type, open }, i): Reading => {
    const label = labelAt(found.types, i);
    questions.push(...open);
    if (type.type === "date" || type.type === "datetime") {
      const format = answerTo(answers, "dateOrder", label) ?? (isOpen(open, "dateOrder") ? undefined : type.format);
      if (format === undefined) return {};
      const tokens = withOptionalFraction(format);
      if (!/(?<!y)yy(?!y)/.test(tokens)) return { format: tokens };
      const century = answerTo(answers, "century", label);
      if (century === undefined) questions.push(centuryQuestion(label));
      return { format: tokens, century: centuryOf(century) };
    }
    const mark = answerTo(answers, "decimalMark", label);
    if (isMark(mark)) return { decimalMark: mark, ...groupOf(type, mark, found, i) };
    const { groupMark } = type;
    const decimalMark = type.decimalMark ?? (type.type === "integer" ? otherMark(groupMark) : undefined);
    if (decimalMark === undefined) return {};
    return { decimalMark, ...(groupMark === undefined ? {} : { groupMark }) };
  });
  return { readings, questions };
}

const isOpen = (open: readonly Undecided[], what: Undecided["what"]): boolean => open.some((q) => q.what === what);
const isMark = (mark: string | undefined): mark is "." | "," => mark === "." || mark === ",";

/** Whole numbers with thousands show the decimal mark by the one that it cannot be. */
const otherMark = (group: ColumnProfile["groupMark"]): "." | "," | undefined =>
  group === "." ? "," : group === "," ? "." : undefined;

/** Once the decimal mark is known, the other one divides thousands, where it stands at all. */
function groupOf(type: ColumnProfile, mark: "." | ",", found: FoundTable, i: number): Pick<Reading, "groupMark"> {
  if (type.groupMark !== undefined && type.groupMark !== mark) return { groupMark: type.groupMark };
  const other = mark === "." ? "," : ".";
  return found.rows.some((row) => row[i]?.includes(other) === true) ? { groupMark: other } : {};
}

/** A fraction of zero is left out by programs that write short. */
const withOptionalFraction = (format: string): string => format.replace(/(?<!\[)([.,])f/, "[$1f]");

const centuryOf = (answer: string | undefined): number => {
  const century = Number(answer ?? CENTURY);
  return Number.isInteger(century) && century % 100 === 0 ? century : CENTURY;
};

const centuryQuestion = (label: string): Question => ({
  what: "century",
  column: label,
  options: ["2000", "1900"],
  assumed: String(CENTURY),
  reason: "Years have two digits: of which century are they?",
});
