/** One measured figure is one JSON line; the table for people says the same. */
import { cpus, loadavg, release, totalmem, type } from "node:os";

export type Part = "apply" | "plan" | "retire" | "reconcile" | "parse" | "memory" | "fairness";

export interface Figure {
  readonly part: Part;
  readonly figure: string;
  readonly value: number;
  readonly unit: string;
  readonly target: number | null;
  /** Which side of the target is good; null where there is none. */
  readonly aim: "at-most" | "at-least" | null;
  readonly met: boolean | null;
  readonly runs: number;
  readonly min: number;
  readonly median: number;
  readonly max: number;
  readonly machine: string;
}

export type Aim = { readonly atMost: number } | { readonly atLeast: number };

export interface Sizes {
  /** Rows of the usual file; the large one has five times as many. */
  readonly rows: number;
  readonly runs: number;
}

export const LARGE_FACTOR = 5;

export type Report = (figure: Figure) => void;

/** With the load of the last minute: a figure from a busy machine must be known as one. */
export const machine = (): string =>
  `${cpus().length} × ${cpus()[0]?.model ?? "unknown CPU"}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()} ${release()}, node ${process.versions.node}, load ${loadavg()[0]!.toFixed(1)}`;

/** Three significant digits, whole numbers from 100. */
const rounded = (value: number): number => (Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3)));

export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** `worst`: the value is the largest sample and not the median, as counts for a limit that kills. */
export function figureOf(
  part: Part,
  figure: string,
  unit: string,
  samples: readonly number[],
  aim?: Aim,
  worst = false,
): Figure {
  if (samples.length === 0) throw new RangeError(`no sample of ${figure}`);
  const max = Math.max(...samples);
  const value = worst ? max : median(samples);
  const atMost = aim !== undefined && "atMost" in aim;
  const target = aim === undefined ? null : atMost ? aim.atMost : aim.atLeast;
  return {
    part,
    figure,
    value: rounded(value),
    unit,
    target,
    aim: aim === undefined ? null : atMost ? "at-most" : "at-least",
    met: target === null ? null : atMost ? value <= target : value >= target,
    runs: samples.length,
    min: rounded(Math.min(...samples)),
    median: rounded(median(samples)),
    max: rounded(max),
    machine: machine(),
  };
}

const number = (value: number): string => value.toLocaleString("en");

/** The figures as a table of plain text, one part after the other. */
export function tableOf(figures: readonly Figure[]): string {
  const header = ["part", "figure", "value", "target", "", "min … max", "runs"];
  const body = figures.map((f) => [
    f.part,
    f.figure,
    `${number(f.value)} ${f.unit}`.trim(),
    f.target === null ? "" : `${f.aim === "at-most" ? "≤" : "≥"} ${number(f.target)}`,
    f.met === null ? "" : f.met ? "met" : "MISSED",
    f.runs > 1 ? `${number(f.min)} … ${number(f.max)}` : "",
    String(f.runs),
  ]);
  const widths = header.map((title, i) => Math.max(title.length, ...body.map((cells) => cells[i]!.length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (i === 2 ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join("  ")
      .trimEnd();
  return [line(header), line(widths.map((width) => "─".repeat(width))), ...body.map(line)].join("\n");
}
