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

/** Once a newer full file has begun to write, it retires itself what it lacks, and an older one nothing more. */
export function retiredBeside({ files, changes }: Tables): Violation[] {
  const byId = new Map(files.map((file, place) => [file.id, { file, place }]));
  const begunMs = new Map<string, number>();
  for (const { file_id, created_ms } of changes) {
    begunMs.set(file_id, Math.min(created_ms, begunMs.get(file_id) ?? Number.POSITIVE_INFINITY));
  }
  return changes.flatMap((change): Violation[] => {
    const found = byId.get(change.file_id);
    if (change.kind !== "retired" || found === undefined) return [];
    const newer = files.find(
      ({ id, feed, state }, at) =>
        at > found.place &&
        feed === change.feed &&
        state === "applied" &&
        (begunMs.get(id) ?? Number.POSITIVE_INFINITY) < change.created_ms,
    );
    if (newer === undefined) return [];
    const rule = "nothing is retired beside a newer file";
    const about = [`"${change.file_id}"`, `"${newer.id}"`];
    return [
      { rule, subject: `${change.feed} ${change.key}`, about, expected: "no event", found: JSON.stringify(change) },
    ];
  });
}
