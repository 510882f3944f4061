/** Exports of AdventureWorks: rows, columns, first and last record, as the load scripts of the same commit say. */
import { corpusTruth } from "../../support/corpora.ts";
import type { CaseResult, Corpus } from "../case.ts";
import { isRefused, tableOf } from "../table.ts";

interface Truth {
  readonly file: string;
  readonly field_delimiter: string;
  readonly record_delimiter: string;
  readonly n_rows: number;
  readonly n_columns: number;
  readonly first_record: string;
  readonly last_record: string;
}

/** The truth keeps so many characters of a record. */
const KEPT_CHARS = 200;

export const adventureworks: Corpus = {
  name: "AdventureWorks",
  target: 1,
  counting: "a file is right if rows, columns, first and last record are, to the letter",
  async run() {
    const results: CaseResult[] = [];
    for (const truth of corpusTruth<Truth>("adventureworks")) results.push(await caseOf(truth));
    return results;
  },
};

async function caseOf(truth: Truth): Promise<CaseResult> {
  const table = await tableOf(truth.file);
  const id = truth.file;
  if (isRefused(table)) return { id, outcome: "refused", detail: table.refused };
  const wanted = [truth.n_rows, truth.n_columns, false, truth.first_record, truth.last_record];
  const joined = (row: readonly string[] | undefined, record: string) => {
    const text = row?.join(truth.field_delimiter);
    return record.length < KEPT_CHARS ? text : text?.slice(0, record.length);
  };
  const { profile, rows } = table;
  const found = [
    rows.length,
    profile.columnCount,
    profile.header,
    joined(rows[0], truth.first_record),
    joined(rows.at(-1), truth.last_record),
  ];
  if (JSON.stringify(found) === JSON.stringify(wanted)) return { id, outcome: "right" };
  return {
    id,
    outcome: "silent-wrong",
    detail: `${JSON.stringify(found)} for ${JSON.stringify(wanted)}`.slice(0, 300),
  };
}
