/** The transforms of a mapping, compiled once per file and column. */
import { LinearPattern } from "../../domain/linear-pattern.ts";
import type { Transform } from "../../domain/transforms.ts";
import { CellFault, cutValue, trimCell } from "./cell.ts";

/**
 * Characters of a cell that is transformed, before and after each step: replacing one character by a hundred, again and
 * again, would else fill the memory from one cell.
 */
export const TRANSFORMED_MAX_CHARS = 10_000;

/** Entries of a lookup table named where a value is not among them. */
const SHOWN_ENTRIES = 12;

type Step = (text: string) => string | CellFault;

/** All of them in their order, up to the first fault. The text comes trimmed where the column trims. */
export function compileTransforms(transforms: readonly Transform[], column: string): Step {
  const steps = transforms.map((transform) => compile(transform, column));
  return (raw) => {
    let text = raw;
    for (const step of steps) {
      if (text.length > TRANSFORMED_MAX_CHARS) return tooLong(text, column);
      const now = step(text);
      if (now instanceof CellFault) return now;
      text = now;
    }
    return text.length > TRANSFORMED_MAX_CHARS ? tooLong(text, column) : text;
  };
}

const tooLong = (text: string, column: string) =>
  new CellFault("text-too-long", { column, length: text.length, limit: TRANSFORMED_MAX_CHARS });

function compile(transform: Transform, column: string): Step {
  switch (transform.do) {
    case "trim":
      return trimCell;
    case "upper":
      return (text) => text.toUpperCase();
    case "lower":
      return (text) => text.toLowerCase();
    case "replace":
      return compileReplace(transform);
    case "lookup":
      return compileLookup(transform, column);
    case "split": {
      const { by, part } = transform;
      return (text) => text.split(by).at(part > 0 ? part - 1 : part) ?? "";
    }
    case "default": {
      const { value } = transform;
      return (text) => (trimCell(text) === "" ? value : text);
    }
    case "pad": {
      const { length, with: filling } = transform;
      return (text) => {
        const missing = text === "" ? 0 : length - Array.from(text).length;
        return missing > 0 ? filling.repeat(missing) + text : text;
      };
    }
  }
}

type Of<D extends Transform["do"]> = Extract<Transform, { do: D }>;

function compileReplace({ text: found, pattern, with: replacement }: Of<"replace">): Step {
  if (pattern !== undefined) {
    const linear = new LinearPattern(pattern);
    return (text) => linear.replace(text, replacement);
  }
  if (found === undefined) throw new TypeError("a replace has neither text nor pattern");
  // As a function: a `$` in a replacement text would mean something.
  return (text) => text.replaceAll(found, () => replacement);
}

function compileLookup({ table, otherwise }: Of<"lookup">, column: string): Step {
  const entries = new Map(Object.entries(table));
  const allowed = [...entries.keys()].slice(0, SHOWN_ENTRIES);
  return (text) => {
    const found = entries.get(text);
    if (found !== undefined) return found;
    if (text === "" || otherwise === "keep") return text;
    if (otherwise !== "reject") return otherwise.default;
    return new CellFault("not-in-list", { column, value: cutValue(text), allowed });
  };
}
