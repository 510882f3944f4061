/** What may explain a difference besides the record itself: files that wait, and rows that were rejected. */
import { type ChunkHead, decodeHead } from "../domain/chunk.ts";
import { asFailure } from "../domain/failures.ts";
import { inLanes } from "../domain/lanes.ts";
import type { Context, OpenFile, RejectedRow } from "./compare.ts";
import type { ReconcileDeps, SnapshotFile } from "./deps.ts";
import { type OpenFileRow, openFiles, rejectMentions } from "./tables.ts";

/** A reject explains a difference for so long: by then the customer has sent the row again, or will not. */
export const REJECT_EXPLAINS_DAYS = 7;
/** Rejects looked at, those of the snapshot first: a file of usual limits has at most 1,000. */
export const REJECTS_LOOKED_AT = 2_000;
/** Files that wait at once; a feed with more has stopped, and people know. */
export const OPEN_FILES_LOOKED_AT = 20;

const DAY_MS = 86_400_000;

export type Evidence = Pick<Context, "openFiles" | "rejected">;

export const NO_EVIDENCE: Evidence = { openFiles: new Map(), rejected: new Map() };

/** Reads what there is on these keys. Which files wait is asked once per comparison. */
export function evidenceReader(
  deps: ReconcileDeps,
  file: SnapshotFile,
): (keys: readonly string[]) => Promise<Evidence> {
  let waiting: Promise<OpenFileRow[]> | undefined;
  return async (keys) => {
    waiting ??= openFiles(deps, file, OPEN_FILES_LOOKED_AT);
    const wanted = new Set(keys);
    const found = new Map<string, OpenFile>();
    for (const open of await waiting) await lookInto(deps, open, wanted, found);
    return { openFiles: found, rejected: await rejectedRows(deps, file, keys) };
  };
}

/** Adds the keys that stand in the file. The newest file that holds a key is kept. */
async function lookInto(
  deps: ReconcileDeps,
  open: OpenFileRow,
  wanted: ReadonlySet<string>,
  found: Map<string, OpenFile>,
): Promise<void> {
  await inLanes(open.chunks, async (entry) => {
    const head = await headOf(deps, open, entry);
    for (const key of head?.keys ?? []) {
      if (wanted.has(key) && !found.has(key)) found.set(key, { fileId: open.id, state: open.state });
    }
  });
}

/** The chunks of a file that waits for very long have expired: then it explains nothing, and says so in the log. */
async function headOf(
  deps: ReconcileDeps,
  open: OpenFileRow,
  entry: OpenFileRow["chunks"][number],
): Promise<ChunkHead | undefined> {
  try {
    return decodeHead(await deps.chunks.head(open, entry));
  } catch (thrown) {
    if (asFailure(thrown).code !== "chunk-missing") throw thrown;
    deps.log.warn("open-file-without-chunks", { fileId: open.id, n: entry.n });
    return undefined;
  }
}

async function rejectedRows(
  deps: ReconcileDeps,
  file: SnapshotFile,
  keys: readonly string[],
): Promise<Map<string, RejectedRow>> {
  const parts = keys.map(keyTexts);
  const sinceMs = deps.now() - REJECT_EXPLAINS_DAYS * DAY_MS;
  const mentions = await rejectMentions(deps, file, sinceMs, REJECTS_LOOKED_AT, parts.map(longest));
  const found = new Map<string, RejectedRow>();
  for (const { place, file_id, order_key, line, raw, sentence } of mentions) {
    const key = keys[place - 1]!;
    if (found.has(key) || !parts[place - 1]!.every((text) => standsIn(raw, text))) continue;
    found.set(key, { fileId: file_id, orderKey: order_key, line, sentence });
  }
  return found;
}

/** The values that a natural key is joined from, by `|`, in which `\` escapes both. */
export function keyTexts(key: string): string[] {
  const parts = [""];
  for (let i = 0; i < key.length; i++) {
    if (key[i] === "|") parts.push("");
    else parts[parts.length - 1] += key[i] === "\\" ? (key[++i] ?? "") : key[i]!;
  }
  return parts;
}

const longest = (texts: readonly string[]): string => texts.reduce((a, b) => (b.length > a.length ? b : a), "");

/** What goes on as a word, a number or a code: `12` is not in `12.50`, and `ART-1` not in `ART-1-B`. */
const GOES_ON = /[\p{L}\p{N}._/\\-]/u;

/** Whether a text stands in a row as a value, not as a part of a longer one. */
export function standsIn(raw: string, text: string): boolean {
  if (text === "") return true;
  for (let at = raw.indexOf(text); at >= 0; at = raw.indexOf(text, at + 1)) {
    const before = raw.slice(Math.max(0, at - 1), at);
    const after = raw.slice(at + text.length, at + text.length + 1);
    if (!GOES_ON.test(before) && !GOES_ON.test(after)) return true;
  }
  return false;
}
