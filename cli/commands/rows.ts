/** `mailfeed rows`: the rows of a file, by a layout that is given or detected, before any column has a meaning. */
import { CHARSETS, type Feed, type FileFormat } from "../../src/domain/adapter.ts";
import { TableReading } from "../../src/parse/detect/read.ts";
import { rowSource, unsupportedFormat } from "../../src/parse/read-payload.ts";
import { type Row, readRows, rowsIn } from "../../src/parse/table/rows.ts";
import { type Arguments, type Command, EXIT, type Io, textOption, UsageError } from "../command.ts";
import { detectedTable, firstPayload, unreadable } from "../detected.ts";
import { feedNamed } from "../input.ts";

/** Rows go out in writes of about this size. */
const BATCH_CHARS = 65_536;

type Layout = Pick<FileFormat, "charset" | "delimiter" | "recordDelimiter" | "quote" | "preamble" | "header">;
/** Options that say the layout: then nothing is detected. */
const LAYOUT_OPTIONS = ["charset", "delimiter", "record-delimiter", "quote"];

export const rows: Command = {
  name: "rows",
  summary: "prints the rows of a file as JSON arrays of strings, one a line",
  usage: "FILE… [--data] [--feed C/F | --charset … --delimiter … --quote …]",
  options: {
    data: { type: "boolean", help: "leave out the header row" },
    feed: { type: "string", help: "read it as this feed's files are read" },
    charset: { type: "string", help: "default utf-8, where any of the layout is given" },
    delimiter: { type: "string", help: 'default ","; \\t is a tab' },
    "record-delimiter": { type: "string", help: "default: line ends; anything else is taken to the letter" },
    quote: { type: "string", help: `" (default), ' or none` },
    ndjson: { type: "boolean", help: "one JSON array a line (the default, and the only form)" },
  },
  details: `The layout is detected (see mailfeed sniff): then the rows of the table are printed, the header row first, without
preamble, footer, remarks, blank lines and repeated headers; of a workbook those of its first sheet, of JSON the records under
the keys of all of them. Where any of the layout is given nothing is detected: every
record of the file is printed. Rows that do not fit are printed too and told on the error output; then the exit code is 1.
Of several files one line each is printed: {"file", "rows": [[…], …]}, or {"file", "error": {"code", "message"}}. The first
file inside a mail or an archive is read.`,
  async run(args, io) {
    const [path, ...more] = args.positionals;
    if (path === undefined) throw new UsageError("rows needs a file (see mailfeed rows --help)");
    if (more.length > 0) return rowsOfSeveral(args, io);
    let batch = "";
    let exit: number = EXIT.ok;
    for await (const { cells, problem } of rowsOf(path, args)) {
      if (problem !== null) {
        io.err(problem);
        exit = EXIT.refused;
      }
      batch += `${JSON.stringify(cells)}\n`;
      if (batch.length > BATCH_CHARS) {
        io.out(batch);
        batch = "";
      }
    }
    if (batch !== "") io.out(batch);
    return exit;
  },
};

async function rowsOfSeveral(args: Arguments, io: Io): Promise<number> {
  let exit: number = EXIT.ok;
  for (const file of args.positionals) {
    try {
      const read: (readonly string[])[] = [];
      for await (const { cells, problem } of rowsOf(file, args)) {
        read.push(cells);
        if (problem === null) continue;
        io.err(`${file}: ${problem}`);
        exit = Math.max(exit, EXIT.refused);
      }
      io.out(JSON.stringify({ file, rows: read }));
    } catch (thrown) {
      const refused = unreadable(file, thrown);
      io.out(JSON.stringify(refused));
      io.err(`mailfeed: ${file}: ${refused.error.message}`);
      exit = EXIT.unusable;
    }
  }
  return exit;
}

interface PrintedRow {
  readonly cells: readonly string[];
  readonly problem: string | null;
}

function rowsOf(path: string, args: Arguments): AsyncGenerator<PrintedRow> {
  const dataOnly = args.values.data === true;
  const feed = textOption(args, "feed");
  if (feed !== undefined) return rowsOfFeed(path, feedNamed(feed), dataOnly);
  const isGiven = LAYOUT_OPTIONS.some((name) => textOption(args, name) !== undefined);
  return isGiven ? givenRows(path, layoutOf(args), dataOnly) : detectedRows(path, dataOnly);
}

async function* detectedRows(path: string, dataOnly: boolean): AsyncGenerator<PrintedRow> {
  const detected = await detectedTable(path);
  if (detected.kind === "ready") {
    for await (const { cells, kind, problem } of detected.table.rows()) {
      if (kind === "data" || !dataOnly) yield { cells, problem: problem?.message ?? null };
    }
    return;
  }
  const { payload, profile } = detected;
  for await (const batch of new TableReading(profile).batches(payload.open())) {
    for (const { cells, kind, misfit } of batch) {
      if (kind === "data" || !dataOnly) yield { cells, problem: misfit?.message ?? null };
    }
  }
}

async function* givenRows(path: string, layout: Layout, dataOnly: boolean): AsyncGenerator<PrintedRow> {
  const payload = await firstPayload(path);
  const unsupported = unsupportedFormat(payload);
  if (unsupported) throw new UsageError(`${unsupported.sentence} ${unsupported.hint}`, unsupported.code);
  yield* printed(readRows(payload.open(), layout), dataOnly ? layout.preamble.length + (layout.header ? 1 : 0) : 0);
}

async function* rowsOfFeed(path: string, feed: Feed, dataOnly: boolean): AsyncGenerator<PrintedRow> {
  const payload = await firstPayload(path);
  const source = await rowSource(feed, payload);
  const { preamble, header } = feed.file;
  const above = dataOnly ? preamble.length + (header ? 1 : 0) : 0;
  if (source === undefined) return yield* printed(readRows(payload.open(), feed.file), above);
  if (source.header === undefined) return yield* printed(rowsIn(source.batches), above);
  if (!dataOnly) yield { cells: source.header, problem: null };
  yield* printed(rowsIn(source.batches), 0);
}

/** Rows without the first ones. */
async function* printed(rows: AsyncIterable<Row>, without: number): AsyncGenerator<PrintedRow> {
  let left = without;
  for await (const { cells, line, broken } of rows) {
    if (left > 0) left--;
    else yield { cells, problem: broken === undefined ? null : `line ${line}: ${broken}` };
  }
}

function layoutOf(args: Arguments): Layout {
  const charset = textOption(args, "charset") ?? "utf-8";
  const quote = textOption(args, "quote") ?? '"';
  const known = CHARSETS.find((c) => c === charset.toLowerCase());
  if (!known) throw new UsageError(`--charset takes one of ${CHARSETS.join(", ")}`);
  if (quote !== '"' && quote !== "'" && quote !== "none") throw new UsageError(`--quote takes ", ' or none`);
  const written = (text: string) => text.replaceAll("\\t", "\t").replaceAll("\\r", "\r").replaceAll("\\n", "\n");
  const recordDelimiter = textOption(args, "record-delimiter");
  return {
    charset: known,
    delimiter: written(textOption(args, "delimiter") ?? ","),
    recordDelimiter: recordDelimiter === undefined ? "line" : written(recordDelimiter),
    quote: recordDelimiter === undefined ? quote : "none",
    preamble: [],
    header: false,
  };
}
