/** What a mapping does to the text of a cell before it is read as its type. */
import { z } from "zod";

export const transformSchema = z.discriminatedUnion("do", [
  z.object({ do: z.literal("trim") }).strict(),
  z.object({ do: z.literal("upper") }).strict(),
  z.object({ do: z.literal("lower") }).strict(),
]);

export type Transform = z.output<typeof transformSchema>;
