/** Exports of DATEV, as the list of the files describes them: a line of metadata, the header, the records. */
import { corpusManifest } from "../../support/corpora.ts";
import type { CaseResult, Corpus } from "../case.ts";
import { isRefused, tableOf } from "../table.ts";

const DESCRIPTION =
  /line (\d+) = metadata .*, line \d+ = header, data from line \d+ \(record widths \d+ then (\d+) x(\d+)\); encoding ([\w-]+) \((\w+) is pure ASCII\)/;

export const erpExports: Corpus = {
  name: "DATEV exports",
  target: 1,
  counting: "right: charset, lines before the header, columns, and the number of records, each with every cell",
  async run() {
    const results: CaseResult[] = [];
    for (const { file, expected } of corpusManifest()) {
      const described = DESCRIPTION.exec(expected);
      if (described) results.push(await caseOf(file, described));
    }
    return results;
  },
};

async function caseOf(
  file: string,
  [, metadata, width, records, charset, ascii]: RegExpExecArray,
): Promise<CaseResult> {
  const table = await tableOf(file);
  if (isRefused(table)) return { id: file, outcome: "refused", detail: table.refused };
  const { profile, rows, misfits } = table;
  const found = [profile.charset, profile.preamble.length, profile.header, profile.columnCount, rows.length, misfits];
  const isAscii = ascii !== undefined && file.includes(ascii);
  const wanted = [isAscii ? "utf-8" : charset, Number(metadata), true, Number(width), Number(records) - 1, 0];
  if (JSON.stringify(found) === JSON.stringify(wanted)) return { id: file, outcome: "right" };
  return { id: file, outcome: "silent-wrong", detail: `${JSON.stringify(found)} for ${JSON.stringify(wanted)}` };
}
