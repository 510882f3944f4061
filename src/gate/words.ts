/** Numbers and values as people read them. Pure. */
import { shown } from "../domain/failures.ts";

/** `12,345`; fractions to two places. */
export function grouped(n: number): string {
  const [whole = "", fraction] = String(Number(n.toFixed(2))).split(".");
  const marked = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return fraction === undefined ? marked : `${marked}.${fraction}`;
}

export const percent = (share: number): string => `${Number((share * 100).toPrecision(2))} %`;

/** `12 of 300 records (4 %)`. */
export const part = (n: number, of: number, what: string): string =>
  `${grouped(n)} of ${grouped(of)} ${what}${of === 0 ? "" : ` (${percent(n / of)})`}`;

/** `3 times as much`, `a tenth of it`: how a number has moved. */
export function times(before: number, after: number): string {
  if (after === 0) return "nothing of it";
  const factor = after / before;
  return factor >= 1
    ? `${grouped(Number(factor.toPrecision(2)))} times as much`
    : `one part in ${grouped(Number((1 / factor).toPrecision(2)))}`;
}

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
