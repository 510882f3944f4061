/**
 * Detection → versions that an operator can accept: a format profile and, where the adapter says no columns, a mapping;
 * with the questions that must be answered first.
 */
import type { Adapter } from "../../domain/adapter.ts";
import type { Column } from "../../domain/column.ts";
import type { FormatProfile, Mapping, ProfileColumn } from "../../domain/feed-version.ts";
import type { FileFormat } from "../../domain/format.ts";
import type { ColumnProfile } from "../detect/profile.ts";
import { mergeProfile, observedOf } from "./drift.ts";
import { formatDifferences } from "./format-difference.ts";
import { type Answer, type Fault, type FoundTable, labelAt, type Question } from "./found.ts";
import { proposeMapping } from "./propose-mapping.ts";
import { isDecided, readingsFor } from "./readings.ts";

export interface Proposal {
  readonly profile: FormatProfile;
  /** Only where the adapter says no columns. */
  readonly mapping?: Mapping;
  /** Open questions. An answer is given by proposing again with it. */
  readonly questions: readonly Question[];
  /** What stands against accepting the proposal as it is. */
  readonly faults: readonly Fault[];
}

/**
 * Proposes what a feed's first file shows. What the adapter says stands: its `file` is the format, its `columns` are the
 * mapping, and only what they leave to detection is asked. `answers` (those kept from earlier versions and new ones) are
 * applied and kept in the profile. Pure: the same input gives the same proposal.
 */
export function proposeVersions(adapter: Adapter, found: FoundTable, answers: readonly Answer[] = []): Proposal {
  const proposal = proposed(adapter.columns, found, answers, adapter.file ?? found.format);
  // What detection thinks of the writing is neither here nor there where the adapter says it.
  if (adapter.file === undefined) return proposal;
  return {
    ...proposal,
    questions: proposal.questions.filter((question) => question.column !== undefined || question.what === "key"),
    faults: proposal.faults.filter((fault) => fault.path[0] !== "format"),
  };
}

/**
 * Proposes the next profile after a drift: of the pinned format only what the file shows otherwise is changed and asked, and
 * shapes are united with the pinned ones. `adapter` is the feed with its active mapping, so that its columns are kept.
 */
export function proposeChanged(
  adapter: Adapter,
  pinned: FormatProfile,
  found: FoundTable,
  answers: readonly Answer[] = [],
): Proposal {
  const all = [...pinned.answers, ...answers];
  const changes = formatDifferences(pinned.format, found, true).map(({ change }) => change);
  const format = changes.reduce<FileFormat>((made, change) => applied(made, change), pinned.format);
  const { profile, questions, ...rest } = proposed(adapter.columns, found, all, format);
  const merged = mergeProfile(pinned, profile);
  const changed = changes.flatMap((change) => Object.keys(change));
  const open = questions.filter(({ what, column }) =>
    column === undefined
      ? what === "key" || changed.includes(what === "columns" ? "columnStarts" : what)
      : !isKnown(merged.columns, found.types, what, column),
  );
  return { ...rest, profile: merged, questions: open };
}

/** A change takes the place of what it names; undefined takes it away. */
function applied(format: FileFormat, change: Partial<FileFormat>): FileFormat {
  const { columnCount, ...made } = { ...format, ...change };
  return columnCount === undefined ? made : { ...made, columnCount };
}

/** Whether the pinned profile has answered what this file leaves open. */
function isKnown(
  columns: readonly ProfileColumn[],
  types: readonly ColumnProfile[],
  what: Question["what"],
  label: string,
): boolean {
  const reading = columns[types.findIndex((_, i) => labelAt(types, i) === label)]?.reading;
  if (what === "dateOrder") return reading?.format !== undefined;
  return what === "decimalMark" && reading?.decimalMark !== undefined;
}

function proposed(
  columns: readonly Column[] | undefined,
  found: FoundTable,
  answers: readonly Answer[],
  format: FileFormat,
): Proposal {
  const { readings, questions: asked } = readingsFor(found, answers);
  const shapes = observedOf(found).columns;
  const profile: FormatProfile = {
    format,
    columns: found.types.map(({ name }, i): ProfileColumn => {
      const shape = shapes[i]?.shape;
      return { name, reading: readings[i] ?? {}, ...(shape === undefined ? {} : { shape }) };
    }),
    answers: answers.map(({ what, column, answer }) => ({ what, answer, ...(column === undefined ? {} : { column }) })),
  };
  const ofFile = found.undecided.filter((q) => q.column === undefined && q.what !== "recordDelimiter");
  if (columns !== undefined) {
    const left = columns.filter((column) => !isDecided(column));
    const questions = left.flatMap((column) => questionsOf(column, found, readings, asked));
    return { profile, questions: [...ofFile, ...questions], faults: found.faults };
  }
  const { mapping, questions, faults } = proposeMapping(found, answers);
  return {
    profile,
    ...(mapping === undefined ? {} : { mapping }),
    questions: [...ofFile, ...asked, ...questions],
    faults: [...found.faults, ...faults],
  };
}

/** What is asked of a column whose writing the adapter leaves to detection. */
function questionsOf(
  column: Column,
  found: FoundTable,
  readings: readonly ProfileColumn["reading"][],
  asked: readonly Question[],
): Question[] {
  const { source } = column;
  const place =
    "header" in source
      ? found.types.findIndex((type) => type.name === source.header)
      : "position" in source
        ? source.position - 1
        : -1;
  const label = labelAt(found.types, place);
  // A header that is not there is refused by parse.
  if (found.types[place] === undefined) return [];
  const reading = readings[place] ?? {};
  const isDate = column.type !== "decimal";
  const what = isDate ? "dateOrder" : "decimalMark";
  const open = asked.filter((q) => q.column === label && (q.what === what || q.what === "century"));
  if (open.length > 0 || (isDate ? reading.format : reading.decimalMark) !== undefined) return open;
  const reason = isDate
    ? "No value of the sample can be read as a date: how are dates written?"
    : "No value of the sample has decimals: which mark divides them?";
  const options = isDate ? ["yyyy-MM-dd", "dd.MM.yyyy", "dd/MM/yyyy", "MM/dd/yyyy"] : [".", ","];
  return [{ what, column: label, options, assumed: null, reason }];
}
