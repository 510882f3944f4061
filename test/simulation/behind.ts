/** What a file writes when a newer one has ended. The events' times say it; which record it was does not matter. */
import { KINDS } from "./feeds.ts";
import type { Violation } from "./model.ts";
import type { FileRow, Tables } from "./tables.ts";

/** A full file says the whole state: behind a newer one that is applied nothing in it is news, whoever still carries it. */
export function writtenBehind({ files, changes }: Tables): Violation[] {
  const full = KINDS.filter(({ mode }) => mode === "full").map(({ slug }) => slug);
  const byId = new Map(files.map((file, place) => [file.id, { file, place }]));
  const isBehind = (file: FileRow, place: number, writtenMs: number) =>
    files.some(
      (other, at) =>
        at > place && other.feed === file.feed && other.applied_ms !== null && other.applied_ms < writtenMs,
    );
  return changes.flatMap((change): Violation[] => {
    const found = byId.get(change.file_id);
    if (found === undefined || !full.some((slug) => change.feed.endsWith(`/${slug}`))) return [];
    if (!isBehind(found.file, found.place, change.created_ms)) return [];
    return [
      {
        rule: "a full file writes nothing behind a newer one",
        subject: `${change.feed} ${change.key}`,
        about: [`"${change.file_id}"`],
        expected: "no event",
        found: JSON.stringify(change),
      },
    ];
  });
}

/** What a newer file may still say it must not be retired for by an older one: once that has begun, it retires itself. */
export function retiredBeside({ files, changes, holds, letters }: Tables): Violation[] {
  const byId = new Map(files.map((file, place) => [file.id, { file, place }]));
  // A file that was held or dead for a while was not at work all the time.
  const wentThrough = ({ id, delivery_id, applied_ms }: FileRow) =>
    applied_ms !== null &&
    holds.every(({ file_id }) => file_id !== id) &&
    letters.every(({ correlation_id }) => correlation_id !== delivery_id);
  return changes.flatMap((change): Violation[] => {
    const found = byId.get(change.file_id);
    if (change.kind !== "retired" || found === undefined) return [];
    const newer = files.find(
      (other, at) =>
        at > found.place &&
        other.feed === change.feed &&
        wentThrough(other) &&
        other.started_ms !== null &&
        other.started_ms < change.created_ms,
    );
    if (newer === undefined) return [];
    const rule = "nothing is retired beside a newer file";
    const about = [`"${change.file_id}"`, `"${newer.id}"`];
    return [
      { rule, subject: `${change.feed} ${change.key}`, about, expected: "no event", found: JSON.stringify(change) },
    ];
  });
}
