/** Numbers and values as people read them. Pure. */
import { shown } from "../domain/failures.ts";
import { grouped, percent } from "../domain/words.ts";

/** `12 of 300 records (4 %)`. */
export const part = (n: number, of: number, what: string): string =>
  `${grouped(n)} of ${grouped(of)} ${what}${of === 0 ? "" : ` (${percent(n / of)})`}`;

/** `3 times as much`, `only 0.5 % of that`: how a number has moved. */
export const times = (before: number, after: number): string =>
  after >= before
    ? `${grouped(Number((after / before).toPrecision(2)))} times as much`
    : `only ${percent(after / before)} of that`;

/** For an "about": 12,401 is no rounder than 12,400. */
export const roughly = (n: number): string => grouped(Number(n.toPrecision(3)));

/** `40 minutes`, `3 hours`, `12 days`. */
export function span(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 120) return `${minutes} minute${minutes === 1 ? "" : "s"}`;
  const hours = Math.round(minutes / 60);
  return hours < 72 ? `${hours} hours` : `${grouped(Math.round(hours / 24))} days`;
}

export const utc = (ms: number): string => {
  const at = new Date(ms);
  return Number.isNaN(at.getTime()) ? "no time at all" : `${at.toISOString().slice(0, 16).replace("T", " ")} UTC`;
};

/** Characters of a value in a table of a mail. */
const VALUE_MAX_CHARS = 40;

/** A value of a record for a cell of a table: one line, nothing invisible. */
export function valueText(value: unknown): string {
  if (value === null || value === undefined || value === "") return "empty";
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
  return shown(text, VALUE_MAX_CHARS).slice(1, -1);
}
