/**
 * The digest of a preview: it names what a restore would do to which version of which record. An order names it, so that nobody
 * restores what he has not looked at. Pure.
 */
import { createHash } from "node:crypto";

/** Of the differences of a part, in binary digits, as Postgres writes bit(128). */
export const SUM_BITS = 128;

/** Two sums as one; in which order they are taken makes no difference, and nothing is twice among differences. */
export const together = (one: string, other: string): string => text(BigInt(`0b${one}`) ^ BigInt(`0b${other}`));

/** The sum of rows by their marks (32 hex digits each). */
export const sumOf = (marks: Iterable<string>): string => {
  let sum = 0n;
  for (const mark of marks) sum ^= BigInt(`0x${mark}`);
  return text(sum);
};

export const NOTHING = "0".repeat(SUM_BITS);

const text = (sum: bigint): string => sum.toString(2).padStart(SUM_BITS, "0");

/** 64 hex digits. The same of the same customer, moment and differences, whatever was asked for. */
export function digestOf(
  customer: string,
  to: string,
  feeds: readonly { readonly feed: string; readonly sum: string; readonly rows: number }[],
): string {
  const said = feeds.filter(({ rows }) => rows > 0).map(({ feed, sum, rows }) => [feed, sum, rows]);
  return createHash("sha256")
    .update(JSON.stringify([customer, to, said]))
    .digest("hex");
}
