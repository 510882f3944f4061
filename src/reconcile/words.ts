/** A difference in a sentence that a person reads who has never seen the system. Pure. */
import { shown } from "../domain/failures.ts";
import type { Drift, Explanation, FieldDrift } from "./compare.ts";
import { asOfMsIn } from "./order.ts";

/** Fields named in a sentence. */
const NAMED_FIELDS = 3;

/** What was found of one record, and why, where that is known. */
export function driftSentence(drift: Drift): string {
  return `${found(drift)} ${drift.explanation === undefined ? cause(drift) : because(drift.explanation)}`;
}

function found({ kind, key, ours, fields }: Drift): string {
  switch (kind) {
    case "missing-here":
      return ours === undefined
        ? `${shown(key)} is in the ERP's list and not here.`
        : `${shown(key)} is in the ERP's list and was retired here.`;
    case "missing-there":
      return `${shown(key)} is here and not in the ERP's list.`;
    case "differs": {
      const named = fields.slice(0, NAMED_FIELDS).map(inWords).join("; ");
      const more = fields.length > NAMED_FIELDS ? ` and ${fields.length - NAMED_FIELDS} more` : "";
      return `${shown(key)} differs: ${named}${more}.`;
    }
  }
}

const inWords = ({ field, ours, theirs }: FieldDrift): string =>
  `${field} is ${value(ours)} here and ${value(theirs)} in the ERP`;

/** A text stands in “…”, a number does not: "5" and 5 are not the same. */
function value(of: unknown): string {
  if (of === undefined || of === null) return "empty";
  return typeof of === "string" ? shown(of, 40) : shown(JSON.stringify(of), 40).slice(1, -1);
}

function cause({ ours }: Drift): string {
  if (ours === undefined) return "Nothing explains it.";
  if (ours.retiredBy !== undefined) {
    return `File ${ours.retiredBy} (as of ${time(asOfMsIn(ours.orderKey))}) retired it, and the ERP's list is newer.`;
  }
  return `Nothing explains it; here it is version ${ours.version}, last changed as of ${time(asOfMsIn(ours.orderKey))}.`;
}

function because(explanation: Explanation): string {
  switch (explanation.reason) {
    case "newer-file":
      return explanation.confirmed
        ? "A file that is newer than the list has said it as it is here."
        : `A newer file (as of ${time(explanation.asOfMs)}) has changed it since.`;
    case "retired-here":
      return `A newer file (as of ${time(explanation.asOfMs)}) has retired it since.`;
    case "too-close":
      return `It was changed as of ${time(explanation.asOfMs)}, so shortly before the list that the list may not know it.`;
    case "held-file":
      return `File ${explanation.fileId}, which says it, is held and waits for a decision.`;
    case "file-under-way":
      return `File ${explanation.fileId}, which says it, is being applied.`;
    case "rejected-row":
      return `The row in line ${explanation.line} of file ${explanation.fileId} was refused: ${explanation.sentence}`;
    case "unread-rows":
      return "Rows of the list are missing or could not be read, and it may be one of them.";
    case "platform-field":
      return `The platform may differ in ${explanation.fields.join(", ")}.`;
  }
}

const time = (ms: number): string => `${new Date(ms).toISOString().slice(0, 16).replace("T", " ")} UTC`;
