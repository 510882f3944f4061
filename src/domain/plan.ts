/**
 * What a file would do to the records of its feed: the plan, and what plan and apply share about the rows of a file. Pure.
 */
import { createHash } from "node:crypto";
import type { ChunkEntry, ChunkHead } from "./chunk.ts";
import { SEPARATOR } from "./chunk.ts";
import type { Allowance } from "./retirement.ts";

/** Why a file is there: it came to be applied or only to be compared, was read again, or was made by us. */
export type FileCause = "delivery" | "dry-run" | "replay" | "reconcile" | "restore";

/** Files that we have made ourselves: what they retire stands in a list, since they are not the whole state. */
export const isOurs = ({ cause }: Pick<FileToApply, "cause">): boolean => cause === "reconcile" || cause === "restore";

/** A file whose chunks are written and which is to be planned or applied. */
export interface FileToApply {
  /** `files.id`; a bigint, so text. */
  readonly id: string;
  readonly customerId: number;
  readonly feedId: number;
  readonly feedMode: "full" | "delta" | "snapshot";
  readonly cause: FileCause;
  readonly adapterVersion: string;
  readonly orderKey: string;
  /** Rows that parse accepted: the sum of `chunks[].rows`. */
  readonly accepted: number;
  /** Decided once, when the file's lease is first taken. `undefined` before that. */
  readonly planMode: "whole" | "diff" | undefined;
  /** A full file behind a newer one that is applied: nothing in it is news. */
  readonly late: boolean;
  /** Its records say some fields and leave the others as they are stored. */
  readonly merges: boolean;
  readonly chunks: readonly ChunkEntry[];
}

/** The columns of a file's facts, as `acquire_lease` and the dry run read them. */
export interface FileRow {
  readonly customer_id: number;
  readonly feed_id: number;
  readonly feed_mode: FileToApply["feedMode"];
  readonly cause: FileCause;
  readonly adapter_version: string;
  readonly order_key: string;
  readonly accepted: number;
  readonly plan_mode: "whole" | "diff" | null;
  readonly late: boolean;
  readonly merges: boolean;
  readonly chunks: ChunkEntry[];
}

export const fileToApply = (id: string, row: FileRow): FileToApply => ({
  id,
  customerId: row.customer_id,
  feedId: row.feed_id,
  feedMode: row.feed_mode,
  cause: row.cause,
  adapterVersion: row.adapter_version,
  orderKey: row.order_key,
  accepted: row.accepted,
  planMode: row.plan_mode ?? undefined,
  late: row.late,
  merges: row.merges,
  chunks: row.chunks,
});

interface PlanBase {
  readonly accepted: number;
  /** Rows whose key stands again further down in the file. */
  readonly superseded: number;
  /** For every key that stands in a tail chunk: the line that counts, its last. */
  readonly lastLines: ReadonlyMap<string, number>;
}

/**
 * `accepted = inserted + changed + unchanged + stale + superseded`.
 * `need`: per chunk number the lines that apply is sent, `inserted + changed + same` of them, in the chunk's own order.
 */
export interface DiffPlan extends PlanBase {
  readonly mode: "diff";
  readonly inserted: number;
  readonly changed: number;
  readonly unchanged: number;
  readonly stale: number;
  /** Rows of a merging file that differ from the last word on their records and say nothing new: counted among `unchanged`. */
  readonly same: number;
  readonly need: ReadonlyMap<number, readonly number[]>;
  /** By the line that stands; empty unless the file merges. */
  readonly folds: ReadonlyMap<number, Fold>;
}

/**
 * A record that a merging file names on several lines: what all of them say together, later over earlier. Applied one after
 * the other, a file that contradicts itself would write new versions every time it comes.
 */
export interface Fold {
  /** Made of the hashes of all its rows. */
  readonly hash: string;
  /** The rows above the one that stands, in the order of the file. */
  readonly earlier: readonly { readonly n: number; readonly line: number }[];
}

/** A row of a head and the number of its chunk. */
export interface PlacedRow {
  readonly n: number;
  readonly line: number;
  readonly hash: string;
}

/** What the rows of one key say together; `undefined` where it is one row. */
export function foldOf(rows: readonly PlacedRow[]): { line: number; fold: Fold } | undefined {
  if (rows.length < 2) return undefined;
  const inOrder = rows.toSorted((a, b) => a.line - b.line);
  const hash = createHash("md5")
    .update(inOrder.map((row) => row.hash).join(","))
    .digest("hex");
  const earlier = inOrder.slice(0, -1).map(({ n, line }) => ({ n, line }));
  return { line: inOrder.at(-1)!.line, fold: { hash, earlier } };
}

/** Every row is sent at once, since most are expected to be new: the counts come from apply. */
export interface WholePlan extends PlanBase {
  readonly mode: "whole";
}

