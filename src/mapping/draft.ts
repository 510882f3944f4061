/** A mapping as somebody writes it down: with its cases, in one JSON document. */
import { z } from "zod";
import { mappingSchema } from "../domain/feed-version.ts";
import { mappingCasesSchema } from "./cases.ts";

/** A sentence or two for whoever asks later why. */
const NOTE_MAX_CHARS = 1_000;

export const mappingDraftSchema = z
  .object({
    mapping: mappingSchema,
    cases: mappingCasesSchema.default([]),
    note: z.string().min(1).max(NOTE_MAX_CHARS).optional(),
  })
  .strict()
  .refine(isStorable, "holds characters that no database text has: U+0000, or half of a surrogate pair");

export type MappingDraft = z.output<typeof mappingDraftSchema>;

const isText = (text: string): boolean => text.isWellFormed() && !text.includes("\0");

/** Whether all names and texts in it can be stored as they are: one that is stored otherwise would mean something else. */
function isStorable(value: unknown): boolean {
  let storable = true;
  JSON.stringify(value, (name, inner: unknown) => {
    storable &&= isText(name) && (typeof inner !== "string" || isText(inner));
    return inner;
  });
  return storable;
}
