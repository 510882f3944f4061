/** What a file says of itself, so that one that was cut off or sent twice is seen: counts, totals, number, time of making. */
import { z } from "zod";
import { type Column, dateFormatFaults, dateTokens, type MappingFault, pattern, placesOf } from "./column.ts";
import type { FileFormat } from "./format.ts";

/** A regular expression whose first group is the value. */
const valuePattern = pattern.refine(hasGroup, "has no group ( ) around the value");

/** One that is no pattern at all is told as such. */
function hasGroup(source: string): boolean {
  if (!pattern.safeParse(source).success) return true;
  // With nothing as an alternative every text fits, and the groups can be counted.
  return (new RegExp(`${source}|`, "u").exec("")?.length ?? 0) > 1;
}

/**
 * Where a file states something. Lines are counted from 1: those of the preamble, and those of the footer that are not
 * blank. A field is a cell of the line, from 1; a pattern is looked for in the whole line, or in the file's name.
 */
const place = z.union([
  z.object({ preamble: z.number().int().min(1), field: z.number().int().min(1) }).strict(),
  z.object({ preamble: z.number().int().min(1), pattern: valuePattern }).strict(),
  z.object({ footer: z.number().int().min(1), field: z.number().int().min(1) }).strict(),
  z.object({ footer: z.number().int().min(1), pattern: valuePattern }).strict(),
  z.object({ fileName: valuePattern }).strict(),
]);

export type StatedPlace = z.output<typeof place>;

/** What follows from a number that is not the one expected: the file waits for an operator, or it is only told. */
const consequence = z.enum(["hold", "warn"]).default("hold");

export const controlsSchema = z
  .object({
    /** How many data rows there are. */
    rowCount: z
      .object({
        at: place,
        /** Lines that the ERP counts besides: its header, its trailer. */
        more: z.number().int().min(0).max(10).default(0),
      })
      .strict()
      .optional(),
    /** What the values of a number column add up to, written as the values are. */
    totals: z
      .array(z.object({ column: z.string(), at: place }).strict())
      .min(1)
      .optional(),
    /** The number of the file among the files of its feed. */
    sequence: z
      .object({
        at: place,
        gap: consequence,
        repeat: consequence,
        /** The numbers go back. */
        reset: consequence,
        /** The highest number, behind which 0 or 1 follows. */
        wrapsAfter: z.number().int().min(1).optional(),
      })
      .strict()
      .optional(),
    /** When the ERP made the file: tokens as those of a datetime column, with a zone among them or an `offset`. */
    generatedAt: z
      .object({
        at: place,
        format: z.string().min(2),
        century: z.number().int().multipleOf(100).optional(),
        offset: z
          .string()
          .regex(/^(Z|[+-][01]\d:[0-5]\d)$/)
          .optional(),
      })
      .strict()
      .optional(),
  })
  .strict();

export type Controls = z.output<typeof controlsSchema>;
export type SequencePolicy = Pick<NonNullable<Controls["sequence"]>, "gap" | "repeat" | "reset" | "wrapsAfter">;

/** What is wrong with the controls of a feed, as far as its columns and its format are known. */
export function controlFaults(
  controls: Controls | undefined,
  columns: readonly Column[] | undefined,
  file: Pick<FileFormat, "preamble" | "footer"> | undefined,
): MappingFault[] {
  if (controls === undefined) return [];
  const faults: MappingFault[] = [];
  const fault = (path: (string | number)[], message: string) => faults.push({ path: ["controls", ...path], message });
  const { rowCount, totals = [], sequence, generatedAt } = controls;
  const places: [(string | number)[], StatedPlace | undefined][] = [
    [["rowCount"], rowCount?.at],
    ...totals.map(({ at }, i): [(string | number)[], StatedPlace] => [["totals", i], at]),
    [["sequence"], sequence?.at],
    [["generatedAt"], generatedAt?.at],
  ];
  for (const [path, at] of places) {
    if (at === undefined || file === undefined) continue;
    if ("footer" in at && file.footer === undefined)
      fault([...path, "at"], "names a footer line, but the file has none");
    if ("preamble" in at && at.preamble > file.preamble.length) {
      fault([...path, "at"], "names a preamble line that the file has not");
    }
  }
  for (const [i, { column }] of totals.entries()) {
    const found = columns?.find(({ name }) => name === column);
    if (columns === undefined) continue;
    if ((found?.type !== "decimal" && found?.type !== "integer") || placesOf(found.source).length === 0) {
      fault(["totals", i, "column"], `"${column}" is not a column of numbers that the rows hold`);
    }
  }
  if (generatedAt !== undefined) {
    const { format, century, offset } = generatedAt;
    for (const message of dateFormatFaults(format, century, true)) fault(["generatedAt", "format"], message);
    const tokens = dateTokens(format);
    const zoned = tokens.includes("zzz") || tokens.includes("Z");
    if (zoned === (offset !== undefined))
      fault(["generatedAt", "offset"], "is needed, or a zone in the format: one of both");
  }
  return faults;
}
