/** A payload by its feed's format: content decides what it is, the feed what it should be. */
import type { Feed } from "../domain/adapter.ts";
import { Failure, type FailureReport, report } from "../domain/failures.ts";
import { formatTitle, type Payload } from "./open/open.ts";
import { type ParsedFile, type ParseOptions, type ParseSink, parseFile } from "./table/parse-file.ts";

/** Throws what `parseFile` throws, and `file-unsupported` where the payload is of another kind than the feed's files. */
export async function parsePayload(
  feed: Feed,
  payload: Payload,
  sink: ParseSink,
  options: ParseOptions = {},
): Promise<ParsedFile> {
  const unsupported = unsupportedFormat(payload);
  if (unsupported) throw new Failure(unsupported);
  return parseFile(feed, payload.open(), sink, options);
}

/** Content decides, not the name: what is no delimited text is refused by what it is. Pure. */
export function unsupportedFormat(file: Pick<Payload, "format" | "name">): FailureReport | undefined {
  if (file.format === "text") return undefined;
  return report("file-unsupported", {
    name: file.name,
    found: formatTitle(file),
    expected: "a delimited text file (CSV)",
  });
}
