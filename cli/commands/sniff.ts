/** `mailfeed sniff`: what a file looks like, with the evidence for it and what only a human can answer. */
import type { FileFormat } from "../../src/domain/adapter.ts";
import type { Profile } from "../../src/parse/detect/profile.ts";
import { type DialectRow, TableReading } from "../../src/parse/detect/read.ts";
import { type Command, EXIT, type Io, UsageError } from "../command.ts";
import { detectedTable, unreadable } from "../detected.ts";
import type { Problem, ReadyTable } from "../ready-table.ts";

export const sniff: Command = {
  name: "sniff",
  summary: "detects a file's format: charset, delimiter, header, column types, and what is undecided",
  usage: "FILE…",
  options: {},
  details: `With --json one line per file:
{"file", "kind", "charset", "bom", "delimiter", "quote", "escape", "recordDelimiter", "header", "columns", "columnCount", "rows",
 "preamble", "footer", "types", "undecided", "evidence", "problems", "dialect", "charsetsAlike", "repeatedHeaders"}
  kind             delimited, fixed, sheet (a workbook: its first sheet that is not hidden) or json (a list, or a record a line).
                   Of sheet and json charset, delimiter, quote, escape and dialect are null, recordDelimiter is "" and footer
                   is empty: they have none; columns of json are the keys of all records
  delimiter        between cells; null: one column, or fixed width (then dialect.fixed has where the columns begin)
  quote, escape    null: none. Of a file without any quotation mark: the usual one. escape is the mark itself (doubled) or \\
  recordDelimiter  "\\n", "\\r\\n", "\\r", with what stands before it where the file has such ("&|\\r\\n"), or "mixed"
  header, columns  whether the first row names the columns, and the names (without a header: an empty list)
  rows             data rows of the whole file: without header, preamble, footer, remarks, blank and repeated header lines
  preamble, footer lines before and behind the table, as they stand
  types            per column {name, type, format?, decimalMark?, groupMark?, sign?, unit?, padded, blanks, nulls, maxLength};
                   type: empty text identifier integer decimal date datetime time boolean
  undecided        [{what, column?, options, assumed, reason}]: questions to answer once before the feed can go live;
                   what: charset delimiter quote recordDelimiter header footer type dateOrder decimalMark null columns
  evidence         one sentence per decision
  problems         {count, first: [{code, line, message}]}: rows that do not fit; code: missing-cells extra-cells broken-quotes,
                   of a sheet cell-error cell-not-calculated, of json broken-record
or {"file", "error": {"code", "message"}} and exit code 2 where nothing can be read (no table in it, empty). The first
file inside a mail or an archive is read.`,
  async run(args, io) {
    if (args.positionals.length === 0) throw new UsageError("sniff needs a file (see mailfeed sniff --help)");
    let exit: number = EXIT.ok;
    for (const path of args.positionals) {
      try {
        const found = await sniffed(path);
        if (args.json) io.out(JSON.stringify(found));
        else tell(found, io);
      } catch (thrown) {
        const refused = unreadable(path, thrown);
        if (args.json) io.out(JSON.stringify(refused));
        io.err(`mailfeed: ${args.positionals.length > 1 ? `${path}: ` : ""}${refused.error.message}`);
        exit = EXIT.unusable;
      }
    }
    return exit;
  },
};

/** The documented shape. */
type Sniffed = Omit<ReturnType<typeof shown>, "kind" | "charset" | "dialect" | "problems"> & {
  readonly kind: FileFormat["kind"];
  readonly charset: string | null;
  readonly dialect: Profile["dialect"] | null;
  readonly problems: { readonly count: number; readonly first: readonly Problem[] };
};

/** Detects, and reads the whole file by what was detected. Throws UsageError or Failure where nothing can be read. */
export async function sniffed(path: string): Promise<Sniffed> {
  const detected = await detectedTable(path);
  if (detected.kind === "ready") return shownReady(path, detected.table);
  const { payload, profile } = detected;
  const reading = new TableReading(profile);
  const problems: Profile["misfits"][number][] = [];
  for await (const rows of reading.batches(payload.open())) {
    for (const { misfit } of rows) if (misfit !== null && problems.length < PROBLEMS_MAX) problems.push(misfit);
  }
  return shown(path, profile, reading, problems);
}

/** Rows that do not fit which are shown; the count is of all. */
const PROBLEMS_MAX = 20;

function shown(file: string, profile: Profile, reading: TableReading, problems: Profile["misfits"]) {
  const { dialect } = profile;
  return {
    file,
    kind: dialect.fixed === null ? ("delimited" as const) : ("fixed" as const),
    charset: profile.charset,
    bom: profile.bom,
    delimiter: dialect.delimiter,
    quote: dialect.quote,
    escape: dialect.escape,
    recordDelimiter: profile.recordDelimiter,
    header: profile.header,
    columns: profile.columns,
    columnCount: profile.columnCount,
    rows: reading.rows,
    preamble: profile.preamble,
    footer:
      profile.footer.length > 0
        ? profile.footer
        : reading.footer.map((row: DialectRow) => row.cells.join(dialect.delimiter ?? "")),
    types: profile.types,
    undecided: profile.undecided,
    evidence: profile.evidence,
    problems: { count: reading.misfits, first: problems },
    dialect,
    charsetsAlike: profile.charsetsAlike,
    repeatedHeaders: reading.repeatedHeaders,
  };
}

/** Of a sheet or records: what only a text has is null, false, or empty. */
async function shownReady(file: string, { kind, found, columns, rows: read }: ReadyTable): Promise<Sniffed> {
  const first: Problem[] = [];
  let count = 0;
  let rows = 0;
  for await (const row of read()) {
    if (row.kind === "data") rows++;
    if (row.problem === null) continue;
    count++;
    if (first.length < PROBLEMS_MAX) first.push(row.problem);
  }
  return {
    file,
    kind,
    charset: null,
    bom: false,
    delimiter: null,
    quote: null,
    escape: null,
    recordDelimiter: "",
    header: found.format.header,
    columns,
    columnCount: found.types.length,
    rows,
    preamble: found.preamble,
    footer: [],
    types: found.types,
    undecided: found.undecided,
    evidence: found.evidence,
    problems: { count, first },
    dialect: null,
    charsetsAlike: [],
    repeatedHeaders: 0,
  };
}

function tell(found: Sniffed, io: Io): void {
  io.out(`${found.file}: ${found.rows} rows of ${found.columnCount} columns`);
  for (const [decision, sentence] of Object.entries(found.evidence)) io.out(`  ${decision}: ${sentence}`);
  for (const [i, type] of found.types.entries()) {
    const details = [type.format, type.decimalMark && `decimal ${type.decimalMark}`, type.unit].filter(Boolean);
    io.out(`  column ${i + 1}${type.name ? ` ${type.name}` : ""}: ${[type.type, ...details].join(", ")}`);
  }
  for (const { what, column, reason } of found.undecided) {
    io.out(`  undecided: ${what}${column === undefined ? "" : ` of ${column}`}: ${reason}`);
  }
  for (const { message } of found.problems.first) io.out(`  problem: ${message}`);
}
