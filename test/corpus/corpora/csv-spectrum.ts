/** csv-spectrum: small files, each with its rows as JSON objects by header. */
import { corpusBytes, corpusTruth } from "../../support/corpora.ts";
import type { CaseResult, Corpus } from "../case.ts";
import { isFlagged, isRefused, tableOf } from "../table.ts";

type Objects = readonly Readonly<Record<string, string>>[];

interface Truth {
  readonly file: string;
  readonly rows_json: Objects | Readonly<Record<string, string>>;
}

export const csvSpectrum: Corpus = {
  name: "csv-spectrum",
  target: 1,
  counting:
    "a file is right if every cell is, to the letter (line ends inside a cell as they stand in the file; a value that stands nowhere in the file is not asked)",
  async run() {
    const results: CaseResult[] = [];
    for (const { file, rows_json } of corpusTruth<Truth>("csv_rows")) {
      const wanted: Objects = Array.isArray(rows_json) ? rows_json : [rows_json as Readonly<Record<string, string>>];
      const table = await tableOf(file);
      if (isRefused(table)) {
        results.push({ id: file, outcome: "refused", detail: table.refused });
        continue;
      }
      const header = table.header ?? [];
      const found = table.rows.map((row) => Object.fromEntries(header.map((name, i) => [name, row[i] ?? ""])));
      const text = new TextDecoder().decode(corpusBytes(file));
      if (isSame(found, wanted, text)) results.push({ id: file, outcome: "right" });
      else
        results.push({ id: file, outcome: isFlagged(table) ? "wrong" : "silent-wrong", detail: JSON.stringify(found) });
    }
    return results;
  },
};

/** A value of the JSON that stands nowhere in the file cannot be asked of its reading: there the two were not kept alike. */
function isSame(found: Objects, wanted: Objects, text: string): boolean {
  if (found.length !== wanted.length) return false;
  return wanted.every((row, i) => {
    const names = Object.keys(row);
    const read = found[i] ?? {};
    if (names.join("\n") !== Object.keys(read).join("\n")) return false;
    return names.every((name) => read[name] === row[name] || !text.includes((row[name] ?? "").replaceAll('"', '""')));
  });
}
