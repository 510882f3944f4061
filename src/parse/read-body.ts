/**
 * The table in the text of a mail as rows of a feed. The lines around it are in the books of the file: a greeting is
 * preamble, what stands behind the table is footer. Where it is not sure what is a row, nothing is read.
 */
import type { Feed } from "../domain/adapter.ts";
import { failure } from "../domain/failures.ts";
import { BODY_MAX_CHARS, bodyTable } from "./open/body-table.ts";
import type { Payload } from "./open/open.ts";
import { collect } from "./open/source.ts";
import type { LineKind } from "./table/books.ts";
import { Meter } from "./table/meter.ts";
import type { RowSource } from "./table/parse-file.ts";
import type { RowBatch } from "./table/row-batch.ts";
import { rowBatches } from "./table/rows.ts";
import { TextReader } from "./table/text.ts";

/** Throws `file-empty`, `body-undecided`, `wrong-charset`, `nul-bytes`; its batches throw what the readers of rows throw. */
export async function bodySource({ file }: Feed, payload: Payload): Promise<RowSource> {
  const meter = new Meter();
  const reader = new TextReader({ charset: file.charset, recordDelimiter: "line" });
  let text = "";
  for await (const slice of reader.slices(meter.over(payload.open()))) {
    if (text.length + slice.length > BODY_MAX_CHARS) {
      throw failure("body-undecided", { questions: [`it is longer than ${BODY_MAX_CHARS} characters`] });
    }
    text += slice;
  }
  if (text.trim() === "") throw failure("file-empty", { name: payload.name });
  const { rows, others, undecided } = bodyTable(text, [file.delimiter]);
  const lines = text.split(/\r\n|\n|\r/).slice(0, reader.lines);
  const isNamed = (line: number): boolean => others.some((range) => range.from <= line && line < range.to);
  const unnamed = lines.flatMap((line, i) => {
    const isRow = rows !== undefined && rows.from <= i + 1 && i + 1 < rows.to;
    return isRow || isNamed(i + 1) || line.trim() === ""
      ? []
      : [`line ${i + 1} is neither a row nor known as another thing`];
  });
  const questions = undecided.length > 0 ? undecided : unnamed;
  if (rows === undefined || questions.length > 0) throw failure("body-undecided", { questions: [...questions] });

  const around = (from: number, to: number, kind: LineKind): RowBatch => {
    const part = lines.slice(from - 1, to - 1);
    return {
      rows: part.map((line) => [line]),
      firstLine: from,
      spans: null,
      broken: null,
      asides: new Map(part.map((line, i) => [i, line.trim() === "" ? "blank" : kind])),
      raw: (index) => part[index] ?? "",
    };
  };
  async function* batches(): AsyncGenerator<RowBatch, void> {
    if (rows === undefined) return;
    yield around(1, rows.from, "preamble");
    for await (const batch of rowBatches(once(rows.text), file)) {
      yield { ...batch, firstLine: batch.firstLine + rows.from - 1 };
    }
    yield around(rows.to, lines.length + 1, "footer");
  }
  return {
    batches: batches(),
    lines: () => reader.lines,
    bytes: () => meter.bytes,
    contentSha256: () => meter.sha256(),
  };
}

/**
 * The bytes of the table alone, for detection, which then finds their charset: it is enough to look at lines as UTF-8 or,
 * where they are not, byte by byte. Throws `file-empty` and `body-undecided`.
 */
export async function tableInBody(payload: Payload): Promise<Uint8Array> {
  const { bytes, complete } = await collect(payload.open(), BODY_MAX_CHARS);
  const utf8 = Buffer.from(bytes).toString("utf8");
  const encoding = utf8.includes("\ufffd") ? "latin1" : "utf8";
  const text = encoding === "utf8" ? utf8 : Buffer.from(bytes).toString(encoding);
  if (text.trim() === "") throw failure("file-empty", { name: payload.name });
  const { rows, undecided } = bodyTable(text);
  const questions = complete ? [...undecided] : [`it is longer than ${BODY_MAX_CHARS} bytes`];
  if (rows === undefined || questions.length > 0) throw failure("body-undecided", { questions });
  return Buffer.from(rows.text, encoding);
}

async function* once(text: string): AsyncGenerator<string> {
  yield text;
}
