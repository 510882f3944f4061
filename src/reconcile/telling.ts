/** Rows of a report as a person reads them in a mail. Pure. */
import { shown } from "../domain/failures.ts";
import type { DriftNoticeRow } from "../domain/notice.ts";
import type { TellingField } from "./reports.ts";

/** Fields named of a row. */
const NAMED_FIELDS = 3;
const VALUE_MAX_CHARS = 40;

export function tellingRow(row: {
  readonly kind: string;
  readonly key: string;
  readonly fields: readonly TellingField[];
}): DriftNoticeRow {
  const { key, kind } = row;
  if (kind === "missing-here") return { key, here: "not there", there: "there" };
  if (kind === "missing-there") return { key, here: "there", there: "not there" };
  const fields = row.fields.slice(0, NAMED_FIELDS);
  const more = row.fields.length > NAMED_FIELDS ? ` and ${row.fields.length - NAMED_FIELDS} more` : "";
  const side = (of: (field: TellingField) => unknown) =>
    fields.map((field) => `${field.field}: ${valueText(of(field))}`).join("; ") + more;
  return { key, here: side(({ ours }) => ours), there: side(({ theirs }) => theirs) };
}

/** A text stands bare: in a mail nobody looks for its marks. One that could be taken for nothing is named. */
function valueText(value: unknown): string {
  if (value === undefined || value === null) return "empty";
  if (value === "") return "empty text";
  return shown(typeof value === "string" ? value : JSON.stringify(value), VALUE_MAX_CHARS).slice(1, -1);
}
