/** The transforms of a mapping, compiled once per file and column. */
import type { Transform } from "../../domain/transforms.ts";
import { trimCell } from "./cell.ts";

type Step = (text: string) => string;

/** All of them in their order. The text comes trimmed where the column trims. */
export function compileTransforms(transforms: readonly Transform[]): Step {
  const steps = transforms.map(compile);
  return (text) => steps.reduce((now, step) => step(now), text);
}

function compile(transform: Transform): Step {
  switch (transform.do) {
    case "trim":
      return trimCell;
    case "upper":
      return (text) => text.toUpperCase();
    case "lower":
      return (text) => text.toLowerCase();
  }
}