/** Nothing is sent: all rows of a late full file are stale. */
export interface LatePlan extends PlanBase {
  readonly mode: "late";
  readonly stale: number;
}

export type Plan = DiffPlan | WholePlan | LatePlan;

/**
 * What of a plan is stored in `files.plan` for people and the API: the numbers of its rows and, of a full file, of the records
 * that it lacks.
 */
export function planNumbers(plan: Plan, lacks: Partial<Allowance> = {}): Readonly<Record<string, number | string>> {
  const { mode, accepted, superseded } = plan;
  const { allowed, kept } = lacks;
  const base = {
    mode,
    accepted,
    superseded,
    ...(allowed === undefined ? {} : { retired: allowed }),
    ...(kept === undefined ? {} : { kept }),
  };
  if (mode === "whole") return base;
  if (mode === "late") return { ...base, stale: plan.stale };
  const { inserted, changed, unchanged, stale } = plan;
  return { ...base, inserted, changed, unchanged, stale };
}

/**
 * The last line of every key in the tail chunks. A key stands in the tail because parse saw it (or, one time in 2^64, one
 * with the same digest) further up; which it was is settled here and in `standing` by the key itself.
 */
export function lastLinesOf(tails: Iterable<ChunkHead>): Map<string, number> {
  const lastLines = new Map<string, number>();
  for (const tail of tails) {
    for (const [i, key] of tail.keys.entries()) {
      const line = tail.lines[i]!;
      if (line > (lastLines.get(key) ?? 0)) lastLines.set(key, line);
    }
  }
  return lastLines;
}

/** Positions of the rows of a chunk that stand: those whose key does not come again on a later line of the file. */
export function standing(head: ChunkHead, lastLines: ReadonlyMap<string, number>): number[] {
  const positions: number[] = [];
  for (const [i, key] of head.keys.entries()) {
    const last = lastLines.get(key);
    if (last === undefined || last <= head.lines[i]!) positions.push(i);
  }
  return positions;
}

/** Rows as they go to Postgres: keys joined by newline, lines and hashes joined by commas. */
export interface RowsText {
  readonly rows: number;
  readonly keys: string;
  readonly lines: string;
  readonly hashes: string;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Newlines for U+001E. In JSON, in which the text travels, one takes two bytes and the other six; neither can stand in a
 * key (no control characters) or inside a JSON text (escaped).
 */
export const forWire = (text: string): string => text.replaceAll(SEPARATOR, "\n");

/** The head of a chunk for the wire without taking its rows apart. `rows` is what the manifest says; Postgres checks it. */
export function headText(bytes: Uint8Array, rows: number): RowsText {
  const [keys = "", lines = "", hashes = ""] = decoder.decode(bytes).split("\n", 3);
  return { rows, keys: forWire(keys), lines, hashes };
}

/** The chosen rows of a chunk head for the wire, a folded one with the hash of its fold. */
export function chosenText(
  head: ChunkHead,
  positions: readonly number[],
  folds: ReadonlyMap<number, Fold> = new Map(),
): RowsText {
  return {
    rows: positions.length,
    keys: positions.map((i) => head.keys[i]).join("\n"),
    lines: positions.map((i) => head.lines[i]).join(","),
    hashes: positions.map((i) => folds.get(head.lines[i]!)?.hash ?? head.hashes[i]).join(","),
  };
}

export interface FoundLine {
  readonly line: number;
  /** Its place in the list, from 0. */
  readonly at: number;
}

const COMMA = ",".charCodeAt(0);
const ZERO = "0".charCodeAt(0);

/**
 * Which of the `wanted` lines stand in a list of lines ("2,3,5"), and where. Both ascend. Reads the list digit by digit:
 * of 300,000 rows five in a hundred are wanted, and a text for each of the others would cost more than all the rest.
 */
export function findLines(list: string, wanted: readonly number[]): FoundLine[] {
  const found: FoundLine[] = [];
  let next = 0;
  let line = 0;
  for (let i = 0, at = 0; i <= list.length && next < wanted.length; i++) {
    const code = i === list.length ? COMMA : list.charCodeAt(i);
    if (code !== COMMA) {
      line = line * 10 + code - ZERO;
      continue;
    }
    while (next < wanted.length && wanted[next]! < line) next++;
    if (wanted[next] === line) found.push({ line, at });
    at++;
    line = 0;
  }
  return found;
}

/** Several lots of rows as one. Lots without rows are left out: an empty text would read as one empty key. */
export function joinRows(lots: readonly RowsText[]): RowsText {
  const filled = lots.filter((lot) => lot.rows > 0);
  return {
    rows: filled.reduce((sum, lot) => sum + lot.rows, 0),
    keys: filled.map((lot) => lot.keys).join("\n"),
    lines: filled.map((lot) => lot.lines).join(","),
    hashes: filled.map((lot) => lot.hashes).join(","),
  };
}
