/** What detection finds out about a file. The shapes are stable: the command line prints them and profiles are pinned from them. */

/** A question that the file itself cannot answer. `assumed` is what reading goes on with until somebody answers. */
export interface Undecided {
  readonly what:
    | "charset"
    | "delimiter"
    | "quote"
    | "recordDelimiter"
    | "header"
    | "footer"
    | "type"
    | "dateOrder"
    | "decimalMark"
    | "null"
    | "columns";
  /** Name of the column it is about, or its place as `column 3` where there is no header. */
  readonly column?: string;
  readonly options: readonly string[];
  readonly assumed: string | null;
  /** One plain sentence. */
  readonly reason: string;
}

/** How text becomes rows of cells. */
export interface Dialect {
  /** Between cells; null: every line is one cell. Ignored where `fixed` is set. */
  readonly delimiter: string | null;
  readonly quote: '"' | "'" | null;
  /** What makes a quotation mark inside quotes text: the mark itself (doubled) or a backslash; null: nothing does. */
  readonly escape: '"' | "'" | "\\" | null;
  /** Characters before the line end that close a record, e.g. `&|`; empty where the line end alone does. */
  readonly terminator: string;
  /** Lines before the first record, where records have a terminator: title lines have none. */
  readonly skip: number;
  /** Blanks between the delimiter and a quotation mark are no text. */
  readonly padded: boolean;
  /** Every row below the header ends with a delimiter more than it has cells. */
  readonly trailing: boolean;
  /** A line that begins so is a remark. */
  readonly comment: string | null;
  /** Fixed width: the first character of each column, from 0. */
  readonly fixed: readonly number[] | null;
}

export type ColumnType =
  | "empty"
  | "text"
  | "identifier"
  | "integer"
  | "decimal"
  | "date"
  | "datetime"
  | "time"
  | "boolean";

export interface ColumnProfile {
  /** The header's name for it; null where there is no header. */
  readonly name: string | null;
  readonly type: ColumnType;
  /** Of dates and times: tokens yyyy yy MM MMM M dd d HH H hh mm ss f a zzz. */
  readonly format?: string;
  readonly decimalMark?: "." | ",";
  readonly groupMark?: "." | "," | " " | "'";
  /** Where negative numbers carry their sign. */
  readonly sign?: "leading" | "trailing" | "parentheses" | "letters";
  /** A sign that stands with the numbers: `€`, `%`, `USD`. */
  readonly unit?: string;
  /** Cells with blanks around their text, of all that are not blank. */
  readonly padded: number;
  readonly blanks: number;
  /** Words that stand for no value. */
  readonly nulls: readonly string[];
  /** Characters of the longest cell. */
  readonly maxLength: number;
}

/** A row that does not fit. */
export interface Misfit {
  readonly code: "missing-cells" | "extra-cells" | "broken-quotes";
  /** 1-based. */
  readonly line: number;
  readonly message: string;
}

export interface Profile {
  readonly charset: string;
  readonly bom: boolean;
  /** Charsets that read the file to the same text. */
  readonly charsetsAlike: readonly string[];
  readonly dialect: Dialect;
  /** `\n`, `\r\n`, `\r`, with the terminator before it where there is one, or `mixed`. */
  readonly recordDelimiter: string;
  readonly header: boolean;
  readonly columns: readonly string[];
  readonly columnCount: number;
  /** Lines before the header or the first row, as they stand. */
  readonly preamble: readonly string[];
  /** Lines behind the last row, as they stand. */
  readonly footer: readonly string[];
  /** Whether a row of totals that is as full as the data belongs to the footer. */
  readonly totals: boolean;
  readonly types: readonly ColumnProfile[];
  readonly undecided: readonly Undecided[];
  /** Of the sample: rows that do not fit, the first ones. */
  readonly misfits: readonly Misfit[];
  /** One plain sentence per decision. */
  readonly evidence: Readonly<Record<string, string>>;
}
