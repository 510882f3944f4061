/**
 * What heals drift: a file of the feed with the place of the snapshot, whose rows are those that differ and that nothing
 * explains. It goes the normal way: plan, gate, apply decide again, so a record that a newer file has changed meanwhile stays
 * as it is. Here it is made as data; who writes it down and sends it on its way stands elsewhere.
 */
import { hash } from "node:crypto";
import { CHUNK_MAX_DATA_BYTES, CHUNK_MAX_ROWS, type ChunkEntry, encodeChunk } from "../domain/chunk.ts";
import type { Drift, Values } from "./compare.ts";
import type { Comparison } from "./comparison.ts";
import type { ReconcileDeps, Reconciliation, SnapshotFile } from "./deps.ts";
import type { StoredReport } from "./reports.ts";
import { DriftTally } from "./tally.ts";
import { outgrown } from "./verdict.ts";
import { walk } from "./walk.ts";

/** Why the file exists; it stands in the file's row and in the audit log. */
export const HEALING_CAUSE = "reconcile";

export interface HealingRow {
  readonly key: string;
  /** Line of the snapshot that says it. */
  readonly line: number;
  readonly hash: string;
  /** JSON text. */
  readonly text: string;
}

/** A record that the snapshot does not have. */
export interface Retirement {
  readonly key: string;
  /** `records.id`; a bigint, so text. */
  readonly id: string;
  /** The version that was compared: another one is not to be retired. */
  readonly version: number;
}

/** A record whose data is another than its hash says: it would be found unchanged, so its hash goes first (`break_seals`). */
export type BrokenSeal = readonly [key: string, hash: string];

export interface Healing {
  readonly rows: readonly HealingRow[];
  readonly retire: readonly Retirement[];
  readonly broken: readonly BrokenSeal[];
}

/** What heals these; rows in the order of the snapshot. */
export function healing(drifts: readonly Drift[], comparison: Comparison): Healing {
  const rows: HealingRow[] = [];
  const retire: Retirement[] = [];
  const broken: BrokenSeal[] = [];
  for (const { explanation, ours, theirs } of drifts) {
    if (explanation !== undefined) continue;
    if (theirs === undefined) {
      if (ours !== undefined) retire.push({ key: ours.key, id: ours.id, version: ours.version });
      continue;
    }
    const active = ours?.status === "active" ? ours : undefined;
    const said = comparison.heals === "whole" ? theirs : statement(theirs.record, comparison, active === undefined);
    rows.push({ key: theirs.key, line: theirs.line, hash: said.hash, text: said.text });
    if (active?.hash === said.hash) broken.push([theirs.key, said.hash]);
  }
  rows.sort((a, b) => a.line - b.line);
  return { rows, retire, broken };
}

/** The compared fields of a row. The platform's are said of a record that is new here, and left alone where it is known. */
function statement(record: Values, { fields, platformFields }: Comparison, isNew: boolean) {
  const said = fields.filter((field) => field in record && (isNew || !platformFields.includes(field)));
  const text = JSON.stringify(Object.fromEntries(said.map((field) => [field, record[field]])));
  return { text, hash: hash("md5", text, "hex") };
}

/** What becomes of the parts of a healing. All may be called again with the same: a second attempt begins anew. */
export interface HealingSink {
  chunk(entry: ChunkEntry, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  retire(records: readonly Retirement[]): Promise<void>;
  /** For `break_seals`, before the file is planned. */
  broken(seals: readonly BrokenSeal[]): Promise<void>;
}

/** The facts of the file that heals, for its row in `files`. */
export interface HealingFile {
  readonly cause: typeof HEALING_CAUSE;
  readonly customerId: number;
  readonly feedId: number;
  /** The snapshot. */
  readonly snapshotFileId: string;
  /** The place of the snapshot: what a newer file has said stays. */
  readonly orderKey: string;
  /** Its records say some fields and leave the others as they are. */
  readonly merges: boolean;
  readonly accepted: number;
  readonly retired: number;
  readonly chunks: readonly ChunkEntry[];
}

/** More differs than may be healed: why, in words. What was made till then is not to be used. */
export interface Outgrown {
  readonly outgrown: string;
}

/**
 * Makes the file that heals what the snapshot shows now: it is compared again, since hours may lie between a report and its
 * release, and what is found then is held against its limits again. Throws what `reconcileFile` throws.
 * @param report is healing or released
 * @param firstN number of the first chunk: two attempts at once must not write the same
 */
export async function healingFile(
  deps: ReconcileDeps,
  report: Pick<StoredReport, "state" | "records" | "drift" | "missingThere">,
  file: SnapshotFile,
  how: Reconciliation,
  sink: HealingSink,
  firstN = 0,
): Promise<HealingFile | Outgrown> {
  const { comparison } = how;
  const walked = await walk(deps, file, how, report.records ?? 0);
  const tally = new DriftTally();
  const entries: ChunkEntry[] = [];
  let waiting: HealingRow[] = [];
  let retired = 0;
  const write = async (rows: readonly HealingRow[]) => {
    const { bytes, entry } = encodeChunk(firstN + entries.length, chunkOf(rows), false);
    await sink.chunk(entry, bytes);
    entries.push(entry);
  };
  for await (const page of walked.pages()) {
    for (const drift of page) tally.add(drift);
    const why = outgrown(report, tally.numbers(walked), how.limits, file.unread);
    if (why !== undefined) return { outgrown: why };
    const { rows, retire, broken } = healing(page, comparison);
    if (broken.length > 0) await sink.broken(broken);
    if (retire.length > 0) await sink.retire(retire);
    retired += retire.length;
    waiting.push(...rows);
    const cuts = cutChunks(waiting);
    for (const rows of cuts.full) await write(rows);
    waiting = cuts.rest;
  }
  if (waiting.length > 0) await write(waiting);
  return {
    cause: HEALING_CAUSE,
    customerId: file.customerId,
    feedId: file.feedId,
    snapshotFileId: file.id,
    orderKey: file.orderKey,
    merges: comparison.heals === "fields",
    accepted: entries.reduce((sum, { rows }) => sum + rows, 0),
    retired,
    chunks: entries,
  };
}

/** Lines ascend in a chunk, as those of any file. */
function chunkOf(rows: readonly HealingRow[]) {
  const inOrder = rows.toSorted((a, b) => a.line - b.line);
  return {
    keys: inOrder.map(({ key }) => key),
    lines: inOrder.map(({ line }) => line),
    hashes: inOrder.map(({ hash }) => hash),
    records: inOrder.map(({ text }) => text),
  };
}

/** Chunks that are full, and what is left for the next. */
function cutChunks(rows: readonly HealingRow[]): { full: HealingRow[][]; rest: HealingRow[] } {
  const full: HealingRow[][] = [];
  let rest: HealingRow[] = [];
  let bytes = 0;
  for (const row of rows) {
    const more = Buffer.byteLength(row.text) + 1;
    if (rest.length === CHUNK_MAX_ROWS || (rest.length > 0 && bytes + more > CHUNK_MAX_DATA_BYTES)) {
      full.push(rest);
      rest = [];
      bytes = 0;
    }
    rest.push(row);
    bytes += more;
  }
  return { full, rest };
}
