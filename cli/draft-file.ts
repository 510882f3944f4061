/** Drafts of mappings in files of this machine. */
import { existsSync, readFileSync } from "node:fs";
import { type MappingDraft, mappingDraftSchema } from "../src/mapping/draft.ts";
import { UsageError } from "./command.ts";

/** Faults named in one sentence; --url … draft names all. */
const NAMED_FAULTS = 5;

/** A JSON file. Throws UsageError. */
export function jsonFile(path: string): unknown {
  if (!existsSync(path)) throw new UsageError(`there is no file ${path}`, "no-such-file");
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UsageError(`${path} is not JSON: ${error.message.split("\n", 1)[0]}`, "not-json");
  }
}

/** `{"mapping": {columns, key}, "cases": […], "note": …}`. Throws UsageError that names the first faults with their paths. */
export function draftFile(path: string): MappingDraft {
  const read = mappingDraftSchema.safeParse(jsonFile(path));
  if (read.success) return read.data;
  const { issues } = read.error;
  const named = issues
    .slice(0, NAMED_FAULTS)
    .map(({ path: at, message }) => `${at.map(String).join(".") || "the whole"}: ${plain(message)}`);
  const more = issues.length > NAMED_FAULTS ? `; and ${issues.length - NAMED_FAULTS} more` : "";
  throw new UsageError(`${path} is no mapping: ${named.join("; ")}${more}`, "invalid-draft");
}

/** What is not there is told as that. */
const plain = (message: string): string => (message.endsWith("received undefined") ? "is missing" : message);
