/** Prose in known charsets, and pairs of exports of one table in two charsets. */

import { asFailure } from "../../../src/domain/failures.ts";
import { detectCharset } from "../../../src/parse/detect/charset.ts";
import { decodeWhole } from "../../../src/parse/detect/decoders.ts";
import { sampleOf } from "../../../src/parse/detect/sample.ts";
import { corpusBytes, corpusTruth } from "../../support/corpora.ts";
import type { CaseResult, Corpus } from "../case.ts";
import { isRefused, tableOf } from "../table.ts";

interface Truth {
  readonly file: string;
  readonly charset: string;
}

/** No flat file has them: the platform's own standard forbids them or never had them. */
const NOT_IN_FLAT_FILES = new Set(["ISO-2022-CN", "UTF-32BE", "UTF-32LE"]);

export const charsets: Corpus = {
  name: "charset table",
  target: 1,
  counting:
    "right: the same text as the named charset gives, whatever the name (ISO-8859-1 and windows-1252 are one where no byte differs); UTF-32 and ISO-2022-CN: right if refused by name; a file that is not text of the named charset: right if it is refused as such (utf16be begins with the mark of UTF-16BE and goes on in UTF-16LE, so no charset reads it whole)",
  async run() {
    return corpusTruth<Truth>("charset").map(charsetCase);
  },
};

function charsetCase({ file, charset }: Truth): CaseResult {
  const bytes = corpusBytes(file);
  const id = `${file} ${charset}`;
  const name = charset === "ASCII" ? "utf-8" : charset.toLowerCase();
  try {
    const found = detectCharset(sampleOf(bytes));
    if (decodeWhole(bytes, found.charset) === decodeWhole(bytes, name)) return { id, outcome: "right" };
    const asked = found.undecided.some((question) => question.what === "charset");
    return { id, outcome: asked ? "wrong" : "silent-wrong", detail: found.evidence };
  } catch (thrown) {
    const failed = asFailure(thrown);
    if (failed.code === "internal-error") throw thrown;
    const byName = failed.code === "charset-unsupported" && failed.message.includes(charset);
    if (byName && NOT_IN_FLAT_FILES.has(charset)) return { id, outcome: "right" };
    if (failed.code === "wrong-charset" && decodeWhole(bytes, name) === undefined) return { id, outcome: "right" };
    return { id, outcome: "refused", detail: failed.message };
  }
}

interface Pair {
  readonly legacy: string;
  readonly utf8: string;
  readonly key_column: number;
  readonly text_columns: readonly number[];
  readonly rows_equal: number;
}

export const charsetPairs: Corpus = {
  name: "charset pairs",
  target: 1,
  counting: "a pair is right if as many rows as told have the same texts in both files",
  async run() {
    const results: CaseResult[] = [];
    for (const pair of corpusTruth<Pair>("charset_pairs")) results.push(await pairCase(pair));
    return results;
  },
};

async function pairCase(pair: Pair): Promise<CaseResult> {
  const id = `${pair.legacy} ${pair.utf8}`;
  const [legacy, utf8] = [await tableOf(pair.legacy), await tableOf(pair.utf8)];
  if (isRefused(legacy)) return { id, outcome: "refused", detail: legacy.refused };
  if (isRefused(utf8)) return { id, outcome: "refused", detail: utf8.refused };
  const texts = (row: readonly string[]) => JSON.stringify(pair.text_columns.map((column) => row[column]));
  const byKey = new Map(utf8.rows.map((row) => [row[pair.key_column], texts(row)]));
  const equal = legacy.rows.filter((row) => byKey.get(row[pair.key_column]) === texts(row)).length;
  if (equal === pair.rows_equal) return { id, outcome: "right" };
  return { id, outcome: "silent-wrong", detail: `${equal} rows equal, ${pair.rows_equal} expected` };
}
