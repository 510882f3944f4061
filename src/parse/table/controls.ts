/** What a file states of itself, against what was read of it. Pure. */
import { type Column, labelOf } from "../../domain/column.ts";
import type { Controls, SequencePolicy, StatedPlace } from "../../domain/controls.ts";
import { type FailureReport, report } from "../../domain/failures.ts";
import { compileCalendar } from "./calendar.ts";
import { CellFault, cutValue, trimCell } from "./cell.ts";
import { compileColumn } from "./columns.ts";
import type { Tally } from "./tally.ts";

/** A line of the preamble or the footer. */
export interface StatedLine {
  readonly cells: readonly string[];
  readonly raw: string;
}

/** What is known of a file when it was read to its end. */
export interface ReadFacts {
  readonly preamble: readonly StatedLine[];
  /** Lines that are not blank. */
  readonly footer: readonly StatedLine[];
  readonly fileName: string | undefined;
  readonly rows: number;
  readonly rejected: number;
  readonly columns: readonly Column[];
  /** By the name of the column. */
  readonly tallies: ReadonlyMap<string, Tally>;
}

export interface ControlFindings {
  readonly sequence: number | null;
  /** With its zone. */
  readonly generatedAt: string | null;
  /** The count that the file states is the count of its rows: it is whole. */
  readonly isWhole: boolean;
  /** The count is not: it comes before all that follows from it. */
  readonly rowCountFault: FailureReport | null;
  readonly faults: readonly FailureReport[];
}

export const NO_CONTROLS: ControlFindings = {
  sequence: null,
  generatedAt: null,
  isWhole: false,
  rowCountFault: null,
  faults: [],
};

/** Numbers of so many digits at most are exact, and fit the database. */
const COUNT_MAX_DIGITS = 15;

export function judgeControls(controls: Controls, facts: ReadFacts): ControlFindings {
  const faults: FailureReport[] = [];
  const stated = <T>(control: string, at: StatedPlace, read: (text: string) => T | undefined): T | null => {
    const place = placeTitle(at);
    const text = textAt(at, facts);
    const value = text === undefined ? undefined : read(text);
    if (value !== undefined) return value;
    if (text === undefined || text === "") faults.push(report("control-missing", { control, place }));
    else faults.push(report("control-unreadable", { control, place, value: cutValue(text) }));
    return null;
  };
  const { rowCount, totals = [], sequence, generatedAt } = controls;
  const counted = rowCount && stated("number of rows", rowCount.at, wholeNumber);
  const expected = counted === undefined || counted === null ? undefined : counted - rowCount!.more;
  for (const { column, at } of totals) {
    const tally = facts.tallies.get(column);
    const definition = facts.columns.find(({ name }) => name === column);
    if (tally === undefined || definition === undefined) continue;
    const label = labelOf(definition);
    const total = stated(`total of “${label}”`, at, totalReader(definition));
    if (total === null || (total === tally.total && tally.unread === 0)) continue;
    const { unread } = tally;
    faults.push(report("control-total-differs", { column: label, stated: total, counted: tally.total, unread }));
  }
  const number = sequence && stated("number in the sequence of files", sequence.at, wholeNumber);
  const made = generatedAt && stated("time of making", generatedAt.at, compileCalendar({ ...generatedAt, time: true }));
  const { rows, rejected } = facts;
  return {
    sequence: number ?? null,
    generatedAt: made ?? null,
    isWhole: expected === rows,
    rowCountFault:
      expected === undefined || expected === rows
        ? null
        : report("row-count-differs", { stated: expected, counted: rows, rejected }),
    faults,
  };
}

const wholeNumber = (text: string): number | undefined =>
  /^\d+$/.test(text) && text.replace(/^0+/, "").length <= COUNT_MAX_DIGITS ? Number(text) : undefined;

/** Reads a total as the column's values are read, with room for more digits. */
function totalReader(column: Column): (text: string) => string | undefined {
  if (column.type !== "decimal" && column.type !== "integer") return () => undefined;
  const { sign, letters, unit } = column;
  const writing = { ...(sign && { sign }), ...(letters && { letters }), ...(unit && { unit }) };
  const { name, source, trim, transforms } = column;
  const shared = { name, source, trim, blank: "reject" as const, precision: 38, ...(transforms && { transforms }) };
  const wide: Column =
    column.type === "decimal"
      ? { ...column, precision: 38, blank: "reject" }
      : { ...shared, ...writing, type: "decimal", decimalMark: ".", scale: 0 };
  const { parse } = compileColumn(wide, { label: name, isKey: false });
  return (text) => {
    const value = parse(text);
    return value instanceof CellFault ? undefined : (value ?? undefined);
  };
}

/** The text that stands at a place, trimmed; undefined where there is none. */
function textAt(at: StatedPlace, { preamble, footer, fileName }: ReadFacts): string | undefined {
  if ("fileName" in at) return fileName === undefined ? undefined : groupIn(at.fileName, fileName);
  const line = "preamble" in at ? preamble[at.preamble - 1] : footer[at.footer - 1];
  if (line === undefined) return undefined;
  if ("pattern" in at) return groupIn(at.pattern, line.raw);
  const cell = line.cells[at.field - 1];
  return cell === undefined ? undefined : trimCell(cell);
}

const groupIn = (pattern: string, text: string): string | undefined => {
  const found = new RegExp(pattern, "u").exec(text)?.[1];
  return found === undefined ? undefined : trimCell(found);
};

/** A place as the contact knows it. */
function placeTitle(at: StatedPlace): string {
  if ("fileName" in at) return "number in the file’s name";
  const line =
    "preamble" in at ? `line ${at.preamble}` : at.footer === 1 ? "trailer line" : `trailer line ${at.footer}`;
  return "field" in at ? `field ${at.field} in the ${line}` : line;
}

/**
 * What the number of a file says against that of the last file of its feed; null where all is well, or nothing can be said
 * because one of the two has no number.
 */
export function sequenceFault(
  previous: number | null,
  now: number | null,
  { wrapsAfter }: Pick<SequencePolicy, "wrapsAfter"> = {},
): FailureReport | null {
  if (previous === null || now === null || now === previous + 1) return null;
  if (previous === wrapsAfter && now <= 1) return null;
  if (now === previous) return report("sequence-repeated", { found: now });
  if (now < previous) return report("sequence-reset", { previous, found: now });
  const missing = now - previous === 2 ? `number ${previous + 1}` : `what lies between (${now - previous - 1} files)`;
  return report("sequence-gap", { previous, found: now, missing });
}

const KIND_OF: Partial<Record<FailureReport["code"], "gap" | "repeat" | "reset">> = {
  "sequence-gap": "gap",
  "sequence-repeated": "repeat",
  "sequence-reset": "reset",
};

/** The same by the policy of the feed: null also where it says that the file is not held for it. */
export function judgeSequence(
  previous: number | null,
  now: number | null,
  policy: SequencePolicy,
): FailureReport | null {
  const fault = sequenceFault(previous, now, policy);
  const kind = fault === null ? undefined : KIND_OF[fault.code];
  return kind !== undefined && policy[kind] === "hold" ? fault : null;
}
