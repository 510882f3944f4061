/**
 * What is stored of each record, from what the files of its feed said and when they were applied. Where a file died half way,
 * came late or was barred from retiring, more than one answer is right; all others are told.
 */

import { isStopped } from "./holds.ts";
import { grouped, inOrder, type KnownFile, nameOf, same, text } from "./known.ts";
import type { Violation } from "./model.ts";
import type { FileRow, RecordRow, Tables } from "./tables.ts";
import type { Said } from "./workload.ts";

/** What may stand of a record: what a file said, or that it is gone: retired, or never written. */
type Word = { readonly file: KnownFile; readonly said: Said } | { readonly file?: KnownFile; readonly gone: true };

/** `known`: all files that came, and those that heal. `edited`: what somebody has edited by hand is judged elsewhere. */
export function recordFaults(
  { records }: Pick<Tables, "records">,
  known: readonly KnownFile[],
  edited: ReadonlySet<string>,
): Violation[] {
  const faults: Violation[] = [];
  const stored = new Map(
    records.flatMap((record) => (edited.has(nameOf(record)) ? [] : [[nameOf(record), record] as const])),
  );
  const speaking = known.filter(({ row }) => row.state !== "duplicate" && row.state !== "compared" && !isStopped(row));
  for (const [feed, files] of grouped(inOrder(speaking), (file) => file.row.feed)) {
    for (const key of new Set(files.flatMap(({ says }) => [...says.keys()]))) {
      const name = nameOf({ feed, key });
      if (edited.has(name)) continue;
      faults.push(...faultsOf(name, stored.get(name), wordsAbout(key, files)));
      stored.delete(name);
    }
  }
  for (const [name, record] of stored) {
    faults.push({
      rule: "no record that nobody sent",
      subject: name,
      about: [],
      expected: "none",
      found: text(record),
    });
  }
  return faults;
}

/** All words that may be the last, the newest first. The walk ends at a word that nothing behind it can undo. */
function wordsAbout(key: string, files: readonly KnownFile[]): Word[] {
  const words: Word[] = [];
  for (const [i, file] of [...files.entries()].reverse()) {
    const newer = files.slice(i + 1).flatMap(({ row, healed }) => (healed === undefined ? [row] : []));
    const said = file.says.get(key);
    if (file.healed !== undefined) {
      if (!file.healed.has(key)) continue;
      words.push(said === undefined ? { file, gone: true } : { file, said });
      return words;
    }
    if (said !== undefined) {
      words.push({ file, said });
      if (isWhole(file, newer)) return words;
    } else if (retires(file, key)) {
      words.push({ file, gone: true });
      if (isWhole(file, newer) && newer.every((row) => !hadBegun(row, file.row))) return words;
    }
  }
  words.push({ gone: true });
  return words;
}

/** A complete file says of each record that it does not name that it is gone, unless it names it in a row nobody could take. */
const retires = ({ mail, row, names, unread }: KnownFile, key: string): boolean =>
  mail.kind.mode === "full" && row.state === "applied" && !unread && !names.has(key);

/** All of it was applied. What comes behind a newer full file is applied, too, and may have said a part before, or nothing. */
const isWhole = ({ mail, row }: KnownFile, newer: readonly FileRow[]): boolean =>
  row.state === "applied" &&
  (mail.kind.mode !== "full" ||
    newer.every((other) => other.applied_ms === null || other.applied_ms > row.applied_ms!));

/** Before the end of `row`, when a newer one that has begun keeps it from retiring. */
const hadBegun = (newer: FileRow, row: FileRow): boolean =>
  newer.started_ms !== null && newer.started_ms <= row.applied_ms!;

function faultsOf(name: string, record: RecordRow | undefined, words: readonly Word[]): Violation[] {
  const broken = (rule: string, found: string): Violation[] => [
    {
      rule,
      subject: name,
      about: words.flatMap(({ file }) => (file === undefined ? [] : [`"${file.row.id}"`])),
      expected: words.map((word) => ("gone" in word ? "gone" : text(word.said))).join(" or "),
      found,
    },
  ];
  const mayBeGone = words.some((word) => "gone" in word);
  if (record === undefined) return mayBeGone ? [] : broken("what was sent last is stored", "nothing");
  if (record.status !== "active") return mayBeGone ? [] : broken("what was sent last is active", record.status);
  const fits = words.some((word) => !("gone" in word) && isSaid(record, word.file, word.said));
  if (fits) return [];
  const isMissing = words.every((word) => "gone" in word);
  return broken(isMissing ? "what a full file lacks is retired" : "what was sent last is stored", text(record.data));
}

/** A file that merges says some fields and leaves the others. */
function isSaid(record: RecordRow, { mail }: KnownFile, said: Said): boolean {
  if (!mail.kind.merges) return same(record.data, said);
  return Object.entries(said).every(([field, value]) => record.data[field] === value);
}
