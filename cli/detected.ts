/** A file of this machine as a detected table: what `sniff` shows and `rows` reads. */
import { asFailure, type FailureReport, failure } from "../src/domain/failures.ts";
import { detect } from "../src/parse/detect/detect.ts";
import type { Profile } from "../src/parse/detect/profile.ts";
import { SampleTaker } from "../src/parse/detect/sample.ts";
import { openDelivery, type Payload } from "../src/parse/open/open.ts";
import { tableInBody } from "../src/parse/read-body.ts";
import { unsupportedFormat } from "../src/parse/read-payload.ts";
import { UsageError } from "./command.ts";
import { inputFile } from "./input.ts";
import { type ReadyTable, readyTable } from "./ready-table.ts";

export type DetectedTable =
  | { readonly kind: "text"; readonly payload: Payload; readonly profile: Profile }
  /** Rows already: nothing is detected but header and types. */
  | { readonly kind: "ready"; readonly table: ReadyTable };

/**
 * The first table in a file, a mail or an archive, with its profile. Throws UsageError or Failure where nothing can be read.
 */
export async function detectedTable(path: string): Promise<DetectedTable> {
  const payload = await withoutLetter(await firstPayload(path));
  const table = await readyTable(payload);
  if (table !== undefined) return { kind: "ready", table };
  // What the door calls binary may be text in units of four bytes: detection names it.
  const unsupported = payload.format === "binary" ? undefined : unsupportedFormat(payload);
  if (unsupported) throw new UsageError(`${unsupported.sentence} ${unsupported.hint}`, unsupported.code);
  const taker = new SampleTaker();
  for await (const block of payload.open()) taker.add(block);
  return { kind: "text", payload, profile: detect(taker.sample()) };
}

/** The table in the text of a mail, as feeds read it: greeting and signature are no rows. */
async function withoutLetter(payload: Payload): Promise<Payload> {
  if (payload.role !== "body" || payload.format !== "text") return payload;
  const bytes = await tableInBody(payload);
  return {
    ...payload,
    open: async function* () {
      yield bytes;
    },
  };
}

/** The first file inside; a body of a mail only if there is nothing else. */
export async function firstPayload(path: string): Promise<Payload> {
  const input = await inputFile(path);
  let body: Payload | undefined;
  for await (const one of openDelivery(input.source, { door: input.door, name: input.name })) {
    if (one.kind === "problem") throw new UsageError(`${one.report.sentence} ${one.report.hint}`, one.report.code);
    if (one.file.role !== "body") return one.file;
    body ??= one.file;
  }
  if (!body) throw failure("file-empty", { name: input.name });
  return body;
}

export interface UnreadableFile {
  readonly file: string;
  readonly error: { readonly code: string; readonly message: string };
  /** The charset, where the file is refused for it. */
  readonly charset?: string;
}

/** What is printed for a file that cannot be read. */
export function unreadable(file: string, thrown: unknown): UnreadableFile {
  if (thrown instanceof UsageError) return { file, error: { code: thrown.code, message: thrown.message } };
  const failed = asFailure(thrown);
  const { code, sentence, hint }: FailureReport = failed.report;
  const charset = charsetIn(failed.report.evidence);
  return { file, error: { code, message: `${sentence} ${hint}` }, ...(charset === undefined ? {} : { charset }) };
}

function charsetIn(evidence: unknown): string | undefined {
  if (typeof evidence !== "object" || evidence === null || !("charset" in evidence)) return undefined;
  return typeof evidence.charset === "string" ? evidence.charset.toLowerCase() : undefined;
}
