/** One way to read a cell in tests: what would stand in the record, or the code of the fault. */
import type { z } from "zod";
import { type Column, columnSchema } from "../../../src/domain/column.ts";
import { report } from "../../../src/domain/failures.ts";
import { CellFault } from "../../../src/parse/table/cell.ts";
import { compileColumn } from "../../../src/parse/table/columns.ts";

export type ColumnInput =
  z.input<typeof columnSchema> extends infer C ? (C extends unknown ? Omit<C, "name" | "source"> : never) : never;

export const columnOf = (input: ColumnInput): Column =>
  columnSchema.parse({ name: "field", source: { header: "Field" }, ...input });

const read = (input: ColumnInput, raw: string, isKey: boolean) => {
  const { parse, quoted } = compileColumn(columnOf(input), { label: "Field", isKey });
  return { result: parse(raw), quoted };
};

/** The value as in the record; `{ fault }` where it is refused; undefined where the field is left out. */
export function stored(input: ColumnInput, raw: string, isKey = false): unknown {
  const { result, quoted } = read(input, raw, isKey);
  if (result instanceof CellFault) return { fault: result.code };
  if (result === null || result === undefined) return result;
  return JSON.parse(quoted ? `"${result}"` : result) as unknown;
}

/** What the contact reads of a cell that is refused. */
export function told(input: ColumnInput, raw: string): { sentence: string; hint: string } {
  const { result } = read(input, raw, false);
  if (!(result instanceof CellFault)) throw new Error(`${raw} is not refused`);
  const { sentence, hint } = report(result.code, result.evidence);
  return { sentence, hint };
}

export const fault = (code: string) => ({ fault: code });
