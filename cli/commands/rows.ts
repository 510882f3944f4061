/** `mailfeed rows`: the rows of a file as the parse stage reads them, before any column has a meaning. */
import type { FeedDefinition } from "../../src/domain/adapter.ts";
import { CHARSETS } from "../../src/domain/adapter.ts";
import { failure } from "../../src/domain/failures.ts";
import { unsupportedFormat } from "../../src/parse/handler.ts";
import { openDelivery, type Payload } from "../../src/parse/open/open.ts";
import type { RowBatch } from "../../src/parse/table/rows.ts";
import { plainRows } from "../../src/parse/table/rows-plain.ts";
import { quotedRows } from "../../src/parse/table/rows-quoted.ts";
import { TextReader } from "../../src/parse/table/text.ts";
import { type Arguments, type Command, EXIT, textOption, UsageError } from "../command.ts";
import { feedNamed, type InputFile, inputFile } from "../input.ts";

/** Rows go out in writes of about this size. */
const BATCH_CHARS = 65_536;

type Layout = FeedDefinition["file"];

export const rows: Command = {
  name: "rows",
  summary: "prints the rows of a file as JSON arrays of strings, one a line",
  usage: "FILE [--feed C/F | --charset … --delimiter … --quote …]",
  options: {
    feed: { type: "string", help: "read it as this feed's files are read" },
    charset: { type: "string", help: "default utf-8" },
    delimiter: { type: "string", help: 'default ","; \\t is a tab' },
    "record-delimiter": { type: "string", help: "default: line ends; anything else is taken to the letter" },
    quote: { type: "string", help: `" (default), ' or none` },
    ndjson: { type: "boolean", help: "one JSON array a line (the default, and the only form)" },
  },
  details: "All rows are printed, a header row included. The first file inside a mail or an archive is read.",
  async run(args, io) {
    const [path, ...more] = args.positionals;
    if (!path || more.length > 0) throw new UsageError("rows takes one file (see mailfeed rows --help)");
    const layout = layoutOf(args);
    const payload = await firstPayload(await inputFile(path));
    const unsupported = unsupportedFormat(payload);
    if (unsupported) throw new UsageError(`${unsupported.sentence} ${unsupported.hint}`, unsupported.code);
    let batch = "";
    for await (const { rows: read, broken, firstLine } of batchesOf(payload, layout)) {
      for (const [i, cells] of read.entries()) {
        const reason = broken?.get(i);
        if (reason !== undefined)
          io.err(`a row after line ${firstLine}: its quotation marks do not fit together: ${reason}`);
        batch += `${JSON.stringify(cells)}\n`;
      }
      if (batch.length > BATCH_CHARS) {
        io.out(batch);
        batch = "";
      }
    }
    if (batch !== "") io.out(batch);
    return EXIT.ok;
  },
};

function layoutOf(args: Arguments): Layout {
  const feed = textOption(args, "feed");
  if (feed) return feedNamed(feed).file;
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

function batchesOf(payload: Payload, layout: Layout): AsyncIterable<RowBatch> {
  const { charset, delimiter, quote, recordDelimiter } = layout;
  const slices = new TextReader({ charset, recordDelimiter }).slices(payload.open());
  return quote === "none"
    ? plainRows(slices, { delimiter, recordDelimiter })
    : quotedRows(slices, { delimiter, quote });
}

/** The first file inside; a body of a mail only if there is nothing else. */
async function firstPayload(input: InputFile): Promise<Payload> {
  let body: Payload | undefined;
  for await (const one of openDelivery(input.source, { door: input.door, name: input.name })) {
    if (one.kind === "problem") throw new UsageError(`${one.report.sentence} ${one.report.hint}`, one.report.code);
    if (one.file.role !== "body") return one.file;
    body ??= one.file;
  }
  if (!body) throw failure("file-empty", { name: input.name });
  return body;
}
