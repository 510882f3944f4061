/** What a mapping does to the text of a cell before it is read as its type. */
import { z } from "zod";
import { LinearPattern, PatternFault } from "./linear-pattern.ts";

/** Entries of one lookup table: a code list, not a data set. */
export const LOOKUP_MAX_ENTRIES = 5_000;
/** Characters of a text in a transform. */
const TEXT_MAX_CHARS = 1_000;
/** Characters put in the place of one that is found: bounds how much a cell can grow. */
const REPLACEMENT_MAX_CHARS = 100;
/** Parts of a cell that `split` counts. */
const MAX_PARTS = 1_000;
/** Characters that `pad` fills up to. */
const PAD_MAX_CHARS = 100;
/** Transforms of one column. */
const MAX_TRANSFORMS = 20;

const text = z.string().max(TEXT_MAX_CHARS);

/** See `linear-pattern.ts`. One that can be found where there is nothing would be found everywhere. */
const replacedPattern = z.string().superRefine((source, context) => {
  try {
    if (new LinearPattern(source).matchesNothing) {
      context.addIssue({ code: "custom", message: "can be found where there is nothing" });
    }
  } catch (error) {
    if (!(error instanceof PatternFault)) throw error;
    context.addIssue({ code: "custom", message: error.message });
  }
});

export const transformSchema = z.discriminatedUnion("do", [
  /** Without blanks, tabs and U+FEFF at both ends. */
  z.object({ do: z.literal("trim") }).strict(),
  z.object({ do: z.literal("upper") }).strict(),
  z.object({ do: z.literal("lower") }).strict(),
  /** Every place where `text` (to the letter) or `pattern` is found becomes `with` (to the letter). */
  z
    .object({
      do: z.literal("replace"),
      text: text.min(1).optional(),
      pattern: replacedPattern.optional(),
      with: z.string().max(REPLACEMENT_MAX_CHARS),
    })
    .strict()
    .refine((replace) => (replace.text === undefined) !== (replace.pattern === undefined), {
      path: ["text"],
      message: "goes without pattern: give one of the two",
    }),
  /**
   * What is written → what it stands for. What the table has not is refused (`reject`), kept as it is (`keep`) or becomes a
   * `default`. A blank cell stays blank unless the table lists it.
   */
  z
    .object({
      do: z.literal("lookup"),
      table: z
        .record(text, text)
        .refine((table) => Object.keys(table).length >= 1, "is empty")
        .refine(
          (table) => Object.keys(table).length <= LOOKUP_MAX_ENTRIES,
          `has more than ${LOOKUP_MAX_ENTRIES} entries`,
        ),
      otherwise: z.union([z.enum(["reject", "keep"]), z.object({ default: text }).strict()]),
    })
    .strict(),
  /** One part of the text between separators: 1 is the first, -1 the last. Blank where there is no such part. */
  z
    .object({
      do: z.literal("split"),
      by: text.min(1),
      part: z
        .number()
        .int()
        .min(-MAX_PARTS)
        .max(MAX_PARTS)
        .refine((part) => part !== 0, "is 0: the first part is 1, the last -1"),
    })
    .strict(),
  /** What a blank cell becomes. */
  z.object({ do: z.literal("default"), value: text.min(1) }).strict(),
  /** Filled up from the left: for leading zeros that a program is known to drop. Blank cells stay blank. */
  z
    .object({
      do: z.literal("pad"),
      length: z.number().int().min(1).max(PAD_MAX_CHARS),
      with: z
        .string()
        .refine((filling) => Array.from(filling).length === 1, "is not one character")
        .default("0"),
    })
    .strict(),
]);

export const transformsSchema = z.array(transformSchema).min(1).max(MAX_TRANSFORMS);

export type Transform = z.output<typeof transformSchema>;
