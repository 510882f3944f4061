/** Expectations of DuckDB's own tests about files that its sniffer reads without help, or must not read. */
import { corpusTruth } from "../../support/corpora.ts";
import type { CaseResult, Corpus } from "../case.ts";
import { isFlagged, isRefused, type ReadTable, tableOf } from "../table.ts";
import { isSameValue, sniffFaults } from "./duckdb-values.ts";

interface Truth {
  readonly file: string;
  readonly kind: "rows" | "count" | "sniff" | "error";
  readonly operation: string;
  readonly columns: string;
  readonly options: string;
  readonly result: readonly string[];
  readonly test: string;
}

/** Options that tell the reader something about the file: then there is nothing to detect. */
const TELLING =
  /\b(delim|sep|quote|escape|new_line|skip|header|columns|names|types|dtypes|column_types|comment|nullstr|dateformat|timestampformat|thousands|decimal_separator|auto_type_candidates|normalize_names|union_by_name|allow_quoted_nulls|force_not_null|max_line_size|null_padding|filename)\b|see the test|sample_size|auto_detect\s*=\s*false/i;

const expectations = (): Truth[] => corpusTruth<Truth>("duckdb_expectations");

/** Expectations of one file and kind, each once. */
function unique(truths: readonly Truth[]): Truth[] {
  const seen = new Set<string>();
  return truths.filter((truth) => {
    const key = idOf(truth);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

const idOf = ({ file, kind, columns, options }: Truth): string => [file, kind, columns, options].join(" ");

export const duckdb: Corpus = {
  name: "DuckDB, auto-detected",
  target: 0.95,
  counting:
    "expectations of rows, counts and sniffs whose options tell nothing about the file's format (ignore_errors, strict_mode, buffer_size, encoding and the like may stand), each once; values are compared as values (1.50 and 1.5, 2024-01-02 and 1/2/24, NULL and blank), a LIMIT that the list does not show as a prefix. Refused are nullterm.csv, whose NUL bytes no text has, and one of two expectations of unescaped_quotes/stops.csv that contradict each other (marks around cells as text, and not): the other is met, and the two rows with bare marks are named",
  async run() {
    const results: CaseResult[] = [];
    for (const truth of unique(expectations().filter((t) => t.kind !== "error" && !TELLING.test(t.options)))) {
      results.push(await readCase(truth));
    }
    return results;
  },
};

async function readCase(truth: Truth): Promise<CaseResult> {
  const id = idOf(truth);
  const table = await tableOf(truth.file);
  if (isRefused(table)) {
    const empty = truth.result.length === 0 && table.refused.startsWith("file-empty");
    return empty ? { id, outcome: "right" } : { id, outcome: "refused", detail: table.refused };
  }
  const fault = faultOf(truth, table);
  if (fault === undefined) return { id, outcome: "right" };
  if (truth.kind !== "sniff" && table.misfits > 0)
    return { id, outcome: "refused", detail: `${table.misfits} rows refused; ${fault}` };
  return { id, outcome: isFlagged(table) ? "wrong" : "silent-wrong", detail: fault };
}

/** Options by which DuckDB leaves out the rows that it refuses. */
const LEAVES_OUT = /ignore_errors\s*=\s*true|store_rejects\s*=\s*(true|1)|rejects_(scan|table)/i;

function faultOf(truth: Truth, read: ReadTable): string | undefined {
  const width = read.profile.columnCount;
  const kept = LEAVES_OUT.test(truth.options) ? read.rows.filter((row) => row.length === width) : read.rows;
  const table = { ...read, rows: kept };
  if (truth.kind === "sniff") return sniffFaults(truth.columns, truth.result, table);
  if (truth.kind === "count") {
    return String(table.rows.length) === truth.result[0]
      ? undefined
      : `${table.rows.length} rows, ${truth.result[0]} expected`;
  }
  const wanted = truth.result.at(-1) === "" ? truth.result.slice(0, -1) : truth.result;
  if (wanted.length > table.rows.length) return `${table.rows.length} rows, ${wanted.length} expected`;
  for (const [i, line] of wanted.entries()) {
    const row = table.rows[i]!;
    const cells = line.split("\t");
    const same =
      cells.length === row.length || (cells.length > row.length && cells.slice(row.length).every((c) => c === "NULL"));
    if (!same || !row.every((cell, at) => isSameValue(cell, cells[at] ?? ""))) {
      return `row ${i + 1}: ${JSON.stringify(row).slice(0, 120)} for ${JSON.stringify(cells).slice(0, 120)}`;
    }
  }
  return undefined;
}

/** Errors that are about the bytes of the file, not about arguments, permissions or the types of a table elsewhere. */
const OF_THE_FILE =
  /unterminated quote|invalid unicode|does not comply|do not comply|Expected Number of Columns|maximum line size|max_line_size=20|error when sniffing|not possible to automatically detect|invalid state|Could not convert string "(3r|\\N)"/i;
/** Of those, errors that stand only because the test's own options are wrong for the file. */
const OF_WRONG_OPTIONS = /\b(delim|sep|new_line|names|types|columns|dtypes|buffer_size|max_line_size|null)\b/i;

export const duckdbMustFail: Corpus = {
  name: "DuckDB, must fail",
  target: 1,
  counting:
    "errors about the bytes of a file that do not come from wrong options or from the types of another table: right if the file is refused, or the row or question is named; a charset that DuckDB cannot read without help is right if it is detected",
  async run() {
    const results: CaseResult[] = [];
    for (const truth of unique(expectations().filter(isOfTheFile))) {
      const id = idOf(truth);
      const table = await tableOf(truth.file);
      const message = truth.result[0] ?? "";
      if (isRefused(table)) results.push({ id, outcome: "right", detail: table.refused });
      else if (isFlagged(table)) results.push({ id, outcome: "right" });
      else if (/unicode|encoding/i.test(message) && table.profile.charset !== "utf-8")
        results.push({ id, outcome: "right" });
      else results.push({ id, outcome: "silent-wrong", detail: `${table.rows.length} rows were read; ${message}` });
    }
    return results;
  },
};

const isOfTheFile = ({ kind, options, result, operation }: Truth): boolean => {
  if (kind !== "error") return false;
  const message = result[0] ?? "";
  if (!OF_THE_FILE.test(message) && !/encoding/i.test(message)) return false;
  if (operation === "copy") return /unterminated quote|maximum line size/i.test(message);
  return !OF_WRONG_OPTIONS.test(options);
};
