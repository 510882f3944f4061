/**
 * What detection found of a payload, whatever its kind: how it is written, what its columns hold, what only a human can
 * answer, and some of its rows. Texts are detected from a sample of their bytes; sheets and JSON are rows already.
 */
import { failure } from "../../domain/failures.ts";
import type { FormatProfile } from "../../domain/feed-version.ts";
import { CHARSETS, type FileFormat, formatSchema } from "../../domain/format.ts";
import { knownOf, openOf } from "../detect/answers.ts";
import { columnOf } from "../detect/columns.ts";
import { detectTable } from "../detect/detect.ts";
import type { ColumnProfile, Dialect, Profile, Undecided } from "../detect/profile.ts";
import type { Sample } from "../detect/sample.ts";
import { isBlankRow, shapeOf } from "../detect/shape.ts";
import { tokenize } from "../detect/tokenize.ts";
import { stableStart } from "./stable-start.ts";

/** What somebody answered; `what` and `column` are those of the question. */
export type Answer = FormatProfile["answers"][number];

/** A question that the file cannot answer. Answered once, by `{ what, column, answer }` with one of its options. */
export interface Question extends Omit<Undecided, "what"> {
  readonly what: Undecided["what"] | "century" | "sign" | "key";
}

/** Something that was found and that a format or mapping cannot say. */
export interface Fault {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

export interface FoundTable {
  /** As far as a format can say it. */
  readonly format: FileFormat;
  /** Charsets that feeds can pin and that read the sample to the same text, the format's among them; empty where none is. */
  readonly charsetsAlike: readonly string[];
  /** Whether quotation marks stand in the sample, so that it shows what they are. */
  readonly quotesSeen: boolean;
  /** Lines before the table as they stand; of a sheet the first cell of each. */
  readonly preamble: readonly string[];
  /** In the order of the file. `name`: the header's; null where there is no header. */
  readonly types: readonly ColumnProfile[];
  /** All questions, answered ones left out. */
  readonly undecided: readonly Undecided[];
  /** Data rows of the sample, some thousand at most. */
  readonly rows: readonly (readonly string[])[];
  /** Lines of the table's beginning as they stand, for the eyes: header (where there is one) and first rows. */
  readonly lines: readonly FoundLine[];
  readonly faults: readonly Fault[];
  /** One plain sentence per decision. */
  readonly evidence: Readonly<Record<string, string>>;
}

export interface FoundLine {
  /** 1-based. */
  readonly line: number;
  readonly text: string;
}

/** Rows of a sheet, records of JSON that are enough to propose from. */
export const SAMPLE_ROWS = 2_000;
/** What people call a column. */
export const labelAt = (types: readonly Pick<ColumnProfile, "name">[], i: number): string =>
  types[i]?.name || `column ${i + 1}`;

/** Stands in no text (ASCII unit separator): the delimiter of files of one column. */
const NO_DELIMITER = "\u001f";

/**
 * Detects the table in a text. `answers` override what would be detected (charset, delimiter, quote, header, columns).
 * Throws what `detect` throws: `file-empty`, `no-table`, `charset-unknown`, `wrong-charset`, `unclosed-quote`, …
 */
export function foundInText(sample: Sample, answers: readonly Answer[] = []): FoundTable {
  const { profile, rows, lines } = detectTable(sample, answers);
  const { dialect } = profile;
  const faults: Fault[] = [];
  const charset = charsetOf(profile);
  if (charset === undefined) {
    faults.push({
      path: ["format", "charset"],
      message: `${profile.charset} cannot be read by feeds: export as UTF-8`,
    });
  }
  if (dialect.skip > 0) {
    const message = "title lines before records that have an end of their own cannot be told from the first record";
    faults.push({ path: ["format", "preamble"], message });
  }
  // A feed's rows are as wide as its header.
  const types = profile.header ? profile.types.slice(0, profile.columns.length) : profile.types;
  if (types.length < profile.types.length) {
    const message = `rows have ${profile.types.length} cells and the header names ${types.length}: they will be refused`;
    faults.push({ path: ["columns"], message });
  }
  const footer = footerStart(profile, rows);
  if (footer === null) {
    const message = "the lines behind the last row begin like rows, so they will be refused as rows";
    faults.push({ path: ["format", "footer"], message });
  }
  const format: FileFormat = {
    kind: dialect.fixed === null ? "delimited" : "fixed",
    charset: charset ?? "utf-8",
    delimiter: dialect.delimiter ?? NO_DELIMITER,
    recordDelimiter: dialect.terminator === "" ? "line" : dialect.terminator,
    quote: dialect.quote ?? "none",
    escape: dialect.escape === "\\" ? "backslash" : "doubled",
    ...(dialect.padded ? { padded: true } : {}),
    ...(dialect.trailing ? { trailingDelimiter: true } : {}),
    ...(dialect.comment === null ? {} : { comment: dialect.comment }),
    ...(dialect.fixed === null ? {} : { columnStarts: dialect.fixed.map((start) => start + 1) }),
    preamble: profile.preamble.map((line) => ({ startsWith: stableStart(line, dialect.comment) })),
    header: profile.header,
    ...(profile.header ? {} : { columnCount: profile.columnCount }),
    ...(typeof footer === "string" ? { footer: { startsWith: footer } } : {}),
  };
  return {
    format,
    charsetsAlike: charset === undefined ? [] : alikeOf(profile, sample, charset),
    quotesSeen:
      dialect.quote === null ? rows.some((row) => row.some((cell) => cell.includes('"'))) : dialect.escape !== null,
    preamble: profile.preamble,
    types,
    undecided: profile.undecided,
    rows,
    lines,
    faults: [...faults, ...faultsOf(format)],
    evidence: profile.evidence,
  };
}

function charsetOf(profile: Profile): FileFormat["charset"] | undefined {
  const names = [profile.charset, ...profile.charsetsAlike];
  return CHARSETS.find((charset) => charset === profile.charset) ?? CHARSETS.find((charset) => names.includes(charset));
}

/** A text of ASCII alone is in every charset but the wide ones. */
function alikeOf(profile: Profile, { head, tail, accented }: Sample, charset: string): string[] {
  const isAscii =
    !profile.bom && accented.length === 0 && [head, tail].every((part) => part.every((byte) => byte < 0x80));
  if (isAscii && charset === "utf-8") return CHARSETS.filter((name) => !name.startsWith("utf-16"));
  return [charset, ...CHARSETS.filter((name) => name !== charset && profile.charsetsAlike.includes(name))];
}

/** How the first line behind the table begins; null where rows begin so too, undefined without such a line. */
function footerStart({ footer, dialect }: Profile, rows: readonly (readonly string[])[]): string | null | undefined {
  const [line] = footer;
  if (line === undefined) return undefined;
  const cell = tokenize(line, { ...dialect, skip: 0 }, { atEnd: true, maxRows: 1 }).rows[0]?.[0]?.trim() ?? "";
  const start = stableStart(cell, null).trim();
  return start === "" || rows.some((row) => (row[0] ?? "").trim().startsWith(start)) ? null : start;
}

function faultsOf(format: FileFormat): Fault[] {
  const checked = formatSchema.safeParse(format);
  if (checked.success) return [];
  return checked.error.issues.map(({ path, message }) => ({
    path: ["format", ...path.map((part) => (typeof part === "number" ? part : String(part)))],
    message,
  }));
}

/** Cells of a sheet have no delimiter: any will do. */
const CELLS: Dialect = {
  delimiter: "\t",
  quote: null,
  escape: null,
  terminator: "",
  skip: 0,
  padded: false,
  trailing: false,
  comment: null,
  fixed: null,
};

interface RowsOptions {
  readonly answers?: readonly Answer[] | undefined;
}

/**
 * The table in a sheet, from its first rows (SAMPLE_ROWS are enough), each as wide as it stands.
 * Throws `file-empty` where no row holds anything.
 */
export function foundInSheet(
  rows: readonly (readonly string[])[],
  { sheet, answers = [] }: RowsOptions & { readonly sheet?: string | undefined } = {},
): FoundTable {
  const filled = rows.map((row) => row.slice(0, row.findLastIndex((cell) => cell.trim() !== "") + 1));
  const width = filled.reduce((widest, row) => Math.max(widest, row.length), 0);
  if (width === 0) throw failure("file-empty", {});
  // A blank row stays a blank one; a row that ends early has blank cells.
  const even = filled.map((row) => (row.length === 0 ? [""] : [...row, ...Array<string>(width - row.length).fill("")]));
  const shape = shapeOf(even, CELLS, knownOf(answers).header);
  const { header, sure, evidence } = shape.verdict;
  // What stands to the right of the header (a remark, a sum of somebody) is no column.
  const named = header ? shape.columns.findLastIndex((name) => name !== "") + 1 : width;
  const data = even
    .slice(shape.start + (header ? 1 : 0))
    .filter((row) => !isBlankRow(row) && row.some((c) => c !== ""));
  const reason = "The first row may name the columns or be data: its cells look like those below.";
  const question: Undecided = {
    what: "header",
    options: ["header", "data"],
    assumed: header ? "header" : "data",
    reason,
  };
  const format = formatSchema.parse({
    kind: "sheet",
    header,
    preamble: even.slice(0, shape.start).map((row) => ({ startsWith: stableStart(row[0] ?? "", null) })),
    ...(header ? {} : { columnCount: width }),
    ...(sheet === undefined ? {} : { sheet }),
  });
  const shown = [...(header ? [shape.start] : []), shape.start + (header ? 1 : 0)];
  return {
    ...typed(header ? shape.columns.slice(0, named) : null, named, data, sure ? [] : [question], answers),
    format,
    preamble: even.slice(0, shape.start).map((row) => row[0] ?? ""),
    lines: shown.flatMap((i) => (even[i] === undefined ? [] : [{ line: i + 1, text: even[i].join(";") }])),
    evidence: { header: evidence },
  };
}

/** The table in JSON, from its first records. `at`: keys that lead to the list. Throws `file-empty` without any record. */
export function foundInJson(
  records: readonly ReadonlyMap<string, string | null>[],
  { at, answers = [] }: RowsOptions & { readonly at?: readonly string[] | undefined } = {},
): FoundTable {
  const keys = [...new Set(records.flatMap((record) => [...record.keys()]))];
  if (keys.length === 0) throw failure("file-empty", {});
  const rows = records.map((record) => keys.map((key) => record.get(key) ?? ""));
  const format = formatSchema.parse({ kind: "json", header: true, ...(at === undefined ? {} : { at: [...at] }) });
  return {
    ...typed(keys, keys.length, rows, [], answers),
    format,
    preamble: [],
    lines: [],
    evidence: { header: `The records have ${keys.length} keys.` },
  };
}

type Typed = Pick<FoundTable, "types" | "undecided" | "rows" | "charsetsAlike" | "quotesSeen" | "faults">;

function typed(
  header: readonly string[] | null,
  width: number,
  rows: readonly (readonly string[])[],
  asked: readonly Undecided[],
  answers: readonly Answer[],
): Typed {
  const columns = Array.from({ length: width }, (_, i) => {
    const name = header === null ? null : (header[i] ?? "");
    return columnOf(
      name,
      name || `column ${i + 1}`,
      rows.map((row) => row[i] ?? ""),
    );
  });
  return {
    types: columns.map((column) => column.profile),
    undecided: openOf([...asked, ...columns.flatMap((column) => column.undecided)], answers),
    rows,
    charsetsAlike: [],
    quotesSeen: false,
    faults: [],
  };
}
