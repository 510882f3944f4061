/** A payload by its feed's format: content decides what it is, the feed what it should be. */
import type { Feed } from "../domain/adapter.ts";
import { Failure, type FailureReport, failure, report } from "../domain/failures.ts";
import type { FileFormat } from "../domain/format.ts";
import { formatTitle, type Payload } from "./open/open.ts";
import { bodySource } from "./read-body.ts";
import { jsonSource, startOf } from "./read-json.ts";
import { sheetSource } from "./read-sheet.ts";
import {
  type ParsedFile,
  type ParseOptions,
  type ParseSink,
  parseFile,
  parseRows,
  type RowSource,
} from "./table/parse-file.ts";

type Kind = FileFormat["kind"];

/**
 * Reads a payload as its feed's files are written. Throws what `parseFile` and the readers throw, `file-unsupported` where
 * the payload is of another kind than the feed's files, `body-html` where a mail's text is only a web page.
 */
export async function parsePayload(
  feed: Feed,
  payload: Payload,
  sink: ParseSink,
  options: ParseOptions = {},
): Promise<ParsedFile> {
  const source = await rowSource(feed, payload);
  return source === undefined ? parseFile(feed, payload.open(), sink, options) : parseRows(feed, source, sink, options);
}

/** The rows of a payload that are not found in its text alone; undefined of a text, which `parseFile` reads. Throws as `parsePayload`. */
export async function rowSource(feed: Feed, payload: Payload): Promise<RowSource | undefined> {
  const { kind, recordDelimiter } = feed.file;
  const unsupported = unsupportedFormat(payload, kind);
  if (unsupported !== undefined) {
    const start = payload.format === "text" ? await startOf(payload) : undefined;
    if (start === "") throw failure("file-empty", { name: payload.name });
    if (kind !== "json" || start === undefined || !/^[[{]/.test(start)) throw new Failure(unsupported);
  }
  if (kind === "sheet") return sheetSource(feed, payload);
  if (kind === "json") return jsonSource(feed, payload);
  const isMailText = payload.role === "body" && kind === "delimited" && recordDelimiter === "line";
  return isMailText ? bodySource(feed, payload) : undefined;
}

/** What payloads are read as each kind. (A JSON file that is broken near its beginning looks like text: see above.) */
const READ_AS: Readonly<Record<Kind, { readonly formats: readonly Payload["format"][]; readonly title: string }>> = {
  delimited: { formats: ["text"], title: "a delimited text file (CSV)" },
  fixed: { formats: ["text"], title: "a text file with columns of fixed width" },
  sheet: { formats: ["xlsx"], title: "an Excel workbook (.xlsx)" },
  json: { formats: ["json", "ndjson"], title: "a JSON file" },
};

/** Content decides, not the name: what is no file of the kind is refused by what it is. Pure. */
export function unsupportedFormat(
  file: Pick<Payload, "format" | "name"> & { readonly role?: Payload["role"] },
  kind: Kind = "delimited",
): FailureReport | undefined {
  const { formats, title } = READ_AS[kind];
  if (formats.includes(file.format)) return undefined;
  if (file.format === "html" && file.role === "body") return report("body-html", {});
  return report("file-unsupported", { name: file.name, found: formatTitle(file), expected: title });
}
