/** Dialects of CSVsniffer's annotations. */
import { corpusTruth } from "../../support/corpora.ts";
import type { CaseResult, Corpus } from "../case.ts";
import { isRefused, tableOf } from "../table.ts";

interface Truth {
  readonly file: string;
  readonly fields_delimiter: string;
  readonly quotechar: string;
  readonly records_delimiter: string;
}

const DELIMITERS: Readonly<Record<string, string>> = { comma: ",", semicolon: ";", vslash: "|", tab: "\t", space: " " };
const LINE_ENDS: Readonly<Record<string, string>> = { lf: "\n", crlf: "\r\n", cr: "\r" };
const QUOTES: Readonly<Record<string, string>> = { doublequote: '"', singlequote: "'" };

export const dialects: Corpus = {
  name: "CSVsniffer dialects",
  target: 0.9,
  counting: "right: delimiter and quotation mark as annotated, and the line end where the file has one",
  async run() {
    const results: CaseResult[] = [];
    for (const truth of corpusTruth<Truth>("dialect")) {
      const id = truth.file;
      const table = await tableOf(id);
      if (isRefused(table)) {
        results.push({ id, outcome: "refused", detail: table.refused });
        continue;
      }
      const { dialect, recordDelimiter, undecided, evidence } = table.profile;
      const lineEnd = LINE_ENDS[truth.records_delimiter];
      const oneRow = evidence.recordDelimiter?.startsWith("The only row") ?? false;
      const fits =
        dialect.delimiter === DELIMITERS[truth.fields_delimiter] &&
        dialect.quote === (QUOTES[truth.quotechar] ?? null) &&
        (recordDelimiter === lineEnd || oneRow);
      const asked = undecided.some(({ what }) => what === "delimiter" || what === "quote");
      const found = JSON.stringify([dialect.delimiter, dialect.quote, recordDelimiter]);
      results.push(fits ? { id, outcome: "right" } : { id, outcome: asked ? "wrong" : "silent-wrong", detail: found });
    }
    return results;
  },
};
